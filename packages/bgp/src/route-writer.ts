import { isDeepStrictEqual } from "node:util"
import type { Family, Prefix } from "@lowtide/net"
import type { AdjRibOut, Refusal, SendContext } from "./adj-rib-out.ts"
import { prefixKey } from "./prefix-map.ts"
import { encodeMessage } from "./wire/message.ts"
import { refreshMark } from "./wire/route-refresh.ts"
import { endOfRib } from "./wire/update.ts"
import { type AnnouncementGroup, packUpdates, type UpdateChunk } from "./wire/update-packer.ts"

/** Where octets go, and what is told about them. */
export interface RouteSink {
  readonly write: (chunk: UpdateChunk, onWritten: () => void) => void
  readonly isFull: () => boolean
  readonly onRefused: (refusal: Refusal) => void
  /** The kernel has all of a batch. `isTable`: it was the table that a session begins with. */
  readonly onWritten: (batch: {
    readonly tokens: ReadonlyArray<number>
    readonly announced: number
    readonly withdrawn: number
    readonly isTable: boolean
  }) => void
}

/** How many tokens may wait; beyond it the oldest are dropped. */
export const tokensMax = 65_536

interface Flush {
  readonly chunks: Iterator<UpdateChunk, void>
  readonly routes: ReadonlyArray<AnnouncementGroup>
  /** Keys of the prefixes in `routes`, once somebody has asked. */
  keys: ReadonlySet<number | bigint> | undefined
  readonly tokens: ReadonlyArray<number>
  readonly announced: number
  readonly withdrawn: number
  readonly refusals: ReadonlyArray<Refusal>
  readonly isTable: boolean
  /** Chunks handed over that the kernel has not taken yet. */
  unwritten: number
  isAllHandedOver: boolean
}

/**
 * Brings the difference between wanted and sent onto one session, a chunk at a time, for as long as the kernel takes
 * them. While a batch waits for a slow peer, further changes gather in the Adj-RIB-Out and go out together after it.
 */
export class RouteWriter {
  private readonly rib: AdjRibOut
  private readonly sink: RouteSink
  private context: SendContext | undefined
  private prepared: { readonly context: SendContext; readonly flush: Flush } | undefined
  private tokens: Array<number> = []
  /** Families that were asked for again and wait for the next batch. */
  private readonly marked = new Set<Family>()
  /** In the order of writing; only the last one may still have chunks to hand over. */
  private flushes: Array<Flush> = []
  private isScheduled = false

  constructor(rib: AdjRibOut, sink: RouteSink) {
    this.rib = rib
    this.sink = sink
  }

  /**
   * A connection is there and the peer's OPEN is awaited: the table is made ready for the session that is expected, so
   * that it leaves at once when it is up, if nothing changed meanwhile.
   */
  prepare(expected: SendContext): void {
    this.rib.begin()
    const flush = this.makeFlush(expected, true)
    const first = flush.chunks.next()
    this.prepared = { context: expected, flush: { ...flush, chunks: startingWith(first, flush.chunks) } }
  }

  /**
   * A session is up: the whole table and End-of-RIB for each family go out at once. One that was made ready is made anew when
   * anything changed since: a route that is withdrawn meanwhile counts as withdrawn, and must not be told first.
   */
  begin(context: SendContext): void {
    const isStale = this.rib.hasChanges() || !isDeepStrictEqual(this.prepared?.context, context)
    if (this.prepared !== undefined && isStale) this.end()
    if (this.prepared === undefined) this.prepare(context)
    this.context = context
    const flush = this.prepared?.flush
    this.prepared = undefined
    if (flush !== undefined) this.open(flush)
    this.pump()
  }

  /** What routes are sent with is another on the session that is up: all of them are told anew, with no withdrawal between. Answers whether it is. */
  change(context: SendContext): boolean {
    if (this.context === undefined || isDeepStrictEqual(this.context, context)) return false
    this.context = context
    this.rib.tellAnew()
    this.changed()
    return true
  }

  /** The session ended or did not come to be: what was not written waits, with its tokens, for the next table. */
  end(): void {
    const unfinished = [...(this.prepared === undefined ? [] : [this.prepared.flush]), ...this.flushes]
    this.context = undefined
    this.prepared = undefined
    this.rib.end()
    this.tokens = [...unfinished.flatMap(({ tokens }) => tokens), ...this.tokens]
    this.flushes = []
    this.marked.clear()
    this.boundTokens()
  }

