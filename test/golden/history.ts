import { createPrivateKey } from "node:crypto"
import type { SigningKey } from "@lowtide/bus/envelope"
import {
  type Command,
  type DeleteFleetObject,
  type Finding,
  newestFleetVersion,
  type ObserveInventory,
  type RecordSegment
} from "@lowtide/domain"
import { Ledger, loadWhole, type StoredCurrent, type StoredEvent } from "@lowtide/ledger"
import { memoryLedger } from "@lowtide/testkit"
import { manifestObject, nodeObject, serviceObject } from "@lowtide/testkit/observed"
import { Effect } from "effect"
import { decideBatch } from "../../services/allocator/src/decide-batch.ts"
import { loadMemory } from "../../services/allocator/src/memory.ts"

/** What a history wrote: all of it by the product's own decisions and encoders. */
export interface Written {
  readonly events: ReadonlyArray<StoredEvent>
  readonly current: ReadonlyArray<StoredCurrent>
  /** Envelopes as they are stored and published. */
  readonly envelopes: ReadonlyArray<string>
}

/** Ed25519 keys of these files alone: PKCS#8 (RFC 8410) around 32 equal octets. Signatures by them never change. */
export const goldenKey: SigningKey = {
  keyId: "golden",
  privateKey: createPrivateKey({
    key: Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), Buffer.alloc(32, 7)]),
    format: "der",
    type: "pkcs8"
  })
}

