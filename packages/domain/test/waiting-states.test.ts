import { assert, describe, it } from "vitest"
import { Fleet, newestFleetVersion, type ServiceState, writeState } from "../src/index.ts"
import { observe, service, World } from "./world.ts"

const world = new World()
world.do(observe("east", service("web")))
const refused = world.fleet.cluster("east").services.get("shop/web") as ServiceState
const served: ServiceState = { ...refused, refusal: null }
const prefers: ServiceState = {
  ...served,
  service: { ...served.service, ipFamilyPolicy: "PreferDualStack" }
}
const stream = "service:east/shop/web"
const row = (state: ServiceState, isAsWritten = true) => ({
  ...{ stream, version: 3, seq: 7, isAsWritten },
  ...writeState(state, newestFleetVersion)
})

describe("a Service's state that is loaded", () => {
  it.each([
    ["is served", served],
    ["is refused", refused],
    ["would take an address of the other IP version", prefers]
  ])("that %s is what was stored, by whatever way it is asked for", (_, state) => {
    const ways = [
      (fleet: Fleet) => fleet.cluster("east").services.get("shop/web"),
      (fleet: Fleet) => [...fleet.cluster("east").services.values()][0],
      (fleet: Fleet) => [...fleet.cluster("east").services][0]?.[1],
      (fleet: Fleet) => {
        const states: Array<ServiceState> = []
        for (const [, found] of fleet.cluster("east").services) states.push(found)
        fleet.cluster("east").services.forEach((found) => {
          states.push(found)
        })
        return states[1]
      }
    ]
    for (const way of ways) {
      const fleet = new Fleet()
      assert.isUndefined(fleet.restoreStored(row(state)))
      const cluster = fleet.cluster("east")
      assert.deepStrictEqual([...cluster.services.keys()], ["shop/web"])
      assert.strictEqual(cluster.unserved.has("shop/web"), state.refusal !== null)
      assert.strictEqual(cluster.preferring.has("shop/web"), state === prefers)
      assert.strictEqual(fleet.versions.get(stream), 3)
      assert.deepStrictEqual(way(fleet), state)
      assert.strictEqual(way(fleet), way(fleet), "parsed once")
    }
  })

  it("that is not what was written, and is no state, is named before anything is decided", () => {
    const damaged = { ...row(served, false), state: row(served).state.replace('"shop"', "7") }
    const found = new Fleet().restoreStored(damaged)
    assert.match(found?.message ?? "", /LT0541 the state of service:east\/shop\/web since event 7.*namespace/s)
  })

  it("that could not be read again is not written", () => {
    const broken = { ...served, servingNodes: [7] } as unknown as ServiceState
    assert.throws(
      () => writeState(broken, newestFleetVersion),
      /expected a Service of version 1 to write: .*servingNodes/s
    )
  })
})
