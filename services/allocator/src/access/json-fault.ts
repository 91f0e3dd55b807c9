const blank = /[ \t\r\n]*/y
const text = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y
const scalar = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y

/** What is nested deeper is not looked into. */
const depthMax = 100

/**
 * Where a text stops being JSON, and what stands there; undefined where all of it is. JSON.parse says so of some faults alone,
 * and quotes what stands around others.
 */
export const jsonFault = (source: string): string | undefined => {
  let at = 0
  const takes = (pattern: RegExp): boolean => {
    pattern.lastIndex = at
    const found = pattern.exec(source)
    at += found?.[0].length ?? 0
    return found !== null
  }
  const takesSign = (sign: string): boolean => {
    takes(blank)
    const isThere = source[at] === sign
    if (isThere) at += 1
    return isThere
  }
  const takesValue = (depth: number): boolean => {
    if (depth > depthMax) return false
    if (takesSign("{")) return takesSign("}") || takesAll(() => takesPair(depth), "}")
    if (takesSign("[")) return takesSign("]") || takesAll(() => takesValue(depth + 1), "]")
    return takes(text) || takes(scalar)
  }
  const takesPair = (depth: number): boolean => {
    takes(blank)
    return takes(text) && takesSign(":") && takesValue(depth + 1)
  }
  const takesAll = (takesOne: () => boolean, end: string): boolean => {
    do if (!takesOne()) return false
    while (takesSign(","))
    return takesSign(end)
  }
  if (takesValue(0) && takes(blank) && at === source.length) return undefined
  const lines = source.slice(0, at).split("\n")
  const found = at === source.length ? "the end of the file" : JSON.stringify(source[at])
  return `line ${lines.length}, column ${(lines.at(-1) ?? "").length + 1}: expected JSON, found ${found}`
}
