import { UnavailableProblem as Unavailable, type UnavailableProblem } from "@lowtide/api/problems"
import type { Unavailable as LedgerUnavailable } from "@lowtide/ledger"
import { Effect } from "effect"

/** What the ledger cannot answer is a 503 with the code of a database that is away. */
export const orUnavailable = <A, E, R>(
  effect: Effect.Effect<A, E | LedgerUnavailable, R>
): Effect.Effect<A, Exclude<E, LedgerUnavailable> | UnavailableProblem, R> =>
  Effect.catchIf(
    effect,
    (error): error is Extract<E | LedgerUnavailable, LedgerUnavailable> =>
      (error as { readonly _tag?: string } | null)?._tag === "Unavailable",
    (error) => Effect.fail(new Unavailable({ detail: error.message, code: "LT0501" }))
  ) as Effect.Effect<A, Exclude<E, LedgerUnavailable> | UnavailableProblem, R>
