import { generateKeyPairSync } from "node:crypto"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { makeCertificate } from "@lowtide/testkit/certificate"
import { Effect, Result } from "effect"
import { readCertificate } from "../src/http/index.ts"

it.live("a certificate is read with its own key alone, of whatever kind another one is", () =>
  Effect.gen(function* () {
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "lowtide-certificate-"))),
      (made) => Effect.sync(() => rmSync(made, { recursive: true }))
    )
    const { certificateFile, keyFile } = yield* makeCertificate(folder, ["127.0.0.1"])
    const read = (key: string) =>
      Result.match(readCertificate({ certificateFile, keyFile: key }), {
        onSuccess: () => "taken",
        onFailure: (fault) => fault
      })
    const other = join(folder, "other.pem")
    const options = { type: "pkcs8", format: "pem" } as const
    const keys = [
      generateKeyPairSync("ed25519").privateKey.export(options),
      generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export(options),
      "no key"
    ]
    assert.strictEqual(read(keyFile), "taken")
    for (const key of keys) {
      writeFileSync(other, key)
      assert.match(read(other), /^expected .*private key/)
    }
    assert.include(read(join(folder, "none.pem")), "expected a readable file")
  }).pipe(Effect.scoped)
)
