import {
  type AddressRange,
  type Community,
  formatAddressRange,
  formatCommunity,
  formatIpAddress,
  formatPrefix,
  type IpAddress,
  type Prefix,
  parseAddressRange,
  parseCommunity,
  parseIpAddress,
  parsePrefix,
  withoutMapping
} from "@lowtide/net"
import { Result } from "effect"
import type { FindingCode } from "./codes.ts"

/** How one kind of text is read and, when it is wrong, described. */
export interface Syntax {
  readonly code: FindingCode
  readonly expected: string
}

export const addressSyntax: Syntax = { code: "LT0109", expected: "an IPv4 or IPv6 address" }
export const rangeSyntax: Syntax = {
  code: "LT0110",
  expected: "a prefix like 192.0.2.0/24 or a range like 192.0.2.10-192.0.2.40, lower address first"
}
export const prefixSyntax: Syntax = {
  code: "LT0110",
  expected: "a prefix without host bits like 192.0.2.0/24 or 2001:db8::/64"
}
export const communitySyntax: Syntax = { code: "LT0112", expected: "64496:100 or large:64496:1:2" }
export const durationSyntax: Syntax = { code: "LT0108", expected: "whole seconds like 90s or 1m30s" }
export const quarantineSyntax: Syntax = {
  code: "LT0108",
  expected: "whole seconds like 30s, 10m or 24h, at most 8760h"
}
export const nameSyntax: Syntax = {
  code: "LT0141",
  expected: "lower-case letters, digits, dashes and dots, a letter or digit at both ends, at most 253 characters"
}

export const deviceSyntax: Syntax = {
  code: "LT0141",
  expected: "the name of a network device of Linux: 1 to 15 characters without spaces, slashes and colons"
}

export const classSyntax: Syntax = {
  code: "LT0107",
  expected: "a class as Kubernetes has it, like lowtide.dev/bgp or internal"
}

/**
 * An address in its one canonical text. What people write of IPv4 as an IPv4-mapped address is that IPv4 address, as to Go,
 * and so to Kubernetes and MetalLB: no router has a route for the mapped one.
 */
export const canonicalAddress = (text: string): Result.Result<string, string> =>
  Result.map(parseIpAddress(text), (address: IpAddress) => formatIpAddress(withoutMapping(address)))

/** A range or prefix of a pool in its one canonical text. */
export const canonicalRange = (text: string): Result.Result<string, string> =>
  Result.map(parseAddressRange(text), (range: AddressRange) => {
    const [first, last] = [range.first, range.last].map((value) => withoutMapping({ family: range.family, value }))
    const isMapped = range.family === 6 && first?.family === 4 && last?.family === 4
    return formatAddressRange(isMapped ? { family: 4, first: first.value, last: last.value } : range)
  })

/** A prefix in its one canonical text. */
export const canonicalPrefix = (text: string): Result.Result<string, string> =>
  Result.map(parsePrefix(text), ({ address, lengthBits }: Prefix) => {
    const plain = withoutMapping(address)
    const isMapped = plain.family !== address.family && lengthBits >= mappedBits
    return formatPrefix(isMapped ? { address: plain, lengthBits: lengthBits - mappedBits } : { address, lengthBits })
  })

/** What an IPv4-mapped address has before the IPv4 address. */
const mappedBits = 96

/** A community in its one canonical text. */
export const canonicalCommunity = (text: string): Result.Result<string, string> =>
  Result.map(parseCommunity(text), (community: Community) => formatCommunity(community))

/** Milliseconds of the units of a Go duration that Kubernetes prints. */
const unitMs: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 }

/** Reads a Kubernetes duration (`1m30s`, `0`) that is a whole number of seconds. */
export const parseDurationSeconds = (text: string): Result.Result<number, string> => {
  const fault = Result.fail(`expected ${durationSyntax.expected}, found ${JSON.stringify(text)}`)
  if (text === "0") return Result.succeed(0)
  if (!/^(\d{1,9}(\.\d{1,9})?(h|ms|m|s))+$/.test(text)) return fault
  let ms = 0
  for (const [, amount, unit] of text.matchAll(/([\d.]+)(h|ms|m|s)/g)) ms += Number(amount) * (unitMs[unit ?? ""] ?? 0)
  return Number.isInteger(ms / 1000) ? Result.succeed(ms / 1000) : fault
}

/** A year: an address that rests longer is one that somebody meant to reserve. */
const quarantineMaxSeconds = 8760 * 3600

/** How long a released address rests, in milliseconds. */
export const parseQuarantineMs = (text: string): Result.Result<number, string> =>
  Result.flatMap(parseDurationSeconds(text), (seconds) =>
    seconds <= quarantineMaxSeconds
      ? Result.succeed(seconds * 1000)
      : Result.fail(`expected ${quarantineSyntax.expected}, found ${JSON.stringify(text)}`)
  )

/** A duration as people write it: `24h`, `10m`, `1h30m`, `0s`. */
export const formatDuration = (ms: number): string => {
  const [hours, minutes, seconds] = [Math.floor(ms / 3_600_000), Math.floor(ms / 60_000) % 60, (ms / 1000) % 60]
  const parts = [hours > 0 ? `${hours}h` : "", minutes > 0 ? `${minutes}m` : "", seconds > 0 ? `${seconds}s` : ""]
  return parts.join("") || "0s"
}

/** Accepts what Kubernetes accepts as the name of most objects (RFC 1123 subdomain). */
export const parseName = (text: string): Result.Result<string, string> =>
  text.length <= 253 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(text)
    ? Result.succeed(text)
    : Result.fail(`expected ${nameSyntax.expected}, found ${JSON.stringify(text)}`)

/** Accepts what Linux accepts as the name of a network device. */
export const parseDevice = (text: string): Result.Result<string, string> =>
  /^[^\s/:\0]{1,15}$/.test(text) && text !== "." && text !== ".."
    ? Result.succeed(text)
    : Result.fail(`expected ${deviceSyntax.expected}, found ${JSON.stringify(text)}`)

/** Accepts what Kubernetes accepts as a load balancer class: the syntax of a label's key. */
export const parseClass = (text: string): Result.Result<string, string> => {
  const [name = "", prefix, ...more] = text.split("/").reverse()
  const isName = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/.test(name)
  return isName && more.length === 0 && (prefix === undefined || Result.isSuccess(parseName(prefix)))
    ? Result.succeed(text)
    : Result.fail(`expected ${classSyntax.expected}, found ${JSON.stringify(text)}`)
}
