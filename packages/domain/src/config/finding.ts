import { codes, type FindingCode } from "./codes.ts"

/** `error`: the object, or the part named, has no effect. `warning`: it has, but not as its author may think. */
export type Severity = "error" | "warning"

/** Which object a finding is about. A file that does not parse is kind `File`, its name the path in the folder. */
export interface ObjectRef {
  readonly kind: string
  /** Absent for objects without a namespace (Node, Namespace, Cluster, File). */
  readonly namespace?: string
  readonly name: string
}

/** Where an object was read. */
export interface Source {
  readonly file: string
  /** Counted from 1: the line of the field where it is known, else of the object. */
  readonly line: number
}

/** One thing that is wrong with one object, told once, with what to do about it. */
export interface Finding {
  readonly code: FindingCode
  readonly severity: Severity
  readonly object: ObjectRef
  /** `spec.addresses[1]`; empty when it is the object as a whole. */
  readonly field: string
  /** A sentence that names the object, what was expected and what was found. */
  readonly message: string
  readonly expected: string
  readonly found: string
  readonly fix: string
  readonly source?: Source
}

/** What a finding needs beside its code; `fix` is the code's own unless given. */
export interface FindingFacts {
  readonly object: ObjectRef
  readonly field?: string
  readonly expected: string
  readonly found: string
  readonly fix?: string
  readonly source?: Source | undefined
}

/** Makes a finding. Its severity and its fix come from the table of codes, its message from the facts. */
export const finding = (code: FindingCode, facts: FindingFacts): Finding => {
  const field = facts.field ?? ""
  const where = field === "" ? formatObjectRef(facts.object) : `${formatObjectRef(facts.object)} ${field}`
  return {
    code,
    severity: codes[code].severity,
    object: facts.object,
    field,
    message: `${where}: ${codes[code].title}: expected ${facts.expected}, found ${facts.found}`,
    expected: facts.expected,
    found: facts.found,
    fix: facts.fix ?? codes[code].fix,
    ...(facts.source === undefined ? {} : { source: facts.source })
  }
}

/** `Service shop/web`, or `Node east-1` for an object without a namespace. */
export const formatObjectRef = (object: ObjectRef): string =>
  object.namespace === undefined ? `${object.kind} ${object.name}` : `${object.kind} ${object.namespace}/${object.name}`

/** One line: `error LT0104 metallb/pools.yaml:12 IPAddressPool …: …. Fix: …`. */
export const formatFinding = (found: Finding): string => `${found.severity} ${findingText(found)}`

/** The same without its severity, for a log whose lines have a level. */
export const findingText = ({ code, source, message, fix }: Finding): string => {
  const at = source === undefined ? "" : ` ${source.file}:${source.line}`
  return `${code}${at} ${message}. Fix: ${fix}`
}

/** Whether any of the findings is an error. */
export const hasError = (findings: ReadonlyArray<Finding>): boolean =>
  findings.some((found) => found.severity === "error")

/** Names of a list that a message tells; the rest are counted. */
export const listedMax = 10

/** `a, b and 3 more`: the first of a list, and how many there are beside, however long it is. */
export const listText = (texts: ReadonlyArray<string>): string => {
  const more = texts.length - listedMax
  return `${texts.slice(0, listedMax).join(", ")}${more > 0 ? ` and ${more} more` : ""}`
}
