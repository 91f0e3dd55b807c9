import type { RowKeeper } from "@lowtide/domain"
import { Effect } from "effect"
import type pg from "pg"
import type { IntentHeadRow, LoadedIntent, StoredCurrent } from "./batch.ts"
import { type CopiedRow, copyRows } from "./copied-rows.ts"
import { ask } from "./database.ts"
import type { Unavailable } from "./errors.ts"
import type { StoredChange } from "./event.ts"
import { KeptRows } from "./kept-rows.ts"
import type { Head, Ledger, Loaded, LoadTaker } from "./ledger.ts"
import { PackedIntents } from "./packed-intents.ts"

/** What is read in large numbers comes by `copy`, which is what makes 100,000 rows quick. */
export const makeLoad = (pool: pg.Pool) => ({
  load: Effect.fn("Ledger.load")((take: LoadTaker) => inSnapshot(pool, take)),
  streamState: Effect.fn("Ledger.streamState")((stream: string) =>
    ask("streamState", () => pool.query<StoredCurrent>(streamStatement, [stream])).pipe(
      Effect.map(({ rows: [row] }) => row ?? null)
    )
  ),
  changes: Effect.fn("Ledger.changes")((sinceSeq: number, limit: number) =>
    Effect.gen(function* () {
      const changes: Array<StoredChange> = []
      const statement = changesStatement(sinceSeq, sinceSeq + limit)
      yield* onConnection(pool, "changes", (client) =>
        copyRows(client, "changes", statement, (row) => changes.push(toChange(row)))
      )
      return changes
    })
  )
})

/** Everything that is loaded, at once: for who compares it, or counts. */
export const loadWhole = (ledger: Ledger["Service"]): Effect.Effect<Loaded, Unavailable> =>
  Effect.gen(function* () {
    let head: Head | undefined
    const [current, intents, intentHeads]: [Array<StoredCurrent>, Array<LoadedIntent>, Array<IntentHeadRow>] = [
      [],
      [],
      []
    ]
    yield* ledger.load({
      head: (found) => {
        head = found
      },
      current: (row) => current.push(row),
      intents: (_, rows) => {
        for (const { cluster, subject, cseq, seq, summary, envelope } of rows) {
          intents.push({ cluster, subject, cseq, seq, summary, envelope })
        }
      },
      intentHead: (row) => intentHeads.push(row)
    })
    return { head: head as unknown as Head, current: current.sort((a, b) => a.seq - b.seq), intents, intentHeads }
  })

/** `KeptRows` finds them by their order. */
const currentColumns = `version, seq, schema, recorded_at, stream, state, kind,
  coalesce(state_digest = hashtextextended(state::text, 0), false)`

const currentStatement = `select ${currentColumns} from stream_current`

const streamStatement = `
  select stream, kind, version, seq, schema, "recordedAt", state, "isAsWritten"
  from (select ${currentColumns} from stream_current where stream = $1)
    as c (version, seq, schema, "recordedAt", stream, state, kind, "isAsWritten")`

/** Seqs have no gaps. */
const changesStatement = (sinceSeq: number, untilSeq: number) => `
  select seq, epoch, commit_seq, version, schema, recorded_at, type, stream, data
  from events where seq >= ${sinceSeq} and seq < ${untilSeq} order by seq`

/** The signed text is six times as long as its summary, and of no use to a leader that has that. */
const intentsStatement = `
  select cluster, cseq, seq, subject, case when summary_cseq = cseq then summary end,
    case when summary_cseq = cseq and summary is not null then null else envelope end
  from intent`

const intentHeadsStatement = `
  select cluster, cseq, seq, digest, count, envelope, begun_cseq as "begunCseq" from intent_head`

const headStatement = `
  select incarnation, epoch, seq, commit_seq as "commitSeq", recorded_at as "recordedAt" from log_head`

/** All of it from one snapshot. */
const inSnapshot = (pool: pg.Pool, take: LoadTaker) =>
  onConnection(pool, "load", (client) =>
    Effect.gen(function* () {
      yield* ask("load", () => client.query("begin isolation level repeatable read read only"))
      const { rows: heads } = yield* ask("load", () => client.query<Head>(headStatement))
      for (const head of heads) take.head(head)
      yield* copyRows(client, "load", currentStatement, takeCurrent(take.current))
      const { intentHead, intents } = take
      if (intentHead !== undefined) {
        const { rows } = yield* ask("load", () => client.query<StoredIntentHead>(intentHeadsStatement))
        for (const { begunCseq, ...row } of rows) intentHead({ ...row, ...(begunCseq === null ? {} : { begunCseq }) })
      }
      if (intents !== undefined) {
        const packed = new PackedIntents()
        yield* copyRows(client, "load", intentsStatement, (row) => packed.add(row))
        for (const [cluster, rows] of packed.clusters) intents(cluster, rows)
      }
      yield* ask("load", () => client.query("commit"))
    })
  )

type StoredIntentHead = Omit<IntentHeadRow, "begunCseq"> & { readonly begunCseq: number | null }

/** On one of the pool's connections, which goes back to it; after a failure another takes its place. */
const onConnection = <A>(
  pool: pg.Pool,
  operation: string,
  use: (client: pg.PoolClient) => Effect.Effect<A, Unavailable>
): Effect.Effect<A, Unavailable> =>
  Effect.acquireUseRelease(
    ask(operation, () => pool.connect()),
    use,
    (client, exit) => Effect.sync(() => client.release(exit._tag === "Failure"))
  )

const takeCurrent = (take: LoadTaker["current"]) => {
  const kept = new KeptRows()
  let taken: StoredCurrent
  let keeper: RowKeeper | undefined
  return (row: CopiedRow): void => {
    keeper ??= kept.keeper(row, () => taken.stream)
    taken = toCurrent(row)
    take(taken, keeper)
  }
}

const toCurrent = (row: CopiedRow): StoredCurrent => {
  const version = row.number() ?? 0
  const seq = row.number() ?? 0
  const schema = row.number() ?? 0
  const recordedAt = row.time()
  const stream = row.text() ?? ""
  const state = row.text()
  return { stream, kind: row.word(), version, seq, schema, state, recordedAt, isAsWritten: row.yes() === true }
}

/** An event's data is `{"before":...,"after":...}`, and the first field of a state its tag. */
const beforeAfter = Buffer.from(',"after":{"_tag":"')
const untilAfter = ',"after":'.length

/**
 * Behind such a mark lies what comes after, if nothing in that has a field `after` of its own, as nothing in a VIP's state and a
 * Service's does: no text that is JSON has the mark within a string.
 */
const toChange = (row: CopiedRow): StoredChange => {
  const seq = row.number() ?? 0
  const epoch = row.number() ?? 0
  const commitSeq = row.number() ?? 0
  const version = row.number() ?? 0
  const schema = row.number() ?? 0
  const recordedAt = row.time()
  const type = row.word()
  const stream = row.text() ?? ""
  const isKept = stream.startsWith("vip:") || stream.startsWith("service:")
  const after = isKept ? row.part(beforeAfter, untilAfter) : null
  return {
    seq,
    epoch,
    commitSeq,
    stream,
    version,
    type,
    schema,
    recordedAt,
    after,
    data: after === null ? row.text() : null
  }
}
