import { type Document, isCollection, isNode, isPair, LineCounter, parseAllDocuments, visit } from "yaml"
import { type Finding, finding, type Source } from "./finding.ts"
import type { RawObject } from "./raw.ts"
import { isRecord, type Locate, show } from "./reader.ts"
import { storableText, unstorableIn } from "./storable.ts"

/** How many nodes the aliases of one document may expand to; beyond it the document does not parse. */
export const aliasCountMax = 10_000

/** One object of a file, with its place. */
export interface Manifest {
  readonly object: RawObject
  /** Counted from 0, over the documents of the file that are not empty. */
  readonly document: number
  /** The file and line of the object (field ``), or of one of its fields. */
  readonly locate: Locate
}

/** What a file holds. */
export interface ParsedManifests {
  readonly manifests: ReadonlyArray<Manifest>
  /** LT0101 and LT0102, one for each document or list item that cannot be used. */
  readonly findings: ReadonlyArray<Finding>
}

/**
 * Reads YAML or JSON as kubectl does: several documents divided by `---`, JSON objects one after another, Lists with their
 * items, fields that a cluster adds. A document that does not parse hides none of the others, since the text is divided before it is parsed.
 * Scalars follow YAML 1.2: `yes` is a text, `64500:100` is never a number.
 */
export const parseManifests = (text: string, options: { readonly file: string }): ParsedManifests => {
  const manifests: Array<Manifest> = []
  const findings: Array<Finding> = []
  let index = 0
  for (const part of splitDocuments(text)) {
    for (const document of parsePart(part)) {
      const read = readDocument(document, { file: options.file, document: index++ })
      manifests.push(...read.manifests)
      findings.push(...read.findings)
    }
  }
  return { manifests, findings }
}

/** A piece of the text, and how many lines come before it. */
interface Part {
  readonly text: string
  readonly linesBefore: number
}

