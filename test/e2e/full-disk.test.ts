import { execFileSync } from "node:child_process"
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmdirSync,
  rmSync,
  statSync,
  writeSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { openJournal } from "../../services/speaker/src/journal.ts"
import type { SavedRecord } from "../../services/speaker/src/journal-record.ts"
import { Saver } from "../../services/speaker/src/saver.ts"

/** A file system of 256 KiB, that of a speaker's state. */
let disk = ""
beforeEach(() => {
  disk = mkdtempSync(join(tmpdir(), "lowtide-disk-"))
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", disk])
})
afterEach(() => {
  execFileSync("umount", ["--lazy", disk]) // also where a test failed with a file open
  rmdirSync(disk)
})

const filler = () => join(disk, "filler")
const state = () => join(disk, "state")

/** Takes all the room that there is, but for the rest of the page that a journal ends in. */
const fill = () => {
  const file = openSync(filler(), "w")
  try {
    for (;;) writeSync(file, Buffer.alloc(4096, 1))
  } catch (cause) {
    assert.strictEqual((cause as NodeJS.ErrnoException).code, "ENOSPC")
  } finally {
    closeSync(file)
  }
}

const record = (key: string, envelope = "x".repeat(3_000)): SavedRecord => ({ _tag: "Message", key, envelope })
const keysOf = (records: ReadonlyArray<SavedRecord>) =>
  records.flatMap((one) => (one._tag === "Message" ? [one.key] : [])).sort()

describe("a full disk under a speaker's state", () => {
  it("takes nothing back, acknowledges nothing, and has all that was said when there is room again", async () => {
    const { journal } = openJournal(state())
    const said: Array<string> = []
    const saver = new Saver({
      journal,
      everything: () => [],
      mayCompact: () => false,
      say: (severity, text) => said.push(`${severity} ${text}`),
      // Two tries against a full disk; then somebody makes room.
      wait: async () => {
        if (said.length === 2) rmSync(filler())
      }
    })
    await saver.save([record("before")])
    fill()
    let isSaved = false
    // Longer than what is left of the page: the disk takes a part of it, which is torn.
    const saved = saver.save([record("first"), record("second")]).then(() => {
      isSaved = true
      assert.isFalse(existsSync(filler()), "acknowledged only when the disk had it")
    })
    await saved
    assert.isTrue(isSaved)
    assert.strictEqual(said.length, 2)
    for (const line of said) assert.match(line, /^error the state cannot be saved, new intents wait: .*ENOSPC/)
    await saver.save([record("after")])
    await journal.close()
    const { loaded, journal: again } = openJournal(state())
    await again.close()
    assert.deepStrictEqual(keysOf(loaded.records), ["after", "before", "first", "second"])
    assert.deepStrictEqual([loaded.damage, loaded.faults], ["none", []])
  })

  it("that ends the process in the middle of a batch loses that batch alone, which nobody was told of", async () => {
    const { journal } = openJournal(state())
    await journal.append([record("before")])
    const [name = ""] = readdirSync(state()).filter((file) => file.startsWith("journal-"))
    const whole = statSync(join(state(), name)).size
    fill()
    const failed = await journal.append([record("first"), record("second")]).then(
      () => "saved",
      (cause: NodeJS.ErrnoException) => cause.code
    )
    assert.strictEqual(failed, "ENOSPC")
    assert.isAbove(statSync(join(state(), name)).size, whole, "a part of the batch is in the file")
    rmSync(filler())
    const { loaded, journal: next } = openJournal(state())
    assert.deepStrictEqual(keysOf(loaded.records), ["before"])
    assert.strictEqual(loaded.damage, "torn")
    await next.append([record("second")])
    await next.close()
    const { loaded: later, journal: last } = openJournal(state())
    await last.close()
    assert.deepStrictEqual(keysOf(later.records), ["before", "second"])
    assert.notStrictEqual(later.damage, "lost")
    await journal.close() // a process that has ended holds no file
  })
})
