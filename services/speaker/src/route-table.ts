import type { AdvertisedRoute, IntentService, NodeIntent, VipIntent } from "@lowtide/domain/announcing/intent"
import {
  isOnTheWire,
  type NodeRoutes,
  nodeRoutes,
  type ServiceHealth,
  type Verdict,
  type WantedRoute,
  withServedRoutes
} from "@lowtide/domain/announcing/node-routes"

/** What a change of intents or endpoints comes to. */
export interface RouteDifference {
  /** By peer, then by prefix; undefined withdraws. Peers of which nothing changed are left out. */
  readonly byPeer: ReadonlyMap<string, ReadonlyMap<string, WantedRoute | undefined>>
  /** Addresses whose verdict is another than before. */
  readonly verdicts: ReadonlyMap<string, Verdict>
}

/** What is kept from every peer, whatever intents say. */
export interface Withholding {
  readonly isEmpty: boolean
  readonly holds: (prefix: string) => boolean
}

/**
 * What every peer of this node is to have. It computes again only what a change can touch: the changed VIPs, and those
 * that share a prefix with one of them (an aggregate belongs to many).
 */
export class RouteTable {
  readonly #health: (service: string) => ServiceHealth
  readonly #hasLost: ((peer: string, intent: VipIntent) => boolean) | undefined
  readonly #withheld: Withholding
  readonly #vips = new Map<string, VipIntent>()
  readonly #verdicts = new Map<string, Verdict>()
  /** Addresses by prefix and by Service (`namespace/name`). */
  readonly #byPrefix = new Index()
  readonly #byService = new Index()
  #wanted = new Map<string, Map<string, WantedRoute>>()
  /** How many peers are to have a prefix. */
  readonly #peersOf = new Map<string, number>()
  #node: NodeIntent | undefined

  /**
   * `hasLost`: whether a peer has lost a VIP of this node; once that changes the VIP is updated as it is. `withheld`: what is
   * kept from every peer; once that changes its prefixes are updated.
   */
  constructor(
    health: (service: string) => ServiceHealth,
    hasLost?: (peer: string, intent: VipIntent) => boolean,
    withheld: Withholding = { isEmpty: true, holds: () => false }
  ) {
    this.#health = health
    this.#hasLost = hasLost
    this.#withheld = withheld
  }

