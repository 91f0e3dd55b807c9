import { assert, describe, it } from "vitest"
import { benchmarksIn, lineFault } from "../bench/benchmarks.ts"
import { plantTree, runScript } from "./planted-tree.ts"

const figure = { bench: "b", figure: "f", value: 1, unit: "ms", baseline: 2, baselineName: "n", ratio: 0.5 }

describe("benchmarks", () => {
  it("are found by name in packages, services and test", () => {
    const root = plantTree({
      "packages/bgp/bench/announce.ts": "",
      "packages/bgp/bench/announce.test.ts": "",
      "packages/bgp/src/bench/no.ts": "",
      "services/allocator/bench/append.ts": "",
      "test/bench/path.ts": ""
    })
    assert.deepStrictEqual(
      [...benchmarksIn(root)],
      [
        ["announce", "packages/bgp/bench/announce.ts"],
        ["append", "services/allocator/bench/append.ts"],
        ["path", "test/bench/path.ts"]
      ]
    )
  })

  it("do not share a name", () => {
    const root = plantTree({ "packages/bgp/bench/path.ts": "", "test/bench/path.ts": "" })
    assert.throws(() => benchmarksIn(root), "two benchmarks are called path")
  })

  it("print figures with the seven keys", () => {
    assert.isUndefined(lineFault(JSON.stringify(figure)))
    assert.match(lineFault("ready") ?? "", /expected a line of JSON/)
    assert.match(lineFault("[1]") ?? "", /expected a JSON object/)
    assert.match(lineFault(JSON.stringify({ ...figure, note: 1 })) ?? "", /expected no key note/)
    for (const key of Object.keys(figure)) {
      const { [key as keyof typeof figure]: _, ...rest } = figure
      assert.strictEqual(lineFault(JSON.stringify(rest))?.startsWith(`expected ${key} to be a`), true, key)
    }
    assert.match(
      lineFault(JSON.stringify({ ...figure, value: Number.NaN })) ?? "",
      /expected value to be a number, found null/
    )
  })

  it("are refused by a name that none has", () => {
    const { status, stdout, stderr } = runScript("bench.ts", ["nothing-of-this-name"])
    assert.deepStrictEqual([status, stdout], [2, ""])
    assert.include(stderr, "no benchmark is called nothing-of-this-name")
  })
})
