import { globSync } from "node:fs"
import { basename } from "node:path"

/** The benchmarks of a tree: their names, sorted, and their files relative to its root. A name that two files have is a fault. */
export const benchmarksIn = (root: string): ReadonlyMap<string, string> => {
  const files = globSync(["{packages,services}/*/bench/*.ts", "test/bench/*.ts"], { cwd: root })
  const byName = new Map<string, string>()
  for (const file of files.filter((path) => !/\.(test|d)\.ts$/.test(path)).sort()) {
    const name = basename(file, ".ts")
    const other = byName.get(name)
    if (other !== undefined) throw new Error(`two benchmarks are called ${name}: ${other} and ${file}`)
    byName.set(name, file)
  }
  return new Map([...byName].sort(([left], [right]) => (left < right ? -1 : 1)))
}

const keys: Readonly<Record<string, "string" | "number">> = {
  bench: "string",
  figure: "string",
  value: "number",
  unit: "string",
  baseline: "number",
  baselineName: "string",
  ratio: "number"
}

/** What is wrong with a line of a benchmark's output; undefined when it is a figure: these seven keys and no other. */
export const lineFault = (line: string): string | undefined => {
  let figure: unknown
  try {
    figure = JSON.parse(line)
  } catch {
    return "expected a line of JSON"
  }
  if (typeof figure !== "object" || figure === null || Array.isArray(figure)) return "expected a JSON object"
  const found = figure as Readonly<Record<string, unknown>>
  for (const [key, type] of Object.entries(keys))
    if (typeof found[key] !== type) return `expected ${key} to be a ${type}, found ${JSON.stringify(found[key])}`
  const unknown = Object.keys(found).filter((key) => keys[key] === undefined)
  return unknown.length === 0 ? undefined : `expected no key ${unknown.join(", ")}`
}
