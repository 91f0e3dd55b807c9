import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import {
  type ClusterObject,
  decodeManifest,
  decodeObject,
  judge,
  type Peer,
  parseManifests,
  servingNodes
} from "@lowtide/domain"
import type { RouterNeighbor } from "@lowtide/testkit/lab/index"

/** A cluster of the demo: where its manifests are, and the network that is made for it. */
export interface ClusterPlan {
  readonly name: string
  /** The folder that agent and speakers watch. */
  readonly manifests: string
  readonly subnet4: string
  readonly subnet6: string
  readonly router: "bird" | "frr"
}

/** What a cluster's manifests say that its surroundings have to fit: its nodes, and the sessions its router is to expect. */
export interface ClusterFacts {
  readonly nodes: ReadonlyArray<{ readonly name: string; readonly addresses: ReadonlyArray<string> }>
  readonly peers: ReadonlyArray<Peer>
  readonly routerAsn: number
  readonly allowedPrefixes: ReadonlyArray<string>
  /** Nodes with an endpoint that serves, by `namespace/name` of the Service. */
  readonly servingNodes: ReadonlyMap<string, ReadonlyArray<string>>
  /** How many Services ask for an address. */
  readonly loadBalancerCount: number
  /** The first TCP port of each Service that has one, by `namespace/name`. */
  readonly tcpPortOf: ReadonlyMap<string, number>
  /** Ports that Services listen on, for TCP. */
  readonly tcpPorts: ReadonlyArray<number>
}

/** Reads a cluster's folder once, as the lab's builder needs it; the processes read it for themselves. */
export const readClusterFacts = (folder: string): ClusterFacts => {
  const objects = manifestFiles(folder).flatMap((file) =>
    parseManifests(decodeManifest(readFileSync(join(folder, file))), { file }).manifests.flatMap(
      ({ object }): ReadonlyArray<ClusterObject> => {
        const decoded = decodeObject(object).object
        return decoded === undefined ? [] : [decoded]
      }
    )
  )
  const { config } = judge(objects)
  const values = <Tag extends ClusterObject["_tag"]>(tag: Tag) =>
    objects.flatMap((object) =>
      object._tag === tag ? [object.value as Extract<ClusterObject, { readonly _tag: Tag }>["value"]] : []
    )
  const ports = values("Service").flatMap((service) =>
    service.ports.flatMap(({ protocol, port }) => (protocol === "TCP" ? [port] : []))
  )
  return {
    nodes: values("Node").map(({ name, addresses }) => ({ name, addresses })),
    peers: config.peers,
    routerAsn: config.peers[0]?.peerAsn ?? 64500,
    allowedPrefixes: values("Cluster").flatMap(({ allowedPrefixes }) => allowedPrefixes),
    servingNodes: new Map(
      values("Service").map(({ namespace, name }) => {
        const slices = values("EndpointSlice").filter(
          (slice) => slice.namespace === namespace && slice.service === name
        )
        return [`${namespace}/${name}`, servingNodes(slices)]
      })
    ),
    loadBalancerCount: values("Service").filter(({ type }) => type === "LoadBalancer").length,
    tcpPortOf: new Map(
      values("Service").flatMap(({ namespace, name, ports: own }) => {
        const tcp = own.find(({ protocol }) => protocol === "TCP")
        return tcp === undefined ? [] : [[`${namespace}/${name}`, tcp.port] as const]
      })
    ),
    tcpPorts: [...new Set(ports)].sort((left, right) => left - right)
  }
}

const manifestFiles = (folder: string): ReadonlyArray<string> =>
  readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) => /\.(ya?ml|json)$/.test(file))

/** The neighbours that a router has to expect: each node, once for every session that its manifests want with it. */
export const routerNeighbors = (
  facts: ClusterFacts,
  routerAddresses: ReadonlyArray<string>
): ReadonlyArray<RouterNeighbor> =>
  facts.peers
    .filter((peer) => routerAddresses.includes(peer.peerAddress))
    .flatMap((peer) => {
      const isIpv6 = peer.peerAddress.includes(":")
      return facts.nodes.flatMap(({ addresses }) => {
        const address = addresses.find((candidate) => candidate.includes(":") === isIpv6)
        return address === undefined
          ? []
          : [
              {
                address,
                asn: peer.myAsn,
                families: ["ipv4", "ipv6"] as const,
                passive: true,
                bfd: peer.bfdProfile !== undefined
              }
            ]
      })
    })
