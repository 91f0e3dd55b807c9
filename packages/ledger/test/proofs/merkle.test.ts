import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { hashLeaf } from "../../src/proofs/leaf.ts"
import {
  consistencyPath,
  Frontier,
  frontierAt,
  type HashSource,
  inclusionPath,
  isConsistent,
  rootAt,
  rootOfInclusion,
  type TreeNode
} from "../../src/proofs/merkle.ts"

// RFC 6962 2.1, 2.1.1 and 2.1.2 word for word, over entries `[start, end)` of one list: nothing here is the product's.
const entry = (index: number) => Buffer.from(`entry ${index}`)
const sha256 = (...parts: ReadonlyArray<Uint8Array>) => createHash("sha256").update(Buffer.concat(parts)).digest()
const split = (n: number) => 2 ** (Math.ceil(Math.log2(n)) - 1)
const known = new Map<string, Uint8Array>()
const mth = (start: number, end: number): Uint8Array => {
  const key = `${start} ${end}`
  const hash =
    known.get(key) ??
    (end - start === 1
      ? sha256(Buffer.from([0]), entry(start))
      : sha256(Buffer.from([1]), mth(start, start + split(end - start)), mth(start + split(end - start), end)))
  known.set(key, hash)
  return hash
}
const path = (m: number, start: number, end: number): ReadonlyArray<Uint8Array> => {
  if (end - start === 1) return []
  const k = start + split(end - start)
  return m < k ? [...path(m, start, k), mth(k, end)] : [...path(m, k, end), mth(start, k)]
}
const subproof = (m: number, start: number, end: number, b: boolean): ReadonlyArray<Uint8Array> => {
  if (m === end) return b ? [] : [mth(start, end)]
  const k = start + split(end - start)
  return m <= k ? [...subproof(m, start, k, b), mth(k, end)] : [...subproof(m, k, end, false), mth(start, k)]
}

/** The product's tree over entries, its nodes kept as the ledger keeps them. */
const grow = (entries: ReadonlyArray<Uint8Array>) => {
  const frontier = new Frontier()
  const stored: Array<TreeNode> = []
  for (const [index, entry] of entries.entries()) {
    const hash = hashLeaf(entry)
    stored.push({ level: 0, index, hash }, ...frontier.append(hash))
  }
  const byPlace = new Map(stored.map((node) => [`${node.level}/${node.index}`, node.hash]))
  const source: HashSource<string> = (level, from, count) =>
    Effect.forEach(Array.from({ length: count }), (_, offset) => {
      const hash = byPlace.get(`${level}/${from + offset}`)
      return hash === undefined ? Effect.fail(`no node ${level}/${from + offset}`) : Effect.succeed(hash)
    })
  return { frontier, source, byPlace }
}

const hex = (octets: Uint8Array | undefined) => octets && Buffer.from(octets).toString("hex")
const hexes = (hashes: ReadonlyArray<Uint8Array>) => Buffer.concat(hashes).toString("hex")
const entriesOf = (count: number) => Array.from({ length: count }, (_, index) => entry(index))
const flipped = (octets: Uint8Array, bit: number) => {
  const copy = Uint8Array.from(octets)
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7))
  return copy
}

/** The eight entries, and their roots, that implementations of Certificate Transparency share as test vectors. */
const vectors = {
  entries: ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"],
  roots: [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
  ]
}

