import { concatBytes, readU16, readU32, u16, u32 } from "@lowtide/bgp/wire/bytes"
import { addressFromBytes, type IpAddress } from "@lowtide/net"
import { Result } from "effect"
import { type BmpFault, refuse } from "./fault.ts"
import { type BmpFrame, bmpTypes, commonHeaderBytes, frameOf } from "./frame.ts"
import { decodePeerHeader, encodePeerHeader, type PeerHeader, paddedAddress, peerBodyAt } from "./peer-header.ts"
import { decodeTlvs, encodeTlvs, type Tlv } from "./tlv.ts"

/** Route Monitoring, RFC 7854 §4.6: one UPDATE, header included, as the table that `peer` names would give it. */
export interface RouteMonitoring {
  readonly _tag: "RouteMonitoring"
  readonly peer: PeerHeader
  readonly update: Uint8Array
}

/** Statistics Report, RFC 7854 §4.8. A value has 4 or 8 octets, or 11 with a family before it. */
export interface StatisticsReport {
  readonly _tag: "StatisticsReport"
  readonly peer: PeerHeader
  readonly statistics: ReadonlyArray<Tlv>
}

/** Peer Down, RFC 7854 §4.9: why, and what the reason comes with (a NOTIFICATION, an FSM event, TLVs, nothing). */
export interface PeerDown {
  readonly _tag: "PeerDown"
  readonly peer: PeerHeader
  readonly reason: number
  readonly data: Uint8Array
}

/** Peer Up, RFC 7854 §4.10. The OPENs are whole messages. */
export interface PeerUp {
  readonly _tag: "PeerUp"
  readonly peer: PeerHeader
  /** The router's own address on the session; `0.0.0.0` for the Loc-RIB. */
  readonly localAddress: IpAddress
  readonly localPort: number
  readonly remotePort: number
  readonly sentOpen: Uint8Array
  readonly receivedOpen: Uint8Array
  /** Type 0: text; type 3: name of the VRF or table (RFC 9069 §5.3). */
  readonly information: ReadonlyArray<Tlv>
}

/** Initiation, RFC 7854 §4.3: type 1 is sysDescr, type 2 sysName, type 0 free text. */
export interface Initiation {
  readonly _tag: "Initiation"
  readonly information: ReadonlyArray<Tlv>
}

/** Termination, RFC 7854 §4.5: type 1 is the reason in two octets, type 0 free text. */
export interface Termination {
  readonly _tag: "Termination"
  readonly information: ReadonlyArray<Tlv>
}

/** Route Mirroring, RFC 7854 §4.7: type 0 is a BGP message as it came, type 1 why. */
export interface RouteMirroring {
  readonly _tag: "RouteMirroring"
  readonly peer: PeerHeader
  readonly mirrored: ReadonlyArray<Tlv>
}

/** A message of a type that is not known, which a station passes over: RFC 7854 §4.1. */
export interface UnknownMessage {
  readonly _tag: "Unknown"
  readonly type: number
}

/** Every message of a BMP session that is known. */
export type KnownBmpMessage =
  | RouteMonitoring
  | StatisticsReport
  | PeerDown
  | PeerUp
  | Initiation
  | Termination
  | RouteMirroring

/** What a frame can hold. */
export type BmpMessage = KnownBmpMessage | UnknownMessage

type Decoded<A = BmpMessage> = Result.Result<A, BmpFault>

/** Reads a frame. UPDATEs and OPENs are cut out and left as octets. Total: any octets have an answer. */
export const decodeBmp = ({ type, bytes }: Pick<BmpFrame, "type" | "bytes">): Decoded => {
  switch (type) {
    case bmpTypes.Initiation:
      return Result.map(decodeTlvs(bytes, commonHeaderBytes, "RFC 7854 §4.3"), (information) => ({
        _tag: "Initiation",
        information
      }))
    case bmpTypes.Termination:
      return Result.map(decodeTlvs(bytes, commonHeaderBytes, "RFC 7854 §4.5"), (information) => ({
        _tag: "Termination",
        information
      }))
    case bmpTypes.RouteMonitoring:
      return withPeer(bytes, (peer) => decodeMonitoring(bytes, peer))
    case bmpTypes.StatisticsReport:
      return withPeer(bytes, (peer) => decodeStatistics(bytes, peer))
    case bmpTypes.PeerDown:
      return withPeer(bytes, (peer) => decodePeerDown(bytes, peer))
    case bmpTypes.PeerUp:
      return withPeer(bytes, (peer) => decodePeerUp(bytes, peer))
    case bmpTypes.RouteMirroring:
      return withPeer(bytes, (peer) =>
        Result.map(decodeTlvs(bytes, peerBodyAt, "RFC 7854 §4.7"), (mirrored) => ({
          _tag: "RouteMirroring",
          peer,
          mirrored
        }))
      )
    default:
      return Result.succeed({ _tag: "Unknown", type })
  }
}

const withPeer = (bytes: Uint8Array, decode: (peer: PeerHeader) => Decoded): Decoded => {
  const peer = decodePeerHeader(bytes)
  return Result.isFailure(peer) ? Result.fail(peer.failure) : decode(peer.success)
}

/** Octets of a BGP header, and type codes of it: RFC 4271 §4.1. */
const bgpHeaderBytes = 19
const bgpOpenType = 1
const bgpUpdateType = 2

