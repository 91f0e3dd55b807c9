import { createHash } from "node:crypto"
import { Effect } from "effect"

/** RFC 6962 2.1: the hash of an inner node. */
export const hashChildren = (left: Uint8Array, right: Uint8Array): Uint8Array =>
  createHash("sha256").update(nodePrefix).update(left).update(right).digest()

const nodePrefix = Uint8Array.of(1)

/** RFC 6962 2.1: the root of a tree without leaves. */
export const emptyRoot: Uint8Array = createHash("sha256").digest()

/** Levels of the tree of which hashes are stored are so many heights apart: 256 hashes of one level make one of the next. */
const heightsPerLevel = 8

/** The root of the complete subtree over leaves `[index * 256^level, (index + 1) * 256^level)`; level 0 is the leaves. */
export interface TreeNode {
  readonly level: number
  readonly index: number
  readonly hash: Uint8Array
}

/**
 * The right edge of the tree: the roots of the complete subtrees that its leaves make up, one for each bit of its size.
 * A leaf is added for two hashes on average, however large the tree is.
 */
export class Frontier {
  #size = 0
  /** By height. */
  readonly #roots: Array<Uint8Array | undefined> = []

  /** The edge of a tree of `size` leaves; `roots` are those of its complete subtrees, the leftmost (largest) first. */
  static of(size: number, roots: ReadonlyArray<Uint8Array>): Frontier {
    const frontier = new Frontier()
    frontier.#size = size
    for (const [position, { height }] of completeSubtrees(0, size).entries()) frontier.#roots[height] = roots[position]
    return frontier
  }

  get size(): number {
    return this.#size
  }

  /** How many complete subtrees the leaves make up. */
  static countOf(size: number): number {
    return completeSubtrees(0, size).length
  }

  /** Adds a leaf, and answers the stored nodes that it completes. */
  append(leaf: Uint8Array): ReadonlyArray<TreeNode> {
    return this.appendSubtree(0, leaf)
  }

