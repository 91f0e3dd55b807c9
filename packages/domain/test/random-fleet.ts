import type { Command } from "../src/index.ts"
import { apply, fleetObject, node, observe, pool, raw, service, type World } from "./world.ts"

/** A seeded source of choices: a failing history is named by its seed. */
export class Choices {
  #state: number
  constructor(seed: number) {
    this.#state = (seed * 2_654_435_761) >>> 0
  }
  below(limit: number): number {
    this.#state = (Math.imul(this.#state ^ (this.#state >>> 15), 2_246_822_519) + 3_266_489_917) >>> 0
    return this.#state % limit
  }
  one<A>(items: ReadonlyArray<A>): A {
    return items[this.below(items.length)] as A
  }
}

export const clusters = ["east", "west"]
const ranges = ["192.0.2.0/30", "192.0.2.2-192.0.2.6", "198.51.100.0/31", "2001:db8:100::/126"]

const randomService = (choose: Choices) => {
  const policy = choose.one(["SingleStack", "PreferDualStack", "RequireDualStack"] as const)
  const first = choose.one(["IPv4", "IPv6"] as const)
  return service(`s${choose.below(5)}`, {
    ipFamilyPolicy: policy,
    ipFamilies: policy === "SingleStack" ? [first] : [first, first === "IPv4" ? "IPv6" : "IPv4"],
    externalTrafficPolicy: choose.one(["Cluster", "Local"] as const),
    requestedAddresses:
      choose.below(4) === 0 && policy === "SingleStack" && first === "IPv4"
        ? [choose.one(["192.0.2.1", "192.0.2.3", "203.0.113.9"])]
        : [],
    annotations: {
      ...(choose.below(3) === 0 ? { allowSharedIp: choose.one(["a", "b"]) } : {}),
      ...(choose.below(5) === 0 ? { addressPool: `p${choose.below(3)}` } : {})
    },
    ports: [{ protocol: "TCP", port: 80 + choose.below(3), name: "" }],
    type: choose.below(8) === 0 ? "ClusterIP" : "LoadBalancer"
  })
}

const randomReservation = (cluster: string, choose: Choices) =>
  fleetObject("Reservation", `r${choose.below(2)}`, {
    for: { cluster, namespace: "shop", name: `s${choose.below(5)}` },
    ...(choose.below(2) === 0
      ? { pool: `p${choose.below(3)}`, ...(choose.below(3) === 0 ? { ipFamily: "IPv6" } : {}) }
      : { address: choose.one(["192.0.2.1", "192.0.2.3", "198.51.100.0", "2001:db8:100::1", "203.0.113.9"]) })
  })

const regions = ["fra", "ber"]

/** Of the fleet: names of its own, ranges that the clusters' pools have as well. */
const randomFleetPool = (choose: Choices) =>
  fleetObject("AddressPool", `f${choose.below(2)}`, {
    addresses: [choose.one(["192.0.2.0/31", "192.0.2.2/31", "203.0.113.0/30", "2001:db8:100::/127"])],
    clusterSelector: choose.below(4) === 0 ? {} : { matchLabels: { region: choose.one(regions) } },
    deletionPolicy: choose.one(["Retain", "Retire"]),
    autoAssign: choose.below(4) > 0
  })

const randomShared = (choose: Choices) =>
  fleetObject("SharedAddress", `a${choose.below(2)}`, {
    addresses: [choose.one(["192.0.2.1", "192.0.2.3", "198.51.100.0", "2001:db8:100::1"])],
    members: clusters
      .filter(() => choose.below(4) > 0)
      .map((cluster) => ({ cluster, namespace: "shop", name: `s${choose.below(5)}`, priority: choose.below(3) }))
  })

