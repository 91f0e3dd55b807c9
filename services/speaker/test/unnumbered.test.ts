import type { Icmpv6Message } from "@lowtide/sockets"
import { assert, describe, it } from "vitest"
import { hearMessage, routerAdvertisement, routerSolicitation } from "../src/unnumbered/advertisement.ts"
import { Neighbors, settleMs } from "../src/unnumbered/neighbors.ts"
import { addressesMax, Segment, thereMsMin } from "../src/unnumbered/segment.ts"

const router = "fe80::1"

describe("messages", () => {
  it("ours ask nothing of hosts: a router lifetime of 0, RFC 4861 §4.2", () => {
    assert.strictEqual(Buffer.from(routerAdvertisement()).toString("hex"), "86000000000000000000000000000000")
    assert.strictEqual(Buffer.from(routerSolicitation()).toString("hex"), "8500000000000000")
    assert.strictEqual(hearMessage(router, routerAdvertisement()), "advertisement")
    assert.strictEqual(hearMessage("::", routerSolicitation()), "solicitation")
  })

  const advertisement = "86000000400000780000000000000000" // hop limit 64, router lifetime 120 s
  const rows: ReadonlyArray<readonly [what: string, source: string, hex: string, expected: string | undefined]> = [
    ["FRR's, with its link-layer address", router, `${advertisement}0101020000000001`, "advertisement"],
    ["from a global address, §6.1.2", "2001:db8::1", advertisement, undefined],
    ["with a code, §6.1.2", router, advertisement.replace("8600", "8601"), undefined],
    ["shorter than 16 octets, §6.1.2", router, advertisement.slice(0, -2), undefined],
    ["with an option of length 0, §6.1.2", router, `${advertisement}0100020000000001`, undefined],
    ["with an option that is longer than the message", router, `${advertisement}0102020000000001`, undefined],
    ["with half an option", router, `${advertisement}01`, undefined],
    ["a solicitation with an address, §6.1.1", "::", "85000000000000000101020000000002", undefined],
    ["a solicitation from one that has one", router, "85000000000000000101020000000002", "solicitation"],
    ["a solicitation shorter than 8 octets, §6.1.1", router, "85000000000000", undefined],
    ["a neighbour solicitation", router, "87000000000000000000000000000000", undefined],
    ["nothing", router, "", undefined]
  ]
  it.each(rows)("%s", (_what, source, hex, expected) => {
    assert.strictEqual(hearMessage(source, Buffer.from(hex, "hex")), expected)
  })
})

describe("the routers of a link", () => {
  const one = (address: string) => ({ _tag: "One", address }) as const

  it("one alone stays, however seldom it advertises itself", () => {
    const segment = new Segment()
    assert.deepStrictEqual(segment.look(0), { _tag: "Nobody" })
    segment.hear("fe80::1", 0)
    assert.deepStrictEqual(segment.look(1), one("fe80::1"))
    assert.deepStrictEqual(segment.look(10_000_000), one("fe80::1"))
  })

  it("another takes its place once it is not heard any more", () => {
    const segment = new Segment()
    segment.hear("fe80::1", 0)
    segment.look(0)
    segment.hear("fe80::2", 10_000)
    assert.deepStrictEqual(segment.look(10_000), { _tag: "Several", addresses: ["fe80::1", "fe80::2"] })
    segment.hear("fe80::2", 20_000)
    assert.deepStrictEqual(segment.look(thereMsMin), { _tag: "Several", addresses: ["fe80::1", "fe80::2"] })
    assert.deepStrictEqual(segment.look(thereMsMin + 1), one("fe80::2"))
  })

  it("another takes its place at once where it was not heard since the link came up", () => {
    const segment = new Segment()
    segment.hear("fe80::1", 0)
    segment.look(0)
    segment.linkUp(5_000)
    assert.deepStrictEqual(segment.look(5_000), one("fe80::1"), "the same one most likely")
    segment.hear("fe80::2", 6_000)
    assert.deepStrictEqual(segment.look(6_000), one("fe80::2"))
  })

  it("a silence in which the link was away, or longer than any router's, is not its pace", () => {
    const segment = new Segment()
    segment.hear("fe80::1", 0)
    segment.linkUp(60_000)
    segment.hear("fe80::1", 120_000)
    segment.hear("fe80::1", 3_720_000)
    segment.hear("fe80::2", 3_721_000)
    assert.deepStrictEqual(segment.look(3_720_001 + thereMsMin), one("fe80::2"))
  })

  it("two that advertise themselves seldom are told apart once both came again", () => {
    const segment = new Segment()
    const seen: Array<string> = []
    for (let nowMs = 0; nowMs <= 4_200_000; nowMs += 300_000) {
      segment.hear(nowMs % 600_000 === 0 ? "fe80::1" : "fe80::2", nowMs)
      seen.push(segment.look(nowMs)._tag)
    }
    assert.deepStrictEqual([...new Set(seen.slice(3))], ["Several"])
  })

  it("invented addresses are not remembered without bound, and do not push out the router", () => {
    const segment = new Segment()
    segment.hear("fe80::1", 0)
    segment.look(0)
    for (let index = 2; index < 1_000; index++) segment.hear(`fe80::${index.toString(16)}`, index)
    const found = segment.look(1_000)
    assert.strictEqual(found._tag === "Several" && found.addresses.length, addressesMax)
    assert.include(found._tag === "Several" ? found.addresses : [], "fe80::1")
  })
})

