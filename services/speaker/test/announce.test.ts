import { pathAttributes } from "@lowtide/bgp/route"
import type { WantedRoute } from "@lowtide/domain/announcing/node-routes"
import { parsePrefix } from "@lowtide/net"
import { Result } from "effect"
import { assert, describe, it } from "vitest"
import { RouteTranslator } from "../src/announce.ts"

const wanted = { prefix: "192.0.2.1/32", localPref: 200, communities: ["64496:1", "64496:1:2"], isStandby: false }
const prefix = Result.getOrThrow(parsePrefix("192.0.2.1/32"))

const onTheWire = (route: WantedRoute, isInternal: boolean) => {
  const [change] = new RouteTranslator().changes([[route.prefix, route]])
  assert.deepStrictEqual(change?.prefix, prefix)
  const attributes = pathAttributes(change!.attributes!, { localAsn: 64496, isInternal, fourOctetAs: true })
  const path = attributes.flatMap((attribute) =>
    attribute._tag === "AsPath" ? attribute.segments.flatMap(({ asns }) => asns) : []
  )
  const localPref = attributes.find((attribute) => attribute._tag === "LocalPref")?.value
  const med = attributes.find((attribute) => attribute._tag === "MultiExitDisc")?.value
  return { path, localPref, ...(med === undefined ? {} : { med }) }
}

describe("a route on its way to the wire", () => {
  it("of an admitted node has our AS once, and to an internal peer its LOCAL_PREF", () => {
    assert.deepStrictEqual(onTheWire(wanted, false), { path: [64496], localPref: undefined })
    assert.deepStrictEqual(onTheWire(wanted, true), { path: [], localPref: 200 })
  })

  it("has the MED of its Advertisement, and outside a path that is as much longer", () => {
    const preferred = { ...wanted, med: 0, prepend: 2 }
    assert.deepStrictEqual(onTheWire(preferred, false), { path: [64496, 64496, 64496], localPref: undefined, med: 0 })
    assert.deepStrictEqual(onTheWire(preferred, true), { path: [], localPref: 200, med: 0 })
    const standby = onTheWire({ ...preferred, isStandby: true }, false)
    assert.deepStrictEqual([standby.path.length, standby.med], [6, 0])
  })

  it("of another MED alone is another", () => {
    const translator = new RouteTranslator()
    const [first, second] = [1, 2].map(
      (med) => translator.changes([[wanted.prefix, { ...wanted, med }]])[0]?.attributes
    )
    assert.deepStrictEqual([first?.med, second?.med], [1, 2])
  })

  it("of a standby node is a worse path: a longer AS_PATH outside (RFC 4271 §9.1.2.2), LOCAL_PREF 1 inside (§9.1.1)", () => {
    const standby = { ...wanted, isStandby: true }
    assert.deepStrictEqual(onTheWire(standby, false), { path: [64496, 64496, 64496, 64496], localPref: undefined })
    assert.deepStrictEqual(onTheWire(standby, true), { path: [], localPref: 1 })
  })

  it("of a node that leaves is the last choice (RFC 8326)", () => {
    const translator = new RouteTranslator()
    const [before] = translator.changes([[wanted.prefix, wanted]])
    translator.isLeaving = true
    const [after] = translator.changes([[wanted.prefix, wanted]])
    assert.deepStrictEqual(
      before?.attributes?.communities.map(({ value }) => value >>> 0),
      [0xfbf0_0001]
    )
    assert.deepStrictEqual(
      after?.attributes?.communities.map(({ value }) => value >>> 0),
      [0xfbf0_0001, 0xffff_0000]
    )
    assert.strictEqual(after?.attributes?.localPref, 0)
    const [standby] = translator.changes([[wanted.prefix, { ...wanted, isStandby: true }]])
    translator.isLeaving = false
    const [waiting] = translator.changes([[wanted.prefix, { ...wanted, isStandby: true }]])
    assert.deepStrictEqual([standby?.attributes?.localPref, waiting?.attributes?.localPref], [0, 1])
  })

  it("that becomes standby is another, though all else of it is the same", () => {
    const translator = new RouteTranslator()
    const [admitted, standby, again] = [false, true, false].map(
      (isStandby) => translator.changes([[wanted.prefix, { ...wanted, isStandby }]])[0]?.attributes
    )
    assert.notDeepEqual(admitted, standby)
    assert.strictEqual(admitted, again, "routes of equal attributes share one object")
  })

  it("is withdrawn by nothing being wanted", () => {
    assert.deepStrictEqual(new RouteTranslator().changes([[wanted.prefix, undefined]]), [
      { prefix, attributes: undefined }
    ])
  })
})
