import { Effect, Exit } from "effect"
import pg from "pg"
import type { IntentHeadRow, LoadedIntent, StoredCurrent } from "./batch.ts"
import { ask, isoTime, unavailable } from "./database.ts"
import type { Unavailable } from "./errors.ts"
import type { StoredChange } from "./event.ts"
import type { Head, Ledger, Loaded, LoadTaker } from "./ledger.ts"
import { stateAfter } from "./unreadable-json.ts"

type Row = ReadonlyArray<never>

/** Rows come as arrays, and the many of them as one text each, which is what makes 100,000 of them quick. */
export const makeLoad = (pool: pg.Pool) => ({
  load: Effect.fn("Ledger.load")((take: LoadTaker) => inSnapshot(pool, take)),
  streamState: Effect.fn("Ledger.streamState")((stream: string) =>
    ask("streamState", () =>
      pool.query<Array<never>>({ text: `${currentStatement} where stream = $1`, values: [stream], rowMode: "array" })
    ).pipe(Effect.map(({ rows: [row] }) => (row === undefined ? null : currentReader()(row))))
  ),
  changes: Effect.fn("Ledger.changes")((sinceSeq: number, limit: number) =>
    ask("changes", () =>
      pool.query<Array<never>>({
        name: "changes",
        text: changesStatement,
        values: [sinceSeq, sinceSeq + limit],
        rowMode: "array"
      })
    ).pipe(Effect.map(({ rows }) => rows.map(changeReader())))
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
    return { head: head as unknown as Head, current, intents, intentHeads }
  })

/**
 * One text a row: a column costs PostgreSQL and us as much as all that is done with it. No JSON text has a control character as
 * such, so whatever a stream is called, the last one ends it.
 */
const currentStatement = `
  select version || e'\\x1f' || seq || e'\\x1f' || schema || e'\\x1f' || kind || e'\\x1f' || recorded_at || e'\\x1f'
    || case when state_digest = hashtextextended(state::text, 0) then 'w' else '' end || e'\\x1f'
    || stream || e'\\x1f' || coalesce(state::text, '')
  from stream_current`
const fieldEnd = "\x1f"

/** A sort of 100,000 VIPs and their Services by way of files takes twice as long, and gives its first row as late. */
const sortMemory = "256MB"

/**
 * Seqs have no gaps. What a state was before is half of an event, and a follower has it: it is left out, unless nothing comes
 * after.
 */
const changesStatement = `
  select seq || e'\\x1f' || epoch || e'\\x1f' || commit_seq || e'\\x1f' || version || e'\\x1f' || type || e'\\x1f' || schema
    || e'\\x1f' || recorded_at || e'\\x1f' || stream || e'\\x1f'
    || coalesce('{"before":null,"after":' || nullif(${stateAfter("data")}::text, 'null') || '}', data::text)
  from events where seq >= $1::bigint and seq < $2::bigint order by seq`

/**
 * The signed text is six times as long as its summary, and of no use to a leader that has that. A message is one text: subject,
 * cseq, seq and which of the two it is, a space between them, then that. A cluster's come in a few long ones, since of most
 * nothing but their place is ever asked.
 */
const intentsStatement = `
  select cluster, string_agg(subject || ' ' || cseq || ' ' || seq
    || case when summary_cseq = cseq and summary is not null then ' s ' || summary else ' e ' || envelope end, e'\\x1e')
  from intent group by cluster, hashtext(subject) & 15`
const rowEnd = "\x1e"

const intentHeadsStatement = "select cluster, cseq, seq, digest, count, envelope, begun_cseq from intent_head"

/** All of it from one snapshot. */
const inSnapshot = (pool: pg.Pool, take: LoadTaker) =>
  Effect.acquireUseRelease(
    ask("load", () => pool.connect()),
    (client) =>
      Effect.gen(function* () {
        yield* ask("load", () => client.query("begin isolation level repeatable read read only"))
        yield* ask("load", () => client.query(`set local work_mem = '${sortMemory}'`))
        yield* eachRow(client, "select incarnation, epoch, seq, commit_seq, recorded_at from log_head", (row) =>
          take.head(toHead(row))
        )
        const toCurrent = currentReader()
        yield* eachRow(client, `${currentStatement} order by seq`, (row) => take.current(toCurrent(row)))
        const { intentHead, intents } = take
        if (intentHead !== undefined) {
          yield* eachRow(client, intentHeadsStatement, (row) => intentHead(toIntentHead(row)))
        }
        if (intents !== undefined) {
          yield* eachRow(client, intentsStatement, (row) => {
            const packed = new PackedIntents(row)
            intents(packed.cluster, packed)
          })
        }
        yield* ask("load", () => client.query("commit"))
      }),
    (client, exit) => Effect.sync(() => client.release(exit._tag === "Failure"))
  )

/**
 * Takes each row when it arrives: what is made of one is made while the database sends the next, and no rows pile up. Between
 * two packets the event loop has its turn.
 */
const eachRow = (client: pg.PoolClient, text: string, take: (row: Row) => void): Effect.Effect<void, Unavailable> =>
  Effect.callback((resume) => {
    let failed: Exit.Exit<never> | undefined
    const query = new pg.Query<Array<never>>({ text, rowMode: "array" } as pg.QueryConfig, (cause) =>
      resume(cause == null ? (failed ?? Exit.void) : Effect.fail(unavailable("load")(cause)))
    )
    query.on("row", (row, result) => {
      if (result !== undefined) result.rows.length = 0 // else a query with a deadline keeps them all
      if (failed !== undefined) return
      try {
        take(row)
      } catch (defect) {
        failed = Exit.die(defect) // the connection goes on with its rows
      }
    })
    client.query(query)
  })

const toHead = ([incarnation, epoch, seq, commitSeq, recordedAt]: Row): Head =>
  ({ incarnation, epoch, seq, commitSeq, recordedAt }) as unknown as Head

/** Takes a row's text apart: its fields, then a stream, which may be called anything, and the JSON text after that. */
class RowReader {
  readonly #text: string
  #end = -1

  constructor(text: string) {
    this.#text = text
  }

  next(): string {
    const start = this.#end + 1
    this.#end = this.#text.indexOf(fieldEnd, start)
    return this.#text.slice(start, this.#end)
  }

  last(): readonly [stream: string, json: string] {
    const streamEnd = this.#text.lastIndexOf(fieldEnd)
    return [this.#text.slice(this.#end + 1, streamEnd), this.#text.slice(streamEnd + 1)]
  }
}

/** Words and times of rows one after another, of which there are few: each is kept once. */
class Repeated {
  readonly #words = new Map<string, string>()
  #time = ""
  #isoTime = ""

  word(text: string): string {
    const known = this.#words.get(text)
    if (known === undefined) this.#words.set(text, text)
    return known ?? text
  }

  /** Rows that were written together have one time. */
  time(text: string): string {
    if (text !== this.#time) {
      this.#time = text
      this.#isoTime = isoTime(text)
    }
    return this.#isoTime
  }
}

const currentReader = (): ((row: Row) => StoredCurrent) => {
  const repeated = new Repeated()
  return ([text]) => {
    const fields = new RowReader(text ?? "")
    const version = Number(fields.next())
    const seq = Number(fields.next())
    const schema = Number(fields.next())
    const kind = repeated.word(fields.next())
    const recordedAt = repeated.time(fields.next())
    const isAsWritten = fields.next() !== ""
    const [stream, json] = fields.last()
    return { stream, kind, version, seq, schema, state: json === "" ? null : json, recordedAt, isAsWritten }
  }
}

const changeReader = (): ((row: Row) => StoredChange) => {
  const repeated = new Repeated()
  return ([text]) => {
    const fields = new RowReader(text ?? "")
    const seq = Number(fields.next())
    const epoch = Number(fields.next())
    const commitSeq = Number(fields.next())
    const version = Number(fields.next())
    const type = repeated.word(fields.next())
    const schema = Number(fields.next())
    const recordedAt = repeated.time(fields.next())
    const [stream, data] = fields.last()
    return { seq, epoch, commitSeq, stream, version, type, schema, recordedAt, data }
  }
}

/** Messages of one cluster in one text. */
class PackedIntents implements Iterable<LoadedIntent> {
  readonly cluster: string
  readonly #text: string

  constructor([cluster, text]: Row) {
    this.cluster = cluster ?? ""
    this.#text = text ?? ""
  }

  *[Symbol.iterator](): Iterator<LoadedIntent> {
    for (const text of this.#text.split(rowEnd)) yield new PackedIntent(this.cluster, text)
  }
}

/** Taken apart when it is looked at: of most of them that is never. A subject has no space. */
class PackedIntent implements LoadedIntent {
  readonly cluster: string
  readonly #text: string

  constructor(cluster: string, text: string) {
    this.cluster = cluster
    this.#text = text
  }

  get subject(): string {
    return this.#part(0)
  }

  get cseq(): number {
    return Number(this.#part(1))
  }

  get seq(): number {
    return Number(this.#part(2))
  }

  get summary(): string | null {
    return this.#part(3) === "s" ? this.#rest : null
  }

  get envelope(): string | null {
    return this.#part(3) === "e" ? this.#rest : null
  }

  get #rest(): string {
    return this.#text.slice(this.#endOf(3) + 1)
  }

  #part(place: number): string {
    return this.#text.slice(place === 0 ? 0 : this.#endOf(place - 1) + 1, this.#endOf(place))
  }

  #endOf(place: number): number {
    let end = this.#text.indexOf(" ")
    for (let passed = 0; passed < place; passed++) end = this.#text.indexOf(" ", end + 1)
    return end
  }
}

const toIntentHead = ([cluster, cseq, seq, digest, count, envelope, begunCseq]: Row): IntentHeadRow =>
  ({
    cluster,
    cseq,
    seq,
    digest,
    count,
    envelope,
    ...(begunCseq === null ? {} : { begunCseq })
  }) as unknown as IntentHeadRow
