import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { type LoadedRecords, openJournal } from "../src/journal.ts"
import { markName } from "../src/journal-mark.ts"
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

  it("loses at most the last batch, wholly, when a crash cuts it at any octet", async () => {
    await write([["a"]])
    const path = join(folder, "journal-0")
    const before = readFileSync(path).length
    const mark = readFileSync(join(folder, markName))
    const whole = Buffer.concat([readFileSync(path), Buffer.from(encodeBatch([record("b"), record("c")]))])
    for (let length = whole.length - 1; length >= before; length--) {
      writeFileSync(path, whole)
      truncateSync(path, length)
      writeFileSync(join(folder, markName), mark) // the batch was never acknowledged
      const found = load()
      assert.deepStrictEqual(names(found), ["a"], `cut at ${length}`)
      assert.strictEqual(found.damage, length === before ? "none" : "torn")
      await write([["d"]])
      assert.deepStrictEqual([names(load()), load().damage], [["a", "d"], "none"], `appended after a cut at ${length}`)
    }
  })

  it("has lost something when it is shorter than was acknowledged, until a snapshot makes up for it", async () => {
    await write([["a"], ["b"], ["c"]])
    const path = join(folder, "journal-0")
    const whole = readFileSync(path)
    for (let length = 0; length < whole.length; length++) {
      truncateSync(path, length)
      assert.strictEqual(load().damage, "lost", `cut at ${length}`)
      writeFileSync(path, whole)
    }
    truncateSync(path, whole.length / 3)
    const expected = `${path}: expected the ${whole.length} bytes that were acknowledged, found ${whole.length / 3}`
    assert.deepStrictEqual([names(load()), load().faults], [["a"], [expected]])
    await write([["d"], ["e"], ["f"], ["g"]])
    assert.deepStrictEqual(
      [names(load()), load().damage],
      [["a", "d", "e", "f", "g"], "lost"],
      "longer, and lost still"
    )
    rmSync(path)
    assert.include(load().faults[0], "acknowledged, found no file")
    const { journal } = openJournal(folder)
    journal.compact([record("a")])
    await journal.close()
    assert.strictEqual(load().damage, "none")
    await write([["h"]])
    assert.deepStrictEqual([names(load()), load().damage], [["a", "h"], "none"])
    for (const name of ["journal-1", "snapshot-1"]) rmSync(join(folder, name))
    assert.strictEqual(load().damage, "lost", "its whole generation is gone")
  })

  it("is whole where a mark tells of less than there is, and says where it cannot be told", async () => {
    await write([["a"]])
    const mark = readFileSync(join(folder, markName))
    await write([["b"]])
    writeFileSync(join(folder, markName), mark)
    assert.strictEqual(load().damage, "none")
    for (const text of ["", "garbage"]) {
      writeFileSync(join(folder, markName), text)
      assert.deepStrictEqual([load().damage, load().faults.length], ["none", 1])
    }
    writeFileSync(join(folder, markName), "x".repeat(100))
    await write([["b"]])
    assert.deepStrictEqual(load().faults, [], "the next mark takes the place of all of a damaged one")
    rmSync(join(folder, markName))
    mkdirSync(join(folder, markName))
    assert.match(load().faults.join(), /acknowledged: expected a file that can be read, found EISDIR/)
    await write([["c"]])
    truncateSync(join(folder, "journal-0"), readFileSync(join(folder, "journal-0")).length - 5)
    assert.strictEqual(load().damage, "torn")
    assert.match(load().faults.join(), /as far as can be told: nothing says how long the file was/)
  })

  it("counts a file that cannot be read as lost, writes on beside it, and is rid of it after a snapshot", async () => {
    await write([["a"]])
    rmSync(join(folder, "journal-0"))
    mkdirSync(join(folder, "journal-0", "deep"), { recursive: true })
    assert.deepStrictEqual([names(load()), load().damage], [[], "lost"])
    assert.match(load().faults.join(), /journal-0: expected a file that can be read, found EISDIR/)
    await write([["b"]])
    assert.deepStrictEqual([names(load()), load().damage], [["b"], "lost"], "no later batch hides it")
    const { journal } = openJournal(folder)
    journal.compact([record("b")])
    await journal.close()
    assert.deepStrictEqual([names(load()), load().damage], [["b", "b"], "repaired"])
    const next = openJournal(folder).journal
    next.compact([record("b")])
    await next.close()
    assert.deepStrictEqual([names(load()), load().damage], [["b", "b"], "none"])
  })

  it("has lost what was in a journal that could not be read, also where that is gone or shortened since", async () => {
    const { journal } = openJournal(folder)
    await journal.append([record("a")])
    journal.compact([record("a")])
    await journal.append([record("b")])
    await journal.append([record("c")])
    await journal.close()
    const path = join(folder, "journal-1")
    const whole = readFileSync(path)
    const unreadable = () => {
      rmSync(path)
      mkdirSync(path)
    }
    const mended = [
      { what: "gone", mend: () => {} },
      { what: "shortened", mend: () => writeFileSync(path, whole.subarray(0, whole.length / 2)) }
    ]
    for (const { what, mend } of mended) {
      unreadable()
      assert.strictEqual(load().damage, "lost")
      rmSync(path, { recursive: true })
      mend()
      assert.strictEqual(load().damage, "lost", `${what} before anything was written beside it`)
      rmSync(path, { force: true })
      writeFileSync(path, whole)
    }
    unreadable()
    const beside = openJournal(folder).journal
    await beside.append([record("d")])
    await beside.close()
    const journalBeside = readFileSync(join(folder, "journal-2"))
    for (const { what, mend } of mended) {
      for (const length of [0, journalBeside.length]) {
        rmSync(path, { force: true, recursive: true })
        mend()
        writeFileSync(join(folder, "journal-2"), journalBeside.subarray(0, length))
        const found = load()
        assert.strictEqual(found.damage, "lost", `${what}, and ${length} bytes written beside it`)
        assert.match(found.faults.join(), /snapshot-2: expected a whole snapshot, found no file/)
      }
    }
    const last = openJournal(folder).journal
    last.compact([record("d")])
    await last.close()
    assert.strictEqual(load().damage, "repaired", "a whole snapshot makes up for it")
  })

  it("takes the other generation for a snapshot that cannot be read", async () => {
    const { journal } = openJournal(folder)
    await journal.append([record("a")])
    journal.compact([record("a")])
    await journal.close()
    rmSync(join(folder, "snapshot-1"))
    mkdirSync(join(folder, "snapshot-1"))
    assert.deepStrictEqual([names(load()), load().damage], [["a"], "repaired"])
    assert.match(load().faults.join(), /snapshot-1: expected a file that can be read, found EISDIR/)
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

  describe("a snapshot that is damaged", () => {
    /** Two generations, each of a whole snapshot with a journal, and what the file of the first one's journal has. */
    const twoGenerations = async ({ hasLaterBatch }: { readonly hasLaterBatch: boolean }) => {
      const { journal } = openJournal(folder)
      await journal.append([record("a")])
      journal.compact([record("a")])
      for (const name of ["b", "c", "d"]) await journal.append([record(name)])
      journal.compact(["a", "b", "c", "d"].map((name) => record(name)))
      if (hasLaterBatch) await journal.append([record("e")])
      await journal.close()
      flip("snapshot-2", 12)
      return readFileSync(join(folder, "journal-1"))
    }

    for (const hasLaterBatch of [true, false]) {
      const when = hasLaterBatch ? "once something was written after it" : "before anything was written after it"

      it(`is not made up for by the journal before it where that is gone or cut, wherever: ${when}`, async () => {
        const whole = await twoGenerations({ hasLaterBatch })
        assert.strictEqual(load().damage, "repaired")
        for (let length = 0; length < whole.length; length++) {
          writeFileSync(join(folder, "journal-1"), whole.subarray(0, length))
          const { damage, faults } = load()
          assert.strictEqual(damage, "lost", `cut at ${length}`)
          assert.match(faults.join("; "), /journal-1: expected .*snapshot-2: expected a whole snapshot/)
        }
        rmSync(join(folder, "journal-1"))
        assert.strictEqual(load().damage, "lost")
        assert.match(load().faults.join(), /journal-1: expected the \d+ bytes that were acknowledged, found no file/)
      })

      it(`is not made up for where nothing says how long the journal before it was: ${when}`, async () => {
        await twoGenerations({ hasLaterBatch })
        rmSync(join(folder, markName))
        assert.strictEqual(load().damage, "lost")
        assert.match(load().faults.join("; "), /journal-1: nothing says how long it was/)
        // A whole snapshot needs nothing before it.
        flip("snapshot-2", 12)
        assert.deepStrictEqual([load().damage, load().faults], ["none", []])
      })
    }

    it("is made up for as well by a generation of which nothing was written, or that a later process ended", async () => {
      const first = openJournal(folder).journal
      await first.append([record("a")])
      first.compact([record("a")])
      first.compact([record("a")])
      await first.append([record("b")])
      await first.close()
      flip("snapshot-2", 12)
      assert.deepStrictEqual([new Set(names(load())), load().damage], [new Set(["a", "b"]), "repaired"])
      flip("snapshot-2", 12)
      const later = openJournal(folder).journal // it writes nothing before it begins a generation
      later.compact(["a", "b"].map((name) => record(name)))
      await later.append([record("c")])
      await later.close()
      flip("snapshot-3", 12)
      assert.deepStrictEqual([new Set(names(load())), load().damage], [new Set(["a", "b", "c"]), "repaired"])
      rmSync(join(folder, "journal-2"))
      assert.strictEqual(load().damage, "lost")
    })
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
    assert.deepStrictEqual(readdirSync(folder).sort(), [markName, "journal-3", "journal-4", "snapshot-3", "snapshot-4"])
  })
})

describe("decodeBatches", () => {
  it("answers any octets", () => {
    for (const text of ["", "\n", "\n\n", "00000000 ", "garbage", `${encodeBatch([])}x`, "\u0000\uffff\n"]) {
      assert.deepStrictEqual(decodeBatches(text).records, [], JSON.stringify(text))
    }
  })
})
