import { Bus, generateKey, type NodeStatus, readSigningKey, type WireReport, wireSubject } from "@lowtide/bus"
import {
  awaitedNodes,
  type ClusterObject,
  type Command,
  type CommandEnvelope,
  decide,
  decodeObject,
  hasError,
  parseManifests,
  servingNodes
} from "@lowtide/domain"
import { Ledger } from "@lowtide/ledger"
import { manifestObject, serviceObject } from "@lowtide/testkit/observed"
import { Effect, Layer, Result, SubscriptionRef } from "effect"
import { Centre, type CentreHealth, type CommittedView, type HeardNode } from "../../src/centre.ts"
import { decideBatch } from "../../src/decide-batch.ts"
import { contextOf, loadMemory, noteCommitted } from "../../src/memory.ts"
import { readReports } from "../../src/wire-journal.ts"

/** The moment from which the sample's clocks count. */
export const startMs = Date.parse("2026-11-23T14:05:00.000Z")

const iso = (afterMs: number): string => new Date(startMs + afterMs).toISOString()

/** Two clusters of one network, the first with faults of every kind. */
const manifests = {
  east: `
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: { name: public, namespace: metallb-system }
spec: { addresses: [192.0.2.0/28], avoidBuggyIPs: true, serviceAllocation: { priority: 10 } }
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: { name: wide, namespace: metallb-system }
spec: { addresses: ["2001:db8::/64"], autoAssign: false }
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: { name: twice, namespace: metallb-system }
spec: { addresses: [192.0.2.8-192.0.2.20] }
---
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: { name: tor-a, namespace: metallb-system }
spec: { myASN: 64512, peerASN: 64496, peerAddress: 198.51.100.1 }
---
apiVersion: metallb.io/v1beta1
kind: BGPAdvertisement
metadata: { name: all, namespace: metallb-system }
---
apiVersion: v1
kind: Node
metadata: { name: east-1 }
status: { addresses: [{ type: InternalIP, address: 198.51.100.11 }] }
---
apiVersion: v1
kind: Node
metadata: { name: east-2 }
status: { addresses: [{ type: InternalIP, address: 198.51.100.12 }] }
---
apiVersion: v1
kind: Node
metadata: { name: east-3, labels: { node.kubernetes.io/exclude-from-external-load-balancers: "" } }
status: { addresses: [{ type: InternalIP, address: 198.51.100.13 }] }
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec: { type: LoadBalancer, ports: [{ port: 80 }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: web-1, namespace: shop, labels: { kubernetes.io/service-name: web } }
endpoints: [{ addresses: [10.0.0.1], nodeName: east-1 }]
---
apiVersion: v1
kind: Service
metadata: { name: local, namespace: shop }
spec: { type: LoadBalancer, externalTrafficPolicy: Local, ports: [{ port: 80 }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: local-1, namespace: shop, labels: { kubernetes.io/service-name: local } }
endpoints: [{ addresses: [10.0.0.2], nodeName: east-2 }]
---
apiVersion: v1
kind: Service
metadata: { name: api, namespace: shop, annotations: { metallb.io/loadBalancerIPs: 203.0.113.9 } }
spec: { type: LoadBalancer, ports: [{ port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: broken, namespace: shop }
spec: { type: Loadbalancer }
---
apiVersion: v1
kind: Service
metadata: { name: inner, namespace: shop }
spec: { ports: [{ port: 80 }] }
`,
  west: `
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: { name: public, namespace: metallb-system }
spec: { addresses: [192.0.2.0/28] }
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec: { type: LoadBalancer, ports: [{ port: 80 }] }
`
} as const

const orderOf = (cluster: string, object: ClusterObject): Command => {
  switch (object._tag) {
    case "Service":
      return { _tag: "ObserveService", cluster, service: object.value }
    case "Node":
      return { _tag: "ObserveNode", cluster, node: object.value }
    case "Namespace":
      return { _tag: "ObserveNamespace", cluster, namespace: object.value }
    case "EndpointSlice": {
      const { namespace, service } = object.value
      return { _tag: "ObserveServingNodes", cluster, namespace, name: service, nodes: servingNodes([object.value]) }
    }
    default:
      throw new Error(`${object._tag} is sent as its manifest`)
  }
}

