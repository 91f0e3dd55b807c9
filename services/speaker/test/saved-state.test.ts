import { Result } from "effect"
import { assert, describe, it } from "vitest"
import type { SavedRecord } from "../src/journal-record.ts"
import { describeSaved, judgeAside, lostSession, recordsOf, restoreState, withLostSession } from "../src/saved-state.ts"
import { readTrust } from "../src/trust.ts"
import { clusterName, HandCentre, nodeIntent, nodeName, peer, tombstone, vip } from "./hand-centre.ts"

const trustOf = (centre: HandCentre, prefixes?: ReadonlyArray<string>) =>
  Result.getOrThrow(
    readTrust({ cluster: clusterName, trustText: centre.trustText, allowedText: centre.allowedText(prefixes) })
  )

const saved = (text: { readonly key: string; readonly envelope: string }): SavedRecord => ({ _tag: "Message", ...text })

describe("restoreState", () => {
  it("has everything again that a snapshot was made of", () => {
    const centre = new HandCentre()
    const records: ReadonlyArray<SavedRecord> = [
      saved(centre.say(nodeIntent([peer()]))),
      saved(centre.say(vip("198.51.100.1"))),
      saved(centre.say(tombstone("198.51.100.2"))),
      saved(centre.head()),
      { _tag: "Health", service: "shop/web", servesHere: false, servesAnywhere: true },
      { _tag: "Session", session: "router 192.0.2.1 179", holdTimeSeconds: 9 },
      { _tag: "Session", session: "other 192.0.2.2 179", holdTimeSeconds: null }
    ]
    const trust = trustOf(centre)
    const state = restoreState(trust, nodeName, records)
    const again = restoreState(trust, nodeName, recordsOf(state))
    for (const found of [state, again]) {
      assert.deepStrictEqual([...found.held.vips.keys()].sort(), ["adv.4-198-51-100-1", "adv.4-198-51-100-2"])
      assert.strictEqual(found.held.nodeIntent?.message.peers.length, 1)
      assert.strictEqual(found.held.head?.message.cseq, 3)
      assert.isTrue(found.health.get("shop/web")?.servesAnywhere)
      assert.strictEqual(found.sessions.get("other 192.0.2.2 179"), Number.POSITIVE_INFINITY)
      assert.deepStrictEqual(found.refusals, [])
    }
  })

  it("takes the newest stamp, whatever the order of the generations", () => {
    const centre = new HandCentre()
    const records = [saved(centre.say(vip("198.51.100.1"))), saved(centre.say(tombstone("198.51.100.1")))]
    for (const order of [records, records.toReversed()]) {
      const { held, refusals } = restoreState(trustOf(centre), nodeName, order)
      assert.strictEqual(held.vips.get("adv.4-198-51-100-1")?.message.state, "withdrawn")
      assert.deepStrictEqual(refusals, [])
    }
  })

  it("speaks of no refusal of what was taken back since", () => {
    const centre = new HandCentre()
    const records = [saved(centre.say(vip("198.51.100.1"))), saved(centre.say(tombstone("198.51.100.1")))]
    const { held, refusals } = restoreState(trustOf(centre, ["198.51.100.128/25"]), nodeName, records)
    assert.strictEqual(held.vips.get("adv.4-198-51-100-1")?.message.state, "withdrawn")
    assert.deepStrictEqual(refusals, [])
  })

  it("believes the disk no more than the wire", () => {
    const centre = new HandCentre()
    const records = [saved(centre.say(vip("198.51.100.1"))), saved(new HandCentre().say(vip("198.51.100.2")))]
    const state = restoreState(trustOf(centre, ["198.51.100.128/25"]), nodeName, records)
    assert.deepStrictEqual(
      state.refusals.map(({ code }) => code),
      ["LT0402", "LT0401"]
    )
    assert.strictEqual(state.held.vips.size, 0)
  })
})

