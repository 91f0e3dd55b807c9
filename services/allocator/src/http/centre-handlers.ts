import { LowtideApi } from "@lowtide/api/api"
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Centre } from "../centre.ts"
import { orUnavailable } from "./asking.ts"
import { allocatorItems } from "./views/allocators.ts"
import { readingOf } from "./views/reading.ts"

/** What the allocators say of themselves. */
export const CentreHandlers = HttpApiBuilder.group(
  LowtideApi,
  "centre",
  Effect.fn(function* (handlers) {
    const centre = yield* Centre
    return handlers.handleAll({
      allocators: Effect.fnUntraced(function* () {
        const known = yield* centre.allocators
        const reading = yield* orUnavailable(centre.read(readingOf))
        return { ...reading, items: allocatorItems(known, reading.position) }
      })
    })
  })
)
