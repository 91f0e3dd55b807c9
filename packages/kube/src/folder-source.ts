import { resolve } from "node:path"
import { Effect, Layer, Stream } from "effect"
import { type ClusterChange, ClusterSource } from "./cluster-source.ts"
import { settleMs } from "./file-state.ts"
import { Folder } from "./folder.ts"
import { FolderWatch } from "./folder-watch.ts"

/** How a folder is watched; times in milliseconds. */
export interface FolderOptions {
  /** How long events are collected before a look: a burst is one change. */
  readonly coalesceMs?: number
  /** How often the whole folder is walked, whatever the watches say. */
  readonly rescanMs?: number
}

/** Looks that the first change waits for at most, while files are in doubt. */
const firstLookCountMax = 20

/**
 * A folder of manifests and the folders in it as a stream: first everything, then each change, within a few
 * milliseconds of the write. Changes that come while the reader is busy arrive as one. What would take an object away
 * is believed after 25 ms without a further write, so that no editor's way of saving looks like a deletion.
 */
export const folderSource = (path: string, options: FolderOptions = {}): Stream.Stream<ClusterChange> =>
  Stream.unwrap(
    Effect.acquireRelease(
      Effect.sync(() => new Watched(resolve(path), options)),
      (watched) => Effect.sync(() => watched.close())
    ).pipe(Effect.map((watched) => Stream.fromEffectRepeat(watched.next)))
  )

/** A folder as the source of a cluster. */
export const clusterSourceFolder = (path: string, options?: FolderOptions): Layer.Layer<ClusterSource> =>
  Layer.succeed(ClusterSource, ClusterSource.of({ changes: folderSource(path, options) }))

/** A folder with its watches, and what they reported since the last look. */
class Watched {
  readonly #folder: Folder
  readonly #watch: FolderWatch
  readonly #coalesceMs: number
  readonly #rescanMs: number
  #dirty: Set<string> | "all" = "all"
  #nextWalkMs = 0
  #isFirst = true
  #wake: () => void = () => {}

  constructor(path: string, { coalesceMs = 2, rescanMs = 2000 }: FolderOptions) {
    this.#folder = new Folder(path)
    this.#coalesceMs = coalesceMs
    this.#rescanMs = rescanMs
    this.#watch = new FolderWatch({ file: (file) => this.#mark(file), folders: () => this.#mark("all") })
  }

  /** Waits for the next change. */
  readonly next: Effect.Effect<ClusterChange> = Effect.gen({ self: this }, function* () {
    if (this.#isFirst) return yield* this.#first()
    for (;;) {
      yield* this.#waitForHint()
      const change = this.#look()
      if (change !== undefined) return change
    }
  })

  close(): void {
    this.#watch.close()
  }

  /** Everything, after waiting for files in doubt. */
  #first(): Effect.Effect<ClusterChange> {
    return Effect.gen({ self: this }, function* () {
      let change = this.#look()
      for (let count = 1; this.#folder.nextLookMs !== undefined && count < firstLookCountMax; count++) {
        yield* Effect.sleep(settleMs)
        change = this.#look() ?? change
      }
      if (change === undefined) return yield* Effect.die(new Error("the first look at a folder answers a change"))
      this.#isFirst = false
      return { ...change, put: [...change.objects.values()], deleted: [] }
    })
  }

  #mark(path: string | "all"): void {
    if (path === "all") this.#dirty = "all"
    else if (this.#dirty !== "all") this.#dirty.add(path)
    this.#wake()
  }

  #look(): ClusterChange | undefined {
    const nowMs = Date.now()
    const isWalk = this.#dirty === "all" || nowMs >= this.#nextWalkMs
    const change = this.#folder.look(isWalk ? "all" : this.#dirty, nowMs)
    this.#dirty = new Set()
    if (isWalk) {
      this.#nextWalkMs = nowMs + this.#rescanMs
      // What was written between the walk and a new watch was seen by neither.
      if (this.#watch.follow(this.#folder.folders)) this.#dirty = "all"
    }
    return change
  }

  /** Ends a little after the first hint, at the next look that is due, or when it is time to walk. */
  #waitForHint(): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      let timer: NodeJS.Timeout
      const wakeIn = (delayMs: number) => {
        clearTimeout(timer)
        timer = setTimeout(() => resume(Effect.void), delayMs)
      }
      const dueMs = Math.min(this.#folder.nextLookMs ?? Number.POSITIVE_INFINITY, this.#nextWalkMs)
      wakeIn(Math.max(0, dueMs - Date.now()))
      this.#wake = () => {
        this.#wake = () => {}
        wakeIn(this.#coalesceMs)
      }
      if (this.#dirty === "all" || this.#dirty.size > 0) this.#wake()
      return Effect.sync(() => {
        clearTimeout(timer)
        this.#wake = () => {}
      })
    })
  }
}
