import { type Finding, formatObjectRef } from "@lowtide/domain"
import { plural } from "@lowtide/domain/words"

/** A finding as offline verbs give it in JSON; the namespace is empty for an object without one. */
export const findingJson = ({ code, severity, object, field, message, fix }: Finding) => ({
  code,
  severity,
  object: { kind: object.kind, namespace: object.namespace ?? "", name: object.name },
  field,
  message,
  fix
})

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