/** Interfaces that are there or not, with what was sent on them and what waits to be heard. */
const link = () => {
  const sent: Array<string> = []
  const waiting: Array<Icmpv6Message> = []
  const state = {
    nowMs: 0,
    index: 7 as number | undefined,
    opened: 0,
    closed: 0,
    refusal: undefined as string | undefined
  }
  const neighbors = new Neighbors({
    monotonicMs: () => state.nowMs,
    linkOf: () => state.index,
    open: () => {
      if (state.refusal !== undefined) throw new Error(state.refusal)
      state.opened++
      return {
        receive: () => waiting.shift(),
        send: (to, octets) => void sent.push(`${octets[0] === 134 ? "advertisement" : "solicitation"} to ${to}`),
        close: () => void state.closed++
      }
    }
  })
  const hear = (source: string, octets = routerAdvertisement()) => {
    waiting.push({ source, octets })
    neighbors.tick()
  }
  const ticks = (toMs: number) => {
    for (; state.nowMs < toMs; state.nowMs += 500) neighbors.tick()
  }
  return { neighbors, state, sent, hear, ticks }
}

describe("neighbours on interfaces", () => {
  it("nothing is opened where none are wanted", () => {
    const { state, ticks } = link()
    ticks(20_000)
    assert.strictEqual(state.opened, 0)
  })

  it("we advertise ourselves every ten seconds, and ask three times who is there", () => {
    const { neighbors, sent, ticks } = link()
    neighbors.want(new Set(["eth0"]))
    ticks(30_500)
    const times = (text: string) => sent.filter((line) => line === text).length
    assert.deepStrictEqual([times("advertisement to ff02::1"), times("solicitation to ff02::2")], [4, 3])
    assert.strictEqual(
      neighbors.whyNot("eth0"),
      "it is not known who is on eth0: no router advertises itself there (Router Advertisements, RFC 4861)"
    )
  })

  it("who asks is answered, but not more often than every three seconds", () => {
    const { neighbors, sent, hear, state } = link()
    neighbors.want(new Set(["eth0"]))
    for (; state.nowMs < 9_000; state.nowMs += 500) hear("fe80::1", routerSolicitation())
    assert.strictEqual(sent.filter((line) => line.startsWith("advertisement")).length, 3)
  })

  it("an interface that went and came back is opened anew, and one that is not wanted any more closed", () => {
    const { neighbors, sent, hear, state } = link()
    neighbors.want(new Set(["eth0"]))
    hear("fe80::1")
    assert.deepStrictEqual(neighbors.on("eth0"), { _tag: "Sought" }, "there may be another")
    state.nowMs = settleMs
    assert.deepStrictEqual(neighbors.on("eth0"), { _tag: "One", address: "fe80::1" })
    state.index = undefined
    neighbors.tick()
    assert.deepStrictEqual(neighbors.on("eth0"), { _tag: "One", address: "fe80::1" }, "the session will tell")
    const before = sent.length
    state.nowMs += 500
    state.index = 8
    neighbors.tick()
    assert.deepStrictEqual([state.opened, state.closed], [2, 1])
    assert.deepStrictEqual(sent.slice(before), ["advertisement to ff02::1", "solicitation to ff02::2"])
    hear("fe80::2")
    assert.deepStrictEqual(neighbors.on("eth0"), { _tag: "One", address: "fe80::2" })
    neighbors.close()
    assert.strictEqual(state.closed, 2)
  })

  it("what the kernel refuses is said, and tried again", () => {
    const { neighbors, hear, state } = link()
    state.refusal = "could not open a raw ICMPv6 socket on eth0: EPERM: it needs the capability CAP_NET_RAW"
    neighbors.want(new Set(["eth0"]))
    neighbors.tick()
    assert.deepStrictEqual(neighbors.on("eth0"), { _tag: "Nobody" })
    assert.match(neighbors.whyNot("eth0"), /^it is not known who is on eth0: .*CAP_NET_RAW$/)
    state.refusal = undefined
    hear("fe80::1")
    state.nowMs = settleMs
    assert.strictEqual(neighbors.on("eth0")._tag, "One")
  })
})
