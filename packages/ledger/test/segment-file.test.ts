import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { verifySegment, writeSegment } from "../src/segment-file.ts"

describe("the file of an archive", () => {
  it.live("is written by one of those who write it at once, and the others leave nothing", () =>
    Effect.gen(function* () {
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "lowtide-segment-"))),
        (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
      )
      const path = join(folder, "segment.ndjson.gz")
      const texts = ["a", "b", "c"].map((letter) => letter.repeat(200_000))
      const lines = async function* (text: string) {
        for (let at = 0; at < text.length; at += 1_000) yield Buffer.from(text.slice(at, at + 1_000))
      }
      const exits = yield* Effect.forEach(texts, (text) => Effect.exit(writeSegment(path, lines(text))), {
        concurrency: "unbounded"
      })
      assert.strictEqual(exits.filter(Exit.isSuccess).length, 1)
      const whole = texts[exits.findIndex(Exit.isSuccess)]
      assert.strictEqual(gunzipSync(readFileSync(path)).toString(), whole)
      assert.deepStrictEqual(readdirSync(folder), ["segment.ndjson.gz"])
      const later = yield* Effect.flip(writeSegment(path, lines("d")))
      assert.strictEqual(later.reason, "exists")
    }).pipe(Effect.scoped)
  )

  it.live("that is not there is told from one that is damaged", () =>
    Effect.gen(function* () {
      const { reason, message } = yield* Effect.flip(verifySegment("/nowhere/segment.ndjson.gz", new Map() as never))
      assert.strictEqual(reason, "unreadable")
      assert.match(message, /^\/nowhere\/segment\.ndjson\.gz: expected a file that can be read, found ENOENT/)
    })
  )
})
