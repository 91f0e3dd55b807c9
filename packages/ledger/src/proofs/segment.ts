import { createHash } from "node:crypto"
import { Option, Result, Schema } from "effect"
import { type CheckpointKeys, openCheckpoint, type SignedCheckpoint } from "./checkpoint.ts"
import { type EventRecord, readEventRecord } from "./event-record.ts"
import { leafHash } from "./leaf.ts"
import { areEqual, Frontier, rootAfterRange } from "./merkle.ts"

/** What the first and the last line of an archive say that it is. */
export const segmentKind = "lowtide.dev/segment/v1"

/** Name of the archive of a segment, in the order of the log. */
export const segmentFileName = (fromSeq: number, toSeq: number): string =>
  `segment-${String(fromSeq).padStart(12, "0")}-${String(toSeq).padStart(12, "0")}.ndjson.gz`

const Hash = Schema.String.pipe(Schema.check(Schema.isPattern(/^[0-9a-f]{64}$/)))
const Seq = Schema.Int.pipe(Schema.check(Schema.isGreaterThanOrEqualTo(1)))

/** The first line: which events follow, and the roots of the complete subtrees before them. */
const SegmentHeader = Schema.Struct({
  kind: Schema.Literals([segmentKind]),
  fromSeq: Seq,
  toSeq: Seq,
  left: Schema.Array(Hash)
})
export type SegmentHeader = typeof SegmentHeader.Type

/** The last line: a signed note over at least these events, and the roots of the complete subtrees up to its size. */
const SegmentTrailer = Schema.Struct({
  kind: Schema.Literals([segmentKind]),
  right: Schema.Array(Hash),
  checkpoint: Schema.String
})
export type SegmentTrailer = typeof SegmentTrailer.Type

const decodeHeader = Schema.decodeUnknownOption(Schema.fromJsonString(SegmentHeader))
const decodeTrailer = Schema.decodeUnknownOption(Schema.fromJsonString(SegmentTrailer))

/** What an export begins with when the first events are in archives: the roots of the complete subtrees before its own. */
export const archivedKind = "lowtide.dev/archived/v1"

const ArchivedLine = Schema.Struct({
  kind: Schema.Literals([archivedKind]),
  untilSeq: Seq,
  left: Schema.Array(Hash)
})
export type ArchivedLine = typeof ArchivedLine.Type

const decodeArchived = Schema.decodeUnknownOption(Schema.fromJsonString(ArchivedLine))

/** Where a stretch of the log begins: after which event, by the hashes that stand for those before, and where an archive ends. */
export interface StretchLine extends Pick<ArchivedLine, "untilSeq" | "left"> {
  /** Missing of an export, which goes on to the end of the log. */
  readonly toSeq?: number
}

/** Reads the first line of an archive, or such a line of an export; undefined when it is another. */
export const readStretchLine = (line: string): StretchLine | undefined => {
  if (!line.startsWith('{"kind":')) return undefined
  const archived = Option.getOrUndefined(decodeArchived(line))
  if (archived !== undefined) return archived
  const header = Option.getOrUndefined(decodeHeader(line))
  return header === undefined ? undefined : { untilSeq: header.fromSeq - 1, left: header.left, toSeq: header.toSeq }
}

/** Leaves that are hashed together in `leavesDigest`. */
const runLeaves = 4096

/** Gathers the leaves of one segment, in their order, into what the log says of it. */
export class SegmentLeaves {
  readonly #tree = new Frontier()
  readonly #runs = createHash("sha256")
  #run = createHash("sha256")
  #seq: number

  constructor(fromSeq: number) {
    this.#seq = fromSeq
  }

