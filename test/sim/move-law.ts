import type { SimRouters } from "./router.ts"
import { fail } from "./violation.ts"

/** What an allocator had heard of a node when it ended moves. */
export interface HeardOf {
  readonly announcing: ReadonlyArray<string>
  readonly ageMs: number
}

/** A move that an allocator holds to be over. */
export interface EndedMove {
  readonly namespace: string
  readonly name: string
  readonly address: string
  readonly successor?: string
}

/** What the log says at the moment. */
export interface MoveFacts {
  /** What a Service has and is not leaving. */
  readonly staying: (cluster: string, service: string) => ReadonlyArray<string>
  /** Everything that it has. */
  readonly had: (cluster: string, service: string) => ReadonlyArray<string>
  readonly isThere: (cluster: string, node: string) => boolean
  /** Whether a node is there, not excluded, and one that is to announce the address by configuration. */
  readonly mayAnnounce: (cluster: string, node: string, address: string) => boolean
}

/** A node that was heard longer ago may have changed since. */
const freshMs = 45_000

/** Make before break, written a second time: from what nodes said, and from routers' tables. */
export class MoveLaw {
  readonly #facts: MoveFacts
  /** By cluster, Service, old and new address. */
  readonly #proven = new Set<string>()
  readonly #faults = new Map<string, string>()
  #watched:
    | {
        readonly cluster: string
        readonly service: string
        readonly addresses: Set<string>
        /** Who is to reach it all the while; anyone, where none is named. */
        readonly routers: ReadonlyArray<string | undefined>
      }
    | undefined

  constructor(facts: MoveFacts) {
    this.#facts = facts
  }

  /** An allocator ends moves, by what it has heard of the cluster's nodes. It may be one that leads no more. */
  ended(cluster: string, moves: ReadonlyArray<EndedMove>, heard: ReadonlyMap<string, HeardOf>): void {
    for (const { namespace, name, address, successor } of moves) {
      if (successor === undefined) continue
      const key = `${cluster} ${namespace}/${name} ${address} ${successor}`
      const fault = this.#fault(cluster, { address, successor }, heard)
      if (fault === undefined) this.#proven.add(key)
      else this.#faults.set(key, fault)
    }
  }

  /** Why one may not take the other's place yet. A node of which the Node object is gone is on its way out. */
  #fault(
    cluster: string,
    { address, successor }: { readonly address: string; readonly successor: string },
    heard: ReadonlyMap<string, HeardOf>
  ): string | undefined {
    const there = [...heard].filter(([node]) => this.#facts.isThere(cluster, node))
    const isMade = there.some(([, { announcing, ageMs }]) => ageMs <= freshMs && announcing.includes(successor))
    for (const [node, { announcing, ageMs }] of there) {
      if (!announcing.includes(address)) continue
      if (!isMade) return `no node announces ${successor}, and ${node} ${address}`
      if (ageMs <= freshMs && !announcing.includes(successor) && this.#facts.mayAnnounce(cluster, node, successor))
        return `${node} does not announce ${successor} yet`
    }
    return undefined
  }

  /** An address is released because another took its place. */
  released(seq: number, cluster: string, service: string, address: string): void {
    const keys = this.#facts
      .staying(cluster, service)
      .map((successor) => `${cluster} ${service} ${address} ${successor}`)
    if (keys.some((key) => this.#proven.delete(key))) return
    const fault = keys.map((key) => this.#faults.get(key)).find((text) => text !== undefined)
    fail("make before break", `event ${seq} releases ${address}: ${fault ?? "nothing showed what took its place"}`)
  }

  /**
   * From here on the Service is not to be out of reach for a moment: at any router or, where each that has the one address
   * is to have the other as well, at each that reaches it now.
   */
  watch(cluster: string, service: string, isAlike: boolean, routers: ReadonlyMap<string, SimRouters>): void {
    const addresses = new Set(this.#facts.had(cluster, service))
    const reaching = new Set(reachedAt(cluster, addresses, routers))
    this.#watched = { cluster, service, addresses, routers: isAlike ? [...reaching] : [undefined] }
  }

  unwatch(): void {
    this.#watched = undefined
  }

  /** Whether some router of the cluster has an address of the Service from a node that is up. */
  isReached(cluster: string, addresses: Iterable<string>, routers: ReadonlyMap<string, SimRouters>): boolean {
    return reachedAt(cluster, addresses, routers).length > 0
  }

  wire(routers: ReadonlyMap<string, SimRouters>): void {
    if (this.#watched === undefined) return
    const { cluster, service, addresses } = this.#watched
    const wanted = this.#watched.routers
    for (const address of this.#facts.had(cluster, service)) addresses.add(address)
    const reaching = reachedAt(cluster, addresses, routers)
    for (const router of wanted) {
      if (router === undefined ? reaching.length > 0 : reaching.includes(router)) continue
      const where = `at ${[...addresses].join(" and at ")}${router === undefined ? "" : `, for router ${router}`}`
      fail("make before break", `${cluster} ${service} is out of reach, ${where}`)
    }
  }
}

/** The routers of the cluster that have one of the addresses, from nodes that are up. */
const reachedAt = (
  cluster: string,
  addresses: Iterable<string>,
  routers: ReadonlyMap<string, SimRouters>
): ReadonlyArray<string> => {
  const up = (routers.get(cluster)?.neighbours ?? []).filter(({ forgetsAtMs }) => forgetsAtMs === undefined)
  return [...addresses].flatMap((address) =>
    up.flatMap(({ router, prefixes }) => (prefixes.has(`${address}/32`) ? router : []))
  )
}
