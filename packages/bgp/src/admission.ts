import { type Family, formatIpAddress, type IpAddress, parseIpAddress } from "@lowtide/net"
import { Result } from "effect"
import type { BgpPeer } from "./peer.ts"

/** Why a connection was not taken. */
export type RefusalKind =
  | "unknown-address"
  | "other-interface"
  | "other-local-address"
  | "ambiguous-peer"
  | "no-password"
  | "too-many-connections"
  | "closed"

/** Why a connection was not taken, in words as well. */
export interface Refusal {
  readonly kind: RefusalKind
  readonly reason: string
}

/** A peer as a listener sees it: from where, and to which address of ours, it may connect. */
export interface Entry {
  readonly peer: BgpPeer
  readonly address: IpAddress
  /** The interface of a link-local address. */
  readonly zone: string | undefined
  /** The VRF's device, or another that its sessions are bound to. */
  readonly device: string | undefined
  /** Canonical text. */
  readonly localAddress: string | undefined
  /** Its password as it was when it was looked for. */
  readonly key: Uint8Array | undefined
  readonly refusal: Refusal | undefined
}

/**
 * A listening socket. A device that peers are bound to (a VRF's) is theirs alone: the same addresses mean others there. On an
 * interface that is only the zone of a link-local address those may connect as well that are bound to nothing.
 */
export interface Place {
  readonly device: string | undefined
  readonly isOwn: boolean
}

/** A connection as it came in. */
export interface Arrival {
  /** A link-local one with its zone. */
  readonly remoteAddress: string
  readonly localAddress: string
  readonly place: Place
}

/** Everywhere that no device is said. */
export const anywhere: Place = { device: undefined, isOwn: false }

/** The peers of a family, each with its password of now, or with why it may not connect. */
export const admit = (peers: ReadonlyArray<BgpPeer>, family: Family): ReadonlyArray<Entry> => {
  const entries = peers.flatMap((peer) => entryOf(peer) ?? []).filter(({ address }) => address.family === family)
  return entries.map((entry) => ({ ...entry, refusal: entry.refusal ?? conflict(entry, entries) }))
}

const entryOf = (peer: BgpPeer): Entry | undefined => {
  const { host, device, localAddress, md5Key } = peer.options
  const [text = "", zone] = host.split("%", 2)
  const address = Result.getOrUndefined(parseIpAddress(text))
  if (address === undefined) return undefined // it cannot be dialled either, and says so then
  const key = md5Key?.()
  return {
    peer,
    address,
    zone,
    device,
    localAddress: localAddress === undefined ? undefined : canonical(localAddress),
    key: key === undefined ? undefined : Result.getOrUndefined(key),
    refusal: key !== undefined && Result.isFailure(key) ? { kind: "no-password", reason: key.failure } : undefined
  }
}

/** Without its zone, in the one text that an address has. */
const canonical = (text: string): string => {
  const bare = text.replace(/%.*$/, "")
  const address = Result.getOrUndefined(parseIpAddress(bare))
  return address === undefined ? bare : formatIpAddress(address)
}

/** Two that cannot be told from each other when they connect may both only be dialled. */
const conflict = (entry: Entry, entries: ReadonlyArray<Entry>): Refusal | undefined => {
  const others = entries.filter(
    (other) =>
      other !== entry && where(other) === where(entry) && other.zone === entry.zone && isSameDevice(other, entry)
  )
  const same = others.find(({ localAddress }) => localAddress === entry.localAddress)
  if (same !== undefined) return ambiguous(entry, same, "connects to the same address of ours")
  const differing = others.find(({ key }) => !isSameKey(key, entry.key))
  return (
    differing && ambiguous(entry, differing, "has another password, and a socket that listens has one for an address")
  )
}

const where = ({ address }: Entry): string => formatIpAddress(address)

const isSameDevice = (left: Entry, right: Entry): boolean => left.device === right.device

/** Whether two passwords are one; none is another than any. */
export const isSameKey = (left: Uint8Array | undefined, right: Uint8Array | undefined): boolean =>
  left === undefined || right === undefined ? left === right : Buffer.from(left).equals(right)

const ambiguous = (entry: Entry, other: Entry, why: string): Refusal => ({
  kind: "ambiguous-peer",
  reason: `peer ${other.peer.options.name} has the address ${where(entry)} too and ${why}: both are only dialled`
})

/** The listening sockets that the peers need besides the one that is bound to no device. */
export const placesOf = (entries: ReadonlyArray<Entry>): ReadonlyArray<Place & { readonly device: string }> => {
  const places = new Map<string, Place & { readonly device: string }>()
  for (const { zone, device } of entries) {
    const name = device ?? zone
    if (name !== undefined)
      places.set(name, { device: name, isOwn: device !== undefined || places.get(name)?.isOwn === true })
  }
  return [...places.values()]
}

const mayUse = ({ device, zone }: Entry, place: Place): boolean =>
  device !== undefined || place.isOwn ? device === place.device : zone === undefined || zone === place.device

/** The passwords that a socket needs, by address. */
export const keysAt = (
  entries: ReadonlyArray<Entry>,
  place: Place
): ReadonlyMap<string, Entry & { readonly key: Uint8Array }> => {
  const keys = new Map<string, Entry & { readonly key: Uint8Array }>()
  for (const entry of entries) {
    const { key, refusal } = entry
    if (key !== undefined && refusal === undefined && mayUse(entry, place)) keys.set(where(entry), { ...entry, key })
  }
  return keys
}

/** Whose connection it is: by the address that it comes from, the interface that it comes by and our address that it goes to. */
export const find = (entries: ReadonlyArray<Entry>, arrival: Arrival): Result.Result<Entry, Refusal> => {
  const { place } = arrival
  const [remote, local] = [canonical(arrival.remoteAddress), canonical(arrival.localAddress)]
  const zone = arrival.remoteAddress.split("%", 2)[1]
  const named = entries.filter((entry) => where(entry) === remote)
  if (named.length === 0) return refuse("unknown-address", "no peer has this address")
  const here = named.filter((entry) => mayUse(entry, place) && (entry.zone === undefined || entry.zone === zone))
  if (here.length === 0) return refuse("other-interface", `${names(named)} is not on the interface that it came by`)
  const exact = here.filter(({ localAddress }) => localAddress === local)
  const meant = exact.length > 0 ? exact : here.filter(({ localAddress }) => localAddress === undefined)
  const [entry] = meant
  if (entry === undefined) {
    return refuse("other-local-address", `${names(here)} has a session with another address of ours than ${local}`)
  }
  return entry.refusal === undefined ? Result.succeed(entry) : Result.fail(entry.refusal)
}

const names = (entries: ReadonlyArray<Entry>): string =>
  `peer ${entries.map(({ peer }) => peer.options.name).join(", ")}`

const refuse = (kind: RefusalKind, reason: string): Result.Result<never, Refusal> => Result.fail({ kind, reason })
