import type { Command, RawObject } from "@lowtide/domain"
import type { MemoryTables } from "@lowtide/testkit/memory-tables"
import type { Choices } from "./choices.ts"
import { network, type Site } from "./site.ts"

/** What people see before they order something. */
export interface PeoplesView {
  readonly sites: ReadonlyArray<Site>
  readonly tables: MemoryTables
}

/** An order, and who gives it. */
export interface PersonsOrder {
  readonly command: Command
  /** The second person, who approves what somebody else began. */
  readonly isSecond?: true
}

/** A member of a shared address, as its manifest names it. */
export interface Member {
  readonly cluster: string
  readonly name: string
}

const kinds = {
  reserve: 3,
  unreserve: 2,
  quota: 2,
  unquota: 2,
  pool: 3,
  unpool: 2,
  share: 3,
  unshare: 2,
  approve: 1,
  reject: 1,
  "release reserved": 1
} as const

/** One thing that people order of the fleet as a whole; undefined where there is nothing to be ordered. */
export const randomOrder = (choices: Choices, view: PeoplesView): PersonsOrder | undefined => {
  const site = choices.one(view.sites)
  const name = `kept-${choices.below(2)}`
  switch (choices.weighted(kinds)) {
    case "reserve":
      return apply("Reservation", name, {
        for: { cluster: site.name, namespace: "shop", name: `s${choices.below(5)}` },
        address: `192.0.2.${choices.below(8)}`
      })
    case "unreserve":
      return { command: { _tag: "DeleteFleetObject", kind: "Reservation", name } }
    case "quota":
      return apply("Quota", name, { cluster: site.name, addresses: 1 + choices.below(3) })
    case "unquota":
      return { command: { _tag: "DeleteFleetObject", kind: "Quota", name } }
    case "pool":
      return randomPool(choices, view)
    case "unpool":
      return { command: { _tag: "DeleteFleetObject", kind: "AddressPool", name: choices.one(poolNames) } }
    case "share":
      return share(choices.one(sharedNames), choices.one(sharedAddresses), randomMembers(choices, view), choices)
    case "unshare":
      return unshare(choices.one(sharedNames))
    case "approve":
      return approvals(view, ["pending"])[0]
    case "reject":
      return rejections(view)[0]
    case "release reserved":
      return releases(view)[0]
  }
}

const apply = (kind: string, name: string, spec: RawObject["spec"]): PersonsOrder => ({
  command: {
    _tag: "ApplyFleetObject",
    manifest: { apiVersion: "lowtide.dev/v1alpha1", kind, namespace: "", name, spec }
  }
})

/** Pools of the fleet. Some of what they may be given is in the clusters' own pools as well. */
export const poolNames = ["f0", "f1"] as const
const poolRanges = { f0: ["192.0.2.8/30", "192.0.2.8/31", "192.0.2.4/31"], f1: ["192.0.2.12/31"] } as const

const randomPool = (choices: Choices, { sites }: PeoplesView): PersonsOrder => {
  const name = choices.one(poolNames)
  const values = sites.filter(() => choices.below(4) > 0).map((site) => site.name)
  return apply("AddressPool", name, {
    network,
    addresses: [choices.one(poolRanges[name])],
    clusterSelector: {
      matchExpressions: [{ key: "lowtide.dev/cluster", operator: "In", values: [...values, "none"] }]
    },
    deletionPolicy: choices.one(["Retain", "Retire"]),
    autoAssign: choices.oneIn(2)
  })
}

const sharedNames = ["a0", "a1"] as const
/** Two that few ask for by name, and two that many do. */
const sharedAddresses = ["192.0.2.6", "192.0.2.7", "192.0.2.0", "192.0.2.1"] as const

const randomMembers = (choices: Choices, { sites }: PeoplesView): ReadonlyArray<Member> =>
  sites
    .filter(() => choices.below(4) > 0)
    .map((site) => ({ cluster: site.name, name: choices.one([...site.services.keys(), `s${choices.below(5)}`]) }))

/** Lets the members have one address together, and nobody else. */
export const share = (name: string, address: string, members: ReadonlyArray<Member>, choices: Choices): PersonsOrder =>
  apply("SharedAddress", name, {
    network,
    addresses: [address],
    members: members.map((member) => ({ ...member, namespace: "shop", priority: choices.below(2) }))
  })

/** Ends the sharing, which is refused while two have the address. */
export const unshare = (name: string): PersonsOrder => ({
  command: { _tag: "DeleteFleetObject", kind: "SharedAddress", name }
})

const states = <State>({ tables }: PeoplesView, kind: string) =>
  [...tables.current.values()].flatMap(({ stream, state, version }) =>
    stream.startsWith(`${kind}:`) && state !== null ? [{ state: JSON.parse(state) as State, version }] : []
  )

/** Says yes to what waits for a second person, in the version that is there. */
export const approvals = (view: PeoplesView, phases: ReadonlyArray<string>): ReadonlyArray<PersonsOrder> =>
  states<{ readonly id: string; readonly phase: string }>(view, "approval").flatMap(({ state, version }) =>
    phases.includes(state.phase)
      ? [{ command: { _tag: "ApproveWithdrawals", id: state.id, revision: version }, isSecond: true }]
      : []
  )

const rejections = (view: PeoplesView): ReadonlyArray<PersonsOrder> =>
  states<{ readonly id: string; readonly phase: string }>(view, "approval").flatMap(({ state, version }) =>
    state.phase === "pending"
      ? [{ command: { _tag: "RejectWithdrawals", id: state.id, revision: version }, isSecond: true }]
      : []
  )

/** Lets go what a recovery keeps for Services of which people know that they are gone. */
export const releases = (view: PeoplesView): ReadonlyArray<PersonsOrder> =>
  states<{
    readonly cluster: string
    readonly network: string
    readonly address: string
    readonly holders: ReadonlyArray<{ readonly name: string; readonly adopted?: true }>
  }>(view, "vip").flatMap(({ state: { cluster, network, address, holders } }) => {
    const site = view.sites.find(({ name }) => name === cluster)
    const isFor = holders.filter(({ adopted }) => adopted === true)
    const areGone = isFor.length > 0 && isFor.every(({ name }) => site?.services.has(name) !== true)
    return areGone ? [{ command: { _tag: "ReleaseAdopted", network, address } }] : []
  })
