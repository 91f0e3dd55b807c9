import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, it } from "vitest"
import { formatInteropPage } from "../../test/interop/bgp-coverage.ts"

it("docs/reference/interop.md is what the cases say (node scripts/interop-md.ts rewrites it)", () => {
  const page = readFileSync(join(import.meta.dirname, "../../docs/reference/interop.md"), "utf8")
  assert.strictEqual(page, formatInteropPage())
})
