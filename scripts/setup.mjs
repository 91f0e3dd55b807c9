// Makes a fresh clone able to run what follows: `node scripts/setup.mjs demo|test|check|bench`. Plain JavaScript, since
// it runs before the Node that the project brings is there. Stdout belongs to what follows, so all of this is on stderr.
import { parseArgs } from "node:util"
import { ensureNodeModules } from "./setup/node-modules.mjs"
import { ensurePrograms, needs } from "./setup/programs.mjs"

const help = `Installs what a part of the project needs; quick when all of it is there.

  node scripts/setup.mjs demo|test|check|bench

  programs       from PATH, else by apt as root (their services are not started), else the line to run is printed
  node_modules   npm ci, when it is missing or differs from package-lock.json

Exits 1 when something is missing that the part cannot do without.
`

const { values, positionals } = parseArgs({ options: { help: { type: "boolean" } }, allowPositionals: true })
const [what] = positionals

if (values.help) process.stdout.write(help)
else if (what === undefined || needs[what] === undefined) {
  process.stderr.write(help)
  process.exitCode = 2
} // The programs first: what npm installs runs scripts by the Node that it brings, which lacks a library on a bare machine.
else if (!ensurePrograms(what) || !ensureNodeModules()) process.exitCode = 1
