import type { HeldVip, NodeStatus } from "@lowtide/bus/status"

interface RollCallAnswer {
  readonly incarnation: number
  readonly of: number
  readonly parts: Map<number, ReadonlyArray<HeldVip>>
}

/** What nodes have answered to roll calls, part by part; it outlives a leadership, since answers are not given twice gladly. */
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
      if (answer?.incarnation !== held.incarnation || answer.of !== held.parts) {
        answer = { incarnation: held.incarnation, parts: new Map(), of: held.parts }
        answers.set(key, answer)
      }
      answer.parts.set(held.part, held.vips)
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
    const parts = this.#late.get(`${cluster}/${node}`)?.parts
    for (const part of parts?.keys() ?? []) parts?.set(part, part === 0 ? rest : [])
  }
}

const wholeOf = (answer: RollCallAnswer | undefined, incarnation: number): ReadonlyArray<HeldVip> | undefined =>
  answer?.incarnation !== incarnation || answer.parts.size < answer.of ? undefined : [...answer.parts.values()].flat()

/** Whether a node has all that was published in the incarnation: what else it holds, that does not speak of. */
export const hasHeardAll = ({ sync, stamp }: NodeStatus, incarnation: number): boolean =>
  sync === "live" && stamp?.incarnation === incarnation
