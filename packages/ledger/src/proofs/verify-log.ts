import type { SignedCheckpoint } from "./checkpoint.ts"
import { type EventRecord, readEventRecord } from "./event-record.ts"
import { leafHash } from "./leaf.ts"
import { areEqual, Frontier } from "./merkle.ts"
import { readStretchLine, type StretchLine } from "./segment.ts"
import { hasStrayKey } from "./stray-keys.ts"

/** What does not fit, and the first event that is known not to. */
export interface LogFault {
  readonly seq: number
  readonly what: string
}

/** Events of the log that nobody gave to be read. */
export interface LogGap {
  readonly fromSeq: number
  readonly toSeq: number
}

/** What became of an export beside the checkpoints that were kept of its log. */
export interface LogVerdict {
  /** All of it was read from `since` on, and fits. */
  readonly isIntact: boolean
  /** Stretches between archives, or between them and the export, of which no archive was read: nothing is known of these events. */
  readonly gaps: ReadonlyArray<LogGap>
  /** The event at which the archives are not in the order of the log, or have what was read already; nothing was read from there on. */
  readonly misplacedSeq: number | undefined
  /** The first event that was read: those before are archived, and stand in the tree by their hashes. */
  readonly since: number
  /** Events there are up to the last that was read, and the root over them. */
  readonly size: number
  /** When the last of them was recorded: what came later is not judged. */
  readonly asOf: string | undefined
  readonly root: string
  /** By seq; empty when the log is intact. */
  readonly faults: ReadonlyArray<LogFault>
  /** The checkpoint over the most events of those that fit. */
  readonly newest: SignedCheckpoint | undefined
  readonly checkpointsFitting: number
  /** Checkpoints that do not fit and are of an incarnation before the newest one: the log lost history since. */
  readonly checkpointsSuperseded: number
}

/** How far the leader's idea of the database's clock, by which it signs, may be off. */
const clockToleranceMs = 10_000

/** Faults that are told; more of them help nobody. */
const faultsMax = 20

/**
 * Reads a full export line by line, in constant memory, and compares it with signed checkpoints. Every event has to be
 * there, in its order, with the leaf that follows from it; the tree over the leaves has to have each checkpoint's root.
 */
export class LogVerifier {
  #tree = new Frontier()
  #since = 1
  /** By size. */
  readonly #checkpoints = new Map<number, Array<SignedCheckpoint>>()
  readonly #newestIncarnation: number
  #faults: Array<LogFault> = []
  #fitting = 0
  #superseded = 0
  #newest: SignedCheckpoint | undefined
  #before: EventRecord | undefined
  #gaps: Array<LogGap> = []
  #misplacedSeq: number | undefined
  /** The last event of the archive that is being read, or was read last. */
  #endSeq: number | undefined
  /** After a gap no root can fit any more; what follows would only repeat it. */
  #isBroken = false

  constructor(checkpoints: ReadonlyArray<SignedCheckpoint>) {
    this.#newestIncarnation = Math.max(0, ...checkpoints.map(({ incarnation }) => incarnation))
    for (const checkpoint of checkpoints) {
      this.#checkpoints.set(checkpoint.size, [...(this.#checkpoints.get(checkpoint.size) ?? []), checkpoint])
    }
  }

  /** Takes the next line; answers the event it holds, where it holds one. */
  add(line: string): EventRecord | undefined {
    if (line.trim() === "" || this.#isBroken) return undefined
    const stretch = readStretchLine(line)
    if (stretch !== undefined) return this.#beginAfter(stretch)
    const event = readEventRecord(line)
    const seq = this.#tree.size + 1
    if (event === undefined) {
      this.#break(seq, `expected an event as a line of JSON, found ${JSON.stringify(line.slice(0, 60))}`)
      return undefined
    }
    if (event.seq < seq && this.#isBetween) return this.#misplace(event.seq)
    if (event.seq !== seq) {
      const what = event.seq > seq ? "is missing" : "is out of its order"
      this.#break(Math.min(seq, event.seq), `${what}: expected seq ${seq}, found seq ${event.seq}`)
      return undefined
    }
    this.#compareWithBefore(event)
    const leaf = leafOf(event)
    if (leaf === undefined || !areEqual(leaf, Buffer.from(event.leafHash, "hex"))) {
      const found = leaf === undefined ? "it cannot be computed" : Buffer.from(leaf).toString("hex")
      this.#fault(seq, `was changed: expected leaf ${event.leafHash}, found ${found}`)
    }
    if (hasStrayKey(line, event)) {
      this.#fault(seq, "was changed: it has a field that no event has, or one twice")
    }
    const stored = Buffer.from(event.leafHash, "hex")
    this.#tree.append(stored.length === 32 ? stored : (leaf ?? new Uint8Array(32)))
    this.#before = event
    this.#compareWithCheckpoints()
    return event
  }

  /** Whether an archive was read to its end, and nothing behind it. */
  get #isBetween(): boolean {
    return this.#endSeq === this.#tree.size
  }

  /**
   * Events up to a seq are in archives. Where those were read first, the tree has them; else it goes on with the hashes that
   * stand for them, which the checkpoints' roots hold as well.
   */
  #beginAfter({ untilSeq, left, toSeq }: StretchLine): undefined {
    const { size } = this.#tree
    if (untilSeq < size && this.#isBetween) return this.#misplace(untilSeq + 1)
    const isFirst = size === 0
    if (untilSeq !== size && !(isFirst || this.#isBetween)) {
      return this.#break(
        size + 1,
        `is missing: expected it from an archive of events up to ${this.#endSeq ?? untilSeq}`
      )
    }
    this.#endSeq = toSeq
    if (untilSeq === size) return undefined
    if (left.length !== Frontier.countOf(untilSeq)) {
      return this.#break(size + 1, `is missing: what stands for the events up to ${untilSeq} lacks hashes`)
    }
    if (isFirst) this.#since = untilSeq + 1
    else this.#gaps.push({ fromSeq: size + 1, toSeq: untilSeq })
    this.#tree = Frontier.of(
      untilSeq,
      left.map((hash) => Buffer.from(hash, "hex"))
    )
    return undefined
  }

