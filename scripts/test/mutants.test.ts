import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { mutants } from "../mutants/list.ts"

const root = join(import.meta.dirname, "../..")

describe("deliberate breakages", () => {
  it.each(mutants)("$name breaks a text that stands once in its file", ({ file, from, to }) => {
    const places = readFileSync(join(root, file), "utf8").split(from).length - 1
    assert.strictEqual(places, 1, `${file}: expected once, found ${places} times: ${from}`)
    assert.notStrictEqual(from, to)
  })
})
