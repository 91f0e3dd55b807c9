import type { AddressRange, IpAddress } from "@lowtide/net"

/**
 * A set of addresses that answers "which is the lowest address of this range that is not in the set?" in a number of
 * steps that depends on the width of an address alone, at most 2 × 7, however large the range and however full the set.
 *
 * IPv4 is one block of 2 ** 32 addresses, IPv6 has a block for each /96 with members. To walk past a block, all of its
 * addresses would have to be members, which no memory holds.
 */
export class AddressSet {
  readonly #ipv4 = new Block()
  /** By the upper 96 bits. */
  readonly #ipv6 = new Map<bigint, Block>()

  has({ family, value }: IpAddress): boolean {
    const block = family === 4 ? this.#ipv4 : this.#ipv6.get(value >> 32n)
    return block?.has(lower(value)) ?? false
  }

  add({ family, value }: IpAddress): void {
    if (family === 4) return this.#ipv4.add(lower(value))
    const upper = value >> 32n
    let block = this.#ipv6.get(upper)
    if (block === undefined) {
      block = new Block()
      this.#ipv6.set(upper, block)
    }
    block.add(lower(value))
  }

  delete({ family, value }: IpAddress): void {
    if (family === 4) return this.#ipv4.delete(lower(value))
    const block = this.#ipv6.get(value >> 32n)
    if (block === undefined) return
    block.delete(lower(value))
    if (block.isEmpty) this.#ipv6.delete(value >> 32n)
  }

  /** The lowest address of the range, not below `from`, that is not a member. */
  lowestMissing(range: AddressRange, from: bigint = range.first): IpAddress | undefined {
    let start = from < range.first ? range.first : from
    while (start <= range.last) {
      const upper = start >> 32n
      const block = range.family === 4 ? this.#ipv4 : this.#ipv6.get(upper)
      const found = block === undefined ? lower(start) : block.lowestMissing(lower(start))
      if (found !== undefined) {
        const value = (upper << 32n) | BigInt(found)
        return value <= range.last ? { family: range.family, value } : undefined
      }
      start = (upper + 1n) << 32n
    }
    return undefined
  }
}

const lower = (value: bigint): number => Number(value & 0xffff_ffffn)

/** A word of which every bit is set; words are signed, since those numbers are cheap. */
const fullWord = -1
const levelCount = 7 // of 5 bits each
const blockSize = 2 ** 32

/**
 * A bitmap of 32-bit words with summaries above it: bit b of a word on level k+1 says that word b below it is full. Only
 * words with a set bit exist, so memory follows the members, not the range.
 */
class Block {
  /** levels[0] holds the members; a bit on a higher level means that the word below it is full. */
  readonly #levels: ReadonlyArray<Map<number, number>> = Array.from({ length: levelCount }, () => new Map())

  get isEmpty(): boolean {
    return this.#levels[0]?.size === 0
  }

  has(value: number): boolean {
    return ((this.#levels[0]?.get(value >>> 5) ?? 0) & bitOf(value)) !== 0
  }

  add(value: number): void {
    let position = value
    for (const level of this.#levels) {
      const index = position >>> 5
      const word = (level.get(index) ?? 0) | bitOf(position)
      level.set(index, word)
      if (word !== fullWord) return
      position = index
    }
  }

  delete(value: number): void {
    let position = value
    for (const level of this.#levels) {
      const index = position >>> 5
      const before = level.get(index) ?? 0
      const word = before & ~bitOf(position)
      if (word === 0) level.delete(index)
      else level.set(index, word)
      if (before !== fullWord) return
      position = index
    }
  }

  lowestMissing(from: number): number | undefined {
    let position = from
    let level = 0
    // Up: leave each word that has no clear bit at or after the position.
    for (;;) {
      const words = this.#levels[level]
      if (words === undefined) return undefined
      const index = position >>> 5
      const bit = lowestClearBit(words.get(index) ?? 0, position & 31)
      if (bit !== undefined) {
        position = index * 32 + bit
        break
      }
      position = index + 1
      level++
    }
    // Down: a clear bit above level 0 names a word that is not full.
    while (level > 0) {
      level--
      const word = this.#levels[level]?.get(position) ?? 0
      position = position * 32 + (lowestClearBit(word, 0) ?? 0)
    }
    return position < blockSize ? position : undefined
  }
}

const bitOf = (value: number): number => 1 << (value & 31)

const lowestClearBit = (word: number, from: number): number | undefined => {
  const clear = ~word & (-1 << from)
  return clear === 0 ? undefined : 31 - Math.clz32(clear & -clear)
}
