import type { NodeIntent, VipIntent } from "@lowtide/domain/announcing/intent"
import type { Held } from "./held-state.ts"
import type { RouteTable } from "./route-table.ts"

/** How long a withdrawal counts. */
export const brakeWindowMs = 60_000

/** Withdrawals in one minute that are never refused: ten are. */
export const brakeFreeCount = 9

/** The part of a node's prefixes that its intents may withdraw in one minute. */
export const brakeShare = 0.3

/** Prefixes that may be withdrawn in one minute, of so many. */
export const brakeLimit = (prefixes: number): number => Math.max(brakeFreeCount, Math.floor(prefixes * brakeShare))

/** A message that is to take effect, and what is in effect under its key. */
export interface Proposed {
  readonly key: string
  readonly message: VipIntent | NodeIntent
  readonly previous: Held<VipIntent | NodeIntent> | undefined
}

/** A message that waits, and what stays in effect instead. */
export interface Kept {
  readonly pending: VipIntent | NodeIntent
  readonly inEffect: Held<VipIntent | NodeIntent>
  /** Milliseconds since 1970, by the node's clock: for people. */
  readonly sinceMs: number
}

/** What the brake reads of a route table. */
export type BrakeTable = Pick<RouteTable, "announcedCount" | "isAnnounced" | "withdrawnBy" | "vip">

/**
 * Holds back intents that would withdraw too much at once. It judges what messages do to the routes of this node as it is
 * now, with its own endpoints, so what health withdrew already costs nothing and what health withdraws is never asked.
 *
 * In the minute before any withdrawal by intents without `massWithdraw`, that one included, the prefixes so withdrawn are
 * at most nine, or 30 % of those that the node announces and those that were so withdrawn.
 */
export class Brake {
  readonly #node: string
  readonly #table: BrakeTable
  /** By key. No more than there are intents in effect. */
  readonly #kept: Map<string, Kept>
  /** When each prefix was last withdrawn by an intent, the clock that never goes back. No more than the limit. */
  readonly #withdrawnAtMs = new Map<string, number>()
  #heldTotal = 0

  constructor(node: string, table: BrakeTable, kept: ReadonlyMap<string, Kept>) {
    this.#node = node
    this.#table = table
    this.#kept = new Map(kept)
  }

  /** What waits, by key. */
  get kept(): ReadonlyMap<string, Kept> {
    return this.#kept
  }

  /** Messages that were held back since the process began. */
  get heldTotal(): number {
    return this.#heldTotal
  }

  /** The lowest number among the tombstones that wait: nothing from it on is withdrawn everywhere. */
  get tombstoneCseq(): number {
    const numbers = [...this.#kept.values()].flatMap(({ pending }) =>
      pending._tag === "VipIntent" && pending.state === "withdrawn" ? pending.cseq : []
    )
    return Math.min(...numbers, Number.POSITIVE_INFINITY)
  }

