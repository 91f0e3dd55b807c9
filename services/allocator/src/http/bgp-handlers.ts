import { LowtideApi } from "@lowtide/api/api"
import type { Ledger } from "@lowtide/ledger"
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import type { Centre } from "../centre.ts"
import { askFlaps, askPeers, askRoutes } from "./bgp-query.ts"
import type { Past } from "./past.ts"

/** What routers are told, for the fleet. */
export const BgpHandlers = HttpApiBuilder.group(
  LowtideApi,
  "bgp",
  Effect.fn(function* (handlers) {
    const services = yield* Effect.context<Centre | Ledger | Past>()
    const asked = Effect.provideContext(services)
    return handlers.handleAll({
      peers: ({ query }) => asked(askPeers(query)),
      routes: ({ query }) => asked(askRoutes(query)),
      flaps: ({ query }) => asked(askFlaps(query))
    })
  })
)
