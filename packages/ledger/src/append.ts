import { Effect } from "effect"
import type pg from "pg"
import { appendStatement } from "./append-statement.ts"
import type { Batch, Committed } from "./batch.ts"
import { duplicateKey } from "./batch.ts"
import { ask, errorCode, unavailable } from "./database.ts"
import { Fenced, type HeadPosition, ProjectionConflict, type Unavailable } from "./errors.ts"
import { contentHash } from "./proofs/leaf.ts"

type AppendFailure = Fenced | Unavailable | ProjectionConflict

interface CommittedRow {
  readonly seq: number
  readonly commit_seq: number
  readonly recorded_at: string
  readonly leaves: Uint8Array | null
}

/** `Ledger.append` over a pool of one connection, which keeps the statement prepared. */
export const makeAppend =
  (writer: pg.Pool) =>
  (batch: Batch): Effect.Effect<Committed, AppendFailure> => {
    const duplicate = duplicateKey(batch)
    if (duplicate !== undefined)
      return Effect.die(new Error(`ledger batch: expected each key once, found ${duplicate} twice`))
    return Effect.acquireUseRelease(
      ask("append", () => writer.connect()),
      (client) => write(client, batch),
      // After a failure the connection may still be busy with the statement, or be gone.
      (client, exit) => Effect.sync(() => client.release(exit._tag === "Failure"))
    ).pipe(Effect.uninterruptible)
  }

const write = (client: pg.PoolClient, batch: Batch): Effect.Effect<Committed, AppendFailure> =>
  Effect.tryPromise({
    try: () =>
      client.query<CommittedRow>({
        name: "ledger-append",
        text: appendStatement,
        values: [batchJson(batch), batch.expected.epoch, batch.expected.seq, batch.events.length]
      }),
    catch: appendFailure
  }).pipe(
    Effect.flatMap(({ rows: [row] }) =>
      row === undefined
        ? Effect.flatMap(readPosition(client), (found) => Effect.fail(new Fenced({ expected: batch.expected, found })))
        : Effect.succeed({
            seq: row.seq,
            commitSeq: row.commit_seq,
            recordedAt: row.recorded_at,
            leaves: hashesIn(row.leaves)
          })
    )
  )

const hashesIn = (octets: Uint8Array | null): ReadonlyArray<Uint8Array> =>
  octets === null
    ? []
    : Array.from({ length: octets.length / hashOctets }, (_, index) =>
        octets.subarray(index * hashOctets, (index + 1) * hashOctets)
      )

const hashOctets = 32

/**
 * SQLSTATE class 23, and our own LT001, say that the stored state contradicts the batch. That there is no partition for an
 * event has a code of that class as well, and names no constraint.
 */
const appendFailure = (cause: unknown): Unavailable | ProjectionConflict => {
  const code = errorCode(cause)
  if (code === "23514" && (cause as pg.DatabaseError).constraint === undefined) return unavailable(noPlace)(cause)
  if (code !== "LT001" && !/^23/.test(code ?? "")) return unavailable("append")(cause)
  const { message, detail } = cause as pg.DatabaseError
  return new ProjectionConflict({ detail: detail === undefined ? message : `${message} (${detail})` })
}

/** What fails with `Unavailable` where the log has no partition for the batch; nothing was written. */
export const noPlace = "append: no partition"

const readPosition = (client: pg.PoolClient) =>
  ask("append", () => client.query<HeadPosition>("select epoch, seq from log_head")).pipe(
    Effect.map(({ rows: [row] }) => ({ epoch: row?.epoch ?? 0, seq: row?.seq ?? 0 }))
  )

/** The batch's types of events in their versions, with the first event that is one. */
const firstOfEach = ({ events, expected }: Batch) => {
  const first = new Map<string, { readonly type: string; readonly schema: number; readonly seq: number }>()
  for (const [index, { type, schema }] of events.entries()) {
    const key = `${schema} ${type}`
    if (!first.has(key)) first.set(key, { type, schema, seq: expected.seq + 1 + index })
  }
  return [...first.values()]
}

/** Keys are the columns of the statement's record sets; a key that is undefined is left out and becomes null. */
const batchJson = (batch: Batch): string =>
  JSON.stringify({
    events: batch.events.map((event, index) => ({
      seq: batch.expected.seq + 1 + index,
      stream: event.stream,
      version: event.version,
      type: event.type,
      schema: event.schema,
      observed_at: event.observedAt,
      network: event.network,
      address: event.address,
      pool: event.pool,
      cluster: event.cluster,
      namespace: event.namespace,
      service: event.service,
      service_uid: event.serviceUid,
      actor: event.actor,
      actor_kind: event.actorKind,
      command_id: event.commandId,
      correlation_id: event.correlationId,
      causation_seq: event.causationSeq,
      reason_code: event.reasonCode,
      data: event.data,
      meta: event.meta,
      content: contentHash(event)
    })),
    types: firstOfEach(batch),
    current: batch.current.map((row) => ({
      stream: row.stream,
      kind: row.kind,
      version: row.version,
      previous_version: row.previousVersion,
      seq: row.seq,
      schema: row.schema,
      state: row.state
    })),
    history: batch.history.map((row) => ({
      network: row.network,
      address: row.address,
      member: row.member,
      seq: row.seq,
      state: row.state,
      pool: row.pool,
      holders: row.holders,
      reason_code: row.reasonCode,
      actor: row.actor
    })),
    intents: batch.intents.filter((row) => row.envelope !== null),
    intentsRemoved: batch.intents.filter((row) => row.envelope === null),
    intentHeads: batch.intentHeads,
    results: batch.results.map((row) => ({
      command_id: row.commandId,
      seq_from: row.seqFrom,
      seq_to: row.seqTo,
      outcome: row.outcome
    }))
  })
