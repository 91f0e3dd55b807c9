import { createHash } from "node:crypto"
import { type NumberedMessage, summaryOfMessage } from "@lowtide/domain"
import type pg from "pg"
import type { ReplayDifference } from "./replay.ts"

/** 132 bits of the SHA-256 of what a message says, as its summary has it. */
export const contentDigest = (text: string): string =>
  createHash("sha256").update(text).digest("base64url").slice(0, 22)

/** Rows that one page compared, the place of its last one, and where they differ. */
export interface ComparedRows {
  readonly compared: number
  readonly last: string | null
  readonly differences: ReadonlyArray<ReplayDifference>
}

interface IntentStored {
  readonly cluster: string
  readonly subject: string
  readonly cseq: number
  readonly seq: number
  readonly envelope: string
  /** Null where it is not of this message: it is read whole then. */
  readonly summary: string | null
  /** Of the event that the row names; null where there is none. */
  readonly epoch: number | null
  readonly isArchived: boolean
}

/** A message is of the event that it names. */
const intentsStatement = `
select i.cluster, i.subject, i.cseq, i.seq, i.envelope, case when i.summary_cseq = i.cseq then i.summary end as summary,
  e.epoch, i.seq < (select coalesce(min(seq), 1) from events) as "isArchived"
from intent i left join events e on e.seq = i.seq
where (i.cluster, i.subject) > (($1::json ->> 0), ($1::json ->> 1)) order by i.cluster, i.subject limit $2`

/** Compares signed messages with the events that they name, with what their text says, and with their summaries. */
export const compareIntents = async (pool: pg.Pool, after: string, limit: number): Promise<ComparedRows> => {
  const { rows } = await pool.query<IntentStored>({
    name: "replay-intents",
    text: intentsStatement,
    values: [after, limit]
  })
  const last = rows.at(-1)
  return {
    compared: rows.length,
    last: last === undefined ? null : JSON.stringify([last.cluster, last.subject]),
    differences: rows.flatMap((row) => {
      const what = faultOfIntent(row)
      return what === undefined ? [] : [{ projection: "intent", key: `${row.cluster} ${row.subject}`, what }]
    })
  }
}

const faultOfIntent = (row: IntentStored): string | undefined => {
  if (row.epoch === null && !row.isArchived)
    return `expected it to name an event, found event ${row.seq}, which is none`
  const message = payloadOf<NumberedMessage>(row.envelope)
  if (message?.stamp === undefined) return "expected a signed message, found none"
  const { stamp, cseq } = message
  const said = `number ${cseq} by event ${stamp.seq}`
  if (cseq !== row.cseq || stamp.seq !== row.seq) {
    return `expected number ${row.cseq} by event ${row.seq}, found a message of ${said}`
  }
  if (row.epoch !== null && stamp.epoch !== row.epoch) {
    return `expected epoch ${row.epoch}, as event ${row.seq} has, found ${stamp.epoch}`
  }
  if (row.summary === null) return undefined
  const expected = JSON.stringify(summaryOfMessage(message, contentDigest))
  return row.summary === expected ? undefined : `expected its summary to be ${expected}, found ${row.summary}`
}

interface HeadStored {
  readonly cluster: string
  readonly cseq: number | null
  readonly seq: number | null
  readonly digest: string | null
  readonly count: number | null
  readonly envelope: string | null
  readonly expectedCseq: number
  readonly expectedCount: number
  readonly expectedDigest: string
}

/** The digest of a set is the XOR of the SHA-256 of its pairs of subject and number, as speakers compute it. */
const headsStatement = `
with page as materialized (
  select cluster from (select cluster from intent_head union select distinct cluster from intent) as clusters
  where cluster > $1 order by cluster limit $2
)
select p.cluster, h.cseq, h.seq, h.digest, h.count, h.envelope, i.cseq as "expectedCseq", i.count as "expectedCount", (
    select string_agg(lpad(to_hex(substring(i.digest from part * 64 + 1 for 64)::bit(64)::bigint), 16, '0'), '' order by part)
    from generate_series(0, 3) as part
  ) as "expectedDigest"
from page p left join intent_head h on h.cluster = p.cluster
cross join lateral (
  select coalesce(max(cseq), 0) as cseq, count(*)::int as count, coalesce(bit_xor(('x' || encode(
    sha256(convert_to(subject, 'UTF8') || '\\x00'::bytea || convert_to(cseq::text, 'UTF8')), 'hex'))::bit(256)), 0::bit(256)) as digest
  from intent where cluster = p.cluster and cseq > coalesce(h.begun_cseq, 0)
) i order by p.cluster`

/** Compares each cluster's signed head with the cluster's messages. */
export const compareHeads = async (pool: pg.Pool, after: string, limit: number): Promise<ComparedRows> => {
  const { rows } = await pool.query<HeadStored>({ name: "replay-heads", text: headsStatement, values: [after, limit] })
  return {
    compared: rows.length,
    last: rows.at(-1)?.cluster ?? null,
    differences: rows.flatMap((row) => {
      const what = faultOfHead(row)
      return what === undefined ? [] : [{ projection: "intent_head", key: row.cluster, what }]
    })
  }
}

const faultOfHead = (row: HeadStored): string | undefined => {
  const words = (cseq: unknown, count: unknown, digest: unknown) =>
    `number ${cseq}, ${count} messages and digest ${digest}`
  const expected = words(row.expectedCseq, row.expectedCount, row.expectedDigest)
  if (row.envelope === null) return `expected a head of ${expected}, found none`
  const found = words(row.cseq, row.count, row.digest)
  if (found !== expected) return `expected ${expected}, found ${found}`
  const head = payloadOf<{
    readonly cseq: number
    readonly count: number
    readonly digest: string
    readonly stamp?: { readonly seq: number }
  }>(row.envelope)
  const said = words(head?.cseq, head?.count, head?.digest)
  return said === found && head?.stamp?.seq === row.seq
    ? undefined
    : `expected a signed head of ${found} by event ${row.seq}, found one of ${said} by event ${head?.stamp?.seq}`
}

/** What an envelope holds; its shape is not looked at. */
const payloadOf = <Payload>(envelope: string): Payload | undefined => {
  try {
    return JSON.parse((JSON.parse(envelope) as { readonly payload: string }).payload) as Payload
  } catch {
    return undefined
  }
}
