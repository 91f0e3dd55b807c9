import { createHash, randomUUID } from "node:crypto"
import { createReadStream, createWriteStream, existsSync } from "node:fs"
import { link, open, rename, rm } from "node:fs/promises"
import { dirname } from "node:path"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { createGzip } from "node:zlib"
import { Data, Effect } from "effect"
import pg from "pg"
import { withClient } from "./client.ts"
import { gzipLines } from "./lines.ts"
import type { CheckpointKeys } from "./proofs/checkpoint.ts"
import type { EventRecord } from "./proofs/event-record.ts"
import type { Proof } from "./proofs/proof.ts"
import { type SegmentVerdict, SegmentVerifier } from "./proofs/segment.ts"
import { SegmentProver } from "./proofs/segment-proof.ts"

/** Why an archive could not be written, believed or loaded; what was there is as it was. */
export class SegmentFault extends Data.TaggedError("SegmentFault")<{
  readonly reason: "exists" | "unreadable" | "damaged" | "unknown" | "order" | "unavailable"
  readonly detail: string
}> {
  override get message() {
    return this.detail
  }
}

/** A whole archive that was read and verified, with the digest of its octets. */
export type VerifiedSegment = Extract<SegmentVerdict, { readonly isIntact: true }> & {
  readonly sha256: string
  readonly frame: SegmentVerifier["frame"]
}

/**
 * Writes an archive's lines, as the API hands them out, to a file that is not there yet: whole and synced, its name as well,
 * or not at all. Of several that write the same one, one does.
 */
export const writeSegment = (path: string, octets: AsyncIterable<Uint8Array>): Effect.Effect<void, SegmentFault> =>
  attempt(async () => {
    if (existsSync(path)) throw isThere(path)
    const draft = `${path}.${randomUUID()}.part`
    try {
      const file = createWriteStream(draft, { mode: 0o600, flush: true })
      await pipeline(Readable.from(octets), createGzip(), file)
      await nameOnce(draft, path)
      // What is dropped from the database next must not lose its name in the folder with the machine's power.
      const folder = await open(dirname(path))
      await folder.sync().finally(() => folder.close())
    } finally {
      await rm(draft, { force: true })
    }
  })

const isThere = (path: string) =>
  new SegmentFault({ reason: "exists", detail: `${path}: expected no such file, found one` })

/** A rename would replace what somebody else has written, verified and recorded meanwhile. */
const nameOnce = async (draft: string, path: string): Promise<void> => {
  try {
    await link(draft, path)
  } catch {
    if (existsSync(path)) throw isThere(path)
    await rename(draft, path) // a file system without links
  }
}

/** Reads an archive back to its end, and verifies it against keys alone; `take` is given each of its events. */
export const verifySegment = (
  path: string,
  keys: CheckpointKeys,
  take: (event: EventRecord) => void = () => undefined
): Effect.Effect<VerifiedSegment, SegmentFault> =>
  attempt(async () => {
    const damaged = (why: string) =>
      new SegmentFault({ reason: "damaged", detail: `${path}: expected a whole archive, but ${why}` })
    const hash = createHash("sha256")
    const verifier = new SegmentVerifier(keys)
    try {
      for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array)
      for await (const line of gzipLines(path)) {
        const event = verifier.add(line)
        if (event !== undefined) take(event)
      }
    } catch (cause) {
      if (cause instanceof Error && "syscall" in cause) {
        const detail = `${path}: expected a file that can be read, found ${cause.message}`
        throw new SegmentFault({ reason: "unreadable", detail })
      }
      throw damaged(cause instanceof Error ? cause.message : String(cause))
    }
    const verdict = verifier.finish()
    if (!verdict.isIntact) throw damaged(verdict.why)
    return { ...verdict, sha256: hash.digest("hex"), frame: verifier.frame }
  })

/** Proves an event by an archive that has it, and by nothing else. */
export const proveFromSegment = (path: string, keys: CheckpointKeys, seq: number): Effect.Effect<Proof, SegmentFault> =>
  Effect.gen(function* () {
    const prover = new SegmentProver(seq)
    const { fromSeq, toSeq, frame } = yield* verifySegment(path, keys, (event) => prover.add(event))
    const { header, trailer } = frame
    const proof = header === undefined || trailer === undefined ? undefined : prover.finish(header, trailer, keys)
    if (proof !== undefined) return proof
    const detail = `${path}: expected event ${seq}, found events ${fromSeq} to ${toSeq}`
    return yield* new SegmentFault({ reason: "unknown", detail })
  })

const rowsAtOnce = 1_000

/**
 * Loads an archive back into the database, by the role that owns its tables: verified, compared with what the log says was
 * archived, in one transaction. Segments come back in the order in which the log goes backwards. False when it is there already.
 */
export const loadSegment = (
  url: string,
  path: string,
  keys: CheckpointKeys
): Effect.Effect<VerifiedSegment & { readonly isLoaded: boolean }, SegmentFault> =>
  Effect.gen(function* () {
    const verified = yield* verifySegment(path, keys)
    const isLoaded = yield* attempt(() => withClient(url, (client) => load(client, path, verified, keys)))
    return { ...verified, isLoaded }
  })

