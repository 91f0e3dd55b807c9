import { toAddress } from "../config/canonical.ts"
import type { SharedMember } from "../config/index.ts"
import type { Fleet } from "./fleet.ts"
import { forgetJudged } from "./memory.ts"
import type { ReservationState, SharedAddressState } from "./stream.ts"
import { indexRest, indexVip, unindexVip } from "./vip-index.ts"
import type { IndexedVip } from "./waiting-states.ts"

/** Takes a VIP out of every index as it was, and into them as it is; with it what its address is taken by. */
export const indexChangedVip = (
  fleet: Fleet,
  stream: string,
  before: IndexedVip | undefined,
  after: IndexedVip | undefined
): void => {
  if (before !== undefined) unindexVip(fleet, stream, before)
  putMember(fleet, stream, before, after)
  if (after !== undefined) indexVip(fleet, stream, after)
  const isHeldAlike =
    before?.phase === after?.phase && before?.pool === after?.pool && before?.cluster === after?.cluster
  if (!isHeldAlike) {
    countHeld(fleet, before, -1)
    countHeld(fleet, after, 1)
  }
  const vip = after ?? before
  const isSame = (before === undefined) === (after === undefined) && isFree(before) === isFree(after)
  if (vip !== undefined && !isSame) occupy(fleet, vip.network, vip.address, after)
}

/** Takes a VIP into every index that was not known, but into those by cluster and holder, which are filled when somebody asks. */
export const indexLoadedVip = (fleet: Fleet, stream: string, vip: IndexedVip): void => {
  indexRest(fleet, stream, vip)
  putMember(fleet, stream, undefined, vip)
  countHeld(fleet, vip, 1)
  occupy(fleet, vip.network, vip.address, vip)
}

/** Reserves an address, or lets it go. */
export const putReservation = (
  fleet: Fleet,
  before: ReservationState | undefined,
  after: ReservationState | null
): void => {
  if (before !== undefined) {
    fleet.network(before.network).reserved.delete(before.address)
    fleet.reservations.delete(before.name)
    fleet.cluster(before.cluster).reservations.delete(before.name)
    occupy(fleet, before.network, before.address)
  }
  if (after === null) return
  fleet.network(after.network).reserved.set(after.address, after)
  fleet.reservations.set(after.name, after)
  fleet.cluster(after.cluster).reservations.set(after.name, after)
  occupy(fleet, after.network, after.address)
}

/** Has clusters share addresses, or no longer. */
export const putSharedAddress = (
  fleet: Fleet,
  before: SharedAddressState | undefined,
  after: SharedAddressState | null
): void => {
  if (before !== undefined) {
    const { name, network, addresses } = before.shared
    fleet.sharedAddresses.delete(name)
    for (const member of before.shared.members) {
      const states = fleet.sharedOf.get(memberKey(member))
      // Also what was loaded as another object of the same state.
      for (const state of states ?? []) if (state.shared.name === name) states?.delete(state)
      if (states?.size === 0) fleet.sharedOf.delete(memberKey(member))
    }
    for (const address of addresses) {
      fleet.network(network).shared.delete(address)
      occupy(fleet, network, address)
    }
  }
  if (after === null) return
  const { name, network, addresses } = after.shared
  fleet.sharedAddresses.set(name, after)
  for (const member of after.shared.members) {
    const states = fleet.sharedOf.get(memberKey(member)) ?? new Set()
    fleet.sharedOf.set(memberKey(member), states.add(after))
  }
  for (const address of addresses) {
    fleet.network(network).shared.set(address, after)
    occupy(fleet, network, address)
  }
}

/** A fleet's pool that the cluster no longer selects is in its configuration for as long as it has addresses of it. */
const countHeld = (fleet: Fleet, vip: IndexedVip | undefined, change: 1 | -1): void => {
  if (vip?.phase !== "assigned") return
  const { pool } = vip
  const cluster = fleet.cluster(vip.cluster)
  const before = cluster.heldOf.get(pool) ?? 0
  const count = before + change
  if (count === 0) cluster.heldOf.delete(pool)
  else cluster.heldOf.set(pool, count)
  if ((before === 0 || count === 0) && fleet.addressPools.has(pool)) forgetJudged(cluster)
}

const putMember = (
  fleet: Fleet,
  stream: string,
  before: IndexedVip | undefined,
  after: IndexedVip | undefined
): void => {
  const vip = after ?? before
  if (vip?.member !== true) return
  const { memberStreams } = fleet.network(vip.network)
  const streams = memberStreams.get(vip.address) ?? new Set<string>()
  if (after === undefined) streams.delete(stream)
  else streams.add(stream)
  memberStreams.set(vip.address, streams)
}

/** Whether an address of the network is taken and remembered, from all that is known of it; one VIP that holds it is enough. */
const occupy = (fleet: Fleet, networkName: string, text: string, vip?: IndexedVip): void => {
  const { taken, remembered, reserved, shared } = fleet.network(networkName)
  const address = toAddress(text)
  if (!isFree(vip)) {
    taken.add(address)
    remembered.add(address)
    return
  }
  const vips = fleet.vipsAt(networkName, text)
  const isKept = reserved.has(text) || shared.has(text)
  if (isKept || vips.some(({ phase }) => phase !== "free")) taken.add(address)
  else taken.delete(address)
  if (isKept || vips.length > 0) remembered.add(address)
  else remembered.delete(address)
}

const memberKey = ({ cluster, namespace, name }: SharedMember): string => `${cluster}/${namespace}/${name}`

const isFree = (vip: Pick<IndexedVip, "phase"> | undefined): boolean => vip === undefined || vip.phase === "free"
