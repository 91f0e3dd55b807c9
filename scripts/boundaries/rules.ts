/** One fault. `file` is relative to the root of the tree, `line` counts from 1. */
export interface Violation {
  readonly file: string
  readonly line: number
  readonly message: string
  readonly rule: Rule
}

/** What was broken; `check-boundaries.ts --help` explains each. */
export type Rule = "direction" | "external" | "declared" | "relative" | "builtin" | "computed" | "pure" | "syntax"

const adapters = ["domain", "net"]
const packages = ["net", "sockets", "domain", "bgp", "bmp", "bfd", "frr", "ledger", "bus", "kube", "api", "ops"]

/** Which packages of ours each package may import. A package that is not listed may import none until it is. */
export const allowedPackages: Readonly<Record<string, ReadonlyArray<string>>> = {
  net: [],
  sockets: ["net"],
  domain: ["net"],
  bgp: ["net", "sockets"],
  bmp: ["net", "bgp"],
  bfd: ["net", "sockets"],
  frr: ["net"],
  ledger: adapters,
  bus: adapters,
  kube: adapters,
  api: adapters,
  ops: [], // what every service does alike: metrics, health, settings
  testkit: packages
}

/** What a service may import: every package except the one that is for tests. */
export const allowedInServices: ReadonlyArray<string> = packages

/** The libraries of the packages that may not choose their own. */
export const allowedLibraries: Readonly<Record<string, ReadonlyArray<string>>> = {
  net: ["effect"],
  domain: ["effect", "yaml"]
}

/** Folders outside of a package that it may read by a relative path: the schema changes stand at the root for all to see. */
export const allowedOutside: Readonly<Record<string, string>> = { ledger: "migrations" }

/** Folders without I/O, clock, randomness and environment. `tsconfig.pure.json` names the same ones. */
export const pureFolders: ReadonlyArray<string> = [
  "packages/net/src",
  "packages/domain/src",
  "packages/bgp/src/wire",
  "packages/bgp/src/fsm",
  "packages/bmp/src/wire",
  "packages/bmp/src/view",
  "packages/bfd/src/packet",
  "packages/bfd/src/machine",
  "packages/frr/src/rendering",
  "packages/frr/src/reading"
]

/** Whether a file, relative to the root, is in a pure folder. */
export const isPure = (file: string): boolean => pureFolders.some((folder) => file.startsWith(`${folder}/`))
