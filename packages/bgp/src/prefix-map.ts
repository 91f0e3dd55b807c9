import type { Prefix } from "@lowtide/net"

/** Prefixes of one length that these last bits of the address alone tell apart share a block. */
const slotBits = 12

/**
 * A map by prefix: a small Map for each block of neighbours, whose keys cost neither an allocation nor a hash of digits. Tables
 * are gone through by their addresses more or less, and so block by block; in one Map of a hundred thousand every look-up is
 * somewhere else in more memory than a processor has caches, and takes twice as long.
 */
export class PrefixMap<A> {
  readonly #blocks = new Map<number | bigint, Map<number, A>>()
  #size = 0

  get size(): number {
    return this.#size
  }

  get(prefix: Prefix): A | undefined {
    return this.#blocks.get(blockKey(prefix))?.get(slotKey(prefix))
  }

  set(prefix: Prefix, value: A): void {
    const key = blockKey(prefix)
    let block = this.#blocks.get(key)
    if (block === undefined) {
      block = new Map()
      this.#blocks.set(key, block)
    }
    const before = block.size
    block.set(slotKey(prefix), value)
    this.#size += block.size - before
  }

  delete(prefix: Prefix): void {
    const key = blockKey(prefix)
    const block = this.#blocks.get(key)
    if (block?.delete(slotKey(prefix)) !== true) return
    this.#size--
    if (block.size === 0) this.#blocks.delete(key)
  }

  clear(): void {
    this.#blocks.clear()
    this.#size = 0
  }

  /** Every value; one may be deleted while it is the current one. */
  *values(): Generator<A, void> {
    for (const block of this.#blocks.values()) yield* block.values()
  }
}

/** A block's prefixes are of one length, so it is told by that and by the bits of the address before its own. */
const blockKey = ({ address, lengthBits }: Prefix): number | bigint =>
  address.family === 4
    ? (Number(address.value) >>> slotBits) * 64 + lengthBits
    : ((address.value >> BigInt(slotBits)) << 8n) | BigInt(lengthBits)

const slotKey = ({ address }: Prefix): number =>
  address.family === 4 ? Number(address.value) & ((1 << slotBits) - 1) : Number(BigInt.asUintN(slotBits, address.value))

/** A key of its own for each prefix, for a Set of few. */
export const prefixKey = ({ address, lengthBits }: Prefix): number | bigint =>
  address.family === 4 ? Number(address.value) * 64 + lengthBits : (address.value << 8n) | BigInt(lengthBits)
