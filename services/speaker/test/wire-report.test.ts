import type { WireEntry } from "@lowtide/bus/status"
import { assert, describe, it } from "vitest"
import { Reporter } from "../src/reporter.ts"
import { entriesMax, entriesPerReportMax, ReportOutbox, TurnReports, type VipTurn } from "../src/wire-report.ts"

const turn = (actions: Record<string, "announced" | "withdrawn" | "unchanged">): VipTurn => ({
  network: "default",
  address: "198.51.100.1",
  stamp: { incarnation: 1, epoch: 1, seq: 1 },
  cseq: 1,
  verdict: "Announced",
  trigger: "intent",
  receivedAtMs: 1_000,
  savedAtMs: 2_000,
  actions: new Map(Object.entries(actions))
})

const wordsOf = ({ peer, action, standby }: Extract<WireEntry, { readonly _tag: "Applied" }>["peers"][number]) =>
  `${peer} ${action}${standby === true ? " as standby" : ""}`

const collect = (isSent: (peer: string, address: string) => boolean | undefined = () => true) => {
  const ready: Array<WireEntry> = []
  const reports = new TurnReports(isSent, (entries) => void ready.push(...entries))
  const told = () => ready.splice(0).flatMap((entry) => (entry._tag === "Applied" ? [entry.peers.map(wordsOf)] : []))
  return { reports, told }
}

describe("Reporter", () => {
  it("counts a session as down where it was lost, and not where we ended it, such as to begin it anew", () => {
    const reporter = new Reporter({
      settings: { cluster: "east", node: "east-1" },
      say: () => {},
      isSent: () => true,
      wake: () => {},
      monotonicMs: () => 0,
      unixMs: () => 0
    })
    const ended = { _tag: "SessionEnded", reason: "why", keptForSeconds: 0 } as const
    reporter.onPeerEvent("router", { ...ended, retryInMs: undefined, isStopped: true })
    assert.strictEqual(reporter.downs("router"), 0)
    reporter.onPeerEvent("router", { ...ended, retryInMs: 1_000 })
    reporter.onPeerEvent("router", { ...ended, retryInMs: undefined }) // the router has restarted and is to connect
    assert.strictEqual(reporter.downs("router"), 2)
  })
})

describe("TurnReports", () => {
  it("waits for the sessions that are up and concerned", () => {
    const { reports, told } = collect()
    reports.begin(1, [turn({ a: "announced", b: "withdrawn", down: "announced" })], ["a", "b", "other"], 0)
    reports.written(1, "a", 3_000)
    reports.written(1, "other", 3_000)
    reports.written(2, "b", 3_000)
    assert.deepStrictEqual(told(), [])
    reports.written(1, "b", 4_000)
    assert.deepStrictEqual(told(), [["a announced", "b withdrawn"]])
    reports.written(1, "b", 4_000)
    assert.deepStrictEqual(told(), [])
  })

  it("tells what there is when a session ended, and after a second", () => {
    const { reports, told } = collect()
    reports.begin(1, [turn({ a: "announced", b: "announced" })], ["a", "b"], 0)
    reports.written(1, "a", 3_000)
    reports.ended("b")
    assert.deepStrictEqual(told(), [["a announced"]])
    reports.begin(2, [turn({ a: "announced" })], ["a"], 500)
    reports.expire(1_499)
    assert.deepStrictEqual(told(), [])
    reports.expire(1_500)
    assert.deepStrictEqual(told(), [[]])
  })

  it("tells where a route was announced as standby, or withdrawn since it is one", () => {
    const { reports, told } = collect()
    const actions = { a: "announced", b: "announced", c: "withdrawn", d: "unchanged" } as const
    reports.begin(1, [{ ...turn(actions), standby: new Set(["a", "c", "d"]) }], Object.keys(actions), 0)
    for (const session of Object.keys(actions)) reports.written(1, session, 3_000)
    assert.deepStrictEqual(told(), [
      ["a announced as standby", "b announced", "c withdrawn as standby", "d unchanged as standby"]
    ])
  })

  it("does not tell that a route was announced which the session could not carry", () => {
    const { reports, told } = collect((peer, address) => peer === "a" && address === "198.51.100.1")
    reports.begin(1, [turn({ a: "announced", b: "announced", c: "withdrawn" })], ["a", "b", "c"], 0)
    for (const session of ["a", "b", "c"]) reports.written(1, session, 3_000)
    assert.deepStrictEqual(told(), [["a announced", "b refused", "c withdrawn"]])
  })

  it("tells of a route that the session cannot carry again at each turn, and not of an aggregate that a VIP left", () => {
    const { reports, told } = collect((peer) => ({ a: true, b: false })[peer])
    reports.begin(1, [turn({ a: "unchanged", b: "unchanged", c: "unchanged" })], ["a", "b", "c"], 0)
    for (const session of ["a", "b", "c"]) reports.written(1, session, 3_000)
    assert.deepStrictEqual(told(), [["a unchanged", "b refused", "c unchanged"]])
  })

  it("tells at once what no session is concerned with", () => {
    const { reports, told } = collect()
    reports.begin(1, [turn({})], ["a"], 0)
    assert.deepStrictEqual(told(), [[]])
  })

  it("gives the times of each step", () => {
    const ready: Array<WireEntry> = []
    const reports = new TurnReports(
      () => true,
      (entries) => void ready.push(...entries)
    )
    reports.begin(1, [turn({ a: "announced" })], ["a"], 0)
    reports.written(1, "a", 3_000)
    const [entry] = ready
    assert.deepStrictEqual(entry?._tag === "Applied" && [entry.receivedAt, entry.savedAt, entry.peers[0]?.writtenAt], [
      "1970-01-01T00:00:01.000Z",
      "1970-01-01T00:00:02.000Z",
      "1970-01-01T00:00:03.000Z"
    ])
  })
})

describe("ReportOutbox", () => {
  const entries = (count: number, from = 0): ReadonlyArray<WireEntry> =>
    Array.from({ length: count }, (_, index) => ({
      _tag: "Session",
      peer: `${from + index}`,
      change: "up",
      at: "",
      code: null,
      detail: ""
    }))
  const first = (outbox: ReportOutbox) => outbox.peek().map((entry) => entry._tag === "Session" && entry.peer)[0]

  it("keeps entries until they are acknowledged", () => {
    const outbox = new ReportOutbox()
    outbox.add(entries(entriesPerReportMax + 5))
    const sent = outbox.peek()
    assert.strictEqual(sent.length, entriesPerReportMax)
    assert.strictEqual(outbox.size, entriesPerReportMax + 5)
    outbox.add(entries(1, 9_000))
    outbox.acknowledge(sent)
    assert.deepStrictEqual([outbox.size, first(outbox)], [6, `${entriesPerReportMax}`])
    outbox.acknowledge(outbox.peek())
    assert.strictEqual(outbox.size, 0)
  })

  it("drops the oldest beyond its bound, and counts them", () => {
    const outbox = new ReportOutbox()
    assert.strictEqual(outbox.add(entries(entriesMax)), 0)
    const sent = outbox.peek()
    assert.strictEqual(outbox.add(entries(3, entriesMax)), 3)
    assert.deepStrictEqual([outbox.size, outbox.dropped, first(outbox)], [entriesMax, 3, "3"])
    outbox.acknowledge(sent)
    assert.strictEqual(first(outbox), `${entriesPerReportMax}`)
    assert.strictEqual(new ReportOutbox().add(entries(entriesMax + 2)), 2)
  })
})
