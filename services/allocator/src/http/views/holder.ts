import type { HolderAnswer, HolderView } from "@lowtide/api/holder"
import type { Reading } from "@lowtide/api/reading"
import type { ReservationState, SharedAddressState } from "@lowtide/domain"
import { listText } from "@lowtide/domain/words"
import type { StoredHistory } from "@lowtide/ledger"
import { heldReason, poolText, restReason } from "./reasons.ts"

/** The part of the answer that the log has: who held it. Who announced it is the wire journal's to say. */
export type HeldAnswer = Omit<HolderAnswer, "announcers" | "announcement">

/** What is said of an address that no network has ever given out, where none was named. */
export const neverGivenOut = (
  question: Omit<HolderQuestion, "network">,
  networks: ReadonlyArray<string>,
  reading: Reading
): HeldAnswer => ({
  ...reading,
  network: null,
  address: question.address,
  at: question.at,
  phase: "unknown",
  holder: null,
  quarantineEnd: null,
  approval: null,
  routeApproval: null,
  reservation: reservationOf(question.reservation),
  awaiting: [],
  sentence: `${question.address} ${question.at === null ? "has never been given out in any network" : `had not been given out in any network by ${momentText(question)}`} (known: ${networks.join(", ") || "none"})${beginsWords(question)}.${poolSentence(question)}${keptSentence(question)}`
})

/** A moment as a record has it: by an event where one was named, since others of its batch have the same time. */
const momentText = ({ at, seq }: Pick<HolderQuestion, "at" | "seq">): string =>
  seq === undefined ? `${at}` : `event ${seq} (${at})`

/** Of a moment before the first event the log knows nothing, which is not to say that nothing was. */
const beginsWords = ({ logBegins }: Pick<HolderQuestion, "logBegins">): string =>
  logBegins === undefined ? "" : `; the ledger begins at ${logBegins}`

/** Which pools have, or had, an address that nobody was ever given. */
const poolSentence = ({ at, pools, logBegins }: Pick<HolderQuestion, "at" | "pools" | "logBegins">): string => {
  if (pools === undefined || logBegins !== undefined) return ""
  const verb = at === null ? "is" : "was"
  return pools.length === 0 ? ` It ${verb} in no pool.` : ` It ${verb} in ${listText(pools, poolsMax)}.`
}

/** Pools that a sentence names; of more it has their number. */
const poolsMax = 4

/** For whom an address is kept, or was at that moment, that nobody holds. */
const keptSentence = ({ at, reservation, shared }: Pick<HolderQuestion, "at" | "reservation" | "shared">): string => {
  const verb = at === null ? "is" : "was"
  if (reservation !== undefined) {
    const { cluster, namespace, service, name } = reservation
    return ` It ${verb} reserved for ${cluster} ${namespace}/${service} by reservation ${name}.`
  }
  if (shared === undefined) return ""
  const members = shared.shared.members.map(fullName)
  return ` It ${verb} kept for ${listText(members)} by SharedAddress ${shared.shared.name}.`
}

const reservationOf = (reservation: ReservationState | undefined): HolderAnswer["reservation"] => {
  if (reservation === undefined) return null
  const { name, cluster, namespace, service } = reservation
  return { name, cluster, namespace, service }
}

/** Which VIP is asked about, and for which moment; null: the present one. */
export interface HolderQuestion {
  readonly network: string
  readonly address: string
  /** RFC 3339 in UTC, milliseconds. */
  readonly at: string | null
  /** Nodes that have yet to confirm the withdrawal, where the present is asked about. */
  readonly awaiting?: ReadonlyArray<string>
  /** When its quarantine ends, RFC 3339, where the present is asked about. */
  readonly quarantineEnd?: string | null
  /** What keeps the address, or kept it at that moment. */
  readonly reservation?: ReservationState | undefined
  readonly shared?: SharedAddressState | undefined
  /** The orders that its withdrawal waits for, or waited for at that moment. */
  readonly approvals?: ReadonlyArray<WaitingOrder>
  /** Those that a change of configuration waits for, which would leave it without a route. */
  readonly routeApprovals?: ReadonlyArray<WaitingOrder>
  /** What the person said who ended a withdrawal without a node's confirmation. */
  readonly words?: string | null
  /** `pool public of east`, by cluster, that have the address, or had it at that moment; undefined where it was given out. */
  readonly pools?: ReadonlyArray<string>
  /** When the first event was recorded, RFC 3339, where the moment is before it. */
  readonly logBegins?: string | undefined
  /** The event asked about, where one was named: of what its moment brought, what came after it is not counted. */
  readonly seq?: number
}

