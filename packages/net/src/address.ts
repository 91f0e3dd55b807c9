import { Result } from "effect"

/** The IP version. */
export type Family = 4 | 6

/** One IP address. `value` is the address as an unsigned integer of 32 or 128 bits. */
export interface IpAddress {
  readonly family: Family
  readonly value: bigint
}

/** How many bits an address of the family has. */
export const addressBits = (family: Family): 32 | 128 => (family === 4 ? 32 : 128)

/** The highest address value of the family. */
export const maxAddressValue = (family: Family): bigint => (family === 4 ? 0xffff_ffffn : (1n << 128n) - 1n)

/**
 * Reads an IPv4 address (four decimal octets, no leading zeros) or an IPv6 address (RFC 4291 §2.2, all three forms).
 * A zone (`%eth0`) is not part of an address and is refused.
 */
export const parseIpAddress = (text: string): Result.Result<IpAddress, string> => {
  const v4 = parseIpv4(text)
  if (v4 !== undefined) return Result.succeed({ family: 4, value: BigInt(v4) })
  const v6 = parseIpv6(text)
  if (v6 !== undefined) return Result.succeed({ family: 6, value: v6 })
  return Result.fail(`expected an IPv4 or IPv6 address, found ${JSON.stringify(text)}`)
}

/** The IPv4 address that an IPv4-mapped one stands for (RFC 4291 §2.5.5.2, `::ffff:192.0.2.1`); any other one as it is. */
export const withoutMapping = (address: IpAddress): IpAddress =>
  address.family === 6 && address.value >> 32n === 0xffffn
    ? { family: 4, value: address.value & 0xffff_ffffn }
    : address

/** Whether an IPv6 address is of one link alone (RFC 4291 §2.5.6, fe80::/10), so that it needs a zone. */
export const isLinkLocal = ({ family, value }: IpAddress): boolean => family === 6 && value >> 118n === 0x3fan

/** The canonical text: dotted quad, or RFC 5952. */
export const formatIpAddress = (address: IpAddress): string =>
  address.family === 4 ? formatIpv4(address.value) : formatIpv6(address.value)

/** The address as 4 or 16 octets, network order. */
export const addressToBytes = (address: IpAddress): Uint8Array => {
  const bytes = new Uint8Array(address.family === 4 ? 4 : 16)
  let value = address.value
  for (let index = bytes.length - 1; index >= 0; index--) {
    bytes[index] = Number(value & 0xffn)
    value >>= 8n
  }
  return bytes
}

/** Reads 4 or 16 octets in network order; any other length is a defect of the caller. */
export const addressFromBytes = (bytes: Uint8Array): IpAddress => {
  if (bytes.length !== 4 && bytes.length !== 16)
    throw new RangeError(`an address has 4 or 16 octets, found ${bytes.length}`)
  let value = 0n
  for (const byte of bytes) value = (value << 8n) | BigInt(byte)
  return { family: bytes.length === 4 ? 4 : 6, value }
}

/**
 * A text for the address that is one token of a NATS subject: `4-192-0-2-1`, `6-` and 32 hexadecimal digits.
 * Text order is address order within IPv6 only.
 */
export const addressToken = (address: IpAddress): string =>
  address.family === 4
    ? `4-${formatIpv4(address.value).replaceAll(".", "-")}`
    : `6-${address.value.toString(16).padStart(32, "0")}`

/** Orders IPv4 before IPv6, then by value. */
export const compareAddresses = (left: IpAddress, right: IpAddress): number =>
  left.family !== right.family
    ? left.family - right.family
    : left.value < right.value
      ? -1
      : left.value > right.value
        ? 1
        : 0

const parseIpv4 = (text: string): number | undefined => {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)
  if (match === null) return undefined
  let value = 0
  for (const octet of match.slice(1)) {
    if (Number(octet) > 255 || (octet.length > 1 && octet.startsWith("0"))) return undefined
    value = value * 256 + Number(octet)
  }
  return value
}

const parseIpv6 = (text: string): bigint | undefined => {
  const halves = text.split("::")
  if (halves.length > 2) return undefined
  const head = groupsOf(halves[0] ?? "", halves.length === 1)
  const tail = halves.length === 2 ? groupsOf(halves[1] ?? "", true) : []
  if (head === undefined || tail === undefined) return undefined
  const missing = 8 - head.length - tail.length
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined
  const groups = [...head, ...Array.from({ length: missing }, () => 0), ...tail]
  return groups.reduce((value, group) => (value << 16n) | BigInt(group), 0n)
}

/** The 16-bit groups of one half; an embedded IPv4 address may only stand at the very end. */
const groupsOf = (half: string, isEnd: boolean): ReadonlyArray<number> | undefined => {
  if (half === "") return []
  const groups: Array<number> = []
  const parts = half.split(":")
  for (const [index, part] of parts.entries()) {
    if (part.includes(".") && isEnd && index === parts.length - 1) {
      const v4 = parseIpv4(part)
      if (v4 === undefined) return undefined
      groups.push(v4 >>> 16, v4 & 0xffff)
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      groups.push(Number.parseInt(part, 16))
    } else return undefined
  }
  return groups
}

const formatIpv4 = (value: bigint): string => {
  const bits = Number(value)
  return `${Math.floor(bits / 0x1000000)}.${(bits >>> 16) & 255}.${(bits >>> 8) & 255}.${bits & 255}`
}

const formatIpv6 = (value: bigint): string => {
  if (value >> 32n === 0xffffn) return `::ffff:${formatIpv4(value & 0xffff_ffffn)}` // RFC 5952 §5
  const groups = Array.from({ length: 8 }, (_, index) => Number((value >> BigInt(112 - 16 * index)) & 0xffffn))
  const zeros = longestZeroRun(groups)
  const text = (part: ReadonlyArray<number>) => part.map((group) => group.toString(16)).join(":")
  if (zeros.length < 2) return text(groups)
  return `${text(groups.slice(0, zeros.start))}::${text(groups.slice(zeros.start + zeros.length))}`
}

/** RFC 5952 §4.2.3: the longest run is shortened, the first of equals. */
const longestZeroRun = (groups: ReadonlyArray<number>): { readonly start: number; readonly length: number } => {
  let best = { start: 0, length: 0 }
  let start = 0
  for (let index = 0; index <= groups.length; index++) {
    if (index < groups.length && groups[index] === 0) continue
    if (index - start > best.length) best = { start, length: index - start }
    start = index + 1
  }
  return best
}
