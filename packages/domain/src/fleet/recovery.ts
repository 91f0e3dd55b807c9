import { release, restOf, settleAll, settleService } from "../allocation/settle.ts"
import type { BeginRecovery, ObserveInventory, ObserveService, ReleaseAdopted, RememberedVip } from "./command.ts"
import type { Draft } from "./draft.ts"
import { type ClusterMemory, type Fleet, isUnseen } from "./fleet.ts"
import { observeInventory } from "./inventory.ts"
import { clusterState } from "./memory.ts"
import { type Holder, type RecoveryState, streamOf, streamOfVip, type VipState } from "./stream.ts"

/** A pool that is not known while what a VIP's cluster is configured to have is not: its Service brings the true one. */
export const unknownPool = "-"

/** What the database stores of an incarnation's number. */
export const incarnationMax = 2_147_483_647

/**
 * Begins a new incarnation, or does nothing when it has begun. One that nobody could ever go on with, since its number
 * cannot be stored, gives way to a lower one.
 */
export const beginRecovery = (draft: Draft, { incarnation, why, lostAfter }: BeginRecovery): void => {
  const before = draft.fleet.recovery ?? null
  if (before !== null && before.incarnation >= incarnation && before.incarnation <= incarnationMax) return
  draft.emit({
    stream: streamOf.recovery(),
    type: "HistoryLost",
    reason: "history-lost",
    before,
    after: { _tag: "Recovery", incarnation, phase: "recovering", why, lostAfter, without: [], adoptedCount: 0 },
    about: {}
  })
}

/** Decisions go on where everything is published anew. */
export const finishRecovery = (draft: Draft, without: ReadonlyArray<string>): void => {
  const before = draft.fleet.recovery
  if (before === undefined) return
  if (before.phase === "recovered" && without.every((name) => before.without.includes(name))) return
  const after: RecoveryState = {
    ...before,
    phase: "recovered",
    without: [...new Set([...before.without, ...without])],
    adoptedCount: adopted(draft).length
  }
  draft.emit({
    stream: streamOf.recovery(),
    type: "HistoryRecovered",
    reason: "history-merged",
    before,
    after,
    about: {}
  })
}

const adopted = (draft: Draft): ReadonlyArray<VipState> =>
  [...draft.fleet.vips.values()].filter(({ holders }) => holders.some((holder) => holder.adopted === true))

/** Whether the cluster may have the address whoever else has it: a part of its own in a shared one, or the right to one. */
export const mayHavePart = (fleet: Fleet, network: string, address: string, cluster: string): boolean => {
  if (fleet.memberOf(network, address, cluster) !== undefined) return true
  const own = fleet.vip(network, address, cluster)
  return own?.member === true && own.cluster === cluster && own.phase !== "free"
}

/**
 * Whether an address is another cluster's by what was decided after the loss, which nothing from before it changes: that
 * cluster's routes are published.
 */
export const isTaken = (fleet: Fleet, vip: VipState, cluster: string): boolean =>
  vip.phase !== "free" &&
  vip.cluster !== cluster &&
  !fleet.isFrozen(fleet.cluster(vip.cluster)) &&
  !mayHavePart(fleet, vip.network, vip.address, cluster)

/** Whether the log has nobody whose holding of the address would stand in the way of the cluster's. */
export const isOpenTo = (fleet: Fleet, network: string, address: string, cluster: string): boolean => {
  const others = mayHavePart(fleet, network, address, cluster)
  return fleet.vipsAt(network, address).every((vip) => vip.phase === "free" || (others && vip.cluster !== cluster))
}

/** An address that several clusters hold, and who has it beside the cluster. */
export interface DoubleHolding {
  readonly vip: VipState
  readonly others: ReadonlyArray<VipState>
}

/**
 * What clusters hold at once although no SharedAddress lets all of them: after a loss of history that took the object, and
 * not what speakers hold. Each stays with it until a person says otherwise.
 */
export const doubleHoldings = (fleet: Fleet): ReadonlyArray<DoubleHolding> =>
  fleet.recovery === undefined
    ? []
    : [...fleet.networks].flatMap(([network, { memberStreams }]) =>
        [...memberStreams.keys()].flatMap((address) => {
          const held = fleet.vipsAt(network, address).filter(isHeld).sort(byCluster)
          if (held.length < 2) return []
          const isShared = held.every(({ cluster }) => fleet.memberOf(network, address, cluster) !== undefined)
          return isShared ? [] : held.map((vip) => ({ vip, others: held.filter((other) => other !== vip) }))
        })
      )

