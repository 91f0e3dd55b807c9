import { assert, describe, it } from "vitest"
import { ReadsOfAnHour, rowsAnHour } from "../src/access/reads-of-an-hour.ts"

const hourMs = 3_600_000

describe("what is written down of who asks very much", () => {
  it("is each of the first of an hour, and then so few that a million of them are twenty", () => {
    const reads = new ReadsOfAnHour()
    const rows = Array.from({ length: 1_000_000 }, () => reads.ask("ada", 0)).filter((beyond) => beyond !== undefined)
    assert.deepStrictEqual(rows.slice(0, rowsAnHour + 4), [...Array(rowsAnHour).fill(0), 1, 2, 4, 8])
    assert.strictEqual(rows.length, rowsAnHour + 20)
    assert.strictEqual(reads.ask("ben", 0), 0, "which takes nothing from others")
  })

  it("does not count what has no row after all", () => {
    const reads = new ReadsOfAnHour()
    for (let n = 0; n < 2 * rowsAnHour; n++) {
      reads.ask("ada", 0)
      reads.takeBack("ada")
    }
    assert.strictEqual(reads.ask("ada", 0), 0)
  })

  it("is each again when the hour is over", () => {
    const reads = new ReadsOfAnHour()
    for (let n = 0; n < rowsAnHour + 3; n++) reads.ask("ada", n)
    assert.strictEqual(reads.ask("ada", hourMs - 1), 4)
    assert.strictEqual(reads.ask("ada", hourMs), 0)
  })
})
