import { constants } from "node:buffer"
import { assert, describe, it } from "vitest"
import { jsonParts } from "../src/json-text.ts"

describe("JSON in parts", () => {
  it.each([
    ["an object of lists", { findings: [], nodes: [{ name: "a", peers: [{ x: [1, "two\nlines"] }] }, { name: "b" }] }],
    ["what is not there", { a: undefined, b: [undefined, null], c: null, d: { e: [] } }],
    ["a list", [{ a: 1 }, 2]],
    ["nothing in it", {}],
    ["a text", "1\n2"],
    ["what tells its own JSON", { toJSON: () => ({ a: [1] }) }]
  ])("is that of JSON.stringify: %s", (_, value) => {
    assert.strictEqual([...jsonParts(value)].join(""), JSON.stringify(value, null, 2))
  })

  it("may be longer than any text can be", () => {
    const item = "x".repeat(1 << 24)
    const count = Math.ceil(constants.MAX_STRING_LENGTH / item.length) + 1
    const value = { items: Array.from({ length: count }, () => item) }
    assert.throws(() => JSON.stringify(value), RangeError)
    let length = 0
    for (const part of jsonParts(value)) length += part.length
    assert.isAbove(length, constants.MAX_STRING_LENGTH)
  })
})
