import { createHash } from "node:crypto"

/**
 * A digest of a set of (subject key, cseq) pairs that is kept as pairs come and go: the XOR of their SHA-256. It tells
 * an honest set from an incomplete one; that nobody forged it is the head's signature's business.
 */
export class SetDigest {
  readonly #sum: Buffer
  #count: number

  /** The empty set, or one that was digested before. */
  constructor(sum = "0".repeat(64), count = 0) {
    this.#sum = Buffer.from(sum, "hex")
    this.#count = count
  }

  /** Adds a pair that is not in the set. */
  add(key: string, cseq: number): void {
    this.#xor(key, cseq)
    this.#count++
  }

  /** Takes out a pair that is in the set. */
  remove(key: string, cseq: number): void {
    this.#xor(key, cseq)
    this.#count--
  }

  get count(): number {
    return this.#count
  }

  /** 64 hexadecimal digits; all zero for the empty set. */
  toString(): string {
    return this.#sum.toString("hex")
  }

  #xor(key: string, cseq: number): void {
    const hash = createHash("sha256").update(`${key}\0${cseq}`).digest()
    for (let index = 0; index < 32; index++) this.#sum[index] = (this.#sum[index] ?? 0) ^ (hash[index] ?? 0)
  }
}
