import { readdirSync, readFileSync, type Stats, statSync } from "node:fs"
import { join } from "node:path"
import { decodeManifest } from "@lowtide/domain/config/index"

/** Largest manifest that is read, in bytes. */
export const fileBytesMax = 64 * 1024 * 1024

/** Folders below the root, at most. */
export const folderDepthMax = 16

/** A file or folder as it was seen, without its contents. */
export interface Seen {
  readonly path: string
  /** Changes with every write, as far as the file system's clock tells. */
  readonly stamp: string
}

/** What a walk over the folder found; undefined where even the root cannot be read. */
export interface Scan {
  readonly files: ReadonlyArray<Seen>
  readonly folders: ReadonlyArray<Seen>
  /** Folders below the root that exist and cannot be listed: what was in them is unknown. */
  readonly unreadable: ReadonlyArray<string>
}

/** Whether a name is that of a manifest: by its ending, and not hidden nor an editor's. */
export const isManifestName = (name: string): boolean => /\.(yaml|yml|json)$/.test(name) && !/^[.#]/.test(name)

/** Walks the folder and those in it. Links are followed, but for one to a folder that it stands in, which would go on for ever. */
export const scanFolder = (root: string): Scan | undefined => {
  const scan = { files: [] as Array<Seen>, folders: [] as Array<Seen>, unreadable: [] as Array<string> }
  const rootStats = statOf(root)
  if (rootStats === undefined || !rootStats.isDirectory() || !walk(root, rootStats, scan, [])) return undefined
  return scan
}

const walk = (
  folder: string,
  stats: Stats,
  scan: { readonly files: Array<Seen>; readonly folders: Array<Seen>; readonly unreadable: Array<string> },
  around: ReadonlyArray<string>
): boolean => {
  const within = [...around, identityOf(stats)]
  let names: ReadonlyArray<string>
  try {
    names = readdirSync(folder).sort()
  } catch {
    return false
  }
  scan.folders.push({ path: folder, stamp: identityOf(stats) })
  for (const name of names) {
    if (name.startsWith(".")) continue
    const path = join(folder, name)
    const found = statOf(path)
    if (found?.isDirectory() === true) {
      if (within.includes(identityOf(found)) || around.length >= folderDepthMax) continue
      if (!walk(path, found, scan, within)) scan.unreadable.push(path)
    } else if (found?.isFile() === true && isManifestName(name)) {
      scan.files.push({ path, stamp: `${identityOf(found)}:${found.size}:${found.mtimeMs}:${found.ctimeMs}` })
    }
  }
  return true
}

/** Tells a file or folder from another that took its name. */
export const identityOf = (stats: Stats): string => `${stats.dev}:${stats.ino}`

/** The stats behind a path, or undefined when there is nothing to be seen. */
export const statOf = (path: string): Stats | undefined => {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch {
    return undefined
  }
}

/** The contents of a file, that it is not there, or why it cannot be read. */
export type FileContent =
  | { readonly _tag: "Text"; readonly text: string; readonly mtimeMs: number; readonly stamp: string }
  | { readonly _tag: "Absent" }
  | { readonly _tag: "Unreadable"; readonly reason: string }

/** Reads a file at once; manifests are small and the caller waits for nothing else. */
export const readContent = (path: string): FileContent => {
  try {
    const stats = statSync(path, { throwIfNoEntry: false })
    if (stats === undefined) return { _tag: "Absent" }
    if (!stats.isFile()) return { _tag: "Absent" }
    if (stats.size > fileBytesMax)
      return { _tag: "Unreadable", reason: `${stats.size} bytes, of at most ${fileBytesMax}` }
    const text = decodeManifest(readFileSync(path))
    const stamp = `${identityOf(stats)}:${stats.size}:${stats.mtimeMs}:${stats.ctimeMs}`
    return { _tag: "Text", text, mtimeMs: stats.mtimeMs, stamp }
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause)
    return code === "ENOENT" || code === "ENOTDIR" ? { _tag: "Absent" } : { _tag: "Unreadable", reason: code }
  }
}
