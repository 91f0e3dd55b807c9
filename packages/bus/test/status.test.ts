import { assert, describe, it } from "@effect/vitest"
import { Option, Schema } from "effect"
import { NodeStatus, WireReport } from "../src/status.ts"

const read = <S extends Schema.Decoder<unknown>>(schema: S, value: unknown) =>
  Option.getOrUndefined(Schema.decodeUnknownOption(Schema.fromJsonString(schema))(JSON.stringify(value)))

const status = {
  _tag: "NodeStatus",
  cluster: "east",
  node: "n1",
  at: "2026-01-01T00:00:00.000Z",
  runId: "r",
  sync: "live",
  cseq: 4,
  confirmedCseq: 3,
  sessions: [
    {
      peer: "tor",
      peerAddress: "10.1.0.1",
      peerAsn: 64500,
      state: "Established",
      since: "2026-01-01T00:00:00.000Z",
      prefixes: 1,
      lastError: null,
      lastErrorCode: null
    }
  ],
  announcing: ["192.0.2.1"],
  refused: [{ code: "LT0401", message: "m", at: "2026-01-01T00:00:00.000Z" }]
} satisfies NodeStatus

const applied = {
  _tag: "Applied",
  network: "default",
  address: "192.0.2.1",
  stamp: { incarnation: 1, epoch: 1, seq: 1 },
  cseq: 1,
  verdict: "Announced",
  trigger: "intent",
  receivedAt: null,
  savedAt: null,
  peers: [{ peer: "tor", action: "announced", writtenAt: "2026-01-01T00:00:00.000Z" }]
} as const
const session = {
  _tag: "Session",
  peer: "tor",
  change: "up",
  at: "2026-01-01T00:00:00.000Z",
  code: null,
  detail: ""
} as const
const written = {
  _tag: "StatusWritten",
  namespace: "shop",
  name: "web",
  stamp: applied.stamp,
  at: "2026-01-01T00:00:00.000Z"
} as const
const report = (...entries: ReadonlyArray<unknown>) => ({ _tag: "WireReport", cluster: "east", node: "n1", entries })

describe("what nodes report", () => {
  it("is read as it was written", () => {
    assert.deepStrictEqual(read(NodeStatus, status), status)
    assert.deepStrictEqual(read(WireReport, report(applied, session, written)), report(applied, session, written))
    assert.deepStrictEqual(read(WireReport, report()), report())
  })

  it.each([
    ["another sync", NodeStatus, { ...status, sync: "unknown" }],
    ["a cseq that is no integer", NodeStatus, { ...status, cseq: 1.5 }],
    ["a session without its peer", NodeStatus, { ...status, sessions: [{ ...status.sessions[0], peer: undefined }] }],
    ["a report in its place", NodeStatus, report()],
    ["an entry of another kind", WireReport, report({ ...session, _tag: "Other" })],
    ["an entry without its stamp", WireReport, report({ ...applied, stamp: undefined })],
    ["a trigger that is none", WireReport, report({ ...applied, trigger: "hope" })],
    ["an action that is none", WireReport, report({ ...applied, peers: [{ ...applied.peers[0], action: "" }] })],
    ["a session change that is none", WireReport, report({ ...session, change: "sideways" })]
  ])("is not read with %s", (_what, schema, value) => assert.isUndefined(read(schema as typeof NodeStatus, value)))
})
