import { SetDigest } from "@lowtide/bus/digest"
import type { NumberedMessage, VipIntent } from "@lowtide/domain/announcing/intent"
import { messageKey } from "@lowtide/domain/announcing/subject"
import { assert, describe, it } from "vitest"
import type { Kept } from "../src/brake.ts"
import { HeldState } from "../src/held-state.ts"
import { heldParts, signersOf } from "../src/status.ts"
import type { TrustedMessage } from "../src/trust.ts"
import { HandCentre, nodeIntent, nodeName, peer, tombstone, vip } from "./hand-centre.ts"

const trusted = (message: NumberedMessage, notAllowed?: TrustedMessage["notAllowed"]): TrustedMessage => ({
  key: messageKey(message),
  envelope: JSON.stringify(message),
  message,
  notAllowed
})

const head = (centre: HandCentre, change: object = {}): TrustedMessage => {
  const { envelope } = centre.head(change)
  return { key: "head", envelope, message: JSON.parse(JSON.parse(envelope).payload), notAllowed: undefined }
}

describe("HeldState", () => {
  it("amounts to the centre's digest and count, whatever the order in which messages come", () => {
    const centre = new HandCentre()
    const older = centre.number(vip("198.51.100.1"))
    const messages = [
      older,
      centre.number(vip("198.51.100.2")),
      centre.number(nodeIntent([], { node: "east-2" })),
      centre.number(nodeIntent([peer()])),
      centre.number(tombstone("198.51.100.1"))
    ]
    for (const order of [messages, messages.toReversed()]) {
      const held = new HeldState(nodeName)
      for (const message of order) held.accept(trusted(message))
      assert.strictEqual(held.digest, `${centre.digest}`)
      assert.strictEqual(held.count, 4)
      assert.strictEqual(held.vips.get("adv.4-198-51-100-1")?.message.state, "withdrawn")
      assert.strictEqual(held.nodeIntent?.message.node, nodeName)
      assert.deepStrictEqual(held.newest, { incarnation: 1, cseq: 5 })
    }
  })

  it("takes the same message again where another has signed it, of what it holds", () => {
    const centre = new HandCentre()
    const held = new HeldState(nodeName)
    const message = centre.number(vip("198.51.100.1"))
    const said = trusted(message)
    held.accept({ ...said, envelope: centre.sealed(message) })
    const digest = held.digest
    centre.key = centre.newKey("centre-2")
    const anew = { ...said, envelope: centre.sealed(message) }
    assert.deepStrictEqual(held.accept(anew), { _tag: "Accepted", isOurs: true })
    assert.deepStrictEqual([held.vips.get(said.key)?.keyId, held.digest], ["centre-2", digest])
    assert.strictEqual(held.accept(anew)._tag, "Repeated")
    const other = { ...message, services: [] } as typeof message
    centre.key = centre.newKey("centre-3")
    assert.strictEqual(held.accept({ ...trusted(other), envelope: centre.sealed(other) })._tag, "Repeated")
  })

  it("refuses an older stamp, and takes a repetition in silence", () => {
    const centre = new HandCentre()
    const older = centre.number(vip("198.51.100.1"))
    const newer = centre.number(tombstone("198.51.100.1"))
    const held = new HeldState(nodeName)
    assert.deepStrictEqual(held.accept(trusted(newer)), { _tag: "Accepted", isOurs: true })
    assert.deepStrictEqual(held.accept(trusted(newer)), { _tag: "Repeated" })
    assert.isTrue(held.isKnown("adv.4-198-51-100-1", JSON.stringify(newer)))
    const refused = held.accept(trusted(older))
    assert.strictEqual(refused._tag === "Refused" ? refused.refusal.code : "", "LT0403")
    assert.strictEqual(held.vips.get("adv.4-198-51-100-1")?.message.state, "withdrawn")
  })

  it("compares what a new incarnation speaks of with its head, and keeps the rest in effect", () => {
    const centre = new HandCentre()
    const held = new HeldState(nodeName)
    for (const address of ["198.51.100.1", "198.51.100.2"]) held.accept(trusted(centre.number(vip(address))))
    const anew = { ...centre.number(vip("198.51.100.2")), stamp: { incarnation: 2, epoch: 4, seq: 9 } }
    held.accept(trusted(anew))
    const digest = new SetDigest()
    digest.add("adv.4-198-51-100-2", anew.cseq)
    assert.deepStrictEqual([held.digest, held.count], [`${digest}`, 1])
    assert.deepStrictEqual([...held.vips.keys()], ["adv.4-198-51-100-1", "adv.4-198-51-100-2"])
    assert.deepStrictEqual(held.newestStamp, anew.stamp)
    assert.strictEqual(held.formerCount, 1)
    const [part] = heldParts(held, 2)
    assert.deepStrictEqual(
      part?.vips.map(({ address, stamp }) => [address, stamp.incarnation]),
      [
        ["198.51.100.1", 1],
        ["198.51.100.2", 2]
      ]
    )
  })

  it("proves its stamp by the head, or by the newest message where that has none of its own yet", () => {
    const centre = new HandCentre()
    const held = new HeldState(nodeName)
    assert.isUndefined(held.proof)
    held.accept(trusted(centre.number(vip("198.51.100.1"))))
    const first = head(centre)
    held.accept(first)
    assert.strictEqual(held.proof, first.envelope)
    const [later, last] = [centre.number(vip("198.51.100.2")), centre.number(tombstone("198.51.100.1"))]
    for (const message of [last, later]) held.accept(trusted(message))
    assert.strictEqual(held.proof, trusted(last).envelope, "of what is held the newest, in whatever order it came")
    const next = head(centre)
    held.accept(next)
    assert.strictEqual(held.proof, next.envelope)
    const large = { ...centre.number(vip("198.51.100.2")), obliged: ["n".repeat(500_000)] }
    held.accept(trusted(large))
    assert.deepStrictEqual(held.newestStamp, large.stamp)
    assert.strictEqual(held.proof, next.envelope, "a status is one message, whatever the cluster's size")
  })

  it("answers a roll call in as many parts as it takes, one at least", () => {
    const centre = new HandCentre()
    const held = new HeldState(nodeName)
    assert.deepStrictEqual(heldParts(held, 2), [{ incarnation: 2, part: 0, parts: 1, vips: [] }])
    for (let n = 0; n < 1_001; n++) held.accept(trusted(centre.number(vip(`198.18.${n >> 8}.${n & 255}`))))
    assert.deepStrictEqual(
      heldParts(held, 2).map(({ part, parts, vips }) => [part, parts, vips.length]),
      [
        [0, 2, 1_000],
        [1, 2, 1]
      ]
    )
  })

  it("goes by incarnation before epoch, and by epoch before seq", () => {
    const centre = new HandCentre()
    const held = new HeldState(nodeName)
    const at = (incarnation: number, epoch: number, seq: number) =>
      held.accept(trusted({ ...centre.number(vip("198.51.100.1")), stamp: { incarnation, epoch, seq } }))._tag
    assert.deepStrictEqual(
      [at(1, 1, 9), at(1, 2, 1), at(1, 1, 50), at(2, 1, 1), at(1, 9, 99)],
      ["Accepted", "Accepted", "Refused", "Accepted", "Refused"]
    )
  })

  it("counts what is not allowed, and goes on with what was", () => {
    const centre = new HandCentre()
    const held = new HeldState(nodeName)
    held.accept(trusted(centre.number(vip("198.51.100.1"))))
    const refusal = { key: "adv.4-198-51-100-1", code: "LT0402" as const, message: "outside" }
    const found = held.accept(trusted(centre.number(vip("198.51.100.1")), refusal))
    assert.deepStrictEqual(found, { _tag: "Refused", refusal, isSeen: true })
    assert.strictEqual(held.vips.get("adv.4-198-51-100-1")?.message.cseq, 1)
    assert.strictEqual(held.digest, `${centre.digest}`)
  })

  it("names who signed what is in effect here, and nobody for a tombstone or what others are told", () => {
    const centre = new HandCentre()
    const held = new HeldState(nodeName)
    const accept = (keyId: string, message: NumberedMessage) =>
      held.accept({
        ...trusted(message),
        envelope: JSON.stringify({ payload: JSON.stringify(message), keyId, sig: "" })
      })
    const signers = () => signersOf(held, { kept })
    const kept = new Map<string, Kept>()
    accept("other", centre.number(nodeIntent([], { node: "east-2" })))
    accept("lost", centre.number(vip("198.51.100.1")))
    accept("old", centre.number(vip("198.51.100.2")))
    assert.deepStrictEqual(signers(), ["lost", "old"])
    accept("new", centre.number(nodeIntent([peer()])))
    const inEffect = held.vips.get("adv.4-198-51-100-2")
    const pending = centre.number(tombstone("198.51.100.2"))
    accept("new", pending)
    assert.deepStrictEqual(signers(), ["lost", "new"])
    if (inEffect !== undefined) kept.set(inEffect.key, { pending: pending as VipIntent, inEffect, sinceMs: 0 })
    assert.deepStrictEqual(signers(), ["lost", "new", "old"], "what the brake keeps")
  })

  it("ignores a head older than the one it has", () => {
    const centre = new HandCentre()
    centre.number(vip("198.51.100.1"))
    const first = head(centre)
    centre.number(vip("198.51.100.2"))
    const held = new HeldState(nodeName)
    assert.strictEqual(held.accept(head(centre))._tag, "Accepted")
    assert.strictEqual(held.accept(head(centre))._tag, "Repeated")
    const refused = held.accept(first)
    assert.include(refused._tag === "Refused" ? refused.refusal.message : "", "the centre went back")
    assert.strictEqual(held.head?.message.cseq, 2)
  })
})
