import { type ServedClass, wantsAddress } from "../allocation/wish.ts"
import {
  type ClusterObject,
  compareAge,
  defaultNetwork,
  type EndpointSliceObject,
  type RawObject,
  servingNodes,
  statusAddresses
} from "../config/index.ts"
import type { Command, ObserveServingNodes, RegisterCluster } from "./command.ts"

/** An object of a cluster as its source read it. */
export interface Observation {
  /** As its author wrote it, secrets replaced by their hash. */
  readonly raw: RawObject
  readonly object: ClusterObject
}

/**
 * In the order in which a cluster is told: Advertisements name pools and peers, Services need all of it, and those that say
 * that they have addresses come before the others, which could take them.
 */
export const phases = ["cluster", "configuration", "advertisements", "holders", "services", "endpoints"] as const
export type Phase = (typeof phases)[number]

/** What the centre is told of one object. */
export interface ObjectTelling {
  readonly phase: Phase
  readonly command: Command
}

/** The command that tells the centre of an object; undefined for those that it learns of by what they amount to. */
export const objectTelling = (
  cluster: string,
  { raw, object }: Observation,
  served: ServedClass
): ObjectTelling | undefined => {
  switch (object._tag) {
    case "IPAddressPool":
    case "BGPPeer":
    case "Community":
    case "BFDProfile":
      return { phase: "configuration", command: { _tag: "ApplyManifest", cluster, manifest: raw } }
    case "BGPAdvertisement":
      return { phase: "advertisements", command: { _tag: "ApplyManifest", cluster, manifest: raw } }
    case "Namespace":
      return { phase: "cluster", command: { _tag: "ObserveNamespace", cluster, namespace: object.value } }
    case "Node":
      return { phase: "cluster", command: { _tag: "ObserveNode", cluster, node: object.value } }
    case "Service": {
      const addresses = wantsAddress(object.value, served) ? statusAddresses(raw) : []
      const command = { _tag: "ObserveService", cluster, service: object.value } as const
      return addresses.length === 0
        ? { phase: "services", command }
        : { phase: "holders", command: { ...command, statusAddresses: addresses } }
    }
    case "EndpointSlice":
    case "Cluster":
      return undefined
  }
}

/** What the cluster's own object says of it; without one it is of the default network. */
export const networkTelling = (cluster: string, observations: Iterable<Observation>): RegisterCluster => {
  for (const { object } of observations) {
    if (object._tag !== "Cluster") continue
    const { network, labels, allowedPrefixes, loadBalancerClass } = object.value
    return {
      ...{ _tag: "RegisterCluster", cluster, network },
      ...(Object.keys(labels).length === 0 ? {} : { labels }),
      ...(allowedPrefixes.length === 0 ? {} : { allowedPrefixes }),
      ...(loadBalancerClass === undefined ? {} : { loadBalancerClass })
    }
  }
  return { _tag: "RegisterCluster", cluster, network: defaultNetwork }
}

/** The set of nodes with a serving endpoint, for every Service that is there. */
export const endpointTellings = (
  cluster: string,
  observations: Iterable<Observation>
): ReadonlyArray<ObserveServingNodes> => {
  const all = [...observations]
  const slices = slicesByService(all)
  return all.flatMap(({ object }) => {
    if (object._tag !== "Service") return []
    const { namespace, name } = object.value
    const nodes = servingNodes(slices.get(`${namespace}/${name}`) ?? [])
    return { _tag: "ObserveServingNodes", cluster, namespace, name, nodes }
  })
}

/** EndpointSlices by the `namespace/name` of the Service that they belong to. */
export const slicesByService = (
  observations: Iterable<Observation>
): ReadonlyMap<string, ReadonlyArray<EndpointSliceObject>> => {
  const slices = new Map<string, Array<EndpointSliceObject>>()
  for (const { object } of observations) {
    if (object._tag !== "EndpointSlice" || object.value.service === "") continue
    const key = `${object.value.namespace}/${object.value.service}`
    const known = slices.get(key)
    if (known === undefined) slices.set(key, [object.value])
    else known.push(object.value)
  }
  return slices
}

/**
 * The order in which objects of one phase are told: the older before the younger, as `judge` sees it, so that what comes
 * first is what stays in effect. Services of one age, or without one, stay as the source lists them.
 */
export const byAge = (left: Observation, right: Observation): number => {
  const isService = (observation: Observation): boolean => observation.object._tag === "Service"
  if (!isService(left) && !isService(right)) return compareAge(left.object, right.object)
  if (isService(left) !== isService(right)) return isService(left) ? 1 : -1
  const [leftAge, rightAge] = [ageOf(left), ageOf(right)]
  return leftAge < rightAge ? -1 : leftAge > rightAge ? 1 : 0
}

/** An age that is stated comes before none. */
const ageOf = ({ object }: Observation): string => object.createdAt ?? "~"