  add(leaf: Uint8Array): void {
    this.#tree.append(leaf)
    this.#run.update(leaf)
    if (this.#seq % runLeaves === 0) this.#endRun()
    this.#seq += 1
  }

  /** RFC 6962 root over the leaves alone, and the digest over their runs. */
  finish(): { readonly root: string; readonly leavesDigest: string } {
    if ((this.#seq - 1) % runLeaves !== 0) this.#endRun()
    return { root: Buffer.from(this.#tree.root()).toString("hex"), leavesDigest: this.#runs.digest("hex") }
  }

  #endRun(): void {
    this.#runs.update(this.#run.digest())
    this.#run = createHash("sha256")
  }
}

/** What an archive holds, or why it is not to be believed. */
export type SegmentVerdict =
  | {
      readonly isIntact: true
      readonly fromSeq: number
      readonly toSeq: number
      readonly firstAt: string
      readonly lastAt: string
      readonly root: string
      readonly leavesDigest: string
      readonly checkpoint: SignedCheckpoint
    }
  | { readonly isIntact: false; readonly why: string }

/**
 * Reads an archive line by line, in constant memory. Its events have to be all of its range, each with the leaf that follows
 * from it, and the leaves have to lead to the root that the checkpoint in it was signed over.
 */
export class SegmentVerifier {
  readonly #keys: CheckpointKeys
  #header: SegmentHeader | undefined
  #trailer: SegmentTrailer | undefined
  #tree = new Frontier()
  #leaves = new SegmentLeaves(1)
  #seq = 0
  #firstAt = ""
  #lastAt = ""
  #fault: string | undefined

  constructor(keys: CheckpointKeys) {
    this.#keys = keys
  }

  /** Takes the next line; answers the event that it holds, where it holds one. */
  add(line: string): EventRecord | undefined {
    if (this.#fault !== undefined || line === "") return undefined
    if (this.#header === undefined) {
      this.#begin(Option.getOrUndefined(decodeHeader(line)))
      return undefined
    }
    if (this.#trailer !== undefined) return this.#fail("more stands after its last line")
    if (this.#seq > this.#header.toSeq) {
      this.#trailer = Option.getOrUndefined(decodeTrailer(line))
      return this.#trailer === undefined ? this.#fail("its last line is not that of an archive") : undefined
    }
    const event = readEventRecord(line)
    if (event === undefined || event.seq !== this.#seq) {
      return this.#fail(`expected event ${this.#seq}, found ${event === undefined ? "none" : `event ${event.seq}`}`)
    }
    const leaf = leafOf(event)
    if (leaf === undefined || Buffer.from(leaf).toString("hex") !== event.leafHash) {
      return this.#fail(`event ${event.seq} was changed: it does not have the leaf ${event.leafHash}`)
    }
    this.#tree.append(leaf)
    this.#leaves.add(leaf)
    if (this.#firstAt === "") this.#firstAt = event.recordedAt
    this.#lastAt = event.recordedAt
    this.#seq += 1
    return event
  }

  /** The first and the last line, once they were read. */
  get frame(): { readonly header: SegmentHeader | undefined; readonly trailer: SegmentTrailer | undefined } {
    return { header: this.#header, trailer: this.#trailer }
  }

  finish(): SegmentVerdict {
    const header = this.#header
    const trailer = this.#trailer
    if (this.#fault === undefined && (header === undefined || trailer === undefined)) this.#fail("it has no end")
    if (this.#fault !== undefined || header === undefined || trailer === undefined) return this.#no(this.#fault ?? "")
    const opened = openCheckpoint(this.#keys, trailer.checkpoint)
    if (Result.isFailure(opened)) return this.#no(`its checkpoint is not to be believed: ${opened.failure}`)
    const checkpoint = opened.success
    const right = trailer.right.map((hash) => Buffer.from(hash, "hex"))
    const root = rootAfterRange(this.#tree, { size: checkpoint.size, right })
    if (root === undefined || !areEqual(root, checkpoint.root)) {
      const expected = Buffer.from(checkpoint.root).toString("base64")
      return this.#no(`its events do not lead to root ${expected} of the checkpoint over ${checkpoint.size} events`)
    }
    return {
      isIntact: true,
      fromSeq: header.fromSeq,
      toSeq: header.toSeq,
      firstAt: this.#firstAt,
      lastAt: this.#lastAt,
      ...this.#leaves.finish(),
      checkpoint
    }
  }

  #begin(header: SegmentHeader | undefined): void {
    if (header === undefined || header.fromSeq > header.toSeq) return void this.#fail("it is no archive of a segment")
    const size = header.fromSeq - 1
    if (header.left.length !== Frontier.countOf(size)) return void this.#fail("its first line lacks hashes")
    this.#header = header
    this.#tree = Frontier.of(
      size,
      header.left.map((hash) => Buffer.from(hash, "hex"))
    )
    this.#leaves = new SegmentLeaves(header.fromSeq)
    this.#seq = header.fromSeq
  }

  #fail(why: string): undefined {
    this.#fault = why
    return undefined
  }

  #no(why: string): SegmentVerdict {
    return { isIntact: false, why }
  }
}

const leafOf = (event: EventRecord): Uint8Array | undefined => {
  try {
    return leafHash(event)
  } catch {
    return undefined // a time that is none
  }
}
