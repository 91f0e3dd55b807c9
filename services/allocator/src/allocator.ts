import { createHash, randomUUID } from "node:crypto"
import type { CommandReply } from "@lowtide/bus/commands"
import { Bus } from "@lowtide/bus/connection"
import type { SigningKey } from "@lowtide/bus/envelope"
import type { NodeStatus } from "@lowtide/bus/status"
import { ensureStreams } from "@lowtide/bus/streams"
import { awaitedNodes, type Command, type Finding, finding, newestFleetVersion, Unreadable } from "@lowtide/domain"
import { Fenced, Ledger, ProjectionConflict, Unavailable } from "@lowtide/ledger"
import { Clock, Deferred, Effect, Fiber, Layer, Ref, Schedule, SubscriptionRef } from "effect"
import { forbids, needsOf } from "./access/permit.ts"
import { type AllocatorIdentity, Allocators, defaultAllocatorName } from "./allocators.ts"
import { Centre, type CommittedView, type HeardNode, type Order, obligedNodes } from "./centre.ts"
import type { CheckpointOptions } from "./checkpoints.ts"
import { Defects } from "./defects.ts"
import { fleetProcesses, holdBack } from "./fleet-processes.ts"
import { type FollowedFleet, Follower } from "./follower.ts"
import { HeardAgents } from "./heard-agents.ts"
import { isSilent } from "./http/views/sync.ts"
import { awaitLease, keepLease, LeaseTrust } from "./leader.ts"
import { contextOf } from "./memory.ts"
import { monotonicMs } from "./monotonic-clock.ts"
import { followStatuses } from "./node-statuses.ts"
import { keepPlaces } from "./places.ts"
import { Readability, readAgainMs } from "./readability.ts"
import { beginReign, type Reign } from "./reign.ts"
import { comparesFor, keepReplayChecked } from "./replay-check.ts"
import { retainCommandResults, retainReads, retainWireJournal } from "./retention.ts"
import { RollCallAnswers } from "./roll-call-answers.ts"
import { keepRouterJournal } from "./router-journal.ts"
import { sealWireJournal } from "./seal-wire.ts"
import { type CentreKeys, noOtherKeys, signAnew } from "./sign-anew.ts"
import { judgeAsFollower, keepForgetting, StampProofs, sayUnknownSigners } from "./stamp-proofs.ts"
import { confirmationBy, movesFinishedIn } from "./status-orders.ts"
import { beginCounting, keepWireJournal } from "./wire-journal.ts"

/** How often addresses whose quarantine may be over are looked at. */
const expireEveryMs = 1_000

/** What is done for the ledger's long life. */
export interface LedgerUpkeep {
  /** How long after the end of one comparison of the state with the log the next begins; never without. */
  readonly replayCheckEveryMs?: number | undefined
  /** For how many days rows of the wire journal are kept; for ever without. */
  readonly wireRetainDays?: number | undefined
  /** For how many days questions to the record are kept; for ever without. */
  readonly readsRetainDays?: number | undefined
}

/** What an allocator is made of. */
interface Parts {
  readonly key: SigningKey
  readonly allocators: Allocators
  readonly follower: Follower
  readonly nodes: ReadonlyMap<string, HeardNode>
  readonly agents: HeardAgents
  readonly answers: RollCallAnswers
  readonly proofs: StampProofs
  readonly keys: CentreKeys
  /** The present leadership of this allocator. */
  readonly current: Ref.Ref<Reign | undefined>
  readonly defects: Defects
  readonly readability: Readability
  readonly checkpoints: CheckpointOptions | undefined
  readonly upkeep: LedgerUpkeep
}

/**
 * The allocator: leads when it can, else follows the log, and answers readers either way. It leaves the leadership by
 * itself when the database is away for too long, and comes back to it; a fence ends it, since another allocator leads
 * then. `prepare` brings the database to its schema, and may wait for it as long as it takes.
 */
