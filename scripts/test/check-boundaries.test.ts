import { assert, describe, it } from "vitest"
import { checkTree } from "../boundaries/check-tree.ts"
import { manifest, plantTree, runScript } from "./planted-tree.ts"

/** The faults of a tree as `file:line rule`. */
const faults = (files: Readonly<Record<string, string>>): ReadonlyArray<string> =>
  checkTree(plantTree(files)).violations.map(({ file, line, rule }) => `${file}:${line} ${rule}`)

const netFile = "packages/net/src/a.ts"
const inNet = (text: string) => faults({ "packages/net/package.json": manifest("effect"), [netFile]: text })

describe("the direction of dependencies", () => {
  const packages = ["net", "domain", "bgp", "bfd", "frr", "ledger", "bus", "kube", "api", "ops", "testkit"]
  const allowed: Readonly<Record<string, ReadonlyArray<string>>> = {
    net: [],
    domain: ["net"],
    bgp: ["net"],
    bfd: ["net"],
    frr: ["net"],
    ledger: ["net", "domain"],
    bus: ["net", "domain"],
    kube: ["net", "domain"],
    api: ["net", "domain"],
    ops: [],
    testkit: packages.filter((name) => name !== "testkit")
  }

  for (const from of packages) {
    it(`lets ${from} import ${allowed[from]?.join(", ") || "none of ours"}, and nothing else of ours`, () => {
      for (const to of [...packages.filter((name) => name !== from), "agent"]) {
        const found = faults({
          [`packages/${from}/package.json`]: manifest(),
          [`packages/${from}/src/a.ts`]: `export { x } from "@lowtide/${to}"\n`
        })
        const rule = allowed[from]?.includes(to) ? "declared" : "direction"
        assert.deepStrictEqual(found, [`packages/${from}/src/a.ts:1 ${rule}`], `${from} imports ${to}`)
      }
    })
  }

  it("lets a service import packages, but no service and not the test kit", () => {
    const source = `import "@lowtide/ledger"\nimport "@lowtide/cli"\nimport "@lowtide/testkit"\n`
    const files = { "services/agent/package.json": manifest("@lowtide/ledger"), "services/agent/src/main.ts": source }
    assert.deepStrictEqual(faults(files), [
      "services/agent/src/main.ts:2 direction",
      "services/agent/src/main.ts:3 direction"
    ])
  })

  it("holds for what a package.json declares", () => {
    const found = faults({ "packages/bgp/package.json": manifest("effect", "@lowtide/domain") })
    assert.deepStrictEqual(found, ["packages/bgp/package.json:4 direction"])
  })

  it("lets a package that nobody has placed import none of ours", () => {
    const files = { "packages/new/package.json": manifest("@lowtide/net"), "packages/new/src/a.ts": "" }
    assert.deepStrictEqual(faults(files), ["packages/new/package.json:3 direction"])
  })

  for (const [form, source] of [
    ["a static import", `import { x } from "@lowtide/domain"`],
    ["an import of types", `import type { X } from "@lowtide/domain/config/pool"`],
    ["an import for its effect", `import "@lowtide/domain"`],
    ["a re-export", `export * from "@lowtide/domain"`],
    ["a dynamic import", `export const x = () => import("@lowtide/domain")`],
    ["an inline type import", `export type X = import("@lowtide/domain").X`],
    ["require", `export const x = require("@lowtide/domain")`],
    ["import equals", `import x = require("@lowtide/domain")`]
  ] as const) {
    it(`sees ${form}`, () => {
      const files = { "packages/bus/package.json": manifest(), "packages/bus/src/a.ts": `\n${source}\n` }
      assert.deepStrictEqual(faults(files), ["packages/bus/src/a.ts:2 declared"])
    })
  }

  it("does not take comments and strings for imports", () => {
    assert.deepStrictEqual(inNet(`// import "@lowtide/bgp"\nexport const x = 'import "@lowtide/bgp"'\n`), [])
  })
})

describe("imports", () => {
  it("of libraries in net and domain are the ones listed", () => {
    assert.deepStrictEqual(inNet(`import "yaml"\nimport "effect"\n`), [`${netFile}:1 external`])
    const domain = {
      "packages/domain/package.json": manifest("yaml", "pg"),
      "packages/domain/src/a.ts": `import "yaml"\nimport "pg"\n`
    }
    assert.deepStrictEqual(faults(domain), ["packages/domain/src/a.ts:2 external"])
  })

  it("are declared by the package itself", () => {
    const files = {
      "packages/bus/package.json": manifest("effect"),
      "packages/bus/src/a.ts": `import "@nats-io/jetstream/x"\n`
    }
    assert.deepStrictEqual(faults(files), ["packages/bus/src/a.ts:1 declared"])
  })

  it("by a relative path stay in the package, save the ledger's of migrations", () => {
    const source = `import "./b.ts"\nimport "../../net/src/a.ts"\nimport "../test/x.ts"\n`
    const bus = { "packages/bus/package.json": manifest(), "packages/bus/src/a.ts": source }
    assert.deepStrictEqual(faults(bus), ["packages/bus/src/a.ts:2 relative", "packages/bus/src/a.ts:3 relative"])
    const ledger = {
      "packages/ledger/package.json": manifest(),
      "packages/ledger/src/a.ts": `import "../../../migrations/index.ts"\n`
    }
    assert.deepStrictEqual(faults(ledger), [])
  })

  it("of Node's modules say node:", () => {
    const files = {
      "packages/bus/package.json": manifest(),
      "packages/bus/src/a.ts": `import "fs/promises"\nimport "node:fs"\n`
    }
    assert.deepStrictEqual(faults(files), ["packages/bus/src/a.ts:1 builtin"])
  })

  it("name their target in a plain string", () => {
    const files = {
      "packages/bus/package.json": manifest(),
      "packages/bus/src/a.ts": "export const x = (y: string) => import(y)\n"
    }
    assert.deepStrictEqual(faults(files), ["packages/bus/src/a.ts:1 computed"])
  })
})

