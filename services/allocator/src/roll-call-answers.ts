import type { HeldVip, NodeStatus } from "@lowtide/bus/status"
import { compareStamps } from "@lowtide/domain"

interface RollCallAnswer {
  readonly incarnation: number
  /** How many parts the newest answer has, and which of them are there. */
  of: number
  readonly parts: Set<number>
  /** What any answer told, by network and address: the newest of each. */
  readonly vips: Map<string, HeldVip>
}

/**
 * What nodes have answered to roll calls, part by part; it outlives a leadership, since answers are not given twice gladly.
 * An answer takes nothing back of what was told before in the node's name: one of the two may be forged, and what is
 * forgotten is given to others.
 */
export class RollCallAnswers {
  readonly #answers = new Map<string, RollCallAnswer>()
  /** Of nodes that had heard all of the incarnation when they answered. */
  readonly #late = new Map<string, RollCallAnswer>()

  /** Takes a status that may be a part of an answer. */
  take(status: NodeStatus): void {
    const { cluster, node, held } = status
    if (held === undefined) return
    const key = `${cluster}/${node}`
    for (const answers of hasHeardAll(status, held.incarnation) ? [this.#answers, this.#late] : [this.#answers]) {
      let answer = answers.get(key)
      if (answer?.incarnation !== held.incarnation) {
        answer = { incarnation: held.incarnation, of: held.parts, parts: new Set(), vips: new Map() }
        answers.set(key, answer)
      }
      if (answer.of !== held.parts) answer.parts.clear()
      answer.of = held.parts
      answer.parts.add(held.part)
      for (const vip of held.vips) noteVip(answer, vip)
    }
  }

  /** History is lost anew: what was answered before does not say what came since, even where the incarnation is the same. */
  forget(): void {
    this.#answers.clear()
    this.#late.clear()
  }

  /** What the node holds, once it has told all of it; undefined before. */
  of(cluster: string, node: string, incarnation: number): ReadonlyArray<HeldVip> | undefined {
    return wholeOf(this.#answers.get(`${cluster}/${node}`), incarnation)
  }

  /** The same of a node that had heard all of the incarnation when it told so. */
  lateOf(cluster: string, node: string, incarnation: number): ReadonlyArray<HeldVip> | undefined {
    return wholeOf(this.#late.get(`${cluster}/${node}`), incarnation)
  }

  /** What such a node told is merged, but for the rest: it need not tell it again, and what it told grows old. */
  settle(cluster: string, node: string, rest: ReadonlyArray<HeldVip>): void {
    const answer = this.#late.get(`${cluster}/${node}`)
    answer?.vips.clear()
    for (const vip of rest) answer?.vips.set(keyOf(vip), vip)
  }
}

const noteVip = ({ vips }: RollCallAnswer, vip: HeldVip): void => {
  const key = keyOf(vip)
  const before = vips.get(key)
  if (before === undefined || compareStamps(before.stamp, vip.stamp) < 0) vips.set(key, vip)
}

const keyOf = ({ network, address }: HeldVip): string => `${network}/${address}`

const wholeOf = (answer: RollCallAnswer | undefined, incarnation: number): ReadonlyArray<HeldVip> | undefined =>
  answer?.incarnation !== incarnation || answer.parts.size < answer.of ? undefined : [...answer.vips.values()]

/** Whether a node has all that was published in the incarnation: what else it holds, that does not speak of. */
export const hasHeardAll = ({ sync, stamp }: NodeStatus, incarnation: number): boolean =>
  sync === "live" && stamp?.incarnation === incarnation
