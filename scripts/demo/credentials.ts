import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { generateKey, readSigningKey, seal } from "@lowtide/bus"

/** Files that an installation gives its processes: who signs intents, and what each cluster may announce. */
export interface Credentials {
  /** The allocator's private key, PEM. */
  readonly signingKeyFile: string
  readonly signingKeyId: string
  /** By cluster. */
  readonly trustFiles: ReadonlyMap<string, string>
  readonly allowedPrefixesFiles: ReadonlyMap<string, string>
}

/** Makes new keys for a fleet and writes them below `folder`: private ones readable by their owner only. */
export const makeCredentials = (
  folder: string,
  clusters: ReadonlyArray<{ readonly name: string; readonly allowedPrefixes: ReadonlyArray<string> }>
): Credentials => {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const signing = generateKey()
  const install = generateKey()
  const signingKeyFile = join(folder, "signing-key.pem")
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, name), text, { mode: 0o600 })
    return join(folder, name)
  }
  write("signing-key.pem", signing.privatePem)
  write("install-key.pem", install.privatePem)
  const installKey = readSigningKey("install", install.privatePem)
  return {
    signingKeyFile,
    signingKeyId: "demo-1",
    trustFiles: new Map(
      clusters.map(({ name }) => {
        const trust = { cluster: name, intentKeys: { "demo-1": signing.publicPem }, installKey: install.publicPem }
        return [name, write(`${name}-trust.json`, JSON.stringify(trust, null, 2))]
      })
    ),
    allowedPrefixesFiles: new Map(
      clusters.map(({ name, allowedPrefixes }) => {
        const document = seal(installKey, JSON.stringify({ cluster: name, prefixes: allowedPrefixes }))
        return [name, write(`${name}-allowed-prefixes.json`, document)]
      })
    )
  }
}
