import { type Finding, finding, type ObjectRef } from "@lowtide/domain/config/index"
import type { FileContent } from "./folder-scan.ts"
import { type FileObject, type FileReading, readManifestFile } from "./manifest-file.ts"

/**
 * How long contents that would take objects away, or that do not parse, must stay the same before they are believed. An
 * editor empties or removes a file and writes it again within this time.
 */
export const settleMs = 25

/** What is in effect from one file. Never changed in place. */
export interface FileState {
  /** What the walk saw when the file was read last. */
  readonly stamp: string
  /** The contents in effect; absent when there never were any. */
  readonly text: string | undefined
  /** Good objects, the last good version of those that are refused now. */
  readonly good: ReadonlyMap<string, FileObject>
  /** Objects that are refused and have no good version. */
  readonly refused: ReadonlyArray<ObjectRef>
  /** What is refused of the contents in effect, as far as it could be read. */
  readonly faulty: ReadonlyArray<FileObject>
  readonly findings: ReadonlyArray<Finding>
  readonly isWhole: boolean
  /** Contents that are not believed yet. */
  readonly doubt: { readonly content: FileContent; readonly sinceMs: number } | undefined
}

/** A file of which nothing is known. */
export const unknownFile: FileState = {
  stamp: "",
  text: undefined,
  good: new Map(),
  refused: [],
  faulty: [],
  findings: [],
  isWhole: true,
  doubt: undefined
}

/** The state after a look at the file; the very same state when nothing changed; undefined when the file is gone. */
export const lookAt = (state: FileState, content: FileContent, file: string, nowMs: number): FileState | undefined => {
  const stamp = content._tag === "Text" ? content.stamp : ""
  const before = state.stamp === stamp ? state : { ...state, stamp }
  if (content._tag === "Text" && content.text === state.text) {
    return before.doubt === undefined ? before : { ...before, doubt: undefined }
  }
  const doubt = state.doubt !== undefined && sameContent(state.doubt.content, content) ? state.doubt : undefined
  const isSettled = doubt !== undefined && nowMs - doubt.sinceMs >= settleMs
  const doubted = (): FileState => (doubt === undefined ? { ...before, doubt: { content, sinceMs: nowMs } } : before)
  switch (content._tag) {
    case "Absent":
      return isSettled || (state.good.size === 0 && state.refused.length === 0) ? undefined : doubted()
    case "Unreadable":
      return isSettled ? unreadable(before, content.reason, file) : doubted()
    case "Text": {
      const reading = readManifestFile(content.text, file)
      return isSettled || isConvincing(state, reading, content.text)
        ? take(before, reading, content.text, file)
        : doubted()
    }
  }
}

const sameContent = (left: FileContent, right: FileContent): boolean =>
  left._tag === right._tag && (left._tag !== "Text" || right._tag !== "Text" || left.text === right.text)

/** Whether contents may be believed at first sight: nothing lost, nothing broken, and the last line complete. */
const isConvincing = (state: FileState, reading: FileReading, text: string): boolean =>
  reading.isWhole &&
  (text.endsWith("\n") || (text.endsWith("}") && text.startsWith("{"))) &&
  [...state.good.keys()].every((key) => reading.objects.has(key)) &&
  reading.objects.size > 0

const take = (state: FileState, reading: FileReading, text: string, file: string): FileState => {
  const good = new Map<string, FileObject>()
  const refused: Array<ObjectRef> = []
  const findings = [...reading.findings]
  for (const object of reading.objects.values()) {
    findings.push(...object.findings)
    const last = state.good.get(object.key)
    if (object.observed !== undefined) good.set(object.key, object)
    else if (last !== undefined) {
      good.set(object.key, last)
      findings.push(keptFinding(object))
    } else refused.push(object.ref)
  }
  const isEmpty = reading.isWhole && reading.manifestCount === 0
  if (!reading.isWhole || isEmpty) {
    for (const [key, object] of state.good) if (!good.has(key)) good.set(key, object)
  }
  if (isEmpty && good.size > 0) {
    const facts = { object: { kind: "File", name: file }, expected: `${good.size} objects`, found: "none" }
    findings.push(finding("LT0137", { ...facts, source: { file, line: 1 } }))
  }
  return {
    stamp: state.stamp,
    text,
    good,
    refused,
    faulty: [...reading.objects.values()].filter(({ faulty }) => faulty !== undefined),
    findings,
    isWhole: reading.isWhole && !(isEmpty && good.size > 0),
    doubt: undefined
  }
}

const keptFinding = (object: FileObject): Finding => {
  const source = object.findings[0]?.source
  const facts = { object: object.ref, expected: "an object without errors", found: "the errors reported beside this" }
  return finding("LT0139", { ...facts, source })
}

const unreadable = (state: FileState, reason: string, file: string): FileState => {
  const facts = { object: { kind: "File", name: file }, expected: "a file that can be read", found: reason }
  return {
    ...state,
    text: undefined,
    faulty: [],
    findings: [finding("LT0140", facts)],
    isWhole: false,
    doubt: undefined
  }
}
