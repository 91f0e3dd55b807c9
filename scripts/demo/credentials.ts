import { createPublicKey } from "node:crypto"
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { generateKey } from "@lowtide/bus"
import { verifierKey } from "@lowtide/ledger/proofs/checkpoint"
import { makeCertificate } from "@lowtide/testkit/certificate"
import { execute, type LabError } from "@lowtide/testkit/lab/index"
import { Effect } from "effect"

/** The settings that each process takes its credentials by. */
export interface Credentials {
  readonly allocator: Readonly<Record<string, string>>
  readonly agent: (cluster: string) => Readonly<Record<string, string>>
  readonly speaker: (cluster: string) => Readonly<Record<string, string>>
  /** Whose checkpoints of the ledger are to be believed, for `lowtide audit verify`. */
  readonly checkpointKeys: string
}

const signingKeyId = "demo-1"
const checkpointKeyId = "lowtide-demo"

/**
 * Makes an installation's credentials as an operator would: keys, users and allowed prefixes by the command `lowtide`
 * (`cli` is its bundle), and a certificate for the server. What nats-server includes is put into `natsFolder`.
 */
export const makeCredentials = (plan: {
  readonly cli: string
  readonly folder: string
  readonly natsFolder: string
  /** The addresses that NATS is reached at. */
  readonly natsHosts: ReadonlyArray<string>
  readonly clusters: ReadonlyArray<{ readonly name: string; readonly allowedPrefixes: ReadonlyArray<string> }>
}): Effect.Effect<Credentials, LabError> =>
  Effect.gen(function* () {
    const { folder, natsFolder } = plan
    const lowtide = (...args: ReadonlyArray<string>) => execute([process.execPath, plan.cli, ...args, "--out", folder])
    yield* lowtide("key", "new", "install")
    yield* lowtide("key", "new", signingKeyId)
    for (const { name, allowedPrefixes } of plan.clusters) {
      yield* lowtide("cluster", "add", name)
      yield* lowtide("cluster", "allow", name, ...allowedPrefixes)
    }
    mkdirSync(natsFolder, { recursive: true })
    const { certificateFile } = yield* makeCertificate(natsFolder, plan.natsHosts)
    copyFileSync(lowtideConf, join(natsFolder, "lowtide.conf"))
    copyFileSync(join(folder, "nats-users.conf"), join(natsFolder, "nats-users.conf"))
    const nats = (seedFile: string) => ({
      LOWTIDE_NATS_NKEY_FILE: join(folder, seedFile),
      LOWTIDE_NATS_CA_FILE: certificateFile
    })
    const trust = (cluster: string) => ({ LOWTIDE_TRUST_FILE: join(folder, "clusters", cluster, "trust.json") })
    const checkpointKey = generateKey()
    const checkpointKeyFile = join(folder, "allocator", "checkpoints.pem")
    const checkpointKeys = join(folder, "checkpoint-keys.txt")
    writeFileSync(checkpointKeyFile, checkpointKey.privatePem, { mode: 0o600 })
    writeFileSync(checkpointKeys, `${verifierKey(checkpointKeyId, createPublicKey(checkpointKey.publicPem))}\n`)
    return {
      checkpointKeys,
      allocator: {
        ...nats("allocator/nats.nk"),
        LOWTIDE_SIGNING_KEY_FILE: join(folder, "allocator", `${signingKeyId}.pem`),
        LOWTIDE_SIGNING_KEY_ID: signingKeyId,
        LOWTIDE_TRUST_FILE: join(folder, "allocator", "trust.json"),
        LOWTIDE_CHECKPOINT_KEY_FILE: checkpointKeyFile,
        LOWTIDE_CHECKPOINT_KEY_ID: checkpointKeyId,
        LOWTIDE_CHECKPOINT_SECONDS: "10"
      },
      agent: (cluster) => ({ ...nats(`clusters/${cluster}/agent.nk`), ...trust(cluster) }),
      speaker: (cluster) => ({
        ...nats(`clusters/${cluster}/speaker.nk`),
        ...trust(cluster),
        LOWTIDE_ALLOWED_PREFIXES_FILE: join(folder, "clusters", cluster, "allowed-prefixes.json")
      })
    }
  })

/** What a server that has this project's part included is asked to include. */
export const natsInclude = 'include "lowtide.conf"'

const lowtideConf = fileURLToPath(new URL("../../deploy/nats/lowtide.conf", import.meta.url))
