import type { ContestedAddress } from "@lowtide/api/recovery"
import type { HeldVip, NodeStatus } from "@lowtide/bus/status"
import { type Command, isOpenTo, isTaken } from "@lowtide/domain"
import { Effect } from "effect"
import type { HeardNode } from "./centre.ts"
import { type Claim, type Contests, holdersOf, rememberedOf } from "./claims.ts"
import type { Memory } from "./memory.ts"
import { hasHeardAll, type RollCallAnswers } from "./roll-call-answers.ts"

/** VIPs taken over by one command. */
export const adoptedAtOnce = 500

/** What is needed to hear who comes late. */
export interface LateParts {
  readonly memory: Memory
  readonly nodes: ReadonlyMap<string, HeardNode>
  readonly answers: RollCallAnswers
  readonly submit: (command: Command) => Effect.Effect<unknown>
  readonly contests: Contests
  /** Whether a cluster is published anew, with all that it has. */
  readonly isWhole: (cluster: string) => boolean
}

/** Nodes that are heard when their cluster is published anew, and hold something from before that nobody spoke of. */
export class LateNodes {
  readonly #parts: LateParts

  constructor(parts: LateParts) {
    this.#parts = parts
  }

  /** Whom to ask what they hold, by cluster. */
  get unasked(): ReadonlyMap<string, ReadonlyArray<string>> {
    const { answers, memory } = this.#parts
    const unasked = new Map<string, Array<string>>()
    for (const { cluster, node } of this.#late) {
      if (answers.lateOf(cluster, node, memory.head.incarnation) !== undefined) continue
      unasked.set(cluster, [...(unasked.get(cluster) ?? []), node])
    }
    return unasked
  }

  /** What nodes that were heard late hold, and another cluster was given since. */
  get contested(): ReadonlyArray<ContestedAddress> {
    const { fleet } = this.#parts.memory
    return this.#late.flatMap(({ cluster, node }) =>
      this.#formerOf(cluster, node).flatMap(({ network, address, services }) => {
        const others = fleet.vipsAt(network, address).filter((vip) => isTaken(fleet, vip, cluster))
        if (others.length === 0) return []
        const names = services.map(({ namespace, name }) => `${namespace}/${name}`)
        return { network, address, cluster, services: names, node, others: others.flatMap(holdersOf) }
      })
    )
  }

  /** What a node holds that was heard late, and announces of before the loss. */
  #formerOf(cluster: string, node: string): ReadonlyArray<HeldVip> {
    const { incarnation } = this.#parts.memory.head
    return (this.#parts.answers.lateOf(cluster, node, incarnation) ?? []).filter(
      ({ state, stamp }) => state === "announced" && stamp.incarnation < incarnation
    )
  }

  /** Nodes that have all that their cluster was published anew with, and hold what that does not speak of. */
  get #late(): ReadonlyArray<NodeStatus> {
    const { memory, nodes, isWhole } = this.#parts
    if (memory.fleet.recovery === undefined) return []
    return [...nodes.values()].flatMap(({ status }) =>
      (status.former ?? 0) > 0 && hasHeardAll(status, memory.head.incarnation) && isWhole(status.cluster)
        ? [status]
        : []
    )
  }

  /**
   * Takes over what a node held while nobody heard it, where the log has nobody for it. Where the log has given it to
   * another since, a person has to say which of the two goes.
   */
  hear() {
    return Effect.gen({ self: this }, function* () {
      const { memory, answers, submit, contests } = this.#parts
      const { fleet } = memory
      for (const { cluster, node } of this.#late) {
        const former = this.#formerOf(cluster, node)
        if (former.length === 0) continue
        const claims = former.map((vip): Claim => ({ cluster, ...vip }))
        yield* contests.say(fleet, claims, `node ${cluster}/${node}`)
        const unknown = claims.filter(({ network, address }) => isOpenTo(fleet, network, address, cluster))
        for (let start = 0; start < unknown.length; start += adoptedAtOnce) {
          const vips = unknown.slice(start, start + adoptedAtOnce)
          yield* submit({ _tag: "AdoptVips", cluster, vips: vips.map(rememberedOf) })
        }
        // When another lets it go, it is reserved for who holds it here.
        const contested = former.filter(({ network, address }) =>
          fleet.vipsAt(network, address).some((vip) => isTaken(fleet, vip, cluster))
        )
        if (unknown.length === 0) answers.settle(cluster, node, contested)
      }
    })
  }
}
