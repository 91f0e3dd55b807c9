import { type CommandReply, serveCommands } from "@lowtide/bus/commands"
import type { Bus } from "@lowtide/bus/connection"
import { type Command, type CommandEnvelope, codes, type LogEnd } from "@lowtide/domain"
import { Ledger } from "@lowtide/ledger"
import { Deferred, Effect, Option, type Scope, Semaphore } from "effect"
import { type Comparison, notCompared } from "./comparison.ts"
import { busy, type Deciding, MemoryLost, type MoreOfCommand, nowText, type Over, tryAgain } from "./deciding.ts"
import type { Defects } from "./defects.ts"
import { Effectless } from "./effectless.ts"
import type { HeardAgents } from "./heard-agents.ts"
import { isHeldBack } from "./held-back.ts"
import type { Memory } from "./memory.ts"
import type { Publisher } from "./publisher.ts"
import type { Recovery } from "./recovery.ts"
import { UnderWay } from "./under-way.ts"

/** Answers commands, whoever sends them: each is carried out once, however often it is sent. */
export interface Answering {
  /** Answers a command that is not sent again. */
  readonly answer: (envelope: CommandEnvelope, more?: MoreOfCommand) => Effect.Effect<CommandReply>
  /** Answers what a person orders; one order at a time, so that an id that is sent twice at once is decided once. */
  readonly order: (
    envelope: CommandEnvelope,
    forbid: NonNullable<MoreOfCommand["forbid"]>
  ) => Effect.Effect<CommandReply>
}

/** Answers agents' commands until the scope closes. */
export const startAnswering = (parts: {
  readonly memory: Memory
  readonly comparison: Comparison
  readonly deciding: Deciding
  readonly defects: Defects
  readonly publisher: Publisher
  readonly recovery: Recovery
  readonly agents: HeardAgents
  readonly over: Over
}): Effect.Effect<Answering, never, Ledger | Bus | Scope.Scope> =>
  Effect.gen(function* () {
    const { memory, comparison, deciding, defects, publisher, recovery, agents, over } = parts
    const ledger = yield* Ledger
    const answer: Answering["answer"] = (envelope, more) =>
      Effect.gen(function* () {
        const refusal = defects.refusal(envelope) ?? comparison.refusal
        if (refusal !== undefined) return refusal
        const ahead = yield* publisher.ahead
        if (ahead.size > 0) {
          // The next leadership compares all there is, and knows what to do.
          yield* Deferred.fail(over, new MemoryLost({ why: `NATS has more of ${[...ahead].join(", ")} than the log` }))
          return notCompared
        }
        const { command } = envelope
        if (isHeldBack(memory, command)) {
          return recovery.noteHeldBack(command) ? noEffect : heldBack
        }
        recovery.noteTaken(command)
        return yield* deciding.decide(envelope, more)
      })
    /** When a command came; it waits a while for the log to be compared. */
    const received = Effect.tap(nowText, () => comparison.awaited)
    const effectless = new Effectless()
    const noted = (commandId: string, answered: Effect.Effect<CommandReply>): Effect.Effect<CommandReply> =>
      Effect.tap(answered, (reply) =>
        Effect.sync(() => {
          if (reply._tag === "Done" && reply.seqFrom === null) effectless.add(commandId)
        })
      )
    /** The answer that is stored for a command that was carried out, else a new one. Not looked for in vain when busy. */
    const answerOnce = (commandId: string, whenNew: Effect.Effect<CommandReply>): Effect.Effect<CommandReply> =>
      Effect.flatMap(deciding.isFull, (isFull) =>
        isFull
          ? Effect.succeed(busy)
          : ledger.commandResult(commandId).pipe(
              Effect.flatMap(
                Option.match({
                  onNone: () => (effectless.has(commandId) ? Effect.succeed(noEffect) : noted(commandId, whenNew)),
                  onSome: storedReply
                })
              ),
              Effect.catch((error) => tryAgain(error))
            )
      )
    const underWay = new UnderWay()
    yield* agents.begin
    yield* serveCommands((sent) =>
      agents.note(clusterOf(sent.command), sent.fleetVersion).pipe(
        Effect.andThen(received),
        Effect.flatMap((receivedAt) => {
          const { commandId } = sent
          const answered = answer(asAgent(sent), { receivedAt })
          const isFirst = (sent.attempt ?? 1) === 1
          return underWay.once(commandId, isFirst ? noted(commandId, answered) : answerOnce(commandId, answered))
        }),
        Effect.map((reply) => withEnd(reply, memory.head))
      )
    ).pipe(Effect.forkScoped)
    const ordering = yield* Semaphore.make(1)
    return {
      answer,
      order: (envelope, forbid) =>
        Effect.flatMap(received, (receivedAt) =>
          answerOnce(envelope.commandId, answer(envelope, { forbid, receivedAt })).pipe(Semaphore.withPermit(ordering))
        )
    }
  })

/** The actor is who the subject's permission says, not what the message says. */
const asAgent = (received: Omit<CommandEnvelope, "actor" | "actorKind">): CommandEnvelope => ({
  ...received,
  actor: `agent:${clusterOf(received.command)}`,
  actorKind: "agent"
})

const clusterOf = (command: Command): string => ("cluster" in command ? command.cluster : "-")

const storedReply = ({ outcome }: { readonly outcome: string }): Effect.Effect<CommandReply> =>
  Effect.succeed(JSON.parse(outcome) as CommandReply)

/** Says how far the log goes: what is read from now on is as of there, at the least (ADR 67). */
const withEnd = (reply: CommandReply, { incarnation, seq }: LogEnd): CommandReply =>
  reply._tag === "Done" ? { ...reply, end: { incarnation, seq } } : reply

const noEffect: CommandReply = { _tag: "Done", seqFrom: null, seqTo: null }

const heldBack: CommandReply = {
  _tag: "TryAgain",
  message: `LT0520 ${codes.LT0520.title}. Fix: ${codes.LT0520.fix}`
}
