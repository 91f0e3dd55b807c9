import type { Reading } from "@lowtide/api/reading"
import type { TraceAnswer, TraceHop } from "@lowtide/api/trace"
import type { NumberedMessage, ServiceAnswer, VipIntent } from "@lowtide/domain"
import type { StoredEvent, StoredWire } from "@lowtide/ledger"
import { describeEvent } from "./describe.ts"
import { type AppliedEntry, appliedOf, statusWrittenOf, toldWords } from "./wire-rows.ts"

/** What was found in NATS under one subject. */
export type Publication<Message> =
  | { readonly _tag: "Stored"; readonly message: Message; readonly storedAt: string }
  | { readonly _tag: "Absent" }
  | { readonly _tag: "Unanswered"; readonly why: string }

/** Everything that a trace is made from. */
export interface TraceFacts {
  readonly cluster: string
  readonly namespace: string
  readonly name: string
  /** The moment that is asked about, RFC 3339 in UTC; null: the present one. */
  readonly at: string | null
  /** The change's events about this Service, oldest first; at least one. */
  readonly events: ReadonlyArray<StoredEvent>
  /** The VIPs that the change is about. */
  readonly vips: ReadonlyArray<{ readonly address: string; readonly published: Publication<VipIntent> }>
  /** What the Service's cluster is told of it; undefined when the log names no uid. */
  readonly answer: Publication<ServiceAnswer> | undefined
  /** Rows about those VIPs, and of statuses that the cluster's agent wrote; any order. */
  readonly wire: ReadonlyArray<StoredWire>
}

/** The way of a change, hop by hop, with what has not happened yet. */
export const traceAnswer = (facts: TraceFacts, reading: Reading): TraceAnswer => {
  const [first] = facts.events
  const last = facts.events.at(-1)
  if (first === undefined || last === undefined) throw new RangeError("a trace has at least one event")
  const range = { seqFrom: first.seq, seqTo: last.seq }
  const centre = centreHops(facts, range)
  const committed = centre.at(-1)
  return {
    ...reading,
    cluster: facts.cluster,
    namespace: facts.namespace,
    name: facts.name,
    at: facts.at,
    change: facts.events.map((event) => describeEvent(event).what).join("; "),
    ...range,
    correlationId: first.correlationId,
    hops: [
      ...centre,
      ...facts.vips.flatMap((vip) => vipHops(facts, vip, range, committed?.time ?? null)),
      ...(facts.answer === undefined
        ? []
        : [publication(`agent:${facts.cluster}`, facts.answer, facts, range, committed?.time ?? null, sayAnswer)]),
      statusHop(facts, range, committed?.time ?? null),
      ...laterHops(facts, committed?.time ?? null)
    ]
  }
}

interface SeqRange {
  readonly seqFrom: number
  readonly seqTo: number
}

/** Up to the commit, which is the last of them. */
const centreHops = ({ events }: TraceFacts, range: SeqRange): ReadonlyArray<TraceHop> => {
  const event = events[0]!
  const seen = event.observedAt ?? null
  const received = receivedAtOf(event)
  const seqs = range.seqFrom === range.seqTo ? `event ${range.seqFrom}` : `events ${range.seqFrom} to ${range.seqTo}`
  return [
    hop("seen", event.actor, seen, null, "agent", seen === null ? "the reporter did not say when" : seenText),
    hop("received", "allocator", received, seen, "allocator", received === null ? "not noted" : "command received"),
    hop("committed", "ledger", event.recordedAt, received ?? seen, "database", `${seqs}, epoch ${event.epoch}`)
  ]
}

/** Not when the agent read it: a file may be older than the agent. */
const seenText = "manifest changed: the time of its file"

const receivedAtOf = (event: StoredEvent): string | null => {
  const { receivedAt } = JSON.parse(event.meta) as { readonly receivedAt?: unknown }
  return typeof receivedAt === "string" ? receivedAt : null
}

const vipHops = (
  facts: TraceFacts,
  { address, published }: TraceFacts["vips"][number],
  range: SeqRange,
  committedAt: string | null
): ReadonlyArray<TraceHop> => {
  const ownStamp = stampOfChange(facts.wire, address, range)
  const isCurrent = published._tag === "Stored" && isWithin(published.message.stamp.seq, range)
  const publishedHop = publication(address, published, facts, range, committedAt, sayIntent)
  const entries = facts.wire
    .filter((row) => row.address === address && row.stampSeq === ownStamp)
    .flatMap(appliedOf)
    .filter(({ trigger }) => trigger === "intent")
  const nodes = new Set([
    ...(isCurrent ? [...published.message.admission.candidates, ...published.message.obliged] : []),
    ...entries.map(({ node }) => node)
  ])
  const from = publishedHop.time ?? committedAt
  return [
    publishedHop,
    ...[...nodes].sort().flatMap((node) => {
      const entry = entries.find((entry) => entry.node === node)
      return entry === undefined
        ? [hop("node-received", node, null, null, "node", `nothing reported of ${address}`)]
        : nodeHops(address, entry, from)
    })
  ]
}

const isWithin = (seq: number, { seqFrom, seqTo }: SeqRange): boolean => seq >= seqFrom && seq <= seqTo

