import type { Prefix } from "@lowtide/net"

/**
 * A map by prefix. There is one Map for each family and length, and an IPv4 address as a signed number of 32 bits is a key that
 * costs neither an allocation nor a hash of its digits: of a hundred thousand host routes that is what a change of all takes.
 */
export class PrefixMap<A> {
  readonly #byLength = new Map<number, Map<number | bigint, A>>()
  #size = 0

  get size(): number {
    return this.#size
  }

  get(prefix: Prefix): A | undefined {
    return this.#byLength.get(lengthKey(prefix))?.get(addressKey(prefix))
  }

  set(prefix: Prefix, value: A): void {
    const key = lengthKey(prefix)
    let byAddress = this.#byLength.get(key)
    if (byAddress === undefined) {
      byAddress = new Map()
      this.#byLength.set(key, byAddress)
    }
    const before = byAddress.size
    byAddress.set(addressKey(prefix), value)
    this.#size += byAddress.size - before
  }

  delete(prefix: Prefix): void {
    const key = lengthKey(prefix)
    const byAddress = this.#byLength.get(key)
    if (byAddress?.delete(addressKey(prefix)) !== true) return
    this.#size--
    if (byAddress.size === 0) this.#byLength.delete(key)
  }

  clear(): void {
    this.#byLength.clear()
    this.#size = 0
  }

  /** Every value; one may be deleted while it is the current one. */
  *values(): Generator<A, void> {
    for (const byAddress of this.#byLength.values()) yield* byAddress.values()
  }
}

/** 0..32 of IPv4, 256..384 of IPv6. */
const lengthKey = ({ address, lengthBits }: Prefix): number => (address.family === 4 ? 0 : 256) + lengthBits

const addressKey = ({ address }: Prefix): number | bigint =>
  address.family === 4 ? Number(address.value) | 0 : address.value

/** A key of its own for each prefix, for a Set of few. */
export const prefixKey = ({ address, lengthBits }: Prefix): number | bigint =>
  address.family === 4 ? Number(address.value) * 64 + lengthBits : (address.value << 8n) | BigInt(lengthBits)
