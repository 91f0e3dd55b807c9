import { LowtideApi } from "@lowtide/api/api"
import { Clock, Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Centre } from "../centre.ts"
import { look } from "./asking.ts"
import { findingList } from "./views/findings.ts"
import { nodeList } from "./views/nodes.ts"
import { peerList } from "./views/peers.ts"
import { poolList } from "./views/pools.ts"
import { serviceList } from "./views/services.ts"

/** The lists: each one look at the committed fleet. */
export const FleetHandlers = HttpApiBuilder.group(
  LowtideApi,
  "fleet",
  Effect.fn(function* (handlers) {
    const centre = yield* Centre
    const asked = Effect.provideService(Centre, centre)
    return handlers.handleAll({
      services: Effect.fnUntraced(function* ({ query }) {
        const nowMs = yield* Clock.currentTimeMillis
        return yield* asked(look(query.cluster, (view) => serviceList(view, query, nowMs)))
      }),
      pools: ({ query }) => asked(look(query.cluster, (view) => poolList(view, query))),
      findings: Effect.fnUntraced(function* ({ query }) {
        const nowMs = yield* Clock.currentTimeMillis
        return yield* asked(look(query.cluster, (view) => findingList(view, query, nowMs)))
      }),
      peers: Effect.fnUntraced(function* ({ query }) {
        const nowMs = yield* Clock.currentTimeMillis
        return yield* asked(look(query.cluster, (view) => peerList(view, query, nowMs)))
      }),
      nodes: Effect.fnUntraced(function* ({ query }) {
        const nowMs = yield* Clock.currentTimeMillis
        return yield* asked(look(query.cluster, (view) => nodeList(view, query, nowMs)))
      })
    })
  })
)
