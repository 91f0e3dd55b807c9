import type { CommandReply } from "@lowtide/bus/commands"
import { type SigningKey, seal } from "@lowtide/bus/envelope"
import {
  affectedContents,
  type ClusterHead,
  type CommandEnvelope,
  codes,
  type DecisionContext,
  type DomainEvent,
  decide,
  type Finding,
  type Fleet,
  isForWholeCluster,
  type MassWithdraw,
  type MassWithdrawal,
  messageKey,
  type NumberedMessage,
  type Stamp,
  unsaidIn,
  vipKey,
  writeEvent,
  writeState
} from "@lowtide/domain"
import type { Batch, CurrentRow, HistoryRow, IntentHeadRow, IntentRow, NewEvent } from "@lowtide/ledger"
import { Result } from "effect"
import { contextOf, digestOf, type Memory, summaryText } from "./memory.ts"
import { republicationOf } from "./republication.ts"

/** A command with the moment at which it came in, RFC 3339 by the allocator's clock. */
export interface ReceivedCommand {
  readonly envelope: CommandEnvelope
  readonly receivedAt: string
  /** Asked at the command's turn: why it is not to be decided at all. */
  readonly forbid?: (fleet: Fleet) => Finding | undefined
}

/** What a batch of commands amounts to: the rows to commit, and what to answer each once they are. */
export interface DecidedBatch {
  readonly batch: Batch
  readonly replies: ReadonlyArray<CommandReply>
  readonly events: ReadonlyArray<DomainEvent>
  /** Whether it begins to publish a cluster anew. */
  readonly isAnew: boolean
  /** Clusters with new messages. */
  readonly clusters: ReadonlySet<string>
}

/** An event with its command. */
interface CausedEvent {
  readonly event: DomainEvent
  readonly received: ReceivedCommand
}

/**
 * Decides commands one after another on the memory, which holds their outcome from then on, and gathers everything that
 * one commit has to write. Throws on a broken invariant; the memory is of no use then.
 */
export const decideBatch = (
  memory: Memory,
  commands: ReadonlyArray<ReceivedCommand>,
  key: SigningKey,
  nowMs: number
): DecidedBatch => {
  const uncommitted = new Set<string>()
  const context = contextOf(memory, nowMs, uncommitted)
  const versionsBefore = new Map<string, number>()
  const caused: Array<CausedEvent> = []
  const replies: Array<CommandReply> = []
  for (const received of commands) {
    noteConfirmation(memory, received.envelope)
    const decided = decideOne(memory, received, context)
    if (Result.isFailure(decided)) {
      const { code, message, fix } = decided.failure
      replies.push({ _tag: "Refused", code, message, ...(fix === codes[code].fix ? {} : { fix }) })
      continue
    }
    const events = decided.success
    const seqFrom = memory.head.seq + caused.length + 1
    for (const event of events) {
      caused.push({ event, received })
      uncommitted.add(event.stream)
    }
    replies.push(
      events.length === 0
        ? { _tag: "Done", seqFrom: null, seqTo: null }
        : { _tag: "Done", seqFrom, seqTo: seqFrom + events.length - 1 }
    )
  }
  for (const { event } of [...caused].reverse()) {
    const after = versionsBefore.get(event.stream) ?? memory.fleet.versions.get(event.stream) ?? 0
    versionsBefore.set(event.stream, after - 1)
  }
  const republished = caused.flatMap(({ event: { type, before, after } }, index) =>
    type === "ClusterRepublished" && before?._tag === "Cluster" && after?._tag === "Cluster"
      ? [
          {
            cluster: after.cluster,
            isBegun: before.incarnation !== after.incarnation,
            stamp: stampOf(memory, memory.head.seq + 1 + index)
          }
        ]
      : []
  )
  const begun = republished.filter(({ isBegun }) => isBegun)
  for (const { cluster } of begun) {
    memory.digests.delete(cluster)
    memory.begunCseqs.set(cluster, memory.book.cseq(cluster))
    memory.republications.delete(cluster)
  }
  const messages = numberMessages(memory, caused)
  const { intents, heads } = sealMessages(memory, messages, begun, key)
  const removed = republished.flatMap(({ cluster }) => removeOutdated(memory, cluster))
  return {
    batch: {
      expected: { epoch: memory.head.epoch, seq: memory.head.seq },
      events: eventRows(caused, versionsBefore, memory.fleet.fleetVersion),
      current: currentRows(memory, caused, versionsBefore),
      history: historyRows(memory, caused),
      intents: [...intents, ...removed],
      intentHeads: heads,
      results: commands.flatMap(({ envelope }, index) => {
        const reply = replies[index]
        return reply?._tag === "Done" && reply.seqFrom !== null && reply.seqTo !== null
          ? {
              commandId: envelope.commandId,
              seqFrom: reply.seqFrom,
              seqTo: reply.seqTo,
              outcome: JSON.stringify(reply)
            }
          : []
      })
    },
    replies,
    events: caused.map(({ event }) => event),
    isAnew: begun.length > 0,
    clusters: new Set(messages.map(({ message }) => message.cluster))
  }
}