/** One command of a fleet of two clusters whose pools overlap: anything, in any order. */
export const randomCommand = (world: World, choose: Choices): Command => {
  const cluster = choose.one(clusters)
  switch (choose.below(30)) {
    case 0:
      return apply(cluster, pool(`p${choose.below(3)}`, [choose.one(ranges)], { autoAssign: choose.below(4) > 0 }))
    case 1:
      return {
        _tag: "DeleteManifest",
        cluster,
        kind: "IPAddressPool",
        namespace: "metallb-system",
        name: `p${choose.below(3)}`
      }
    case 2:
      return { _tag: "ObserveNode", cluster, node: node(`${cluster}-${choose.below(3)}`) }
    case 3:
      return { _tag: "ForgetNode", cluster, name: `${cluster}-${choose.below(3)}` }
    case 4:
    case 5:
      return { _tag: "ForgetService", cluster, namespace: "shop", name: `s${choose.below(5)}` }
    case 6:
    case 7: {
      const cseq = Math.max(0, world.book.cseq(cluster) - choose.below(4))
      return { _tag: "ConfirmWithdrawals", cluster, node: `${cluster}-${choose.below(3)}`, cseq }
    }
    case 8:
      world.nowMs += choose.below(900_000)
      return { _tag: "ExpireQuarantines" }
    case 9:
      return { _tag: "RetireNode", cluster, node: `${cluster}-${choose.below(3)}` }
    case 11:
      return { _tag: "ApplyFleetObject", manifest: randomReservation(cluster, choose) }
    case 12: {
      const spec = {
        ...(choose.below(2) === 0 ? { cluster } : {}),
        ...(choose.below(2) === 0 ? { namespace: "shop" } : {}),
        addresses: choose.below(5)
      }
      return { _tag: "ApplyFleetObject", manifest: fleetObject("Quota", `q${choose.below(2)}`, spec) }
    }
    case 13: {
      const kind = choose.one(["Reservation", "Quota"] as const)
      return { _tag: "DeleteFleetObject", kind, name: `${kind === "Quota" ? "q" : "r"}${choose.below(2)}` }
    }
    case 14:
    case 15:
      return { _tag: "ApplyFleetObject", manifest: randomFleetPool(choose) }
    case 16:
      return { _tag: "DeleteFleetObject", kind: "AddressPool", name: `f${choose.below(2)}` }
    case 17:
      return {
        ...{ _tag: "RegisterCluster", cluster, network: "default", labels: { region: choose.one(regions) } },
        ...(choose.below(3) === 0 ? { allowedPrefixes: [choose.one(["192.0.2.0/24", "203.0.113.0/31"])] } : {})
      }
    case 19:
    case 20:
      return { _tag: "ApplyFleetObject", manifest: randomShared(choose) }
    case 21:
      return { _tag: "DeleteFleetObject", kind: "SharedAddress", name: `a${choose.below(2)}` }
    case 22: {
      const blastRadius = {
        maxWithdrawRoutes: choose.below(5),
        per: choose.one(["1m", "10m"]),
        perCluster: { maxWithdrawRoutes: choose.below(4) }
      }
      const isTold = choose.below(4) > 0
      return isTold
        ? { _tag: "ApplyFleetObject", manifest: fleetObject("Fleet", "prod", { blastRadius }) }
        : { _tag: "DeleteFleetObject", kind: "Fleet", name: "prod" }
    }
    case 23:
    case 24: {
      const id = choose.one([...world.fleet.heldBy.keys(), "w-1"])
      const revision = (world.fleet.versions.get(`approval:${id}`) ?? 0) - (choose.below(4) === 0 ? 1 : 0)
      const _tag = choose.below(3) > 0 ? "ApproveWithdrawals" : "RejectWithdrawals"
      return { _tag, id, revision }
    }
    case 25:
      return {
        ...{ _tag: "ReleaseBrake", cluster },
        ...(choose.below(2) === 0 ? {} : { node: `${cluster}-${choose.below(3)}` })
      }
    case 18: {
      const moving = [...world.fleet.cluster(cluster).movingOf].flatMap(([key, addresses]) =>
        addresses.map((address) => {
          const isV6 = address.includes(":")
          const successor = world.addresses(cluster, key).find((other) => other.includes(":") === isV6)
          return { namespace: "shop", name: key.slice("shop/".length), address, ...(successor && { successor }) }
        })
      )
      const moves =
        moving.length === 0 ? [{ namespace: "shop", name: "s0", address: "192.0.2.1" }] : [choose.one(moving)]
      return { _tag: "FinishMoves", cluster, moves }
    }
    case 10: {
      const released = [...world.fleet.withdrawing].sort()
      const address = choose.below(3) === 0 || released.length === 0 ? "192.0.2.2" : choose.one(released).split("/")[1]
      return { _tag: "ForceRelease", network: "default", address: address ?? "" }
    }
    default:
      return observe(cluster, randomService(choose))
  }
}

