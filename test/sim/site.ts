import { decodeObject, objectKey, parseManifests, rawRef } from "@lowtide/domain"
import type { EndpointSliceObject } from "@lowtide/domain/config/endpoint-slice"
import type { ClusterChange, ObservedObject } from "@lowtide/kube"
import type { Choices } from "./choices.ts"
import { Routing, tierOf } from "./routing.ts"

/** A Service as it really is in its cluster, whatever anybody has seen of it. */
export interface TrueService {
  readonly uid: string
  readonly port: number
  readonly policy: "Local" | "Cluster"
  readonly requested: string | undefined
  /** The pool that it names. */
  readonly pool: string | undefined
  readonly sharingKey: string | undefined
  readonly endpoints: ReadonlySet<string>
}

/** A cluster as it really is: what its people did, and what its source shows of that. */
export class Site {
  readonly name: string
  readonly nodes: ReadonlyArray<string>
  readonly services = new Map<string, TrueService>()
  readonly routing: Routing
  /** Node objects that are there, and those of them that are excluded from load balancing. */
  readonly present: Set<string>
  readonly excluded = new Set<string>()
  /** While false the source is out of sight: it shows nothing, or what it showed before. */
  isVisible = true
  /** Services of which a source that is out of sight shows nothing. */
  readonly hidden = new Set<string>()
  #uids = 0

  constructor(name: string, nodeCount: number) {
    this.name = name
    this.nodes = Array.from({ length: nodeCount }, (_, index) => `${name}-${index + 1}`)
    this.present = new Set(this.nodes)
    this.routing = new Routing(name, this.nodes)
  }

  /** One thing that people do. */
  change(choices: Choices): void {
    const name = `s${choices.below(5)}`
    const service = this.services.get(name)
    switch (choices.weighted({ put: 8, delete: 5, endpoints: 6, exclude: 1, node: 1, routing: 2 })) {
      case "put": {
        const isSame = service !== undefined && choices.oneIn(2)
        this.services.set(name, {
          uid: isSame ? service.uid : `uid-${this.name}-${++this.#uids}`,
          port: 80 + choices.below(3),
          policy: choices.one(["Local", "Cluster"]),
          requested: choices.oneIn(4)
            ? `192.0.2.${choices.oneIn(5) ? 8 + choices.below(6) : choices.below(6)}`
            : undefined,
          pool: choices.oneIn(8) ? choices.one(["f0", "f1", "both"]) : undefined,
          sharingKey: choices.oneIn(4) ? "shared" : undefined,
          endpoints: new Set(this.nodes.filter(() => choices.below(3) > 0))
        })
        return
      }
      case "delete":
        this.services.delete(name)
        return
      case "endpoints":
        if (service === undefined) return
        this.services.set(name, { ...service, endpoints: new Set(this.nodes.filter(() => choices.below(3) > 0)) })
        return
      case "exclude": {
        const node = choices.one(this.nodes)
        if (!this.excluded.delete(node)) this.excluded.add(node)
        return
      }
      case "node": {
        const node = choices.one(this.nodes)
        // The last one stays: that nothing is there at all is not believed, and rightly.
        if (!this.present.has(node)) this.present.add(node)
        else if (this.present.size > 1) this.present.delete(node)
        return
      }
      case "routing":
        this.routing.change(choices)
    }
  }

  /** One of the Services, there and served by some node; with the address that it asks for, if any. Answers its name. */
  serve(choices: Choices, requested?: string): string {
    const name = `s${choices.below(5)}`
    const service = this.services.get(name)
    this.services.set(name, {
      uid: service?.uid ?? `uid-${this.name}-${++this.#uids}`,
      port: service?.port ?? 80,
      policy: service?.policy ?? choices.one(["Local", "Cluster"]),
      requested,
      pool: undefined,
      sharingKey: undefined,
      endpoints: new Set(choices.oneIn(3) ? [choices.one(this.nodes)] : this.nodes)
    })
    return name
  }

  /** A Service comes to want something else, and is the same in all other things. */
  ask(name: string, wish: Pick<TrueService, "requested" | "pool">): void {
    const service = this.services.get(name)
    if (service !== undefined) this.services.set(name, { ...service, ...wish })
  }

  /** What a source that can see shows now; without one kind where it was never allowed to read it. */
  look(nowMs: number, unseenKind?: string): ClusterChange {
    const objects = [
      clusterText(this.name),
      ...fixed,
      ...this.routing.texts,
      ...[...this.present].map((node) => nodeText(node, this.excluded.has(node))),
      ...[...this.services].flatMap(([name, service]) => serviceTexts(name, service))
    ]
      .map(observed)
      .filter(({ ref }) => ref.kind !== unseenKind)
    const seen = change(new Map(objects.map((object) => [object.key, object])), [], nowMs)
    return unseenKind === "Service" ? seen : { ...seen, refused: [faulty.ref], findings: faulty.findings }
  }

