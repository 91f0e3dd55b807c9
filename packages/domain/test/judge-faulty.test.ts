import { nodeObject, manifestObject as raw } from "@lowtide/testkit/observed"
import { assert, describe, it } from "vitest"
import {
  type ClusterObject,
  decodeObject,
  type FaultyObject,
  judgeFaulty,
  type RawObject
} from "../src/config/index.ts"
import { World } from "./world.ts"

const session = { myASN: 64496, peerASN: 64500, peerAddress: "10.1.0.1" }

/** What is said of the faulty ones among the objects, beside their own findings: `code name field`. */
const beside = (...manifests: ReadonlyArray<RawObject>): ReadonlyArray<string> => {
  const decoded = manifests.map((manifest) => decodeObject(manifest))
  const good = decoded.flatMap(({ object }): ReadonlyArray<ClusterObject> => (object === undefined ? [] : [object]))
  const faulty = decoded.flatMap(({ faulty, findings }): ReadonlyArray<FaultyObject> => {
    return faulty === undefined ? [] : [{ object: faulty, findings }]
  })
  assert.isAbove(faulty.length, 0, "one of them is faulty")
  return judgeFaulty(good, faulty).map(({ code, object, field }) => `${code} ${object.name} ${field}`)
}

const pool = (name: string, addresses: ReadonlyArray<unknown>, more: object = {}) =>
  raw("IPAddressPool", name, { addresses, ...more })
const peer = (name: string, more: object = {}) => raw("BGPPeer", name, { ...session, ...more })
const advertisement = (name: string, spec: object) => raw("BGPAdvertisement", name, spec)
const twice = { communities: ["64496:1", "64496:1"] }

describe("an object with an error of its own, beside the others", () => {
  const rows: ReadonlyArray<
    readonly [title: string, manifests: ReadonlyArray<RawObject>, expected: ReadonlyArray<string>]
  > = [
    [
      "names pools, peers and communities that there are not",
      [advertisement("a", { ...twice, ipAddressPools: ["none"], peers: ["nobody"], localPref: "high" })],
      ["LT0124 a spec.ipAddressPools[0]", "LT0125 a spec.peers[0]"]
    ],
    [
      "names an alias that there is not, and what is no community is told once",
      [advertisement("a", { communities: ["no-such", "64496:99999999"] })],
      ["LT0126 a spec.communities"]
    ],
    [
      "has addresses of a pool that is in effect",
      [pool("a", ["192.0.2.0/24"]), pool("b", ["192.0.2.9", "192.0.2.8/29"])],
      ["LT0121 b spec.addresses"]
    ],
    [
      "has addresses of another one with errors, of which neither is in effect",
      [pool("a", ["192.0.2.0/24", "x"]), pool("b", ["192.0.2.8/29", "x"])],
      ["LT0121 b spec.addresses"]
    ],
    [
      "has a name that is taken",
      [pool("a", ["192.0.2.0/24"]), { ...pool("a", [1]), namespace: "other" }],
      ["LT0122 a metadata.name"]
    ],
    [
      "asks for what the backend cannot do, and for a BFD profile that there is not",
      [peer("a", { holdTime: "1s", disableMP: true, bfdProfile: "none" })],
      ["LT0135 a spec.bfdProfile", "LT0134 a spec.disableMP"]
    ],
    ["wants the session of another", [peer("a"), peer("b", { holdTime: "1s" })], ["LT0123 b spec.peerAddress"]],
    ["may want another session than the port that was read", [peer("a"), peer("b", { peerPort: 70_000 })], []],
    [
      "may be of other nodes than those that were read",
      [peer("a"), peer("b", { nodeSelectors: [{ matchLabels: 5 }] })],
      []
    ],
    [
      "gives a route another preference",
      [
        pool("a", ["192.0.2.0/24"]),
        advertisement("a", { localPref: 100 }),
        advertisement("b", { localPref: 200, ...twice })
      ],
      ["LT0128 b spec.localPref"]
    ],
    [
      "may have another MED than none",
      [
        pool("a", ["192.0.2.0/24"]),
        { ...advertisement("a", {}), annotations: { "lowtide.dev/med": "1" } },
        { ...advertisement("b", {}), annotations: { "lowtide.dev/med": "one" } }
      ],
      []
    ],
    [
      "may cover other pools than those that were read",
      [
        pool("a", ["192.0.2.0/24"]),
        advertisement("a", { localPref: 100 }),
        advertisement("b", { localPref: 200, ipAddressPools: "a" })
      ],
      []
    ],
    [
      "gives an alias another value",
      [
        raw("Community", "a", { communities: [{ name: "x", value: "64496:1" }] }),
        raw("Community", "b", { communities: [{ name: "x", value: "64496:2" }, { name: "y" }] })
      ],
      ["LT0127 b spec.communities"]
    ],
    ["has a spec that is none, of which nothing is known", [raw("IPAddressPool", "a", "none"), pool("b", [1])], []]
  ]
  it.each(rows)("%s", (_, manifests, expected) => {
    assert.deepStrictEqual(beside(...manifests), expected)
    assert.deepStrictEqual(beside(...manifests.toReversed()), expected, "the order of the objects does not matter")
  })

  it("says nothing of the others, and what it says stays in effect does", () => {
    const bad = decodeObject(pool("a", ["192.0.2.0/24", "x"]))
    const worse = decodeObject(pool("b", ["192.0.2.8/29", "x"]))
    const good = decodeObject(pool("c", ["192.0.2.128/25"]))
    const faulty = [bad, worse].map(({ faulty, findings }) => ({ object: faulty as ClusterObject, findings }))
    assert.deepStrictEqual(
      judgeFaulty([good.object as ClusterObject], faulty).map(({ object, expected }) => `${object.name}: ${expected}`),
      ["a: no addresses of pool c, which stays in effect"]
    )
    assert.deepStrictEqual(
      judgeFaulty([], faulty).map(({ expected }) => expected),
      ["no addresses of pool a"]
    )
  })
})

