import { type Finding, formatObjectRef, isFleetKind } from "@lowtide/domain"
import { plural } from "@lowtide/domain/words"

/** A finding as offline verbs give it in JSON; the namespace is empty for an object without one. */
const findingJson = ({ code, severity, object, field, message, fix }: Finding) => ({
  code,
  severity,
  object: { kind: object.kind, namespace: object.namespace ?? "", name: object.name },
  field,
  message,
  fix
})

/** Whether it is about one of the fleet's own objects, which no cluster has. */
export const isOfFleet = ({ object }: Finding): boolean => isFleetKind(object.kind)

/** Findings of several clusters, each with its cluster's name; of one cluster there is no need of it. */
export const clusterFindings = (
  clusters: ReadonlyArray<{ readonly cluster: string; readonly findings: ReadonlyArray<Finding> }>
) =>
  clusters.flatMap(({ cluster, findings }) =>
    findings.map((found) => ({
      ...(clusters.length > 1 && !isOfFleet(found) ? { cluster } : {}),
      ...findingJson(found)
    }))
  )

/** `2 errors, 1 warning`. */
export const countText = (findings: ReadonlyArray<Finding>): string => {
  const errors = findings.filter(({ severity }) => severity === "error").length
  const warnings = findings.length - errors
  return `${plural(errors, "error")}, ${plural(warnings, "warning")}`
}

/**
 * A finding for people: what and where, what is so, what to do. The place comes in the form that editors and terminals
 * know as a link.
 */
export const findingBlock = (found: Finding, hasColour: boolean): string => {
  const { severity, code, source, object, field, message, fix } = found
  const paint = (text: string, style: string) => (hasColour ? `\u001b[${style}m${text}\u001b[0m` : text)
  const subject = field === "" ? formatObjectRef(object) : `${formatObjectRef(object)} ${field}`
  const said = message.startsWith(`${subject}: `) ? message.slice(subject.length + 2) : message
  const place = source === undefined ? "" : ` ${source.file}:${source.line}`
  return [
    `${paint(severity, severity === "error" ? "31" : "33")} ${code}${place} ${paint(subject, "1")}`,
    `  ${said}`,
    `  fix: ${fix}`
  ].join("\n")
}