const byCluster = (left: VipState, right: VipState): number => (left.cluster < right.cluster ? -1 : 1)

/** What is to be given up is not held for good. */
const isHeld = ({ phase, holders, heldRelease }: VipState): boolean =>
  phase === "assigned" && heldRelease === undefined && holders.some(({ leaving }) => leaving !== true)

/**
 * Takes over what an intent says that the log has lost: newer than anything the log has of the address. From a node that
 * was heard after its cluster was published anew, only what nobody has counts.
 */
export const adoptVips = (draft: Draft, cluster: ClusterMemory, vips: ReadonlyArray<RememberedVip>): void => {
  const isLate = !draft.fleet.isFrozen(cluster)
  for (const vip of vips) {
    const present = draft.fleet.vipsAt(vip.network, vip.address)
    if (present.some((other) => isTaken(draft.fleet, other, cluster.name))) continue
    if (isLate && !isOpenTo(draft.fleet, vip.network, vip.address, cluster.name)) continue
    adoptVip(draft, cluster, vip)
    if (isLate) for (const { namespace, name } of vip.services) settleKnown(draft, cluster, `${namespace}/${name}`)
  }
}

/** A Service that is there takes what was reserved for it, or lets it go. */
const settleKnown = (draft: Draft, cluster: ClusterMemory, key: string): void => {
  if (cluster.services.has(key)) settleService(draft, cluster, key)
}

const adoptVip = (draft: Draft, cluster: ClusterMemory, vip: RememberedVip): void => {
  const flag =
    vip.beside === true ? besideFlag(draft, cluster, vip) : memberFlag(draft, cluster, vip.network, vip.address)
  const before = partOf(draft, cluster, vip, flag)
  // What another cluster had in its place before, that has given up: its nodes and Services are none of this one's.
  const own = before?.cluster === cluster.name ? before : null
  const known = new Map(own?.holders.map((holder) => [`${holder.namespace}/${holder.name}`, holder]))
  const holders = vip.services.map(
    ({ namespace, name, uid }): Holder => known.get(`${namespace}/${name}`) ?? adoptedHolder({ namespace, name, uid })
  )
  const isHeld = vip.state === "announced" && holders.length > 0
  if (isHeld ? own?.phase === "assigned" && namesOf(own) === names(holders) : !isNews(own, vip)) return
  emitAdopted(draft, before, {
    _tag: "Vip",
    ...flag,
    network: vip.network,
    address: vip.address,
    pool: own?.pool ?? unknownPool,
    cluster: cluster.name,
    phase: isHeld ? "assigned" : "withdrawing",
    holders: isHeld ? holders : [],
    lastHolders: isHeld || own === null ? [] : lastHoldersOf(own),
    obliged: [
      ...new Set([
        ...(own?.obliged ?? []),
        ...(own === null ? [] : draft.context.obligedOf(cluster.name, vip.address)),
        ...vip.obliged
      ])
    ].sort(),
    ...(isHeld || own === null ? {} : restOf(draft, cluster, own)),
    quarantineEndMs: null
  })
}

/** Whether a tombstone says more than the log: of what it has as held, or of nodes that it does not wait for. */
const isNews = (own: VipState | null, { obliged }: RememberedVip): boolean => {
  if (own?.phase === "assigned") return true
  return obliged.some((node) => own?.phase !== "withdrawing" || !own.obliged.includes(node))
}

const lastHoldersOf = ({ phase, holders, lastHolders }: VipState): ReadonlyArray<string> =>
  phase === "assigned" ? holders.map(({ namespace, name }) => `${namespace}/${name}`) : lastHolders

/** What a Service's status says that it has is its own, unless somebody is known to hold it. */
export const adoptStatus = (draft: Draft, cluster: ClusterMemory, command: ObserveService): void => {
  const { namespace, name, uid } = command.service
  for (const address of command.statusAddresses ?? []) {
    const { network } = cluster
    if (!isOpenTo(draft.fleet, network, address, cluster.name)) continue
    const flag = memberFlag(draft, cluster, network, address)
    const before = partOf(draft, cluster, { network, address }, flag)
    emitAdopted(
      draft,
      before,
      {
        _tag: "Vip",
        ...flag,
        network,
        address,
        pool: before?.pool ?? unknownPool,
        cluster: cluster.name,
        phase: "assigned",
        holders: [adoptedHolder({ namespace, name, uid })],
        lastHolders: [],
        obliged: [],
        quarantineEndMs: null
      },
      "status-says"
    )
  }
}

