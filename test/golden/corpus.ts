import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import type { GoldenKind } from "./kinds.ts"

/** The folder of everything that was ever stored or sent. Files are added to it, and none is changed. */
export const goldenFolder = join(import.meta.dirname, "files")

const digestsFile = join(goldenFolder, "digests.txt")

/** A golden file, `FOLDER/NAME.vVERSION.NUMBER.txt`. */
export interface GoldenFile {
  readonly path: string
  readonly name: string
  readonly version: number
  readonly text: string
}

/** A golden file that there has to be. */
export interface MissingFile {
  readonly path: string
  readonly text: string
  readonly why: string
}

/** The files of one kind. */
export const filesOf = (folder: string, root = goldenFolder): ReadonlyArray<GoldenFile> =>
  !existsSync(join(root, folder))
    ? []
    : readdirSync(join(root, folder))
        .sort()
        .flatMap((file) => {
          const [, name, version] = /^(.+)\.v(\d+)\.\d+\.txt$/.exec(file) ?? []
          const path = `${folder}/${file}`
          return name === undefined
            ? []
            : { path, name, version: Number(version), text: readFileSync(join(root, path), "utf8") }
        })

/** Objects whose keys are people's, not ours. */
const freeForm: ReadonlySet<string> = new Set(["labels", "selector", "matchLabels", "annotations", "spec", "filter"])

/** Every field of a value, by its path and type: what a reader of an older release would have to know. */
export const fieldsOf = (value: unknown, path = ""): ReadonlySet<string> => {
  const fields = new Set<string>()
  const walk = (part: unknown, at: string): void => {
    if (Array.isArray(part)) for (const item of part) walk(item, `${at}[]`)
    else if (typeof part === "object" && part !== null) {
      for (const [key, inner] of Object.entries(part)) {
        if (freeForm.has(key)) fields.add(`${at}.${key}`)
        else walk(inner, `${at}.${key}`)
      }
    } else fields.add(`${at}: ${part === null ? "null" : typeof part}`)
  }
  walk(value, path)
  return fields
}

/**
 * What of a kind no golden file shows: a version of a type that has none, and a sample that is written today with a field
 * that none has. A version that is not written any more cannot be made anew.
 */
export const missingOf = (kind: GoldenKind, files: ReadonlyArray<GoldenFile>): ReadonlyArray<MissingFile> => {
  const known = new Map<string, Set<string>>()
  const counts = new Map<string, number>()
  const key = (name: string, version: number) => `${name}.v${version}`
  const note = (name: string, version: number, text: string) => {
    const fields = known.get(key(name, version)) ?? new Set<string>()
    for (const field of fieldsOf(kind.shape(text))) fields.add(field)
    known.set(key(name, version), fields)
    counts.set(key(name, version), (counts.get(key(name, version)) ?? 0) + 1)
  }
  for (const { name, version, text } of files) note(name, version, text)
  const missing: Array<MissingFile> = []
  for (const { name, text } of kind.samples) {
    const version = kind.versionOf?.(text) ?? 1
    const fields = known.get(key(name, version))
    const news = [...fieldsOf(kind.shape(text))].filter((field) => fields?.has(field) !== true)
    if (fields !== undefined && news.length === 0) continue
    const number = (counts.get(key(name, version)) ?? 0) + 1
    const why = fields === undefined ? "no file of this version" : `no file with ${news.join(", ")}`
    missing.push({ path: `${kind.folder}/${key(name, version)}.${number}.txt`, text, why })
    note(name, version, text)
  }
  for (const [name, count] of kind.versions) {
    for (let version = 1; version <= count; version++) {
      if (!known.has(key(name, version))) {
        missing.push({ path: `${kind.folder}/${key(name, version)}.1.txt`, text: "", why: "no sample, and no file" })
      }
    }
  }
  return missing
}

const digestOf = (text: string): string => createHash("sha256").update(text).digest("hex")

/** Digests of all files as they were when they were added, by their paths. */
export const digests = (root = goldenFolder): ReadonlyMap<string, string> => {
  const file = join(root, "digests.txt")
  const lines = existsSync(file) ? readFileSync(file, "utf8").split("\n").filter(Boolean) : []
  return new Map(lines.map((line) => [line.slice(66), line.slice(0, 64)]))
}

/** Files that are not what they were when they were added, or were taken away. */
export const changed = (root = goldenFolder): ReadonlyArray<string> =>
  [...digests(root)].flatMap(([path, digest]) => {
    const file = join(root, path)
    if (!existsSync(file)) return [`${path} was taken away`]
    return digestOf(readFileSync(file, "utf8")) === digest ? [] : [`${path} was changed`]
  })

/** Adds files with their digests. One that is there is never written again. */
export const add = (files: ReadonlyArray<Pick<MissingFile, "path" | "text">>): void => {
  for (const { path, text } of files) {
    const file = join(goldenFolder, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text, { flag: "wx" })
    writeFileSync(digestsFile, `${digestOf(text)}  ${path}\n`, { flag: "a" })
  }
}
