import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import { birdCommand } from "./bird-control.ts"
import { LabError } from "./lab-error.ts"
import { startReady } from "./processes.ts"

/** Where a BIRD runs: its configuration, socket and log are in the folder. */
export interface BirdPlace {
  readonly folder: string
  readonly namespace?: string
}

/** Writes what it reads when it starts, and at `configure`. */
export const writeBird = ({ folder }: BirdPlace, configuration: string): Effect.Effect<void, LabError> =>
  Effect.try({
    try: () => {
      mkdirSync(folder, { recursive: true })
      writeFileSync(join(folder, "bird.conf"), configuration)
    },
    catch: (cause) => new LabError({ operation: "write bird.conf", detail: String(cause) })
  })

/** A command to it, and its answer. */
export const askBird = ({ folder }: BirdPlace, command: string): Effect.Effect<string, LabError> =>
  birdCommand(join(folder, "bird.ctl"), command)

/** Starts it on what was written; ready when it answers. */
export const startBirdDaemon = (place: BirdPlace) => {
  const file = (suffix: string) => join(place.folder, `bird.${suffix}`)
  return startReady(
    {
      name: "bird",
      command: ["bird", "-f", "-c", file("conf"), "-s", file("ctl"), "-P", file("pid")],
      logFile: file("log"),
      ...(place.namespace === undefined ? {} : { namespace: place.namespace })
    },
    () => Effect.as(askBird(place, "show status"), true)
  )
}
