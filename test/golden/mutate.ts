import { Result } from "effect"
import { Choices } from "../../packages/domain/test/random-fleet.ts"
import { filesOf } from "./corpus.ts"
import type { GoldenKind } from "./kinds.ts"

const odd: ReadonlyArray<unknown> = [
  null,
  0,
  -1,
  1.5,
  1e21,
  "",
  "\u0000",
  "x".repeat(300),
  true,
  [],
  {},
  [[]],
  "__proto__"
]

/** A text with one or a few places changed: an octet, a stretch, or a value of the JSON that it holds. */
export const mutate = (text: string, choose: Choices): string => {
  let mutated = text
  for (let times = 1 + choose.below(3); times > 0; times--) {
    mutated = choose.below(2) === 0 ? mutateText(mutated, choose) : mutateValue(mutated, choose)
  }
  return mutated
}

const mutateText = (text: string, choose: Choices): string => {
  const at = choose.below(text.length + 1)
  const length = choose.below(8)
  switch (choose.below(5)) {
    case 0:
      return text.slice(0, at) + text.slice(at + length)
    case 1:
      return text.slice(0, at) + String.fromCharCode(choose.below(0x100)) + text.slice(at + 1)
    case 2:
      return text.slice(0, at) + text.slice(at, at + length) + text.slice(at)
    case 3:
      return text.slice(0, at)
    default:
      return text.slice(0, at) + String.fromCodePoint(choose.below(0x1_0000)) + text.slice(at)
  }
}

/** Replaces, removes or doubles one value somewhere inside; a text that is no JSON is changed as text. */
const mutateValue = (text: string, choose: Choices): string => {
  let root: unknown
  try {
    root = JSON.parse(text)
  } catch {
    return mutateText(text, choose)
  }
  const places: Array<readonly [Record<string, unknown>, string]> = []
  const walk = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return
    const holder = value as Record<string, unknown>
    for (const key of Object.keys(holder)) {
      places.push([holder, key])
      walk(holder[key])
    }
  }
  walk(root)
  if (places.length === 0) return mutateText(text, choose)
  const [holder, key] = choose.one(places)
  const value = holder[key]
  switch (choose.below(4)) {
    case 0:
      delete holder[key]
      break
    case 1:
      // A text inside, such as an event's payload, is JSON of its own.
      holder[key] = typeof value === "string" ? mutate(value, choose) : choose.one(odd)
      break
    case 2:
      holder[`${key}x`] = value
      break
    default:
      holder[key] = choose.one(odd)
  }
  return JSON.stringify(root)
}

/** What became of changed texts. */
export interface MutationCounts {
  /** Read as something that is the same when it is written and read again. */
  readonly read: number
  readonly refused: number
}

/** Changes each golden file `each` times and reads it. Throws, with the text, when a reader does. */
export const mutateAll = (kinds: ReadonlyArray<GoldenKind>, each: number, seed: number): MutationCounts => {
  const choose = new Choices(seed)
  const counts = { read: 0, refused: 0 }
  for (const kind of kinds) {
    for (const { path, text } of filesOf(kind.folder)) {
      for (let count = 0; count < each; count++) {
        const mutated = mutate(text, choose)
        try {
          counts[Result.isSuccess(kind.read(mutated)) ? "read" : "refused"] += 1
        } catch (cause) {
          throw new Error(`${path} (seed ${seed}) as ${JSON.stringify(mutated)}: ${String(cause)}`, { cause })
        }
      }
    }
  }
  return counts
}
