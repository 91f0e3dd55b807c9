/**
 * Messages made of the grammar's parts, each part right or a little wrong: attributes of every type in any order and number,
 * with lengths that fit, lie or run over, and prefixes of any length. They are written into one buffer, which is used again.
 */
export class Grammar {
  private readonly random: () => number
  private out: Uint8Array = new Uint8Array(0)
  private at = 0

  constructor(random: () => number) {
    this.random = random
  }

  /** Writes one message, header included, and answers its length: 19 up to the buffer's. */
  write(out: Uint8Array): number {
    this.out = out
    this.at = 19
    const type = weightedTypes[this.random() % weightedTypes.length]!
    if (type === 1) this.open()
    else if (type === 2) this.update()
    else this.octets(type === 3 ? this.random() % 64 : type === 5 ? 4 : this.random() % 3)
    out.fill(0xff, 0, 16)
    out[16] = this.at >> 8
    out[17] = this.at
    out[18] = type
    return this.at
  }

  private put(...octets: ReadonlyArray<number>): void {
    for (const octet of octets) if (this.at < this.out.length) this.out[this.at++] = octet
  }

  private octets(count: number): void {
    for (let left = count; left > 0; left--) this.put(this.random())
  }

  /** Runs `write` and puts before it how many octets it wrote, or now and then another number. */
  private withLength(octets: 1 | 2, write: () => void): void {
    const start = this.at
    this.at = Math.min(this.at + octets, this.out.length)
    write()
    const length = this.random() % 32 === 0 ? this.random() & 0xffff : this.at - start - octets
    if (start + octets > this.out.length) return
    if (octets === 2) this.out[start] = length >> 8
    this.out[start + octets - 1] = length
  }

  private times(max: number, write: () => void): void {
    for (let left = this.random() % (max + 1); left > 0; left--) write()
  }

  private open(): void {
    this.put(this.random() % 16 === 0 ? this.random() : 4)
    this.octets(8) // AS, hold time, identifier
    const isLong = this.random() % 8 === 0 // RFC 9072
    if (isLong) this.put(255, 255)
    this.withLength(isLong ? 2 : 1, () =>
      this.times(6, () => {
        this.put(this.random() % 16 === 0 ? this.random() : 2)
        this.withLength(isLong ? 2 : 1, () =>
          this.times(4, () => {
            this.put(capabilityCodes[this.random() % capabilityCodes.length]!)
            this.withLength(1, () => this.octets(this.random() % 12))
          })
        )
      })
    )
  }

  private update(): void {
    this.withLength(2, () => this.prefixes(4))
    this.withLength(2, () => this.times(8, () => this.attribute()))
    this.prefixes(4)
  }

  private prefixes(family: 4 | 6): void {
    const bits = family === 4 ? 32 : 128
    this.times(6, () => {
      const length = this.random() % 24 === 0 ? this.random() & 0xff : this.random() % (bits + 1)
      this.put(length)
      this.octets((length + 7) >> 3)
    })
  }

  private attribute(): void {
    const [code, flags] = attributeTypes[this.random() % attributeTypes.length]!
    const isExtended = this.random() % 4 === 0
    const odd = this.random() % 16 === 0 ? this.random() & 0xe0 : flags
    this.put(odd | (isExtended ? 0x10 : 0), code)
    this.withLength(isExtended ? 2 : 1, () => this.value(code))
  }

  private value(code: number): void {
    switch (code) {
      case 1:
        return this.put(this.random() % 4)
      case 2:
      case 17:
        return this.times(4, () => {
          const count = this.random() % 5
          this.put(1 + (this.random() % 5), this.random() % 16 === 0 ? this.random() : count)
          this.octets(count * (this.random() % 4 === 0 ? 2 : 4))
        })
      case 14:
        return this.reach(() => {
          this.withLength(1, () => this.octets([0, 4, 16, 32, 33][this.random() % 5]!))
          this.put(0)
        })
      case 15:
        return this.reach(() => {})
      default:
        return this.octets((this.random() % 4) * (sizes[code] ?? 3))
    }
  }

  private reach(nextHop: () => void): void {
    const isIpv6 = this.random() % 4 !== 0
    this.put(0, this.random() % 16 === 0 ? this.random() : isIpv6 ? 2 : 1, this.random() % 8 === 0 ? this.random() : 1)
    nextHop()
    this.prefixes(isIpv6 ? 6 : 4)
  }
}

const weightedTypes = [1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3, 4, 5]
const capabilityCodes = [1, 2, 5, 6, 9, 64, 65, 69, 70, 71, 73, 128, 0, 200]
const attributeTypes: ReadonlyArray<readonly [code: number, flags: number]> = [
  ...[1, 2, 3, 5, 6].map((code) => [code, 0x40] as const),
  ...[4, 9, 10, 14, 14, 15].map((code) => [code, 0x80] as const),
  ...[7, 8, 16, 17, 18, 32, 35, 40, 99].map((code) => [code, 0xc0] as const)
]
/** Octets of one item of an attribute's value. */
const sizes: Readonly<Record<number, number>> = {
  3: 4,
  4: 4,
  5: 4,
  6: 0,
  7: 8,
  8: 4,
  9: 4,
  10: 4,
  16: 8,
  18: 8,
  32: 12,
  35: 4
}
