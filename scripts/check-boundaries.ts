/** Checks which way packages depend on each other and that pure code is pure. See `--help`. */
import { resolve } from "node:path"
import { parseArgs } from "node:util"
import { checkTree } from "./boundaries/check-tree.ts"

const help = `Checks the imports of packages/*/src and services/*/src, and the words that pure code may not use.

  node scripts/check-boundaries.ts [--root FOLDER]

Prints one line a violation, FILE:LINE: MESSAGE (RULE), and exits 1 when there is one. Rules:
  direction   a package imports one that it must not know
  external    packages/net or packages/domain imports a library that is not theirs to use
  declared    an import is missing in the package's own package.json
  relative    a relative import leaves its package
  builtin     a Node module is imported without "node:"
  computed    an import whose target cannot be read from the source
  pure        pure code does I/O, reads a clock, randomness or the environment, or imports code that may
  syntax      a file that does not parse`

const { values } = parseArgs({ options: { root: { type: "string" }, help: { type: "boolean" } } })

if (values.help === true) console.log(help)
else {
  const { files, violations } = checkTree(resolve(values.root ?? `${import.meta.dirname}/..`))
  for (const { file, line, message, rule } of violations) console.log(`${file}:${line}: ${message} (${rule})`)
  if (files === 0) console.log("no source file was found")
  process.exitCode = violations.length > 0 || files === 0 ? 1 : 0
}
