import type { HolderAnswer } from "@lowtide/api/holder"
import { canonicalIp } from "@lowtide/api/parameters"
import { AmbiguousProblem } from "@lowtide/api/problems"
import { Ledger } from "@lowtide/ledger"
import { Effect } from "effect"
import { Centre, type CommittedView } from "../centre.ts"
import { orUnavailable } from "./asking.ts"
import { holderAnswer } from "./views/holder.ts"
import { readingOf } from "./views/reading.ts"

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
  const { reading, networks } = yield* orUnavailable(
    centre.read((view) => ({ reading: readingOf(view), networks: networksOf(view, address) }))
  )
  const [network = "default", ...others] = query.network === undefined ? networks : [query.network]
  if (others.length > 0) {
    return yield* new AmbiguousProblem({
      detail: `${address} is known in several networks: name one`,
      candidates: networks
    })
  }
  const stretches = yield* orUnavailable(ledger.history({ network, address }))
  const answer: HolderAnswer = holderAnswer({ network, address, at }, stretches, reading)
  return answer
})

/** Networks that have given the address out at some time. */
export const networksOf = (view: CommittedView, address: string): ReadonlyArray<string> =>
  [...view.fleet.networks.keys()].filter((network) => view.fleet.vip(network, address) !== undefined).sort()