  /** What its minute has come to, of how many prefixes. */
  minute(nowMs: number): { readonly withdrawn: number; readonly of: number } {
    this.#forget(nowMs)
    return { withdrawn: this.#withdrawnAtMs.size, of: this.#prefixes() }
  }

  /** Whom this node believes has changed, and what was kept in effect is not believed any more. */
  drop(key: string): void {
    this.#kept.delete(key)
  }

  /**
   * Judges messages that are to take effect together, in their order, and answers what is held back of them. The same
   * ones may be judged again before they take effect: what is counted is counted once.
   */
  judge(
    proposed: ReadonlyArray<Proposed>,
    at: { readonly nowMs: number; readonly unixMs: number }
  ): ReadonlyMap<string, Kept> {
    this.#forget(at.nowMs)
    // Of one key the last word takes effect, in place of what was there before the first.
    const previous = new Map([...proposed].reverse().map((each) => [each.key, each.previous]))
    const last = [...new Map(proposed.map((each) => [each.key, each])).values()]
    const vips = last.flatMap(({ key, message }) => (message._tag === "VipIntent" ? { key, message } : []))
    const free = vips.filter(({ key, message }) => previous.get(key) === undefined || this.#isCommanded(message))
    const judged = new Map(vips.filter((vip) => !free.includes(vip)).map((vip) => [vip.key, vip]))
    const commanded = this.#withdrawnBy(free)
    let withdrawn: ReadonlySet<string> = new Set()
    while (judged.size > 0) {
      withdrawn = without(this.#withdrawnBy([...free, ...judged.values()]), commanded)
      const tooMany = this.#beyondLimit(withdrawn)
      const over = [...judged.values()].filter(({ key, message }) => {
        const prefixes = this.#table.vip(message.address)?.routes.map(({ prefix }) => prefix) ?? []
        // What waits already goes when it withdraws nothing any more, and not for the mere passing of time.
        return prefixes.some((prefix) => tooMany.has(prefix) || (this.#kept.has(key) && withdrawn.has(prefix)))
      })
      if (over.length === 0) break
      for (const { key } of over) judged.delete(key)
      if (judged.size === 0) withdrawn = new Set()
    }
    const passed = new Set([...free, ...judged.values()].map(({ key }) => key))
    const node = last.find(({ message }) => message._tag === "NodeIntent")
    if (node !== undefined && node.message._tag === "NodeIntent") {
      const effective = [...free, ...judged.values()].map(({ message }) => message)
      const all = this.#table.withdrawnBy({ node: node.message, vips: effective })
      const counted = this.#isCommanded(node.message) ? withdrawn : without(all, commanded)
      const more = without(counted, withdrawn)
      const waits = more.size > 0 && (this.#kept.has(node.key) || this.#beyondLimit(counted).size > 0)
      if (!waits) {
        passed.add(node.key)
        withdrawn = counted
      }
    }
    for (const prefix of withdrawn) this.#withdrawnAtMs.set(prefix, at.nowMs)
    return this.#keep(last, passed, previous, at.unixMs)
  }

  #keep(
    last: ReadonlyArray<Proposed>,
    passed: ReadonlySet<string>,
    previous: ReadonlyMap<string, Proposed["previous"]>,
    sinceMs: number
  ): ReadonlyMap<string, Kept> {
    const kept = new Map<string, Kept>()
    for (const { key, message } of last) {
      const before = this.#kept.get(key)
      const inEffect = before?.inEffect ?? previous.get(key)
      if (passed.has(key) || inEffect === undefined) {
        this.#kept.delete(key)
        continue
      }
      if (before === undefined) this.#heldTotal++
      kept.set(key, { pending: message, inEffect, sinceMs: before?.sinceMs ?? sinceMs })
    }
    for (const [key, each] of kept) this.#kept.set(key, each)
    return kept
  }

  #withdrawnBy(vips: ReadonlyArray<{ readonly message: VipIntent }>): ReadonlySet<string> {
    return vips.length === 0 ? new Set() : this.#table.withdrawnBy({ vips: vips.map(({ message }) => message) })
  }

  /** Those of the prefixes for which there is no room in this minute; the first ones have it. */
  #beyondLimit(withdrawn: ReadonlySet<string>): ReadonlySet<string> {
    const room = brakeLimit(this.#prefixes()) - this.#withdrawnAtMs.size
    if (room < 0) return withdrawn // health has made the whole smaller since
    return new Set([...withdrawn].filter((prefix) => !this.#withdrawnAtMs.has(prefix)).slice(room))
  }

  /** Prefixes that the node announces, or that intents withdrew in this minute. */
  #prefixes(): number {
    const gone = [...this.#withdrawnAtMs.keys()].filter((prefix) => !this.#table.isAnnounced(prefix))
    return this.#table.announcedCount + gone.length
  }

  #isCommanded({ massWithdraw }: VipIntent | NodeIntent): boolean {
    return massWithdraw !== undefined && (massWithdraw.nodes ?? [this.#node]).includes(this.#node)
  }

  #forget(nowMs: number): void {
    for (const [prefix, atMs] of this.#withdrawnAtMs) {
      if (nowMs - atMs >= brakeWindowMs) this.#withdrawnAtMs.delete(prefix)
    }
  }
}

const without = (all: ReadonlySet<string>, some: ReadonlySet<string>): ReadonlySet<string> =>
  some.size === 0 ? all : new Set([...all].filter((item) => !some.has(item)))
