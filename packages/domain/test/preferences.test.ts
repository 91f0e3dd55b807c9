import { assert, describe, it } from "vitest"
import { messageKey } from "../src/announcing/index.ts"
import { announcing, apply, node, observe, pool, raw, service, World } from "./world.ts"

const advertisement = (name: string, localPref: number, app?: string) =>
  raw("BGPAdvertisement", name, {
    localPref,
    ...(app === undefined ? {} : { serviceSelectors: [{ matchLabels: { app } }] })
  })
const web = (labels: Readonly<Record<string, string>>) => observe("east", service("web", { labels }))

const findings = (world: World) =>
  world.fleet
    .cluster("east")
    .findings.get("Service/shop/web")
    ?.findings.map(({ code, found }) => `${code} ${found}`)
const told = (world: World) => {
  const message = world.message(
    "east",
    messageKey({ _tag: "ObjectFindings", object: { kind: "Service", namespace: "shop", name: "web" } })
  )
  return message?._tag === "ObjectFindings" ? message.findings.map(({ code }) => code) : undefined
}
const clash = ["LT0154 200 of advertisement a and 300 of b"]

/** Two nodes with a peer, and an advertisement each for all Services and for those of one label. */
const clashing = (): World => {
  const world = new World()
  announcing(world, "east")
  world.do({
    _tag: "DeleteManifest",
    cluster: "east",
    kind: "BGPAdvertisement",
    namespace: "metallb-system",
    name: "all"
  })
  world.do(apply("east", pool("public", ["192.0.2.0/29"])))
  world.do(apply("east", advertisement("a", 200)))
  world.do(apply("east", advertisement("b", 300, "web")))
  world.do(web({ app: "web" }))
  return world
}

describe("a Service of which advertisements give one route two preferences", () => {
  it("is told so, for as long as both select it", () => {
    const world = clashing()
    assert.deepStrictEqual([findings(world), told(world)], [clash, ["LT0154"]])
    world.do(web({ app: "other" }))
    assert.deepStrictEqual([findings(world), told(world)], [undefined, []])
    world.do(web({ app: "web" }))
    assert.deepStrictEqual(findings(world), clash)
  })

  it.each([
    ["an advertisement changes", () => apply("east", advertisement("b", 200, "web"))],
    ["the Service goes", () => ({ _tag: "ForgetService", cluster: "east", namespace: "shop", name: "web" }) as const],
    ["it has no address any more", () => observe("east", service("web", { labels: { app: "web" }, type: "ClusterIP" }))]
  ])("is not when %s", (_, change) => {
    const world = clashing()
    world.do(change())
    assert.isUndefined(findings(world))
  })

  it("is told of a MED and of a path as well", () => {
    const world = clashing()
    const annotations = { "lowtide.dev/med": "5", "lowtide.dev/as-path-prepend": "2" }
    world.do(apply("east", { ...advertisement("b", 200, "web"), annotations }))
    assert.deepStrictEqual(findings(world), [
      "LT0154 0 of advertisement a and 5 of b",
      "LT0154 0 of advertisement a and 2 of b"
    ])
    world.do(apply("east", { ...advertisement("a", 200), annotations }))
    assert.isUndefined(findings(world))
  })

  it("is not where the two meet on no node", () => {
    const world = clashing()
    const selected = (name: string, localPref: number, rack: string) => {
      const { spec, ...rest } = advertisement(name, localPref, "web")
      return { ...rest, spec: { ...(spec as object), nodeSelectors: [{ matchLabels: { rack } }] } }
    }
    world.do(apply("east", selected("a", 200, "a")))
    world.do(apply("east", selected("b", 300, "b")))
    assert.isUndefined(findings(world))
    world.do({ _tag: "ObserveNode", cluster: "east", node: node("east-1", { labels: { rack: "a" } }) })
    assert.isUndefined(findings(world))
  })

  it("is not told before the fleet's version is finalised", () => {
    const world = new World()
    world.fleet.fleetVersion = 1
    announcing(world, "east")
    world.do(apply("east", pool("public", ["192.0.2.0/29"])))
    world.do(apply("east", advertisement("b", 300, "web")))
    world.do(web({ app: "web" }))
    assert.isUndefined(findings(world))
  })
})
