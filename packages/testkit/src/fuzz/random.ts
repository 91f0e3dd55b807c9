/** Mulberry32: a small generator, so that a printed seed gives the same numbers again. Whole numbers of 32 bits. */
export const generator = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
}

/** Numbers at which lengths and counts begin to matter. */
const edges = [0, 1, 4, 16, 32, 33, 127, 128, 129, 255]

/** Another octet: one of four times a number at an edge. */
export const oddOctet = (random: () => number): number =>
  random() % 4 === 0 ? edges[random() % edges.length]! : random() & 255
