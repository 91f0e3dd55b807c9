import { assert, describe, it } from "vitest"
import { decodeObject, parseManifests, type ServiceObject } from "../src/config/index.ts"
import type { Command } from "../src/index.ts"
import { apply, begun, observe, pool, service, type World } from "./world.ts"

const web = (spec: Partial<ServiceObject> = {}): Command => observe("east", service("web", spec))
const held = (world: World) => world.addresses("east", "shop/web")

describe("a Service that is being deleted", () => {
  const deleting = { deleting: true } as const

  it("gets no address, which is no fault of it", () => {
    const world = begun(web(deleting))
    world.do(apply("east", pool("other", ["198.51.100.0/29"])))
    assert.deepStrictEqual([held(world), world.refusal("east", "shop/web")], [[], undefined])
  })

  it("keeps what it has, whatever else it asks for by now, until it is gone", () => {
    const world = begun(web(), web(deleting))
    assert.deepStrictEqual(held(world), ["192.0.2.0"])
    world.do(web({ ...deleting, requestedAddresses: ["192.0.2.5"] }))
    world.do(web({ ...deleting, ipFamilyPolicy: "PreferDualStack", ipFamilies: ["IPv4", "IPv6"] }))
    assert.deepStrictEqual(held(world), ["192.0.2.0"])
    world.do({ _tag: "ForgetService", cluster: "east", namespace: "shop", name: "web" })
    assert.deepStrictEqual(held(world), [])
  })

  it("keeps what its status says that it has", () => {
    const world = begun({ ...web(deleting), statusAddresses: ["192.0.2.3"] } as Command)
    assert.deepStrictEqual(held(world), ["192.0.2.3"])
  })

  it("lets go when it is of another type", () => {
    assert.deepStrictEqual(held(begun(web(), web({ ...deleting, type: "ClusterIP" }))), [])
  })

  it("is known by its deletionTimestamp", () => {
    const text = (more: string) =>
      `{apiVersion: v1, kind: Service, metadata: {name: web${more}}, spec: {ports: [{port: 80}]}}`
    const read = (more: string) => {
      const [manifest] = parseManifests(text(more), { file: "a.yaml" }).manifests
      const object = manifest === undefined ? undefined : decodeObject(manifest.object).object
      return object?._tag === "Service" ? object.value.deleting : "unread"
    }
    assert.isTrue(read(`, deletionTimestamp: "2026-11-25T12:00:00Z"`))
    assert.isUndefined(read(""))
  })
})
