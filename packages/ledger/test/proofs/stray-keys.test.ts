import { describe, expect, it } from "@effect/vitest"
import { hasStrayKey } from "../../src/proofs/stray-keys.ts"

describe("keys of a JSON text beside what was read of it", () => {
  const value = { a: 'says "b": 1 \\', list: [{ c: ": x" }], d: {} }

  it("are the same, however it is written and whatever texts hold", () => {
    for (const space of [0, 2]) expect(hasStrayKey(JSON.stringify(value, null, space), value)).toBe(false)
    expect(hasStrayKey('{ "a" \n : "\\\\", "b": "\\"" }', { a: "\\", b: '"' })).toBe(false)
  })

  it("are not, with one more, one twice, and one within", () => {
    const text = JSON.stringify(value)
    expect(hasStrayKey(text.replace("{", '{"e":1,'), value)).toBe(true)
    expect(hasStrayKey(text.replace("{", '{"a":1,'), value)).toBe(true)
    expect(hasStrayKey(text.replace('{"c"', '{"e":1,"c"'), value)).toBe(true)
  })

  it("are read of a text of megabytes", () => {
    const long = { a: '"\\x'.repeat(2_000_000) }
    expect(hasStrayKey(JSON.stringify(long), long)).toBe(false)
  })
})