const load = async (
  client: pg.Client,
  path: string,
  verified: VerifiedSegment,
  keys: CheckpointKeys
): Promise<boolean> => {
  const { fromSeq, toSeq, leavesDigest } = verified
  await client.query("begin")
  await client.query("select pg_advisory_xact_lock(hashtext('ledger_ensure_partitions'))")
  const [known] = (
    await client.query<{ state: { readonly toSeq: number; readonly leavesDigest: string } }>(
      "select state from stream_current where stream = $1",
      [`segment:${fromSeq}`]
    )
  ).rows
  if (known?.state.toSeq !== toSeq || known.state.leavesDigest !== leavesDigest) {
    const detail = `${path}: expected events that this ledger says were archived, found others of seq ${fromSeq} to ${toSeq}`
    throw new SegmentFault({ reason: "unknown", detail })
  }
  const [first] = (await client.query<{ seq: number }>("select min(seq)::float8 as seq from events")).rows
  if (first !== undefined && first.seq <= fromSeq) return false
  if (first?.seq !== toSeq + 1) {
    const detail = `${path}: expected the segment that ends before event ${first?.seq}, which is the oldest there is, found events ${fromSeq} to ${toSeq}`
    throw new SegmentFault({ reason: "order", detail })
  }
  // A database that was restored has partitions from the first event on, perhaps with other bounds.
  const [place] = (
    await client.query<{ covered: boolean }>("select ledger_places_until($1) >= $2 as covered", [fromSeq, toSeq])
  ).rows
  const isCovered = place?.covered === true
  const table = isCovered ? "events" : await makeTable(client)
  let waiting: Array<string> = []
  const flush = async () => {
    if (waiting.length > 0) await client.query(insertStatement(table), [`[${waiting.join(",")}]`])
    waiting = []
  }
  // It is read a second time: what is loaded is what is verified.
  const verifier = new SegmentVerifier(keys)
  for await (const line of gzipLines(path)) {
    if (verifier.add(line) === undefined) continue
    if (waiting.push(line) === rowsAtOnce) await flush()
  }
  await flush()
  if (!isCovered) {
    await client.query(`alter table events attach partition ${table} for values from (${fromSeq}) to (${toSeq + 1})`)
  }
  const [{ digest } = { digest: "" }] = (
    await client.query<{ digest: string }>("select ledger_leaves_digest($1, $2) as digest", [fromSeq, toSeq])
  ).rows
  if (digest !== leavesDigest || !verifier.finish().isIntact)
    throw new SegmentFault({ reason: "damaged", detail: `${path}: it changed while it was read` })
  await client.query("commit")
  return true
}

/** A partition to be, as `ledger_ensure_partitions` makes one. */
const makeTable = async (client: pg.Client): Promise<string> => {
  const [row] = (
    await client.query<{ name: string }>(
      `select 'events_' || lpad((coalesce(max(substr(relname, 8)::bigint), -1) + 1)::text, 6, '0') as name
       from pg_class where relnamespace = 'public'::regnamespace and relname ~ '^events_\\d+$'`
    )
  ).rows
  const table = pg.escapeIdentifier(row?.name ?? "")
  await client.query(`create table ${table} (like events including all)`)
  await client.query(
    `create trigger events_refuse_truncate before truncate on ${table} for each statement execute function ledger_refuse_change()`
  )
  return table
}

const insertStatement = (table: string): string => `
insert into ${table} (seq, epoch, commit_seq, event_id, stream, version, type, schema, recorded_at, observed_at, network,
  address, pool, cluster, namespace, service, service_uid, actor, actor_kind, command_id, correlation_id, causation_seq,
  reason_code, data, meta, leaf_hash)
select seq, epoch, "commitSeq", "eventId", stream, version, type, schema, "recordedAt", "observedAt", network, address, pool,
  cluster, namespace, service, "serviceUid", actor, "actorKind", "commandId", "correlationId", "causationSeq", "reasonCode",
  data::json, meta::json, decode("leafHash", 'hex')
from json_to_recordset($1::json) as r (seq bigint, epoch int, "commitSeq" bigint, "eventId" uuid, stream text, version int,
  type text, schema smallint, "recordedAt" timestamptz, "observedAt" timestamptz, network text, address inet, pool text,
  cluster text, namespace text, service text, "serviceUid" text, actor text, "actorKind" text, "commandId" uuid,
  "correlationId" uuid, "causationSeq" bigint, "reasonCode" text, data text, meta text, "leafHash" text)`

const attempt = <A>(act: () => Promise<A>): Effect.Effect<A, SegmentFault> =>
  Effect.tryPromise({
    try: act,
    catch: (cause) =>
      cause instanceof SegmentFault
        ? cause
        : new SegmentFault({ reason: "unavailable", detail: cause instanceof Error ? cause.message : String(cause) })
  })
