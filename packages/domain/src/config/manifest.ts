import {
  Alias,
  type Document,
  isAlias,
  isCollection,
  isNode,
  isPair,
  LineCounter,
  type Node,
  parseAllDocuments
} from "yaml"
import { type Finding, finding, type Source } from "./finding.ts"
import { isTooDeep, nestingMax } from "./nesting.ts"
import type { RawObject } from "./raw.ts"
import { isRecord, type Locate, show } from "./reader.ts"
import { storableText, unstorableIn } from "./storable.ts"

/** How many nodes the aliases of one document may expand to, as kubectl has it; beyond it the document does not parse. */
export const expandedNodesMax = 400_000

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

/**
 * The text of a file, for `parseManifests`. Halves of surrogate pairs, which UTF-8 has none of (RFC 3629 §3), stand where
 * octets are not UTF-8: such a line is told from one that rightly holds U+FFFD.
 */
export const decodeManifest = (octets: Uint8Array): string => {
  if (isUtf8(octets)) return utf8.decode(octets)
  const lines: Array<string> = []
  for (let start = 0, end = 0; start <= octets.length; start = end + 1) {
    const found = octets.indexOf(lineFeed, start) // an octet of nothing else
    end = found < 0 ? octets.length : found
    const line = octets.subarray(start, end)
    const text = utf8.decode(line)
    lines.push(isUtf8(line) ? text : text.replaceAll("\uFFFD", "\uD800"))
  }
  return lines.join("\n")
}

const isUtf8 = (octets: Uint8Array): boolean => {
  try {
    strictUtf8.decode(octets)
    return true
  } catch {
    return false
  }
}

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true })
const strictUtf8 = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true })
const lineFeed = 0x0a

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

/** Why a document does not parse; `fix` is that of the code unless given. */
interface Fault {
  readonly found: string
  readonly fix?: string
}

/** One YAML document, parsed or with the reason why not. */
interface ParsedDocument {
  readonly value: unknown
  readonly fault: (Fault & { readonly line: number }) | undefined
  readonly lineOf: (path: ReadonlyArray<string | number>) => number
}

const parsePart = (part: Part): ReadonlyArray<ParsedDocument> => {
  const foreign = part.text.search(/\p{Surrogate}/u)
  if (foreign >= 0) return [notUtf8(part, foreign)]
  return parseJson(part) ?? parseObjects(part) ?? parseYaml(part)
}

/** What `decodeManifest` could not read. */
const notUtf8 = ({ text, linesBefore }: Part, at: number): ParsedDocument => {
  const line = linesBefore + text.slice(0, at).split("\n").length
  const isUtf16 = /^\p{Surrogate}{2}.?\0/u.test(text) // its byte order mark, and every second octet of ASCII
  const found = isUtf16 ? "UTF-16" : "octets that are not UTF-8"
  return { value: undefined, fault: { line, found, fix: "Save the file as UTF-8" }, lineOf: () => line }
}

const parseYaml = (part: Part): ReadonlyArray<ParsedDocument> => {
  const lineCounter = new LineCounter()
  const documents = parseAllDocuments(part.text, { lineCounter, merge: true, logLevel: "silent", prettyErrors: false })
  return ("empty" in documents ? [] : documents).map((document) => toParsed(document, lineCounter, part))
}

