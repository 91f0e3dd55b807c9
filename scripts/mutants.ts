/** Breaks the product on purpose, one law's guard at a time, and demands that a check goes red. See `--help`. */
import { spawnSync } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { type Mutant, mutants } from "./mutants/list.ts"

/** A check takes minutes on a machine that has other things to do. */
const timeoutMs = 60 * 60_000

const root = join(import.meta.dirname, "..")
const help = `Breaks the product on purpose, in a copy of the project, and demands that a check of it goes red.

  npm run mutants                 all of them
  npm run mutants -- NAME ...     some
  npm run mutants -- --list       their names and what each breaks

First the checks run on the product as it is, and have to pass. Exits 1 when a breakage goes unnoticed.
`

const args = process.argv.slice(2)
if (args.includes("--help")) process.stdout.write(help)
else if (args.includes("--list")) for (const { name, breaks } of mutants) console.log(`${name.padEnd(28)} ${breaks}`)
else process.exitCode = run(args)

function run(names: ReadonlyArray<string>): number {
  const unknown = names.filter((name) => !mutants.some((mutant) => mutant.name === name))
  if (unknown.length > 0) {
    console.error(`no mutant is called ${unknown.join(", ")}; --list has the names`)
    return 2
  }
  const chosen = mutants.filter(({ name }) => names.length === 0 || names.includes(name))
  const folder = mkdtempSync(join(tmpdir(), "lowtide-mutants-"))
  try {
    copyProject(folder)
    for (const check of new Set(chosen.map(({ check }) => check.join(" ")))) {
      if (!passes(folder, check.split(" "))) {
        console.log(`FAILED the unbroken product does not pass: ${check}`)
        return 1
      }
    }
    const unnoticed = chosen.filter((mutant) => !isNoticed(folder, mutant))
    console.log(`${chosen.length - unnoticed.length} of ${chosen.length} breakages were noticed`)
    return unnoticed.length === 0 ? 0 : 1
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The tracked files, and the installed packages by links; the project's own packages are those of the copy. */
function copyProject(folder: string): void {
  const { stdout } = spawnSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: root })
  for (const file of stdout.toString().split("\0").filter(Boolean)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    cpSync(join(root, file), join(folder, file))
  }
  const modules = join(folder, "node_modules")
  mkdirSync(join(modules, "@lowtide"), { recursive: true })
  for (const entry of readdirSync(join(root, "node_modules"))) {
    if (entry !== "@lowtide") symlinkSync(join(root, "node_modules", entry), join(modules, entry))
  }
  for (const kind of ["packages", "services"]) {
    for (const name of readdirSync(join(folder, kind))) {
      const { name: full } = JSON.parse(readFileSync(join(folder, kind, name, "package.json"), "utf8"))
      symlinkSync(join(folder, kind, name), join(modules, full))
    }
  }
}

function isNoticed(folder: string, { name, file, from, to, check, breaks }: Mutant): boolean {
  const path = join(folder, file)
  const text = readFileSync(path, "utf8")
  const places = text.split(from).length - 1
  if (places !== 1) {
    console.log(
      `FAILED ${name}: expected its text once in ${file}, found it ${places} times: bring the list up to date`
    )
    return false
  }
  const startedMs = performance.now()
  writeFileSync(
    path,
    text.replace(from, () => to)
  )
  const isRed = !passes(folder, check)
  writeFileSync(path, text)
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
  const by = check.at(-1)?.includes(".test.") ? check.at(-1) : "the histories' checker"
  console.log(`${isRed ? "noticed  " : "FAILED   "} ${name}: ${breaks} (${by}, ${seconds} s)`)
  return isRed
}

function passes(folder: string, [program = "", ...rest]: ReadonlyArray<string>): boolean {
  const { status, signal, error } = spawnSync(program, rest, { cwd: folder, encoding: "utf8", timeout: timeoutMs })
  if (error !== undefined) throw error
  if (signal !== null) throw new Error(`${program} ${rest.join(" ")} ended by ${signal}`)
  return status === 0
}