/** A command that broke an invariant: a defect of ours, put down to the command so that it is not tried for ever. */
export class DecisionDefect extends Error {
  readonly commandId: string

  constructor(received: ReceivedCommand, cause: unknown) {
    const { command, commandId } = received.envelope
    super(`${command._tag} ${commandId}: ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}`)
    this.commandId = commandId
  }
}

const decideOne = (
  memory: Memory,
  received: ReceivedCommand,
  context: DecisionContext
): Result.Result<ReadonlyArray<DomainEvent>, Finding> => {
  try {
    const forbidden = received.forbid?.(memory.fleet)
    if (forbidden !== undefined) return Result.fail(forbidden)
    return decide(memory.fleet, received.envelope.command, { ...context, actor: received.envelope.actor })
  } catch (cause) {
    throw new DecisionDefect(received, cause)
  }
}

/** What a node has confirmed is its own word, kept until this process ends; the speaker repeats it. */
const noteConfirmation = (memory: Memory, { command }: CommandEnvelope): void => {
  if (command._tag !== "ConfirmWithdrawals") return
  const key = `${command.cluster}/${command.node}`
  memory.confirmed.set(key, Math.max(command.cseq, memory.confirmed.get(key) ?? -1))
}

const eventRows = (
  caused: ReadonlyArray<CausedEvent>,
  versionsBefore: ReadonlyMap<string, number>,
  fleetVersion: number
): ReadonlyArray<NewEvent> => {
  const versions = new Map(versionsBefore)
  return caused.map(({ event, received }) => {
    const version = (versions.get(event.stream) ?? 0) + 1
    versions.set(event.stream, version)
    const { envelope, receivedAt } = received
    const { before, after } = event
    return {
      stream: event.stream,
      version,
      type: event.type,
      ...event.about,
      ...(envelope.observedAt === undefined ? {} : { observedAt: envelope.observedAt }),
      actor: envelope.actor,
      actorKind: envelope.actorKind,
      commandId: envelope.commandId,
      correlationId: envelope.correlationId,
      reasonCode: event.reason,
      ...writeEvent({ before, after }, fleetVersion),
      meta: JSON.stringify({
        receivedAt,
        ...(envelope.words === undefined ? {} : { words: envelope.words }),
        ...(envelope.unauthenticated === undefined ? {} : { unauthenticated: true })
      })
    }
  })
}

const currentRows = (
  memory: Memory,
  caused: ReadonlyArray<CausedEvent>,
  versionsBefore: ReadonlyMap<string, number>
): ReadonlyArray<CurrentRow> => {
  const rows = new Map<string, CurrentRow>()
  for (const [index, { event }] of caused.entries()) {
    rows.set(event.stream, {
      stream: event.stream,
      kind: event.stream.slice(0, event.stream.indexOf(":")),
      version: memory.fleet.versions.get(event.stream) ?? 0,
      previousVersion: versionsBefore.get(event.stream) ?? 0,
      seq: memory.head.seq + 1 + index,
      ...(event.after === null ? { schema: 1, state: null } : writeState(event.after, memory.fleet.fleetVersion))
    })
  }
  return [...rows.values()]
}

const historyRows = (memory: Memory, caused: ReadonlyArray<CausedEvent>): ReadonlyArray<HistoryRow> =>
  caused.flatMap(({ event, received }, index) => {
    if (event.after?._tag !== "Vip") return []
    const { network, address, member, pool, phase, cluster, holders } = event.after
    return {
      network,
      address,
      ...(member === true ? { member: cluster } : {}),
      seq: memory.head.seq + 1 + index,
      state: phase,
      pool,
      holders: JSON.stringify(holders.map(({ namespace, name, uid }) => ({ cluster, namespace, name, uid }))),
      reasonCode: event.reason,
      actor: received.envelope.actor
    }
  })

interface KeyedMessage {
  readonly key: string
  readonly message: NumberedMessage
}