const startMs = Date.parse("2026-11-25T12:00:00.000Z")
const uuid = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`
const cluster = "east"
const fleetManifest = (kind: string, name: string, spec: unknown) =>
  manifestObject(kind, name, spec, { apiVersion: "lowtide.dev/v1alpha1", namespace: "" })
const apply = (manifest: ReturnType<typeof manifestObject>): Command => ({ _tag: "ApplyManifest", cluster, manifest })
const remove = (kind: string, name: string): Command => ({
  ...{ _tag: "DeleteManifest", cluster, kind, namespace: "metallb-system", name }
})
const see = (name: string, more: Parameters<typeof serviceObject>[1] = {}): Command => ({
  ...{ _tag: "ObserveService", cluster, service: serviceObject(name, more) }
})
const forget = (name: string): Command => ({ _tag: "ForgetService", cluster, namespace: "shop", name })
const confirm = (node: string): Command => ({ _tag: "ConfirmWithdrawals", cluster, node, cseq: 100_000 })
const applyFleet = (kind: string, name: string, spec: unknown): Command => ({
  ...{ _tag: "ApplyFleetObject", manifest: fleetManifest(kind, name, spec) }
})
const removeFleet = (kind: DeleteFleetObject["kind"], name: string): Command => ({
  ...{ _tag: "DeleteFleetObject", kind, name }
})
const zonePool = (zone: string): Command => ({
  _tag: "ApplyFleetObject",
  manifest: {
    ...fleetManifest("AddressPool", "zoned", {
      addresses: ["192.0.2.80/28"],
      clusterSelector: { matchLabels: { "lowtide.dev/cluster": cluster } }
    }),
    labels: { zone }
  }
})
const object = { kind: "File", name: "pools.yaml" }
const finding: Finding = {
  code: "LT0101",
  severity: "error",
  object,
  field: "",
  message: "File pools.yaml: the document does not parse",
  expected: "YAML",
  found: "a tab",
  fix: "Correct the syntax",
  source: { file: "pools.yaml", line: 3 }
}
const refusedRef = { kind: "BGPAdvertisement", namespace: "metallb-system", name: "refused" }
const inventory: ObserveInventory = {
  _tag: "ObserveInventory",
  cluster,
  services: ["shop/web", "shop/api"],
  nodes: ["east-1"],
  namespaces: ["shop"],
  manifests: [],
  findings: []
}
const shared = { annotations: { allowSharedIp: "front" }, externalTrafficPolicy: "Cluster" } as const

const segment: Omit<RecordSegment, "phase"> = {
  ...{ _tag: "RecordSegment", fromSeq: 1, toSeq: 40, root: "ab".repeat(32), leavesDigest: "cd".repeat(32) },
  ...{ firstAt: "2026-11-25T12:00:00.000Z", lastAt: "2026-11-25T13:00:00.000Z" },
  ...{ file: "segment-1-40.ndjson.gz", sha256: "ef".repeat(32) }
}

/** Leads to an event of every type. What is new is put at the end: what stands here is what earlier files were made of. */
export const commands: ReadonlyArray<Command> = [
  { _tag: "FinaliseFleet", version: newestFleetVersion, isFirst: true },
  { _tag: "RegisterCluster", cluster, network: "default", labels: { site: "a" }, allowedPrefixes: ["192.0.2.0/24"] },
  { _tag: "ObserveNamespace", cluster, namespace: { name: "shop", labels: { team: "blue" } } },
  { _tag: "ObserveNamespace", cluster, namespace: { name: "gone", labels: {} } },
  { _tag: "ForgetNamespace", cluster, name: "gone" },
  { _tag: "ObserveNode", cluster, node: nodeObject("east-1", { labels: { rack: "r1" } }) },
  { _tag: "ObserveNode", cluster, node: nodeObject("east-2", { addresses: ["10.1.0.12"] }) },
  apply(manifestObject("BGPPeer", "tor", { myASN: 64496, peerASN: 64500, peerAddress: "10.1.0.1" })),
  apply(
    manifestObject(
      "IPAddressPool",
      "public",
      { addresses: ["192.0.2.0/29"] },
      { annotations: { "lowtide.dev/quarantine": "30m" }, labels: { tier: "gold" }, uid: "uid-public" }
    )
  ),
  apply(manifestObject("BGPAdvertisement", "all", { communities: ["64496:100"], localPref: 150 })),
  apply(
    manifestObject("BGPPeer", "full", {
      ...{ myASN: 64496, peerASN: 64501, peerAddress: "2001:db8::1", peerPort: 1179, routerID: "10.1.0.9" },
      ...{ sourceAddress: "2001:db8::9", holdTime: "30s", keepaliveTime: "10s", connectTime: "5s" },
      nodeSelectors: [{ matchLabels: { rack: "r1" } }]
    })
  ),
  { _tag: "ReportFindings", cluster, object, findings: [finding] },
  { _tag: "ReportFindings", cluster, object, findings: [] },
  see("web", { ports: [{ protocol: "TCP", port: 443, name: "https" }], ...shared }),
  see("api", { ports: [{ protocol: "TCP", port: 80, name: "http" }], ...shared }),
  see("web", { ports: [{ protocol: "TCP", port: 8443, name: "https" }], ...shared }),
  see("early"),
  forget("early"),
  { _tag: "ForceRelease", network: "default", address: "192.0.2.1" },
  { _tag: "ObserveServingNodes", cluster, namespace: "shop", name: "web", nodes: ["east-1"] },
  see("odd", { requestedAddresses: ["203.0.113.9"], externalTrafficPolicy: "Local" }),
  see("odd"),
  see("odd", { type: "ClusterIP" }),
  confirm("east-1"),
  confirm("east-2"),
  { _tag: "ExpireQuarantines" },
  {
    ...{ _tag: "ObserveService", cluster, statusAddresses: ["192.0.2.5"] },
    service: serviceObject("full", {
      ...{ labels: { a: "b" }, loadBalancerClass: "example.org/other", requestedAt: "spec.loadBalancerIP" },
      ...{ requestedAddresses: ["192.0.2.5"], clusterIPs: ["10.2.0.1"], annotations: { addressPool: "public" } },
      ...{ ipFamilies: ["IPv4", "IPv6"], ipFamilyPolicy: "PreferDualStack", externalTrafficPolicy: "Local" }
    })
  },
  forget("full"),
  see("brief"),
  forget("brief"),
  { _tag: "ForgetNode", cluster, name: "east-2" },
  { _tag: "RetireNode", cluster, node: "east-2" },
  see("mover"),
  see("mover", { requestedAddresses: ["192.0.2.7"] }),
  {
    ...{ _tag: "FinishMoves", cluster },
    moves: [{ namespace: "shop", name: "mover", address: "192.0.2.4", successor: "192.0.2.7" }]
  },
  applyFleet("Reservation", "front", { for: { cluster, namespace: "shop", name: "later" }, address: "192.0.2.6" }),
  removeFleet("Reservation", "front"),
  applyFleet("Quota", "small", { cluster, namespace: "shop", addresses: 5 }),
  removeFleet("Quota", "small"),
  applyFleet("AddressPool", "wide", { addresses: ["192.0.2.64/28"], clusterSelector: { matchLabels: { site: "a" } } }),
  see("fleet", { annotations: { addressPool: "wide" } }),
  applyFleet("AddressPool", "wide", {
    ...{ addresses: ["192.0.2.64/28"], deletionPolicy: "Retire", avoidBuggyIPs: true },
    clusterSelector: { matchLabels: { site: "a" }, matchExpressions: [{ key: "site", operator: "Exists" }] },
    serviceAllocation: {
      ...{ priority: 5, namespaces: ["shop"], namespaceSelectors: [{ matchLabels: { team: "blue" } }] },
      serviceSelectors: [{ matchExpressions: [{ key: "app", operator: "In", values: ["fleet"] }] }]
    }
  }),
  removeFleet("AddressPool", "wide"),
  forget("fleet"),
  confirm("east-1"),
  remove("IPAddressPool", "public"),
  remove("BGPPeer", "tor"),
  { _tag: "ReleaseBrake", cluster, node: "east-1" },
  { _tag: "ReleaseBrake", cluster },
  { _tag: "RecordExport", filter: { actor: "agent:east" }, format: "csv", sinceSeq: 1, untilSeq: 9, count: 4 },
  {
    ...{ _tag: "SealWireJournal", sinceId: 1, untilId: 9, count: 8, root: "ab".repeat(32) },
    until: "2026-11-25T13:00:00.000Z"
  },
  {
    ...{ _tag: "BeginRecovery", incarnation: 2, why: "a head is beyond the log" },
    lostAfter: { incarnation: 1, seq: 40 }
  },
  {
    ...{ _tag: "AdoptVips", cluster },
    vips: [
      {
        ...{ network: "default", address: "192.0.2.200", state: "announced", obliged: ["east-1"] },
        services: [{ namespace: "shop", name: "lost", uid: "uid-lost" }]
      }
    ]
  },
  { _tag: "FinishRecovery", without: ["node east/east-9"] },
  { _tag: "RepublishCluster", cluster, inventory },
  { _tag: "RecordWireDrop", untilId: 9, before: "2026-11-25T13:00:00.000Z" },
  { ...segment, phase: "archived" },
  { ...segment, phase: "dropped" },
  { ...segment, phase: "restored" },
  {
    ...{ _tag: "ReportFindings", cluster, findings: [{ ...finding, object: refusedRef }] },
    object: refusedRef,
    refused: manifestObject(
      "BGPAdvertisement",
      "refused",
      { communities: ["64496:1", "64496:1"], ipAddressPools: ["nowhere"] },
      { labels: { a: "b" }, annotations: { c: "d" }, uid: "uid-r", creationTimestamp: "2026-11-25T12:00:00Z" }
    )
  },
  apply(manifestObject("BGPAdvertisement", "held", { ipAddressPoolSelectors: [{ matchLabels: { zone: "no" } }] })),
  apply(
    manifestObject(
      "BGPAdvertisement",
      "held",
      { peers: ["nobody"] },
      { labels: { a: "b" }, annotations: { c: "d" }, uid: "uid-h", creationTimestamp: "2026-11-25T12:00:00Z" }
    )
  ),
  remove("BGPAdvertisement", "held"),
  { _tag: "RegisterCluster", cluster, network: "default", loadBalancerClass: "example.org/other" },
  { _tag: "RegisterCluster", cluster, network: "default" },
  see("dying", { deleting: true }),
  apply(manifestObject("IPAddressPool", "last", { addresses: ["192.0.2.32/28"] })),
  applyFleet("SharedAddress", "any", {
    ...{ addresses: ["192.0.2.40"], network: "default" },
    members: [{ cluster, namespace: "shop", name: "any", priority: 1 }]
  }),
  see("any"),
  removeFleet("SharedAddress", "any"),
  applyFleet("Fleet", "prod", {
    blastRadius: {
      ...{ maxWithdrawPercent: 5, maxWithdrawRoutes: 0, per: "10m" },
      perCluster: { maxWithdrawPercent: 10, maxWithdrawRoutes: 0 }
    }
  }),
  see("first"),
  forget("first"),
  { _tag: "ApproveWithdrawals", id: "w-1", revision: 1 },
  see("second"),
  forget("second"),
  { _tag: "RejectWithdrawals", id: "w-2", revision: 1 },
  removeFleet("Fleet", "prod"),
  zonePool("a"),
  apply(manifestObject("BGPAdvertisement", "zone", { ipAddressPoolSelectors: [{ matchLabels: { zone: "a" } }] })),
  see("zoned", { annotations: { addressPool: "zoned" } }),
  applyFleet("Fleet", "prod", { blastRadius: { clusters: [{ cluster, maxWithdrawRoutes: 0 }] } }),
  remove("BGPAdvertisement", "all"),
  { _tag: "ApproveWithdrawals", id: "w-3", revision: 1 },
  zonePool("b"),
  removeFleet("Fleet", "prod"),
  remove("BGPAdvertisement", "zone"),
  zonePool("c"),
  apply(
    manifestObject(
      "BGPPeer",
      "guarded",
      { myASN: 64496, peerASN: 64502, peerAddress: "10.1.0.4" },
      { annotations: { "lowtide.dev/ttl-security-hops": "2" } }
    )
  ),
  apply(
    manifestObject(
      "BGPAdvertisement",
      "preferred",
      {},
      { annotations: { "lowtide.dev/med": "50", "lowtide.dev/as-path-prepend": "2" } }
    )
  ),
  apply(
    manifestObject(
      "BGPPeer",
      "upstream",
      { myASN: 64496, peerASN: 64503, peerAddress: "10.1.0.5" },
      {
        annotations: {
          ...{ "lowtide.dev/maximum-prefixes": "1000" },
          ...{ "lowtide.dev/role": "customer", "lowtide.dev/role-strict": "true", "lowtide.dev/standby": "none" }
        }
      }
    )
  ),
  apply(manifestObject("BGPAdvertisement", "front", { serviceSelectors: [{ matchLabels: { tier: "front" } }] })),
  see("sharing", { labels: { tier: "front" }, annotations: { allowSharedIp: "both" } }),
  see("shared", { annotations: { allowSharedIp: "both" }, ports: [{ protocol: "TCP", port: 81, name: "" }] })
]

/**
 * Runs the commands, one a commit, an hour apart: quarantines are over by the next one. Below the newest fleet version the
 * log says nothing of one, and what came later is refused.
 */
export const history = (fleetVersion: number = newestFleetVersion): Effect.Effect<Written, unknown, Ledger> =>
  Effect.gen(function* () {
    const ledger = yield* Ledger
    yield* ledger.acquireLease(uuid(999), 3_600_000)
    let memory = yield* loadMemory
    memory.fleet.fleetVersion = fleetVersion
    const envelopes: Array<string> = []
    for (const [index, command] of commands.entries()) {
      if (command._tag === "FinaliseFleet" && fleetVersion < newestFleetVersion) continue
      const id = uuid(index + 1)
      const receivedAt = new Date(startMs + index * 3_600_000).toISOString()
      const envelope = {
        ...{ commandId: id, correlationId: id, actor: "agent:east", actorKind: "agent" as const, command },
        ...{ words: "to show", observedAt: receivedAt }
      }
      const { batch } = decideBatch(memory, [{ envelope, receivedAt }], goldenKey, startMs + index * 3_600_000)
      envelopes.push(...batch.intents.flatMap(({ envelope }) => envelope ?? []))
      envelopes.push(...batch.intentHeads.map(({ envelope }) => envelope))
      if (batch.events.length > 0) memory.head = { ...memory.head, ...(yield* ledger.append(batch)) }
      if (command._tag === "BeginRecovery") {
        yield* ledger.raiseIncarnation(memory.head.epoch, command.incarnation)
        memory = yield* loadMemory
      }
    }
    const events = yield* ledger.events({ limit: 10_000, order: "asc" })
    return { events, current: (yield* loadWhole(ledger)).current, envelopes }
  })

/** The same on a ledger in memory. */
export const writeHistory = (fleetVersion?: number): Promise<Written> =>
  Effect.runPromise(history(fleetVersion).pipe(Effect.provide(memoryLedger({ nowMs: () => startMs }))))
