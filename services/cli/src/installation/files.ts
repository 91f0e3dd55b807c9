import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"

/**
 * Where an installation's folder has what. Private: `install.pem` (to be kept apart, or offline), what is under
 * `allocator/`, and the seeds `*.nk`. Everything else may be seen by anybody.
 */
export const pathsIn = (folder: string) => ({
  /** What nats-server includes; also the record of who there is. */
  natsUsers: join(folder, "nats-users.conf"),
  installKey: join(folder, "install.pem"),
  installPublicKey: join(folder, "install.pub.pem"),
  /** Public halves of the keys that sign intents, `ID.pub.pem`. */
  intentKeys: join(folder, "intent-keys"),
  intentPublicKey: (id: string) => join(folder, "intent-keys", `${id}.pub.pem`),
  /** Of keys that signed intents and are retired: what was signed by them shows still what the centre said. */
  formerKey: (id: string) => join(folder, "former-keys", `${id}.pub.pem`),
  formerKeys: join(folder, "former-keys"),
  /** Whose signatures show the allocator that history was lost: of all keys, the former ones too. */
  allocatorTrust: join(folder, "allocator", "trust.json"),
  /** The allocator's own half. */
  intentKey: (id: string) => join(folder, "allocator", `${id}.pem`),
  allocatorSeed: join(folder, "allocator", "nats.nk"),
  /** Who took which cluster out, and why: a JSON object a line. */
  removedClusters: join(folder, "removed-clusters.ndjson"),
  clusters: join(folder, "clusters"),
  seed: (cluster: string, role: "agent" | "speaker") => join(folder, "clusters", cluster, `${role}.nk`),
  trust: (cluster: string) => join(folder, "clusters", cluster, "trust.json"),
  allowedPrefixes: (cluster: string) => join(folder, "clusters", cluster, "allowed-prefixes.json")
})

/** Writes a secret for its owner alone, over nothing that is there: `EEXIST` otherwise. */
export const writeSecret = (file: string, text: string): void => {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  writeFileSync(file, text, { mode: 0o600, flag: "wx" })
}

/** Replaces a file whole: whoever reads it meanwhile has the old one or the new one. */
export const replaceFile = (file: string, text: string, mode = 0o644): void => {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const draft = `${file}.${process.pid}`
  writeFileSync(draft, text, { mode })
  renameSync(draft, file)
}

/** A file's text; undefined when there is none. */
export const readIfThere = (file: string): string | undefined =>
  existsSync(file) ? readFileSync(file, "utf8") : undefined

/** Names in a folder that end so, without the ending, sorted; none when there is no folder. */
export const namesIn = (folder: string, ending = ""): ReadonlyArray<string> =>
  existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => name.endsWith(ending))
        .map((name) => name.slice(0, name.length - ending.length))
        .sort()
    : []
