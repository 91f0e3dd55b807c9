import { basename, resolve } from "node:path"
import type { Finding, Source } from "@lowtide/domain/config/index"
import { Result } from "effect"
import type { FaultyManifest, ObservedObject } from "./cluster-source.ts"
import { settleMs } from "./file-state.ts"
import { Folder } from "./folder.ts"
import { readContent, scanFolder, statOf } from "./folder-scan.ts"
import { readManifestFile } from "./manifest-file.ts"

/** What manifests say at one moment. */
export interface ManifestReading {
  /** Those without errors, by file in order of their paths, then as they stand in the file. */
  readonly objects: ReadonlyArray<ObservedObject>
  readonly findings: ReadonlyArray<Finding>
  /** Those with errors, as far as they could be read. */
  readonly faulty: ReadonlyArray<FaultyManifest>
  readonly isFile: boolean
  /** Where a field of one of the objects stands; the key is `objectKey`'s. */
  readonly locate: (key: string, field: string) => Source | undefined
}

/** Reads a folder of manifests as an agent that starts now would, or one file. Fails with a sentence when there is neither, or no file in it. */
export const readManifests = (path: string): Result.Result<ManifestReading, string> => {
  const stats = statOf(path)
  if (stats?.isDirectory() === true) {
    const reading = readFolder(path)
    const isEmpty = reading.objects.length === 0 && reading.findings.length === 0 && !hasManifestFile(path)
    // Most often the path is wrong; to find no fault in nothing would let a pipeline pass.
    return isEmpty
      ? Result.fail(`expected files named *.yaml, *.yml or *.json, found none in ${path}`)
      : Result.succeed(reading)
  }
  if (stats?.isFile() !== true) {
    const found = stats === undefined ? "nothing" : "neither"
    return Result.fail(`expected a folder of manifests or a file, found ${found} at ${path}`)
  }
  const content = readContent(path)
  return content._tag === "Text"
    ? Result.succeed(readFile(content.text, basename(path)))
    : Result.fail(
        `expected a file that can be read, found ${content._tag === "Unreadable" ? content.reason : "nothing"} at ${path}`
      )
}

/** A link that leads nowhere is no file. */
const hasManifestFile = (folder: string): boolean => (scanFolder(folder)?.files.length ?? 0) > 0

/** Looks until nothing is in doubt: the second look, of a time at which what stayed the same is believed, is enough. */
const readFolder = (path: string): ManifestReading => {
  const folder = new Folder(resolve(path))
  let change = folder.look("all", 0)
  for (let look = 1; look < looksMax && folder.nextLookMs !== undefined; look++) {
    change = folder.look("all", look * settleMs) ?? change
  }
  const objects = [...(change?.objects.values() ?? [])].sort((left, right) => compare(fileOf(left), fileOf(right)))
  return {
    objects,
    findings: change?.findings ?? [],
    faulty: change?.faulty ?? [],
    isFile: false,
    locate: (key, field) => folder.locate(key, field)
  }
}

/** A file that is written to all the while is read as it is then. */
const looksMax = 20

const fileOf = ({ object }: ObservedObject): string => object.source?.file ?? ""

const compare = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0)

const readFile = (text: string, name: string): ManifestReading => {
  const { objects, findings } = readManifestFile(text, name)
  const all = [...objects.values()]
  return {
    objects: all.flatMap(({ observed }) => observed ?? []),
    findings: [...findings, ...all.flatMap((object) => object.findings)],
    faulty: all.flatMap(({ faulty }) => faulty ?? []),
    isFile: true,
    locate: (key, field) => objects.get(key)?.locate(field)
  }
}
