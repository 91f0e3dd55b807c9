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

  /**
   * The lowest address of the range that is not a member; with `passBuggy` none of IPv4 that ends in .0 or .255, of which a
   * full pool may have any number left.
   */
  lowestMissing(
    range: AddressRange,
    { passBuggy = false }: { readonly passBuggy?: boolean } = {}
  ): IpAddress | undefined {
    const passes = passBuggy && range.family === 4
    let start = range.first
    while (start <= range.last) {
      const upper = start >> 32n
      const block = (range.family === 4 ? this.#ipv4 : this.#ipv6.get(upper)) ?? emptyBlock
      const found = block.lowestMissing(lower(start), passes)
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
const wordCount = 2 ** 27 // of 32 addresses each
const summaryLevels = 6 // of 5 bits each

/** Members among 2 ** 32 addresses. Only words with a set bit exist, so memory follows the members, not the range. */
class Block {
  readonly #words = new Map<number, number>()
  readonly #full = new Summary()
  /** Words that are full but for addresses that end in .0 or .255. */
  readonly #fullButBuggy = new Summary()

  get isEmpty(): boolean {
    return this.#words.size === 0
  }

  has(value: number): boolean {
    return ((this.#words.get(value >>> 5) ?? 0) & bitOf(value)) !== 0
  }

  add(value: number): void {
    const index = value >>> 5
    const word = (this.#words.get(index) ?? 0) | bitOf(value)
    this.#words.set(index, word)
    if (word === fullWord) this.#full.add(index)
    if ((word | buggyBits(index)) === fullWord) this.#fullButBuggy.add(index)
  }

  delete(value: number): void {
    const index = value >>> 5
    const word = (this.#words.get(index) ?? 0) & ~bitOf(value)
    if (word === 0) this.#words.delete(index)
    else this.#words.set(index, word)
    if (word !== fullWord) this.#full.delete(index)
    if ((word | buggyBits(index)) !== fullWord) this.#fullButBuggy.delete(index)
  }

  lowestMissing(from: number, passBuggy: boolean): number | undefined {
    const wordAt = (index: number) => (this.#words.get(index) ?? 0) | (passBuggy ? buggyBits(index) : 0)
    const first = from >>> 5
    const bit = lowestClearBit(wordAt(first), from & 31)
    if (bit !== undefined) return first * 32 + bit
    const next = (passBuggy ? this.#fullButBuggy : this.#full).lowestMissing(first + 1)
    return next === undefined ? undefined : next * 32 + (lowestClearBit(wordAt(next), 0) ?? 0)
  }
}

/** The bits of a word that are addresses ending in .0 or .255: eight words are a /24. */
const buggyBits = (index: number): number => ((index & 7) === 0 ? 1 : (index & 7) === 7 ? 1 << 31 : 0)

/** Which words of a block are full, as a bitmap with summaries above it: bit b of a word on level k+1 says that word b below it is full. */
class Summary {
  readonly #levels: ReadonlyArray<Map<number, number>> = Array.from({ length: summaryLevels }, () => new Map())

  add(index: number): void {
    let position = index
    for (const level of this.#levels) {
      const above = position >>> 5
      const word = (level.get(above) ?? 0) | bitOf(position)
      level.set(above, word)
      if (word !== fullWord) return
      position = above
    }
  }

  delete(index: number): void {
    let position = index
    for (const level of this.#levels) {
      const above = position >>> 5
      const before = level.get(above) ?? 0
      const word = before & ~bitOf(position)
      if (word === 0) level.delete(above)
      else level.set(above, word)
      if (before !== fullWord) return
      position = above
    }
  }

  lowestMissing(from: number): number | undefined {
    let position = from
    let level = 0
    // Up: leave each word that has no clear bit at or after the position.
    for (;;) {
      const words = this.#levels[level]
      if (words === undefined) return undefined
      const above = position >>> 5
      const bit = lowestClearBit(words.get(above) ?? 0, position & 31)
      if (bit !== undefined) {
        position = above * 32 + bit
        break
      }
      position = above + 1
      level++
    }
    // Down: a clear bit above level 0 names a word that is not full.
    while (level > 0) {
      level--
      const word = this.#levels[level]?.get(position) ?? 0
      position = position * 32 + (lowestClearBit(word, 0) ?? 0)
    }
    return position < wordCount ? position : undefined
  }
}

const bitOf = (value: number): number => 1 << (value & 31)

const lowestClearBit = (word: number, from: number): number | undefined => {
  const clear = ~word & (-1 << from)
  return clear === 0 ? undefined : 31 - Math.clz32(clear & -clear)
}

/** What a /96 of IPv6 without members is. */
const emptyBlock = new Block()
