import { Result } from "effect"

/** A standard community (RFC 1997): the 32-bit value, shown as `ASN:value`. */
export interface StandardCommunity {
  readonly _tag: "StandardCommunity"
  readonly value: number
}

/** A large community (RFC 8092): three 32-bit parts. */
export interface LargeCommunity {
  readonly _tag: "LargeCommunity"
  readonly globalAdministrator: number
  readonly data1: number
  readonly data2: number
}

export type Community = StandardCommunity | LargeCommunity

/** Names that operators write instead of numbers (IANA "BGP Well-known Communities"). */
export const wellKnownCommunities: Readonly<Record<string, number>> = {
  "graceful-shutdown": 0xffff_0000, // RFC 8326 §5
  "accept-own": 0xffff_0001, // RFC 7611
  blackhole: 0xffff_029a, // RFC 7999
  "no-export": 0xffff_ff01, // RFC 1997
  "no-advertise": 0xffff_ff02, // RFC 1997
  "no-export-subconfed": 0xffff_ff03, // RFC 1997
  "no-peer": 0xffff_ff04 // RFC 3765
}

/** Reads `64496:100`, `large:64496:1:2` (MetalLB's spelling), `64496:1:2`, or a well-known name. */
export const parseCommunity = (text: string): Result.Result<Community, string> => {
  const wellKnown = Object.hasOwn(wellKnownCommunities, text) ? wellKnownCommunities[text] : undefined
  if (wellKnown !== undefined) return Result.succeed({ _tag: "StandardCommunity", value: wellKnown })
  const isLarge = text.startsWith("large:")
  const texts = (isLarge ? text.slice("large:".length) : text).split(":")
  const parts = texts.map((part) => (/^\d{1,10}$/.test(part) ? Number(part) : Number.NaN))
  const [first = Number.NaN, second = Number.NaN, third = Number.NaN] = parts
  if (parts.length === 3 && parts.every((part) => part <= 0xffff_ffff)) {
    return Result.succeed({ _tag: "LargeCommunity", globalAdministrator: first, data1: second, data2: third })
  }
  if (parts.length === 2 && !isLarge && first <= 0xffff && second <= 0xffff) {
    return Result.succeed({ _tag: "StandardCommunity", value: first * 0x10000 + second })
  }
  return Result.fail(`expected a community like 64496:100 or large:64496:1:2, found ${JSON.stringify(text)}`)
}

/** `64496:100` for a standard community, `64496:1:2` for a large one. */
export const formatCommunity = (community: Community): string =>
  community._tag === "StandardCommunity"
    ? `${community.value >>> 16}:${community.value & 0xffff}`
    : `${community.globalAdministrator}:${community.data1}:${community.data2}`