const ordersOf = (cluster: keyof typeof manifests): ReadonlyArray<Command> =>
  parseManifests(manifests[cluster], { file: "all.yaml" }).manifests.map(({ object: manifest }): Command => {
    const { object, findings } = decodeObject(manifest)
    const { kind, namespace, name } = manifest
    if (manifest.apiVersion.startsWith("metallb.io")) return { _tag: "ApplyManifest", cluster, manifest }
    if (object === undefined || hasError(findings)) {
      return { _tag: "ReportFindings", cluster, object: { kind, namespace, name }, findings }
    }
    return orderOf(cluster, object)
  })

/** Every command of the sample, in the order in which it is sent. */
export const sampleCommands: ReadonlyArray<Command> = [
  { _tag: "RegisterCluster", cluster: "east", network: "default" },
  ...ordersOf("east"),
  { _tag: "RegisterCluster", cluster: "west", network: "default" },
  ...ordersOf("west")
]

const uuid = (index: number): string => `00000000-0000-4000-8000-${index.toString(16).padStart(12, "0")}`

const envelopeOf = (command: Command, index: number): CommandEnvelope => ({
  commandId: uuid(index),
  correlationId: uuid(index),
  actor: `agent:${"cluster" in command ? command.cluster : "east"}`,
  actorKind: "agent",
  observedAt: iso(index * 1000 - 5),
  command
})

const session = (more: Partial<NodeStatus["sessions"][number]>): NodeStatus["sessions"][number] => ({
  peer: "tor-a",
  peerAddress: "198.51.100.1",
  peerAsn: 64496,
  state: "Established",
  since: iso(0),
  prefixes: 1,
  lastError: null,
  lastErrorCode: null,
  ...more
})

const status = (node: string, more: Partial<NodeStatus>): NodeStatus => ({
  _tag: "NodeStatus",
  cluster: "east",
  node,
  at: iso(60_000),
  runId: "run-1",
  sync: "live",
  cseq: 9,
  confirmedCseq: 9,
  sessions: [session({})],
  announcing: [],
  refused: [],
  ...more
})

/** What is heard of the nodes at `heardAtMs`: east-1 is well, east-2 has been silent for two minutes, east-3 never spoke. */
export const sampleNodes = (heardAtMs: number): ReadonlyMap<string, HeardNode> =>
  new Map([
    [
      "east/east-1",
      { status: status("east-1", { announcing: ["192.0.2.1"], sessions: [session({ bfd: "Up" })] }), heardAtMs }
    ],
    [
      "east/east-2",
      {
        status: status("east-2", {
          sessions: [
            session({ state: "Idle", prefixes: 0, lastError: "NOTIFICATION 2/2 Bad Peer AS", lastErrorCode: "LT0302" })
          ],
          refused: [{ code: "LT0401", message: "the signature does not fit", at: iso(0) }]
        }),
        heardAtMs: heardAtMs - 120_000
      }
    ]
  ])

/** What nodes and the agent report of the first assignment, whose event has this seq. */
const reportOf = (seq: number): WireReport => ({
  _tag: "WireReport",
  cluster: "east",
  node: "east-1",
  entries: [
    {
      _tag: "Applied",
      network: "default",
      address: "192.0.2.1",
      stamp: { incarnation: 1, epoch: 1, seq },
      cseq: 4,
      verdict: "Announced",
      trigger: "intent",
      receivedAt: iso(9_012),
      savedAt: iso(9_014),
      peers: [{ peer: "tor-a", action: "announced", writtenAt: iso(9_015) }]
    },
    { _tag: "Session", peer: "tor-a", change: "down", at: iso(12_000), code: "LT0304", detail: "hold timer expired" },
    {
      _tag: "StatusWritten",
      namespace: "shop",
      name: "web",
      stamp: { incarnation: 1, epoch: 1, seq },
      at: iso(9_020)
    }
  ]
})

const key = readSigningKey("test", generateKey().privatePem)