const numberMessages = (memory: Memory, caused: ReadonlyArray<CausedEvent>): ReadonlyArray<KeyedMessage> => {
  const obligedOf = (cluster: string, address: string) => memory.book.obligedOf(cluster, vipKey(address))
  const affected = affectedContents(
    memory.fleet,
    caused.map(({ event }) => event),
    obligedOf,
    (cluster) => republicationOf(memory, cluster).takeLacking()
  )
  const isLeftUnsaid = unsaidIn(memory.fleet, (cluster) => memory.book.said(cluster, memory.head.incarnation))
  return affected.flatMap(({ content, eventIndex, massWithdraw, again }) => {
    const cause = caused[eventIndex]
    if (cause === undefined || memory.fleet.isFrozen(memory.fleet.cluster(content.cluster))) return []
    const key = messageKey(content)
    const entry = memory.book.entries(content.cluster).get(key)
    const isAllOrdered = massWithdraw !== undefined && isForWholeCluster(massWithdraw)
    if (!isAllOrdered && isLeftUnsaid(content)) return []
    const cseqBefore = entry?.incarnation === memory.head.incarnation ? entry.cseq : undefined
    const stamp = stampOf(memory, memory.head.seq + 1 + eventIndex)
    const why = {
      seq: stamp.seq,
      type: cause.event.type,
      reason: cause.event.reason,
      actor: cause.received.envelope.actor
    }
    const [ofNew, ofAll] = [massWithdraw, again].map((order) => order && orderedBy(memory, caused, order))
    const message = memory.book.number(content, stamp, why, ofNew, ofAll)
    if (message === undefined) return []
    const digest = digestOf(memory.digests, content.cluster)
    if (cseqBefore !== undefined) digest.remove(key, cseqBefore)
    digest.add(key, message.cseq)
    return { key, message }
  })
}

/** An order in the words of who gave it. */
const orderedBy = (
  memory: Memory,
  caused: ReadonlyArray<CausedEvent>,
  { eventIndex, nodes }: MassWithdrawal
): MassWithdraw => {
  const order = caused[eventIndex]
  const reason = order?.received.envelope.words ?? order?.event.reason ?? ""
  return { reason, cause: memory.head.seq + 1 + eventIndex, ...(nodes === undefined ? {} : { nodes }) }
}

/** What the new incarnation does not speak of any more; speakers leave it out of what they compare with the head. */
const removeOutdated = (memory: Memory, cluster: string): ReadonlyArray<IntentRow> =>
  republicationOf(memory, cluster)
    .takeOutdated()
    .map((subject) => {
      const { cseq = 0 } = memory.book.entries(cluster).get(subject) ?? {}
      memory.book.remove(cluster, subject)
      return { cluster, subject, cseq, seq: memory.head.seq, envelope: null }
    })

const stampOf = (memory: Memory, seq: number): Stamp => ({
  incarnation: memory.head.incarnation,
  epoch: memory.head.epoch,
  seq
})

/**
 * Signs each message once, and a new head for every cluster that has any, or begins to be published anew: from then on its
 * head says where the numbers of this incarnation begin.
 */
const sealMessages = (
  memory: Memory,
  messages: ReadonlyArray<KeyedMessage>,
  begun: ReadonlyArray<{ readonly cluster: string; readonly stamp: Stamp }>,
  key: SigningKey
): { readonly intents: ReadonlyArray<IntentRow>; readonly heads: ReadonlyArray<IntentHeadRow> } => {
  const lastStamps = new Map(begun.map(({ cluster, stamp }) => [cluster, stamp]))
  const intents = messages.map(({ key: subject, message }): IntentRow => {
    const last = lastStamps.get(message.cluster)
    if (last === undefined || last.seq < message.stamp.seq) lastStamps.set(message.cluster, message.stamp)
    const { cluster, cseq, stamp } = message
    const summary = summaryText(memory, cluster, subject)
    return { cluster, subject, cseq, seq: stamp.seq, envelope: seal(key, JSON.stringify(message)), summary }
  })
  const heads = [...lastStamps].map(([cluster, stamp]): IntentHeadRow => {
    const digest = digestOf(memory.digests, cluster)
    const head: ClusterHead = {
      _tag: "ClusterHead",
      stamp,
      cseq: memory.book.cseq(cluster),
      cluster,
      digest: digest.toString(),
      count: digest.count
    }
    const begunCseq = memory.begunCseqs.get(cluster)
    return {
      ...head,
      seq: stamp.seq,
      envelope: seal(key, JSON.stringify(head)),
      ...(begunCseq === undefined ? {} : { begunCseq })
    }
  })
  return { intents, heads }
}
