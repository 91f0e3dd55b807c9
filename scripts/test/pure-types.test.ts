import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import pureConfig from "../../tsconfig.pure.json" with { type: "json" }
import { pureFolders } from "../boundaries/rules.ts"
import { plantTree } from "./planted-tree.ts"

const root = join(import.meta.dirname, "../..")

/** The lines with an error when a file is compiled as pure code is. */
const errorLines = (lines: ReadonlyArray<string>): ReadonlyArray<number> => {
  const config = {
    extends: join(root, "tsconfig.pure.json"),
    include: ["planted.mts", join(root, "pure-globals.d.ts")]
  }
  const folder = plantTree({ "planted.mts": lines.join("\n"), "tsconfig.json": JSON.stringify(config) })
  const tsc = join(root, "node_modules/typescript/bin/tsc")
  const { stdout } = spawnSync(process.execPath, [tsc, "-p", folder, "--pretty", "false"], { encoding: "utf8" })
  return [...new Set([...stdout.matchAll(/planted\.mts\((\d+),/g)].map((match) => Number(match[1])))]
}

describe("the types of pure code", () => {
  it("do not know Node's globals", () => {
    const uses = [
      "process.env",
      "performance.now()",
      "setTimeout(() => 1, 1)",
      "setInterval(() => 1, 1)",
      "setImmediate(() => 1)",
      "queueMicrotask(() => 1)",
      "crypto.randomUUID()",
      "console.log(1)",
      'fetch("x")',
      "Buffer.alloc(1)",
      "globalThis.process",
      'require("node:fs")',
      'import("node:fs")'
    ]
    const lines = uses.map((use, index) => `export const x${index} = ${use}`)
    assert.deepStrictEqual(
      errorLines(lines),
      lines.map((_, index) => index + 1)
    )
  })

  it("know the language and the text codecs", () => {
    const lines = [
      "export const x = [new Date(1), Math.max(1), new Map<string, bigint>(), new TextEncoder().encode('a')]"
    ]
    assert.deepStrictEqual(errorLines(lines), [])
  })

  it("cover the folders that the check of words covers", () => {
    assert.deepStrictEqual(pureConfig.include.slice(1), pureFolders)
  })
})
