import { type Command, decide, Fleet } from "@lowtide/domain"
import { manifestObject, nodeObject, serviceObject } from "@lowtide/testkit/observed"
import { Result } from "effect"
import { assert, it } from "vitest"
import type { CommittedView, HeardNode } from "../../src/centre.ts"
import { vipList } from "../../src/http/views/vips.ts"
import { whyAnswer } from "../../src/http/views/why.ts"

const cluster = "east"
const apply = (kind: string, name: string, spec: unknown): Command => ({
  _tag: "ApplyManifest",
  cluster,
  manifest: manifestObject(kind, name, spec)
})
const web = (pool?: string): Command => ({
  _tag: "ObserveService",
  cluster,
  service: serviceObject("web", pool === undefined ? {} : { annotations: { addressPool: pool } })
})

it("why says that an address is being left, and that a move to where no advertisement reaches cannot end", () => {
  const fleet = new Fleet()
  const context = { nowMs: 0, obligedOf: () => ["east-1"], hasConfirmed: () => false }
  for (const command of [
    { _tag: "ObserveNode", cluster, node: nodeObject("east-1") } as const,
    apply("BGPPeer", "tor", { myASN: 64496, peerASN: 64500, peerAddress: "203.0.113.1" }),
    apply("BGPAdvertisement", "all", { ipAddressPools: ["public"] }),
    apply("IPAddressPool", "public", { addresses: ["192.0.2.0/32"] }),
    apply("IPAddressPool", "dark", { addresses: ["198.51.100.0/32"], autoAssign: false }),
    web(),
    web("dark")
  ]) {
    Result.getOrThrow(decide(fleet, command, context))
  }
  const facts = { ...{ fleet, cluster, namespace: "shop", name: "web" }, at: null, events: [] }
  const { addresses, sentence } = whyAnswer(facts, { position: 1, asOf: "2026-11-25T00:00:00.000Z" } as never)
  assert.deepStrictEqual(
    addresses.map(({ address, leaving }) => [address, leaving]),
    [
      ["198.51.100.0", false],
      ["192.0.2.0", true]
    ]
  )
  assert.match(sentence, /has 198\.51\.100\.0 of pool dark; 192\.0\.2\.0 of pool public until nodes announce/)
  const heardAtMs = 0
  const says = (...announcing: ReadonlyArray<string>) => ({ status: { announcing }, heardAtMs }) as unknown as HeardNode
  const awaiting = (nodes: ReadonlyMap<string, HeardNode>, nowMs = 0) => {
    const view = { fleet, head: {}, nodes, recordedAt: () => undefined, awaited: () => [] } as unknown as CommittedView
    return vipList(view, {}, nowMs).items.map(({ address, leaving, awaiting }) => [address, leaving, awaiting.join()])
  }
  const lagging = new Map([["east/east-1", says("192.0.2.0")]])
  assert.deepStrictEqual(awaiting(lagging), [
    ["192.0.2.0", true, ""],
    ["198.51.100.0", false, ""]
  ])
  const covered = apply("BGPAdvertisement", "all", { ipAddressPools: ["public", "dark"] })
  Result.getOrThrow(decide(fleet, covered, context))
  assert.deepStrictEqual(awaiting(lagging)[0], ["192.0.2.0", true, "east-1"])
  assert.deepStrictEqual(awaiting(lagging, 60_000)[0], ["192.0.2.0", true, ""], "of a silent node nobody knows")
  const done = new Map([["east/east-1", says("192.0.2.0", "198.51.100.0")]])
  assert.deepStrictEqual(awaiting(done)[0], ["192.0.2.0", true, ""])
  assert.match(sentence, /LT0221 .*no advertisement of pool dark.* Fix: Let a BGPAdvertisement cover the new pool/)
})

it("why names the object by which an address is had in several clusters, and its members", () => {
  const fleet = new Fleet()
  const context = { nowMs: 0, obligedOf: () => [], hasConfirmed: () => false }
  const member = (cluster: string, priority: number) => ({ cluster, namespace: "shop", name: "web", priority })
  const spec = { addresses: ["192.0.2.0"], network: "default", members: [member("east", 10), member("west", 20)] }
  const ofFleet = { apiVersion: "lowtide.dev/v1alpha1", namespace: "" }
  for (const command of [
    ...["east", "west"].map((cluster) => ({ _tag: "RegisterCluster", cluster, network: "default" }) as const),
    apply("IPAddressPool", "public", { addresses: ["192.0.2.0/31"] }),
    { ...apply("IPAddressPool", "public", { addresses: ["192.0.2.0/31"] }), cluster: "west" } as Command,
    { _tag: "ApplyFleetObject", manifest: manifestObject("SharedAddress", "any", spec, ofFleet) } as const,
    web(),
    { _tag: "ObserveService", cluster, service: serviceObject("other", {}) } as const
  ]) {
    Result.getOrThrow(decide(fleet, command, context))
  }
  const sentenceOf = (name: string) =>
    whyAnswer({ fleet, cluster, namespace: "shop", name, at: null, events: [] }, {} as never).sentence
  assert.strictEqual(
    sentenceOf("web"),
    "Service east shop/web has 192.0.2.0 of pool public. SharedAddress any gives 192.0.2.0 to east shop/web (priority 10) and west shop/web (priority 20)."
  )
  assert.strictEqual(sentenceOf("other"), "Service east shop/other has 192.0.2.1 of pool public.")
})
