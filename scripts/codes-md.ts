import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { formatCodesPage } from "../packages/domain/src/config/codes-text.ts"

const usage = `Usage: node scripts/codes-md.ts [--check]

Writes docs/reference/codes.md from the table of codes in packages/domain/src/config/codes.ts.

  --check   write nothing; exit 1 when the page differs from the table
  --help    print this text
`

const page = join(import.meta.dirname, "../docs/reference/codes.md")
const [option, ...others] = process.argv.slice(2)

if (option === "--help") process.stdout.write(usage)
else if (others.length > 0 || (option !== undefined && option !== "--check")) {
  process.stderr.write(`unknown option ${others[0] ?? option}\n\n${usage}`)
  process.exitCode = 2
} else if (option === "--check") {
  if (readFileSync(page, "utf8") !== formatCodesPage()) {
    process.stderr.write("docs/reference/codes.md differs from the table: run node scripts/codes-md.ts\n")
    process.exitCode = 1
  }
} else {
  writeFileSync(page, formatCodesPage())
  process.stderr.write("wrote docs/reference/codes.md\n")
}
