/** SARIF as code hosts take it: against the schema that Microsoft's own test helpers carry, which is that of OASIS. */
import { createRequire } from "node:module"
import { codes, type Finding, finding } from "@lowtide/domain"
import Ajv from "ajv"
import { describe, expect, it } from "vitest"
import { toSarif } from "../src/sarif.ts"

const require = createRequire(import.meta.url)
const schema: object = require("@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json")
// The schema is written in draft 4 of JSON Schema.
const ajv = new Ajv({ allErrors: true, schemaId: "id", meta: false })
ajv.addMetaSchema(require("ajv/lib/refs/json-schema-draft-04.json"))
const validate = ajv.compile(schema)

const faultsOf = (log: unknown): unknown => {
  const isValid = validate(log)
  return isValid ? [] : validate.errors
}

const all = Object.keys(codes).map(
  (code, index): Finding => ({
    ...finding(code as keyof typeof codes, {
      object: { kind: "Service", namespace: "shop", name: "web" },
      field: index % 2 === 0 ? "spec.type" : "",
      expected: "one",
      found: 'another "one"'
    }),
    ...(index % 3 === 0 ? {} : { source: { file: index % 3 === 1 ? "a b/ü#1.yaml" : "/etc/ü %.yaml", line: index } })
  })
)

describe("SARIF 2.1.0", () => {
  it("is what its schema asks for, for every code, with and without a place", () => {
    expect(faultsOf(toSarif(all))).toEqual([])
    expect(faultsOf(toSarif([]))).toEqual([])
  })

  it("is refused by that schema where it is not", () => {
    const odd = JSON.parse(JSON.stringify(toSarif(all)).replace('"level":"warning"', '"level":"fatal"'))
    expect(faultsOf(odd)).not.toEqual([])
  })

  it("names each rule once, and every result's rule by its index", () => {
    const [run] = (toSarif([...all, ...all]) as ReturnType<typeof JSON.parse>).runs
    const { rules } = run.tool.driver
    expect(rules).toHaveLength(all.length)
    for (const { ruleId, ruleIndex } of run.results) expect(rules[ruleIndex].id).toBe(ruleId)
  })
})
