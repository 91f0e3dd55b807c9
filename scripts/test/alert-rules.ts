import { globSync, readFileSync } from "node:fs"
import { parse } from "yaml"

const root = new URL("../../", import.meta.url).pathname

/** An alert of deploy/prometheus. */
export interface AlertRule {
  readonly alert: string
  readonly expr: string
  readonly labels: { readonly severity: string }
  readonly annotations: { readonly summary: string; readonly description: string; readonly runbook: string }
}

interface AlertCase {
  readonly alertname: string
  readonly exp_alerts: ReadonlyArray<unknown>
}

const read = <Document>(pattern: string): ReadonlyArray<Document> =>
  globSync(pattern, { cwd: root }).map((file) => parse(readFileSync(`${root}${file}`, "utf8")))

export const alertRules = read<{ readonly groups: ReadonlyArray<{ readonly rules: ReadonlyArray<AlertRule> }> }>(
  "deploy/prometheus/*.yml"
).flatMap(({ groups }) => groups.flatMap(({ rules }) => rules))

/** What promtool is told to expect of the alerts. */
export const alertCases = read<{
  readonly tests: ReadonlyArray<{ readonly alert_rule_test: ReadonlyArray<AlertCase> }>
}>("deploy/prometheus/test/*.yml").flatMap(({ tests }) => tests.flatMap(({ alert_rule_test }) => alert_rule_test))

export const metricsOf = ({ expr }: AlertRule): ReadonlyArray<string> => expr.match(/lowtide_\w+/g) ?? []

const sources = new Map(
  ["allocator", "agent", "speaker"].map((service) => [
    service,
    globSync(`services/${service}/src/**/*.ts`, { cwd: root })
      .map((file) => readFileSync(`${root}${file}`, "utf8"))
      .join("\n")
  ])
)

/** The services whose sources name the metric. */
export const exportersOf = (metric: string): ReadonlyArray<string> =>
  [...sources].flatMap(([service, text]) => (text.includes(`"${metric}"`) ? [service] : []))
