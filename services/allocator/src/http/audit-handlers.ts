import { LowtideApi } from "@lowtide/api/api"
import type { Bus } from "@lowtide/bus"
import type { Ledger } from "@lowtide/ledger"
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import type { Centre } from "../centre.ts"
import { askDiff } from "./diff-query.ts"
import { beginExport } from "./export-query.ts"
import { askHistory } from "./history-query.ts"
import { askHolder } from "./holder-query.ts"
import type { Past } from "./past.ts"
import { askCheckpoints, askProof } from "./proof-query.ts"
import { askReads } from "./reads-query.ts"
import { askTrace, askTraceIn } from "./trace-query.ts"
import { askWhy, askWhyIn } from "./why-query.ts"

/** What the log and the wire journal are asked. */
export const AuditHandlers = HttpApiBuilder.group(
  LowtideApi,
  "audit",
  Effect.fn(function* (handlers) {
    const services = yield* Effect.context<Centre | Ledger | Bus | Past>()
    const asked = Effect.provideContext(services)
    return handlers.handleAll({
      holder: ({ params, query }) => asked(askHolder({ ...params, ...query })),
      diff: ({ query }) => asked(askDiff(query)),
      history: ({ query }) => asked(askHistory(query)),
      trace: ({ params, query }) => asked(askTrace({ ...params, ...query })),
      traceIn: ({ params, query }) => asked(askTraceIn({ ...params, ...query })),
      why: ({ params, query }) => asked(askWhy({ ...params, ...query })),
      whyIn: ({ params, query }) => asked(askWhyIn({ ...params, ...query })),
      checkpoints: ({ query }) => asked(askCheckpoints(query)),
      proof: ({ params, query }) => asked(askProof({ ...params, ...query })),
      reads: ({ query }) => asked(askReads(query)),
      export: ({ query }) => asked(beginExport(query))
    })
  })
)