describe("judgeAside", () => {
  it("finds of every message what is found of it alone, however many there are and in whatever order", async () => {
    const centre = new HandCentre()
    const said = Array.from({ length: 600 }, (_, index) =>
      centre.say(vip(`198.51.${100 + (index >> 8)}.${index & 255}`))
    )
    const [one, two, three] = said as [(typeof said)[0], (typeof said)[0], (typeof said)[0]]
    const records: ReadonlyArray<SavedRecord> = [
      ...said.map(saved),
      saved(one),
      saved({ key: two.key, envelope: one.envelope }), // under another's key
      saved({ key: one.key, envelope: three.envelope }),
      saved(new HandCentre().say(vip("198.51.100.2"))),
      saved({ key: "adv.4-198-51-100-3", envelope: "{" }),
      {
        _tag: "Message",
        ...centre.say(tombstone("198.51.100.1")),
        inEffect: { envelope: said[1]!.envelope, sinceMs: 5 }
      },
      { _tag: "Health", service: "shop/web", servesHere: false, servesAnywhere: true },
      saved(centre.head())
    ]
    const trust = trustOf(centre)
    for (const order of [records, records.toReversed()]) {
      const alone = restoreState(trust, nodeName, order)
      const aside = restoreState(trust, nodeName, order, await judgeAside(trust, order))
      assert.deepStrictEqual(
        aside.refusals.map(({ message }) => message),
        alone.refusals.map(({ message }) => message)
      )
      assert.isAtLeast(alone.refusals.length, 4)
      assert.deepStrictEqual([...aside.held.vips], [...alone.held.vips])
      assert.strictEqual(aside.held.digest, alone.held.digest)
      assert.deepStrictEqual([...aside.kept], [...alone.kept])
      assert.strictEqual(aside.kept.size, 1)
    }
  })
})

describe("judgeAside of a text that is saved under two keys", () => {
  it("has it of each, whatever the order, and lets go of what it has told", async () => {
    const centre = new HandCentre()
    const [one, two] = [centre.say(vip("198.51.100.1")), centre.say(vip("198.51.100.2"))]
    const elsewhere = { key: two.key, envelope: one.envelope }
    for (const records of [
      [saved(one), saved(elsewhere)],
      [saved(elsewhere), saved(one)]
    ]) {
      const trust = { ...trustOf(centre) }
      const judge = await judgeAside(trust, records)
      trust.intentKeys = trustOf(new HandCentre()).intentKeys // who is judged from now on is not believed
      assert.isTrue(Result.isFailure(judge(elsewhere.key, elsewhere.envelope)))
      assert.isTrue(Result.isSuccess(judge(one.key, one.envelope)))
      assert.isTrue(Result.isFailure(judge(one.key, one.envelope)))
    }
  })
})

describe("describeSaved", () => {
  const describe = (centre: HandCentre, records: ReadonlyArray<SavedRecord>) =>
    describeSaved(restoreState(trustOf(centre), nodeName, records), records.length)

  it("is how much is known, or that nothing is saved", () => {
    const centre = new HandCentre()
    const own = [saved(centre.say(nodeIntent([peer()]))), saved(centre.say(vip("198.51.100.1")))]
    assert.deepStrictEqual(describe(centre, own), { severity: "info", text: "1 VIP is known from the disk" })
    assert.deepStrictEqual(describe(centre, []), { severity: "info", text: "nothing is saved yet" })
  })

  it("says of another node's folder whose it is, and of another cluster's what was refused", () => {
    const centre = new HandCentre()
    const others = [
      saved(centre.say({ ...nodeIntent([peer()]), node: "other" })),
      saved(centre.say(vip("198.51.100.1")))
    ]
    const otherNode = describe(centre, others)
    assert.strictEqual(otherNode.severity, "warning")
    assert.match(
      otherNode.text,
      /^2 records on the disk, none refused, 1 VIP known: expected this node's intent among them, found that of other; .*LOWTIDE_STATE_DIR/
    )
    assert.match(
      describe(new HandCentre(), others).text,
      /^2 records on the disk, 2 refused \(LT0401\), 0 VIPs known: expected this node's intent among them, found no node's; /
    )
  })
})

describe("withLostSession", () => {
  it("takes a lost session's hold time for the longest known, and for 180 s when none is", () => {
    const hold = (...known: ReadonlyArray<number>) =>
      withLostSession(new Map(known.map((seconds) => [`router ${seconds} 179`, seconds]))).get(lostSession)
    assert.deepStrictEqual([hold(), hold(3, 90, 9), hold(Number.POSITIVE_INFINITY, 30)], [180, 90, 30])
    assert.strictEqual(hold(Number.POSITIVE_INFINITY), 180, "one without a hold timer says nothing of others")
    assert.deepStrictEqual(
      [...withLostSession(new Map([["router 192.0.2.1 179", 9]])).keys()],
      ["router 192.0.2.1 179", lostSession]
    )
  })
})
