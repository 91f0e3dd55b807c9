/** Levels of lists and mappings in each other that are taken. */
export const nestingMax = 200

/** What is expected of a value that is stored or told of. */
export const nestingText = `lists and mappings at most ${nestingMax} deep in each other`

/**
 * Whether a value, or an object that lies so many levels in it, is deeper. What is written as JSON again, as an object is at many
 * places, takes a frame of the stack for each level.
 */
export const isTooDeep = (value: unknown, levelsAround = 0): boolean => {
  let level: ReadonlyArray<unknown> = [value]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > nestingMax + levelsAround) return true
    level = level.flatMap((each) => (typeof each === "object" && each !== null ? Object.values(each) : []))
  }
  return false
}
