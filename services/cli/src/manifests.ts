import { join, relative, resolve } from "node:path"
import { type ClusterInput, type Finding, parseName } from "@lowtide/domain"
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
  const shownFolder = shownPath(path, workingFolder)
  const folders = clusterFolders(reading.success)
  if (folders.length < 2) {
    const isFile = reading.success.isFile
    return manifestsOf([clusterInput(reading.success, path, isFile ? join(shownFolder, "..") : shownFolder)])
  }
  const clusters: Array<ClusterInput> = []
  for (const folder of folders) {
    const one = readManifests(join(path, folder))
    if (Result.isSuccess(one)) clusters.push(clusterInput(one.success, join(path, folder), join(shownFolder, folder)))
  }
  return manifestsOf(clusters)
})

const manifestsOf = (clusters: ReadonlyArray<ClusterInput>): Manifests => {
  const objects = clusters.flatMap(({ observations }) => observations.map(({ object }) => object))
  return {
    clusters,
    objectCount: objects.length,
    fileCount: new Set(objects.flatMap(({ source }) => source?.file ?? [])).size
  }
}

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
