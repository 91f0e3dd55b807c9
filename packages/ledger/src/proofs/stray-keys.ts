/**
 * Whether a JSON text has a key that the value which was read from it has not: one that no hash covers, or one that stands
 * there twice, so that people and programs read different things. The text has to be JSON.
 */
export const hasStrayKey = (text: string, value: unknown): boolean =>
  text !== JSON.stringify(value) && keysInText(text) !== keysIn(value) // as Lowtide writes it, which is soon seen

/** By hand: a pattern over a text of megabytes in quotes overflows the stack. */
const keysInText = (text: string): number => {
  let count = 0
  for (let start = text.indexOf('"'); start >= 0; ) {
    let after = endOfQuoted(text, start)
    while (after < text.length && " \t\r\n".includes(text.charAt(after))) after += 1
    if (text.charAt(after) === ":") count += 1
    start = text.indexOf('"', after)
  }
  return count
}

/** Behind the quote that ends what begins with one. */
const endOfQuoted = (text: string, start: number): number => {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let first = end
    while (text.charAt(first - 1) === "\\") first -= 1
    if ((end - first) % 2 === 0) return end + 1
  }
  return text.length
}

const keysIn = (value: unknown): number => {
  if (typeof value !== "object" || value === null) return 0
  const own = Array.isArray(value) ? 0 : Object.keys(value).length
  return Object.values(value).reduce<number>((count, inner) => count + keysIn(inner), own)
}
