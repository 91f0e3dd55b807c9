import { Result } from "effect"
import { addressBits, type Family, formatIpAddress, type IpAddress, parseIpAddress } from "./address.ts"

/** Consecutive addresses of one family, both ends included. */
export interface AddressRange {
  readonly family: Family
  readonly first: bigint
  readonly last: bigint
}

/**
 * Reads what an address pool may list: a prefix (`192.0.2.0/24`, host bits are ignored as MetalLB does) or a range
 * (`192.0.2.10-192.0.2.40`, blanks allowed around the dash).
 */
export const parseAddressRange = (text: string): Result.Result<AddressRange, string> => {
  const trimmed = text.trim()
  const fault = Result.fail(
    `expected a prefix like 192.0.2.0/24 or a range like 192.0.2.10-192.0.2.40, found ${JSON.stringify(text)}`
  )
  const slash = /^([^/]+)\/(\d{1,3})$/.exec(trimmed)
  if (slash !== null) {
    const address = Result.getOrUndefined(parseIpAddress(slash[1] ?? ""))
    const lengthBits = Number(slash[2])
    if (address === undefined || lengthBits > addressBits(address.family)) return fault
    const hostBits = BigInt(addressBits(address.family) - lengthBits)
    const first = (address.value >> hostBits) << hostBits
    return Result.succeed({ family: address.family, first, last: first + (1n << hostBits) - 1n })
  }
  const ends = trimmed.split("-").map((end) => Result.getOrUndefined(parseIpAddress(end.trim())))
  const [first, last] = ends
  if (ends.length !== 2 || first === undefined || last === undefined) return fault
  if (first.family !== last.family)
    return Result.fail(`expected both ends of one IP version, found ${JSON.stringify(text)}`)
  if (first.value > last.value) return Result.fail(`expected the lower address first, found ${JSON.stringify(text)}`)
  return Result.succeed({ family: first.family, first: first.value, last: last.value })
}

/** `192.0.2.0/24` where the range is exactly a prefix, `first-last` otherwise. */
export const formatAddressRange = (range: AddressRange): string => {
  const size = rangeSize(range)
  const first = formatIpAddress({ family: range.family, value: range.first })
  const hostBits = size.toString(2).length - 1
  const isPrefix = 1n << BigInt(hostBits) === size && range.first % size === 0n
  if (isPrefix) return `${first}/${addressBits(range.family) - hostBits}`
  return `${first}-${formatIpAddress({ family: range.family, value: range.last })}`
}

/** How many addresses the range has. */
export const rangeSize = (range: AddressRange): bigint => range.last - range.first + 1n

/** Whether the address lies in the range. */
export const rangeContains = (range: AddressRange, address: IpAddress): boolean =>
  range.family === address.family && address.value >= range.first && address.value <= range.last

/** The addresses that both ranges have, if any. */
export const rangeOverlap = (left: AddressRange, right: AddressRange): AddressRange | undefined => {
  if (left.family !== right.family) return undefined
  const first = left.first > right.first ? left.first : right.first
  const last = left.last < right.last ? left.last : right.last
  return first <= last ? { family: left.family, first, last } : undefined
}
