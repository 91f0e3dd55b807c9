import { readU32, u32 } from "@lowtide/bgp/wire/bytes"
import type { BmpFault } from "./fault.ts"

/** The version spoken here: RFC 7854 §4.1. */
export const bmpVersion = 3

/** Octets of the common header: version, length, type. */
export const commonHeaderBytes = 6

/**
 * The longest message that is waited for. A Route Monitoring message has at most 65,583 octets, and a mirrored one with several
 * PDUs rarely more; the RFC sets no bound.
 */
export const bmpMessageBytesMax = 262_144

/** Type codes: RFC 7854 §4.1. */
export const bmpTypes = {
  RouteMonitoring: 0,
  StatisticsReport: 1,
  PeerDown: 2,
  PeerUp: 3,
  Initiation: 4,
  Termination: 5,
  RouteMirroring: 6
} as const

/** One whole message cut out of the stream, its header included; a view, valid as long as the stream's buffer is. */
export interface BmpFrame {
  readonly _tag: "Frame"
  readonly type: number
  readonly bytes: Uint8Array
  /** Where the next message begins. */
  readonly end: number
}

/** What stands at the front of a stream. */
export type BmpFraming = BmpFrame | { readonly _tag: "Incomplete" } | BmpFault

/** Cuts the message that begins at `offset`. A header that cannot be one is refused before its octets are waited for. */
export const takeBmpFrame = (stream: Uint8Array, offset: number): BmpFraming => {
  const left = stream.length - offset
  if (left >= 1 && stream[offset] !== bmpVersion) {
    return fault(0, `expected BMP version ${bmpVersion}, found ${stream[offset]}`)
  }
  if (left < commonHeaderBytes) return { _tag: "Incomplete" }
  const length = readU32(stream, offset + 1)
  if (length < commonHeaderBytes || length > bmpMessageBytesMax) {
    return fault(1, `expected a length of ${commonHeaderBytes}..${bmpMessageBytesMax}, found ${length}`)
  }
  if (left < length) return { _tag: "Incomplete" }
  const end = offset + length
  return { _tag: "Frame", type: stream[offset + 5]!, bytes: stream.subarray(offset, end), end }
}

const fault = (offset: number, reason: string): BmpFault => ({
  _tag: "BmpFault",
  offset,
  reason,
  section: "RFC 7854 §4.1"
})

/** A message as octets: the common header before the parts of its body. */
export const frameOf = (type: number, parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const length = parts.reduce((sum, part) => sum + part.length, commonHeaderBytes)
  const bytes = new Uint8Array(length)
  bytes[0] = bmpVersion
  bytes.set(u32(length), 1)
  bytes[5] = type
  let offset = commonHeaderBytes
  for (const part of parts) {
    bytes.set(part, offset)
    offset += part.length
  }
  return bytes
}