describe("pure code", () => {
  for (const folder of [
    "net/src",
    "domain/src/config",
    "bgp/src/wire",
    "bgp/src/fsm",
    "bfd/src/machine",
    "frr/src/rendering"
  ]) {
    it(`is what packages/${folder} holds`, () => {
      const name = folder.split("/")[0]
      const files = {
        [`packages/${name}/package.json`]: manifest(),
        [`packages/${folder}/a.ts`]: "export const t = Date.now()\n"
      }
      assert.deepStrictEqual(faults(files), [`packages/${folder}/a.ts:1 pure`])
    })
  }

  it("is not what the rest of bgp holds", () => {
    const files = {
      "packages/bgp/package.json": manifest(),
      "packages/bgp/src/session.ts": "export const t = Date.now()\n"
    }
    assert.deepStrictEqual(faults(files), [])
  })

  for (const use of [
    "Date.now()",
    "new Date()",
    "Date()",
    "globalThis.Date",
    "Math.random()",
    'Math["random"]()',
    "process.env",
    "performance.now()",
    "setTimeout(f, 1)",
    "setInterval(f, 1)",
    "setImmediate(f)",
    "queueMicrotask(f)",
    "crypto.randomUUID()",
    "console.log(1)",
    'fetch("x")',
    "import.meta.dirname",
    "{ process }",
    "f(Date)",
    "Math as unknown"
  ]) {
    it(`may not use ${use}`, () => {
      assert.deepStrictEqual(inNet(`const f = (x: unknown) => x\nexport const x = ${use}\n`), [`${netFile}:2 pure`])
    })
  }

  it("may not import Node's modules, nor code of its own package that is not pure", () => {
    assert.deepStrictEqual(inNet(`import "node:fs"\n`), [`${netFile}:1 pure`])
    const files = {
      "packages/bgp/package.json": manifest(),
      "packages/bgp/src/wire/a.ts": `import "../session.ts"\nimport "../fsm/b.ts"\n`
    }
    assert.deepStrictEqual(faults(files), ["packages/bgp/src/wire/a.ts:1 pure"])
  })

  it("may use what depends on its arguments alone, and names that only look alike", () => {
    const source = [
      "export const a = (ms: number) => new Date(ms)",
      "export const b = Date.UTC(2026, 0) + Math.max(1, 2)",
      "export const c = (x: { process: Date; now: () => number }) => [x.process, x.now()]",
      "export const d = { console: 1, setTimeout: 2 }",
      "// Date.now() is for others"
    ]
    assert.deepStrictEqual(inNet(`${source.join("\n")}\n`), [])
  })
})

describe("the script", () => {
  it("prints each fault as file:line: message (rule) and exits 1", () => {
    const root = plantTree({ "packages/net/package.json": manifest(), [netFile]: `\nimport "node:fs"\n` })
    const { status, stdout } = runScript("check-boundaries.ts", ["--root", root])
    assert.deepStrictEqual(
      { status, stdout },
      { status: 1, stdout: `${netFile}:2: pure code may not import node:fs (pure)\n` }
    )
  })

  it("exits 1 on a file that does not parse, and where there is no source at all", () => {
    const broken = plantTree({ "packages/net/package.json": manifest(), [netFile]: "export const = 1\n" })
    assert.match(
      runScript("check-boundaries.ts", ["--root", broken]).stdout,
      /^packages\/net\/src\/a\.ts:1: .* \(syntax\)\n$/
    )
    const nothing = runScript("check-boundaries.ts", ["--root", plantTree({ "README.md": "" })])
    assert.deepStrictEqual([nothing.status, nothing.stdout], [1, "no source file was found\n"])
  })

  it("finds nothing in a clean tree and exits 0", () => {
    const root = plantTree({ "packages/net/package.json": manifest("effect"), [netFile]: `import "effect"\n` })
    assert.deepStrictEqual(runScript("check-boundaries.ts", ["--root", root]), { status: 0, stdout: "", stderr: "" })
  })
})