/** An order to withdraw beyond the budget, which takes a second person. */
export interface WaitingOrder {
  readonly id: string
  /** Somebody decided against it: what it is about stays, until it is approved after all. */
  readonly isRejected: boolean
}

interface HolderName {
  readonly cluster: string
  readonly namespace: string
  readonly name: string
  readonly uid: string
}

/**
 * Who holds a VIP, from all stretches of its history, oldest first. Stretches with the same holders count as one, so that
 * a Service that changed its ports is still said to hold its address since it got it.
 */
export const holderAnswer = (
  question: HolderQuestion,
  stretches: ReadonlyArray<StoredHistory>,
  reading: Reading
): HeldAnswer => {
  const parts = [...new Set(stretches.map(({ member }) => member))].map((member) =>
    partAnswer(
      question,
      stretches.filter((stretch) => stretch.member === member),
      reading
    )
  )
  const [first, ...others] = parts
  if (first === undefined || others.length === 0) return first ?? partAnswer(question, stretches, reading)
  // Of an address that clusters share, or did, each has a history of its own: those that hold it are told of, else who rests.
  const held = parts.filter(({ phase }) => phase === "assigned")
  const told = held.length > 0 ? held : parts.filter(({ phase }) => phase !== "unknown" && phase !== "free")
  const [main = first, ...rest] = told
  if (rest.length === 0) return main
  return { ...main, sentence: [main, ...rest].map(({ sentence }) => sentence).join(" ") }
}

const partAnswer = (
  question: HolderQuestion,
  stretches: ReadonlyArray<StoredHistory>,
  reading: Reading
): HeldAnswer => {
  const index = stretches.findLastIndex((stretch) => covers(stretch, question))
  const stretch = stretches[index]
  const { network, address, at, awaiting = [] } = question
  const answer = {
    ...{ ...reading, network, address, at, awaiting },
    quarantineEnd: question.quarantineEnd ?? null,
    approval: null,
    routeApproval: null,
    reservation: reservationOf(question.reservation)
  }
  if (stretch === undefined) {
    return {
      ...answer,
      phase: "unknown",
      holder: null,
      sentence: `${subjectOf(question)} ${question.at === null ? "has never been given out" : `had not been given out by ${momentText(question)}`}${beginsWords(question)}.${poolSentence(question)}${keptSentence(question)}`
    }
  }
  const phase = phaseOf(stretch.state)
  const names = holdersOf(stretch)
  if (phase !== "assigned" || names.length === 0) {
    return { ...answer, phase, holder: null, sentence: restingSentence(question, stretches, index) }
  }
  const first = stretches[firstAlike(stretches, index)] ?? stretch
  const last = stretches[lastAlike(stretches, index)] ?? stretch
  const holder: HolderView = {
    cluster: names[0]?.cluster ?? "",
    services: names.map(({ namespace, name, uid }) => ({ namespace, name, uid })),
    pool: stretch.pool,
    since: first.validFrom,
    until: last.validTo,
    reason: first.reasonCode,
    seq: first.fromSeq,
    actor: first.actor
  }
  const { approvals = [], routeApprovals = [] } = question
  const orders = { approval: idsOf(approvals), routeApproval: idsOf(routeApprovals) }
  return { ...answer, ...orders, phase, holder, sentence: heldSentence(question, holder) }
}

/** `192.0.2.10 (network default) is held by east shop/web since …, from pool public, because …`; `was held … until …` once it is over. */
const heldSentence = (question: HolderQuestion, holder: HolderView): string => {
  const services = holder.services.map(({ namespace, name }) => `${holder.cluster} ${namespace}/${name}`).join(" and ")
  const held =
    holder.until === null
      ? `is held by ${services} since ${holder.since}`
      : `was held by ${services} from ${holder.since} until ${holder.until}`
  return `${subjectOf(question)} ${held}, from ${poolText(holder.pool)}, because ${heldReason(holder.reason)} (event ${holder.seq} by ${holder.actor}).${approvalSentence(question)}${routeSentence(question)}`
}

/** Said of an address whose holder has let go of it, and that is announced as before all the same. */
const approvalSentence = ({ at, approvals = [] }: HolderQuestion): string =>
  approvals.length === 0
    ? ""
    : ` Its withdrawal ${standing(approvals, at)}: who held it is gone, or wants it no longer.`

/** Said of an address whose route goes by a version of the configuration that is not the newest. */
const routeSentence = ({ at, routeApprovals = [] }: HolderQuestion): string =>
  routeApprovals.length === 0
    ? ""
    : ` A change of configuration that would leave it without a route ${standing(routeApprovals, at)}: it ${at === null ? "is" : "was"} announced as before.`

