/** Characters that are written at once; more of them are not held as one text. */
const partMin = 1 << 16

/**
 * `JSON.stringify(value, null, 2)` in parts: of a list in an object, item by item, so that the whole may be longer than any
 * text can be (V8: half a gigabyte).
 */
export function* jsonParts(value: unknown): Generator<string> {
  let part = ""
  for (const piece of pieces(value)) {
    part += piece
    if (part.length < partMin) continue
    yield part
    part = ""
  }
  if (part !== "") yield part
}

function* pieces(value: unknown): Generator<string> {
  const members = Object.entries(isPlain(value) ? value : {}).filter(([, member]) => member !== undefined)
  if (members.length === 0) return yield JSON.stringify(value, null, 2) ?? "null"
  yield "{\n"
  for (const [index, [name, member]] of members.entries()) {
    yield `${index === 0 ? "" : ",\n"}  ${JSON.stringify(name)}: `
    if (!Array.isArray(member) || member.length === 0) {
      yield indentedJson(member, "  ")
      continue
    }
    for (const [place, item] of member.entries())
      yield `${place === 0 ? "[\n" : ",\n"}    ${indentedJson(item, "    ")}`
    yield "\n  ]"
  }
  yield "\n}"
}

/** The text of a value that stands so far in; its first line goes on where it is put. */
export const indentedJson = (value: unknown, indent: string): string =>
  (JSON.stringify(value, null, 2) ?? "null").replaceAll("\n", `\n${indent}`)

const isPlain = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !("toJSON" in value)
