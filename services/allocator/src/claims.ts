import type { ContestedAddress } from "@lowtide/api/recovery"
import {
  codes,
  doubleHoldings,
  type Fleet,
  isTaken,
  type RememberedVip,
  type Stamp,
  VipIntent,
  type VipState
} from "@lowtide/domain"
import { Effect, Option, Schema } from "effect"

/** What somebody remembers that a cluster has. */
export interface Claim extends RememberedVip {
  readonly cluster: string
  readonly stamp: Stamp
}

/** A tombstone obliges nobody once the centre has heard from all of them. */
export const isConfirmed = ({ state, obliged }: Claim): boolean => state === "withdrawn" && obliged.length === 0

/** The same as it is taken over. */
export const rememberedOf = ({ network, address, state, services, obliged, beside }: Claim): RememberedVip => ({
  network,
  address,
  state,
  services: services.map(({ namespace, name, uid }) => ({ namespace, name, uid })),
  obliged,
  ...(beside === true ? { beside } : {})
})

const decodeIntent = Schema.decodeUnknownOption(Schema.fromJsonString(VipIntent))

/** What a stored message says; nothing when it is none of a VIP. */
export const claimOf = (envelope: string): ReadonlyArray<Claim> => {
  try {
    const { payload } = JSON.parse(envelope) as { readonly payload?: unknown }
    return Option.match(decodeIntent(payload), { onNone: () => [], onSome: (intent) => [intent] })
  } catch {
    return []
  }
}

/** What clusters hold at once by the log itself, of each cluster. */
export const doublyHeld = (fleet: Fleet): ReadonlyArray<ContestedAddress> =>
  doubleHoldings(fleet).map(({ vip, others }) => ({
    network: vip.network,
    address: vip.address,
    cluster: vip.cluster,
    services: vip.holders.map(({ namespace, name }) => `${namespace}/${name}`),
    node: null,
    others: others.flatMap(holdersOf)
  }))

/** Who has a VIP, as people are told. */
export const holdersOf = ({ cluster, phase, holders }: VipState): ReadonlyArray<string> =>
  holders.length === 0
    ? [`${cluster} (${phase})`]
    : holders.map(({ namespace, name }) => `${cluster}/${namespace}/${name}`)

/** Says once of each address that somebody holds it from before the loss, and another cluster was given it since. */
export class Contests {
  readonly #said = new Set<string>()

  /** What somebody holds from before the loss, and another cluster was given since: that one keeps it. */
  say(fleet: Fleet, claims: ReadonlyArray<Claim>, who: string): Effect.Effect<void> {
    const contested = claims.flatMap(({ cluster, network, address, state }) => {
      const others = fleet.vipsAt(network, address).filter((vip) => isTaken(fleet, vip, cluster))
      const key = `${cluster} ${network}/${address}`
      if (state !== "announced" || others.length === 0 || this.#said.has(key)) return []
      this.#said.add(key)
      const has = others.flatMap(holdersOf).join(", ")
      return `${who} holds ${address} of network ${network} from before the loss, and others have it: ${has}`
    })
    const { title, fix } = codes.LT0522
    return Effect.forEach(contested, (text) => Effect.logError(`LT0522 ${title}: ${text}. Fix: ${fix}`), {
      discard: true
    })
  }
}
