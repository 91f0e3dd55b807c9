import type { Fields } from "./reader.ts"
import { show } from "./reader.ts"
import type { LabelRequirement, LabelSelector } from "./selectors.ts"

/** Reads a list of LabelSelectors, reporting malformed requirements (LT0113) and duplicates (LT0114). */
export const readSelectors = (fields: Fields, name: string): ReadonlyArray<LabelSelector> => {
  const seen = new Set<string>()
  const selectors: Array<LabelSelector> = []
  for (const item of fields.mappings(name)) {
    const selector = readSelector(item)
    const text = selectorText(selector)
    if (seen.has(text)) item.reader.report("LT0114", item.path, "each selector once", "the same selector again")
    else selectors.push(selector)
    seen.add(text)
  }
  return selectors
}

/** One text for all spellings of a selector that differ in the order of keys and values only. */
export const selectorText = (selector: LabelSelector): string => {
  const labels = Object.entries(selector.matchLabels).map(([key, value]) => `${key}=${value}`)
  const expressions = selector.matchExpressions.map(
    ({ key, operator, values }) => `${key} ${operator} (${[...values].sort().join(",")})`
  )
  return [...labels, ...expressions].sort().join(";")
}

/** Reads one LabelSelector. */
export const readSelector = (fields: Fields): LabelSelector => {
  const matchLabels = fields.texts("matchLabels")
  const seen = new Set<string>()
  const matchExpressions = fields.mappings("matchExpressions").flatMap((item) =>
    readRequirement(item).filter((requirement) => {
      const text = selectorText({ matchLabels: {}, matchExpressions: [requirement] })
      if (seen.has(text)) item.reader.report("LT0114", item.path, "each requirement once", "the same one again")
      return !seen.has(text) && seen.add(text)
    })
  )
  fields.reportUnknown()
  return { matchLabels, matchExpressions }
}

const readRequirement = (fields: Fields): ReadonlyArray<LabelRequirement> => {
  fields.require("key", "the name of a label")
  const key = fields.string("key")
  fields.require("operator", "In, NotIn, Exists or DoesNotExist")
  const operator = fields.oneOf("operator", ["In", "NotIn", "Exists", "DoesNotExist"])
  const values = fields.strings("values")
  fields.reportUnknown()
  if (key === undefined || operator === undefined) return []
  const wantsValues = operator === "In" || operator === "NotIn"
  if (wantsValues !== values.length > 0) {
    const expected = wantsValues ? `values for operator ${operator}` : `no values for operator ${operator}`
    fields.reader.report("LT0113", fields.at("values"), expected, values.length === 0 ? "none" : show(values))
    return []
  }
  return [{ key, operator, values }]
}
