import { createHash, createPublicKey, generateKeyPairSync, verify } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import {
  keysOf,
  openCheckpoint,
  readVerifierKeys,
  signCheckpoint,
  splitNotes,
  verifierKey
} from "../../src/proofs/checkpoint.ts"

const { privateKey } = generateKeyPairSync("ed25519")
const signer = { name: "lowtide.example/2026", privateKey }
const root = createHash("sha256").update("root").digest()
const checkpoint = { origin: "lowtide/ledger", size: 1_204, root, incarnation: 1, signedAt: "2026-11-23T14:06:00.004Z" }
const note = signCheckpoint(signer, checkpoint)
const failure = (result: Result.Result<unknown, string>) => (Result.isFailure(result) ? result.failure : "none")

describe("a checkpoint (C2SP tlog-checkpoint, signed-note)", () => {
  it("has origin, size and root, a blank line, and an Ed25519 signature over the text with its last newline", () => {
    const [text = "", signatures = ""] = note.split("\n\n")
    assert.deepStrictEqual(text.split("\n").slice(0, 3), ["lowtide/ledger", "1204", root.toString("base64")])
    const blob = Buffer.from(signatures.trimEnd().split(" ")[2] ?? "", "base64")
    assert.match(signatures, /^— lowtide\.example\/2026 [A-Za-z0-9+/=]+\n$/)
    assert.strictEqual(blob.length, 4 + 64)
    const raw = createPublicKey(privateKey).export({ type: "spki", format: "der" }).subarray(-32)
    const identifier = createHash("sha256").update("lowtide.example/2026\n\x01").update(raw).digest().subarray(0, 4)
    assert.strictEqual(blob.subarray(0, 4).toString("hex"), identifier.toString("hex"))
    assert.isTrue(verify(null, Buffer.from(`${text}\n`), createPublicKey(privateKey), blob.subarray(4)))
  })

  it("the example key of the signed-note document is read, and one whose identifier does not fit is not", () => {
    const example = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    assert.isTrue(Result.isSuccess(readVerifierKeys(`# a witness\n\n${example}\n`)))
    assert.include(failure(readVerifierKeys(example.replace("c74f", "c74e"))), "expected a verifier key NAME+ID+KEY")
    assert.include(failure(readVerifierKeys("\n")), "found none")
  })

  it("is read back with its key, by the line that describes the key", () => {
    const keys = Result.getOrThrow(readVerifierKeys(verifierKey(signer.name, createPublicKey(privateKey))))
    const opened = Result.getOrThrow(openCheckpoint(keys, note))
    assert.deepStrictEqual(
      { ...opened, root: Buffer.from(opened.root) },
      { ...checkpoint, root, signedBy: signer.name, note }
    )
  })

  const keys = keysOf(signer)
  for (const [title, change, expected] of [
    [
      "another size",
      (text: string) => text.replace("1204", "1205"),
      "the signature by lowtide.example/2026 does not fit"
    ],
    [
      "another time",
      (text: string) => text.replace("14:06", "14:07"),
      "the signature by lowtide.example/2026 does not fit"
    ],
    ["another key's name", (text: string) => text.replace("— lowtide.example/2026", "— other"), "found [other]"],
    ["no signature", (text: string) => text.slice(0, text.indexOf("—")), "expected a signature by one of"],
    ["no blank line", (text: string) => text.replace("\n\n", "\n"), "expected a signed note"],
    [
      "a root that is none",
      (text: string) => text.replace(root.toString("base64"), "AAAA"),
      "expected origin, size, root"
    ]
  ] as const) {
    it(`is not believed with ${title}`, () => {
      assert.include(failure(openCheckpoint(keys, change(note))), expected)
    })
  }

  it("a witness' signature beside ours changes nothing", () => {
    const witnessed = `${note}— witness.example QUJDRHNpZ25hdHVyZQ==\n`
    assert.strictEqual(Result.getOrThrow(openCheckpoint(keys, witnessed)).size, 1_204)
  })

  it("notes that follow each other in a file are told apart, one cut off in between included", () => {
    assert.deepStrictEqual(splitNotes(`\n\n${note}\n\n${note}`), [note, note])
    assert.deepStrictEqual(splitNotes(`${note}${note}`), [note, note])
    assert.deepStrictEqual(splitNotes(`${note}\n\n\n`), [note])
    for (const length of [5, 40, note.indexOf("—") - 1, note.indexOf("—") + 30]) {
      const whole = splitNotes(`\n\n${note}\n\n${note.slice(0, length)}\n\n${note}`).filter((text) => text === note)
      assert.strictEqual(whole.length, 2)
    }
  })
})
