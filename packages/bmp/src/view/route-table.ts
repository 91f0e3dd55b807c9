import { formatIpAddress, type IpAddress, type Prefix } from "@lowtide/net"

/** A route of a router's table as the station learned of it. Times are the station's own clock. */
export interface KnownRoute {
  readonly prefix: Prefix
  readonly sinceMs: number
  /** It came with the table that a connection begins with, so it may be older than `sinceMs`. */
  readonly isFromDump: boolean
  readonly nextHop: string | undefined
}

/** A route that was there and is not. */
export interface GoneRoute {
  readonly atMs: number
  readonly nextHop: string | undefined
}

/** What a change did. */
export type RouteOutcome = "added" | "kept" | "removed" | "unknown" | "full"

interface Entry extends KnownRoute {
  /** Where prefixes have path identifiers: the paths that are there. */
  readonly paths: Set<number> | undefined
}

/** How many places routes may take; shared by the tables of a router. */
export interface RouteBudget {
  left: number
}

/** How many prefixes that went are remembered of one table; the longest gone are forgotten first. */
export const goneMax = 10_000

/** The routes of one view of one peer (RFC 7854 §5), and which went when. */
export class RouteTable {
  readonly #budget: RouteBudget
  readonly #routes = new Map<number | bigint, Entry>()
  readonly #gone = new Map<number | bigint, GoneRoute>()
  readonly #hops = new Map<bigint, string>()

  constructor(budget: RouteBudget) {
    this.#budget = budget
  }

  get size(): number {
    return this.#routes.size
  }

  get(prefix: Prefix): KnownRoute | undefined {
    return this.#routes.get(prefixKey(prefix))
  }

  gone(prefix: Prefix): GoneRoute | undefined {
    return this.#gone.get(prefixKey(prefix))
  }

  announce(
    prefix: Prefix & { readonly pathId?: number },
    nextHop: IpAddress | undefined,
    at: { readonly nowMs: number; readonly isFromDump: boolean }
  ): RouteOutcome {
    const key = prefixKey(prefix)
    const known = this.#routes.get(key)
    const hop = this.#hopText(nextHop)
    if (known !== undefined) {
      if (prefix.pathId !== undefined) known.paths?.add(prefix.pathId)
      if (known.nextHop !== hop) this.#routes.set(key, { ...known, nextHop: hop })
      return "kept"
    }
    if (this.#budget.left <= 0) return "full"
    this.#budget.left--
    const paths = prefix.pathId === undefined ? undefined : new Set([prefix.pathId])
    const { address, lengthBits } = prefix
    this.#routes.set(key, {
      prefix: { address, lengthBits },
      sinceMs: at.nowMs,
      isFromDump: at.isFromDump,
      nextHop: hop,
      paths
    })
    this.#gone.delete(key)
    return "added"
  }

  withdraw(prefix: Prefix & { readonly pathId?: number }, nowMs: number): RouteOutcome {
    const key = prefixKey(prefix)
    const known = this.#routes.get(key)
    if (known === undefined) return "unknown"
    if (known.paths !== undefined && prefix.pathId !== undefined) {
      known.paths.delete(prefix.pathId)
      if (known.paths.size > 0) return "kept"
    }
    this.#routes.delete(key)
    this.#budget.left++
    if (this.#gone.size >= goneMax)
      for (const oldest of this.#gone.keys()) {
        this.#gone.delete(oldest)
        break
      }
    this.#gone.set(key, { atMs: nowMs, nextHop: known.nextHop })
    return "removed"
  }

  /** Forgets all of it, also what went. */
  clear(): void {
    this.#budget.left += this.#routes.size
    this.#routes.clear()
    this.#gone.clear()
    this.#hops.clear()
  }

  /** One text for each next hop: there are few of them, and many routes. */
  #hopText(nextHop: IpAddress | undefined): string | undefined {
    if (nextHop === undefined) return undefined
    const key = (nextHop.value << 1n) | (nextHop.family === 4 ? 0n : 1n)
    let text = this.#hops.get(key)
    if (text === undefined) {
      if (this.#hops.size >= goneMax) this.#hops.clear()
      text = formatIpAddress(nextHop)
      this.#hops.set(key, text)
    }
    return text
  }
}

/** A key for a Map: a number where the prefix fits (IPv4), which costs no allocation worth mentioning. */
const prefixKey = ({ address, lengthBits }: Prefix): number | bigint =>
  address.family === 4 ? Number(address.value) * 64 + lengthBits : (address.value << 8n) | BigInt(lengthBits)
