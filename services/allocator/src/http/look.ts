import { NotFoundProblem } from "@lowtide/api/problems"
import { Clock, Effect } from "effect"
import { Centre, type CommittedView } from "../centre.ts"
import { orUnavailable } from "./asking.ts"
import { momentOf, Past } from "./past.ts"
import { unknownCluster } from "./views/clusters.ts"

/**
 * A look at the fleet, as committed or at the moment that `at` names, about one cluster or all; a cluster that nobody knows
 * is not found. `project` is given the time that the look is of, by which the age of what nodes said is told.
 */
export const look = <A>(
  { cluster, at }: { readonly cluster?: string; readonly at?: string },
  project: (view: CommittedView, nowMs: number) => A
) =>
  Effect.gen(function* () {
    const centre = yield* Centre
    const answer = (view: CommittedView, nowMs: number, then?: string) => {
      const fault = unknownCluster(view, cluster, then)
      return fault === undefined ? { answer: project(view, nowMs) } : { fault }
    }
    const nowMs = yield* Clock.currentTimeMillis
    const seen =
      at === undefined
        ? yield* orUnavailable(centre.read((view) => answer(view, nowMs)))
        : yield* Effect.gen(function* () {
            const moment = yield* momentOf(at, "at")
            return answer(yield* (yield* Past).viewAt(moment), Date.parse(moment.at), moment.at)
          })
    return "answer" in seen ? seen.answer : yield* new NotFoundProblem({ detail: `cluster: ${seen.fault}` })
  })
