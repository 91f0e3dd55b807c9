/** Who is on the other end of an interface. */
export type Neighbor =
  | { readonly _tag: "Nobody" }
  /** Its link-local address, canonical, without a zone. */
  | { readonly _tag: "One"; readonly address: string }
  | { readonly _tag: "Several"; readonly addresses: ReadonlyArray<string> }

/** A router that advertises itself every so often is there for three times as long; at the least for this long. */
export const thereMsMin = 35_000

/** RFC 4861 §6.2.1: no router advertises itself less often. */
const advertisedMsMax = 1_800_000
const rememberedMs = 3 * advertisedMsMax

/** Addresses that are remembered; somebody on the link may invent any number. */
export const addressesMax = 16

interface Router {
  lastMs: number
  /** The longest that it was not heard between two times. */
  gapMs: number
}

/**
 * The routers of one link, by when they advertised themselves. One alone is believed for as long as there is no other: nothing says how
 * often a router will advertise itself. Another one takes its place once it is not heard any more, or was not since the
 * link came up; while both are heard it cannot be told which of them is meant. Times are monotonic milliseconds.
 */
export class Segment {
  readonly #routers = new Map<string, Router>()
  #current: string | undefined
  #upSinceMs = Number.NEGATIVE_INFINITY

  /** The link came up: what was on it may be another router now. */
  linkUp(nowMs: number): void {
    this.#upSinceMs = nowMs
  }

  hear(address: string, nowMs: number): void {
    const router = this.#routers.get(address)
    if (router === undefined) this.#routers.set(address, { lastMs: nowMs, gapMs: 0 })
    else {
      // A silence in which it was away, or the link was, is not its pace.
      const gapMs = nowMs - router.lastMs
      if (router.lastMs >= this.#upSinceMs && gapMs <= advertisedMsMax) router.gapMs = Math.max(router.gapMs, gapMs)
      router.lastMs = nowMs
    }
    this.#forget(nowMs)
  }

  look(nowMs: number): Neighbor {
    const there = [...this.#routers].flatMap(([address, router]) => (this.#isThere(router, nowMs) ? address : []))
    const [first] = there
    if (this.#current === undefined || (first !== undefined && !there.includes(this.#current))) this.#current = first
    if (there.length > 1) return { _tag: "Several", addresses: there.sort() }
    return this.#current === undefined ? { _tag: "Nobody" } : { _tag: "One", address: this.#current }
  }

  #isThere({ lastMs, gapMs }: Router, nowMs: number): boolean {
    return lastMs >= this.#upSinceMs && nowMs - lastMs <= Math.max(thereMsMin, 3 * gapMs)
  }

  #forget(nowMs: number): void {
    for (const [address, { lastMs }] of this.#routers) {
      if (nowMs - lastMs > rememberedMs) this.#routers.delete(address)
    }
    while (this.#routers.size > addressesMax) {
      const [oldest] = [...this.#routers].filter(([address]) => address !== this.#current).sort(byLastHeard)
      if (oldest === undefined) return
      this.#routers.delete(oldest[0])
    }
  }
}

const byLastHeard = ([, left]: readonly [string, Router], [, right]: readonly [string, Router]): number =>
  left.lastMs - right.lastMs