  /** Adds a complete subtree of `2^height` leaves, which the size so far is a multiple of. */
  appendSubtree(above: number, root: Uint8Array): ReadonlyArray<TreeNode> {
    const completed: Array<TreeNode> = []
    let hash = root
    let height = above
    for (let rest = this.#size / 2 ** above; rest % 2 === 1; rest = Math.floor(rest / 2)) {
      hash = hashChildren(this.#roots[height] ?? emptyRoot, hash)
      this.#roots[height] = undefined
      height += 1
      if (height % heightsPerLevel === 0) {
        completed.push({ level: height / heightsPerLevel, index: Math.floor(rest / 2), hash })
      }
    }
    this.#roots[height] = hash
    this.#size += 2 ** above
    return completed
  }

  /** RFC 6962 2.1: the tree's root. */
  root(): Uint8Array {
    const edge = this.#roots.filter((root) => root !== undefined)
    return edge.length === 0 ? emptyRoot : edge.reduce((right, left) => hashChildren(left, right))
  }
}

/** Stored hashes of one level, from an index on; fails when one of them is missing. */
export type HashSource<E> = (level: number, from: number, count: number) => Effect.Effect<ReadonlyArray<Uint8Array>, E>

/** Roots of the complete subtrees beside a range of leaves of a tree: with the range's own leaves they make the tree's root. */
export interface RangeProof {
  /** Those before `start`, the leftmost first. */
  readonly left: ReadonlyArray<Uint8Array>
  /** Those from `end` on, the leftmost first. */
  readonly right: ReadonlyArray<Uint8Array>
}

/** What stands beside leaves `[start, end)` in the tree of the first `size` leaves. */
export const rangeProof = <E>(
  hashes: HashSource<E>,
  { start, end, size }: { readonly start: number; readonly end: number; readonly size: number }
): Effect.Effect<RangeProof, E> =>
  Effect.all({
    left: Effect.forEach(completeSubtrees(0, start), (subtree) => subtreeRoot(hashes, subtree)),
    right: Effect.forEach(alignedSubtrees(end, size), (subtree) => subtreeRoot(hashes, subtree))
  })

/** Adds the subtrees that follow a range, up to `size` leaves; undefined when there are not as many as there must be. */
export const rootAfterRange = (
  range: Frontier,
  { size, right }: { readonly size: number; readonly right: ReadonlyArray<Uint8Array> }
): Uint8Array | undefined => {
  const subtrees = alignedSubtrees(range.size, size)
  if (subtrees.length !== right.length || range.size > size) return undefined
  for (const [position, { height }] of subtrees.entries()) range.appendSubtree(height, right[position] ?? emptyRoot)
  return range.root()
}

/** The leaves of each subtree that a `RangeProof` has the root of. */
export const rangeSubtrees = (start: number, end: number): ReadonlyArray<readonly [from: number, to: number]> =>
  alignedSubtrees(start, end).map(({ height, index }) => [index * 2 ** height, (index + 1) * 2 ** height])

/** The complete subtrees that leaves `[start, end)` of one tree make up, the leftmost first; `start` is anywhere. */
const alignedSubtrees = (start: number, end: number): ReadonlyArray<Subtree> => {
  const subtrees: Array<Subtree> = []
  for (let from = start; from < end; ) {
    let height = 0
    let width = 1
    while (from % (width * 2) === 0 && from + width * 2 <= end) {
      height += 1
      width *= 2
    }
    subtrees.push({ height, index: from / width })
    from += width
  }
  return subtrees
}

/** The edge of the tree of the first `size` leaves, from at most 255 hashes of each level. */
export const frontierAt = <E>(hashes: HashSource<E>, size: number): Effect.Effect<Frontier, E> =>
  Effect.forEach(completeSubtrees(0, size), (subtree) => subtreeRoot(hashes, subtree)).pipe(
    Effect.map((roots) => Frontier.of(size, roots))
  )

/** RFC 6962 2.1: the root over the first `size` leaves. */
export const rootAt = <E>(hashes: HashSource<E>, size: number): Effect.Effect<Uint8Array, E> =>
  Effect.map(frontierAt(hashes, size), (frontier) => frontier.root())

/** RFC 6962 2.1.1: what leads from the leaf at `index` to the root of the first `size` leaves, the leaf's sibling first. */
export const inclusionPath = <E>(
  hashes: HashSource<E>,
  place: { readonly index: number; readonly size: number }
): Effect.Effect<ReadonlyArray<Uint8Array>, E> =>
  Effect.forEach(inclusionRanges(place), (sibling) => rangeRoot(hashes, sibling))

/** The leaves under each hash of an inclusion path, in its order. */
export const inclusionRanges = ({
  index,
  size
}: {
  readonly index: number
  readonly size: number
}): ReadonlyArray<Range> => {
  const siblings: Array<Range> = []
  let range: Range = { start: 0, end: size }
  while (range.end - range.start > 1) {
    const middle = range.start + largestPowerBelow(range.end - range.start)
    const left = { start: range.start, end: middle }
    const right = { start: middle, end: range.end }
    siblings.push(index < middle ? right : left)
    range = index < middle ? left : right
  }
  return siblings.reverse()
}

/** RFC 6962 2.1.2: what shows that the tree of `first` leaves, at least one, is the beginning of that of `second` leaves. */
export const consistencyPath = <E>(
  hashes: HashSource<E>,
  { first, second }: { readonly first: number; readonly second: number }
): Effect.Effect<ReadonlyArray<Uint8Array>, E> => {
  const ranges: Array<Range> = []
  let range: Range = { start: 0, end: second }
  let isWholeFirst = true // the subtree looked at begins where the first tree begins, which the verifier knows
  while (first !== range.end) {
    const middle = range.start + largestPowerBelow(range.end - range.start)
    if (first <= middle) {
      ranges.push({ start: middle, end: range.end })
      range = { start: range.start, end: middle }
    } else {
      ranges.push({ start: range.start, end: middle })
      range = { start: middle, end: range.end }
      isWholeFirst = false
    }
  }
  if (!isWholeFirst) ranges.push(range)
  return Effect.forEach(ranges.reverse(), (wanted) => rangeRoot(hashes, wanted))
}

/** Leaves `[start, end)`. */
export interface Range {
  readonly start: number
  readonly end: number
}

interface Subtree {
  readonly height: number
  /** Counts the complete subtrees of that height from the left. */
  readonly index: number
}

const rangeRoot = <E>(hashes: HashSource<E>, { start, end }: Range): Effect.Effect<Uint8Array, E> =>
  Effect.forEach(completeSubtrees(start, end), (subtree) => subtreeRoot(hashes, subtree)).pipe(
    Effect.map((roots) => roots.reduceRight((right, left) => hashChildren(left, right)))
  )

/** The complete subtrees that leaves `[start, end)` make up, largest first; `start` is where such a range of a tree begins. */
const completeSubtrees = (start: number, end: number): ReadonlyArray<Subtree> => {
  const subtrees: Array<Subtree> = []
  for (let from = start; from < end; ) {
    let height = 0
    let width = 1
    while (from + width * 2 <= end) {
      height += 1
      width *= 2
    }
    subtrees.push({ height, index: from / width })
    from += width
  }
  return subtrees
}

const subtreeRoot = <E>(hashes: HashSource<E>, { height, index }: Subtree): Effect.Effect<Uint8Array, E> => {
  const count = 2 ** (height % heightsPerLevel)
  return Effect.map(hashes(Math.floor(height / heightsPerLevel), index * count, count), foldComplete)
}

/** The root over a power of two of hashes. */
export const foldComplete = (hashes: ReadonlyArray<Uint8Array>): Uint8Array => {
  let level = hashes
  while (level.length > 1) {
    level = Array.from({ length: level.length / 2 }, (_, pair) =>
      hashChildren(level[pair * 2] ?? emptyRoot, level[pair * 2 + 1] ?? emptyRoot)
    )
  }
  return level[0] ?? emptyRoot
}

const largestPowerBelow = (count: number): number => {
  let power = 1
  while (power * 2 < count) power *= 2
  return power
}

/** RFC 9162 2.1.3.2: the root that a leaf and its path lead to; undefined when the path has not the length it must have. */
export const rootOfInclusion = (proof: {
  readonly index: number
  readonly size: number
  readonly leaf: Uint8Array
  readonly path: ReadonlyArray<Uint8Array>
}): Uint8Array | undefined => {
  if (proof.index < 0 || proof.index >= proof.size) return undefined
  let hash = proof.leaf
  const isWhole = climb(proof.path, { node: proof.index, last: proof.size - 1 }, (sibling, side) => {
    hash = side === "left" ? hashChildren(sibling, hash) : hashChildren(hash, sibling)
  })
  return isWhole ? hash : undefined
}

/** RFC 9162 2.1.4.2: whether the path shows that the first tree is the beginning of the second. */
export const isConsistent = (proof: {
  readonly first: number
  readonly second: number
  readonly firstRoot: Uint8Array
  readonly secondRoot: Uint8Array
  readonly path: ReadonlyArray<Uint8Array>
}): boolean => {
  const { first, second, firstRoot, secondRoot } = proof
  if (first < 1 || first > second) return false
  if (first === second) return proof.path.length === 0 && areEqual(firstRoot, secondRoot)
  const [start, ...path] = isPowerOfTwo(first) ? [firstRoot, ...proof.path] : proof.path
  if (start === undefined) return false
  let node = first - 1
  let last = second - 1
  while (node % 2 === 1) {
    node = half(node)
    last = half(last)
  }
  let firstHash = start
  let secondHash = start
  const isWhole = climb(path, { node, last }, (hash, side) => {
    if (side === "left") firstHash = hashChildren(hash, firstHash)
    secondHash = side === "left" ? hashChildren(hash, secondHash) : hashChildren(secondHash, hash)
  })
  return isWhole && areEqual(firstHash, firstRoot) && areEqual(secondHash, secondRoot)
}

/**
 * Goes up a path from a node of a level that ends with `last`, and tells of each hash on which side it stands; the common part
 * of RFC 9162 2.1.3.2 and 2.1.4.2. False when the path does not end at the root.
 */
const climb = (
  path: ReadonlyArray<Uint8Array>,
  from: { readonly node: number; readonly last: number },
  take: (hash: Uint8Array, side: "left" | "right") => void
): boolean => {
  let { node, last } = from
  for (const hash of path) {
    if (last === 0) return false
    const isRight = node % 2 === 1 || node === last
    take(hash, isRight ? "left" : "right")
    while (isRight && node % 2 === 0 && node !== 0) {
      node = half(node)
      last = half(last)
    }
    node = half(node)
    last = half(last)
  }
  return last === 0
}

const half = (value: number): number => Math.floor(value / 2)

const isPowerOfTwo = (value: number): boolean => value === 1 || (value % 2 === 0 && isPowerOfTwo(value / 2))

/** Whether two hashes are the same octets. */
export const areEqual = (left: Uint8Array, right: Uint8Array): boolean => Buffer.compare(left, right) === 0