  /** Prefixes that some VIP has, whether a peer is to have them or not. */
  get prefixes(): ReadonlyArray<string> {
    return [...this.#byPrefix.keys()]
  }

  /** VIPs of which the centre lists who announces them as equals. */
  get listed(): ReadonlyArray<VipIntent> {
    return [...this.#vips.values()].filter(
      ({ state, admission }) => state === "announced" && admission._tag === "Listed"
    )
  }

  /** Those of a VIP's routes that are for this node. */
  ownRoutes({ routes }: Pick<VipIntent, "routes">): ReadonlyArray<AdvertisedRoute> {
    const node = this.#node?.node
    return node === undefined ? [] : routes.filter(({ nodes }) => nodes.includes(node))
  }

  /** Whether a VIP is kept from a peer of its routes from here: the node is standby for it there, and the peer takes none. */
  isKept(peer: string, intent: VipIntent): boolean {
    if (this.#node?.peers.find(({ name }) => name === peer)?.standby !== "none") return false
    const served = withServedRoutes(intent, this.#healthOf)
    if (!this.ownRoutes(served).some(({ peers }) => peers.includes(peer))) return false
    const verdict = this.#verdicts.get(intent.address)?._tag
    if (verdict === "Standby" || verdict === "NoStandby") return true
    return verdict === "Announced" && this.#hasLost?.(peer, intent) === true
  }

  /** What a peer is to have now, by prefix. */
  wanted(peer: string): ReadonlyMap<string, WantedRoute> {
    return this.#wanted.get(peer) ?? new Map()
  }

  /** By address. */
  get verdicts(): ReadonlyMap<string, Verdict> {
    return this.#verdicts
  }

  /** How many prefixes some peer is to have. */
  get announcedCount(): number {
    return this.#peersOf.size
  }

  /** Whether some peer is to have the prefix. */
  isAnnounced(prefix: string): boolean {
    return this.#peersOf.has(prefix)
  }

  vip(address: string): VipIntent | undefined {
    return this.#vips.get(address)
  }

  /** Whether routes of a VIP are for some of its Services alone: peers may get and lose it while its verdict is the same. */
  isInPart(address: string): boolean {
    return this.#vips.get(address)?.routes.some(({ services }) => services !== undefined) ?? false
  }

  /** The VIPs that have a prefix. */
  addressesOf(prefix: string): Iterable<string> {
    return this.#byPrefix.get(prefix)
  }

  /** The VIPs themselves, with those of their routes that a Service that serves is behind. */
  vipsOf(prefix: string): ReadonlyArray<VipIntent> {
    return [...this.addressesOf(prefix)].flatMap((address) => {
      const intent = this.#vips.get(address)
      return intent === undefined ? [] : withServedRoutes(intent, this.#healthOf)
    })
  }

  /** Takes what changed, all of one turn, and answers the difference it makes. Without a node intent nothing is wanted. */
  update(change: {
    readonly node?: NodeIntent | undefined
    readonly vips?: Iterable<VipIntent>
    readonly services?: Iterable<string>
    /** What is withheld now, or is not any more. */
    readonly prefixes?: Iterable<string>
  }): RouteDifference {
    const addresses = new Set<string>()
    const prefixes = new Set<string>(change.prefixes)
    for (const intent of change.vips ?? []) {
      const before = this.#vips.get(intent.address)
      for (const { prefix } of [...(before?.routes ?? []), ...intent.routes]) prefixes.add(prefix)
      addresses.add(intent.address)
      this.#put(before, intent)
    }
    for (const service of change.services ?? []) {
      for (const address of this.#byService.get(service)) {
        addresses.add(address)
        for (const { prefix } of this.#vips.get(address)?.routes ?? []) prefixes.add(prefix)
      }
    }
    if (change.node !== undefined) {
      this.#node = change.node
      return this.#compute(this.#vips.values(), undefined)
    }
    for (const prefix of prefixes) for (const address of this.#byPrefix.get(prefix)) addresses.add(address)
    return this.#compute(
      [...addresses].flatMap((address) => this.#vips.get(address) ?? []),
      prefixes
    )
  }

  /**
   * Prefixes that some peer would lose if these messages took effect now, one after another. Nothing changes. A peer whose
   * address is another loses everything: what it had, its router had.
   */
  withdrawnBy(change: {
    readonly node?: NodeIntent | undefined
    readonly vips: Iterable<VipIntent>
  }): ReadonlySet<string> {
    const before = this.#node
    if (before === undefined) return nothing
    const node = change.node ?? before
    const changed = new Map([...change.vips].map((intent) => [intent.address, intent]))
    const prefixes = new Set([...changed.keys()].flatMap((address) => this.#prefixesOf(address)))
    const addresses =
      change.node === undefined ? [...prefixes].flatMap((prefix) => [...this.addressesOf(prefix)]) : this.#vips.keys()
    const intents = [...new Set([...addresses, ...changed.keys()])].flatMap(
      (address) => changed.get(address) ?? this.#vips.get(address) ?? []
    )
    const { byPeer } = nodeRoutes(node, intents, this.#healthOf, this.#hasLost)
    const routers = new Map(node.peers.map(({ name, peerAddress }) => [name, peerAddress]))
    const withdrawn = new Set<string>()
    for (const { name, peerAddress } of before.peers) {
      const wanted = this.wanted(name)
      const after = routers.get(name) === peerAddress ? byPeer.get(name) : undefined
      for (const prefix of change.node === undefined ? prefixes : wanted.keys()) {
        if (wanted.has(prefix) && after?.has(prefix) !== true) withdrawn.add(prefix)
      }
    }
    return withdrawn
  }

  readonly #healthOf = ({ namespace, name }: IntentService): ServiceHealth => this.#health(`${namespace}/${name}`)

  #prefixesOf(address: string): ReadonlyArray<string> {
    return (this.#vips.get(address)?.routes ?? []).map(({ prefix }) => prefix)
  }

  #put(before: VipIntent | undefined, intent: VipIntent): void {
    const { address } = intent
    for (const { prefix } of before?.routes ?? []) this.#byPrefix.delete(prefix, address)
    for (const service of before?.services ?? [])
      this.#byService.delete(`${service.namespace}/${service.name}`, address)
    for (const { prefix } of intent.routes) this.#byPrefix.add(prefix, address)
    for (const service of intent.services) this.#byService.add(`${service.namespace}/${service.name}`, address)
    this.#vips.set(address, intent)
  }

  /** `prefixes`: those that may change, all when undefined. The intents are every VIP that has one of them. */
  #compute(intents: Iterable<VipIntent>, prefixes: ReadonlySet<string> | undefined): RouteDifference {
    if (this.#node === undefined) return { byPeer: new Map(), verdicts: new Map() }
    const computed = this.#withhold(nodeRoutes(this.#node, intents, this.#healthOf, this.#hasLost))
    const verdicts = new Map<string, Verdict>()
    for (const [address, verdict] of computed.verdicts) {
      if (!isSameVerdict(this.#verdicts.get(address), verdict)) verdicts.set(address, verdict)
      this.#verdicts.set(address, verdict)
    }
    const byPeer = new Map<string, ReadonlyMap<string, WantedRoute | undefined>>()
    const peers = new Set([...computed.byPeer.keys(), ...(prefixes === undefined ? this.#wanted.keys() : [])])
    for (const peer of peers) {
      const changes = this.#apply(peer, computed.byPeer.get(peer), prefixes)
      if (changes.size > 0) byPeer.set(peer, changes)
    }
    return { byPeer, verdicts }
  }

  /** Takes out what is withheld; a VIP of which nothing is left is. */
  #withhold(computed: NodeRoutes): NodeRoutes {
    if (this.#withheld.isEmpty) return computed
    const { byPeer, verdicts } = computed
    const open = new Map([...byPeer].map(([peer, routes]) => [peer, without(routes, this.#withheld)]))
    const isHeld = (address: string) => {
      const prefixes = this.#prefixesOf(address)
      return (
        prefixes.some((prefix) => [...byPeer.values()].some((routes) => routes.has(prefix))) &&
        !prefixes.some((prefix) => [...open.values()].some((routes) => routes.has(prefix)))
      )
    }
    const judged = [...verdicts].map(([address, verdict]): [string, Verdict] =>
      isOnTheWire(verdict) && isHeld(address) ? [address, { _tag: "Withheld" }] : [address, verdict]
    )
    return { byPeer: open, verdicts: new Map(judged) }
  }

  #apply(
    peer: string,
    computed: ReadonlyMap<string, WantedRoute> | undefined,
    prefixes: ReadonlySet<string> | undefined
  ): ReadonlyMap<string, WantedRoute | undefined> {
    const wanted = this.#wanted.get(peer) ?? new Map<string, WantedRoute>()
    const changes = new Map<string, WantedRoute | undefined>()
    for (const prefix of prefixes ?? new Set([...wanted.keys(), ...(computed?.keys() ?? [])])) {
      const before = wanted.get(prefix)
      const now = computed?.get(prefix)
      if (isSameRoute(before, now)) continue
      changes.set(prefix, now)
      if (now === undefined) wanted.delete(prefix)
      else wanted.set(prefix, now)
      this.#count(prefix, (now === undefined ? 0 : 1) - (before === undefined ? 0 : 1))
    }
    if (computed === undefined) this.#wanted.delete(peer)
    else this.#wanted.set(peer, wanted)
    return changes
  }

  #count(prefix: string, change: number): void {
    const count = (this.#peersOf.get(prefix) ?? 0) + change
    if (count === 0) this.#peersOf.delete(prefix)
    else this.#peersOf.set(prefix, count)
  }
}

const isSameRoute = (left: WantedRoute | undefined, right: WantedRoute | undefined): boolean =>
  left === right ||
  (left !== undefined &&
    right !== undefined &&
    left.localPref === right.localPref &&
    left.isStandby === right.isStandby &&
    left.prepend === right.prepend &&
    left.med === right.med &&
    left.communities.join(" ") === right.communities.join(" "))

const isSameVerdict = (left: Verdict | undefined, right: Verdict): boolean =>
  left?._tag === right._tag && (left._tag !== "Excluded" || right._tag !== "Excluded" || left.why === right.why)

const without = (routes: ReadonlyMap<string, WantedRoute>, withheld: Withholding) =>
  new Map([...routes].filter(([prefix]) => !withheld.holds(prefix)))

const nothing: ReadonlySet<string> = new Set()

/** Many values to a key. */
class Index {
  readonly #sets = new Map<string, Set<string>>()

  keys(): Iterable<string> {
    return this.#sets.keys()
  }

  get(key: string): ReadonlySet<string> {
    return this.#sets.get(key) ?? nothing
  }

  add(key: string, value: string): void {
    const set = this.#sets.get(key)
    if (set === undefined) this.#sets.set(key, new Set([value]))
    else set.add(value)
  }

  delete(key: string, value: string): void {
    const set = this.#sets.get(key)
    if (set?.delete(value) && set.size === 0) this.#sets.delete(key)
  }
}