export const layerAllocator = (
  key: SigningKey,
  prepare: Effect.Effect<unknown>,
  identity: Omit<AllocatorIdentity, "id"> = { name: defaultAllocatorName, url: null },
  checkpoints?: CheckpointOptions,
  upkeep: LedgerUpkeep = {},
  /** Keys by which the centre has signed before, or will. */
  keys: CentreKeys = noOtherKeys
): Layer.Layer<Centre, never, Ledger | Bus> =>
  Layer.effect(
    Centre,
    Effect.gen(function* () {
      yield* beginCounting
      const current = yield* Ref.make<Reign | undefined>(undefined)
      const ended = yield* Deferred.make<never, Fenced | ProjectionConflict>()
      const answers = new RollCallAnswers()
      const proofs = new StampProofs(key, keys.others)
      const readability = new Readability()
      const follower = new Follower(readability)
      const ledger = yield* Ledger
      const judge = (followed: FollowedFleet | undefined, status: NodeStatus) =>
        followed === undefined
          ? Effect.void
          : judgeAsFollower(followed, proofs, status).pipe(Effect.ignore, Effect.provideService(Ledger, ledger))
      const heard: { nodes: ReadonlyMap<string, HeardNode> } = { nodes: new Map() }
      const nodes = yield* followStatuses((status) => {
        answers.take(status)
        return Effect.flatMap(Ref.get(current), (reign) =>
          Effect.andThen(
            reign === undefined ? judge(follower.followed, status) : takeStatus(reign, status),
            finishMoves(reign, status, heard.nodes)
          )
        )
      })
      heard.nodes = nodes
      const allocators = new Allocators({ ...identity, id: randomUUID() })
      const parts = {
        key,
        allocators,
        readability,
        follower,
        nodes,
        agents: new HeardAgents(),
        answers,
        proofs,
        keys,
        current,
        defects: new Defects(),
        checkpoints,
        upkeep
      }
      yield* ensureStreams.pipe(Effect.retry(Schedule.spaced("1 second")), Effect.ignore, Effect.forkScoped)
      const prepared = yield* Effect.forkScoped(prepare)
      yield* Fiber.await(prepared).pipe(Effect.andThen(keepForgetting(proofs)), Effect.forkScoped)
      yield* Fiber.await(prepared).pipe(
        Effect.andThen(allocators.report(Effect.map(positionOf(parts), (position) => position ?? 0))),
        Effect.forkScoped
      )
      yield* Fiber.await(prepared).pipe(
        Effect.andThen(
          keepReplayChecked({
            name: identity.name,
            everyMs: upkeep.replayCheckEveryMs,
            isMine: Effect.sync(() => comparesFor(allocators.known) === allocators.self.id),
            onDifference: Effect.flatMap(Ref.get(current), (reign) => reign?.doubt ?? Effect.void)
          })
        ),
        Effect.forkScoped
      )
      const leading = yield* Fiber.await(prepared).pipe(
        Effect.andThen(reignForEver(parts)),
        Effect.catchCause((cause) => Deferred.failCause(ended, cause)), // a defect as well: nobody would lead on
        Effect.forkScoped
      )
      return yield* makeCentre(parts, Deferred.await(ended), Fiber.interrupt(leading))
    })
  )

/** How long the database may take to hear that this allocator leads no longer; the lease ends by itself after that. */
const releaseTimeout = "500 millis"

const reignForEver = (parts: Parts) =>
  Effect.gen(function* () {
    const { allocators, current, follower, readability } = parts
    const ledger = yield* Ledger
    const trust = new LeaseTrust()
    const epoch = yield* Effect.raceFirst(awaitLease(allocators.self.id, trust, readability.mayLead), follower.follow)
    yield* Effect.logInfo(`leading with epoch ${epoch}`)
    yield* allocators.look
    yield* Effect.raceFirst(keepLease(epoch, trust), reignWith(epoch, trust, parts)).pipe(
      Effect.onExit(() => Ref.set(current, undefined)),
      Effect.ensuring(ledger.releaseLease(epoch).pipe(Effect.timeout(releaseTimeout), Effect.ignore)),
      Effect.catch((error) =>
        error instanceof Fenced || error instanceof ProjectionConflict
          ? Effect.fail(error)
          : error instanceof Unreadable
            ? // The lease is given back: another release may be able to.
              Effect.andThen(readability.noteStates(error), Effect.sleep(readAgainMs))
            : Effect.logWarning(error.message)
      )
    )
  }).pipe(Effect.forever)