  /** All that the peer was sent on the session that is up and still has, and End-of-RIB; nothing without a session. */
  sentTable(): Iterable<UpdateChunk> {
    if (this.context === undefined) return []
    return withMarker(packUpdates(this.rib.sentTable(this.context), this.context), this.context)
  }

  /** Something changed in the Adj-RIB-Out: it goes out at the end of this turn of the event loop. */
  changed(token?: number): void {
    if (token !== undefined) this.tokens.push(token)
    this.boundTokens()
    if (this.isScheduled || this.context === undefined) return
    this.isScheduled = true
    setImmediate(() => {
      this.isScheduled = false
      this.pump()
    })
  }

  /** The peer asked for a family again. `isMarked`: its routes go between two marks (RFC 7313 §4). */
  sendAgain(family: Family, isMarked: boolean): void {
    this.rib.sendAgain(family)
    if (isMarked) this.marked.add(family)
    this.changed()
  }

  /** Whether the kernel has yet to take what tells the peer of a wanted route. */
  isPending(prefix: Prefix): boolean {
    return this.rib.isPending(prefix) || this.flushes.some((flush) => keysOf(flush).has(prefixKey(prefix)))
  }

  /** Hands over as much as the kernel takes; to be called again when it has room. */
  pump(): void {
    while (this.context !== undefined && !this.sink.isFull()) {
      const current = this.flushes.at(-1)
      if (current === undefined || current.isAllHandedOver) {
        if (!this.rib.hasChanges() && this.tokens.length === 0 && this.marked.size === 0) return
        this.open(this.makeFlush(this.context, false))
        continue
      }
      const next = current.chunks.next()
      if (next.done) {
        current.isAllHandedOver = true
        this.report()
      } else {
        current.unwritten++
        this.sink.write(next.value, () => {
          current.unwritten--
          this.report()
        })
      }
    }
  }

  private open(flush: Flush): void {
    for (const refusal of flush.refusals) this.sink.onRefused(refusal)
    this.flushes.push(flush)
  }

  private makeFlush(context: SendContext, isTable: boolean): Flush {
    const { batch, ...counts } = this.rib.takeDifference(context)
    const chunks = packUpdates(batch, context)
    const tokens = this.tokens
    this.tokens = []
    const again = [...this.marked]
    this.marked.clear()
    return {
      ...counts,
      routes: batch.announced,
      keys: undefined,
      chunks: isTable ? withMarker(chunks, context) : betweenMarks(chunks, again, context),
      tokens,
      isTable,
      unwritten: 0,
      isAllHandedOver: false
    }
  }

  /** Reports batches in the order they were written: an empty one must not overtake one still on its way. */
  private report(): void {
    for (let first = this.flushes[0]; first?.isAllHandedOver && first.unwritten === 0; first = this.flushes[0]) {
      this.flushes.shift()
      this.sink.onWritten(first)
    }
  }

  private boundTokens(): void {
    if (this.tokens.length > tokensMax) this.tokens.splice(0, this.tokens.length - tokensMax)
  }
}

const keysOf = (flush: Flush): ReadonlySet<number | bigint> => {
  flush.keys ??= new Set(flush.routes.flatMap(({ prefixes }) => prefixes.map(prefixKey)))
  return flush.keys
}

/** The chunks of a first table, and End-of-RIB for each family after them. */
function* withMarker(chunks: Iterable<UpdateChunk>, context: SendContext): Generator<UpdateChunk, void> {
  yield* chunks
  const { families } = context
  const bytes = Buffer.concat(families.map((family) => encodeMessage(endOfRib(family), context)))
  yield { bytes, messages: families.length }
}

/** Chunks between the marks of the families that are sent again; without any the chunks alone. */
function* betweenMarks(
  chunks: Iterable<UpdateChunk>,
  families: ReadonlyArray<Family>,
  context: SendContext
): Generator<UpdateChunk, void> {
  const marks = (subtype: "begin" | "end"): UpdateChunk => ({
    bytes: Buffer.concat(families.map((family) => encodeMessage(refreshMark(family, subtype), context))),
    messages: families.length,
    kind: "RouteRefresh"
  })
  if (families.length > 0) yield marks("begin")
  yield* chunks
  if (families.length > 0) yield marks("end")
}

/** The rest of an iteration with what was already taken from it in front. */
function* startingWith(
  first: IteratorResult<UpdateChunk, void>,
  rest: Iterator<UpdateChunk, void>
): Generator<UpdateChunk, void> {
  for (let next = first; !next.done; next = rest.next()) yield next.value
}
