import { codes } from "@lowtide/domain"
import { followFiles } from "@lowtide/ops"
import { Effect, Metric, Result } from "effect"
import { readTokens, type TokenBook } from "./tokens.ts"

const stale = Metric.gauge("lowtide_tokens_stale", {
  description: "1 while the tokens file is not what it should be, and the tokens that it named before stay good"
})

/**
 * The tokens that the file names, now and whenever it changes, for as long as the scope is open. A file that is not valid,
 * or is gone, is told (LT0610), and takes no token away: nobody could correct it by the API.
 */
export const followTokens = Effect.fnUntraced(function* (file: string, text: string, begin: TokenBook) {
  let current = begin
  const refused = (fault: string) =>
    Effect.andThen(Metric.update(stale, 1), Effect.logError(`LT0610 ${file}: ${fault}. Fix: ${codes.LT0610.fix}`))
  const take = ([now = ""]: ReadonlyArray<string>) =>
    Result.match(readTokens(now), {
      onFailure: ({ faults }) => refused(faults.join("; ")),
      onSuccess: (book) =>
        Effect.gen(function* () {
          current = book
          yield* Metric.update(stale, 0)
          yield* Effect.logInfo(`the tokens of ${file} are read anew`)
        })
    })
  yield* Metric.update(stale, 0)
  yield* Effect.forkScoped(followFiles([file], [text], take, refused))
  const book: TokenBook = { holderOf: (token) => current.holderOf(token) }
  return book
})
