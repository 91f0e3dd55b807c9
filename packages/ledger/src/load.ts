import { Effect } from "effect"
import type pg from "pg"
import { ask } from "./database.ts"
import type { StoredChange } from "./event.ts"
import type { Loaded, LoadedState } from "./ledger.ts"

type Row = ReadonlyArray<never>

/** What is loaded is of one snapshot. Rows come as arrays, which is what makes 100,000 of them quick. */
export const makeLoad = (pool: pg.Pool) => ({
  load: inSnapshot(pool, async (rows) => ({
    ...(await loadState(rows)),
    intents: (await rows(intentsStatement)).map(toIntent),
    intentHeads: (await rows("select cluster, cseq, seq, digest, count, envelope, begun_cseq from intent_head")).map(
      toIntentHead
    )
  })),
  loadState: inSnapshot(pool, loadState),
  streamState: Effect.fn("Ledger.streamState")((stream: string) =>
    ask("streamState", () =>
      pool.query<Array<never>>({ text: `${currentStatement} where stream = $1`, values: [stream], rowMode: "array" })
    ).pipe(Effect.map(({ rows: [row] }) => (row === undefined ? null : toCurrent(row))))
  ),
  changes: Effect.fn("Ledger.changes")((sinceSeq: number, limit: number) =>
    ask("changes", () =>
      pool.query<Array<never>>({
        name: "changes",
        text: changesStatement,
        values: [sinceSeq, sinceSeq + limit],
        rowMode: "array"
      })
    ).pipe(Effect.map(({ rows }) => rows.map(toChange)))
  )
})

const currentStatement = "select stream, kind, version, seq, schema, state, recorded_at from stream_current"

/** Seqs have no gaps. */
const changesStatement = `
  select seq, epoch, commit_seq, stream, version, type, schema, recorded_at, data from events
  where seq >= $1::bigint and seq < $2::bigint order by seq`

/** The signed text is six times as long as its summary, and of no use to a leader that has that. */
const intentsStatement = `
  select cluster, subject, cseq, seq, case when summary_cseq = cseq then summary end,
    case when summary_cseq is distinct from cseq then envelope end
  from intent`

type Rows = (text: string) => Promise<ReadonlyArray<Row>>

const loadState = async (rows: Rows): Promise<LoadedState> => {
  const [head] = await rows("select incarnation, epoch, seq, commit_seq, recorded_at from log_head")
  const current = await rows(`${currentStatement} order by seq`)
  if (head === undefined) throw new Error("expected one row in log_head, found none")
  return { head: toHead(head), current: current.map(toCurrent) }
}

const inSnapshot = <A>(pool: pg.Pool, read: (rows: Rows) => Promise<A>) =>
  Effect.acquireUseRelease(
    ask("load", () => pool.connect()),
    (client) =>
      ask("load", async () => {
        await client.query("begin isolation level repeatable read read only")
        const loaded = await read(async (text) => (await client.query<Array<never>>({ text, rowMode: "array" })).rows)
        await client.query("commit")
        return loaded
      }),
    (client, exit) => Effect.sync(() => client.release(exit._tag === "Failure"))
  )

const toHead = ([incarnation, epoch, seq, commitSeq, recordedAt]: Row): Loaded["head"] =>
  ({ incarnation, epoch, seq, commitSeq, recordedAt }) as unknown as Loaded["head"]

const toCurrent = ([stream, kind, version, seq, schema, state, recordedAt]: Row): Loaded["current"][number] =>
  ({ stream, kind, version, seq, schema, state, recordedAt }) as unknown as Loaded["current"][number]

const toChange = ([seq, epoch, commitSeq, stream, version, type, schema, recordedAt, data]: Row): StoredChange =>
  ({ seq, epoch, commitSeq, stream, version, type, schema, recordedAt, data }) as unknown as StoredChange

const toIntent = ([cluster, subject, cseq, seq, summary, envelope]: Row): Loaded["intents"][number] =>
  ({ cluster, subject, cseq, seq, summary, envelope }) as unknown as Loaded["intents"][number]

const toIntentHead = ([cluster, cseq, seq, digest, count, envelope, begunCseq]: Row): Loaded["intentHeads"][number] =>
  ({
    cluster,
    cseq,
    seq,
    digest,
    count,
    envelope,
    ...(begunCseq === null ? {} : { begunCseq })
  }) as unknown as Loaded["intentHeads"][number]
