import { Effect } from "effect"
import type { BfdGuard } from "./bfd-guard.ts"
import type { Peers } from "./peers.ts"
import type { Turns } from "./turns.ts"

/** Ends every session. Routers that were asked to keep the node's routes do so for the restart time. */
export const stopSessions = (peers: Peers): Effect.Effect<void> =>
  peers.stopAll((peer) =>
    peer.status().keptForSeconds > 0
      ? { subcode: "none" }
      : { subcode: "administrative-shutdown", text: "speaker stops" }
  )

/** What a node that leaves has. */
export interface Leaving {
  readonly turns: Turns
  readonly peers: Peers
  readonly bfd: Pick<BfdGuard, "configure">
  readonly isQuiet: boolean
}

/**
 * Leaves for good: every route becomes the last choice (RFC 8326), routers get so long to choose others, and then drop
 * what is left at once.
 */
export const leaveForGood = ({ turns, peers, bfd, isQuiet }: Leaving, waitMs: number): Effect.Effect<void> =>
  Effect.gen(function* () {
    turns.run()
    turns.leave()
    if (!isQuiet) turns.tellAll()
    yield* Effect.sleep(waitMs)
    yield* peers.stopAll(() => ({ subcode: "hard-reset", text: "node leaves" }))
    bfd.configure([])
  })
