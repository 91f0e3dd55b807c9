import { assert, describe, it } from "@effect/vitest"
import { jsonFault } from "../src/access/json-fault.ts"
import { readTokens } from "../src/access/tokens.ts"

const parses = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

describe("where a text stops being JSON", () => {
  const faults: ReadonlyArray<readonly [string, string]> = [
    ['{"tokens": [\n  {"name": "ada", }\n]}', 'line 2, column 19: expected JSON, found "}"'],
    ['{"tokens": [}', 'line 1, column 13: expected JSON, found "}"'],
    ['{"tokens": []', "line 1, column 14: expected JSON, found the end of the file"],
    ["", "line 1, column 1: expected JSON, found the end of the file"],
    ['{"a": "open\n"}', 'line 1, column 7: expected JSON, found "\\""'],
    ['{"a": tru}', 'line 1, column 7: expected JSON, found "t"'],
    ['{"a": 1} x', 'line 1, column 10: expected JSON, found "x"'],
    ["{a: 1}", 'line 1, column 2: expected JSON, found "a"'],
    ["[01]", 'line 1, column 3: expected JSON, found "1"']
  ]
  for (const [text, said] of faults) {
    it(`in ${JSON.stringify(text)}`, () => {
      assert.strictEqual(jsonFault(text), said)
      assert.isFalse(parses(text))
    })
  }

  it("is nowhere where all of it is", () => {
    for (const text of ["[]", "{}", ' {"a": [1, -0.5e+3, true, null, "\\u00e9 \\"", {"b": {}}]} \n', '"x"', "0"]) {
      assert.isUndefined(jsonFault(text), text)
      assert.isTrue(parses(text), text)
    }
  })

  it("is told of a text that is nested deeper than anything that is read", () => {
    assert.include(jsonFault("[".repeat(100_000)) ?? "", "line 1, column 102:")
  })

  it("is what is wrong with a tokens file, and not a word of what stands around it", () => {
    const read = readTokens('{"tokens": [\n{"name": "ada", "sha256": "c0ffee"\n"kind": "person"}]}')
    assert.isTrue(read._tag === "Failure")
    if (read._tag === "Failure")
      assert.deepStrictEqual(read.failure.faults, ['line 3, column 1: expected JSON, found "\\""'])
  })
})
