import { NotFoundProblem } from "@lowtide/api/problems"
import type { EventType } from "@lowtide/domain"
import { Ledger } from "@lowtide/ledger"
import { Effect } from "effect"
import { Centre, type CommittedView } from "../centre.ts"
import { orUnavailable } from "./asking.ts"
import { momentOf, readAt } from "./past.ts"
import { clusterOfService, type ServiceName, unknownDetail } from "./trace-query.ts"
import { unknownCluster } from "./views/clusters.ts"
import { readingOf } from "./views/reading.ts"
import { whyAnswer } from "./views/why.ts"

/** Events of each kind that are looked through: those that gave it addresses, and those that refused. */
const eventsMax = 20

/** Why a Service has the addresses that it has, or none; the only cluster that has such a Service is meant. */
export const askWhy = Effect.fnUntraced(function* (query: Omit<ServiceName, "cluster"> & { readonly at?: string }) {
  const cluster = yield* clusterOfService(query)
  return yield* askWhyIn({ ...query, cluster })
})

/** Why a Service of one cluster has the addresses that it has, or none. */
export const askWhyIn = Effect.fnUntraced(function* (query: ServiceName & { readonly at?: string }) {
  const { cluster, namespace, name } = query
  const ledger = yield* Ledger
  const moment = query.at === undefined ? undefined : yield* momentOf(query.at, "at")
  const newest = (type: EventType) =>
    orUnavailable(
      ledger.events({
        ...{ cluster, namespace, service: name, type, untilSeq: moment?.position },
        ...{ limit: eventsMax, order: "desc" }
      })
    )
  const centre = yield* Centre
  const fault = yield* orUnavailable(centre.read((view) => unknownCluster(view, cluster)))
  if (fault !== undefined) return yield* new NotFoundProblem({ detail: `cluster: ${fault}` })
  const ever = yield* orUnavailable(ledger.events({ cluster, namespace, service: name, limit: 1, order: "desc" }))
  const events = [
    ...(yield* newest("VipAssigned")),
    ...(yield* newest("VipAdopted")),
    ...(yield* newest("AssignmentRefused"))
  ]
  const answer = (view: CommittedView) => {
    const facts = { fleet: view.fleet, cluster, namespace, name, at: moment?.at ?? null, events }
    return whyAnswer(facts, readingOf(view))
  }
  const said = yield* readAt(moment, answer)
  // One that was never there is told from one that is gone, or was not there yet.
  if (said.standing !== "absent" || ever.length > 0) return said
  return yield* new NotFoundProblem({ detail: yield* unknownDetail({ cluster, namespace, name }) })
})
