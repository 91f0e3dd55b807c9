import type { AddressRange, Family, IpAddress } from "@lowtide/net"
import { addressBits } from "@lowtide/net"

/**
 * A set of addresses that answers "which is the lowest address of this range that is not in the set?" in a number of
 * steps that depends on the width of an address alone: at most 2 × 7 for IPv4 and 2 × 26 for IPv6, however large the
 * range and however full the set.
 *
 * It is a bitmap of 32-bit words with summaries above it: bit b of a word on level k+1 says that word b below it is
 * full. Only words with a set bit exist, so memory follows the members, not the range.
 */
export class AddressSet {
  readonly #families = { 4: new SparseBitmap(4), 6: new SparseBitmap(6) } as const

  has(address: IpAddress): boolean {
    return this.#families[address.family].has(address.value)
  }

  add(address: IpAddress): void {
    this.#families[address.family].add(address.value)
  }

  delete(address: IpAddress): void {
    this.#families[address.family].delete(address.value)
  }

  /** The lowest address of the range, not below `from`, that is not a member. */
  lowestMissing(range: AddressRange, from: bigint = range.first): IpAddress | undefined {
    const value = this.#families[range.family].lowestMissing(from < range.first ? range.first : from)
    return value !== undefined && value <= range.last ? { family: range.family, value } : undefined
  }
}

const wordBits = 5n
const fullWord = 0xffff_ffff

class SparseBitmap {
  /** levels[0] holds the members; a bit on a higher level means that the word below it is full. */
  readonly #levels: ReadonlyArray<Map<bigint, number>>

  constructor(family: Family) {
    this.#levels = Array.from({ length: Math.ceil(addressBits(family) / Number(wordBits)) }, () => new Map())
    this.#limit = 1n << BigInt(addressBits(family))
  }

  readonly #limit: bigint

  has(value: bigint): boolean {
    return ((this.#levels[0]?.get(value >> wordBits) ?? 0) & bitOf(value)) !== 0
  }

  add(value: bigint): void {
    let position = value
    for (const level of this.#levels) {
      const index = position >> wordBits
      const word = ((level.get(index) ?? 0) | bitOf(position)) >>> 0
      level.set(index, word)
      if (word !== fullWord) return
      position = index
    }
  }

  delete(value: bigint): void {
    let position = value
    for (const level of this.#levels) {
      const index = position >> wordBits
      const before = level.get(index) ?? 0
      const word = (before & ~bitOf(position)) >>> 0
      if (word === 0) level.delete(index)
      else level.set(index, word)
      if (before !== fullWord) return
      position = index
    }
  }

  lowestMissing(from: bigint): bigint | undefined {
    let position = from
    let level = 0
    // Up: leave each word that has no clear bit at or after the position.
    for (;;) {
      const words = this.#levels[level]
      if (words === undefined) return undefined
      const bit = lowestClearBit(words.get(position >> wordBits) ?? 0, Number(position & 31n))
      if (bit !== undefined) {
        position = ((position >> wordBits) << wordBits) | BigInt(bit)
        break
      }
      position = (position >> wordBits) + 1n
      level++
    }
    // Down: a clear bit above level 0 names a word that is not full.
    while (level > 0) {
      level--
      const word = this.#levels[level]?.get(position) ?? 0
      position = (position << wordBits) | BigInt(lowestClearBit(word, 0) ?? 0)
    }
    return position < this.#limit ? position : undefined
  }
}

const bitOf = (value: bigint): number => 1 << Number(value & 31n)

const lowestClearBit = (word: number, from: number): number | undefined => {
  if (from > 31) return undefined
  const clear = ~word & (-1 << from)
  return clear === 0 ? undefined : 31 - Math.clz32(clear & -clear)
}