/** The stamp of the intent that the change led to, as far as nodes have spoken of it. */
const stampOfChange = (wire: ReadonlyArray<StoredWire>, address: string, range: SeqRange): number | undefined =>
  wire
    .filter((row) => row.address === address && row.stampSeq !== undefined && isWithin(row.stampSeq, range))
    .map(({ stampSeq }) => stampSeq ?? 0)
    .sort((left, right) => right - left)[0]

const publication = <Message extends NumberedMessage>(
  where: string,
  published: Publication<Message>,
  { at }: Pick<TraceFacts, "at">,
  range: SeqRange,
  committedAt: string | null,
  say: (message: Message) => string
): TraceHop => {
  const missing = (detail: string) => hop("published", where, null, null, "nats", detail)
  switch (published._tag) {
    case "Absent":
      return missing("not in NATS")
    case "Unanswered":
      return missing(`not known: ${published.why}`)
    case "Stored": {
      const { message, storedAt } = published
      const { seq } = message.stamp
      if (seq < range.seqFrom) {
        return missing(`NATS holds that of event ${seq}: the change left it as it is, or it is not published yet`)
      }
      if (seq > range.seqTo) return missing(`replaced since by that of event ${seq}, stored ${storedAt}`)
      if (at !== null && Date.parse(storedAt) > Date.parse(at)) return missing(`not by then: stored ${storedAt}`)
      return hop("published", where, storedAt, committedAt, "nats", say(message))
    }
  }
}

const sayIntent = ({ stamp, state }: VipIntent): string => `intent of event ${stamp.seq}: ${state}`

const sayAnswer = ({ stamp, addresses, refusal }: ServiceAnswer): string => {
  const got = addresses.length === 0 ? "no address" : addresses.map(({ address }) => address).join(", ")
  return `answer of event ${stamp.seq}: ${refusal === null ? got : `${got}, refused ${refusal.code}`}`
}

const nodeHops = (address: string, entry: AppliedEntry, publishedAt: string | null): ReadonlyArray<TraceHop> => {
  const { node, receivedAt, savedAt, verdict } = entry
  const before = savedAt ?? receivedAt ?? publishedAt
  const written = entry.peers.filter(({ action }) => action !== "unchanged")
  return [
    hop("node-received", node, receivedAt, publishedAt, "node", `${address} judged ${verdict}`),
    hop("node-saved", node, savedAt, receivedAt, "node", `${address} saved`),
    ...written.map(({ peer, action, writtenAt }) =>
      hop("peer-written", `${node} to ${peer}`, writtenAt, before, "node", `${address} ${action}`)
    ),
    ...(written.length === 0
      ? [hop("peer-written", node, null, null, "node", `no peer was told anything new of ${address}`)]
      : [])
  ]
}

const statusHop = (
  { wire, namespace, name, cluster, events }: TraceFacts,
  range: SeqRange,
  committedAt: string | null
): TraceHop => {
  const writtenAt = wire
    .filter((row) => row.kind === "status-written" && (row.stampSeq === undefined || row.stampSeq >= range.seqFrom))
    .flatMap((row) => statusWrittenOf(row) ?? [])
    .filter((written) => written.namespace === namespace && written.name === name)
    .map(({ at }) => at)
    .filter((at) => at >= (events[0]?.observedAt ?? ""))
    .sort()[0]
  return writtenAt === undefined
    ? hop("status-written", `agent:${cluster}`, null, null, "agent", "nothing reported")
    : hop("status-written", `agent:${cluster}`, writtenAt, committedAt, "agent", `status of ${namespace}/${name}`)
}

/** Later changes of nodes that are told, the newest of them. */
const laterHopsMax = 20

/** What nodes told their peers of the VIPs after the change without being asked: their endpoints or sessions changed. */
const laterHops = ({ vips, wire }: TraceFacts, committedAt: string | null): ReadonlyArray<TraceHop> => {
  const addresses = new Set(vips.map(({ address }) => address))
  return wire
    .filter(({ address }) => address !== undefined && addresses.has(address))
    .flatMap((row) => appliedOf(row).map((entry) => ({ row, entry })))
    .filter(({ entry }) => entry.trigger !== "intent")
    .map(({ row, entry }) => laterHop(row, entry))
    .filter(({ time }) => committedAt === null || (time ?? "") > committedAt)
    .sort((left, right) => Date.parse(left.time ?? "") - Date.parse(right.time ?? ""))
    .slice(-laterHopsMax)
}

const laterHop = ({ address = "", recordedAt }: StoredWire, entry: AppliedEntry): TraceHop => {
  const { node, verdict, trigger, peers } = entry
  const told = toldWords(peers) || "told to no peer"
  const toldAt = peers.find(({ action }) => action !== "unchanged")?.writtenAt ?? recordedAt
  const why = trigger === "endpoints" ? `endpoints changed: ${verdict}` : `the session came up: ${verdict}`
  return hop("node-changed", node, toldAt, null, "node", `${address} ${told}; ${why}`)
}

const hop = (
  step: TraceHop["step"],
  where: string,
  time: string | null,
  before: string | null,
  clock: TraceHop["clock"],
  detail: string
): TraceHop => ({ step, where, time, deltaMs: deltaMs(before, time), clock, detail })

const deltaMs = (before: string | null, time: string | null): number | null =>
  before === null || time === null ? null : Math.round((Date.parse(time) - Date.parse(before)) * 1000) / 1000