/** Reigns until memory and database part, loading anew as long as the lease is held. */
const reignWith = (epoch: number, trust: LeaseTrust, parts: Parts) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { follower, nodes, current } = parts
      const reign = yield* beginReign({ ...parts, epoch, trust })
      yield* Ref.set(current, reign)
      follower.forget()
      yield* Effect.forkScoped(keepWireJournal)
      yield* Effect.forkScoped(sealWireJournal(reign))
      yield* Effect.forkScoped(keepRouterJournal(() => reign.memory.fleet, nodes))
      const { wireRetainDays, readsRetainDays } = parts.upkeep
      if (wireRetainDays !== undefined) yield* Effect.forkScoped(retainWireJournal(reign, wireRetainDays))
      yield* Effect.forkScoped(retainCommandResults)
      yield* Effect.forkScoped(retainReads(readsRetainDays))
      yield* Effect.forkScoped(sayUnknownSigners(parts.proofs))
      yield* reign.judged.pipe(
        Effect.andThen(signAnew({ ...parts, epoch, publisher: reign.publisher, isMuted: reign.isMuted })),
        Effect.forkScoped
      )
      yield* Effect.forkScoped(keepPlaces(Effect.sync(() => reign.memory.head.seq)))
      // What nodes have said until then was said to nobody.
      yield* reign.judged.pipe(
        Effect.andThen(
          Effect.suspend(() =>
            Effect.forEach(nodes.values(), ({ status }) => confirm(reign, status), { concurrency: 64, discard: true })
          )
        ),
        Effect.forkScoped
      )
      yield* reign
        .submit("allocator", "system", { _tag: "ExpireQuarantines" })
        .pipe(
          Effect.when(Effect.sync(() => reign.memory.fleet.quarantined.size > 0)),
          Effect.delay(expireEveryMs),
          Effect.forever,
          Effect.forkScoped
        )
      return yield* reign.over
    }).pipe(Effect.onExit(() => Ref.set(parts.current, undefined)))
  ).pipe(
    Effect.tapError((error) => (error instanceof Unreadable ? Effect.void : Effect.logWarning(error.message))),
    Effect.retry({
      while: (error) =>
        !(error instanceof Fenced || error instanceof ProjectionConflict || error instanceof Unreadable),
      schedule: Schedule.min([Schedule.exponential("50 millis"), Schedule.spaced("1 second")])
    })
  )

/** What a node holds may be more than the log has; else what it has withdrawn is of interest. */
const takeStatus = (reign: Reign, status: NodeStatus): Effect.Effect<void> =>
  Effect.andThen(reign.noteStatus(status), confirm(reign, status))

const confirm = (reign: Reign | undefined, status: NodeStatus): Effect.Effect<void> =>
  submit(reign, status, reign && confirmationBy(reign.memory, status))

/** A status may be the last that a Service waited for which is leaving an address. */
const finishMoves = (
  reign: Reign | undefined,
  status: NodeStatus,
  nodes: ReadonlyMap<string, HeardNode>
): Effect.Effect<void> =>
  Effect.flatMap(Clock.currentTimeMillis, (nowMs) =>
    submit(reign, status, reign && movesFinishedIn(reign.memory, status.cluster, nodes, nowMs))
  )

/** What a node's status orders by itself, if anything. */
const submit = (
  reign: Reign | undefined,
  { cluster, node }: NodeStatus,
  command: Command | undefined
): Effect.Effect<void> =>
  reign === undefined || command === undefined
    ? Effect.void
    : Effect.asVoid(reign.submit(`speaker:${cluster}/${node}`, "speaker", command))

/** An order as it is decided: refused at its turn when the caller may not give it, or when a node that it retires speaks. */
const orderOf = (
  reign: Reign,
  { commandId, caller, words, command }: Order,
  { nodes, agents, allocators }: Parts
): Effect.Effect<CommandReply> =>
  Effect.flatMap(Clock.currentTimeMillis, (nowMs) =>
    reign.order(
      {
        commandId: idOf(caller.actor, commandId, command, words),
        correlationId: commandId,
        actor: caller.actor,
        actorKind: caller.kind,
        ...(caller.isAuthenticated ? {} : { unauthenticated: true }),
        ...(words === undefined ? {} : { words }),
        command
      },
      (fleet) =>
        forbids(caller, needsOf(fleet, command)) ??
        heardNow(command, nodes, nowMs) ??
        holdBack({ fleet, allocators: allocators.known, agents, nodes, nowMs }, command)
    )
  )

/**
 * The id under which an order is carried out once: the same id of another caller, or with another order, is another one.
 * What the caller made names all that follows as its correlation.
 */
const idOf = (...parts: ReadonlyArray<unknown>): string => {
  const hex = createHash("sha256").update(JSON.stringify(parts)).digest("hex")
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join("-")
}

