import { assert, describe, it } from "@effect/vitest"
import { unstorableIn } from "../src/config/storable.ts"

const table: ReadonlyArray<readonly [what: string, value: unknown, found: string | undefined]> = [
  ["U+0000 in a text", { a: ["b\u0000"] }, "U+0000"],
  ["U+0000 in a key", { "a\u0000": 1 }, "U+0000"],
  ["the first half of a pair alone", "\ud83d!", "U+D83D"],
  ["the second half of a pair alone", "\ude00", "U+DE00"],
  ["a pair the wrong way round", "\ude00\ud83d", "U+DE00"],
  ["a half behind a backslash", "\\\ud800", "U+D800"],
  ["a whole pair", "\ud83d\ude00", undefined],
  ["the text of an escape", "\\u0000 \\ud800", undefined],
  ["other control characters", "\u0001\u001f\u007f\u2028", undefined],
  ["nothing", undefined, undefined]
]

describe("text that PostgreSQL would not give back", () => {
  it.each(table)("%s", (_, value, found) => {
    assert.strictEqual(unstorableIn(value), found)
  })
})
