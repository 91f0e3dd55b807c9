import { NotFoundProblem, UnavailableProblem as Unavailable, type UnavailableProblem } from "@lowtide/api/problems"
import type { Unavailable as LedgerUnavailable } from "@lowtide/ledger"
import { Effect } from "effect"
import { Centre, type CommittedView } from "../centre.ts"
import { unknownCluster } from "./views/clusters.ts"

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

/** A look at the committed fleet, about one cluster or all; a cluster that nobody knows is not found. */
export const look = <A>(cluster: string | undefined, project: (view: CommittedView) => A) =>
  Effect.gen(function* () {
    const centre = yield* Centre
    const seen = yield* orUnavailable(
      centre.read((view) => {
        const fault = unknownCluster(view, cluster)
        return fault === undefined ? { answer: project(view) } : { fault }
      })
    )
    return "answer" in seen ? seen.answer : yield* new NotFoundProblem({ detail: `cluster: ${seen.fault}` })
  })
