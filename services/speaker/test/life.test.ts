import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { Life } from "../src/life.ts"

let folder = ""
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lowtide-life-"))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const hour = 3_600_000
const start = 1_800_000_000_000
const stamp = { incarnation: 1, epoch: 2, seq: 3 }
const said: Array<string> = []
const open = (bootId: string, at = folder) => new Life(at, { bootId, say: (text) => void said.push(text) })

/** A process that lived until so long ago, and of which the centre agreed then. */
const lived = (bootId: string, agreedAtMs: number, aliveAtMs: number) => {
  const life = open(bootId)
  life.begin(agreedAtMs)
  life.note(agreedAtMs, agreedAtMs)
  life.note(aliveAtMs, undefined)
}

describe("Life", () => {
  it("tells the next process of the boot, when the centre agreed, when it was last alive, and what was lost", () => {
    assert.isUndefined(open("a").former)
    lived("a", start, start + hour)
    const life = open("a")
    life.begin(start)
    life.keepLost(new Map([["router", stamp]]), start + hour)
    const next = open("a")
    assert.deepStrictEqual(next.former, {
      bootId: "a",
      agreedAtMs: start,
      lost: { router: stamp },
      aliveAtMs: start + hour
    })
    assert.isFalse(next.hasBooted)
    assert.isTrue(open("b").hasBooted)
  })

  it("is too old a day after the centre agreed, in another boot alone", () => {
    lived("a", start, start + 23 * hour)
    assert.isUndefined(open("b").whyOld(start + 24 * hour))
    const why = "this node has booted, and what it knows is 25 h old"
    assert.strictEqual(open("b").whyOld(start + 25 * hour), why, "however long it lived since")
    assert.isUndefined(open("a").whyOld(start + 25 * hour))
    assert.isUndefined(open("b").whyOld(0), "a clock that runs behind says nothing")
  })

  it("is as old for the next process of that boot, until one begins", () => {
    lived("a", start, start)
    const quiet = open("b")
    quiet.note(start + 25 * hour, undefined)
    quiet.keepLost(new Map([["router", stamp]]), start + 25 * hour)
    const next = open("b")
    assert.isDefined(next.whyOld(start + 25 * hour))
    assert.strictEqual(next.former?.aliveAtMs, start)
    next.keepLost(new Map([["router", stamp]]), start + 25 * hour)
    next.begin(start + 25 * hour)
    const last = open("b")
    assert.deepStrictEqual([last.whyOld(start + 25 * hour), last.former?.lost], [undefined, { router: stamp }])
  })

  it("is written for good when the centre agreed ten minutes later, and touched in between", () => {
    lived("a", start, start)
    const life = open("a")
    life.begin(start)
    life.note(start + 60_000, start + 60_000)
    assert.deepInclude(open("a").former, { agreedAtMs: start, aliveAtMs: start + 60_000 })
    life.note(start + 600_000, start + 600_000)
    assert.deepInclude(open("a").former, { agreedAtMs: start + 600_000, aliveAtMs: start + 600_000 })
  })

  it("may be of any boot and any age when it cannot be read, and says so", () => {
    const path = join(folder, "life.json")
    const broken = [
      {
        make: () => writeFileSync(path, "{"),
        found: /life\.json: expected a boot, a time and what was lost as JSON, found damage/
      },
      { make: () => mkdirSync(path), found: /life\.json: expected a file that can be read, found EISDIR/ }
    ]
    for (const { make, found } of broken) {
      rmSync(path, { force: true })
      make()
      const life = open("a")
      assert.deepStrictEqual([life.former, life.hasBooted], [undefined, true])
      assert.match(life.whyOld(start) ?? "", found)
    }
  })

  it("tells once that it cannot be written", () => {
    const life = open("a", join(folder, "missing"))
    assert.deepStrictEqual([life.hasBooted, life.whyOld(start)], [undefined, undefined], "where there is none")
    life.begin(start)
    life.note(start + hour, start + hour)
    assert.lengthOf(said, 1)
    assert.match(said[0] ?? "", /life\.json/)
  })
})
