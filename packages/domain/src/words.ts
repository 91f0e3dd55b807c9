/** Numbers and lists as sentences have them, for findings, views and verbs alike. */

/** `1 file`, `2 files`; `words` where more than one are not called the word with an s. */
export const plural = (count: number, word: string, words = `${word}s`): string =>
  `${count} ${count === 1 ? word : words}`

/** `a`, `a and b`, `a, b and c`; of more than `most` names the first ones, and how many there are beside them. */
export const listText = (names: ReadonlyArray<string>, most = Number.POSITIVE_INFINITY): string => {
  if (names.length > most) return `${names.slice(0, most).join(", ")} and ${names.length - most} more`
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`
}

/** Text order that does not depend on the machine's language. */
export const compareTexts = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0)

/** ` (did you mean shop/web?)` where one of the names is likely to be meant, else nothing. */
export const didYouMean = (found: string, names: Iterable<string>): string => {
  const nearest = nearestName(found, names)
  return nearest === undefined ? "" : ` (did you mean ${nearest}?)`
}

/** Whether so few edits may lead from one to the other that it is worth counting them. */
export const isNearInLength = (found: string, name: string): boolean =>
  Math.abs(name.length - found.length) <= editsMax(found)

const editsMax = (found: string): number => Math.max(1, Math.floor(found.length / 4))

/** The one of the names that takes the fewest edits, of a quarter of its letters at most; undefined when none is that near, or it is there. */
const nearestName = (found: string, names: Iterable<string>): string | undefined => {
  let nearest: string | undefined
  let least = editsMax(found) + 1
  for (const name of names) {
    if (Math.abs(name.length - found.length) >= least) continue
    const count = editsBetween(found, name)
    if (count === 0) return undefined
    if (count < least) [nearest, least] = [name, count]
  }
  return nearest
}

/** How many letters are to be put in, taken out, exchanged, or swapped with the next one (optimal string alignment). */
const editsBetween = (one: string, other: string): number => {
  // Names of one namespace begin alike, and that is most of the work.
  let alike = 0
  while (alike < one.length && one[alike] === other[alike]) alike += 1
  const [left, right] = [one.slice(alike), other.slice(alike)]
  let twoAbove: ReadonlyArray<number> = []
  let above = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (let row = 1; row <= left.length; row++) {
    const here = [row]
    for (let column = 1; column <= right.length; column++) {
      const isSame = left[row - 1] === right[column - 1]
      const isSwapped = left[row - 2] === right[column - 1] && left[row - 1] === right[column - 2]
      const swapped = row > 1 && column > 1 && isSwapped ? (twoAbove[column - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY
      const exchanged = (above[column - 1] ?? 0) + (isSame ? 0 : 1)
      here.push(Math.min(swapped, exchanged, (above[column] ?? 0) + 1, (here[column - 1] ?? 0) + 1))
    }
    twoAbove = above
    above = here
  }
  return above.at(-1) ?? 0
}