/** The sample committed to the ledger, one command a second by `clock`, with the view that readers get of it. */
export const commitSample = Effect.fnUntraced(function* (clock: { nowMs: number }) {
  const ledger = yield* Ledger
  yield* ledger.acquireLease(uuid(0), 3_600_000)
  const memory = yield* loadMemory
  for (const [index, command] of sampleCommands.entries()) {
    clock.nowMs = startMs + index * 1000
    const received = { envelope: envelopeOf(command, index), receivedAt: iso(index * 1000 - 2) }
    const { batch } = decideBatch(memory, [received], key, clock.nowMs)
    noteCommitted(memory, batch, yield* ledger.append(batch))
  }
  const [assigned] = yield* ledger.events({ address: "192.0.2.1", limit: 1, order: "asc" })
  const report = reportOf(assigned?.seq ?? 0)
  const subject = wireSubject(report.cluster, report.node)
  const message = { subject, text: JSON.stringify(report), sequence: 1, storedAtMs: 0 }
  yield* ledger.appendWire(readReports([message]).rows)
  const view: CommittedView = {
    fleet: memory.fleet,
    head: memory.head,
    recordedAt: (stream) => memory.recordedAt.get(stream),
    nodes: sampleNodes(startMs + 60_000),
    awaited: (vip) => awaitedNodes(contextOf(memory, 0), vip)
  }
  return view
})

/** The sample's view once these were carried out as well. */
export const commitChanged = (commands: ReadonlyArray<Command>) =>
  Effect.map(commitSample({ nowMs: startMs }), (view) => {
    const context = { nowMs: startMs, obligedOf: () => [], hasConfirmed: () => false }
    for (const command of commands) Result.getOrThrow(decide(view.fleet, command, context))
    return view
  })

/**
 * Cluster east announces Services of tier front alone, by 192.0.2.5, which a Service of another tier has as well: that one serves
 * on east-1, and front on the nodes that are named.
 */
export const halfAdvertised = (...nodes: ReadonlyArray<string>): ReadonlyArray<Command> => {
  const serviceSelectors = [{ matchLabels: { tier: "front" } }]
  const shared = (tier: string, port: number): Command => ({
    _tag: "ObserveService",
    cluster: "east",
    service: serviceObject(tier, {
      ...{ labels: { tier }, annotations: { allowSharedIp: "key" }, requestedAddresses: ["192.0.2.5"] },
      ports: [{ protocol: "TCP", port, name: "" }]
    })
  })
  const serving = (name: string, nodes: ReadonlyArray<string>): Command => ({
    ...{ _tag: "ObserveServingNodes", cluster: "east", namespace: "shop", name, nodes }
  })
  return [
    {
      _tag: "ApplyManifest",
      cluster: "east",
      manifest: manifestObject("BGPAdvertisement", "all", { serviceSelectors })
    },
    ...[shared("front", 80), shared("back", 443), serving("back", ["east-1"]), serving("front", nodes)]
  ]
}

/** What a leader says that lacks nothing. */
export const leaderHealth: CentreHealth = {
  role: "leader",
  unreadable: null,
  leader: { name: "one", url: "http://127.0.0.1:7070" },
  lagEvents: 0,
  lagSeconds: 0,
  database: "up",
  nats: "up",
  unpublished: 0,
  recovery: null
}

/** A centre whose committed view never changes. */
export const fixedCentre = (view: CommittedView, health: Partial<Centre["Service"]> = {}): Layer.Layer<Centre> =>
  Layer.succeed(
    Centre,
    Centre.of({
      read: (look) => Effect.sync(() => look(view)),
      position: Effect.succeed(view.head.seq),
      allocators: Effect.succeed([]),
      processes: Effect.succeed([]),
      checkpointOver: () => Effect.sync(() => undefined),
      ended: Effect.never,
      resign: Effect.void,
      order: () => Effect.succeed({ _tag: "Done", seqFrom: view.head.seq, seqTo: view.head.seq }),
      orderRecovery: () => Effect.void,
      signedBy: Effect.succeed(new Map([["2026-1", 3]])),
      health: Effect.succeed(leaderHealth),
      ...health
    })
  )

/** A bus whose server never answers. */
export const deafBus: Layer.Layer<Bus> = Layer.effect(
  Bus,
  Effect.map(SubscriptionRef.make({ up: false, times: 0 }), (connected) =>
    Bus.of({ connection: Effect.never, connected })
  )
)
