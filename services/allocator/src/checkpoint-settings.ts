import { readFileSync } from "node:fs"
import { readSigningKey } from "@lowtide/bus/envelope"
import { keysOf, readVerifierKeys } from "@lowtide/ledger/proofs/checkpoint"
import { SettingsFault } from "@lowtide/ops"
import { Config, Effect, Option, Result } from "effect"
import type { CheckpointOptions } from "./checkpoints.ts"

/** The settings of signed checkpoints; docs/reference/settings.md. */
export const checkpointSettings = {
  checkpointKeyFile: Config.option(Config.String("LOWTIDE_CHECKPOINT_KEY_FILE")),
  checkpointKeyId: Config.option(Config.String("LOWTIDE_CHECKPOINT_KEY_ID")),
  checkpointFolder: Config.option(Config.String("LOWTIDE_CHECKPOINT_DIR")),
  checkpointTrustFile: Config.option(Config.String("LOWTIDE_CHECKPOINT_TRUST_FILE")),
  checkpointOrigin: Config.String("LOWTIDE_CHECKPOINT_ORIGIN").pipe(Config.withDefault("lowtide/ledger")),
  checkpointEvents: Config.Int("LOWTIDE_CHECKPOINT_EVENTS").pipe(Config.withDefault(1_000)),
  checkpointSeconds: Config.Int("LOWTIDE_CHECKPOINT_SECONDS").pipe(Config.withDefault(60))
}

/** As `readSettings` gives them. */
type Wanted = { readonly [Name in keyof typeof checkpointSettings]: Config.Success<(typeof checkpointSettings)[Name]> }

/** Undefined when neither key nor folder is set: checkpoints are then not signed, which is said. */
export const readCheckpointOptions = (wanted: Wanted): Effect.Effect<CheckpointOptions | undefined, SettingsFault> =>
  Effect.suspend(() => {
    const faults: Array<string> = []
    const needed = {
      LOWTIDE_CHECKPOINT_KEY_FILE: Option.getOrUndefined(wanted.checkpointKeyFile),
      LOWTIDE_CHECKPOINT_KEY_ID: Option.getOrUndefined(wanted.checkpointKeyId),
      LOWTIDE_CHECKPOINT_DIR: Option.getOrUndefined(wanted.checkpointFolder)
    }
    const missing = Object.entries(needed).flatMap(([name, value]) => (value === undefined ? [name] : []))
    if (missing.length === Object.keys(needed).length) return Effect.succeed(undefined)
    for (const name of missing) faults.push(`${name}: expected it beside the other settings of checkpoints, found none`)
    const name = needed.LOWTIDE_CHECKPOINT_KEY_ID ?? "-"
    if (!/^[^\s+]+$/.test(name)) {
      faults.push(`LOWTIDE_CHECKPOINT_KEY_ID: expected a name without spaces and +, found ${JSON.stringify(name)}`)
    }
    if (!/^\S[^\n]*$/.test(wanted.checkpointOrigin)) {
      faults.push(`LOWTIDE_CHECKPOINT_ORIGIN: expected one line, found ${JSON.stringify(wanted.checkpointOrigin)}`)
    }
    for (const [setting, value] of [
      ["LOWTIDE_CHECKPOINT_EVENTS", wanted.checkpointEvents],
      ["LOWTIDE_CHECKPOINT_SECONDS", wanted.checkpointSeconds]
    ] as const) {
      if (value < 1) faults.push(`${setting}: expected 1 or more, found ${value}`)
    }
    const key = read(faults, "LOWTIDE_CHECKPOINT_KEY_FILE", needed.LOWTIDE_CHECKPOINT_KEY_FILE, (text) =>
      readSigningKey(name, text)
    )
    const former = read(
      faults,
      "LOWTIDE_CHECKPOINT_TRUST_FILE",
      Option.getOrUndefined(wanted.checkpointTrustFile),
      (text) => Result.getOrThrowWith(readVerifierKeys(text), (fault) => new Error(fault))
    )
    if (faults.length > 0 || key === undefined) return Effect.fail(new SettingsFault({ faults }))
    const signer = { name, privateKey: key.privateKey }
    return Effect.succeed({
      signer,
      keys: new Map([...(former ?? []), ...keysOf(signer)]),
      origin: wanted.checkpointOrigin,
      folder: needed.LOWTIDE_CHECKPOINT_DIR ?? "",
      everyEvents: wanted.checkpointEvents,
      everyMs: wanted.checkpointSeconds * 1_000
    })
  })

const read = <Value>(
  faults: Array<string>,
  setting: string,
  path: string | undefined,
  parse: (text: string) => Value
): Value | undefined => {
  if (path === undefined) return undefined
  try {
    return parse(readFileSync(path, "utf8"))
  } catch (cause) {
    faults.push(`${setting}: ${path}: ${cause instanceof Error ? cause.message : String(cause)}`)
    return undefined
  }
}
