import type { Result } from "effect"
import { Result as R } from "effect"
import type { FindingCode } from "./codes.ts"
import { type Finding, finding, type ObjectRef, type Source } from "./finding.ts"

/** Where a field of an object stands in its file. */
export type Locate = (field: string) => Source

/** Collects all the findings of one object while it is read. */
export class ObjectReader {
  readonly object: ObjectRef
  readonly findings: Array<Finding> = []
  readonly #locate: Locate | undefined

  constructor(object: ObjectRef, locate?: Locate) {
    this.object = object
    this.#locate = locate
  }

  /** Adds a finding at a field path such as `spec.addresses[1]`. */
  report(code: FindingCode, field: string, expected: string, found: string, fix?: string): void {
    const source = this.#locate?.(field)
    this.findings.push(
      finding(code, { object: this.object, field, expected, found, ...(fix === undefined ? {} : { fix }), source })
    )
  }

  /** The fields of a mapping; reports anything else and reads it as one without fields. */
  fields(path: string, value: unknown): Fields {
    if (isRecord(value)) return new Fields(this, path, value)
    if (value !== undefined && value !== null) this.report("LT0105", path, "a mapping", show(value))
    return new Fields(this, path, {})
  }
}

/** Bounds of an integer, both included. */
export interface Bounds {
  readonly min: number
  readonly max: number
}

/**
 * The fields of one mapping. Each method reads one field: `undefined` stands for absent, null (which YAML and
 * Kubernetes treat alike) and wrong, the last with a finding. What no method asked for is unknown: see `reportUnknown`.
 */
export class Fields {
  readonly reader: ObjectReader
  readonly path: string
  readonly #record: Readonly<Record<string, unknown>>
  readonly #asked = new Set<string>()

  constructor(reader: ObjectReader, path: string, record: Readonly<Record<string, unknown>>) {
    this.reader = reader
    this.path = path
    this.#record = record
  }

  /** The path of a field: `spec.addresses`, or `metadata.annotations[metallb.io/address-pool]`. */
  at(name: string): string {
    if (/^[A-Za-z0-9_-]+$/.test(name)) return this.path === "" ? name : `${this.path}.${name}`
    return `${this.path}[${name}]`
  }

  /** Whether the field is written, with anything but null. */
  has(name: string): boolean {
    return this.get(name) !== undefined
  }

