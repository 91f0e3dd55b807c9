import { asTrans } from "@lowtide/net"
import { Result } from "effect"
import type { MalformedValue } from "./attribute-codec.ts"
import { concatBytes, eachOf, readU16, readU32, u16, u32 } from "./bytes.ts"

/** One segment of an AS_PATH: RFC 4271 §4.3; the two confederation kinds are RFC 5065 §3. */
export interface AsPathSegment {
  readonly kind: AsPathSegmentKind
  /** 1 to 255 AS numbers, nearest first. */
  readonly asns: ReadonlyArray<number>
}

/** What a segment's AS numbers mean: an unordered set or a sequence. */
export type AsPathSegmentKind = "set" | "sequence" | "confed-sequence" | "confed-set"

const kinds: ReadonlyArray<AsPathSegmentKind> = ["set", "sequence", "confed-sequence", "confed-set"]

/** How many AS numbers one segment holds at most: its count is one octet. */
export const segmentAsnsMax = 255

/** A path of one sequence, split where a segment is full. No AS numbers give an empty path (RFC 4271 §5.1.2). */
export const sequence = (asns: ReadonlyArray<number>): ReadonlyArray<AsPathSegment> =>
  Array.from({ length: Math.ceil(asns.length / segmentAsnsMax) }, (_, index) => ({
    kind: "sequence",
    asns: asns.slice(index * segmentAsnsMax, (index + 1) * segmentAsnsMax)
  }))

/** Reads segments with AS numbers of two or four octets. */
export const decodeAsPath = (
  value: Uint8Array,
  asnBytes: 2 | 4
): Result.Result<ReadonlyArray<AsPathSegment>, MalformedValue> => {
  const segments: Array<AsPathSegment> = []
  for (let offset = 0; offset < value.length; ) {
    const kind = kinds[value[offset]! - 1]
    const count = value[offset + 1]
    if (kind === undefined) return malformed(`expected a segment type of 1..4, found ${value[offset]}`)
    if (count === undefined || count === 0) return malformed("a segment has no AS numbers") // RFC 7606 §7.2
    const end = offset + 2 + count * asnBytes
    if (end > value.length) return malformed(`a segment of ${count} AS numbers runs past the end of the path`)
    const read = asnBytes === 2 ? readU16 : readU32
    const start = offset + 2
    const asns = eachOf(value.subarray(start, end), asnBytes, (at) => read(value, start + at))
    if (asns.includes(0)) return malformed("has AS 0, which RFC 7607 §2 forbids")
    segments.push({ kind, asns })
    offset = end
  }
  return Result.succeed(segments)
}

const malformed = (reason: string): Result.Result<never, MalformedValue> => Result.fail({ reason, subcode: 11 })

/** Writes segments; in two octets, an AS number that does not fit becomes AS_TRANS (RFC 6793 §4.2.2). */
export const encodeAsPath = (segments: ReadonlyArray<AsPathSegment>, asnBytes: 2 | 4): Uint8Array =>
  concatBytes(
    segments.flatMap(({ kind, asns }) => [
      Uint8Array.of(kinds.indexOf(kind) + 1, asns.length),
      ...asns.map((asn) => (asnBytes === 4 ? u32(asn) : u16(asn > 0xffff ? asTrans : asn)))
    ])
  )

/** The path as operators write it: `64496 64497 {64500,64501}`, confederation segments in brackets. */
export const formatAsPath = (segments: ReadonlyArray<AsPathSegment>): string => segments.map(formatSegment).join(" ")

const formatSegment = ({ kind, asns }: AsPathSegment): string => {
  switch (kind) {
    case "sequence":
      return asns.join(" ")
    case "set":
      return `{${asns.join(",")}}`
    case "confed-sequence":
      return `(${asns.join(" ")})`
    case "confed-set":
      return `[${asns.join(",")}]`
  }
}

/** How long the path counts: a set is one, confederation segments are none (RFC 4271 §9.1.2.2, RFC 5065 §5.3). */
export const asPathLength = (segments: ReadonlyArray<AsPathSegment>): number =>
  segments.reduce((length, { kind, asns }) => length + (kind === "sequence" ? asns.length : kind === "set" ? 1 : 0), 0)

/** Whether the segment is of a confederation (RFC 5065 §3), which concerns its members alone. */
export const isConfederation = ({ kind }: AsPathSegment): boolean => kind === "confed-sequence" || kind === "confed-set"

/**
 * The true path of a route from a two-octet peer: the AS_PATH's first AS numbers, as many as AS4_PATH lacks, then
 * AS4_PATH. An AS4_PATH that is longer is ignored: RFC 6793 §4.2.3. Confederation segments count none: those of AS_PATH stay
 * that stand first or next to what stays, those of AS4_PATH go (§6).
 */
export const mergeAs4Path = (
  asPath: ReadonlyArray<AsPathSegment>,
  as4Path: ReadonlyArray<AsPathSegment>
): ReadonlyArray<AsPathSegment> => {
  let missing = asPathLength(asPath) - asPathLength(as4Path)
  if (missing < 0) return asPath
  const head: Array<AsPathSegment> = []
  for (const segment of asPath) {
    if (missing === 0 && !isConfederation(segment)) break
    const kept = segment.kind === "sequence" ? { ...segment, asns: segment.asns.slice(0, missing) } : segment
    head.push(kept)
    missing -= asPathLength([kept])
    if (kept.asns.length < segment.asns.length) break // what follows is next to what goes
  }
  return [...head, ...as4Path.filter((segment) => !isConfederation(segment))]
}