/** What the log has of the address in the stream that the cluster has it in. */
const partOf = (
  draft: Draft,
  cluster: ClusterMemory,
  { network, address }: Pick<VipState, "network" | "address">,
  { member }: Pick<VipState, "member">
): VipState | null =>
  draft.fleet.vips.get(streamOf.vip(network, address, member === true ? cluster.name : undefined)) ?? null

/** A part of its own, unless the cluster has the address in the stream that is nobody's part. */
const besideFlag = (
  draft: Draft,
  cluster: ClusterMemory,
  { network, address }: Pick<VipState, "network" | "address">
): Pick<VipState, "member"> => {
  const plain = draft.fleet.vip(network, address)
  return plain?.cluster === cluster.name && plain.phase !== "free" ? {} : { member: true }
}

/** Whether the cluster has a part of its own in a shared address. */
const memberFlag = (
  draft: Draft,
  cluster: ClusterMemory,
  network: string,
  address: string
): Pick<VipState, "member"> => {
  const present = draft.fleet.vip(network, address, cluster.name)
  const isPresent = present !== undefined && present.phase !== "free" && present.cluster === cluster.name
  const isMember = isPresent
    ? present.member === true
    : draft.fleet.memberOf(network, address, cluster.name) !== undefined
  return isMember ? { member: true } : {}
}

const adoptedHolder = (service: Pick<Holder, "namespace" | "name" | "uid">): Holder => ({
  ...service,
  sharingKey: "",
  ports: [],
  backendKey: "",
  adopted: true
})

const names = (holders: ReadonlyArray<Holder>): string =>
  holders
    .map(({ namespace, name }) => `${namespace}/${name}`)
    .sort()
    .join()

const namesOf = (vip: VipState): string => names(vip.holders)

const emitAdopted = (
  draft: Draft,
  before: VipState | null,
  after: VipState,
  reason: "speakers-hold" | "status-says" = "speakers-hold"
): void => {
  const [holder] = after.holders
  draft.emit({
    stream: streamOfVip(after),
    type: "VipAdopted",
    reason,
    before,
    after,
    about: {
      network: after.network,
      address: after.address,
      pool: after.pool,
      cluster: after.cluster,
      ...(holder === undefined ? {} : { namespace: holder.namespace, service: holder.name, serviceUid: holder.uid })
    }
  })
}

/** Services that are settled in one batch when a cluster is published anew. */
export const settledAtOnce = 500

/**
 * From here on the cluster is decided about, and published, as before the loss. What it has more Services than are settled at
 * once is settled by parts.
 */
export const republishCluster = (draft: Draft, cluster: ClusterMemory, inventory: ObserveInventory): void => {
  const { recovery } = draft.fleet
  if (recovery === undefined || recovery.phase === "recovering" || cluster.incarnation >= recovery.incarnation) return
  emitRepublished(draft, cluster, recovery.incarnation)
  observeInventory(draft, cluster, inventory)
  if (cluster.services.size <= settledAtOnce) settleAll(draft, cluster)
}

/** A batch more of a cluster that was begun to be published anew. */
export const republishPart = (draft: Draft, cluster: ClusterMemory, services: ReadonlyArray<string>): void => {
  if (draft.fleet.recovery === undefined || draft.fleet.isFrozen(cluster)) return
  emitRepublished(draft, cluster, cluster.incarnation)
  for (const key of services) settleKnown(draft, cluster, key)
}

/** Each batch of what is published anew has an event of its own: it is what its messages come from. */
const emitRepublished = (draft: Draft, cluster: ClusterMemory, incarnation: number): void => {
  const before = clusterState(cluster)
  draft.emit({
    stream: streamOf.cluster(cluster.name),
    type: "ClusterRepublished",
    reason: "history-merged",
    before,
    after: { ...before, incarnation },
    about: { cluster: cluster.name, network: cluster.network }
  })
}

/** A reservation that no Service came back for goes the way of every release. */
export const releaseAdopted = (draft: Draft, { network, address }: ReleaseAdopted): void => {
  for (const vip of draft.fleet.vipsAt(network, address)) {
    const cluster = draft.cluster(vip.cluster)
    if (draft.fleet.isFrozen(cluster)) continue
    for (const holder of vip.holders.filter((each) => isUnseen(cluster, each))) {
      release(draft, cluster, `${holder.namespace}/${holder.name}`, address, "released-by-person")
    }
  }
}
