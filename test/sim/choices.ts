/** A seeded source of choices (xorshift over 32 bits): a history is named by its seed. */
export class Choices {
  #state: number

  constructor(seed: number) {
    this.#state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) >>> 0 || 1
    for (let warm = 0; warm < 8; warm++) this.below(2)
  }

  /** 0 to below `limit`. */
  below(limit: number): number {
    this.#state ^= this.#state << 13
    this.#state ^= this.#state >>> 17
    this.#state ^= this.#state << 5
    this.#state >>>= 0
    return this.#state % limit
  }

  /** True once in `times`. */
  oneIn(times: number): boolean {
    return this.below(times) === 0
  }

  one<A>(items: ReadonlyArray<A>): A {
    return items[this.below(items.length)] as A
  }

  /** One of the keys, each as often as its weight says. */
  weighted<Key extends string>(weights: Readonly<Record<Key, number>>): Key {
    const keys = Object.keys(weights) as Array<never> as ReadonlyArray<Key>
    let left = this.below(keys.reduce((sum, key) => sum + weights[key], 0))
    for (const key of keys) {
      if (left < weights[key]) return key
      left -= weights[key]
    }
    return keys[0]!
  }
}
