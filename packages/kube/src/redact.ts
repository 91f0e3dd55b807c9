import { createHash } from "node:crypto"
import type { RawObject } from "@lowtide/domain/config/index"

/** Passwords beside the objects they were taken out of: nothing that is written or sent can carry one along by mistake. */
const passwords = new WeakMap<RawObject, string>()

/** Replaces a peer's inline password by its SHA-256, so that a change of it shows and the password stays here. */
export const redactSecrets = (raw: RawObject): RawObject => {
  const spec = raw.spec
  if (raw.kind !== "BGPPeer" || typeof spec !== "object" || spec === null || !("password" in spec)) return raw
  if (spec.password === undefined || spec.password === null || spec.password === "") return raw
  const password = String(spec.password)
  const hash = createHash("sha256").update(password).digest("hex")
  const redacted = { ...raw, spec: { ...spec, password: `sha256:${hash}` } }
  passwords.set(redacted, password)
  return redacted
}

/** The password that was taken out of an object in this process; undefined for one that came from elsewhere or had none. */
export const inlinePassword = (redacted: RawObject): string | undefined => passwords.get(redacted)