describe("a version that an agent did not take", () => {
  const named = advertisement("a", { ...twice, ipAddressPools: ["late"] })
  const ref = { kind: "BGPAdvertisement", namespace: "metallb-system", name: "a" }
  const report = (world: World, refused: RawObject | undefined) =>
    world.do({
      ...{ _tag: "ReportFindings", cluster: "east", object: ref },
      findings: refused === undefined ? [] : decodeObject(refused).findings,
      ...(refused === undefined ? {} : { refused })
    })
  const codes = (world: World) =>
    world.fleet
      .cluster("east")
      .findings.get("BGPAdvertisement/metallb-system/a")
      ?.findings.map(({ code }) => code)

  it("is judged beside the others as they come and go, and has no effect", () => {
    const world = new World()
    report(world, named)
    assert.deepStrictEqual(codes(world), ["LT0114", "LT0124"])
    world.do({ _tag: "ApplyManifest", cluster: "east", manifest: pool("late", ["192.0.2.0/24"]) })
    assert.deepStrictEqual(codes(world), ["LT0114"])
    world.do({
      ...{ _tag: "DeleteManifest", cluster: "east", kind: "IPAddressPool" },
      ...{ namespace: "metallb-system", name: "late" }
    })
    assert.deepStrictEqual(codes(world), ["LT0114", "LT0124"])
    assert.deepStrictEqual(world.fleet.config(world.fleet.cluster("east")).advertisements, [])
    report(world, undefined)
    assert.isUndefined(codes(world))
  })

  it("leaves its former version in effect, and a change that would break that is held all the same", () => {
    const world = new World()
    world.do({ _tag: "ObserveNode", cluster: "east", node: nodeObject("east-1") })
    world.do({ _tag: "ApplyManifest", cluster: "east", manifest: pool("public", ["192.0.2.0/24"]) })
    world.do({
      ...{ _tag: "ApplyManifest", cluster: "east" },
      manifest: advertisement("a", { ipAddressPools: ["public"], aggregationLength: 24 })
    })
    report(world, named)
    assert.deepStrictEqual(codes(world), ["LT0114", "LT0124"])
    world.do({ _tag: "ApplyManifest", cluster: "east", manifest: pool("public", ["192.0.2.0/25"]) })
    const held = world.fleet.cluster("east").findings.get("IPAddressPool/metallb-system/public")?.findings
    assert.deepStrictEqual(
      held?.map(({ code }) => code),
      ["LT0142"]
    )
    report(world, undefined)
    assert.isUndefined(codes(world))
  })
})
