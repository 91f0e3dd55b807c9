import type { Choices } from "./choices.ts"

/** A BGPAdvertisement as people wrote it. Empty lists, and what is undefined, choose everything. */
interface TrueAdvertisement {
  readonly pools: ReadonlyArray<string>
  readonly node: string | undefined
  readonly peers: ReadonlyArray<PeerName>
  readonly tier: Tier | undefined
  readonly community: string | undefined
}

/** A BGPPeer as people wrote it; of no node in particular, where none is named. */
interface TruePeer {
  readonly node: string | undefined
  readonly holdTimeSeconds: number
}

const peerNames = ["router", "second"] as const
type PeerName = (typeof peerNames)[number]
type Tier = "even" | "odd"

/** What a Service's label says, which it has for good. */
export const tierOf = (service: string): Tier => (Number(service.slice(1)) % 2 === 0 ? "even" : "odd")

/** How a cluster's addresses are announced, and to whom: what people wrote, and what is to come of it. */
export class Routing {
  readonly #nodes: ReadonlyArray<string>
  readonly #octet: number
  readonly advertisements = new Map<string, TrueAdvertisement>([["all", everything]])
  readonly peers = new Map<PeerName, TruePeer>([["router", { node: undefined, holdTimeSeconds: 90 }]])

  /** How often people took an object away, by kind and name. */
  readonly #removals = new Map<string, number>()

  constructor(cluster: string, nodes: ReadonlyArray<string>) {
    this.#nodes = nodes
    this.#octet = cluster === "east" ? 1 : 2
  }

  /** One thing that people do. The last of a kind stays: that nothing of it is there is not believed, and rightly. */
  change(choices: Choices): void {
    switch (choices.weighted({ advertise: 6, unadvertise: 2, peer: 4, unpeer: 2 })) {
      case "advertise":
        this.advertisements.set(choices.one(["all", "more"]), {
          pools: choices.oneIn(5) ? ["both"] : [],
          node: choices.oneIn(3) ? choices.one(this.#nodes) : undefined,
          peers: choices.oneIn(4) ? [choices.one([...this.peers.keys()])] : [],
          tier: choices.oneIn(5) ? choices.one(["even", "odd"] as const) : undefined,
          community: choices.oneIn(3) ? choices.one(["64496:1", "64496:2"]) : undefined
        })
        return
      case "unadvertise":
        this.#unadvertise(choices.one([...this.advertisements.keys()]))
        return
      case "peer":
        this.peers.set(choices.one(peerNames), {
          node: choices.oneIn(4) ? choices.one(this.#nodes) : undefined,
          holdTimeSeconds: choices.oneIn(4) ? 30 : 90
        })
        return
      case "unpeer":
        this.#unpeer(choices.one([...this.peers.keys()]))
    }
  }

  #unadvertise(name: string): void {
    if (this.advertisements.size < 2) return
    this.advertisements.delete(name)
    this.#noteRemoval(`BGPAdvertisement/${name}`)
  }

  #noteRemoval(key: string): void {
    this.#removals.set(key, this.removals(key) + 1)
  }

  removals(key: string): number {
    return this.#removals.get(key) ?? 0
  }

  /** Who takes a peer away lets no Advertisement name it: a version that names what is not there is not taken. */
  #unpeer(name: PeerName): void {
    if (this.peers.size < 2 || !this.peers.delete(name)) return
    this.#noteRemoval(`BGPPeer/${name}`)
    for (const [key, advertisement] of this.advertisements) {
      const peers = advertisement.peers.filter((other) => other !== name)
      this.advertisements.set(key, { ...advertisement, peers })
    }
  }

  /** Everything is announced by all nodes to all peers again. */
  widen(): void {
    this.advertisements.set("all", everything)
    for (const [name, peer] of this.peers) this.peers.set(name, { ...peer, node: undefined })
  }

  /** Nothing is announced by this node any more. */
  without(node: string): void {
    for (const [name, advertisement] of this.advertisements) {
      this.advertisements.set(name, { ...advertisement, node: this.#nodes.find((other) => other !== node) })
    }
  }

  /** Another session of every node, or of none any more. */
  setSecond(isThere: boolean): void {
    if (isThere) this.peers.set("second", { node: undefined, holdTimeSeconds: 90 })
    else this.#unpeer("second")
  }

  /** Whether all that a Service may come to have is announced alike. */
  get isAlike(): boolean {
    return [...this.advertisements.values()].every(({ pools, tier }) => pools.length === 0 && tier === undefined)
  }

  /** To which routers a node is to announce an address of the pool for which these of its Services serve, with which communities. */
  routesOf(node: string, pool: string, services: ReadonlyArray<string>): ReadonlyMap<string, string> {
    const chosen = [...this.advertisements.values()].filter(
      ({ pools, node: only, tier }) =>
        (pools.length === 0 || pools.includes(pool)) &&
        (only === undefined || only === node) &&
        services.some((service) => tier === undefined || tierOf(service) === tier)
    )
    return new Map(
      [...this.peers].flatMap(([name, peer]) => {
        if (peer.node !== undefined && peer.node !== node) return []
        const ours = chosen.filter(({ peers }) => peers.length === 0 || peers.includes(name))
        const communities = new Set(ours.flatMap(({ community }) => community ?? []))
        return ours.length === 0 ? [] : [[this.#addressOf(name), [...communities].sort().join(" ")] as const]
      })
    )
  }

  #addressOf(peer: PeerName): string {
    return `10.${this.#octet}.0.${1 + peerNames.indexOf(peer)}`
  }

  get texts(): ReadonlyArray<string> {
    return [
      ...[...this.peers].map(([name, { node, holdTimeSeconds }]) =>
        metallb("BGPPeer", "v1beta2", name, {
          myASN: 64496,
          peerASN: 64500,
          peerAddress: this.#addressOf(name),
          holdTime: `${holdTimeSeconds}s`,
          ...(node === undefined ? {} : { nodeSelectors: [hostname(node)] })
        })
      ),
      ...[...this.advertisements].map(([name, { pools, node, peers, tier, community }]) =>
        metallb("BGPAdvertisement", "v1beta1", name, {
          ...(pools.length === 0 ? {} : { ipAddressPools: pools }),
          ...(node === undefined ? {} : { nodeSelectors: [hostname(node)] }),
          ...(peers.length === 0 ? {} : { peers }),
          ...(tier === undefined ? {} : { serviceSelectors: [{ matchLabels: { tier } }] }),
          ...(community === undefined ? {} : { communities: [community] })
        })
      )
    ]
  }
}

const everything: TrueAdvertisement = {
  pools: [],
  node: undefined,
  peers: [],
  tier: undefined,
  community: undefined
}

const hostname = (node: string) => ({ matchLabels: { "kubernetes.io/hostname": node } })

const metallb = (kind: string, version: string, name: string, spec: object): string =>
  JSON.stringify({
    apiVersion: `metallb.io/${version}`,
    kind,
    metadata: { name, namespace: "metallb-system" },
    spec
  })