/** Divides at lines that start with `---`. Parts of blanks, comments and directives alone are left out. */
const splitDocuments = (text: string): ReadonlyArray<Part> => {
  const parts: Array<Part> = []
  let lines: Array<string> = []
  let linesBefore = 0
  const push = () => {
    if (lines.some((line) => !/^\s*(#.*|%.*|\.\.\.\s*|---\s*(#.*)?)?$/.test(line))) {
      parts.push({ text: lines.join("\n"), linesBefore })
    }
  }
  for (const [number, line] of text
    .replace(/^\uFEFF/gm, "") // files that were joined have one each
    .split(/\r?\n/)
    .entries()) {
    if (/^---(\s|$)/.test(line)) {
      push()
      lines = []
      linesBefore = number
    }
    lines.push(line)
  }
  push()
  return parts
}

/** One YAML document, parsed or with the reason why not. */
interface ParsedDocument {
  readonly value: unknown
  readonly fault: { readonly line: number; readonly found: string } | undefined
  readonly lineOf: (path: ReadonlyArray<string | number>) => number
}

const parsePart = (part: Part): ReadonlyArray<ParsedDocument> => {
  const foreign = part.text.indexOf("\uFFFD")
  if (foreign >= 0) return [notUtf8(part, foreign)]
  const json = parseJson(part)
  if (json !== undefined) return json
  const lineCounter = new LineCounter()
  const documents = parseAllDocuments(part.text, { lineCounter, merge: true, logLevel: "silent", prettyErrors: false })
  return ("empty" in documents ? [] : documents).map((document) => toParsed(document, lineCounter, part))
}

/** Whoever decoded the file has put U+FFFD in the place of what it could not read: another text than its author's. */
const notUtf8 = ({ text, linesBefore }: Part, at: number): ParsedDocument => {
  const line = linesBefore + text.slice(0, at).split("\n").length
  const isUtf16 = /^\uFFFD\uFFFD.?\0/.test(text) // its byte order mark, and every second octet of ASCII
  const found = isUtf16 ? "UTF-16" : "octets that are not UTF-8"
  return { value: undefined, fault: { line, found }, lineOf: () => line }
}

/** The fast way for what is JSON, as API servers and tools print it: one value, or objects that each begin a line. */
const parseJson = (part: Part): ReadonlyArray<ParsedDocument> | undefined => {
  if (!/^\s*\{/.test(part.text)) return undefined
  const whole = jsonValue(part.text)
  if (whole !== undefined) return [{ value: whole, fault: undefined, lineOf: lazyLineOf(part) }]
  const values = linesStartingObjects(part).map((each) => ({ each, value: jsonValue(each.text) }))
  return values.length > 1 && values.every(({ value }) => value !== undefined)
    ? values.map(({ each, value }) => ({ value, fault: undefined, lineOf: lazyLineOf(each) }))
    : undefined // flow-style YAML, or broken: the YAML parser says which
}

/** Undefined also where a key stands twice, of which the JSON parser would keep the last without a word. */
const jsonValue = (text: string): unknown => {
  try {
    const value: unknown = JSON.parse(text)
    return writtenKeys(text) === keysOf(value) ? value : undefined
  } catch {
    return undefined
  }
}

const writtenKeys = (json: string): number =>
  [...json.matchAll(/"(?:[^"\\]+|\\.)*"(\s*:)?/g)].filter(([, colon]) => colon !== undefined).length

const keysOf = (value: unknown): number => {
  let count = 0
  for (const inner of parts(value)) if (isRecord(inner)) count += Object.keys(inner).length
  return count
}

/** The value and all that is in it, however deep. */
function* parts(value: unknown): Iterable<unknown> {
  const waiting = [value]
  while (waiting.length > 0) {
    const next = waiting.pop()
    yield next
    if (Array.isArray(next)) for (const item of next) waiting.push(item)
    else if (isRecord(next)) for (const key of Object.keys(next)) waiting.push(next[key])
  }
}

const linesStartingObjects = ({ text, linesBefore }: Part): ReadonlyArray<Part> => {
  const pieces: Array<Part> = []
  let line = linesBefore
  for (const piece of text.split(/^(?=\{)/m)) {
    if (piece.trim() !== "") pieces.push({ text: piece, linesBefore: line })
    line += piece.split("\n").length - 1
  }
  return pieces
}

/** Lines of a JSON text are wanted only when something is wrong in it. */
const lazyLineOf = (part: Part): ParsedDocument["lineOf"] => {
  let lineOf: ParsedDocument["lineOf"] | undefined
  return (path) => {
    if (lineOf === undefined) {
      const lineCounter = new LineCounter()
      const [document] = parseAllDocuments(part.text, { lineCounter, logLevel: "silent" })
      lineOf = document === undefined ? () => part.linesBefore + 1 : lineFinder(document, lineCounter, part)
    }
    return lineOf(path)
  }
}

const toParsed = (document: Document.Parsed, lineCounter: LineCounter, part: Part): ParsedDocument => {
  const lineOf = lineFinder(document, lineCounter, part)
  const [error] = document.errors
  if (error !== undefined) {
    const offset = Math.min(error.pos[0], part.text.trimEnd().length - 1) // what is never closed is noticed behind the end
    const line = part.linesBefore + lineCounter.linePos(offset).line
    return { value: undefined, fault: { line, found: firstLine(error.message) }, lineOf }
  }
  try {
    return { value: document.toJS({ maxAliasCount: aliasCountMax }), fault: undefined, lineOf }
  } catch (cause) {
    if (!(cause instanceof ReferenceError))
      return { value: undefined, fault: { line: lineOf([]), found: String(cause) }, lineOf }
    const unknown = aliasWithoutAnchor(document)
    const found =
      unknown === undefined
        ? `aliases that expand more than ${aliasCountMax} times`
        : `*${unknown.name}, and no anchor &${unknown.name} before it in this document`
    const line = unknown === undefined ? lineOf([]) : part.linesBefore + lineCounter.linePos(unknown.offset).line
    return { value: undefined, fault: { line, found }, lineOf }
  }
}

/** Anchors are of one document each. */
const aliasWithoutAnchor = (
  document: Document.Parsed
): { readonly name: string; readonly offset: number } | undefined => {
  let found: { readonly name: string; readonly offset: number } | undefined
  visit(document, {
    Alias: (_key, node) => {
      if (node.resolve(document) !== undefined) return undefined
      found = { name: node.source, offset: node.range?.[0] ?? 0 }
      return visit.BREAK
    }
  })
  return found
}

const firstLine = (message: string): string => (message.split("\n")[0] ?? "").replace(/[.:]+$/, "")

/** Finds the line of a path, or of the nearest thing around it that is written. */
const lineFinder =
  (document: Document, lineCounter: LineCounter, part: Part): ParsedDocument["lineOf"] =>
  (path) => {
    for (let depth = path.length; depth >= 0; depth--) {
      const offset = offsetOf(document, path.slice(0, depth))
      if (offset !== undefined) return part.linesBefore + lineCounter.linePos(offset).line
    }
    return part.linesBefore + 1
  }

const offsetOf = (document: Document, path: ReadonlyArray<string | number>): number | undefined => {
  const last = path.at(-1)
  const parent = path.length === 0 ? undefined : document.getIn(path.slice(0, -1), true)
  if (isCollection(parent) && typeof last === "string") {
    const pair = parent.items.find((item) => isPair(item) && isNode(item.key) && String(item.key) === last)
    if (isPair(pair) && isNode(pair.key)) return pair.key.range?.[0]
  }
  const node = path.length === 0 ? document.contents : document.getIn(path, true)
  return isNode(node) ? node.range?.[0] : undefined
}

interface Place {
  readonly file: string
  readonly document: number
}

/** The object of a document, or the items of a List. */
const readDocument = (document: ParsedDocument, place: Place): ParsedManifests => {
  if (document.fault !== undefined) {
    const { line, found } = document.fault
    const object = { kind: "File", name: place.file }
    const source = { file: place.file, line }
    return {
      manifests: [],
      findings: [finding("LT0101", { object, expected: "a YAML or JSON document", found, source })]
    }
  }
  return readValue(document.value, [], {}, document, place)
}

/** The objects of a value: itself, or the items of a List, which may be Lists. */
const readValue = (
  value: unknown,
  path: ReadonlyArray<string | number>,
  implied: Partial<RawObject>,
  document: ParsedDocument,
  place: Place
): ParsedManifests => {
  if (path.length === 0 && (value === null || value === undefined)) return { manifests: [], findings: [] }
  if (!isRecord(value) || typeof value.kind !== "string" || !value.kind.endsWith("List") || !isListOfItems(value)) {
    return readObject(value, path, implied, document, place)
  }
  const ofItems = impliedOf(value.kind, value.apiVersion)
  const read = (value.items ?? []).map((item, index) =>
    readValue(item, [...path, "items", index], ofItems, document, place)
  )
  return { manifests: read.flatMap((one) => one.manifests), findings: read.flatMap((one) => one.findings) }
}

const isListOfItems = (
  value: Readonly<Record<string, unknown>>
): value is { readonly kind: unknown; readonly apiVersion: unknown; readonly items: ReadonlyArray<unknown> | null } =>
  Array.isArray(value.items) || (Object.hasOwn(value, "items") && value.items === null)

/** The items of a ServiceList need not say that they are Services; those of a List must. */
const impliedOf = (kind: string, apiVersion: unknown): Partial<RawObject> =>
  kind === "List" || typeof apiVersion !== "string" ? {} : { apiVersion, kind: kind.slice(0, -"List".length) }

const readObject = (
  value: unknown,
  path: ReadonlyArray<string | number>,
  implied: Partial<RawObject>,
  document: ParsedDocument,
  place: Place
): ParsedManifests => {
  const locate = (field: string): Source => ({
    file: place.file,
    line: document.lineOf([...path, ...(field === "" ? [] : splitField(field))])
  })
  const at = formatField(path)
  const refuse = (field: string, expected: string, found: unknown): ParsedManifests => {
    const object = { kind: "File", name: place.file }
    const facts = { object, field: [at, field].filter(Boolean).join("."), expected, found: show(found) }
    return { manifests: [], findings: [finding("LT0102", { ...facts, source: locate(field) })] }
  }
  const tooLarge = (what: string, found: string): ParsedManifests => {
    const object = { kind: "File", name: place.file }
    const facts = { object, field: at, expected: `${what} in at most ${objectCharsMax} characters as JSON`, found }
    return { manifests: [], findings: [finding("LT0144", { ...facts, source: locate("") })] }
  }
  if (isFarTooLarge(value)) return tooLarge("an object", "many more")
  if (!isRecord(value)) return refuse("", "a mapping with apiVersion, kind and metadata.name", value)
  const apiVersion = value.apiVersion ?? implied.apiVersion
  const kind = value.kind ?? implied.kind
  const metadata = value.metadata
  if (typeof apiVersion !== "string" || apiVersion === "") return refuse("apiVersion", "text like v1", apiVersion)
  if (typeof kind !== "string" || kind === "") return refuse("kind", "text like Service", kind)
  if (!isRecord(metadata)) return refuse("metadata", "a mapping with name", metadata)
  if (typeof metadata.name !== "string" || metadata.name === "") return refuse("metadata.name", "text", metadata.name)
  const namespace = metadata.namespace ?? ""
  if (typeof namespace !== "string") return refuse("metadata.namespace", "text", namespace)
  for (const [field, text] of identifying(apiVersion, kind, metadata)) {
    if (!isShort(text))
      return refuse(field, `at most ${identifierCharsMax} characters, and no control characters`, text)
  }
  const { length } = JSON.stringify(value)
  if (length > objectCharsMax) return tooLarge(`${kind} ${metadata.name}`, `${length}`)
  const unstorable = unstorableIn(value)
  if (unstorable !== undefined) return refuse("", storableText, unstorable)
  const object: RawObject = {
    apiVersion,
    kind,
    namespace,
    name: metadata.name,
    ...kept(metadata, ["labels", "annotations"]),
    ...keptText(metadata, ["uid", "creationTimestamp", ...(kind === "Service" ? ["deletionTimestamp"] : [])]),
    ...kept(value, ["spec", "status", "endpoints"])
  }
  return { manifests: [{ object, document: place.document, locate }], findings: [] }
}

/** What objects are known and found by is bounded: names of Kubernetes are no longer (RFC 1123 §2.1 with its limit of 253). */
const identifierCharsMax = 253

/** An etcd takes no object beyond 1.5 MiB; a message of NATS is 1 MiB unless set, and holds more than the object. */
const objectCharsMax = 512 * 1024

/** What aliases expand to may be more than a text can hold at all. */
const isFarTooLarge = (value: unknown): boolean => {
  let charCount = 0
  for (const part of parts(value)) {
    charCount += typeof part === "string" ? part.length : 1
    if (charCount > 8 * objectCharsMax) return true
  }
  return false
}

const identifying = (
  apiVersion: string,
  kind: string,
  { name, namespace, uid }: Readonly<Record<string, unknown>>
): ReadonlyArray<readonly [field: string, value: unknown]> => [
  ["apiVersion", apiVersion],
  ["kind", kind],
  ["metadata.name", name],
  ["metadata.namespace", namespace],
  ["metadata.uid", uid]
]

const isShort = (value: unknown): boolean =>
  typeof value !== "string" || (value.length <= identifierCharsMax && !/\p{Cc}/u.test(value))

const kept = (
  record: Readonly<Record<string, unknown>>,
  names: ReadonlyArray<string>
): Readonly<Record<string, unknown>> =>
  Object.fromEntries(names.flatMap((name) => (record[name] === undefined ? [] : [[name, record[name]]])))

const keptText = (
  record: Readonly<Record<string, unknown>>,
  names: ReadonlyArray<string>
): Readonly<Record<string, string>> =>
  Object.fromEntries(
    names.flatMap((name) => {
      const value = record[name]
      return typeof value === "string" && value !== "" ? [[name, value]] : []
    })
  )

/** `spec.addresses[1]` as the steps of a path; `metadata.annotations[metallb.io/address-pool]` has a text in brackets. */
const splitField = (field: string): ReadonlyArray<string | number> =>
  [...field.matchAll(/\[([^\]]*)\]|([^.[\]]+)/g)].map(([, bracketed, plain]) =>
    bracketed === undefined ? (plain ?? "") : /^\d+$/.test(bracketed) ? Number(bracketed) : bracketed
  )

const formatField = (path: ReadonlyArray<string | number>): string =>
  path
    .reduce<string>((text, step) => (typeof step === "number" ? `${text}[${step}]` : `${text}.${step}`), "")
    .replace(/^\./, "")
