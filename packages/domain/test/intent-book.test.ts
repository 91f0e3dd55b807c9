import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import {
  type Content,
  compareStamps,
  IntentBook,
  messageKey,
  type NumberedMessage,
  StateMessage,
  type VipIntent
} from "../src/announcing/index.ts"
import { announcing, apply, observe, pool, raw, service, World } from "./world.ts"

const cause = { seq: 1, type: "VipAssigned", reason: "pool-selected", actor: "test" }
const stamp = (seq: number) => ({ incarnation: 1, epoch: 1, seq })

const vip = (cluster: string, more: Partial<Content<VipIntent>> = {}): Content<VipIntent> => ({
  _tag: "VipIntent",
  cluster,
  network: "default",
  address: "192.0.2.1",
  state: "announced",
  services: [],
  admission: { _tag: "Open", candidates: ["n1"] },
  routes: [],
  obliged: ["n1"],
  ...more
})

const numbers = (message: NumberedMessage | undefined) => message && [message.prevCseq, message.cseq]

describe("the numbers of a cluster's messages", () => {
  it("count each cluster's own without a gap, each message naming the one before", () => {
    const book = new IntentBook()
    assert.deepStrictEqual(numbers(book.number(vip("east"), stamp(1), cause)), [0, 1])
    assert.deepStrictEqual(numbers(book.number(vip("west"), stamp(2), cause)), [0, 1])
    assert.deepStrictEqual(numbers(book.number(vip("east", { address: "192.0.2.2" }), stamp(3), cause)), [1, 2])
    assert.deepStrictEqual(numbers(book.number(vip("east", { state: "withdrawn" }), stamp(4), cause)), [2, 3])
    assert.strictEqual(book.cseq("east"), 3)
    assert.deepStrictEqual(
      [...book.entries("east")].map(([key, { cseq }]) => [key, cseq]),
      [
        ["adv.4-192-0-2-1", 3],
        ["adv.4-192-0-2-2", 2]
      ]
    )
  })

  it("are not spent on a message that says what the one in effect says", () => {
    const book = new IntentBook()
    book.number(vip("east"), stamp(1), cause)
    assert.isUndefined(book.number(vip("east"), stamp(2), { ...cause, seq: 2, reason: "shared" }))
    book.number(vip("east", { obliged: [] }), stamp(3), cause)
    assert.deepStrictEqual(
      numbers(book.number(vip("east"), stamp(4), cause)),
      [2, 3],
      "what was said before is news again"
    )
  })

  it("go on after those of the stored head, when what was told last is no longer stored", () => {
    const book = new IntentBook()
    book.restoreCseq("east", 7)
    book.restoreCseq("east", 3)
    assert.deepStrictEqual(numbers(book.number(vip("east"), stamp(1), cause)), [7, 8])
  })

  it("say whom a VIP obliges, and whether it withdraws", () => {
    const book = new IntentBook()
    book.number(vip("east", { state: "withdrawn", obliged: ["n1", "n2"] }), stamp(1), cause)
    assert.deepStrictEqual(book.obligedOf("east", "adv.4-192-0-2-1"), ["n1", "n2"])
    assert.strictEqual(book.entries("east").get("adv.4-192-0-2-1")?.withdraws, true)
    assert.deepStrictEqual(book.obligedOf("west", "adv.4-192-0-2-1"), [])
  })
})

describe("a book restored from stored messages", () => {
  const decode = Schema.decodeUnknownSync(Schema.fromJsonString(StateMessage))

  it("knows each for what it says: nothing that is unchanged is told anew", () => {
    const world = new World()
    announcing(world, "east")
    world.do(apply("east", pool("public", ["192.0.2.0/28"])))
    world.do(apply("east", raw("BGPAdvertisement", "more", { localPref: 200, communities: ["64496:1"] })))
    world.do(observe("east", service("web")))
    world.do(observe("east", service("out", { requestedAddresses: ["203.0.113.9"] })))
    const finding = { object: { kind: "File", name: "a.yaml" }, code: "LT0101", severity: "error", field: "" } as const
    const words = { message: "m", expected: "e", found: "f", fix: "x" }
    world.do({ _tag: "ReportFindings", cluster: "east", object: finding.object, findings: [{ ...finding, ...words }] })

    const book = new IntentBook()
    const newest = [...world.book.entries("east").keys()].map((key) => world.message("east", key)!)
    assert.deepStrictEqual([...new Set(newest.map(({ _tag }) => _tag))].sort(), [
      "NodeIntent",
      "ObjectFindings",
      "ServiceAnswer",
      "VipIntent"
    ])
    for (const message of newest.toReversed()) {
      const read = () => decode(JSON.stringify(message)) as NumberedMessage
      const { cluster, cseq, stamp } = message
      book.restore(cluster, [{ key: messageKey(message), cseq, incarnation: stamp.incarnation, read }])
    }
    assert.strictEqual(book.cseq("east"), world.book.cseq("east"))
    for (const { stamp: _s, cseq: _c, prevCseq: _p, cause: _w, ...content } of newest) {
      assert.isUndefined(book.number(content as Content, stamp(99), cause), content._tag)
    }
  })

  it("is entered by parts as well, before somebody asks", () => {
    const book = new IntentBook()
    const messages = [1, 2, 3].map((cseq) => ({
      ...{ key: `vip.v4-${cseq}`, cseq, incarnation: 1 },
      read: () => ({ content: `${cseq}`, obliged: [], withdraws: false })
    }))
    book.restore("east", messages.slice(0, 1))
    book.restore("east", messages.slice(1))
    assert.isTrue(book.enterSome("east", 1))
    for (let turns = 0; book.enterSome("east", 1); turns++) assert.isBelow(turns, 9)
    assert.deepStrictEqual([...book.entries("east").keys()], ["vip.v4-1", "vip.v4-2", "vip.v4-3"])
    assert.deepStrictEqual([book.cseq("east"), book.enterSome("west", 1)], [3, false])
  })
})

describe("the order of stamps", () => {
  it.each([
    [{ incarnation: 2, epoch: 1, seq: 1 }, { incarnation: 1, epoch: 9, seq: 9 }, "a new incarnation wins"],
    [{ incarnation: 1, epoch: 2, seq: 1 }, { incarnation: 1, epoch: 1, seq: 9 }, "then a new epoch"],
    [{ incarnation: 1, epoch: 1, seq: 2 }, { incarnation: 1, epoch: 1, seq: 1 }, "then a later event"]
  ])("%o is newer than %o: %s", (newer, older) => {
    assert.isAbove(compareStamps(newer, older), 0)
    assert.isBelow(compareStamps(older, newer), 0)
    assert.strictEqual(compareStamps(newer, { ...newer }), 0)
  })
})