const startsAsObject = /^\s*\{/

/** The fast way for what is JSON, as API servers and tools print it: one value. */
const parseJson = (part: Part): ReadonlyArray<ParsedDocument> | undefined => {
  const value = startsAsObject.test(part.text) ? jsonValue(part.text) : undefined
  return value === undefined ? undefined : [{ value, fault: undefined, lineOf: lazyLineOf(part) }]
}

/**
 * JSON objects that each begin a line, of which a broken one hides no other. Undefined where no piece is an object by itself:
 * those of one in flow style end in a comma or a bracket. A text in quotation marks may have lines that look like some;
 * then the whole is YAML without a fault.
 */
const parseObjects = (part: Part): ReadonlyArray<ParsedDocument> | undefined => {
  if (!startsAsObject.test(part.text)) return undefined
  const pieces = linesStartingObjects(part).map((piece) => ({ piece, json: parseJson(piece) }))
  if (pieces.length < 2 || pieces.every(({ json }) => json === undefined)) return undefined
  const whole = pieces[0]?.json === undefined ? parseYaml(part) : undefined // nothing may follow an object that ends
  if (whole?.every(({ fault }) => fault === undefined) === true) return whole
  return pieces.flatMap(({ piece, json }) => json ?? parseYaml(piece))
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
    const fault = error.code === "RESOURCE_EXHAUSTION" ? tooDeep : { found: firstLine(error.message) }
    return { value: undefined, fault: { line, ...fault }, lineOf }
  }
  const excess = settleAliases(document)
  if (excess !== undefined) {
    const { offset, ...fault } = excess
    const line = offset === undefined ? lineOf([]) : part.linesBefore + lineCounter.linePos(offset).line
    return { value: undefined, fault: { line, ...fault }, lineOf }
  }
  try {
    return { value: document.toJS({ maxAliasCount: -1 }), fault: undefined, lineOf } // it was counted above
  } catch (cause) {
    return { value: undefined, fault: { line: lineOf([]), found: String(cause) }, lineOf }
  }
}

interface AliasFault extends Fault {
  /** Where in the text, if at one place. */
  readonly offset: number | undefined
}

/**
 * Tells each alias what it stands for, and what is wrong with them: one of no anchor, or more than may be. One walk in the
 * order of the text, in which an anchor's name may be given again; left to itself each alias looks for its anchor anew.
 */
const settleAliases = (document: Document.Parsed): AliasFault | undefined => {
  const anchored = new Map<string, { readonly node: Node; readonly weight: number }>()
  let writtenCount = 0
  let unknown: AliasFault | undefined
  /** How many nodes it expands to. */
  const weigh = (node: unknown): number => {
    if (isPair(node)) return weigh(node.key) + weigh(node.value)
    writtenCount++
    if (isAlias(node)) {
      const target = anchored.get(node.source)
      const found = `*${node.source}, and no anchor &${node.source} before it in this document`
      if (target === undefined) unknown ??= { offset: node.range?.[0], found }
      else resolveTo(node, target.node)
      return target?.weight ?? 1
    }
    const name = (weight: number): void => {
      if (isNode(node) && node.anchor !== undefined) anchored.set(node.anchor, { node, weight })
    }
    name(Number.POSITIVE_INFINITY) // what is within itself has no end
    let weight = 1
    if (isCollection(node)) for (const item of node.items) weight += weigh(item)
    name(weight)
    return weight
  }
  const addedCount = weigh(document.contents) - writtenCount
  if (unknown !== undefined) return unknown
  return addedCount > expandedNodesMax
    ? {
        offset: undefined,
        found: `aliases that expand to more than ${expandedNodesMax} nodes`,
        fix: "Write the values out, or divide the document with ---"
      }
    : undefined
}

const resolveTo = (alias: Alias, target: Node): void => {
  alias.resolve = (document, context) => {
    if (context !== undefined) context.aliasResolveCache = [target]
    return Alias.prototype.resolve.call(alias, document, context)
  }
}

const tooDeep: Fault = {
  found: `lists and mappings more than ${nestingMax} deep in each other`,
  fix: "Take levels out; look for a bracket that is never closed, or a program that wrapped its own output again and again"
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
  const fault = document.fault ?? (isTooDeep(document.value) ? { ...tooDeep, line: document.lineOf([]) } : undefined)
  if (fault !== undefined) {
    const { line, ...said } = fault
    const object = { kind: "File", name: place.file }
    const source = { file: place.file, line }
    return {
      manifests: [],
      findings: [finding("LT0101", { object, expected: "a YAML or JSON document", ...said, source })]
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
  const refuse = (field: string, expected: string, found: unknown, fix = {}): ParsedManifests => {
    const object = { kind: "File", name: place.file }
    const facts = { object, field: [at, field].filter(Boolean).join("."), expected, found: show(found), ...fix }
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
    if (isShort(text)) continue
    const expected = `at most ${identifierCharsMax} characters, and no control characters`
    return refuse(field, expected, text, { fix: `Correct ${field}` })
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
    if (isRecord(part)) for (const key of Object.keys(part)) charCount += key.length
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