  /** The verdict over what was read. */
  finish(): LogVerdict {
    const { size } = this.#tree
    const early = this.#isBroken ? undefined : this.#beyond(size).find((checkpoint) => !this.#isAfterExport(checkpoint))
    if (early !== undefined) {
      this.#fault(
        size + 1,
        `is missing: the checkpoint signed ${early.signedAt} covers ${early.size} events, found ${size}`
      )
    }
    return {
      isIntact:
        this.#faults.length === 0 &&
        this.#newest !== undefined &&
        this.#gaps.length === 0 &&
        this.#misplacedSeq === undefined,
      gaps: this.#gaps,
      misplacedSeq: this.#misplacedSeq,
      since: this.#since,
      size,
      asOf: this.#before?.recordedAt,
      root: Buffer.from(this.#tree.root()).toString("base64"),
      faults: [...this.#faults].sort((left, right) => left.seq - right.seq),
      newest: this.#newest,
      checkpointsFitting: this.#fitting,
      checkpointsSuperseded: this.#superseded
    }
  }

  /** The newest incarnation's checkpoints over more events than there are. */
  #beyond(size: number): ReadonlyArray<SignedCheckpoint> {
    return [...this.#checkpoints.values()]
      .flat()
      .filter((checkpoint) => checkpoint.size > size && checkpoint.incarnation === this.#newestIncarnation)
  }

  /** A whole export ends with the event that tells of it: what was signed later covers events that came later. */
  #isAfterExport({ signedAt }: SignedCheckpoint): boolean {
    const last = this.#before
    if (last?.type !== "AuditExported") return false
    return Date.parse(signedAt) >= Date.parse(last.recordedAt) - clockToleranceMs
  }

  /** The log's own order: leaders, batches and times never go back. */
  #compareWithBefore(event: EventRecord): void {
    const before = this.#before
    if (before === undefined) return
    for (const key of ["epoch", "commitSeq", "recordedAt"] as const) {
      if (event[key] < before[key]) {
        this.#fault(event.seq, `has ${key} ${event[key]} after ${before[key]}, which never goes back`)
      }
    }
  }

  #compareWithCheckpoints(): void {
    const { size } = this.#tree
    const here = this.#checkpoints.get(size)
    if (here === undefined) return
    const root = this.#tree.root()
    for (const checkpoint of here) {
      if (areEqual(checkpoint.root, root)) {
        this.#fitting += 1
        if (checkpoint.incarnation === this.#newestIncarnation) this.#newest = checkpoint
      } else if (checkpoint.incarnation < this.#newestIncarnation) this.#superseded += 1
      else {
        const first = (this.#newest?.size ?? 0) + 1
        const expected = Buffer.from(checkpoint.root).toString("base64")
        this.#break(
          first,
          `${first === size ? "was" : `or one of those up to ${size} was`} changed: expected root ${expected} ` +
            `of the checkpoint over ${size} events signed ${checkpoint.signedAt}, found ${Buffer.from(root).toString("base64")}`
        )
        return
      }
    }
  }

  #fault(seq: number, what: string): void {
    if (this.#faults.length < faultsMax) this.#faults.push({ seq, what: `event ${seq} ${what}` })
  }

  #break(seq: number, what: string): undefined {
    this.#fault(seq, what)
    this.#isBroken = true
  }

  #misplace(seq: number): undefined {
    this.#misplacedSeq = seq
    this.#isBroken = true
  }
}

const leafOf = (event: EventRecord): Uint8Array | undefined => {
  try {
    return leafHash(event)
  } catch {
    return undefined // a time that is none
  }
}
