import { assert, describe, it } from "@effect/vitest"
import type { WireEntry } from "@lowtide/bus/status"
import { wireSubject } from "@lowtide/bus/subjects"
import { readReports } from "../src/wire-journal.ts"

const at = "2026-01-01T00:00:00.000Z"
const stamp = (seq: number) => ({ incarnation: 1, epoch: 2, seq })

const applied = (address: string, seq: number, verdict = "Announced"): WireEntry => ({
  _tag: "Applied",
  network: "default",
  address,
  stamp: stamp(seq),
  cseq: 1,
  verdict,
  trigger: "intent",
  receivedAt: at,
  savedAt: null,
  peers: [{ peer: "tor", action: "announced", writtenAt: at }]
})

const message = (
  node: string,
  entries: ReadonlyArray<WireEntry>,
  cluster = "east",
  subject = wireSubject(cluster, node)
) => ({
  subject,
  text: JSON.stringify({ _tag: "WireReport", cluster, node, entries }),
  sequence: 1,
  storedAtMs: 0
})

const nodesOf = (detail: string) =>
  (JSON.parse(detail).entries as ReadonlyArray<{ node: string }>).map(({ node }) => node)

describe("the rows of reports", () => {
  it("are one for each VIP and stamp of a cluster, with what each node did", () => {
    const { rows } = readReports([
      message("n1", [applied("192.0.2.1", 5), applied("192.0.2.2", 5)]),
      message("n2", [applied("192.0.2.1", 5, "NoLocalEndpoint")]),
      message("n1", [applied("192.0.2.1", 6)]),
      message("n1", [applied("192.0.2.1", 5)], "west")
    ])
    assert.deepStrictEqual(
      rows.map(({ cluster, address, stampSeq, detail }) => [cluster, address, stampSeq, nodesOf(detail)]),
      [
        ["east", "192.0.2.1", 5, ["n1", "n2"]],
        ["east", "192.0.2.2", 5, ["n1"]],
        ["east", "192.0.2.1", 6, ["n1"]],
        ["west", "192.0.2.1", 5, ["n1"]]
      ]
    )
    const { detail, ...columns } = rows[0]!
    assert.deepStrictEqual(columns, {
      cluster: "east",
      network: "default",
      address: "192.0.2.1",
      stampIncarnation: 1,
      stampEpoch: 2,
      stampSeq: 5,
      kind: "applied"
    })
    assert.deepStrictEqual(JSON.parse(detail).entries[1], {
      node: "n2",
      verdict: "NoLocalEndpoint",
      trigger: "intent",
      receivedAt: at,
      savedAt: null,
      peers: [{ peer: "tor", action: "announced", writtenAt: at }]
    })
  })

  it("are one for each change of a session and each status written", () => {
    const session = { peer: "tor", change: "refused", at, code: "LT0301", detail: "bad peer AS" } as const
    const { rows } = readReports([
      message("n1", [{ _tag: "Session", ...session }]),
      message("agent", [{ _tag: "StatusWritten", namespace: "shop", name: "web", stamp: stamp(5), at }])
    ])
    const { peer, ...said } = session
    assert.deepStrictEqual(
      rows.map(({ detail, ...columns }) => ({ ...columns, ...JSON.parse(detail) })),
      [
        { cluster: "east", node: "n1", peer, kind: "session", ...said },
        {
          cluster: "east",
          node: "agent",
          stampIncarnation: 1,
          stampEpoch: 2,
          stampSeq: 5,
          kind: "status-written",
          namespace: "shop",
          name: "web",
          at
        }
      ]
    )
  })

  it("are one for a node's reports that cannot be read or are another's, and those of the reports beside it", () => {
    const good = message("n1", [applied("192.0.2.1", 5)])
    const forged = message("n2", [applied("192.0.2.9", 5)], "east", wireSubject("east", "n1"))
    const foreign = message("n1", [applied("192.0.2.9", 5)], "west", wireSubject("east", "n1"))
    const broken = { ...good, text: "{" }
    const half = message("n1", [{ _tag: "Session", peer: "tor", change: "up", at, code: null, detail: "\ud800" }])
    const { rows, unread } = readReports([broken, { ...good, text: "{}" }, forged, good, foreign, half])
    assert.deepStrictEqual(
      rows.map(({ kind, node, address }) => [kind, node, address]),
      [
        ["applied", undefined, "192.0.2.1"],
        ["unread", "n1", undefined]
      ]
    )
    assert.deepStrictEqual(
      unread.map(({ cluster, node, count }) => ({ cluster, node, count })),
      [{ cluster: "east", node: "n1", count: 5 }]
    )
    const whyOf = (report: typeof good) => readReports([report]).unread[0]?.why
    assert.deepStrictEqual(
      [forged, foreign, half].map((report) => whyOf(report)),
      [
        "expected a report of this subject, found one of east/n2",
        "expected a report of this subject, found one of west/n1",
        "expected text without U+0000 and without halves of surrogate pairs, found U+D800"
      ]
    )
  })
})
