import { Bus, type BusUnavailable } from "@lowtide/bus/connection"
import { ensureStreams, publishAll, readLast } from "@lowtide/bus/streams"
import { auditStream, checkpointSubject } from "@lowtide/bus/subjects"
import type { Ledger, StoredCheckpoint, Unavailable } from "@lowtide/ledger"
import {
  type CheckpointKeys,
  type CheckpointSigner,
  openCheckpoint,
  type SignedCheckpoint,
  signCheckpoint
} from "@lowtide/ledger/proofs/checkpoint"
import { Effect, Metric, Result, type Scope, Semaphore } from "effect"
import { appendToFolder, type FolderFault, newestInFolder } from "./checkpoint-folder.ts"
import { monotonicMs } from "./monotonic-clock.ts"
import type { KeptTree } from "./tree-keeper.ts"

/** How checkpoints are signed, where they go beside the stream and the database, and how often. */
export interface CheckpointOptions {
  readonly signer: CheckpointSigner
  /** Whose checkpoints are believed: the signer's, and those of keys that signed before. */
  readonly keys: CheckpointKeys
  /** The log's name in its checkpoints. */
  readonly origin: string
  readonly folder: string
  /** One is signed when so many events came since the last ... */
  readonly everyEvents: number
  /** ... or so much time has gone by, and there was an event. */
  readonly everyMs: number
}

/** What a place may take to write a checkpoint down before it is tried again. */
const writeTimeoutMs = 2_000

/** The newest checkpoint in each place outside of the database. A folder that cannot be read is told of, and passed over. */
export const newestOutside = (
  options: CheckpointOptions
): Effect.Effect<ReadonlyArray<SignedCheckpoint>, BusUnavailable, Bus> =>
  Effect.gen(function* () {
    const inFolder = yield* newestInFolder(options.folder, options.keys).pipe(
      Effect.catch((fault) =>
        Effect.as(Effect.logWarning(`LT0531 no checkpoint can be read: ${fault.message}`), undefined)
      )
    )
    const inStream = yield* newestInStream(options.keys)
    return [inFolder, inStream].filter((checkpoint) => checkpoint !== undefined)
  })

/** The last checkpoint in the stream; one that nobody believed signed is passed over, and said. */
const newestInStream = (keys: CheckpointKeys): Effect.Effect<SignedCheckpoint | undefined, BusUnavailable, Bus> =>
  Effect.gen(function* () {
    yield* ensureStreams
    const stored = yield* readLast(auditStream, checkpointSubject)
    if (stored === undefined) return undefined
    const opened = openCheckpoint(keys, stored.text)
    if (Result.isSuccess(opened)) return opened.success
    yield* Effect.logWarning(`LT0531 the newest checkpoint in ${auditStream} is passed over: ${opened.failure}`)
    return undefined
  })

/** One place that checkpoints go to. */
interface Place {
  readonly name: string
  readonly write: (checkpoint: SignedCheckpoint) => Effect.Effect<void, FolderFault | BusUnavailable | Unavailable>
  /** The newest that is not there yet; an older one that is not either adds nothing to it. */
  waiting: SignedCheckpoint | undefined
  isFailing: boolean
}

/** Signs checkpoints of a tree. */
export interface Signing {
  /** Signs one when it is due, and tries again what could not be written. */
  readonly look: Effect.Effect<void>
  readonly checkpointOver: (size: number) => Effect.Effect<StoredCheckpoint>
}

const signedCount = Metric.counter("lowtide_checkpoints_signed_total", {
  description: "Signed checkpoints of the ledger",
  incremental: true
})

/** Begins to sign; the last one is signed when the scope closes, as far as its places take it in two seconds. */
export const startSigning = (parts: {
  readonly options: CheckpointOptions
  readonly ledger: Ledger["Service"]
  readonly tree: KeptTree
  readonly incarnation: number
  readonly clockOffsetMs: number
}): Effect.Effect<Signing, never, Bus | Scope.Scope> =>
  Effect.gen(function* () {
    const { options, ledger, tree, incarnation, clockOffsetMs } = parts
    const bus = yield* Bus
    const places: ReadonlyArray<Place> = [
      { ...idle, name: options.folder, write: (checkpoint) => appendToFolder(options.folder, checkpoint) },
      {
        ...idle,
        name: `NATS stream ${auditStream}`,
        write: ({ note }) =>
          publishAll([{ subject: checkpointSubject, text: note }]).pipe(Effect.provideService(Bus, bus))
      },
      {
        ...idle,
        name: "the database",
        write: ({ size, note }) => ledger.saveSignedCheckpoint({ incarnation, treeSize: size, note })
      }
    ]
    const one = yield* Semaphore.make(1)
    let last: SignedCheckpoint | undefined
    let lastMs = yield* monotonicMs
    const sign = Effect.gen(function* () {
      lastMs = yield* monotonicMs
      const signedAt = new Date(lastMs + clockOffsetMs).toISOString()
      const said = { origin: options.origin, size: tree.size, root: tree.root(), incarnation, signedAt }
      last = { ...said, signedBy: options.signer.name, note: signCheckpoint(options.signer, said) }
      for (const place of places) place.waiting = last
      yield* Metric.update(signedCount, 1)
    })
    const write = Effect.suspend(() => Effect.forEach(places, deliver, { concurrency: "unbounded", discard: true }))
    const isNews = () => tree.size > (last?.size ?? 0)
    const isDue = Effect.map(
      monotonicMs,
      (nowMs) => isNews() && (tree.size - (last?.size ?? 0) >= options.everyEvents || nowMs - lastMs >= options.everyMs)
    )
    yield* Effect.addFinalizer(() =>
      sign.pipe(Effect.when(Effect.sync(isNews)), Effect.andThen(write), Semaphore.withPermit(one))
    )
    return {
      look: sign.pipe(Effect.when(isDue), Effect.andThen(write), Semaphore.withPermit(one)),
      checkpointOver: (size) =>
        Effect.gen(function* () {
          if (last === undefined || last.size < size) yield* sign
          yield* write
          return { incarnation, treeSize: last?.size ?? 0, note: last?.note ?? "" }
        }).pipe(Semaphore.withPermit(one))
    }
  })

const idle = { waiting: undefined, isFailing: false }

/** Writes what waits for a place; a place that fails is told of once, until it works again. */
const deliver = (place: Place): Effect.Effect<void> =>
  Effect.suspend(() => {
    const checkpoint = place.waiting
    if (checkpoint === undefined) return Effect.void
    return place.write(checkpoint).pipe(
      Effect.timeout(writeTimeoutMs),
      Effect.andThen(
        Effect.sync(() => {
          place.waiting = undefined
          place.isFailing = false
        })
      ),
      Effect.catch((error) => {
        const isNew = !place.isFailing
        place.isFailing = true
        return isNew
          ? Effect.logWarning(
              `LT0531 the checkpoint over ${checkpoint.size} events is not in ${place.name}: ${error.message}`
            )
          : Effect.void
      })
    )
  })
