import { LowtideApi } from "@lowtide/api/api"
import { Ledger } from "@lowtide/ledger"
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Centre, type CommittedView } from "../centre.ts"
import { RouterReports } from "../router-reports.ts"
import { unreadKind } from "../wire-journal.ts"
import { orUnavailable } from "./asking.ts"
import { look } from "./look.ts"
import type { Past } from "./past.ts"
import { approvalList } from "./views/approvals.ts"
import { evidenceList } from "./views/evidence.ts"
import { findingList } from "./views/findings.ts"
import { quotaList, reservationList, sharedAddressList } from "./views/fleet-objects.ts"
import { nodeList } from "./views/nodes.ts"
import { peerList } from "./views/peers.ts"
import { poolList } from "./views/pools.ts"
import { serviceList } from "./views/services.ts"
import { vipList } from "./views/vips.ts"

/** Rows for reports that could not be read, of one look: more than there are nodes with such a fault, and writes, in a while. */
const unreadMax = 500

/** A look that knows as well whose reports could not be read. Of an earlier time the history tells it. */
const withUnread = <A>(
  query: { readonly cluster?: string; readonly at?: string },
  project: (view: CommittedView, nowMs: number) => A
) =>
  Effect.gen(function* () {
    const ledger = yield* Ledger
    const unread =
      query.at === undefined
        ? yield* orUnavailable(ledger.wire({ kind: unreadKind, limit: unreadMax, order: "desc" }))
        : []
    return yield* look(query, (view, nowMs) => project({ ...view, unread }, nowMs))
  })

/** The lists: each one look at the fleet, as committed or at an earlier time. */
export const FleetHandlers = HttpApiBuilder.group(
  LowtideApi,
  "fleet",
  Effect.fn(function* (handlers) {
    const centre = yield* Centre
    const routers = yield* RouterReports
    const services = yield* Effect.context<Centre | Ledger | Past>()
    const asked = Effect.provideContext(services)
    return handlers.handleAll({
      services: ({ query }) => asked(look(query, (view, nowMs) => serviceList(view, query, nowMs))),
      pools: ({ query }) => asked(look(query, (view) => poolList(view, query))),
      reservations: ({ query }) => asked(look(query, reservationList)),
      quotas: ({ query }) => asked(look(query, quotaList)),
      sharedAddresses: ({ query }) => asked(look(query, sharedAddressList)),
      approvals: ({ query }) => asked(look(query, approvalList)),
      vips: ({ query }) => asked(look(query, (view, nowMs) => vipList(view, query, nowMs))),
      findings: Effect.fnUntraced(function* ({ query }) {
        // Of times before nothing is known but what the log says.
        const { recovery, role } = query.at === undefined ? yield* centre.health : { recovery: null, role: "leader" }
        const contested = role === "leader" ? recovery?.contested : "unknown"
        return yield* asked(withUnread(query, (view, nowMs) => findingList(view, query, nowMs, contested)))
      }),
      evidence: ({ query }) => asked(look(query, (view, nowMs) => evidenceList(view, routers, query, nowMs))),
      peers: ({ query }) => asked(look(query, (view, nowMs) => peerList(view, query, nowMs))),
      nodes: ({ query }) => asked(withUnread(query, (view, nowMs) => nodeList(view, query, nowMs)))
    })
  })
)
