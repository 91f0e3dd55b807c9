import type { HolderAnswer } from "@lowtide/api/holder"
import { canonicalIp, isSeqText } from "@lowtide/api/parameters"
import { AmbiguousProblem, NotFoundProblem } from "@lowtide/api/problems"
import {
  type Fleet,
  type ReservationState,
  resolveNode,
  resolveVip,
  routesWaiting,
  type SharedAddressState,
  streamOfVip,
  type VipState
} from "@lowtide/domain"
import { poolsHolding } from "@lowtide/domain/allocation/pool-choice"
import { Ledger } from "@lowtide/ledger"
import { Clock, Effect } from "effect"
import { Centre, type CommittedView } from "../centre.ts"
import { type Archived, archivedEvents } from "./archived.ts"
import { orUnavailable } from "./asking.ts"
import { type Moment, momentOf, momentUnchecked, readAt, wireFactsAt } from "./past.ts"
import { networkNames, unknownNetwork } from "./views/clusters.ts"
import { eventEntry } from "./views/history.ts"
import { holderAnswer, neverGivenOut, overrideSeq, type WaitingOrder } from "./views/holder.ts"
import { readingOf } from "./views/reading.ts"
import { quarantineEndOf } from "./views/vips.ts"
import { announcementSentence, announcersOf, reportLateMsMax } from "./views/wire-facts.ts"

/** Rows of the wire journal that are read of the VIP, and of each session. */
const rowsEachMax = 500

/** Who holds, or held, an address, and who had announced it. Without a network, the one that knows the address is meant. */
export const askHolder = Effect.fnUntraced(function* (query: {
  readonly address: string
  readonly at?: string
  readonly network?: string
}) {
  const centre = yield* Centre
  const ledger = yield* Ledger
  const address = canonicalIp(query.address)
  const { moment, archived } = yield* holderMoment(query.at)
  const at = moment?.at ?? null
  const { reading, present, known, fault, awaiting, quarantineEnd } = yield* orUnavailable(
    centre.read((view) => {
      const present = networksOf(view, address)
      const vips = at === null ? view.fleet.vipsAt(query.network ?? present[0] ?? "", address) : []
      return {
        reading: readingOf(view),
        present,
        known: networkNames(view),
        fault: unknownNetwork(view, query.network),
        awaiting: vips.flatMap((vip) => view.awaited(vip)),
        quarantineEnd: vips.map(quarantineEndOf).reduce((last, end) => ((end ?? "") > (last ?? "") ? end : last), null)
      }
    })
  )
  // A network that only kept the address for somebody then, and does no more, knew it as well.
  const { kept, pools, releases, routes } =
    archived === undefined
      ? yield* readAt(moment, ({ fleet }) => ({
          // They are said of an address that was never given out, and take a look at every cluster's configuration.
          pools: isGivenOut(fleet, address, query.network) ? undefined : poolsWith(fleet, address, query.network),
          kept: keepersOf(fleet, address),
          releases: ordersOf(fleet, address, ({ heldRelease }) => heldRelease?.order ?? []),
          routes: ordersOf(
            fleet,
            address,
            (vip) => routesWaiting(fleet, fleet.cluster(vip.cluster)).get(streamOfVip(vip)) ?? []
          )
        }))
      : { kept: new Map<string, Keepers>(), pools: undefined, releases: noOrders, routes: noOrders }
  const networks = [...new Set([...present, ...kept.keys()])].sort()
  const keepers = kept.get(query.network ?? networks[0] ?? "") ?? {}
  if (fault !== undefined) return yield* new NotFoundProblem({ detail: `network: ${fault}` })
  const logBegins = moment?.position === 0 ? (yield* orUnavailable(ledger.firstEvent))?.recordedAt : undefined
  const named = {
    ...{ address, at, logBegins, ...keepers },
    ...(pools === undefined ? {} : { pools }),
    ...(moment?.isSeq === true ? { seq: moment.position } : {})
  }
  const [network, ...others] = query.network === undefined ? networks : [query.network]
  if (others.length > 0) {
    return yield* new AmbiguousProblem({
      detail: `${address} is known in several networks: name one`,
      candidates: networks
    })
  }
  if (network === undefined) {
    const nobody: HolderAnswer = {
      ...neverGivenOut(named, known, reading),
      announcers: [],
      announcement: archivedWords(archived, at)
    }
    return nobody
  }
  const stretches = yield* orUnavailable(ledger.history({ network, address }))
  const overriding = overrideSeq(stretches, { at })
  const events =
    overriding === undefined
      ? []
      : yield* orUnavailable(ledger.events({ sinceSeq: overriding, untilSeq: overriding, limit: 1, order: "asc" }))
  const words = events.map(eventEntry)[0]?.words ?? null
  const question = {
    ...{ ...named, network, awaiting, quarantineEnd, words },
    approvals: releases.get(network) ?? [],
    routeApprovals: routes.get(network) ?? []
  }
  const held = holderAnswer(question, stretches, reading)
  if (archived !== undefined) return { ...held, announcers: [], announcement: archivedWords(archived, at) }
  const removed = yield* orUnavailable(centre.read(({ fleet }) => fleet.wireDrop))
  const isRemoved = removed !== null && moment !== undefined && moment.at < removed.before
  const announcers = isRemoved ? [] : yield* askAnnouncers({ network, address }, moment)
  const answer: HolderAnswer = {
    ...held,
    announcers,
    announcement: isRemoved
      ? `What routers had been told by ${moment.at} is not kept: reports from before ${removed.before} were removed.`
      : announcementSentence(announcers, {
          at,
          reportsSince: removed?.before ?? null,
          isHeld: held.phase === "assigned"
        })
  }
  return answer
})