const labels = [{}, { rack: "a" }, { rack: "b" }]
const selectors = [[], [{ matchLabels: { rack: "a" } }], [{ matchLabels: { rack: "b" } }]]

/** A command that changes who announces rather than who holds: nodes, peers, Advertisements, endpoints and findings. */
export const randomAnnouncing = (world: World, choose: Choices): Command => {
  const cluster = choose.one(clusters)
  switch (choose.below(9)) {
    case 0:
      return { _tag: "ObserveNode", cluster, node: randomNode(cluster, choose) }
    case 1:
      return apply(cluster, randomPeer(choose))
    case 2:
      return {
        _tag: "DeleteManifest",
        cluster,
        kind: "BGPPeer",
        namespace: "metallb-system",
        name: `t${choose.below(2)}`
      }
    case 3:
      return apply(cluster, randomAdvertisement(choose))
    case 4: {
      const name = `adv${choose.below(3)}`
      return { _tag: "DeleteManifest", cluster, kind: "BGPAdvertisement", namespace: "metallb-system", name }
    }
    case 5: {
      const nodes = [1, 2].filter(() => choose.below(2) === 0).map((number) => `${cluster}-${number}`)
      return { _tag: "ObserveServingNodes", cluster, namespace: "shop", name: `s${choose.below(5)}`, nodes }
    }
    case 6:
      return { _tag: "ReportFindings", cluster, object: { kind: "File", name: "a.yaml" }, findings: [] }
    case 7: {
      const name = `s${choose.below(5)}`
      const uid = `uid-${name}-${choose.below(2)}` // the same name anew is another Service
      return observe(cluster, service(name, { uid, labels: choose.one(labels) }))
    }
    default:
      return randomCommand(world, choose)
  }
}

const randomNode = (cluster: string, choose: Choices) =>
  node(`${cluster}-${choose.below(3)}`, {
    labels: {
      ...choose.one(labels),
      ...(choose.below(4) === 0 ? { "node.kubernetes.io/exclude-from-external-load-balancers": "" } : {})
    },
    networkUnavailable: choose.below(4) === 0
  })

const randomPeer = (choose: Choices) =>
  raw("BGPPeer", `t${choose.below(2)}`, {
    myASN: 64496,
    peerASN: 64500 + choose.below(2),
    peerAddress: `10.1.0.${1 + choose.below(2)}`,
    nodeSelectors: choose.one(selectors)
  })

const randomAdvertisement = (choose: Choices) =>
  raw("BGPAdvertisement", `adv${choose.below(3)}`, {
    ...(choose.below(2) === 0 ? { ipAddressPools: [`p${choose.below(3)}`] } : {}),
    ...(choose.below(2) === 0 ? { nodeSelectors: choose.one(selectors) } : {}),
    ...(choose.below(2) === 0 ? { peers: [`t${choose.below(2)}`] } : {}),
    ...(choose.below(2) === 0 ? { serviceSelectors: choose.one(selectors) } : {}),
    ...(choose.below(3) === 0 ? { aggregationLength: 24 + choose.below(9) } : {})
  })
