import type { HolderAnswer } from "@lowtide/api/holder"
import { canonicalIp } from "@lowtide/api/parameters"
import { AmbiguousProblem, InvalidQueryProblem, NotFoundProblem } from "@lowtide/api/problems"
import { Ledger } from "@lowtide/ledger"
import { Clock, Effect } from "effect"
import { Centre, type CommittedView } from "../centre.ts"
import { orUnavailable } from "./asking.ts"
import { networkNames, unknownNetwork } from "./views/clusters.ts"
import { holderAnswer, neverGivenOut } from "./views/holder.ts"
import { readingOf } from "./views/reading.ts"

/** How far ahead of the allocator's clock the clock of who asks may be, milliseconds. */
const clockLeadMsMax = 1000

/** Who holds, or held, an address. Without a network, the one that knows the address is meant. */
export const askHolder = Effect.fnUntraced(function* (query: {
  readonly address: string
  readonly at?: string
  readonly network?: string
}) {
  const centre = yield* Centre
  const ledger = yield* Ledger
  const address = canonicalIp(query.address)
  const at = query.at === undefined ? null : new Date(query.at).toISOString()
  yield* refuseFuture(at)
  const { reading, networks, known, fault } = yield* orUnavailable(
    centre.read((view) => ({
      reading: readingOf(view),
      networks: networksOf(view, address),
      known: networkNames(view),
      fault: unknownNetwork(view, query.network)
    }))
  )
  if (fault !== undefined) return yield* new NotFoundProblem({ detail: `network: ${fault}` })
  const [network, ...others] = query.network === undefined ? networks : [query.network]
  if (others.length > 0) {
    return yield* new AmbiguousProblem({
      detail: `${address} is known in several networks: name one`,
      candidates: networks
    })
  }
  if (network === undefined) return neverGivenOut({ address, at }, known, reading)
  const stretches = yield* orUnavailable(ledger.history({ network, address }))
  const answer: HolderAnswer = holderAnswer({ network, address, at }, stretches, reading)
  return answer
})

/** Nobody knows who will hold an address. */
const refuseFuture = Effect.fnUntraced(function* (at: string | null) {
  const nowMs = yield* Clock.currentTimeMillis
  if (at === null || Date.parse(at) <= nowMs + clockLeadMsMax) return
  return yield* new InvalidQueryProblem({
    field: "at",
    detail: `at: expected a moment that is past, found ${at}; it is ${new Date(nowMs).toISOString()}`
  })
})

/** Networks that have given the address out at some time. */
export const networksOf = (view: CommittedView, address: string): ReadonlyArray<string> =>
  [...view.fleet.networks.keys()].filter((network) => view.fleet.vip(network, address) !== undefined).sort()
