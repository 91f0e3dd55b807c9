import { Caller } from "@lowtide/api/access"
import { LowtideApi } from "@lowtide/api/api"
import { type OrderAnswer, orderEventsMax } from "@lowtide/api/orders"
import { canonicalIp } from "@lowtide/api/parameters"
import { AmbiguousProblem, NotFoundProblem } from "@lowtide/api/problems"
import { type Command, newestFleetVersion } from "@lowtide/domain"
import { Ledger } from "@lowtide/ledger"
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Centre } from "../centre.ts"
import { orUnavailable } from "./asking.ts"
import { carryOut } from "./carry-out.ts"
import { networksOf } from "./holder-query.ts"
import { unknownNetwork } from "./views/clusters.ts"
import { addressPoolFindings } from "./views/findings.ts"
import { eventEntry } from "./views/history.ts"
import { readingOf } from "./views/reading.ts"

/** What people order. */
export const OrderHandlers = HttpApiBuilder.group(
  LowtideApi,
  "orders",
  Effect.fn(function* (handlers) {
    const services = yield* Effect.context<Centre | Ledger>()
    const asked = Effect.provideContext(services)
    return handlers.handleAll({
      retireNode: ({ params, payload }) => asked(give({ _tag: "RetireNode", ...params }, payload)),
      approve: ({ params, payload: { revision, ...order } }) =>
        asked(give({ _tag: "ApproveWithdrawals", ...params, revision }, order)),
      reject: ({ params, payload: { revision, ...order } }) =>
        asked(give({ _tag: "RejectWithdrawals", ...params, revision }, order)),
      releaseBrake: ({ params, query, payload }) => asked(give({ _tag: "ReleaseBrake", ...params, ...query }, payload)),
      apply: ({ payload }) => {
        const { apiVersion, kind, metadata, spec } = payload.object
        const manifest = {
          apiVersion,
          kind,
          namespace: "",
          name: metadata.name,
          ...(metadata.labels === undefined ? {} : { labels: metadata.labels }),
          ...(spec === undefined ? {} : { spec })
        }
        return asked(
          Effect.gen(function* () {
            const answer = yield* give({ _tag: "ApplyFleetObject", manifest }, payload)
            if (kind !== "AddressPool") return answer
            const findings = yield* orUnavailable(
              (yield* Centre).read((view) => addressPoolFindings(view, metadata.name))
            )
            return { ...answer, findings }
          })
        )
      },
      deleteObject: ({ params, payload }) => asked(give({ _tag: "DeleteFleetObject", ...params }, payload)),
      finaliseFleet: ({ payload }) => asked(give({ _tag: "FinaliseFleet", version: newestFleetVersion }, payload)),
      forceRelease: ({ params, query, payload }) =>
        asked(
          Effect.gen(function* () {
            const address = canonicalIp(params.address)
            const network = yield* networkOf(address, query.network)
            return yield* give({ _tag: "ForceRelease", network, address }, payload)
          })
        )
    })
  })
)

/** The network that an address is of, where only one knows it. */
const networkOf = Effect.fnUntraced(function* (address: string, network: string | undefined) {
  const centre = yield* Centre
  const { known, fault } = yield* orUnavailable(
    centre.read((view) => ({ known: networksOf(view, address), fault: unknownNetwork(view, network) }))
  )
  if (fault !== undefined) return yield* new NotFoundProblem({ detail: `network: ${fault}` })
  if (network !== undefined) return network
  const [only, ...others] = known
  if (others.length > 0) {
    return yield* new AmbiguousProblem({
      detail: `${address} is known in several networks: name one`,
      candidates: known
    })
  }
  return only ?? (yield* new NotFoundProblem({ detail: `address: expected one that was given out, found ${address}` }))
})

/** Has an order decided, and tells what it led to. */
const give = Effect.fnUntraced(function* (
  command: Command,
  { commandId, reason }: { readonly commandId: string; readonly reason?: string }
) {
  const centre = yield* Centre
  const ledger = yield* Ledger
  const caller = yield* Caller
  const { seqFrom, seqTo } = yield* carryOut({
    ...{ commandId, caller, command },
    ...(reason === undefined ? {} : { words: reason })
  })
  const events =
    seqFrom === null || seqTo === null
      ? []
      : yield* orUnavailable(ledger.events({ sinceSeq: seqFrom, untilSeq: seqTo, limit: orderEventsMax, order: "asc" }))
  const reading = yield* orUnavailable(centre.read(readingOf))
  const answer: OrderAnswer = { ...reading, commandId, seqFrom, seqTo, items: events.map(eventEntry) }
  return answer
})
