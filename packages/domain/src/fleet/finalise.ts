import { type Finding, finding } from "../config/index.ts"
import type { FinaliseFleet } from "./command.ts"
import type { Draft } from "./draft.ts"
import { newestFleetVersion } from "./fleet-version.ts"
import { streamOf } from "./stream.ts"

/** A version is never gone back from. Whether all processes know it, whoever sends the command has found out. */
export const finaliseFleet = (draft: Draft, { version, isFirst }: FinaliseFleet): void => {
  const { fleet } = draft
  const stream = streamOf.fleetVersion()
  const isKnown = fleet.versions.has(stream)
  if (version < fleet.fleetVersion || (isKnown && version === fleet.fleetVersion)) return
  if (version > newestFleetVersion) {
    const expected = `a version up to ${newestFleetVersion}, which this release knows`
    return draft.refuse(
      finding("LT0542", { object: { kind: "Fleet", name: "version" }, expected, found: `${version}` })
    )
  }
  draft.emit({
    stream,
    type: "FleetVersionFinalised",
    reason: isFirst === true ? "log-begun" : "requested",
    before: isKnown ? { _tag: "FleetVersion", version: fleet.fleetVersion } : null,
    after: { _tag: "FleetVersion", version },
    about: {}
  })
}

/** Why something is refused that came with a version after the fleet's. */
export const notYet = (name: string, since: number, version: number): Finding =>
  finding("LT0543", {
    object: { kind: "Fleet", name: "version" },
    expected: `fleet version ${since} for ${name}`,
    found: `version ${version}`
  })
