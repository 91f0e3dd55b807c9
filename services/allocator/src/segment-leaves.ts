import { codes, type SegmentState } from "@lowtide/domain"
import { Ledger, type PartitionRange, type Unavailable } from "@lowtide/ledger"
import { SegmentLeaves } from "@lowtide/ledger/proofs/segment"
import { Effect } from "effect"
import type { Memory } from "./memory.ts"

/** Leaves that are in memory at once. */
const pageMax = 1_000

/** Root and digest of the leaves that the database has of a segment; undefined where it lacks some. */
export const leavesOf = (
  ledger: Ledger["Service"],
  { fromSeq, toSeq }: PartitionRange
): Effect.Effect<ReturnType<SegmentLeaves["finish"]> | undefined, Unavailable> =>
  Effect.gen(function* () {
    const leaves = new SegmentLeaves(fromSeq)
    for (let index = fromSeq - 1; index < toSeq; ) {
      const count = Math.min(pageMax, toSeq - index)
      const page = yield* ledger.treeHashes(0, index, count)
      if (page.length !== count) return undefined
      for (const { hash } of page) leaves.add(hash)
      index += count
    }
    return leaves.finish()
  })

/**
 * Records what became of segments that whoever dropped or loaded them did not live to record: a partition goes and comes in a
 * transaction of its own. What is back is recorded only when it is what was archived.
 */
export const recordForgotten = (
  memory: Memory,
  record: (state: SegmentState, words: string) => Effect.Effect<unknown>
): Effect.Effect<void, Unavailable, Ledger> =>
  Effect.gen(function* () {
    const ledger = yield* Ledger
    const first = (yield* ledger.firstEvent)?.seq ?? 1
    for (const state of [...memory.fleet.segments.values()].sort((a, b) => a.fromSeq - b.fromSeq)) {
      const events = `events ${state.fromSeq} to ${state.toSeq}`
      if (state.phase !== "dropped" && first > state.toSeq) {
        yield* record({ ...state, phase: "dropped" }, "they are gone, and that was not recorded")
        yield* Effect.logWarning(`${events} were dropped, which had not been recorded: it is now`)
      }
      if (state.phase !== "dropped" || first > state.fromSeq) continue
      const found = yield* leavesOf(ledger, state)
      if (found?.root === state.root && found.leavesDigest === state.leavesDigest) {
        yield* record({ ...state, phase: "restored" }, "they are back, and that was not recorded")
        yield* Effect.logWarning(`${events} were restored, which had not been recorded: it is now`)
      } else {
        const { title, fix } = codes.LT0536
        yield* Effect.logError(
          `LT0536 ${title}: ${events}: expected root ${state.root}, found ${found?.root ?? "some of them missing"}. Fix: ${fix}`
        )
      }
    }
  })
