import { spawnSync } from "node:child_process"
import { readFileSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { bundle, bundled } from "../bundle.mjs"
import { plantTree } from "./planted-tree.ts"

const output = (file: string) => spawnSync(process.execPath, [file], { encoding: "utf8" }).stdout

describe("the bundle of a service", () => {
  it("is one file that runs, made anew only when a source changed", async () => {
    const root = plantTree({
      "package-lock.json": "{}",
      "services/a/src/main.ts": `import { word } from "./word.ts"\nconsole.log(word as string)\n`,
      "services/a/src/word.ts": `export const word: string = "one"\n`
    })
    const first = await bundle("a", { root })
    assert.deepStrictEqual(first, { file: join(root, "services/a/dist/main.mjs"), built: true })
    assert.strictEqual(output(first?.file ?? ""), "one\n")
    assert.deepInclude(await bundle("a", { root }), { built: false })
    writeFileSync(join(root, "services/a/src/word.ts"), `export const word: string = "other"\n`)
    assert.deepInclude(await bundle("a", { root }), { built: true })
    assert.strictEqual(output(first?.file ?? ""), "other\n")
    utimesSync(join(root, "package-lock.json"), 1, 1)
    assert.deepInclude(await bundle("a", { root }), { built: true })
  })

  it("is one octet a character, whatever its sources have, and says what they say", async () => {
    const plain =
      "const name = 'µ→😀' // →\nconsole.log(name, name + 'µ', /^µ→😀$/.test(name), /^µ→.$/u.test(name), { µ: 1 }.µ)"
    const planted = { "package-lock.json": "{}", "services/a/src/main.ts": plain }
    const root = plantTree({ ...planted, "services/b/src/main.ts": "console.log(String.raw`\\u00b5µ`, 'µ')" })
    const { file = "" } = (await bundle("a", { root })) ?? {}
    assert.strictEqual(output(file), "µ→😀 µ→😀µ true true 1\n")
    assert.isFalse(readFileSync(file).some((octet) => octet > 127))
    const raw = await bundle("b", { root })
    assert.strictEqual(output(raw?.file ?? ""), "\\u00b5µ µ\n", "where it would say something else it stays")
  })

  it("fails where that would have it say something else", async () => {
    for (const program of [
      "console.log(/\\µ/.test('µ'))",
      "const own = (strings) => strings.raw[0]\nconsole.log(own`µ`)",
      `console.log(String.raw\`a\${[1].map((x) => \`b\` + x)}µ\`)`
    ]) {
      const root = plantTree({ "package-lock.json": "{}", "services/a/src/main.ts": program })
      const error = await bundle("a", { root }).catch((cause: Error) => cause.message)
      assert.match(String(error), /^expected no (backslash|tag)/, program)
    }
  })

  it("of what is no program fails where it has to be there", async () => {
    const root = plantTree({ "services/a/package.json": "{}" })
    const error = await bundled("a", { root }).catch((cause: Error) => cause.message)
    assert.strictEqual(error, "expected services/a/src/main.ts, found no such file")
  })

  it("does not load Node's fetch because it serves HTTP", async () => {
    const loaded = 'process.moduleLoadList.some((module) => module.includes("undici"))'
    const program = `import { createServer, STATUS_CODES } from "node:http"\nimport * as http from "http"\n
createServer().listen(0, "127.0.0.1", function () { this.close(); console.log(STATUS_CODES[200], typeof http.request, ${loaded}) })`
    const root = plantTree({ "package-lock.json": "{}", "services/a/src/main.ts": program })
    const { file = "" } = (await bundle("a", { root })) ?? {}
    assert.strictEqual(output(file), "OK function false\n")
  })

  it("of the speaker has at most 25 packages of others in it", async () => {
    await bundle("speaker")
    const record = new URL("../../services/speaker/dist/inputs.json", import.meta.url)
    const inputs = JSON.parse(readFileSync(record, "utf8")) as ReadonlyArray<readonly [string, unknown]>
    const ofOthers = inputs.flatMap(([input]) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1] ?? [])
    const packages = new Set([...ofOthers, "koffi"]) // which stays outside
    assert.include([...packages], "effect")
    assert.isAtMost(packages.size, 25, [...packages].join(" "))
  })

  it("is none where there is no main, and a failure that names the line where it does not compile", async () => {
    const root = plantTree({ "services/a/package.json": "{}", "services/b/src/main.ts": "\nconst = 1\n" })
    assert.isUndefined(await bundle("a", { root }))
    const error = await bundle("b", { root }).catch((cause: Error) => cause.message)
    assert.include(String(error), "services/b/src/main.ts:2:6")
  })
})
