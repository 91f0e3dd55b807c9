import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

/** A page of docs/reference, and what it is made from. */
export interface GeneratedPage {
  /** All three relative to the project. */
  readonly script: string
  readonly page: string
  readonly source: string
  readonly format: () => string
}

/** Writes the page, or with --check ends with 1 when it differs; with 2 at an option that is none. */
export const runGeneratedPage = ({ script, page, source, format }: GeneratedPage): void => {
  const usage = `Usage: node ${script} [--check]

Writes ${page} from ${source}.

  --check   write nothing; exit 1 when the page differs
  --help    print this text
`
  const file = join(import.meta.dirname, "..", page)
  const [option, ...others] = process.argv.slice(2)
  if (option === "--help") process.stdout.write(usage)
  else if (others.length > 0 || (option !== undefined && option !== "--check")) {
    process.stderr.write(`unknown option ${others[0] ?? option}\n\n${usage}`)
    process.exitCode = 2
  } else if (option !== "--check") {
    writeFileSync(file, format())
    process.stderr.write(`wrote ${page}\n`)
  } else if (readFileSync(file, "utf8") !== format()) {
    process.stderr.write(`${page} differs from ${source}: run node ${script}\n`)
    process.exitCode = 1
  }
}
