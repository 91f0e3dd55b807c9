import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { type LoadedRecords, openJournal } from "../src/journal.ts"
import { decodeBatches, encodeBatch, type SavedRecord } from "../src/journal-record.ts"

const record = (name: string, text = "x"): SavedRecord => ({ _tag: "Message", key: name, envelope: text })
const names = ({ records }: Pick<LoadedRecords, "records">) =>
  records.map((one) => (one._tag === "Message" ? one.key : one._tag))

let folder = ""
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lowtide-journal-"))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const write = async (batches: ReadonlyArray<ReadonlyArray<string>>) => {
  const { journal } = openJournal(folder)
  for (const batch of batches) await journal.append(batch.map((name) => record(name)))
  await journal.close()
}
const load = () => openJournal(folder).loaded
const flip = (file: string, offset: number) => {
  const path = join(folder, file)
  const octets = readFileSync(path)
  octets[offset] = (octets[offset] ?? 0) ^ 0x10
  writeFileSync(path, octets)
}

describe("journal", () => {
  it("has after a restart what was acknowledged", async () => {
    await write([["a"], ["b", "c"]])
    await write([["d"]])
    assert.deepStrictEqual([names(load()), load().damage], [["a", "b", "c", "d"], "none"])
  })

  it("loses at most the last batch, wholly, when the file is cut at any octet of it", async () => {
    await write([["a"], ["b", "c"]])
    const path = join(folder, "journal-0")
    const whole = readFileSync(path)
    const before = encodeBatch([record("a")]).length
    for (let length = whole.length - 1; length >= before; length--) {
      writeFileSync(path, whole)
      truncateSync(path, length)
      const found = load()
      assert.deepStrictEqual(names(found), ["a"], `cut at ${length}`)
      assert.strictEqual(found.damage, length === before ? "none" : "torn")
      await write([["d"]])
      assert.deepStrictEqual([names(load()), load().damage], [["a", "d"], "none"], `appended after a cut at ${length}`)
    }
  })

  it("never answers a damaged batch, whichever octet of the file has a flipped bit", async () => {
    await write([["a"], ["b"], ["c"]])
    const whole = readFileSync(join(folder, "journal-0"))
    for (let offset = 0; offset < whole.length; offset++) {
      writeFileSync(join(folder, "journal-0"), whole)
      flip("journal-0", offset)
      const found = load()
      const isLast = offset >= (whole.length / 3) * 2 - 1
      assert.isTrue(
        names(found).every((name) => ["a", "b", "c"].includes(name)) && found.records.length < 3,
        `flipped at ${offset}: ${names(found)}`
      )
      if (!isLast) assert.strictEqual(found.damage, "lost", `flipped at ${offset}`)
    }
  })

  it("takes the other generation and its journal for a snapshot that is damaged or cut", async () => {
    const { journal } = openJournal(folder)
    await journal.append([record("a"), record("b")])
    journal.compact([record("a"), record("b")])
    await journal.append([record("c")])
    await journal.close()
    const snapshot = readFileSync(join(folder, "snapshot-1"))
    assert.deepStrictEqual([new Set(names(load())), load().damage], [new Set(["a", "b", "c"]), "none"])
    for (let length = 0; length < snapshot.length; length++) {
      writeFileSync(join(folder, "snapshot-1"), snapshot.subarray(0, length))
      assert.deepStrictEqual(new Set(names(load())), new Set(["a", "b", "c"]), `cut at ${length}`)
      assert.strictEqual(load().damage, "repaired", `cut at ${length}`)
    }
  })

  it("says so when both generations have lost something", async () => {
    const { journal } = openJournal(folder)
    await journal.append([record("a")])
    journal.compact([record("a")])
    await journal.close()
    flip("snapshot-1", 12)
    flip("journal-0", 12)
    await write([["c"]])
    assert.deepStrictEqual([names(load()), load().damage], [["c"], "lost"])
    rmSync(join(folder, "journal-0"))
    assert.deepStrictEqual([names(load()), load().damage], [["c"], "lost"])
    const next = openJournal(folder).journal
    next.compact([record("a")])
    await next.close()
    assert.strictEqual(load().damage, "repaired", "a whole snapshot makes up for what is before it")
  })

  it("keeps two generations, and is long past its bound and its snapshot", async () => {
    const { journal } = openJournal(folder, 200)
    for (const name of ["a", "b", "c", "d"]) {
      await journal.append([record(name, "y".repeat(150))])
      await journal.append([record(name, "z".repeat(150))])
      assert.isTrue(journal.isLong())
      journal.compact([record(name, "y".repeat(300))])
      assert.isFalse(journal.isLong())
      await journal.append([record(name, "z".repeat(150))])
      assert.isFalse(journal.isLong(), "a snapshot is longer")
    }
    await journal.close()
    assert.deepStrictEqual(readdirSync(folder).sort(), ["journal-3", "journal-4", "snapshot-3", "snapshot-4"])
  })
})

describe("decodeBatches", () => {
  it("answers any octets", () => {
    for (const text of ["", "\n", "\n\n", "00000000 ", "garbage", `${encodeBatch([])}x`, "\u0000\uffff\n"]) {
      assert.deepStrictEqual(decodeBatches(text).records, [], JSON.stringify(text))
    }
  })
})
