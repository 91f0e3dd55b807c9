import { generateKeyPairSync } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { generateKey, open, openAside, readKeyRing, readSigningKey, seal } from "../src/envelope.ts"

const pair = generateKey()
const key = readSigningKey("k1", pair.privatePem)
const ring = readKeyRing({ k1: pair.publicPem, k2: generateKey().publicPem })

const reasonOf = (text: string) => {
  const opened = open(ring, text)
  return Result.isFailure(opened) ? opened.failure.reason : `opened ${opened.success}`
}

/** The envelope with some of its fields changed after it was signed. */
const changed = (fields: object) => JSON.stringify({ ...JSON.parse(seal(key, '{"a":1}')), ...fields })

describe("an envelope", () => {
  it.each(["{}", "", "\u00e9\u{1f30a}\0", '{"a": 1,  "a":2}'])("gives back the exact text %j", (payload) => {
    assert.deepStrictEqual(open(ring, seal(key, payload)), Result.succeed(payload))
  })

  it("is opened in another thread as it is in this one", async () => {
    assert.deepStrictEqual(await openAside(ring, seal(key, "{}")), Result.succeed("{}"))
  })

  it("is the same octets each time: Ed25519 signs without chance (RFC 8032)", () => {
    assert.strictEqual(seal(key, "x"), seal(key, "x"))
  })

  it.each([
    ["another payload", changed({ payload: '{"a":2}' }), "bad-signature"],
    ["the payload with a space more", changed({ payload: '{"a": 1}' }), "bad-signature"],
    ["another's key id", changed({ keyId: "k2" }), "bad-signature"],
    ["a key that is not believed", changed({ keyId: "k9" }), "unknown-key"],
    ["a key named like what every object has", changed({ keyId: "constructor" }), "unknown-key"],
    ["no signature", changed({ sig: "" }), "bad-signature"],
    ["half a signature", changed({ sig: JSON.parse(seal(key, '{"a":1}')).sig.slice(0, 40) }), "bad-signature"],
    ["a signature that is none", changed({ sig: "%%%" }), "bad-signature"],
    ["a signature of another type", changed({ sig: 7 }), "not-an-envelope"],
    ["a field too few", JSON.stringify({ payload: "", sig: "" }), "not-an-envelope"],
    ["nothing", "", "not-an-envelope"],
    ["null", "null", "not-an-envelope"],
    ["a list", "[]", "not-an-envelope"],
    ["half of it", seal(key, "{}").slice(0, -1), "not-an-envelope"]
  ])("with %s is refused: %s, %s, in another thread as well", async (_what, text, reason) => {
    assert.strictEqual(reasonOf(text), reason)
    assert.deepStrictEqual(await openAside(ring, text), open(ring, text))
  })

  it("says what was expected and shows no more than the beginning of what was found", () => {
    const opened = open(ring, "x".repeat(1_000))
    assert.match(
      Result.isFailure(opened) ? opened.failure.message : "",
      /^expected \{payload, keyId, sig\}, found "x{60}"$/
    )
    const unknown = open(ring, changed({ keyId: "k9" }))
    assert.strictEqual(
      Result.isFailure(unknown) ? unknown.failure.message : "",
      'expected a key of [k1, k2], found "k9"'
    )
  })
})

describe("keys", () => {
  const other = generateKeyPairSync("ec", { namedCurve: "P-256" })

  it("are Ed25519, to sign and to verify", () => {
    const privatePem = other.privateKey.export({ type: "pkcs8", format: "pem" }).toString()
    const publicPem = other.publicKey.export({ type: "spki", format: "pem" }).toString()
    assert.throws(() => readSigningKey("k3", privatePem), "signing key k3: expected an Ed25519 key, found ec")
    assert.throws(() => readKeyRing({ k3: publicPem }), "key k3: expected an Ed25519 key, found ec")
  })

  it("are PEM: what is none is refused by its id", () => {
    assert.throws(() => readSigningKey("k3", "none"))
    assert.throws(() => readKeyRing({ k3: "none" }))
  })
})
