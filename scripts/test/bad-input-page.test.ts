import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, it } from "vitest"

const root = join(import.meta.dirname, "../..")

it("docs/reference/bad-input.md names tests that are there, which look for the codes that it names", () => {
  const page = readFileSync(join(root, "docs/reference/bad-input.md"), "utf8")
  const rows = [...page.matchAll(/^\| (.+) \| (.+) \| `(.+)` \|$/gm)]
  assert.isAtLeast(rows.length, 15)
  for (const [, what, answer = "", files = ""] of rows) {
    const tests = files.split("`, `").map((file) => {
      assert.isTrue(existsSync(join(root, file)), `${what}: ${file}`)
      return readFileSync(join(root, file), "utf8")
    })
    for (const [code] of answer.matchAll(/LT\d{4}/g)) assert.include(tests.join("\n"), code, `${what}: ${files}`)
  }
})
