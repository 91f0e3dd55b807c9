import { readFileSync } from "node:fs"
import { Effect } from "effect"

/** How often files are looked at. A mounted Secret is exchanged by way of links, which a watch on the file does not see. */
const lookEveryMs = 1_000

/**
 * Hands the texts of files to `take` whenever one of them is another than before, for ever; `before` are those that the
 * process began with. While one cannot be read nothing is handed on, and `unreadable` is told once; then they are handed on
 * again, whatever they say.
 */
export const followFiles = (
  files: ReadonlyArray<string>,
  before: ReadonlyArray<string>,
  take: (texts: ReadonlyArray<string>) => Effect.Effect<void>,
  unreadable: (fault: string) => Effect.Effect<void> = (fault) =>
    Effect.logError(`${fault}; what it said before stays in effect`)
): Effect.Effect<never> =>
  Effect.suspend(() => {
    let last = JSON.stringify(before)
    let said = ""
    const look = Effect.try({
      try: () => files.map((file) => readFileSync(file, "utf8")),
      catch: (cause) => (cause instanceof Error ? cause.message : String(cause))
    }).pipe(
      Effect.flatMap((texts) => {
        said = ""
        const text = JSON.stringify(texts)
        if (text === last) return Effect.void
        last = text
        return take(texts)
      }),
      Effect.catch((fault) => {
        if (fault === said) return Effect.void
        said = fault
        last = ""
        return unreadable(fault)
      })
    )
    return Effect.forever(Effect.andThen(Effect.sleep(lookEveryMs), look))
  })