/** `waits for a second person to approve w-1`, or `was rejected (w-1)`. */
const standing = (orders: ReadonlyArray<WaitingOrder>, at: string | null): string => {
  const pending = orders.filter(({ isRejected }) => !isRejected)
  return pending.length === 0
    ? `${at === null ? "was" : "had been"} rejected (${idsOf(orders)})`
    : `${at === null ? "waits" : "waited"} for a second person to approve ${idsOf(pending)}`
}

const idsOf = (orders: ReadonlyArray<WaitingOrder>): string | null =>
  orders.length === 0 ? null : orders.map(({ id }) => id).join(", ")

const restingSentence = (question: HolderQuestion, stretches: ReadonlyArray<StoredHistory>, index: number): string => {
  const stretch = stretches[firstAlike(stretches, index)]
  const before = stretches.slice(0, index).findLast((earlier) => earlier.state === "assigned")
  const names = before === undefined ? [] : holdersOf(before)
  const after = names.length === 0 ? "" : `, after ${names.map(fullName).join(" and ")}`
  const verb = question.at === null ? "is" : "was"
  return `${subjectOf(question)} ${verb} held by nobody${atWords(question)}: ${stretch?.state} since ${stretch?.validFrom}${after}${becauseWords(stretch, question.words ?? null)} (event ${stretch?.fromSeq} by ${stretch?.actor})${awaitingWords(question.awaiting ?? [])}${quarantineWords(question)}.${keptSentence(question)}`
}

/** Why nobody holds it; where a person answers for that, in their own words as well. */
const becauseWords = (stretch: StoredHistory | undefined, words: string | null): string =>
  stretch === undefined
    ? ""
    : `, because ${restReason(stretch.reasonCode)}${words === null || !isOverride(stretch) ? "" : ` (${JSON.stringify(words)})`}`

/** The event by which a person ended the withdrawal of an address that rests since; undefined when nobody did. */
export const overrideSeq = (
  stretches: ReadonlyArray<StoredHistory>,
  question: Pick<HolderQuestion, "at" | "seq">
): number | undefined => {
  const stretch = stretches.findLast((stretch) => covers(stretch, question))
  return isOverride(stretch) ? stretch?.fromSeq : undefined
}

/** Whether a person ended the withdrawal. */
const isOverride = (stretch: StoredHistory | undefined): boolean =>
  stretch?.reasonCode === "force-released" || stretch?.reasonCode === "node-retired"

const awaitingWords = (nodes: ReadonlyArray<string>): string =>
  nodes.length === 0 ? "" : `; ${listText(nodes)} ${nodes.length === 1 ? "has" : "have"} yet to confirm`

const quarantineWords = ({ quarantineEnd }: HolderQuestion): string =>
  quarantineEnd === undefined || quarantineEnd === null ? "" : `; others may have it from ${quarantineEnd}`

const subjectOf = ({ address, network }: HolderQuestion): string => `${address} (network ${network})`

const atWords = (question: HolderQuestion): string => (question.at === null ? "" : ` at ${momentText(question)}`)

const fullName = ({ cluster, namespace, name }: Omit<HolderName, "uid">): string => `${cluster} ${namespace}/${name}`

const covers = (
  { fromSeq, toSeq, validFrom, validTo }: StoredHistory,
  { at, seq }: Pick<HolderQuestion, "at" | "seq">
): boolean => {
  if (seq !== undefined) return fromSeq <= seq && (toSeq === null || toSeq > seq)
  if (at === null) return validTo === null
  const instant = Date.parse(at)
  return Date.parse(validFrom) <= instant && (validTo === null || Date.parse(validTo) > instant)
}

const phaseOf = (state: string): Exclude<HolderAnswer["phase"], "unknown"> =>
  state === "assigned" || state === "withdrawing" || state === "quarantined" ? state : "free"

const holdersOf = ({ holders }: StoredHistory): ReadonlyArray<HolderName> =>
  JSON.parse(holders) as ReadonlyArray<HolderName>

const isAlike = (left: StoredHistory | undefined, right: StoredHistory | undefined): boolean =>
  left !== undefined &&
  right !== undefined &&
  left.state === right.state &&
  holdersOf(left).map(fullName).join() === holdersOf(right).map(fullName).join()

const firstAlike = (stretches: ReadonlyArray<StoredHistory>, index: number): number => {
  let first = index
  while (isAlike(stretches[first - 1], stretches[first])) first--
  return first
}

const lastAlike = (stretches: ReadonlyArray<StoredHistory>, index: number): number => {
  let last = index
  while (isAlike(stretches[last + 1], stretches[last])) last++
  return last
}
