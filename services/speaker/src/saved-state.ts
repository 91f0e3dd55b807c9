import type { ServiceHealth } from "@lowtide/domain/announcing/node-routes"
import { plural } from "@lowtide/domain/words"
import { Result } from "effect"
import type { Kept } from "./brake.ts"
import { HeldState, signerOf } from "./held-state.ts"
import type { SavedRecord } from "./journal-record.ts"
import { type Judged, judgeMessage, judgeMessages, type Refusal, type Trust } from "./trust.ts"

/** What a node knows when its process begins, judged anew: the disk is believed no more than the wire. */
export interface SavedState {
  readonly held: HeldState
  /** By `namespace/name`. */
  readonly health: ReadonlyMap<string, ServiceHealth>
  /** Hold times in seconds by session; infinite for a session without a hold timer. */
  readonly sessions: ReadonlyMap<string, number>
  /** Messages that the brake held back, by key. */
  readonly kept: ReadonlyMap<string, Kept>
  /** Saved messages that are not trusted, or not allowed, any more: of each key the last one, where nothing was taken after it. */
  readonly refusals: ReadonlyArray<Refusal>
  /** Other nodes that the disk has the intents of: the folder was theirs. */
  readonly otherNodes: ReadonlySet<string>
}

/** What is found of one saved message. */
export type JudgeSaved = (key: string, envelope: string) => Judged

/** Messages whose signatures are checked at a time: what is made of each for it is not there for all at once. */
const judgedAtOnceMax = 500

/**
 * Judges a disk's messages beforehand, for `restoreState`: their signatures are most of a start, and so every processor checks
 * its share. Of each message it is told once what was found.
 */
export const judgeAside = async (trust: Trust, records: ReadonlyArray<SavedRecord>): Promise<JudgeSaved> => {
  const texts = textsOf(records)
  const found = new Map<string, Map<string, Judged>>() // by key, and by text
  for (let first = 0; first < texts.length; first += judgedAtOnceMax) {
    for (const { text, judged } of await judgeMessages(trust, texts.slice(first, first + judgedAtOnceMax))) {
      const ofKey = found.get(text.key) ?? new Map<string, Judged>()
      found.set(text.key, ofKey.set(text.envelope, judged))
    }
  }
  return (key, envelope) => {
    const judged = found.get(key)?.get(envelope)
    found.get(key)?.delete(envelope)
    return judged ?? judgeMessage(trust, key, envelope)
  }
}

/** Each text of the records once; of one that is saved under several keys, under each. */
const textsOf = (records: ReadonlyArray<SavedRecord>) => {
  const keys = new Map<string, Array<string>>()
  const note = (envelope: string, key: string) => {
    const known = keys.get(envelope)
    if (known === undefined) keys.set(envelope, [key])
    else if (!known.includes(key)) known.push(key)
  }
  for (const record of records) {
    if (record._tag !== "Message") continue
    note(record.envelope, record.key)
    if (record.inEffect !== undefined) note(record.inEffect.envelope, record.key)
  }
  return [...keys].flatMap(([envelope, of]) => of.map((key) => ({ key, envelope })))
}

/** Rebuilds the state from its records. */
export const restoreState = (
  trust: Trust,
  node: string,
  records: ReadonlyArray<SavedRecord>,
  judge: JudgeSaved = (key, envelope) => judgeMessage(trust, key, envelope)
): SavedState => {
  const held = new HeldState(node)
  const health = new Map<string, ServiceHealth>()
  const sessions = new Map<string, number>()
  const kept = new Map<string, Kept>()
  const refusals = new Map<string, Refusal>()
  const otherNodes = new Set<string>()
  for (const record of records) {
    switch (record._tag) {
      case "Message":
        restoreMessage(judge, held, { refusals, otherNodes }, record)
        restoreKept(judge, held, kept, record)
        break
      case "Health":
        if (record.servesAnywhere) health.set(record.service, record)
        else health.delete(record.service)
        break
      case "Session":
        sessions.set(record.session, record.holdTimeSeconds ?? Number.POSITIVE_INFINITY)
    }
  }
  return { held, health, sessions, kept, refusals: [...refusals.values()], otherNodes }
}

/**
 * Notes what is refused, until something of the same key is taken. An older message after a newer one is no fault here: two
 * generations overlap.
 */
const restoreMessage = (
  judge: JudgeSaved,
  held: HeldState,
  { refusals, otherNodes }: { readonly refusals: Map<string, Refusal>; readonly otherNodes: Set<string> },
  { key, envelope }: { readonly key: string; readonly envelope: string }
): void => {
  if (held.isKnown(key, envelope)) return
  const judged = judge(key, envelope)
  if (Result.isFailure(judged)) {
    refusals.set(key, judged.failure)
    return
  }
  const { message } = judged.success
  const accepted = held.accept(judged.success)
  if (message._tag === "NodeIntent" && accepted._tag === "Accepted" && !accepted.isOurs) otherNodes.add(message.node)
  if (accepted._tag !== "Refused") refusals.delete(key)
  else if (accepted.refusal.code !== "LT0403") refusals.set(key, accepted.refusal)
}

