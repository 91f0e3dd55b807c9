import { UnavailableProblem as Unavailable, type UnavailableProblem } from "@lowtide/api/problems"
import type { Unreadable } from "@lowtide/domain"
import type { Unavailable as LedgerUnavailable } from "@lowtide/ledger"
import { Effect } from "effect"

/** What the ledger cannot answer is a 503: the database is away, or the log holds what this release cannot read. */
export const orUnavailable = <A, E, R>(
  effect: Effect.Effect<A, E | LedgerUnavailable | Unreadable, R>
): Effect.Effect<A, Exclude<E, LedgerUnavailable | Unreadable> | UnavailableProblem, R> =>
  Effect.catchIf(effect, isUnanswered, (error) =>
    Effect.fail(
      error._tag === "Unreadable"
        ? new Unavailable({ detail: error.detail, code: error.code })
        : new Unavailable({ detail: error.message, code: "LT0501" })
    )
  ) as Effect.Effect<A, Exclude<E, LedgerUnavailable | Unreadable> | UnavailableProblem, R>

const isUnanswered = <E>(error: E | LedgerUnavailable | Unreadable): error is LedgerUnavailable | Unreadable => {
  const tag = (error as { readonly _tag?: string } | null)?._tag
  return tag === "Unavailable" || tag === "Unreadable"
}
