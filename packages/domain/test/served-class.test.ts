import { assert, describe, it } from "vitest"
import { vipKey } from "../src/announcing/index.ts"
import { type Command, decodeObject, type ServiceObject } from "../src/index.ts"
import { announcing, apply, observe, pool, raw, service, World } from "./world.ts"

const ours = "lowtide.dev/bgp"
const web = (spec: Partial<ServiceObject> = {}): Command => observe("east", service("web", spec))
const of = (loadBalancerClass: string): Command => web({ loadBalancerClass })
const register = (loadBalancerClass?: string): Command => ({
  ...{ _tag: "RegisterCluster", cluster: "east", network: "default" },
  ...(loadBalancerClass === undefined ? {} : { loadBalancerClass })
})

const begun = (...commands: ReadonlyArray<Command>): World => {
  const world = new World()
  announcing(world, "east")
  world.do(apply("east", pool("public", ["192.0.2.0/29"])))
  for (const command of commands) world.do(command)
  return world
}

const held = (world: World) => world.addresses("east", "shop/web")
const intent = (world: World) => {
  const message = world.message("east", vipKey("192.0.2.0"))
  return message?._tag === "VipIntent" ? message.state : undefined
}
const address = ["192.0.2.0"]

describe("the load balancer class that a cluster has served", () => {
  it.each<readonly [title: string, cluster: string | undefined, commands: Command, expected: ReadonlyArray<string>]>([
    ["none: a Service without one", undefined, web(), address],
    ["none: one of Lowtide's own", undefined, of(ours), address],
    ["none: not one of another", undefined, of("other"), []],
    ["one: a Service of it", "other", of("other"), address],
    ["one: none without, as with MetalLB's --lb-class", "other", web(), []],
    ["one: not one of Lowtide's own", "other", of(ours), []]
  ])("%s", (_, served, command, expected) => {
    const world = begun(register(served), command)
    assert.deepStrictEqual(held(world), expected)
    assert.isUndefined(world.refusal("east", "shop/web"), "that it is another's is no fault")
  })

  it("changes without taking an address from anybody, and says so", () => {
    const world = begun(register(), web())
    world.do(register("other"))
    assert.deepStrictEqual([held(world), intent(world)], [address, "announced"])
    assert.strictEqual(world.refusal("east", "shop/web"), "LT0214")
    world.do(web({ ports: [{ protocol: "TCP", port: 81, name: "" }] }))
    assert.deepStrictEqual(held(world), address, "nor does a change of something else")
    world.do(register())
    assert.deepStrictEqual([held(world), world.refusal("east", "shop/web")], [address, undefined])
  })

  it.each<readonly [string, Command]>([
    ["is of another type", web({ type: "ClusterIP" })],
    ["is of another class", of("third")],
    ["is another one of its name", web({ uid: "another" })],
    ["is deleted", { _tag: "ForgetService", cluster: "east", namespace: "shop", name: "web" }]
  ])("leaves a Service what it has until it %s", (_, command) => {
    const world = begun(register(), web(), register("other"))
    world.do(command)
    assert.deepStrictEqual([held(world), intent(world)], [[], "withdrawn"])
    assert.isUndefined(world.refusal("east", "shop/web"))
  })

  it("takes from a Service that itself goes to another's", () => {
    const world = begun(register(), web())
    world.do(of("other"))
    assert.deepStrictEqual(held(world), [])
  })

  it("leaves a Service that comes to be served what its status says, as its agent tells of it again", () => {
    const world = begun(register(), of("other"))
    world.do(register("other"))
    assert.deepStrictEqual(held(world), [])
    world.do({ ...of("other"), statusAddresses: ["192.0.2.5"] } as Command)
    assert.deepStrictEqual(held(world), ["192.0.2.5"])
  })

  it("waits for the fleet's version, and then has all its Services served", () => {
    const world = new World()
    world.fleet.fleetVersion = 1
    announcing(world, "east")
    world.do(apply("east", pool("public", ["192.0.2.0/29"])))
    world.do(register("other"))
    world.do(of("other"))
    const codes = () =>
      world.fleet
        .cluster("east")
        .findings.get("Cluster//east")
        ?.findings.map(({ code }) => code)
    assert.deepStrictEqual([held(world), codes()], [[], ["LT0543"]])
    world.do({ _tag: "FinaliseFleet", version: 2 })
    world.do(register("other"))
    assert.deepStrictEqual([held(world), codes()], [address, undefined])
  })
})

describe("spec.loadBalancerClass of a Cluster", () => {
  const read = (loadBalancerClass: unknown) =>
    decodeObject(
      raw("Cluster", "east", { loadBalancerClass }, { apiVersion: "lowtide.dev/v1alpha1", namespace: "" })
    ).findings.map(({ code, field }) => `${code} ${field}`)

  it.each(["internal", "example.com/Internal_vip.1", "lowtide.dev/bgp"])("may be %s", (text) => {
    assert.deepStrictEqual(read(text), [])
  })

  it.each(["a b", "/x", "x/", "a/b/c", "-x", "EXAMPLE.com/x", "a".repeat(64)])("may not be %s", (text) => {
    assert.deepStrictEqual(read(text), ["LT0107 spec.loadBalancerClass"])
  })
})
