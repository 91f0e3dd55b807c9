import type { StateItem } from "@lowtide/bus/follow-state"
import { Result } from "effect"
import { assert, describe, it } from "vitest"
import { HeldState } from "../src/held-state.ts"
import { type Accepted, Intake } from "../src/intake.ts"
import { StandingRefusals } from "../src/standing-refusals.ts"
import { readTrust } from "../src/trust.ts"
import { clusterName, HandCentre, judgeInTurn, nodeIntent, nodeName, peer, tombstone, vip } from "./hand-centre.ts"

const make = (centre: HandCentre, judge = judgeInTurn) => {
  const log: Array<string> = []
  const accepted: Array<Accepted> = []
  let release: () => void = () => {}
  let isBlocked = false
  const clock = { nowMs: 0 }
  const files = { cluster: clusterName, trustText: centre.trustText, allowedText: centre.allowedText() }
  const held = new HeldState(nodeName)
  const standing = new StandingRefusals(() => undefined)
  const intake = new Intake(Result.getOrThrow(readTrust(files)), held, {
    save: async (records) => {
      log.push(`save ${records.map((one) => (one._tag === "Message" ? one.key : one._tag)).join(" ")}`)
      if (isBlocked) await new Promise<void>((resolve) => (release = resolve))
    },
    recordsFor: () => [{ _tag: "Session", session: "s", holdTimeSeconds: 9 }],
    brake: () => new Map(),
    inEffect: () => undefined,
    onAccepted: (one) => {
      accepted.push(one)
      log.push(`accepted ${one.vips.map(({ message }) => message.address).join(" ")}`)
    },
    onRollCall: () => undefined,
    onRefused: ({ code }) => log.push(code),
    standing,
    judge,
    onSync: (state) => log.push(state),
    monotonicMs: () => clock.nowMs,
    unixMs: () => 1_000,
    random: () => 0
  })
  const settle = async () => {
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate)
  }
  return {
    intake,
    held,
    standing,
    log,
    accepted,
    clock,
    take: async (...items: ReadonlyArray<StateItem>) => {
      for (const item of items) intake.take(item)
      await settle()
      return log.splice(0)
    },
    block: () => {
      isBlocked = true
    },
    release: async () => {
      isBlocked = false
      release()
      await settle()
      return log.splice(0)
    }
  }
}

const live = (item: { readonly key: string; readonly envelope: string }): StateItem => ({ _tag: "Live", item })
const snapshot = (...items: ReadonlyArray<{ readonly key: string; readonly envelope: string }>): StateItem => ({
  _tag: "Snapshot",
  items
})

