import type { AdjRibOut, Refusal, SendContext } from "./adj-rib-out.ts"
import { encodeMessage } from "./wire/message.ts"
import { endOfRib } from "./wire/update.ts"
import { packUpdates, type UpdateChunk } from "./wire/update-packer.ts"

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
  readonly tokens: ReadonlyArray<number>
  readonly announced: number
  readonly withdrawn: number
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
  private tokens: Array<number> = []
  /** In the order of writing; only the last one may still have chunks to hand over. */
  private flushes: Array<Flush> = []
  private isScheduled = false

  constructor(rib: AdjRibOut, sink: RouteSink) {
    this.rib = rib
    this.sink = sink
  }

  /** A session is up: the whole table and End-of-RIB for each family go out at once. */
  begin(context: SendContext): void {
    this.context = context
    this.rib.begin()
    const { families } = context
    const marker = Buffer.concat(families.map((family) => encodeMessage(endOfRib(family), context)))
    this.open({ bytes: marker, messages: families.length })
    this.pump()
  }

  /** The session ended: what was not written waits, with its tokens, for the next table. */
  end(): void {
    this.context = undefined
    this.rib.end()
    this.tokens = [...this.flushes.flatMap(({ tokens }) => tokens), ...this.tokens]
    this.flushes = []
    this.boundTokens()
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

  /** Hands over as much as the kernel takes; to be called again when it has room. */
  pump(): void {
    while (this.context !== undefined && !this.sink.isFull()) {
      const current = this.flushes.at(-1)
      if (current === undefined || current.isAllHandedOver) {
        if (!this.rib.hasChanges() && this.tokens.length === 0) return
        this.open(undefined)
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

  private open(marker: UpdateChunk | undefined): void {
    const context = this.context
    if (context === undefined) return
    const { batch, announced, withdrawn, refusals } = this.rib.takeDifference(context)
    for (const refusal of refusals) this.sink.onRefused(refusal)
    const tokens = this.tokens
    this.tokens = []
    this.flushes.push({
      chunks: withMarker(packUpdates(batch, context), marker),
      tokens,
      announced,
      withdrawn,
      isTable: marker !== undefined,
      unwritten: 0,
      isAllHandedOver: false
    })
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

function* withMarker(chunks: Iterable<UpdateChunk>, marker: UpdateChunk | undefined): Generator<UpdateChunk, void> {
  yield* chunks
  if (marker !== undefined) yield marker
}
