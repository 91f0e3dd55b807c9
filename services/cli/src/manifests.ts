import { readFileSync } from "node:fs"
import { join, relative, resolve } from "node:path"
import {
  type ClusterInput,
  decodeManifest,
  type Finding,
  type FleetInput,
  isFleetKind,
  isFleetObject,
  parseManifests,
  parseName,
  readKinds
} from "@lowtide/domain"
import { type ManifestReading, readManifests } from "@lowtide/kube/read-manifests"
import { Effect, Result } from "effect"
import { Flag } from "effect/cli"
import { usageFault } from "./fault.ts"
import { Surroundings } from "./surroundings.ts"

/** The flag that names the manifests. */
export const filenameFlag = Flag.String("filename").pipe(
  Flag.withAlias("f"),
  Flag.withDescription("The folder of one cluster's manifests, a folder of such folders, or one file")
)

/** Manifests as they were read from the disk. */
export interface Manifests {
  /** One, or each cluster of a fleet's folder in order of name. */
  readonly clusters: ReadonlyArray<ClusterInput>
  /** Objects of the whole fleet that stand among them. */
  readonly fleet: ReadonlyArray<FleetInput>
  /** Objects that were read without errors. */
  readonly objectCount: number
  /** Files that they stand in. */
  readonly fileCount: number
}

/** Reads the manifests that the flag names, places in them told relative to the working folder. */
export const readFlag = Effect.fnUntraced(function* (filename: string) {
  const { workingFolder } = yield* Surroundings
  const path = resolve(workingFolder, filename)
  const reading = readManifests(path)
  if (Result.isFailure(reading)) {
    return yield* usageFault(`filename: ${reading.failure}`, "for example `lowtide lint -f deploy/samples/east`")
  }
  const { isFile, objects, findings } = reading.success
  if (objects.length === 0 && findings.length === 0) {
    return yield* usageFault(
      `filename: expected an object of a kind that Lowtide reads (${readKinds.join(", ")}), found none in ${path}`,
      "name the folder of a cluster's manifests, for example `lowtide lint -f deploy/samples/east`"
    )
  }
  const shownFolder = isFile ? join(shownPath(path, workingFolder), "..") : shownPath(path, workingFolder)
  const folder = isFile ? join(path, "..") : path
  const fleet = fleetObjects(reading.success, folder)
  const rest = withoutFleetObjects(reading.success, fleet)
  const shownFleet = fleet.map(({ object, locate }) => ({
    object,
    locate: (field: string) => ({ ...locate(field), file: join(shownFolder, locate(field).file) })
  }))
  const folders = clusterFolders(rest)
  if (folders.length < 2) return manifestsOf([clusterInput(rest, path, shownFolder)], shownFleet)
  const clusters: Array<ClusterInput> = []
  for (const folder of folders) {
    const one = readManifests(join(path, folder))
    if (Result.isFailure(one)) continue
    const own = withoutFleetObjects(one.success, fleetObjects(one.success, join(path, folder)))
    clusters.push(clusterInput(own, join(path, folder), join(shownFolder, folder)))
  }
  return manifestsOf(clusters, shownFleet)
})

const manifestsOf = (clusters: ReadonlyArray<ClusterInput>, fleet: ReadonlyArray<FleetInput>): Manifests => {
  const objects = clusters.flatMap(({ observations }) => observations.map(({ object }) => object))
  const files = [...objects.flatMap(({ source }) => source?.file ?? []), ...fleet.map(({ locate }) => locate("").file)]
  return { clusters, fleet, objectCount: objects.length + fleet.length, fileCount: new Set(files).size }
}

/**
 * The objects of the whole fleet in the files. An agent has no use for them, so that the reading has left them out with a
 * warning each, by which their files are found.
 */
const fleetObjects = ({ findings }: ManifestReading, folder: string): ReadonlyArray<FleetInput> => {
  const files = findings.flatMap(({ code, object, source }) =>
    code === "LT0153" && isFleetKind(object.kind) ? (source?.file ?? []) : []
  )
  return [...new Set(files)].sort().flatMap((file) =>
    parseManifests(decodeManifest(readFileSync(join(folder, file))), { file })
      .manifests.filter(({ object }) => isFleetObject(object))
      .map(({ object, locate }) => ({ object, locate }))
  )
}

const withoutFleetObjects = (reading: ManifestReading, fleet: ReadonlyArray<FleetInput>): ManifestReading => {
  const places = new Set(fleet.map(({ locate }) => placeText(locate("kind"))))
  const isFleets = ({ code, source }: Finding) => code === "LT0153" && places.has(placeText(source))
  return { ...reading, findings: reading.findings.filter((found) => !isFleets(found)) }
}

const placeText = (source: Finding["source"]): string => `${source?.file}:${source?.line}`

/**
 * The folders of a fleet's folder: each has a Cluster of its own, and nothing stands beside them. None where the folder is
 * one cluster's.
 */
const clusterFolders = ({ objects, findings }: ManifestReading): ReadonlyArray<string> => {
  const topOf = (file: string): string => (file.includes("/") ? file.slice(0, file.indexOf("/")) : "")
  const named = new Set(
    objects.flatMap(({ object }) => (object._tag === "Cluster" ? [topOf(object.source?.file ?? "")] : []))
  )
  const places = [...objects.map(({ object }) => object), ...findings].map(({ source }) => topOf(source?.file ?? ""))
  return places.every((place) => place !== "" && named.has(place)) ? [...named].sort() : []
}

/** A cluster is called as its Cluster says, else as its folder. */
const clusterInput = (reading: ManifestReading, path: string, shownFolder: string): ClusterInput => {
  const written = reading.objects.flatMap(({ object }) => (object._tag === "Cluster" ? [object.value.name] : []))[0]
  const ofFolder = path.slice(path.lastIndexOf("/") + 1)
  const shown = (source: NonNullable<Finding["source"]>) => ({ ...source, file: join(shownFolder, source.file) })
  return {
    name: written ?? (Result.isSuccess(parseName(ofFolder)) ? ofFolder : "cluster"),
    observations: reading.objects.map(({ raw, object }) => ({
      raw,
      object: object.source === undefined ? object : { ...object, source: shown(object.source) }
    })),
    findings: reading.findings.map((found) =>
      found.source === undefined ? found : { ...found, source: shown(found.source) }
    ),
    faulty: reading.faulty,
    locate: (key, field) => {
      const source = reading.locate(key, field)
      return source === undefined ? undefined : shown(source)
    }
  }
}

/** Short where the place is below the working folder. */
const shownPath = (path: string, workingFolder: string): string => {
  const short = relative(workingFolder, path)
  return short.startsWith("..") ? path : short
}
