/** Numbers and lists as sentences have them, for findings, views and verbs alike. */

/** `1 file`, `2 files`; `words` where more than one are not called the word with an s. */
export const plural = (count: number, word: string, words = `${word}s`): string =>
  `${count} ${count === 1 ? word : words}`

/** `a`, `a and b`, `a, b and c`; of more than `most` names the first ones, and how many there are beside them. */
export const listText = (names: ReadonlyArray<string>, most = Number.POSITIVE_INFINITY): string => {
  if (names.length > most) return `${names.slice(0, most).join(", ")} and ${names.length - most} more`
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`
}
