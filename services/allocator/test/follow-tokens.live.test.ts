import { createHash } from "node:crypto"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { Effect, Metric, Result } from "effect"
import { followTokens } from "../src/access/follow-tokens.ts"
import { readTokens } from "../src/access/tokens.ts"
import { until } from "./live.ts"

const fileOf = (...names: ReadonlyArray<string>) =>
  JSON.stringify({
    tokens: names.map((name) => ({
      name,
      kind: "person",
      sha256: createHash("sha256").update(`token of ${name}`).digest("hex"),
      roles: [{ role: "reader" }]
    }))
  })

const isStale = Effect.map(Metric.snapshot, (all) => {
  const found = all.find(({ id }) => id === "lowtide_tokens_stale")
  return found?.type === "Gauge" && Number(found.state.value) === 1
})

it.live("tokens come and go with the file; a broken or missing one is an alarm, and keeps what was good", () =>
  Effect.gen(function* () {
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "lowtide-tokens-"))),
      (made) => Effect.sync(() => rmSync(made, { recursive: true }))
    )
    const file = join(folder, "tokens.json")
    writeFileSync(file, fileOf("ada"))
    const book = yield* followTokens(file, fileOf("ada"), Result.getOrThrow(readTokens(fileOf("ada"))))
    const knows = (name: string) => book.holderOf(`token of ${name}`)?.name === name
    assert.deepStrictEqual([knows("ada"), knows("bob")], [true, false])
    writeFileSync(file, fileOf("bob"))
    yield* until(
      "the new token",
      Effect.sync(() => knows("bob"))
    )
    assert.isFalse(knows("ada"))
    for (const breakIt of [() => writeFileSync(file, '{"tokens": ['), () => rmSync(file)]) {
      breakIt()
      yield* until("the alarm", isStale)
      assert.isTrue(knows("bob"))
      writeFileSync(file, fileOf("bob")) // the same text as before
      yield* until(
        "the alarm ends",
        Effect.map(isStale, (stale) => !stale)
      )
    }
    assert.isTrue(knows("bob"))
  }).pipe(Effect.scoped)
)
