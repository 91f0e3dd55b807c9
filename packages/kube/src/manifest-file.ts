import {
  decodeObject,
  type Finding,
  finding,
  isKindRead,
  type Locate,
  type ObjectRef,
  objectKey,
  parseManifests,
  rawRef,
  unreadKind
} from "@lowtide/domain/config/index"
import type { FaultyManifest, ObservedObject } from "./cluster-source.ts"
import { redactSecrets } from "./redact.ts"

/** One object in a file: good, or refused with the findings that say why. */
export interface FileObject {
  readonly key: string
  readonly ref: ObjectRef
  readonly observed: ObservedObject | undefined
  /** What could be read of one that is refused. */
  readonly faulty: FaultyManifest | undefined
  readonly findings: ReadonlyArray<Finding>
  /** Equal exactly when the object means the same. */
  readonly fingerprint: string
  /** Where one of its fields stands. */
  readonly locate: Locate
}

/** What the text of one file holds. */
export interface FileReading {
  /** The first of each key; kinds that are not read are left out. */
  readonly objects: ReadonlyMap<string, FileObject>
  /** Faults of the file itself: what cannot be parsed or named, and objects that stand twice. */
  readonly findings: ReadonlyArray<Finding>
  /** Whether all of its contents could be told apart: no document failed to parse or lacks a name. */
  readonly isWhole: boolean
  /** Objects of any kind. */
  readonly manifestCount: number
}

/** Reads the text of one file; `file` is its name in findings. Never fails. */
export const readManifestFile = (text: string, file: string): FileReading => {
  const parsed = parseManifests(text, { file })
  const objects = new Map<string, FileObject>()
  const findings = [...parsed.findings]
  for (const { object: raw, locate } of parsed.manifests) {
    if (!isKindRead(raw)) {
      const unread = unreadKind(raw, locate)
      if (unread !== undefined) findings.push(unread)
      continue
    }
    const ref = rawRef(raw)
    const key = objectKey(ref)
    if (objects.has(key)) {
      const expected = "each object once"
      findings.push(finding("LT0122", { object: ref, expected, found: `a second one in ${file}`, source: locate("") }))
      continue
    }
    const redacted = redactSecrets(raw)
    const decoded = decodeObject(redacted, locate)
    const { object, faulty: part, findings: own } = decoded
    const faulty = part === undefined ? undefined : { key, ref, raw: redacted, object: part, findings: own }
    const observed = object === undefined ? undefined : { key, ref, raw: redacted, object }
    const fingerprint = object === undefined ? "" : JSON.stringify([object.value, object.createdAt])
    objects.set(key, { key, ref, observed, faulty, findings: own, fingerprint, locate })
  }
  return { objects, findings, isWhole: parsed.findings.length === 0, manifestCount: parsed.manifests.length }
}
