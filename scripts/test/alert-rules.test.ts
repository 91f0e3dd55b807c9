import { readFileSync } from "node:fs"
import { codes } from "@lowtide/domain"
import { assert, describe, it } from "vitest"
import { alertCases, alertRules, exportersOf, metricsOf } from "./alert-rules.ts"

const root = new URL("../../", import.meta.url).pathname

/** The anchors of a page's headings, as code hosts make them. */
const anchorsOf = (page: string): ReadonlyArray<string> =>
  [...readFileSync(`${root}${page}`, "utf8").matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-")
  )

describe("alert rules", () => {
  it("have names of their own", () => {
    assert.isNotEmpty(alertRules)
    assert.strictEqual(new Set(alertRules.map(({ alert }) => alert)).size, alertRules.length)
  })

  for (const rule of alertRules) {
    const { alert, labels, annotations } = rule
    const { summary, description, runbook } = annotations

    it(`${alert} speaks of metrics of the service that it names, and of a code that has a fix`, () => {
      assert.isNotEmpty(metricsOf(rule))
      const [, named] =
        /the (allocator|agent|speaker) {{ \$labels\.instance }}/i.exec(`${summary} ${description}`) ?? []
      for (const metric of metricsOf(rule)) {
        const exporters = exportersOf(metric)
        assert.lengthOf(exporters, 1, `${metric} is of one service`)
        if (named !== undefined) assert.strictEqual(exporters[0], named, metric)
      }
      assert.notMatch(
        `${summary} ${description}`.replaceAll(/the (allocator|agent|speaker) {{ \$labels\.instance }}/gi, ""),
        /instance/
      )
      assert.include(["critical", "warning"], labels.severity)
      assert.include(Object.keys(codes), summary.slice(0, 6))
      assert.isNotEmpty(description)
    })

    it(`${alert} leads to a place in the docs`, () => {
      const [page = "", anchor] = runbook.split("#")
      assert.match(page, /^docs\/.*\.md$/)
      assert.include(anchorsOf(page), anchor)
    })

    it(`${alert} has cases in which it fires, and in which it is silent`, () => {
      const cases = alertCases.filter(({ alertname }) => alertname === alert)
      assert.isTrue(cases.some(({ exp_alerts }) => exp_alerts.length > 0))
      assert.isTrue(cases.some(({ exp_alerts }) => exp_alerts.length === 0))
    })
  }

  it("are all that there are cases for", () => {
    const names = alertRules.map(({ alert }) => alert)
    for (const { alertname } of alertCases) assert.include(names, alertname)
  })
})
