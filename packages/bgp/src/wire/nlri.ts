import { addressBits, addressFromBytes, type Family, type Prefix } from "@lowtide/net"
import { Result } from "effect"
import { readU32 } from "./bytes.ts"

/** A prefix as it stands on the wire; with its path identifier where those were agreed (RFC 7911 §3). */
export type NlriPrefix = Prefix & { readonly pathId?: number }

/** The most octets one prefix can take: a length octet and a whole IPv6 address. */
export const prefixBytesMax = 17

/** How many octets the prefix takes in an NLRI field: one for the length, then as many as its bits need. */
export const prefixBytes = (prefix: Prefix): number => 1 + ((prefix.lengthBits + 7) >>> 3)

/** Writes the prefix (RFC 4271 §4.3) at `offset` and answers the offset after it; the caller made room. */
export const writePrefix = (out: Uint8Array, offset: number, { address, lengthBits }: Prefix): number => {
  const octets = (lengthBits + 7) >>> 3
  const end = offset + 1 + octets
  out[offset] = lengthBits
  if (address.family === 4) return writeWord(out, offset + 1, end, Number(address.value))
  for (let word = 0; word * 4 < octets; word++) {
    writeWord(out, offset + 1 + word * 4, end, Number((address.value >> BigInt(96 - 32 * word)) & 0xffff_ffffn))
  }
  return end
}

/** Up to four octets of `value`, highest first, not beyond `end`. */
const writeWord = (out: Uint8Array, offset: number, end: number, value: number): number => {
  const stop = Math.min(end, offset + 4)
  for (let index = offset, shift = 24; index < stop; index++, shift -= 8) out[index] = value >>> shift
  return stop
}

/** The prefixes one after the other, as an NLRI field has them. */
export const encodeNlri = (prefixes: ReadonlyArray<Prefix>): Uint8Array => {
  const out = new Uint8Array(prefixes.reduce((length, prefix) => length + prefixBytes(prefix), 0))
  prefixes.reduce((offset, prefix) => writePrefix(out, offset, prefix), 0)
  return out
}

/**
 * Reads a whole NLRI field. Fails with a sentence when a length is beyond the family's bits or a prefix runs past the
 * end. Bits beyond a prefix's length are ignored, as RFC 4271 §4.3 says they have no meaning.
 */
export const decodeNlri = (
  bytes: Uint8Array,
  family: Family,
  { addPath = false }: { readonly addPath?: boolean } = {}
): Result.Result<ReadonlyArray<NlriPrefix>, string> => {
  const prefixes: Array<NlriPrefix> = []
  const bitsMax = addressBits(family)
  for (let offset = 0; offset < bytes.length; ) {
    if (addPath && offset + 5 > bytes.length)
      return Result.fail("expected a prefix after the path identifier, found the end")
    const pathId = addPath ? { pathId: readU32(bytes, offset) } : undefined
    if (addPath) offset += 4
    const lengthBits = bytes[offset]!
    if (lengthBits > bitsMax) return Result.fail(`expected a prefix length of at most ${bitsMax}, found ${lengthBits}`)
    const octets = (lengthBits + 7) >>> 3
    if (offset + 1 + octets > bytes.length) {
      return Result.fail(`expected ${octets} octets for a /${lengthBits}, found ${bytes.length - offset - 1}`)
    }
    const prefix = readPrefix(bytes, offset + 1, { family, lengthBits, octets })
    prefixes.push(pathId === undefined ? prefix : { ...prefix, ...pathId })
    offset += 1 + octets
  }
  return Result.succeed(prefixes)
}

const readPrefix = (
  bytes: Uint8Array,
  offset: number,
  { family, lengthBits, octets }: { readonly family: Family; readonly lengthBits: number; readonly octets: number }
): Prefix => {
  const padded = new Uint8Array(family === 4 ? 4 : 16)
  padded.set(bytes.subarray(offset, offset + octets))
  if (lengthBits % 8 !== 0) padded[octets - 1]! &= 0xff << (8 - (lengthBits % 8))
  return { address: addressFromBytes(padded), lengthBits }
}