/**
 * The moment asked about. Of a time that archived events alone tell of, who held the address is known all the same, since
 * the history of addresses is kept (docs/adr/0059); `archived` is how the rest of the answer comes back.
 */
const holderMoment = Effect.fnUntraced(function* (at: string | undefined) {
  if (at === undefined) return { moment: undefined, archived: undefined }
  const archived = isSeqText(at) ? undefined : yield* archivedEvents
  if (archived === undefined) return { moment: yield* momentOf(at, "at"), archived: undefined }
  const moment = yield* momentUnchecked(at, "at")
  return { moment, archived: moment.position <= archived.untilSeq ? archived : undefined }
})

const archivedWords = (archived: Archived | undefined, at: string | null): string =>
  archived === undefined || at === null
    ? ""
    : `For whom it was reserved, and who was to announce it at ${at}, is archived: ${archived.sentenceOf(at)}.`

/** Who was to announce a VIP, and what nodes had told their routers of it, at a moment or by now. */
const askAnnouncers = Effect.fnUntraced(function* (
  { network, address }: { readonly network: string; readonly address: string },
  moment: Moment | undefined
) {
  const ledger = yield* Ledger
  const nowMs = yield* Clock.currentTimeMillis
  const toAnnounce = ({ fleet }: CommittedView) =>
    fleet.vipsAt(network, address).flatMap((vip) => (vip.phase === "free" ? [] : announcedBy(fleet, vip)))
  const announcedBy = (fleet: Fleet, vip: VipState) => {
    const cluster = fleet.cluster(vip.cluster)
    const intent = resolveVip(fleet, cluster, vip, [])
    const sessions = [...cluster.nodes.values()].flatMap((state) =>
      resolveNode(fleet, cluster, state).peers.map(({ name }) => ({
        cluster: vip.cluster,
        node: state.node.name,
        peer: name
      }))
    )
    return {
      vip: { cluster: vip.cluster, network, address },
      intended: vip.phase === "assigned" ? intent.admission.candidates : vip.obliged,
      sessions
    }
  }
  const wanted = yield* readAt(moment, toAnnounce)
  // A node's clock may be ahead: of what is so by now, no report is left out.
  const at = moment?.at ?? new Date(nowMs + reportLateMsMax).toISOString()
  const all = yield* Effect.forEach(wanted, ({ vip, intended, sessions }) =>
    Effect.map(orUnavailable(wireFactsAt(ledger, { vips: [vip], sessions, at, rowsEachMax })), (facts) =>
      announcersOf(facts, vip, intended)
    )
  )
  return all.flat()
})

/** What keeps an address for somebody, whether they hold it or not. */
interface Keepers {
  readonly reservation?: ReservationState | undefined
  readonly shared?: SharedAddressState | undefined
}

/** The same by network. */
const keepersOf = ({ networks }: Fleet, address: string): ReadonlyMap<string, Keepers> =>
  new Map(
    [...networks].flatMap(([network, memory]) => {
      const keepers: Keepers = { reservation: memory.reserved.get(address), shared: memory.shared.get(address) }
      return keepers.reservation === undefined && keepers.shared === undefined ? [] : [[network, keepers] as const]
    })
  )

/** Whether anybody was ever given the address, in one network or in any. */
const isGivenOut = (fleet: Fleet, address: string, network: string | undefined): boolean =>
  (network === undefined ? [...fleet.networks.keys()] : [network]).some(
    (name) => fleet.vipsAt(name, address).length > 0
  )

/** `pool public of east`: the pools of clusters that have the address, of one network or of all. */
const poolsWith = (fleet: Fleet, address: string, network: string | undefined): ReadonlyArray<string> =>
  [...fleet.clusters.values()]
    .filter((cluster) => network === undefined || cluster.network === network)
    .flatMap((cluster) =>
      poolsHolding(fleet.config(cluster).pools, address).map(({ name }) => `pool ${name} of ${cluster.name}`)
    )
    .sort()

/** The orders that something of the address waits for, by network: several where clusters share it. */
const ordersOf = (
  fleet: Fleet,
  address: string,
  idsOf: (vip: VipState) => string | ReadonlyArray<string>
): ReadonlyMap<string, ReadonlyArray<WaitingOrder>> =>
  new Map(
    [...fleet.networks.keys()].flatMap((network) => {
      const ids = [...new Set(fleet.vipsAt(network, address).flatMap(idsOf))].sort()
      const orders = ids.map((id) => ({ id, isRejected: fleet.approvals.get(id)?.phase === "rejected" }))
      return orders.length === 0 ? [] : [[network, orders] as const]
    })
  )

const noOrders: ReadonlyMap<string, ReadonlyArray<WaitingOrder>> = new Map()

/** Networks that have given the address out at some time, or keep it for somebody. */
export const networksOf = (view: CommittedView, address: string): ReadonlyArray<string> =>
  [...view.fleet.networks]
    .filter(([network, { reserved }]) => view.fleet.vipsAt(network, address).length > 0 || reserved.has(address))
    .map(([network]) => network)
    .sort()
