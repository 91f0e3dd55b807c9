import { relative, sep } from "node:path"
import { type Finding, finding, type ObjectRef, type Source } from "@lowtide/domain/config/index"
import type { ClusterChange, ObservedObject } from "./cluster-source.ts"
import { type FileState, lookAt, settleMs, unknownFile } from "./file-state.ts"
import { readContent, type Scan, type Seen, scanFolder } from "./folder-scan.ts"
import type { FileObject } from "./manifest-file.ts"

/**
 * A folder of manifests as it was read last. `look` reads what may have changed and answers the difference. Losing sight
 * of something deletes nothing: only a file that is gone from a folder that is there, or an object gone from a file that
 * parses, is a deletion.
 */
export class Folder {
  readonly root: string
  readonly #files = new Map<string, FileState>()
  /** Paths of the files that have an object, sorted: the first has it in effect. */
  readonly #owners = new Map<string, ReadonlyArray<string>>()
  readonly #effective = new Map<string, FileObject>()
  #scan: Scan | undefined
  #isLost = false
  #lastReport = ""

  constructor(root: string) {
    this.root = root
  }

  /** The folders to watch. */
  get folders(): ReadonlyArray<Seen> {
    return this.#scan?.folders ?? []
  }

  /** When the next look is due because something is in doubt, in milliseconds since 1970; undefined when nothing is. */
  get nextLookMs(): number | undefined {
    if (this.#isLost) return undefined // nothing can be decided until a walk finds the folder
    const due = [...this.#files.values()].flatMap((file) =>
      file.doubt === undefined ? [] : file.doubt.sinceMs + settleMs
    )
    return due.length === 0 ? undefined : Math.min(...due)
  }

  /** Where a field of an object in effect stands. */
  locate(key: string, field: string): Source | undefined {
    const object = this.#effective.get(key) ?? this.#faulty().find((faulty) => faulty.key === key)
    return object?.locate(field)
  }

  /**
   * Looks at the files named, or walks the whole folder, and at everything in doubt. Undefined when nothing that a
   * reader could tell has changed.
   */
  look(paths: ReadonlySet<string> | "all", nowMs: number): ClusterChange | undefined {
    const touched = new Map<string, FileState | undefined>()
    let changedAtMs = 0
    let isRootThere: boolean | undefined // asked once a look, and only when a file is missed
    for (const path of this.#pathsToRead(paths)) {
      const content = readContent(path)
      if (content._tag === "Absent") {
        isRootThere ??= this.#isRootThere()
        if (!isRootThere) continue
      }
      const before = this.#files.get(path)
      const after = lookAt(before ?? unknownFile, content, this.#nameOf(path), nowMs)
      if (after === before) continue
      touched.set(path, before)
      if (content._tag === "Text" && after?.doubt === undefined) changedAtMs = Math.max(changedAtMs, content.mtimeMs)
      if (after === undefined) this.#files.delete(path)
      else this.#files.set(path, after)
    }
    const { put, deleted } = this.#merge(touched)
    return this.#changeOf(put, deleted, { changedAtMs: changedAtMs === 0 ? nowMs : changedAtMs, readAtMs: nowMs })
  }

  #pathsToRead(paths: ReadonlySet<string> | "all"): ReadonlySet<string> {
    const wanted = new Set(paths === "all" ? this.#walk() : paths)
    for (const [path, file] of this.#files) if (file.doubt !== undefined) wanted.add(path)
    return wanted
  }

  /** The files whose stamp changed since they were read, and those that are gone. */
  #walk(): ReadonlyArray<string> {
    const scan = scanFolder(this.root)
    const rootChanged = scan?.folders[0]?.stamp !== this.#scan?.folders[0]?.stamp
    // An empty folder in the place of the one that was read is a mount that is missing, not a deletion of everything.
    this.#isLost = scan === undefined || (scan.files.length === 0 && rootChanged && this.#files.size > 0)
    if (scan === undefined || this.#isLost) return []
    this.#scan = scan
    const seen = new Set(scan.files.map((file) => file.path))
    const changed = scan.files.filter((file) => this.#files.get(file.path)?.stamp !== file.stamp)
    const gone = [...this.#files.keys()].filter((path) => !seen.has(path) && !this.#isHidden(path))
    return [...changed.map((file) => file.path), ...gone]
  }

  /** Whether a file lies in a folder that cannot be listed. */
  #isHidden(path: string): boolean {
    return this.#scan?.unreadable.some((folder) => path.startsWith(folder + sep)) ?? false
  }

  /** Whether the folder is the one in which the files were read, asked at the moment that a file is missed. */
  #isRootThere(): boolean {
    const now = scanFolder(this.root)
    const isThere =
      now !== undefined && (now.files.length > 0 || now.folders[0]?.stamp === this.#scan?.folders[0]?.stamp)
    if (!isThere) this.#isLost = true
    return isThere
  }

  #nameOf(path: string): string {
    return relative(this.root, path).split(sep).join("/")
  }

  /** Brings owners and objects in effect up to date with the files that changed. */
  #merge(touched: ReadonlyMap<string, FileState | undefined>): {
    readonly put: ReadonlyArray<ObservedObject>
    readonly deleted: ReadonlyArray<ObservedObject>
  } {
    const keys = new Set<string>()
    for (const [path, before] of touched) {
      const after = this.#files.get(path)?.good
      for (const key of before?.good.keys() ?? []) {
        keys.add(key)
        if (after?.has(key) !== true)
          this.#setOwners(
            key,
            (this.#owners.get(key) ?? []).filter((owner) => owner !== path)
          )
      }
      for (const key of after?.keys() ?? []) {
        keys.add(key)
        const owners = this.#owners.get(key) ?? []
        if (!owners.includes(path)) this.#setOwners(key, [...owners, path].sort())
      }
    }
    const put: Array<ObservedObject> = []
    const deleted: Array<ObservedObject> = []
    for (const key of keys) {
      const before = this.#effective.get(key)
      const after = this.#files.get(this.#owners.get(key)?.[0] ?? "")?.good.get(key)
      if (after !== undefined) this.#effective.set(key, after)
      else this.#effective.delete(key)
      if (after?.observed !== undefined && after.fingerprint !== before?.fingerprint) put.push(after.observed)
      if (after === undefined && before?.observed !== undefined) deleted.push(before.observed)
    }
    return { put, deleted }
  }

  #setOwners(key: string, owners: ReadonlyArray<string>): void {
    if (owners.length === 0) this.#owners.delete(key)
    else this.#owners.set(key, owners)
  }

  #changeOf(
    put: ReadonlyArray<ObservedObject>,
    deleted: ReadonlyArray<ObservedObject>,
    times: Pick<ClusterChange, "changedAtMs" | "readAtMs">
  ): ClusterChange | undefined {
    const findings = this.#findings()
    const refused = this.#refused()
    const faulty = this.#faulty().flatMap((object) => object.faulty ?? [])
    const unreadTexts = this.#unreadTexts()
    const report = JSON.stringify([findings, refused, faulty.map(({ raw }) => raw), unreadTexts])
    if (put.length === 0 && deleted.length === 0 && report === this.#lastReport) return undefined
    this.#lastReport = report
    const objects = new Map<string, ObservedObject>()
    for (const [key, { observed }] of this.#effective) if (observed !== undefined) objects.set(key, observed)
    return { objects, refused, faulty, unreadTexts, put, deleted, findings, ...times }
  }

  /** Of files with a document that does not parse; undefined while anything else cannot be read, or is in doubt. */
  #unreadTexts(): ReadonlyArray<string> | undefined {
    if (this.#isLost || this.#scan === undefined || this.#scan.unreadable.length > 0) return undefined
    const files = [...this.#files.values()]
    if (files.some(({ isWhole, text, doubt }) => doubt !== undefined || (!isWhole && text === undefined)))
      return undefined
    return files.flatMap(({ isWhole, text }) => (isWhole || text === undefined ? [] : [text]))
  }

  #refused(): ReadonlyArray<ObjectRef> {
    return [...this.#files.values()].flatMap((file) => file.refused)
  }

  #faulty(): ReadonlyArray<FileObject> {
    return [...this.#files.values()].flatMap((file) => file.faulty)
  }

  #findings(): ReadonlyArray<Finding> {
    const findings: Array<Finding> = []
    if (this.#isLost) {
      const facts = {
        object: { kind: "Folder", name: this.root },
        expected: "a folder of manifests",
        found: "none, or an empty one"
      }
      findings.push(finding("LT0138", facts))
    }
    for (const folder of this.#scan?.unreadable ?? []) {
      const facts = {
        object: { kind: "Folder", name: this.#nameOf(folder) },
        expected: "a folder that can be listed",
        found: "one that cannot"
      }
      findings.push(finding("LT0140", facts))
    }
    for (const path of [...this.#files.keys()].sort()) findings.push(...(this.#files.get(path)?.findings ?? []))
    for (const [key, owners] of this.#owners) if (owners.length > 1) findings.push(...this.#duplicates(key, owners))
    return findings
  }

  #duplicates(key: string, owners: ReadonlyArray<string>): ReadonlyArray<Finding> {
    const [first = "", ...others] = owners
    return others.flatMap((path) => {
      const object = this.#files.get(path)?.good.get(key)
      if (object === undefined) return []
      const source = object.observed?.object.source
      const found = `another in ${this.#nameOf(path)}; the one in ${this.#nameOf(first)} is in effect`
      return [finding("LT0122", { object: object.ref, expected: "each object in one file", found, source })]
    })
  }
}
