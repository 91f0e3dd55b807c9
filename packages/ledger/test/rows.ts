import { type Batch, emptyBatch, type HeadPosition, type NewEvent } from "../src/index.ts"

/** The n-th UUID of the tests. */
export const uuid = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`

/** One event with everything a column needs. */
export const event = (stream: string, version: number, more: Partial<NewEvent> = {}): NewEvent => ({
  stream,
  version,
  type: "VipAssigned",
  schema: 1,
  actor: "system:allocator",
  actorKind: "system",
  commandId: uuid(1),
  correlationId: uuid(1),
  reasonCode: "pool-selected",
  data: '{"to":"web"}',
  meta: "{}",
  ...more
})

/** A batch that gives one VIP, first seen in it, to somebody: event, state, history, intent, head and answer. */
export const assignment = (expected: HeadPosition, vip: number): Batch => {
  const seq = expected.seq + 1
  const address = `198.18.${vip >> 8}.${vip & 255}`
  const stream = `vip:default/${address}`
  return {
    ...emptyBatch(expected),
    events: [event(stream, 1, { network: "default", address, cluster: "a", commandId: uuid(seq) })],
    current: [{ stream, kind: "vip", version: 1, previousVersion: 0, seq, schema: 1, state: '{"holder":"web"}' }],
    history: [historyRow(address, seq)],
    intents: [{ cluster: "a", subject: `adv.${vip}`, cseq: seq, seq, envelope: `{"seq":${seq}}` }],
    intentHeads: [{ cluster: "a", cseq: seq, seq, digest: `digest-${seq}`, count: 1, envelope: "{}" }],
    results: [{ commandId: uuid(seq), seqFrom: seq, seqTo: seq, outcome: '{"_tag":"Done"}' }]
  }
}

/** From event `seq` on the address is assigned. */
export const historyRow = (address: string, seq: number, state = "assigned") => ({
  network: "default",
  address,
  seq,
  state,
  pool: "public",
  holders: `[{"seq":${seq}}]`,
  reasonCode: "pool-selected",
  actor: "system:allocator"
})
