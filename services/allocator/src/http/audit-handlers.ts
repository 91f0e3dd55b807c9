import { LowtideApi } from "@lowtide/api/api"
import type { Bus } from "@lowtide/bus"
import type { Ledger } from "@lowtide/ledger"
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import type { Centre } from "../centre.ts"
import { askHistory } from "./history-query.ts"
import { askHolder } from "./holder-query.ts"
import { askTrace, askTraceIn } from "./trace-query.ts"

/** What the log and the wire journal are asked. */
export const AuditHandlers = HttpApiBuilder.group(
  LowtideApi,
  "audit",
  Effect.fn(function* (handlers) {
    const services = yield* Effect.context<Centre | Ledger | Bus>()
    const asked = Effect.provideContext(services)
    return handlers.handleAll({
      holder: ({ params, query }) => asked(askHolder({ ...params, ...query })),
      history: ({ query }) => asked(askHistory(query)),
      trace: ({ params }) => asked(askTrace(params)),
      traceIn: ({ params }) => asked(askTraceIn(params))
    })
  })
)
