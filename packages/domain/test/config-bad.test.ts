import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, expect, it } from "vitest"
import {
  type ClusterObject,
  decodeObject,
  type FaultyObject,
  formatFinding,
  judge,
  judgeFaulty,
  parseManifests
} from "../src/config/index.ts"

const folder = join(import.meta.dirname, "fixtures/bad")

/** Reads the folder of bad manifests as one cluster. */
const readBad = () => {
  const objects: Array<ClusterObject> = []
  const faulty: Array<FaultyObject> = []
  const lines: Array<string> = []
  for (const file of readdirSync(folder)
    .filter((name) => name.endsWith(".yaml"))
    .sort()) {
    const parsed = parseManifests(readFileSync(join(folder, file), "utf8"), { file })
    lines.push(...parsed.findings.map(formatFinding))
    for (const { object: raw, locate } of parsed.manifests) {
      const decoded = decodeObject(raw, locate)
      lines.push(...decoded.findings.map(formatFinding))
      if (decoded.object !== undefined) objects.push(decoded.object)
      if (decoded.faulty !== undefined) faulty.push({ object: decoded.faulty, findings: decoded.findings })
    }
  }
  const { config, findings } = judge(objects)
  const together = [...findings, ...judgeFaulty(objects, faulty)]
  return { objects, config, text: `${[...lines, ...together.map(formatFinding)].join("\n")}\n` }
}

describe("a folder of bad manifests", () => {
  const { objects, config, text } = readBad()

  it("gives the findings of the golden file, each with code, place, field, what was expected and found, and the fix", async () => {
    await expect(text).toMatchFileSnapshot(join(folder, "findings.txt"))
  })

  it("never shows a password", () => {
    assert.notInclude(text, "opensesame")
  })

  it("keeps what is good beside what is bad", () => {
    const names = (kind: string) => objects.flatMap((object) => (object._tag === kind ? [object.value.name] : []))
    assert.deepStrictEqual(names("Service"), ["not-asking", "before", "after"])
    assert.deepStrictEqual(names("Namespace"), ["in-a-list"])
    assert.deepStrictEqual(
      config.pools.map((pool) => pool.name),
      ["a-first", "c-older"]
    )
    assert.deepStrictEqual(
      config.peers.map((peer) => peer.name),
      ["good", "only-warnings", "other-sessions", "secret"]
    )
    assert.deepStrictEqual(
      config.advertisements.map(({ name, pools, peers }) => [name, pools, peers]),
      [["a-good", ["a-first"], ["good"]]]
    )
    assert.strictEqual(config.network, "default")
  })
})
