import { Result } from "effect"
import {
  addressBits,
  compareAddresses,
  type Family,
  formatIpAddress,
  type IpAddress,
  parseIpAddress
} from "./address.ts"

/** A CIDR prefix. The bits of `address` beyond `lengthBits` are zero. */
export interface Prefix {
  readonly address: IpAddress
  readonly lengthBits: number
}

/** The prefix of that length that holds the address (RFC 4632 §3.1). */
export const prefixOf = (address: IpAddress, lengthBits: number): Prefix => {
  const hostBits = BigInt(addressBits(address.family) - lengthBits)
  return { address: { family: address.family, value: (address.value >> hostBits) << hostBits }, lengthBits }
}

/** The prefix that holds this address alone. */
export const hostPrefix = (address: IpAddress): Prefix => ({ address, lengthBits: addressBits(address.family) })

/** Reads `192.0.2.0/24`. Host bits that are set are refused, since they are most often a typing error. */
export const parsePrefix = (text: string): Result.Result<Prefix, string> => {
  const match = /^([^/]+)\/(\d{1,3})$/.exec(text)
  const address = match === null ? undefined : Result.getOrUndefined(parseIpAddress(match[1] ?? ""))
  const lengthBits = Number(match?.[2])
  if (address === undefined || lengthBits > addressBits(address.family)) {
    return Result.fail(`expected a prefix like 192.0.2.0/24 or 2001:db8::/64, found ${JSON.stringify(text)}`)
  }
  const prefix = prefixOf(address, lengthBits)
  return prefix.address.value === address.value
    ? Result.succeed(prefix)
    : Result.fail(`expected a prefix without host bits, found ${text} (did you mean ${formatPrefix(prefix)}?)`)
}

/** The canonical text, `192.0.2.0/24`. */
export const formatPrefix = (prefix: Prefix): string => `${formatIpAddress(prefix.address)}/${prefix.lengthBits}`

/** Whether the address lies in the prefix; false between families. */
export const prefixContains = (prefix: Prefix, address: IpAddress): boolean =>
  prefix.address.family === address.family &&
  prefixOf(address, prefix.lengthBits).address.value === prefix.address.value

/** Whether every address of `inner` lies in `outer`. */
export const prefixCovers = (outer: Prefix, inner: Prefix): boolean =>
  outer.lengthBits <= inner.lengthBits && prefixContains(outer, inner.address)

/** The family of a prefix's addresses. */
export const prefixFamily = (prefix: Prefix): Family => prefix.address.family

/** Reads a prefix, or an address as the prefix that holds it alone. */
export const parseAddresses = (text: string): Result.Result<Prefix, string> =>
  text.includes("/") ? parsePrefix(text) : Result.map(parseIpAddress(text), hostPrefix)

/** Whether two prefixes have an address in common: one of them covers the other. */
export const prefixesMeet = (left: Prefix, right: Prefix): boolean =>
  prefixCovers(left, right) || prefixCovers(right, left)

/** IPv4 before IPv6, then by address, then by length. */
export const comparePrefixes = (left: Prefix, right: Prefix): number =>
  compareAddresses(left.address, right.address) || left.lengthBits - right.lengthBits

/** What is said of prefixes, by `comparePrefixes`; of what is of one prefix, `then` decides, or else it stays as it is. */
export const inPrefixOrder = <Item extends { readonly prefix: string }>(
  items: Iterable<Item>,
  then: (left: Item, right: Item) => number = () => 0
): Array<Item> => {
  const all = [...items]
  const order = prefixOrder(all.map(({ prefix }) => prefix))
  const placeOf = ({ prefix }: Item): number => order.get(prefix) ?? 0
  return all.sort((left, right) => placeOf(left) - placeOf(right) || then(left, right))
}

/** Where each of the texts stands when the prefixes that they are go by `comparePrefixes`; what is none comes last. */
export const prefixOrder = (texts: Iterable<string>): ReadonlyMap<string, number> => {
  const read = [...new Set(texts)].map((text) => ({ text, prefix: Result.getOrUndefined(parsePrefix(text)) }))
  read.sort(({ prefix: left }, { prefix: right }) => {
    if (left === undefined || right === undefined) return Number(left === undefined) - Number(right === undefined)
    return comparePrefixes(left, right)
  })
  return new Map(read.map(({ text }, index) => [text, index]))
}
