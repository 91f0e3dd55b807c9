import type { Caller, Grant, Role } from "@lowtide/api/access"
import { foldedName } from "@lowtide/api/tokens"
import { type Command, decodeFleetObject, type Finding, type Fleet, finding, type Reservation } from "@lowtide/domain"
import { poolRanges } from "@lowtide/domain/allocation/pool-choice"
import { parseIpAddress, rangeContains } from "@lowtide/net"
import { Result } from "effect"

/** What an order is about, as far as grants are limited by it; a cluster or pool that is absent means all of them. */
export interface OrderScope {
  readonly cluster?: string
  readonly pool?: string
}

/** As far as it matters to what somebody may. */
export type WhoAsks = Omit<Caller["Service"], "isKnown">

/** What it takes to give an order. */
export interface OrderNeeds {
  readonly role: Role
  readonly scope: OrderScope
  /** Whether somebody has to answer for it by name. */
  readonly isPersonal: boolean
  /** Who may not, since it takes a second person. */
  readonly notBy?: string
}

const ranks: { readonly [Key in Role]: number } = { reader: 0, operator: 1, admin: 2 }

/**
 * What a command takes, all of it. It is asked at its turn, since an address may have come to another cluster's pool, and a
 * reservation that is changed has to be given up as well.
 */
export const needsOf = (fleet: Fleet, command: Command): ReadonlyArray<OrderNeeds> => {
  switch (command._tag) {
    case "RetireNode":
      return [{ role: "operator", scope: { cluster: command.cluster }, isPersonal: false }]
    case "ApproveWithdrawals":
    case "RejectWithdrawals": {
      const order = fleet.approvals.get(command.id)
      const scope = order === undefined ? {} : { cluster: order.cluster }
      const isApproval = command._tag === "ApproveWithdrawals" && order !== undefined
      return [{ role: "operator", scope, isPersonal: true, ...(isApproval ? { notBy: order.author } : {}) }]
    }
    case "ReleaseBrake": // it may take every route of a cluster away
      return [{ role: "operator", scope: { cluster: command.cluster }, isPersonal: true }]
    case "ForceRelease": {
      const vips = fleet.vipsAt(command.network, command.address)
      const scopes = vips.length === 0 ? [{}] : vips.map(({ cluster, pool }) => ({ cluster, pool }))
      return scopes.map((scope) => ({ role: "operator", scope, isPersonal: true }))
    }
    case "ApplyFleetObject": {
      const { object } = decodeFleetObject(command.manifest)
      if (object === undefined) return [] // it is refused for its faults, which its author may know
      if (object._tag !== "Reservation") return [fleetAdmin]
      return [reserving(scopeOf(fleet, object)), ...givingUp(fleet, object.name)]
    }
    case "DeleteFleetObject":
      return command.kind === "Reservation" ? givingUp(fleet, command.name) : [fleetAdmin]
    case "RecordExport":
      return [] // who may read may export
    case "FinishRecovery":
    case "FinaliseFleet":
    case "RecordSegment":
      return [fleetAdmin]
    case "ReleaseAdopted": {
      const cluster = fleet.vip(command.network, command.address)?.cluster
      return [reserving(cluster === undefined ? {} : { cluster })]
    }
    default: // what agents, speakers and the allocator itself say is for no caller
      return [{ ...fleetAdmin, isPersonal: true }]
  }
}

/** What concerns the whole fleet. */
export const fleetAdmin: OrderNeeds = { role: "admin", scope: {}, isPersonal: false }

const reserving = (scope: OrderScope): OrderNeeds => ({ role: "operator", scope, isPersonal: false })

/** What there is to give up. */
const givingUp = (fleet: Fleet, name: string): ReadonlyArray<OrderNeeds> => {
  const present = fleet.reservations.get(name)
  return present === undefined ? [] : [reserving({ cluster: present.cluster, pool: present.pool })]
}

/** The pool that a reservation is about: the one that it names, else the one that has its address. */
const scopeOf = (fleet: Fleet, { cluster, pool, address }: Reservation): OrderScope => {
  if (pool !== undefined) return { cluster, pool }
  const memory = fleet.clusters.get(cluster)
  const parsed = address === undefined ? undefined : Result.getOrUndefined(parseIpAddress(address))
  if (memory === undefined || parsed === undefined) return { cluster }
  const holding = fleet
    .config(memory)
    .pools.find((pool) => poolRanges(pool).some((range) => rangeContains(range, parsed)))
  return { cluster, ...(holding === undefined ? {} : { pool: holding.name }) }
}

/** `operator of cluster east, pool public`. */
export const needsText = ({ role, scope, isPersonal }: OrderNeeds): string => {
  const limits = [
    scope.cluster === undefined ? "all clusters" : `cluster ${scope.cluster}`,
    scope.pool === undefined ? "all pools" : `pool ${scope.pool}`
  ]
  return `${role} of ${limits.join(", ")}${isPersonal ? ", a person named by a token" : ""}`
}

/** Why the caller may not give this order; undefined when it may. */
export const forbids = (caller: WhoAsks, needs: ReadonlyArray<OrderNeeds>): Finding | undefined => {
  for (const each of needs) {
    const forbidden = forbidsOne(caller, each)
    if (forbidden !== undefined) return forbidden
  }
  return undefined
}

const forbidsOne = (caller: WhoAsks, needs: OrderNeeds): Finding | undefined => {
  const object = { kind: "Caller", name: caller.actor }
  const isGranted = caller.grants.some(
    ({ role, clusters, pools }) =>
      ranks[role] >= ranks[needs.role] && isWithin(clusters, needs.scope.cluster) && isWithin(pools, needs.scope.pool)
  )
  if (!isGranted) {
    return finding("LT0602", {
      object,
      expected: needsText(needs),
      found: caller.grants.map(grantText).join("; ") || "no role"
    })
  }
  const { notBy } = needs
  const own = [caller.actor, ...(caller.formerly ?? [])].find(
    (name) => notBy !== undefined && nameOf(name) === nameOf(notBy)
  )
  if (own !== undefined) {
    const found = own === caller.actor ? own : `${caller.actor}, formerly ${own}`
    return finding("LT0608", { object, expected: `another person than ${notBy}`, found })
  }
  if (!needs.isPersonal || (caller.isAuthenticated && caller.kind === "person")) return undefined
  const found = caller.isAuthenticated ? "a machine's token" : "nobody checked who it is"
  return finding("LT0603", { object, expected: needsText(needs), found })
}

/** Who has a person's token and a machine's of one name is one, whichever is used; so is a name that nobody checked. */
const nameOf = (actor: string): string => foldedName(actor.replace(/^(person|machine|local):/, ""))

const isWithin = (limit: ReadonlyArray<string> | undefined, name: string | undefined): boolean =>
  limit === undefined || (name !== undefined && limit.includes(name))

const grantText = ({ role, clusters, pools }: Grant): string =>
  [
    role,
    ...(clusters === undefined ? [] : [`of clusters ${clusters.join(", ")}`]),
    ...(pools === undefined ? [] : [`of pools ${pools.join(", ")}`])
  ].join(" ")
