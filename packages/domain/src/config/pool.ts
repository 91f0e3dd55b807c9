import { parseAddressRange, rangeOverlap } from "@lowtide/net"
import { Result } from "effect"
import type { RawObject } from "./raw.ts"
import { type Fields, type ObjectReader, parseAt, show } from "./reader.ts"
import { readSelectors } from "./selector-reader.ts"
import type { LabelSelector, Labels } from "./selectors.ts"
import { canonicalAddress, canonicalRange, parseQuarantineMs, quarantineSyntax, rangeSyntax } from "./syntax.ts"

/** An IPAddressPool: addresses that may be given out, and to whom. */
export interface AddressPool {
  readonly name: string
  readonly namespace: string
  /** Canonical texts of AddressRange in the order written; at least one; none overlaps another. */
  readonly ranges: ReadonlyArray<string>
  /** False: only Services that ask for the pool, or for an address of it, get one. */
  readonly autoAssign: boolean
  /** True: IPv4 addresses ending in .0 or .255 are not given out. */
  readonly avoidBuggyIPs: boolean
  /** `serviceAllocation` is written, whatever it says: the pool goes before those without. */
  readonly pinned?: true
  /** Lower is preferred; absent (or written 0) comes last. */
  readonly priority?: number
  /** Namespaces by name; together with `namespaceSelectors` a union. Both empty: no restriction. */
  readonly namespaces: ReadonlyArray<string>
  readonly namespaceSelectors: ReadonlyArray<LabelSelector>
  /** Selectors over the labels of Services. Empty: no restriction. A Service must pass both restrictions. */
  readonly serviceSelectors: ReadonlyArray<LabelSelector>
  readonly labels: Labels
  /** How long an address of it rests once it is withdrawn everywhere; `quarantineMsUnset` where absent. */
  readonly quarantineMs?: number
  /** An AddressPool of the whole fleet rather than the cluster's own. */
  readonly ofFleet?: true
  /** Deleted while in use: what is held of it stays, and nothing more of it is given out, whoever asks. */
  readonly retired?: true
}

/** How long a withdrawn address rests before another holder may have it, unless its pool says something else. */
export const quarantineMsUnset = 600_000

/** The annotation of an IPAddressPool, which has no field for it, that says how long its addresses rest. */
export const quarantineAnnotation = "lowtide.dev/quarantine"

/** Reads an IPAddressPool of metallb.io/v1beta1. */
export const readPool = (reader: ObjectReader, raw: RawObject): AddressPool => {
  const spec = reader.fields("spec", raw.spec)
  const metadata = reader.fields("metadata", { labels: raw.labels, annotations: raw.annotations })
  const annotations = metadata.nested("annotations")
  const quarantineMs = annotations.parsed(quarantineAnnotation, quarantineSyntax, parseQuarantineMs)
  annotations.reportUnknownOf({ prefixes: ["lowtide.dev/"], known: [quarantineAnnotation] })
  const pool: AddressPool = {
    ...{ name: raw.name, namespace: raw.namespace, ...readPoolSpec(spec) },
    labels: metadata.texts("labels"),
    ...(quarantineMs === undefined ? {} : { quarantineMs })
  }
  spec.reportUnknown()
  return pool
}

/** What the specs of an IPAddressPool and of an AddressPool have in common. */
export const readPoolSpec = (spec: Fields): Omit<AddressPool, "name" | "namespace" | "labels"> => {
  const ranges = readRanges(spec)
  const autoAssign = spec.boolean("autoAssign") ?? true
  const avoidBuggyIPs = spec.boolean("avoidBuggyIPs") ?? false
  const allocation = spec.nested("serviceAllocation")
  const priority = allocation.integer("priority", { min: 0, max: 0x7fff_ffff })
  const facts = {
    ...{ ranges, autoAssign, avoidBuggyIPs },
    ...(spec.has("serviceAllocation") ? { pinned: true as const } : {}),
    ...(priority === undefined || priority === 0 ? {} : { priority }),
    namespaces: allocation.strings("namespaces"),
    namespaceSelectors: readSelectors(allocation, "namespaceSelectors"),
    serviceSelectors: readSelectors(allocation, "serviceSelectors")
  }
  allocation.reportUnknown()
  return facts
}

const readRanges = (spec: Fields): ReadonlyArray<string> => {
  const ranges: Array<string> = []
  const written = spec.get("addresses")
  const items = spec.items("addresses")
  if (written === undefined || (Array.isArray(written) && items.length === 0)) {
    spec.reader.report("LT0106", spec.at("addresses"), "at least one prefix or range", show(written))
  }
  for (const { path, value } of items) {
    if (typeof value !== "string") spec.reader.report("LT0105", path, "text", show(value))
    else {
      const range = readRange(spec.reader, path, value)
      if (range === undefined || !isNew(spec.reader, path, range, ranges)) continue
      ranges.push(range)
      const foreign = unroutable.find((prefix) => textsOverlap(prefix, range))
      if (foreign === undefined) continue
      spec.reader.report(
        "LT0155",
        path,
        `no addresses of ${unroutable.join(", ")}`,
        `${range}, with some of ${foreign}`
      )
    }
  }
  return ranges
}

/** What is no destination beyond a link (RFC 6890), or several at once. */
const unroutable: ReadonlyArray<string> = [
  ...["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32"],
  ...["::/127", "fe80::/10", "ff00::/8"]
]

/** One address alone is none to MetalLB, though what is meant is plain. */
const readRange = (reader: ObjectReader, path: string, text: string): string | undefined => {
  const single = Result.getOrUndefined(canonicalAddress(text.trim()))
  if (single === undefined) return parseAt(reader, path, text, rangeSyntax, canonicalRange)
  reader.report(
    rangeSyntax.code,
    path,
    rangeSyntax.expected,
    show(text),
    `Write ${single}/${single.includes(":") ? 128 : 32}`
  )
  return undefined
}

const isNew = (reader: ObjectReader, path: string, range: string, before: ReadonlyArray<string>): boolean => {
  const other = before.find((candidate) => textsOverlap(candidate, range))
  if (other === undefined) return true
  if (other === range) reader.report("LT0114", path, "each range once", `${range} again`)
  else reader.report("LT0120", path, `no addresses of ${other}`, range)
  return false
}

/** Whether two canonical range texts have an address in common. */
export const textsOverlap = (left: string, right: string): boolean =>
  rangeOverlap(Result.getOrThrow(parseAddressRange(left)), Result.getOrThrow(parseAddressRange(right))) !== undefined