/** What a message that was held back left in effect, if that is believed still; of one message the last record counts. */
const restoreKept = (
  judge: JudgeSaved,
  held: HeldState,
  kept: Map<string, Kept>,
  { key, envelope, inEffect }: Extract<SavedRecord, { readonly _tag: "Message" }>
): void => {
  const newest = held.nodeIntent?.key === key ? held.nodeIntent : held.vips.get(key)
  if (newest?.envelope !== envelope) return
  kept.delete(key)
  const judged = inEffect === undefined ? undefined : Result.getOrUndefined(judge(key, inEffect.envelope))
  const message = judged?.notAllowed === undefined ? judged?.message : undefined
  if (inEffect === undefined || (message?._tag !== "VipIntent" && message?._tag !== "NodeIntent")) return
  const { envelope: text, sinceMs } = inEffect
  kept.set(key, { pending: newest.message, inEffect: { key, message, envelope: text, keyId: signerOf(text) }, sinceMs })
}

/** Stands for the sessions whose records a damaged disk may have lost; no `sessionName` is without spaces. */
export const lostSession = "lost"

/** RFC 4271 §10 suggests 90 s, and some routers' own default is 180 s. */
const holdTimeSecondsUnknown = 180

/**
 * The sessions to reckon with after a loss: one more than is known, since its router may believe what an earlier process
 * told it. Its hold time is taken to be the longest that is known.
 */
export const withLostSession = (sessions: ReadonlyMap<string, number>): ReadonlyMap<string, number> => {
  const known = [...sessions.values()].filter(Number.isFinite)
  return new Map([...sessions, [lostSession, known.length === 0 ? holdTimeSecondsUnknown : Math.max(...known)]])
}

/** Everything worth keeping, for a snapshot. */
export const recordsOf = (
  state: Pick<SavedState, "held" | "health" | "sessions" | "kept">
): ReadonlyArray<SavedRecord> => {
  const { held } = state
  const records: Array<SavedRecord> = []
  if (held.head !== undefined) records.push({ _tag: "Message", key: "head", envelope: held.head.envelope })
  for (const [session, seconds] of state.sessions) records.push(sessionRecord(session, seconds))
  for (const [service, health] of state.health) records.push(healthRecord(service, health))
  const own = held.nodeIntent
  if (own !== undefined) records.push(messageRecord(own, state.kept.get(own.key)))
  for (const [key, vip] of held.vips) records.push(messageRecord(vip, state.kept.get(key)))
  return records
}

/** `kept` when the brake holds the message back. */
export const messageRecord = (
  { key, envelope }: { readonly key: string; readonly envelope: string },
  kept: Pick<Kept, "inEffect" | "sinceMs"> | undefined
): SavedRecord => ({
  _tag: "Message",
  key,
  envelope,
  ...(kept === undefined ? {} : { inEffect: { envelope: kept.inEffect.envelope, sinceMs: kept.sinceMs } })
})

export const healthRecord = (service: string, { servesHere, servesAnywhere }: ServiceHealth): SavedRecord => ({
  _tag: "Health",
  service,
  servesHere,
  servesAnywhere
})

export const sessionRecord = (session: string, holdTimeSeconds: number): SavedRecord => ({
  _tag: "Session",
  session,
  holdTimeSeconds: Number.isFinite(holdTimeSeconds) ? holdTimeSeconds : null
})

/** What the disk had for this node, of so many records, for the first line of a process. */
export const describeSaved = (
  { held, refusals, otherNodes }: Pick<SavedState, "held" | "refusals" | "otherNodes">,
  count: number
): { readonly severity: "info" | "warning"; readonly text: string } => {
  const vips = plural(held.vips.size, "VIP")
  if (held.nodeIntent !== undefined)
    return { severity: "info", text: `${vips} ${held.vips.size === 1 ? "is" : "are"} known from the disk` }
  if (count === 0) return { severity: "info", text: "nothing is saved yet" }
  const codes = [...new Set(refusals.map(({ code }) => code))].sort()
  const refused = refusals.length === 0 ? "none refused" : `${refusals.length} refused (${codes.join(", ")})`
  const found = otherNodes.size === 0 ? "no node's" : `that of ${[...otherNodes].sort().join(", ")}`
  const text =
    `${plural(count, "record")} on the disk, ${refused}, ${vips} known: expected this node's intent among them, found ${found}; ` +
    "nothing is announced until the centre has sent it. If the folder was another node's or cluster's, give this speaker a LOWTIDE_STATE_DIR of its own"
  return { severity: "warning", text }
}