  /** What nodes see of endpoints. */
  get slices(): ReadonlyArray<EndpointSliceObject> {
    return [...this.services].map(([name, service]) => sliceOf(name, service))
  }
}

/**
 * What was shown before without what `isHidden` says of a Service's name, and no word of what is not there: the source has
 * lost sight.
 */
export const outOfSight = (
  before: ClusterChange | undefined,
  isHidden: (name: string) => boolean,
  nowMs: number
): ClusterChange => {
  const names = new Set(
    [...(before?.objects.values() ?? [])].flatMap(({ ref }) => (ref.kind === "Service" ? ref.name : []))
  )
  const hidden = new Set([...names].filter(isHidden).flatMap((name) => [name, `${name}-1`]))
  const shown = [...(before?.objects ?? [])].filter(([, { ref }]) => !hidden.has(ref.name))
  return change(new Map(shown), undefined, nowMs)
}

const change = (
  objects: ReadonlyMap<string, ObservedObject>,
  unreadTexts: ReadonlyArray<string> | undefined,
  nowMs: number
): ClusterChange => ({
  objects,
  refused: [],
  faulty: [],
  unreadTexts,
  put: [],
  deleted: [],
  findings: [],
  changedAtMs: nowMs,
  readAtMs: nowMs
})

const decoded = new Map<string, ObservedObject>()

/** The texts are few and come again and again. */
const observed = (text: string): ObservedObject => {
  const known = decoded.get(text)
  if (known !== undefined) return known
  const raw = parseManifests(text, { file: "site.yaml" }).manifests[0]!.object
  const { object, findings } = decodeObject(raw)
  if (object === undefined) throw new Error(`the simulation's own manifest is wrong: ${JSON.stringify(findings)}`)
  const ref = rawRef(raw)
  const one: ObservedObject = { key: objectKey(ref), ref, raw, object }
  if (decoded.size > 20_000) decoded.clear()
  decoded.set(text, one)
  return one
}

/** The network of all clusters, which is not the one that an unknown cluster is taken to be of. */
export const network = "backbone"

/** Both clusters are of one network and have the same eight addresses: who gets one, or one of the fleet's, is the centre's to say. */
const fixed: ReadonlyArray<string> = [
  JSON.stringify({ apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } }),
  JSON.stringify({
    apiVersion: "metallb.io/v1beta1",
    kind: "IPAddressPool",
    metadata: { name: "both", namespace: "metallb-system" },
    spec: { addresses: ["192.0.2.0/29"] }
  })
]

const clusterText = (name: string): string =>
  JSON.stringify({ apiVersion: "lowtide.dev/v1alpha1", kind: "Cluster", metadata: { name }, spec: { network } })

/** A Service that every cluster has, and that never could be read. */
const faulty = (() => {
  const service = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "faulty", namespace: "shop", uid: "uid-faulty" }
  }
  const text = JSON.stringify({ ...service, spec: { type: "LoadBalancer", externalTrafficPolicy: "Some" } })
  const raw = parseManifests(text, { file: "site.yaml" }).manifests[0]!.object
  return { ref: rawRef(raw), findings: decodeObject(raw).findings }
})()

const nodeText = (name: string, isExcluded: boolean): string =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name,
      labels: {
        "kubernetes.io/hostname": name,
        ...(isExcluded ? { "node.kubernetes.io/exclude-from-external-load-balancers": "" } : {})
      }
    }
  })

const serviceTexts = (name: string, service: TrueService): ReadonlyArray<string> => {
  const { uid, port, policy, requested, pool, sharingKey, endpoints } = service
  return [
    JSON.stringify({
      apiVersion: "v1",
      kind: "Service",
      metadata: {
        name,
        namespace: "shop",
        uid,
        labels: { tier: tierOf(name) },
        annotations: {
          ...(requested === undefined ? {} : { "metallb.io/loadBalancerIPs": requested }),
          ...(pool === undefined ? {} : { "metallb.io/address-pool": pool }),
          ...(sharingKey === undefined ? {} : { "metallb.io/allow-shared-ip": sharingKey })
        }
      },
      spec: {
        type: "LoadBalancer",
        externalTrafficPolicy: policy,
        selector: { app: "one" },
        ports: [{ port, protocol: "TCP" }],
        ipFamilies: ["IPv4"],
        ipFamilyPolicy: "SingleStack"
      }
    }),
    JSON.stringify({
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { name: `${name}-1`, namespace: "shop", labels: { "kubernetes.io/service-name": name } },
      addressType: "IPv4",
      endpoints: [...endpoints].map((nodeName) => ({ addresses: ["10.3.0.1"], nodeName }))
    })
  ]
}

const sliceOf = (name: string, { endpoints }: TrueService): EndpointSliceObject => ({
  namespace: "shop",
  name: `${name}-1`,
  service: name,
  endpoints: [...endpoints].map((nodeName) => ({ addresses: ["10.3.0.1"], nodeName }))
})