/** Cuts one BGP message of the given type out of a BMP message; `end` is the offset behind it. */
const takePdu = (
  bytes: Uint8Array,
  offset: number,
  {
    type,
    name,
    bytesMin,
    section
  }: { readonly type: number; readonly name: string; readonly bytesMin: number; readonly section: string }
): Decoded<{ readonly pdu: Uint8Array; readonly end: number }> => {
  const left = bytes.length - offset
  if (left < bgpHeaderBytes)
    return refuse(offset, `expected ${name} with a header of 19 octets, found ${left}`, section)
  for (let index = offset; index < offset + 16; index++) {
    if (bytes[index] !== 0xff) return refuse(index, `expected the marker of ${name}, found ${bytes[index]}`, section)
  }
  const length = readU16(bytes, offset + 16)
  if (length < bytesMin || length > left) {
    return refuse(offset + 16, `expected ${name} of ${bytesMin}..${left} octets, found ${length}`, section)
  }
  if (bytes[offset + 18] !== type) {
    return refuse(offset + 18, `expected ${name}, type ${type}, found type ${bytes[offset + 18]}`, section)
  }
  return Result.succeed({ pdu: bytes.slice(offset, offset + length), end: offset + length })
}

const decodeMonitoring = (bytes: Uint8Array, peer: PeerHeader): Decoded => {
  const section = "RFC 7854 §4.6"
  const cut = takePdu(bytes, peerBodyAt, { type: bgpUpdateType, name: "an UPDATE", bytesMin: 23, section })
  if (Result.isFailure(cut)) return Result.fail(cut.failure)
  const { pdu, end } = cut.success
  return end === bytes.length
    ? Result.succeed({ _tag: "RouteMonitoring", peer, update: pdu })
    : refuse(end, `expected the end after the UPDATE, found ${bytes.length - end} octets`, section)
}

const decodeStatistics = (bytes: Uint8Array, peer: PeerHeader): Decoded => {
  const section = "RFC 7854 §4.8"
  if (bytes.length < peerBodyAt + 4) return refuse(peerBodyAt, "expected a count in 4 octets, found the end", section)
  const statistics = decodeTlvs(bytes, peerBodyAt + 4, section)
  if (Result.isFailure(statistics)) return Result.fail(statistics.failure)
  const count = readU32(bytes, peerBodyAt)
  return count === statistics.success.length
    ? Result.succeed({ _tag: "StatisticsReport", peer, statistics: statistics.success })
    : refuse(peerBodyAt, `expected a count of ${statistics.success.length}, found ${count}`, section)
}

const decodePeerDown = (bytes: Uint8Array, peer: PeerHeader): Decoded => {
  const reason = bytes[peerBodyAt]
  return reason === undefined
    ? refuse(peerBodyAt, "expected a reason, found the end", "RFC 7854 §4.9")
    : Result.succeed({ _tag: "PeerDown", peer, reason, data: bytes.slice(peerBodyAt + 1) })
}

const decodePeerUp = (bytes: Uint8Array, peer: PeerHeader): Decoded => {
  const section = "RFC 7854 §4.10"
  const opensAt = peerBodyAt + 20
  if (bytes.length < opensAt) {
    return refuse(
      peerBodyAt,
      `expected an address and two ports in 20 octets, found ${bytes.length - peerBodyAt}`,
      section
    )
  }
  const open = { type: bgpOpenType, bytesMin: 29, section }
  const sent = takePdu(bytes, opensAt, { ...open, name: "the OPEN that was sent" })
  if (Result.isFailure(sent)) return Result.fail(sent.failure)
  const received = takePdu(bytes, sent.success.end, { ...open, name: "the OPEN that was received" })
  if (Result.isFailure(received)) return Result.fail(received.failure)
  const information = decodeTlvs(bytes, received.success.end, section)
  if (Result.isFailure(information)) return Result.fail(information.failure)
  return Result.succeed({
    _tag: "PeerUp",
    peer,
    localAddress: addressFromBytes(bytes.slice(peerBodyAt + (peer.address.family === 6 ? 0 : 12), peerBodyAt + 16)),
    localPort: readU16(bytes, peerBodyAt + 16),
    remotePort: readU16(bytes, peerBodyAt + 18),
    sentOpen: sent.success.pdu,
    receivedOpen: received.success.pdu,
    information: information.success
  })
}

/** A message as octets, header included. */
export const encodeBmp = (message: KnownBmpMessage): Uint8Array => {
  const type = bmpTypes[message._tag]
  switch (message._tag) {
    case "Initiation":
    case "Termination":
      return frameOf(type, [encodeTlvs(message.information)])
    case "RouteMonitoring":
      return frameOf(type, [encodePeerHeader(message.peer), message.update])
    case "StatisticsReport": {
      const { peer, statistics } = message
      return frameOf(type, [encodePeerHeader(peer), u32(statistics.length), encodeTlvs(statistics)])
    }
    case "PeerDown":
      return frameOf(type, [encodePeerHeader(message.peer), Uint8Array.of(message.reason), message.data])
    case "PeerUp": {
      const { peer, localAddress, localPort, remotePort, sentOpen, receivedOpen, information } = message
      const addresses = concatBytes([paddedAddress(localAddress), u16(localPort), u16(remotePort)])
      return frameOf(type, [encodePeerHeader(peer), addresses, sentOpen, receivedOpen, encodeTlvs(information)])
    }
    case "RouteMirroring":
      return frameOf(type, [encodePeerHeader(message.peer), encodeTlvs(message.mirrored)])
  }
}
