import { type Command, decide, Fleet } from "@lowtide/domain"
import { manifestObject, nodeObject, serviceObject } from "@lowtide/testkit/observed"
import { Result } from "effect"
import { assert, it } from "vitest"
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
    assert.isTrue(Result.isSuccess(decide(fleet, command, context)))
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
  assert.match(sentence, /LT0221 .*no advertisement of pool dark.* Fix: Let a BGPAdvertisement cover the new pool/)
})
