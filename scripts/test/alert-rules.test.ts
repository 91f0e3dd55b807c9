import { globSync, readFileSync } from "node:fs"
import { codes } from "@lowtide/domain"
import { assert, describe, it } from "vitest"
import { parse } from "yaml"

const root = new URL("../../", import.meta.url).pathname

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly labels: { readonly severity: string }
  readonly annotations: { readonly summary: string; readonly description: string }
}

const rules = globSync("deploy/prometheus/*.yml", { cwd: root }).flatMap((file) =>
  (
    parse(readFileSync(`${root}${file}`, "utf8")) as { readonly groups: ReadonlyArray<{ rules: ReadonlyArray<Rule> }> }
  ).groups.flatMap((group) => group.rules)
)

const sources = globSync("{packages,services}/*/src/**/*.ts", { cwd: root })
  .map((file) => readFileSync(`${root}${file}`, "utf8"))
  .join("\n")

describe("alert rules", () => {
  it("have names of their own", () => {
    assert.isNotEmpty(rules)
    assert.strictEqual(new Set(rules.map(({ alert }) => alert)).size, rules.length)
  })

  for (const { alert, expr, labels, annotations } of rules) {
    it(`${alert} speaks of metrics that there are, and of a code that has a fix`, () => {
      const metrics = expr.match(/lowtide_\w+/g) ?? []
      assert.isNotEmpty(metrics)
      for (const metric of metrics) assert.include(sources, `"${metric}"`)
      assert.include(["critical", "warning"], labels.severity)
      assert.include(Object.keys(codes), annotations.summary.slice(0, 6))
      assert.isNotEmpty(annotations.description)
    })
  }
})
