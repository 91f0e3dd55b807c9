import { createHash } from "node:crypto"
import type { RawObject } from "@lowtide/domain/config/index"

/** Replaces a peer's inline password by its SHA-256, so that a change of it shows and the password stays here. */
export const redactSecrets = (raw: RawObject): RawObject => {
  const spec = raw.spec
  if (raw.kind !== "BGPPeer" || typeof spec !== "object" || spec === null || !("password" in spec)) return raw
  if (spec.password === undefined || spec.password === null || spec.password === "") return raw
  const hash = createHash("sha256").update(String(spec.password)).digest("hex")
  return { ...raw, spec: { ...spec, password: `sha256:${hash}` } }
}
