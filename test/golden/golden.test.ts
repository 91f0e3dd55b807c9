import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { newestFleetVersion } from "@lowtide/domain"
import { Result } from "effect"
import { assert, beforeAll, describe, it } from "vitest"
import { storedAt } from "../../packages/domain/test/stored-at.ts"
import { changed, fieldsOf, filesOf, goldenFolder, missingOf } from "./corpus.ts"
import { writeHistory } from "./history.ts"
import { type GoldenKind, goldenKinds } from "./kinds.ts"
import { fleetsOf, fleetText, foldEvents, goldenLogs, loadRows, missingLogs } from "./log.ts"
import { mutateAll } from "./mutate.ts"

let kinds: ReadonlyArray<GoldenKind> = []
beforeAll(async () => {
  kinds = await goldenKinds()
})

const howTo = "node scripts/golden.ts --add, after docs/guides/add-an-event.md"

describe("what was ever stored or sent", () => {
  it("is there as it was", () => {
    assert.deepStrictEqual(changed(), [])
  })

  it("has a file for each type, version and field that is written today", async () => {
    const missing = kinds.flatMap((kind) => missingOf(kind, filesOf(kind.folder)))
    assert.deepStrictEqual(
      [...missing, ...(await missingLogs(goldenLogs()))].map(({ path, why }) => `${path}: ${why}`),
      [],
      howTo
    )
  })

  it("is read today", () => {
    const unread = kinds.flatMap((kind) =>
      filesOf(kind.folder).flatMap(({ path, text }) =>
        Result.match(kind.read(text), { onFailure: (why) => [`${path}: ${why}`], onSuccess: () => [] })
      )
    )
    assert.deepStrictEqual(unread, [])
    assert.isAbove(kinds.flatMap(({ folder }) => filesOf(folder)).length, 80)
  })
})

describe("a log of an earlier day", () => {
  it("comes to the state that it came to then, event by event and by the newest of each stream, byte for byte", () => {
    const logs = goldenLogs()
    assert.isNotEmpty(logs)
    for (const log of logs) {
      assert.deepStrictEqual(foldEvents(log.events), loadRows(log.rows), log.path)
      const [applied, restored] = fleetsOf(log).map(fleetText)
      assert.strictEqual(applied, restored, log.path)
    }
  })
})

describe("a log of a release whose version is not finalised", () => {
  it("has nothing that the tables of the version before do not know", async () => {
    const before = newestFleetVersion - 1
    const { events, current } = await writeHistory(before)
    const { readEvent, readState } = storedAt(before)
    const unread = [
      ...events.map((event) => Result.map(readEvent(event), () => event.type)),
      ...current.map((row) => Result.map(readState(row), () => row.stream))
    ].flatMap((read) => (Result.isFailure(read) ? read.failure.message : []))
    assert.deepStrictEqual(unread, [])
    assert.isAbove(events.length, 50)
    const newer = (await writeHistory()).events.filter((event) => Result.isFailure(readEvent(event)))
    assert.includeMembers(
      newer.map(({ type }) => type),
      ["FleetVersionFinalised", "AddressPoolApplied", "BrakeReleased", "VipMoving"]
    )
  })
})

describe("the files", () => {
  const root = mkdtempSync(join(tmpdir(), "lowtide-golden-"))

  it("are known by their digests: one that is changed or taken away is named", () => {
    const digest = (text: string) => `${"0".repeat(64)}  ${text}\n`
    writeFileSync(join(root, "digests.txt"), `${digest("a.txt")}${digest("b.txt")}`)
    writeFileSync(join(root, "a.txt"), "a")
    assert.deepStrictEqual(changed(root), ["a.txt was changed", "b.txt was taken away"])
    rmSync(root, { recursive: true })
  })

  it("are missing for a new version, for a version without a sample, and for a field that none of them has", () => {
    const kind = (samples: ReadonlyArray<string>, versions = 1): GoldenKind => ({
      folder: "lamps",
      versions: new Map([["Lamp", versions]]),
      samples: samples.map((text) => ({ name: "Lamp", text })),
      read: Result.succeed,
      shape: (text) => JSON.parse(text),
      versionOf: (text) => JSON.parse(text).v ?? 1
    })
    const files = [{ path: "lamps/Lamp.v1.1.txt", name: "Lamp", version: 1, text: '{"on":true}' }]
    const paths = (of: GoldenKind) => missingOf(of, files).map(({ path }) => path)
    assert.deepStrictEqual(paths(kind(['{"on":false}'])), [])
    assert.deepStrictEqual(paths(kind(['{"on":null}'])), ["lamps/Lamp.v1.2.txt"])
    assert.deepStrictEqual(paths(kind(['{"on":true,"hue":1}', '{"on":true,"hue":2}'])), ["lamps/Lamp.v1.2.txt"])
    assert.deepStrictEqual(paths(kind(['{"v":2,"dim":4}'], 2)), ["lamps/Lamp.v2.1.txt"])
    assert.deepStrictEqual(paths(kind([], 2)), ["lamps/Lamp.v2.1.txt"])
  })

  it("show fields by path and type; what people name is of no account", () => {
    assert.deepStrictEqual(
      [...fieldsOf({ a: [{ b: 1 }, { b: null }], labels: { mine: "x" } })],
      [".a[].b: number", ".a[].b: null", ".labels"]
    )
    assert.match(goldenFolder, /test\/golden\/files$/)
  })
})

describe("a text that was changed at random", () => {
  it("is refused, or read as something that is the same when it is written and read again; nothing throws", () => {
    const { read, refused } = mutateAll(kinds, 40, 20261125)
    assert.isAbove(refused, read)
    assert.isAbove(read, 100)
  })
})
