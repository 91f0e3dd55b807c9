import { concatBytes, readU32, u32 } from "@lowtide/bgp/wire/bytes"
import { addressFromBytes, addressToBytes, type IpAddress } from "@lowtide/net"
import { Result } from "effect"
import { type BmpFault, refuse } from "./fault.ts"
import { commonHeaderBytes } from "./frame.ts"

/** Which of a router's tables a message speaks of: RFC 7854 §4.2, RFC 8671 §4, RFC 9069 §4. */
export type RibView = "adj-rib-in-pre" | "adj-rib-in-post" | "adj-rib-out-pre" | "adj-rib-out-post" | "loc-rib"

/** Peer types: RFC 7854 §4.2, RFC 9069 §4.1. */
export const peerTypes = { global: 0, rd: 1, local: 2, locRib: 3 } as const

/** Per-Peer Header, RFC 7854 §4.2: whose routes, and of which table. */
export interface PeerHeader {
  /** As `peerTypes`; any other is kept as its number. */
  readonly peerType: number
  readonly view: RibView
  /** AS_PATH has two octets an AS (A flag). */
  readonly legacyAsPath: boolean
  /** The Loc-RIB is told in part only (F flag, RFC 9069 §4.2). */
  readonly isFiltered: boolean
  /** Tells instances of the same peer apart, where routers have several; 0 else. */
  readonly distinguisher: bigint
  /** The peer's address; `0.0.0.0` for the Loc-RIB. */
  readonly address: IpAddress
  readonly asn: number
  /** The BGP Identifier as an unsigned 32-bit number. */
  readonly routerId: number
  /** When the router learned of what it says, by its own clock; 0 where it does not say. */
  readonly seconds: number
  readonly microseconds: number
}

/** Octets of the header. */
export const peerHeaderBytes = 42

/** Where the rest of a message with a Per-Peer Header begins. */
export const peerBodyAt = commonHeaderBytes + peerHeaderBytes

const flags = { ipv6: 0x80, postPolicy: 0x40, legacyAsPath: 0x20, adjRibOut: 0x10, filtered: 0x80 } as const

/** Reads the header behind the common one. */
export const decodePeerHeader = (message: Uint8Array): Result.Result<PeerHeader, BmpFault> => {
  if (message.length < peerBodyAt) {
    const found = message.length - commonHeaderBytes
    return refuse(
      commonHeaderBytes,
      `expected a per-peer header of ${peerHeaderBytes} octets, found ${found}`,
      "RFC 7854 §4.2"
    )
  }
  const peerType = message[6]!
  const bits = message[7]!
  const isLocRib = peerType === peerTypes.locRib
  const isIpv6 = !isLocRib && (bits & flags.ipv6) !== 0
  return Result.succeed({
    peerType,
    view: viewOf(peerType, bits),
    legacyAsPath: !isLocRib && (bits & flags.legacyAsPath) !== 0,
    isFiltered: isLocRib && (bits & flags.filtered) !== 0,
    distinguisher: (BigInt(readU32(message, 8)) << 32n) | BigInt(readU32(message, 12)),
    address: addressFromBytes(message.slice(isIpv6 ? 16 : 28, 32)),
    asn: readU32(message, 32),
    routerId: readU32(message, 36),
    seconds: readU32(message, 40),
    microseconds: readU32(message, 44)
  })
}

const viewOf = (peerType: number, bits: number): RibView => {
  if (peerType === peerTypes.locRib) return "loc-rib"
  const policy = (bits & flags.postPolicy) !== 0 ? "post" : "pre"
  return (bits & flags.adjRibOut) !== 0 ? `adj-rib-out-${policy}` : `adj-rib-in-${policy}`
}

/** The header as octets. An IPv4 address stands in the last four of sixteen. */
export const encodePeerHeader = (peer: PeerHeader): Uint8Array => {
  const isIpv6 = peer.address.family === 6
  const bits =
    peer.view === "loc-rib"
      ? peer.isFiltered
        ? flags.filtered
        : 0
      : (isIpv6 ? flags.ipv6 : 0) |
        (peer.view.endsWith("post") ? flags.postPolicy : 0) |
        (peer.legacyAsPath ? flags.legacyAsPath : 0) |
        (peer.view.startsWith("adj-rib-out") ? flags.adjRibOut : 0)
  return concatBytes([
    Uint8Array.of(peer.peerType, bits),
    u32(Number(peer.distinguisher >> 32n)),
    u32(Number(peer.distinguisher & 0xffff_ffffn)),
    paddedAddress(peer.address),
    u32(peer.asn),
    u32(peer.routerId),
    u32(peer.seconds),
    u32(peer.microseconds)
  ])
}

/** An address in sixteen octets: RFC 7854 §4.2. */
export const paddedAddress = (address: IpAddress): Uint8Array =>
  address.family === 6 ? addressToBytes(address) : concatBytes([new Uint8Array(12), addressToBytes(address)])