  /** The value as it is. */
  get(name: string): unknown {
    this.#asked.add(name)
    return Object.hasOwn(this.#record, name) ? (this.#record[name] ?? undefined) : undefined
  }

  /** A text that is not empty; an empty one is read as absent, as Kubernetes does. */
  string(name: string): string | undefined {
    const value = this.get(name)
    if (typeof value === "string") return value === "" ? undefined : value
    if (value !== undefined) this.reader.report("LT0105", this.at(name), "text", show(value))
    return undefined
  }

  boolean(name: string): boolean | undefined {
    const value = this.get(name)
    if (typeof value === "boolean") return value
    if (value !== undefined) this.reader.report("LT0105", this.at(name), "true or false", show(value))
    return undefined
  }

  integer(name: string, bounds: Bounds): number | undefined {
    const value = this.get(name)
    if (value === undefined) return undefined
    if (typeof value !== "number") {
      this.reader.report("LT0105", this.at(name), "a number", show(value))
      return undefined
    }
    if (Number.isInteger(value) && value >= bounds.min && value <= bounds.max) return value
    this.reader.report("LT0108", this.at(name), `a whole number in ${bounds.min}..${bounds.max}`, show(value))
    return undefined
  }

  oneOf<const Word extends string>(name: string, words: ReadonlyArray<Word>): Word | undefined {
    const text = this.string(name)
    const word = words.find((candidate) => candidate === text)
    if (text !== undefined && word === undefined) {
      this.reader.report("LT0107", this.at(name), words.join(" or "), show(text))
    }
    return word
  }

  /** A text that a parser accepts. */
  parsed<Value>(
    name: string,
    syntax: { readonly code: FindingCode; readonly expected: string },
    parse: (text: string) => Result.Result<Value, string>
  ): Value | undefined {
    const value = this.get(name)
    if (value === undefined || value === "") return undefined
    if (typeof value === "string") return parseAt(this.reader, this.at(name), value, syntax, parse)
    this.reader.report("LT0105", this.at(name), `text: ${syntax.expected}`, show(value))
    return undefined
  }

  /** A whole number that is written as text, as in an annotation. */
  integerText(name: string, { min, max }: Bounds): number | undefined {
    const syntax = { code: "LT0108", expected: `a whole number in ${min}..${max}, in quotation marks` } as const
    return this.parsed(name, syntax, (text) => {
      const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
      return value >= min && value <= max ? R.succeed(value) : R.fail(`expected ${syntax.expected}`)
    })
  }

  /** The items of a list, each with its path; a single item is not a list of one. */
  items(name: string): ReadonlyArray<{ readonly path: string; readonly value: unknown }> {
    const value = this.get(name)
    if (value === undefined) return []
    if (Array.isArray(value)) return value.map((item, index) => ({ path: `${this.at(name)}[${index}]`, value: item }))
    this.reader.report("LT0105", this.at(name), "a list", show(value))
    return []
  }

  /** The mappings of a list of mappings. */
  mappings(name: string): ReadonlyArray<Fields> {
    return this.items(name).map(({ path, value }) => {
      if (value === null) this.reader.report("LT0105", path, "a mapping", "null")
      return this.reader.fields(path, value)
    })
  }

  /** A list of texts without duplicates. */
  strings(name: string): ReadonlyArray<string> {
    const seen = new Set<string>()
    for (const { path, value } of this.items(name)) {
      if (typeof value !== "string" || value === "") this.reader.report("LT0105", path, "text", show(value))
      else if (seen.has(value)) this.reader.report("LT0114", path, "each entry once", `${show(value)} again`)
      else seen.add(value)
    }
    return [...seen]
  }

  /** The fields of a mapping inside this one; none when it is absent. */
  nested(name: string): Fields {
    return this.reader.fields(this.at(name), this.get(name))
  }

  /** A mapping of text to text, such as labels. */
  texts(name: string): Readonly<Record<string, string>> {
    const nested = this.nested(name)
    const texts: Array<readonly [string, string]> = []
    for (const [key, value] of Object.entries(nested.#record)) {
      if (typeof value === "string") texts.push([key, value])
      else if (value === null) texts.push([key, ""])
      else this.reader.report("LT0105", nested.at(key), "text (in quotation marks)", show(value))
    }
    return Object.fromEntries(texts)
  }

  /** Reports what is required and absent. */
  require(name: string, expected: string): void {
    if (!this.has(name)) this.reader.report("LT0106", this.at(name), expected, "nothing")
  }

  /** Warns of each field that nothing asked for. */
  reportUnknown(): void {
    for (const name of Object.keys(this.#record)) {
      if (this.#asked.has(name)) continue
      const near = [...this.#asked].find((known) => known.toLowerCase() === name.toLowerCase())
      const fix = near === undefined ? undefined : `Write ${near}`
      this.reader.report("LT0104", this.at(name), `one of ${[...this.#asked].sort().join(", ")}`, name, fix)
    }
  }

  /**
   * Warns of fields of a mapping that others write to as well, which annotations are: of those with these prefixes that are
   * neither known nor passed over.
   */
  reportUnknownOf({
    prefixes,
    known,
    passed = []
  }: {
    readonly prefixes: ReadonlyArray<string>
    readonly known: ReadonlyArray<string>
    readonly passed?: ReadonlyArray<string>
  }): void {
    for (const name of Object.keys(this.#record)) {
      const isOurs = prefixes.some((prefix) => name.startsWith(prefix))
      if (!isOurs || this.#asked.has(name) || known.includes(name) || passed.includes(name)) continue
      const near = known.find((other) => localName(other) === localName(name))
      this.reader.report("LT0104", this.at(name), `one of ${known.join(", ")}`, name, near && `Write ${near}`)
    }
  }
}

/** What follows an annotation's prefix, whatever its capitals and whether singular or plural. */
const localName = (name: string): string =>
  name
    .slice(name.indexOf("/") + 1)
    .toLowerCase()
    .replace(/s$/, "")

/** Parses one text of an object, or reports it. */
export const parseAt = <Value>(
  reader: ObjectReader,
  path: string,
  text: string,
  syntax: { readonly code: FindingCode; readonly expected: string },
  parse: (text: string) => Result.Result<Value, string>
): Value | undefined => {
  const parsed = parse(text)
  if (R.isSuccess(parsed)) return parsed.success
  reader.report(syntax.code, path, syntax.expected, show(text))
  return undefined
}

/** Whether the value is a mapping. */
export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** How much of a value a message shows, in characters. */
const shownMax = 80

/** A value for a message: JSON, shortened. */
export const show = (value: unknown): string => {
  const text = value === undefined ? "nothing" : (JSON.stringify(value) ?? String(value))
  return text.length > shownMax ? `${text.slice(0, shownMax)}…` : text
}
