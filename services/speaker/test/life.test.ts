import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
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
    open("a").keepLost(new Map([["router", stamp]]), start + hour)
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
    assert.isUndefined(open("b").tooOldMs(start + 24 * hour))
    assert.strictEqual(open("b").tooOldMs(start + 25 * hour), 25 * hour, "however long it lived since")
    assert.isUndefined(open("a").tooOldMs(start + 25 * hour))
    assert.isUndefined(open("b").tooOldMs(0), "a clock that runs behind says nothing")
  })

  it("is written for good when the centre agreed ten minutes later, and touched in between", () => {
    lived("a", start, start)
    const life = open("a")
    life.note(start + 60_000, start + 60_000)
    assert.deepInclude(open("a").former, { agreedAtMs: start, aliveAtMs: start + 60_000 })
    life.note(start + 600_000, start + 600_000)
    assert.deepInclude(open("a").former, { agreedAtMs: start + 600_000, aliveAtMs: start + 600_000 })
  })

  it("is as good as none when it cannot be read, and tells once that it cannot be written", () => {
    writeFileSync(join(folder, "life.json"), "{")
    assert.isUndefined(open("a").former)
    const life = open("a", join(folder, "missing"))
    life.begin(start)
    life.note(start + hour, start + hour)
    assert.lengthOf(said, 1)
    assert.match(said[0] ?? "", /life\.json/)
  })
})
