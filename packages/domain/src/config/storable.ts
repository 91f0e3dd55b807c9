/**
 * What PostgreSQL stores as part of JSON, and then fails whoever reads any text of that JSON: U+0000, and half of a surrogate
 * pair. One such label would take an event's row, and all beside it, from auditors. Answers the first of a value's texts and
 * keys, as `U+D800`; undefined where there is none.
 */
export const unstorableIn = (value: unknown): string | undefined => {
  // Of all characters JSON.stringify writes these, and other control characters, as escapes; whole pairs as they are.
  const json = JSON.stringify(value) ?? ""
  const found = json.includes("\\u") ? /(?<!\\)(?:\\\\)*\\u(0000|d[89a-f][0-9a-f]{2})/.exec(json)?.[1] : undefined
  return found === undefined ? undefined : `U+${found.toUpperCase()}`
}

/** What is expected of text that is stored. */
export const storableText = "text without U+0000 and without halves of surrogate pairs"
