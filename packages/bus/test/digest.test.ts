import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { SetDigest } from "../src/digest.ts"

const zero = "0".repeat(64)

describe("the digest of a set", () => {
  it("is the XOR of SHA-256 over key NUL cseq", () => {
    const digest = new SetDigest()
    assert.strictEqual(`${digest}`, zero)
    digest.add("adv.4-192-0-2-1", 7)
    assert.strictEqual(`${digest}`, createHash("sha256").update("adv.4-192-0-2-1\u00007").digest("hex"))
  })

  it("is that of the set, whatever came and went on the way", () => {
    const direct = new SetDigest()
    direct.add("b", 2)
    direct.add("a", 3)
    const detour = new SetDigest()
    for (const cseq of [1, 3]) detour.add("a", cseq)
    detour.add("b", 2)
    detour.remove("a", 1)
    assert.strictEqual(`${detour}`, `${direct}`)
    assert.strictEqual(detour.count, 2)
    detour.remove("b", 2)
    detour.remove("a", 3)
    assert.deepStrictEqual([`${detour}`, detour.count], [zero, 0])
  })

  it("tells a key from a key, a cseq from a cseq, and where one ends", () => {
    const texts = [
      ["a", 1],
      ["a", 2],
      ["b", 1],
      ["a1", 1],
      ["a", 11]
    ].map(([key, cseq]) => {
      const digest = new SetDigest()
      digest.add(key as string, cseq as number)
      return `${digest}`
    })
    assert.strictEqual(new Set(texts).size, texts.length)
  })
})
