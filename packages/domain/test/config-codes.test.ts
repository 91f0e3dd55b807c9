import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { formatCodesPage } from "../src/config/codes-text.ts"
import { codes, finding, formatFinding } from "../src/config/index.ts"

describe("codes", () => {
  it("stand in docs/reference/codes.md as in the table (node scripts/codes-md.ts rewrites it)", () => {
    assert.strictEqual(
      formatCodesPage(),
      readFileSync(join(import.meta.dirname, "../../../docs/reference/codes.md"), "utf8")
    )
  })

  it("are all on the page, in one of its groups", () => {
    const page = formatCodesPage()
    for (const [code, { title }] of Object.entries(codes)) assert.include(page, `### ${code}: ${title}\n`)
  })

  it("have a cause that ends a sentence and a fix that a message can end", () => {
    for (const [code, { cause, fix, title }] of Object.entries(codes)) {
      assert.match(cause, /\.$/, code)
      assert.notMatch(fix, /\.$/, code)
      assert.notMatch(title, /[.:]/, code)
    }
  })
})

describe("finding", () => {
  const object = { kind: "Service", namespace: "shop", name: "web" }

  it("names object, field, what was expected and what was found, with the code's own fix", () => {
    const found = finding("LT0201", { object, expected: "a free IPv4 address", found: "none in pool gold" })
    assert.strictEqual(found.severity, "error")
    assert.strictEqual(
      formatFinding(found),
      "error LT0201 Service shop/web: pool exhausted: expected a free IPv4 address, found none in pool gold. Fix: Add a range to spec.addresses of a pool that it may use, or delete Services that hold addresses of one"
    )
  })

  it("prefers a fix that fits the case, and prints where the object stands", () => {
    const source = { file: "a.yaml", line: 7 }
    const facts = {
      object: { kind: "Node", name: "n" },
      field: "spec.x",
      expected: "a",
      found: "b",
      fix: "Write a",
      source
    }
    assert.strictEqual(
      formatFinding(finding("LT0104", facts)),
      "warning LT0104 a.yaml:7 Node n spec.x: unknown field: expected a, found b. Fix: Write a"
    )
  })
})
