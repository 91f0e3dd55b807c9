import { generateKeyPairSync } from "node:crypto"
import { appendFileSync, mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { keysOf, signCheckpoint } from "@lowtide/ledger/proofs/checkpoint"
import { Effect } from "effect"
import { appendToFolder, newestInFolder } from "../src/checkpoint-folder.ts"

const signer = { name: "lowtide", privateKey: generateKeyPairSync("ed25519").privateKey }
const other = { name: "other", privateKey: generateKeyPairSync("ed25519").privateKey }
const keys = keysOf(signer)

const signed = (incarnation: number, size: number, day: string, by = signer) => {
  const said = { origin: "log", size, root: new Uint8Array(32), incarnation, signedAt: `${day}T00:00:00.000Z` }
  return { ...said, signedBy: by.name, note: signCheckpoint(by, said) }
}

const inFolder = <A, E>(body: (folder: string) => Effect.Effect<A, E>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "lowtide-checkpoints-"))),
    body,
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
  )

const newest = (folder: string) =>
  Effect.map(newestInFolder(folder, keys), (found) => found && [found.incarnation, found.size])

describe("the newest checkpoint of a folder", () => {
  it.effect("is the one over the most events, though the file of an older day has a later name", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        assert.isUndefined(yield* newest(folder))
        yield* appendToFolder(folder, signed(1, 10, "2026-11-24"))
        yield* appendToFolder(folder, signed(1, 20, "2026-11-25"))
        renameSync(join(folder, "2026-11-24.checkpoints"), join(folder, "old of 2026-11-24.checkpoints"))
        assert.deepStrictEqual(yield* newest(folder), [1, 20])
        yield* appendToFolder(folder, signed(1, 5, "2031-01-01")) // by a clock that was ahead, before the others
        assert.deepStrictEqual(yield* newest(folder), [1, 20])
      })
    )
  )

  it.effect("is of the newest incarnation, whichever file has it, and of who is believed", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        yield* appendToFolder(folder, signed(1, 90, "2026-11-25"))
        yield* appendToFolder(folder, signed(2, 50, "2026-11-24"))
        yield* appendToFolder(folder, signed(2, 40, "2026-11-25"))
        yield* appendToFolder(folder, signed(3, 99, "2026-11-25", other))
        assert.deepStrictEqual(yield* newest(folder), [2, 50])
        writeFileSync(join(folder, "2026-11-26.checkpoints"), signed(2, 60, "2026-11-26").note.slice(0, 60))
        assert.deepStrictEqual(yield* newest(folder), [2, 50])
      })
    )
  )

  it.live("is found at the end of a file, however much comes before, and before what is none", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const [long, spoilt] = ["2026-11-24.checkpoints", "2026-11-25.checkpoints"].map((name) => join(folder, name))
        writeFileSync(long ?? "", "")
        truncateSync(long ?? "", 640 * 2 ** 20) // a hole, longer than any text may be
        yield* appendToFolder(folder, signed(1, 10, "2026-11-24"))
        assert.deepStrictEqual(yield* newest(folder), [1, 10])
        yield* appendToFolder(folder, signed(1, 20, "2026-11-25"))
        for (let size = 21; size < 400; size++) {
          appendFileSync(spoilt ?? "", `\n\n${signed(1, size, "2026-11-25", other).note}`)
        }
        assert.deepStrictEqual(yield* newest(folder), [1, 20])
      })
    )
  )
})
