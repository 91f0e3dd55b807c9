import { compareStamps, type NodeIntent, type Stamp, type VipIntent } from "@lowtide/domain/announcing/intent"
import type { SpeakerLife } from "./life.ts"
import { restartTimeSeconds } from "./peer-options.ts"

interface Down {
  readonly keptUntilMs: number
  readonly stamp: Stamp
}

/**
 * What peers have lost of this node's routes. Flows went to other nodes then, and would move once more if the node were an
 * equal again at once: where the centre lists who is, the node comes back as a standby, until a word of the centre that is
 * newer than the loss.
 */
export class Losses {
  readonly #lost: Map<string, Stamp>
  readonly #down = new Map<string, Down>()

  /** `saved`: what an earlier process noted. */
  constructor(saved: ReadonlyMap<string, Stamp>) {
    this.#lost = new Map(saved)
  }

  /** By peer, the newest stamp that was held at the loss. */
  get stamps(): ReadonlyMap<string, Stamp> {
    return this.#lost
  }

  /** Whether the peer lost the VIP since the centre last spoke of it. */
  has(peer: string, { admission, stamp }: Pick<VipIntent, "admission" | "stamp">): boolean {
    const lost = this.#lost.get(peer)
    return lost !== undefined && admission._tag === "Listed" && compareStamps(stamp, lost) <= 0
  }

  /** A session ended; its peer keeps the routes for so long, 0: not at all. Milliseconds of a clock that never goes back. */
  ended(
    peer: string,
    at: { readonly nowMs: number; readonly keptMs: number; readonly stamp: Stamp | undefined }
  ): void {
    if (at.stamp !== undefined) this.#down.set(peer, { keptUntilMs: at.nowMs + at.keptMs, stamp: at.stamp })
  }

  /** Peers that have lost everything by now, and had not when this was last asked. */
  take(nowMs: number): ReadonlyArray<string> {
    const gone = [...this.#down].filter(([, { keptUntilMs }]) => nowMs >= keptUntilMs)
    for (const [peer, { stamp }] of gone) {
      this.#down.delete(peer)
      this.#lost.set(peer, stamp)
    }
    return gone.map(([peer]) => peer)
  }

  /**
   * The peer is back, and says that it keeps no routes over a restart: then it has kept none of the session before, whatever that was
   * taken to have agreed. An earlier process leaves no word of what its routers did.
   */
  keepsNothing(peer: string): void {
    const down = this.#down.get(peer)
    if (down !== undefined) this.#down.set(peer, { ...down, keptUntilMs: Number.NEGATIVE_INFINITY })
  }

  /** The session is up again, in time or not: `take` comes before. */
  up(peer: string): void {
    this.#down.delete(peer)
  }
}

/** Peers that have lost everything since the process before this one: the node was down, or they did not keep it so long. */
export const lostByRestart = ({ peers }: NodeIntent, { former, hasBooted }: SpeakerLife, unixMs: number) => {
  if (former === undefined) return []
  const isLate = unixMs - former.aliveAtMs > restartTimeSeconds * 1000
  const hasLost = hasBooted === true || isLate
  return peers.flatMap(({ name, gracefulRestart }) => (hasLost || gracefulRestart !== true ? [name] : []))
}
