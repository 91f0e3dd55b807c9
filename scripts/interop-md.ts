import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { formatInteropPage } from "../test/interop/bgp-coverage.ts"

const usage = `Usage: node scripts/interop-md.ts [--check]

Writes docs/reference/interop.md from the cases in test/interop/bgp-coverage.ts.

  --check   write nothing; exit 1 when the page differs from the cases
  --help    print this text
`

const page = join(import.meta.dirname, "../docs/reference/interop.md")
const [option, ...others] = process.argv.slice(2)

if (option === "--help") process.stdout.write(usage)
else if (others.length > 0 || (option !== undefined && option !== "--check")) {
  process.stderr.write(`unknown option ${others[0] ?? option}\n\n${usage}`)
  process.exitCode = 2
} else if (option === "--check") {
  if (readFileSync(page, "utf8") !== formatInteropPage()) {
    process.stderr.write("docs/reference/interop.md differs from the cases: run node scripts/interop-md.ts\n")
    process.exitCode = 1
  }
} else {
  writeFileSync(page, formatInteropPage())
  process.stderr.write("wrote docs/reference/interop.md\n")
}
