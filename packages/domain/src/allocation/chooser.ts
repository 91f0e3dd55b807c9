import { type AddressPool, type Finding, listText, type ServiceObject } from "../config/index.ts"
import type { ReasonCode } from "../fleet/event.ts"
import type { ClusterMemory, Fleet } from "../fleet/fleet.ts"
import type { AddressWish } from "./wish.ts"

/** An address for a Service, where it comes from and why it is this one. */
export interface AddressPick {
  readonly address: string
  readonly pool: string
  readonly reason: ReasonCode
}

/** What a Service is to have. A refusal beside picks says that it keeps what it has and does not get what it asks for. */
export interface Choice {
  readonly picks: ReadonlyArray<AddressPick>
  readonly refusal: Finding | null
}

/** Everything that the choice is made from. */
export interface Chooser {
  readonly fleet: Fleet
  readonly cluster: ClusterMemory
  readonly service: ServiceObject
  readonly wish: AddressWish
  /** What its status says that it has, from before Lowtide knew of it. */
  readonly statusAddresses?: ReadonlyArray<string>
}

/** The pools of the Service's cluster, in effect or retired, the fleet's that it has among them. */
export const poolsOf = ({ fleet, cluster }: Chooser): ReadonlyArray<AddressPool> => fleet.config(cluster).pools

/** Those of them that give out addresses: a retired one keeps what is held of it and no more. */
export const openPoolsOf = (chooser: Chooser): ReadonlyArray<AddressPool> =>
  poolsOf(chooser).filter(({ retired }) => retired !== true)

/** Their names, for a message. */
export const poolNames = (pools: ReadonlyArray<AddressPool>): string => listText(pools.map((pool) => pool.name))