describe("Intake", () => {
  it("saves before it hands on, and is live when the head agrees, wherever it stands in the snapshot", async () => {
    const centre = new HandCentre()
    const { take, intake } = make(centre)
    const messages = [centre.say(nodeIntent([peer()])), centre.say(vip("198.51.100.1"))]
    assert.deepStrictEqual(await take(snapshot(centre.head(), ...messages)), [
      "save Session node.east-1 adv.4-198-51-100-1 head",
      "accepted 198.51.100.1",
      "live"
    ])
    assert.strictEqual(intake.completeCseq, 2)
  })

  it("withdraws nothing because a snapshot lacks it, and finds an empty one stale", async () => {
    const centre = new HandCentre()
    const { take, held, intake } = make(centre)
    await take(snapshot(centre.say(vip("198.51.100.1")), centre.head()))
    assert.deepStrictEqual(await take(snapshot()), [])
    assert.strictEqual(held.vips.get("adv.4-198-51-100-1")?.message.state, "announced")
    const empty = centre.head({ digest: "0".repeat(64), count: 0, stamp: { incarnation: 1, epoch: 2, seq: 1 } })
    assert.deepStrictEqual(await take(snapshot(empty)), ["stale"])
    assert.strictEqual(held.vips.size, 1)
    assert.isTrue(intake.tick(), "it reads again")
  })

  it("sees that a live message was lost, and is live again after reading everything", async () => {
    const centre = new HandCentre()
    const { take, intake, clock } = make(centre)
    await take(snapshot(centre.say(vip("198.51.100.1")), centre.head()))
    const lost = centre.say(tombstone("198.51.100.1"))
    const next = centre.say(vip("198.51.100.2"))
    clock.nowMs = 100
    assert.deepStrictEqual((await take(live(next))).at(-1), "stale")
    assert.strictEqual(intake.completeCseq, 1, "the tombstone between is not confirmed")
    assert.isTrue(intake.tick())
    assert.isFalse(intake.tick(), "not in a tight loop")
    assert.deepStrictEqual(await take(snapshot(lost, next, centre.head())), [
      "save adv.4-198-51-100-1 head",
      "accepted 198.51.100.1",
      "live"
    ])
    assert.strictEqual(intake.completeCseq, 3)
  })

  it("holds nothing of a new incarnation by the numbers of the one before, which may be higher", async () => {
    const centre = new HandCentre()
    const { take, intake } = make(centre)
    const many = Array.from({ length: 9 }, (_, n) => centre.say(vip(`198.51.100.${n + 1}`)))
    await take(snapshot(...many, centre.head()))
    assert.strictEqual(intake.completeCseq, 9)
    centre.loseHistory(2)
    const node = centre.say(nodeIntent([peer()]))
    const lost = centre.say(tombstone("198.51.100.1"))
    const other = centre.say(vip("198.51.100.2"))
    await take(live(node), live(other))
    assert.strictEqual(intake.completeCseq, 0, "the tombstone between is not confirmed")
    await take(snapshot(node, lost, other, centre.head()))
    assert.strictEqual(intake.completeCseq, 5)
  })

  it("finds a lost last message by the head", async () => {
    const centre = new HandCentre()
    const { take } = make(centre)
    await take(snapshot(centre.say(vip("198.51.100.1")), centre.head()))
    centre.say(tombstone("198.51.100.1"))
    assert.deepStrictEqual(await take(live(centre.head())), ["stale"])
  })

  it("does not call a tombstone complete before the disk has it", async () => {
    const centre = new HandCentre()
    const { take, intake, block, release } = make(centre)
    await take(snapshot(centre.say(vip("198.51.100.1")), centre.head()))
    block()
    await take(live(centre.say(tombstone("198.51.100.1"))), live(centre.head()))
    assert.strictEqual(intake.completeCseq, 1)
    assert.deepStrictEqual(await release(), ["accepted 198.51.100.1"])
    assert.strictEqual(intake.completeCseq, 2)
  })

  it("goes by the number where two messages have one stamp", async () => {
    const centre = new HandCentre()
    const { take } = make(centre)
    const { stamp } = centre.number(vip("198.51.100.1"))
    const sealed = (cseq: number) => ({
      key: "adv.4-198-51-100-1",
      envelope: centre.sealed({ ...centre.number(vip("198.51.100.1")), stamp, cseq })
    })
    assert.deepStrictEqual(await take(snapshot(sealed(5))), ["save adv.4-198-51-100-1", "accepted 198.51.100.1"])
    assert.deepStrictEqual(await take(snapshot(sealed(4))), ["LT0403"])
    assert.strictEqual((await take(snapshot(sealed(6)))).length, 2)
  })

  it("knows what it refuses now, until the subject is taken or a head agrees", async () => {
    const centre = new HandCentre()
    const { take, standing } = make(centre)
    const refused = () => (standing.status.refusing ?? []).map(({ code, count }) => `${code} ${count}`)
    await take(snapshot(centre.say(vip("198.51.100.1")), centre.head()))
    const foreign = centre.say(vip("203.0.113.1"))
    await take(live(foreign), live(centre.head()))
    assert.deepStrictEqual(refused(), ["LT0402 1"], "which lacks nothing, and is refused all the same")
    await take(live(foreign))
    assert.deepStrictEqual(refused(), ["LT0402 1"])
    await take(live(centre.say(tombstone("203.0.113.1"))))
    assert.deepStrictEqual(refused(), [])
    const good = centre.key
    centre.key = new HandCentre().key
    const second = centre.number(vip("198.51.100.2"))
    await take(live({ key: "adv.4-198-51-100-2", envelope: centre.sealed(second) }), live(centre.head()))
    assert.deepStrictEqual(refused(), ["LT0401 2"], "the VIP's and the head")
    centre.key = good
    await take(live({ key: "adv.4-198-51-100-2", envelope: centre.sealed(second) }))
    assert.deepStrictEqual(refused(), ["LT0401 1"])
    await take(live(centre.head()))
    assert.deepStrictEqual(refused(), [])
    const forged = new HandCentre().sealed({ ...second, cseq: 9 })
    await take(live({ key: "adv.4-198-51-100-2", envelope: forged }))
    assert.deepStrictEqual(refused(), ["LT0401 1"])
    await take(live(centre.head()))
    assert.deepStrictEqual(refused(), [], "what is held is all that there is")
  })

  it("takes repetitions in silence, and refuses what is older", async () => {
    const centre = new HandCentre()
    const { take } = make(centre)
    const first = centre.say(vip("198.51.100.1"))
    const second = centre.say(tombstone("198.51.100.1"))
    await take(snapshot(second, centre.head()))
    assert.deepStrictEqual(await take(live(second), live(centre.head())), [])
    assert.deepStrictEqual(await take(live(first), snapshot(first)), ["LT0403", "LT0403"])
  })

  it("refuses what is older right behind what is newer, also when it was in effect before", async () => {
    const centre = new HandCentre()
    const { take } = make(centre)
    const first = centre.say(vip("198.51.100.1"))
    await take(snapshot(first))
    const log = await take(live(centre.say(tombstone("198.51.100.1"))), live(first))
    assert.deepStrictEqual(log, ["LT0403", "save adv.4-198-51-100-1", "accepted 198.51.100.1"])
  })

  it("judges anew what was judged by a trust that has been replaced meanwhile", async () => {
    const centre = new HandCentre()
    let release = () => {}
    const isReleased = new Promise<void>((resolve) => (release = resolve))
    const { take, intake, held } = make(centre, async (trust, texts) => {
      await isReleased
      return judgeInTurn(trust, texts)
    })
    assert.deepStrictEqual(await take(snapshot(centre.say(vip("198.51.100.1")))), [])
    const files = { cluster: clusterName, trustText: centre.trustText, allowedText: centre.allowedText([]) }
    intake.takeTrust(Result.getOrThrow(readTrust(files)))
    release()
    assert.deepStrictEqual(await take(), ["LT0402"])
    assert.strictEqual(held.vips.size, 0)
  })
})