describe("RFC 6962 2.1: the root", () => {
  it("of no leaf is the hash of nothing", () => {
    assert.strictEqual(hex(new Frontier().root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
  })

  it("is that of the shared test vectors", () => {
    const frontier = new Frontier()
    for (const [index, entry] of vectors.entries.entries()) {
      frontier.append(hashLeaf(Buffer.from(entry, "hex")))
      assert.strictEqual(hex(frontier.root()), vectors.roots[index])
    }
  })

  it.effect("of every size to 600 is MTH, from the first leaf on and from stored nodes", () =>
    Effect.gen(function* () {
      const entries = entriesOf(600)
      const { source } = grow(entries)
      const frontier = new Frontier()
      for (let size = 1; size <= entries.length; size += 1) {
        frontier.append(hashLeaf(entries[size - 1]!))
        const expected = hex(mth(0, size))
        assert.strictEqual(hex(frontier.root()), expected)
        assert.strictEqual(hex(yield* rootAt(source, size)), expected)
      }
    })
  )

  it.effect("an edge that was read again goes on as the one that was kept", () =>
    Effect.gen(function* () {
      const entries = entriesOf(700)
      const { source, frontier: kept } = grow(entries)
      for (const size of [1, 2, 255, 256, 257, 511, 512, 513, 699]) {
        const frontier = yield* frontierAt(source, size)
        for (const entry of entries.slice(size)) frontier.append(hashLeaf(entry))
        assert.strictEqual(hex(frontier.root()), hex(kept.root()))
      }
    })
  )

  it("65,536 leaves complete one node of level 2, over the 256 of level 1", () => {
    const frontier = new Frontier()
    const leaf = hashLeaf("x")
    const nodes = Array.from({ length: 65_536 }, () => frontier.append(leaf)).flat()
    assert.strictEqual(nodes.filter(({ level }) => level === 1).length, 256)
    assert.deepStrictEqual(
      nodes.filter(({ level }) => level === 2).map(({ index, hash }) => [index, hex(hash)]),
      [[0, hex(frontier.root())]]
    )
  })
})

describe("RFC 6962 2.1.1: inclusion", () => {
  it.effect("of every leaf of every size to 80 is PATH, and leads to the root", () =>
    Effect.gen(function* () {
      const entries = entriesOf(80)
      const { source } = grow(entries)
      for (let size = 1; size <= entries.length; size += 1) {
        const root = hex(mth(0, size))
        for (let index = 0; index < size; index += 1) {
          const proof = yield* inclusionPath(source, { index, size })
          assert.strictEqual(hexes(proof), hexes(path(index, 0, size)))
          assert.strictEqual(hex(rootOfInclusion({ index, size, leaf: hashLeaf(entries[index]!), path: proof })), root)
        }
      }
    })
  )

  const Place = Schema.Struct({ size: between(1, 600), at: between(0, 599), bit: between(0, 255), step: between(0, 9) })
  const big = grow(entriesOf(600))

  it.effect.prop(
    "any bit flipped, any step too many or too few, another place or size: another root",
    [Place],
    ([place]) =>
      Effect.gen(function* () {
        const { size, bit } = place
        const index = place.at % size
        const proof = yield* inclusionPath(big.source, { index, size })
        const leaf = big.byPlace.get(`0/${index}`)!
        const root = hex(yield* rootAt(big.source, size))
        const lead = (changed: Partial<Parameters<typeof rootOfInclusion>[0]>) =>
          hex(rootOfInclusion({ index, size, leaf, path: proof, ...changed }))
        assert.strictEqual(lead({}), root)
        assert.notStrictEqual(lead({ leaf: flipped(leaf, bit) }), root)
        assert.notStrictEqual(lead({ path: [...proof, leaf] }), root)
        assert.notStrictEqual(lead({ index: size }), root)
        if (size > 1) {
          const step = place.step % proof.length
          assert.notStrictEqual(lead({ path: proof.with(step, flipped(proof[step]!, bit)) }), root)
          assert.notStrictEqual(lead({ path: proof.toSpliced(step, 1) }), root)
          assert.notStrictEqual(lead({ index: (index + 1) % size }), root)
        }
      })
  )
})

describe("RFC 6962 2.1.2: consistency", () => {
  it.effect("of every two sizes to 80 is PROOF, and holds", () =>
    Effect.gen(function* () {
      const entries = entriesOf(80)
      const { source } = grow(entries)
      for (let second = 1; second <= entries.length; second += 1) {
        for (let first = 1; first <= second; first += 1) {
          const proof = yield* consistencyPath(source, { first, second })
          assert.strictEqual(hexes(proof), hexes(subproof(first, 0, second, true)))
          const roots = { firstRoot: mth(0, first), secondRoot: mth(0, second) }
          assert.isTrue(isConsistent({ first, second, ...roots, path: proof }))
        }
      }
    })
  )

  const Sizes = Schema.Struct({ a: between(1, 600), b: between(1, 600), bit: between(0, 255), step: between(0, 20) })
  const big = grow(entriesOf(600))

  it.effect.prop("any bit flipped, any step too many or too few: it does not hold", [Sizes], ([{ a, b, bit, step }]) =>
    Effect.gen(function* () {
      const [first, second] = [Math.min(a, b), Math.max(a, b)]
      const proof = yield* consistencyPath(big.source, { first, second })
      const roots = { firstRoot: yield* rootAt(big.source, first), secondRoot: yield* rootAt(big.source, second) }
      const holds = (changed: Partial<Parameters<typeof isConsistent>[0]>) =>
        isConsistent({ first, second, ...roots, path: proof, ...changed })
      assert.isTrue(holds({}))
      assert.isFalse(holds({ firstRoot: flipped(roots.firstRoot, bit) }))
      assert.isFalse(holds({ secondRoot: flipped(roots.secondRoot, bit) }))
      assert.isFalse(holds({ path: [...proof, roots.firstRoot] }))
      assert.isFalse(holds({ first: 0 }))
      if (proof.length > 0) {
        const at = step % proof.length
        assert.isFalse(holds({ path: proof.with(at, flipped(proof[at]!, bit)) }))
        assert.isFalse(holds({ path: proof.toSpliced(at, 1) }))
      }
    })
  )
})

function between(minimum: number, maximum: number) {
  return Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum, maximum })))
}
