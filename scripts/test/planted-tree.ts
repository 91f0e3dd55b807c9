import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { onTestFinished } from "vitest"

/** Writes files into a temporary folder that ends with the test, and answers the folder. */
export const plantTree = (files: Readonly<Record<string, string>>): string => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "lowtide-tree-")))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  return root
}

/** A package.json with these dependencies. */
export const manifest = (...dependencies: ReadonlyArray<string>): string =>
  JSON.stringify({ dependencies: Object.fromEntries(dependencies.map((name) => [name, "0.1.0"])) }, undefined, 2)

/** Runs a script of the project with the Node that runs the test. */
export const runScript = (script: string, args: ReadonlyArray<string>, options: { readonly cwd?: string } = {}) => {
  const path = join(import.meta.dirname, "..", script)
  const { status, stdout, stderr } = spawnSync(process.execPath, [path, ...args], { encoding: "utf8", ...options })
  return { status, stdout, stderr }
}