/** A node whose speaker is heard from may announce, whatever became of its Node object. */
const heardNow = (command: Command, nodes: ReadonlyMap<string, HeardNode>, nowMs: number): Finding | undefined => {
  if (command._tag !== "RetireNode") return undefined
  const name = `${command.cluster}/${command.node}`
  const heard = nodes.get(name)
  if (heard === undefined || isSilent(heard, nowMs)) return undefined
  return finding("LT0605", {
    object: { kind: "Node", name },
    expected: "a node whose speaker is silent",
    found: `a status of ${Math.max(0, Math.floor((nowMs - heard.heardAtMs) / 1000))} s ago`
  })
}

/** Seq of the last event that readers are answered from; undefined before the first load. */
const positionOf = (parts: Parts): Effect.Effect<number | undefined> =>
  Effect.map(Ref.get(parts.current), (reign) => (reign?.memory ?? followedOf(parts))?.head.seq)

/** What a follower answers from: nothing while the log holds what it cannot read. */
const followedOf = ({ follower, readability }: Parts) =>
  readability.fault === undefined ? follower.followed : undefined

const makeCentre = (
  parts: Parts,
  ended: Effect.Effect<never, Fenced | ProjectionConflict>,
  resign: Effect.Effect<void>
) =>
  Effect.gen(function* () {
    const { agents, allocators, current, follower, nodes, proofs, readability } = parts
    const { connected } = yield* Bus
    const ledger = yield* Ledger
    const notYet = new Error("this allocator has not read the log yet, or leads and the database is away")
    const notRead = Effect.suspend(() =>
      Effect.fail(new Unavailable({ operation: "read", cause: readability.fault ?? notYet }))
    )
    const viewOf = (
      { fleet, head, recordedAt }: Pick<Reign["memory"], "fleet" | "head" | "recordedAt">,
      awaited: CommittedView["awaited"]
    ) => {
      const view: CommittedView = {
        ...{ fleet, head, nodes, awaited },
        recordedAt: (stream) => recordedAt.get(stream),
        unproven: (nowMs) => proofs.recent(nowMs)
      }
      return view
    }
    return Centre.of({
      order: (order) =>
        Effect.gen(function* () {
          const reign = yield* Ref.get(current)
          if (reign === undefined) return { _tag: "TryAgain", message: "this allocator does not lead" }
          return yield* orderOf(reign, order, parts)
        }),
      read: (look) =>
        Effect.gen(function* () {
          const reign = yield* Ref.get(current)
          if (reign === undefined) {
            const followed = followedOf(parts)
            return followed === undefined ? yield* notRead : look(viewOf(followed, obligedNodes))
          }
          return yield* reign
            .read((memory) => look(viewOf(memory, (vip) => awaitedNodes(contextOf(memory, 0), vip))))
            .pipe(Effect.catch(() => notRead))
        }),
      processes: Effect.gen(function* () {
        const reign = yield* Ref.get(current)
        const fleet = (reign?.memory ?? followedOf(parts))?.fleet
        if (fleet === undefined) return yield* notRead
        const nowMs = yield* Clock.currentTimeMillis
        return fleetProcesses({ fleet, allocators: allocators.known, agents, nodes, nowMs }, newestFleetVersion)
      }),
      position: positionOf(parts),
      orderRecovery: (why) =>
        ledger.orderRecovery(why).pipe(
          Effect.andThen(Ref.get(current)),
          Effect.flatMap((reign) => reign?.compareAgain ?? Effect.void)
        ),
      allocators: Effect.sync(() => allocators.known),
      checkpointOver: (size) =>
        Effect.gen(function* () {
          const reign = yield* Ref.get(current)
          if (reign === undefined) return yield* notRead
          return yield* reign.tree.checkpointOver(size)
        }),
      ended,
      resign,
      signedBy: ledger.signedBy,
      health: Effect.gen(function* () {
        const reign = yield* Ref.get(current)
        const database = yield* Effect.exit(ledger.head)
        const lag = follower.lag(yield* monotonicMs)
        const { leader } = allocators
        return {
          role: reign !== undefined ? "leader" : followedOf(parts) !== undefined ? "follower" : "waiting",
          unreadable: readability.fault?.message ?? null,
          leader: leader === undefined ? null : { name: leader.name, url: leader.url },
          lagEvents: reign === undefined ? lag.events : 0,
          lagSeconds: reign === undefined ? lag.seconds : 0,
          database: database._tag === "Success" ? "up" : "down",
          nats: (yield* SubscriptionRef.get(connected)).up ? "up" : "down",
          unpublished: reign === undefined ? 0 : yield* reign.publisher.unpublished,
          recovery: reign === undefined ? null : ((yield* reign.recovery) ?? null)
        }
      })
    })
  })
