import { Bus, type BusUnavailable } from "@lowtide/bus/connection"
import { codes } from "@lowtide/domain"
import { completeTree, type Head, Ledger, type StoredCheckpoint, treeSource, type Unavailable } from "@lowtide/ledger"
import type { SignedCheckpoint } from "@lowtide/ledger/proofs/checkpoint"
import { areEqual, type Frontier, frontierAt, rootAt, type TreeNode } from "@lowtide/ledger/proofs/merkle"
import { Effect, Scope } from "effect"
import { type CheckpointOptions, newestOutside, type Signing, startSigning } from "./checkpoints.ts"
import type { Loss } from "./loss.ts"

/** What the newest checkpoints outside of the database say of the log, where they do not fit. */
export type Contradiction =
  /** They cover events that the log does not have. */
  | ({ readonly _tag: "Lost" } & Loss)
  /** The events that they cover are others, or some of them are gone. */
  | { readonly _tag: "Changed"; readonly why: string }

/** Keeps the log's Merkle tree for as long as this allocator leads. */
export interface TreeKeeper {
  /** Adds the leaves of a batch just committed, in the order of commits. */
  readonly committed: (leaves: ReadonlyArray<Uint8Array>) => void
  /** Compares the log with the newest checkpoint in each place outside of the database; undefined when all of them fit. */
  readonly compare: Effect.Effect<Contradiction | undefined, BusUnavailable | Unavailable>
  /** Signs checkpoints from now on: the log is believed. */
  readonly begin: Effect.Effect<void>
  /** A checkpoint over at least so many events, signed now where none is; undefined where none are signed. */
  readonly checkpointOver: (size: number) => Effect.Effect<StoredCheckpoint | undefined, Unavailable>
}

/** How often nodes are written and it is looked whether a checkpoint is due. */
const lookEveryMs = 1_000

/** Reads the tree's edge, and adds the nodes that a former leader left out. */
export const startTreeKeeper = (
  head: Head,
  clockOffsetMs: number,
  options: CheckpointOptions | undefined
): Effect.Effect<TreeKeeper, Unavailable, Ledger | Bus | Scope.Scope> =>
  Effect.gen(function* () {
    const ledger = yield* Ledger
    const bus = yield* Bus
    const scope = yield* Scope.Scope
    const edge = yield* completeTree(ledger, head.seq).pipe(
      Effect.andThen(frontierAt(treeSource(ledger), head.seq)),
      Effect.catchTag("TreeDamaged", ({ message }) => Effect.succeed(message))
    )
    if (typeof edge === "string") return keeperOfNone(edge)
    const tree = new KeptTree(edge)
    let signing: Signing | undefined
    yield* tree
      .saveNodes(ledger)
      .pipe(
        Effect.andThen(Effect.suspend(() => signing?.look ?? Effect.void)),
        Effect.ignore,
        Effect.delay(lookEveryMs),
        Effect.forever,
        Effect.forkScoped
      )
    return {
      committed: (leaves) => tree.add(leaves),
      compare:
        options === undefined
          ? Effect.succeed(undefined)
          : newestOutside(options).pipe(
              Effect.flatMap((checkpoints) => firstContradiction(ledger, head, options, checkpoints)),
              Effect.provideService(Bus, bus)
            ),
      begin:
        options === undefined
          ? Effect.logWarning(`LT0532 ${codes.LT0532.title}. Fix: ${codes.LT0532.fix}`)
          : startSigning({ options, ledger, clockOffsetMs, incarnation: head.incarnation, tree }).pipe(
              Effect.flatMap((begun) =>
                Effect.sync(() => {
                  signing = begun
                })
              ),
              Effect.provideService(Bus, bus),
              Effect.provideService(Scope.Scope, scope)
            ),
      checkpointOver: (size) =>
        Effect.suspend(() =>
          signing === undefined
            ? Effect.succeed(undefined)
            : Effect.andThen(tree.saveNodes(ledger), signing.checkpointOver(size))
        )
    }
  })

/** Of a log whose tree has holes: nothing is added to it, and nothing signed. */
const keeperOfNone = (damage: string): TreeKeeper => ({
  committed: () => undefined,
  compare: Effect.succeed({ _tag: "Changed", why: damage }),
  begin: Effect.void,
  checkpointOver: () => Effect.sync(() => undefined)
})

/** The tree's edge in memory, and the nodes that it completed and the ledger has not yet. */
export class KeptTree {
  readonly #frontier: Frontier
  #completed: ReadonlyArray<TreeNode> = []

  constructor(frontier: Frontier) {
    this.#frontier = frontier
  }

  get size(): number {
    return this.#frontier.size
  }

  root(): Uint8Array {
    return this.#frontier.root()
  }

  add(leaves: ReadonlyArray<Uint8Array>): void {
    const completed = leaves.flatMap((leaf) => this.#frontier.append(leaf))
    if (completed.length > 0) this.#completed = [...this.#completed, ...completed]
  }

  /** A failure leaves them for the next time; so does the end of this leader, whose follower computes them. */
  saveNodes(ledger: Ledger["Service"]): Effect.Effect<void, Unavailable> {
    return Effect.suspend(() => {
      const nodes = this.#completed
      return Effect.andThen(
        ledger.saveTreeNodes(nodes),
        Effect.sync(() => {
          this.#completed = this.#completed.slice(nodes.length)
        })
      )
    })
  }
}

const firstContradiction = Effect.fnUntraced(function* (
  ledger: Ledger["Service"],
  head: Head,
  options: CheckpointOptions,
  checkpoints: ReadonlyArray<SignedCheckpoint>
) {
  for (const checkpoint of checkpoints) {
    const found = yield* contradictionOf(ledger, head, options, checkpoint)
    if (found !== undefined) return found
  }
  return undefined
})

/**
 * What is wrong with the log by a checkpoint that was signed over it. One of an older incarnation says nothing: history
 * was lost since, which the log itself says.
 */
const contradictionOf = (
  ledger: Ledger["Service"],
  head: Head,
  { origin }: CheckpointOptions,
  checkpoint: SignedCheckpoint
): Effect.Effect<Contradiction | undefined, Unavailable> =>
  Effect.gen(function* () {
    const { size, incarnation, signedAt, signedBy } = checkpoint
    const said = `a checkpoint over ${size} events of incarnation ${incarnation}, signed ${signedAt} by ${signedBy}`
    if (checkpoint.origin !== origin) {
      yield* Effect.logWarning(`${said} is of the log ${checkpoint.origin}, not of ${origin}; it is passed over`)
      return undefined
    }
    if (incarnation < head.incarnation) return undefined
    if (incarnation > head.incarnation || size > head.seq) {
      const why = `${said}, has more than the log, which is at ${head.incarnation}/${head.epoch}/${head.seq}`
      return { _tag: "Lost", incarnation: incarnation + 1, why }
    }
    const first = yield* ledger.firstEvent
    if (first !== undefined && size < first.seq) {
      yield* Effect.logWarning(`${said} is over archived events alone; it is passed over`)
      return undefined
    }
    const root = yield* rootAt(treeSource(ledger), size).pipe(
      Effect.catchTag("TreeDamaged", ({ message }) => Effect.succeed(message))
    )
    if (typeof root !== "string" && areEqual(root, checkpoint.root)) return undefined
    const found = typeof root === "string" ? root : `root ${Buffer.from(root).toString("base64")}`
    const expected = Buffer.from(checkpoint.root).toString("base64")
    return { _tag: "Changed", why: `expected root ${expected} by ${said}, found ${found}` }
  })
