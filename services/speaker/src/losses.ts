import { compareStamps, type NodeIntent, type Stamp, type VipIntent } from "@lowtide/domain/announcing/intent"
import type { SpeakerLife } from "./life.ts"
import { restartTimeSeconds } from "./peer-options.ts"

interface Down {
  readonly keptUntilMs: number
  readonly stamp: Stamp
}

/** What the losses are told by, and where they are kept. */
export interface LossesPort {
  readonly life: SpeakerLife
  readonly monotonicMs: () => number
  readonly unixMs: () => number
  /** The newest stamp that is held. */
  readonly newestStamp: () => Stamp | undefined
}

/**
 * What peers have lost of this node's routes. Flows went to other nodes then, and would move once more if the node were an
 * equal again at once: where the centre lists who is, the node comes back as a standby, until a word of the centre that is
 * newer than the loss.
 */
export class Losses {
  readonly #port: LossesPort
  /** By peer, the newest stamp that was held at the loss; it begins with what an earlier process noted. */
  readonly #lost: Map<string, Stamp>
  readonly #down = new Map<string, Down>()

  constructor(port: LossesPort) {
    this.#port = port
    this.#lost = new Map(Object.entries(port.life.former?.lost ?? {}))
  }

  /** Whether the peer lost the VIP since the centre last spoke of it. */
  has(peer: string, { admission, stamp }: Pick<VipIntent, "admission" | "stamp">): boolean {
    const lost = this.#lost.get(peer)
    return lost !== undefined && admission._tag === "Listed" && compareStamps(stamp, lost) <= 0
  }

  /** What peers have lost of this node while no process of it ran; the next process is to know of it as well. */
  noteRestart(node: NodeIntent): void {
    const { life, unixMs } = this.#port
    if (life.hasBooted === undefined) return
    // Of a process that nothing is known of it is not known either that it ran lately.
    const silentSeconds = (unixMs() - (life.former?.aliveAtMs ?? Number.NEGATIVE_INFINITY)) / 1000
    const lost = new Set(lostByRestart(node, life.hasBooted, silentSeconds))
    // Who may keep them still has lost them unless it is met in time.
    const leftSeconds = restartTimeSeconds - silentSeconds
    for (const { name } of node.peers) this.ended(name, lost.has(name) ? 0 : Math.max(0, leftSeconds))
    if (this.take()) this.keep()
  }

  /** A session ended; its peer keeps the routes for so long, 0: not at all. */
  ended(peer: string, keptForSeconds: number): void {
    const stamp = this.#port.newestStamp()
    if (stamp === undefined) return
    this.#down.set(peer, { keptUntilMs: this.#port.monotonicMs() + keptForSeconds * 1000, stamp })
  }

  /** Whether there are peers that have lost everything by now, and had not when this was last asked. */
  take(): boolean {
    const nowMs = this.#port.monotonicMs()
    const gone = [...this.#down].filter(([, { keptUntilMs }]) => nowMs >= keptUntilMs)
    for (const [peer, { stamp }] of gone) {
      this.#down.delete(peer)
      this.#lost.set(peer, stamp)
    }
    return gone.length > 0
  }

  /** Leaves what was lost to the next process. */
  keep(): void {
    this.#port.life.keepLost(this.#lost, this.#port.unixMs())
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
const lostByRestart = ({ peers }: NodeIntent, hasBooted: boolean, silentSeconds: number) => {
  const hasLost = hasBooted || silentSeconds > restartTimeSeconds
  return peers.flatMap(({ name, gracefulRestart }) => (hasLost || gracefulRestart !== true ? [name] : []))
}
