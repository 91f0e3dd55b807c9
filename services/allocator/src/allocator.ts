import { randomUUID } from "node:crypto"
import { Bus } from "@lowtide/bus/connection"
import type { SigningKey } from "@lowtide/bus/envelope"
import type { NodeStatus } from "@lowtide/bus/status"
import { ensureStreams } from "@lowtide/bus/streams"
import { Fenced, Ledger, ProjectionConflict, Unavailable } from "@lowtide/ledger"
import { Deferred, Effect, Fiber, Layer, Ref, Schedule, SubscriptionRef } from "effect"
import { Centre, type HeardNode } from "./centre.ts"
import { Defects } from "./defects.ts"
import { awaitLease, keepLease } from "./leader.ts"
import { followStatuses } from "./node-statuses.ts"
import { beginReign, type Reign } from "./reign.ts"
import { keepWireJournal } from "./wire-journal.ts"

/** How often addresses whose quarantine may be over are looked at. */
const expireEveryMs = 1_000

/**
 * The allocator: leads when it can, and answers readers. It leaves the leadership by itself when the database is away for
 * too long, and comes back to it; only a fence ends it, since another allocator leads then. `prepare` brings the database
 * to its schema, and may wait for it as long as it takes.
 */
export const layerAllocator = (
  key: SigningKey,
  prepare: Effect.Effect<unknown>
): Layer.Layer<Centre, never, Ledger | Bus> =>
  Layer.effect(
    Centre,
    Effect.gen(function* () {
      const current = yield* Ref.make<Reign | undefined>(undefined)
      const ended = yield* Deferred.make<never, Fenced | ProjectionConflict>()
      const nodes = yield* followStatuses((status) =>
        Effect.flatMap(Ref.get(current), (reign) => confirm(reign, status))
      )
      yield* ensureStreams.pipe(Effect.retry(Schedule.spaced("1 second")), Effect.ignore, Effect.forkScoped)
      const prepared = yield* Effect.forkScoped(prepare)
      yield* Fiber.await(prepared).pipe(
        Effect.andThen(reignForEver(key, current, nodes, new Defects())),
        Effect.catchCause((cause) => Deferred.failCause(ended, cause)), // a defect as well: nobody would lead on
        Effect.forkScoped
      )
      return yield* makeCentre(current, nodes, Deferred.await(ended))
    })
  )

const reignForEver = (
  key: SigningKey,
  current: Ref.Ref<Reign | undefined>,
  nodes: ReadonlyMap<string, HeardNode>,
  defects: Defects
) =>
  Effect.gen(function* () {
    const holder = randomUUID()
    const epoch = yield* awaitLease(holder)
    yield* Effect.logInfo(`leading with epoch ${epoch}`)
    yield* Effect.raceFirst(keepLease(epoch), reignWith(epoch, key, current, nodes, defects)).pipe(
      Effect.onExit(() => Ref.set(current, undefined)),
      Effect.catch((error) =>
        error instanceof Fenced || error instanceof ProjectionConflict
          ? Effect.fail(error)
          : Effect.logWarning(error.message)
      )
    )
    yield* Effect.ignore((yield* Ledger).releaseLease(epoch))
  }).pipe(Effect.forever)

/** Reigns until memory and database part, loading anew as long as the lease is held. */
const reignWith = (
  epoch: number,
  key: SigningKey,
  current: Ref.Ref<Reign | undefined>,
  nodes: ReadonlyMap<string, HeardNode>,
  defects: Defects
) =>
  Effect.scoped(
    Effect.gen(function* () {
      const reign = yield* beginReign(epoch, key, defects)
      yield* Ref.set(current, reign)
      yield* Effect.forkScoped(keepWireJournal)
      for (const { status } of nodes.values()) yield* Effect.forkScoped(confirm(reign, status))
      yield* reign
        .submit("allocator", "system", { _tag: "ExpireQuarantines" })
        .pipe(
          Effect.when(Effect.sync(() => reign.memory.fleet.quarantined.size > 0)),
          Effect.delay(expireEveryMs),
          Effect.forever,
          Effect.forkScoped
        )
      return yield* reign.over
    }).pipe(Effect.onExit(() => Ref.set(current, undefined)))
  ).pipe(
    Effect.tapError((error) => Effect.logWarning(error.message)),
    Effect.retry({
      while: (error) => !(error instanceof Fenced || error instanceof ProjectionConflict),
      schedule: Schedule.min([Schedule.exponential("50 millis"), Schedule.spaced("1 second")])
    })
  )

/** A node's confirmations matter while something of its cluster is being withdrawn, and to who withdraws later. */
const confirm = (reign: Reign | undefined, status: NodeStatus): Effect.Effect<void> => {
  if (reign === undefined) return Effect.void
  const { cluster, node, confirmedCseq } = status
  if ((reign.memory.confirmed.get(`${cluster}/${node}`) ?? -1) >= confirmedCseq) return Effect.void
  return Effect.asVoid(
    reign.submit(`speaker:${cluster}/${node}`, "speaker", {
      _tag: "ConfirmWithdrawals",
      cluster,
      node,
      cseq: confirmedCseq
    })
  )
}

const makeCentre = (
  current: Ref.Ref<Reign | undefined>,
  nodes: ReadonlyMap<string, HeardNode>,
  ended: Effect.Effect<never, Fenced | ProjectionConflict>
) =>
  Effect.gen(function* () {
    const { connected } = yield* Bus
    const ledger = yield* Ledger
    const notLeading = new Unavailable({
      operation: "read",
      cause: new Error("this allocator does not lead, or the database is away")
    })
    return Centre.of({
      read: (look) =>
        Effect.gen(function* () {
          const reign = yield* Ref.get(current)
          if (reign === undefined) return yield* notLeading
          return yield* reign
            .read(({ fleet, head, recordedAt }) =>
              look({ fleet, head, recordedAt: (stream) => recordedAt.get(stream), nodes })
            )
            .pipe(Effect.mapError(() => notLeading))
        }),
      ended,
      health: Effect.gen(function* () {
        const reign = yield* Ref.get(current)
        const database = yield* Effect.exit(ledger.head)
        return {
          role: reign === undefined ? "waiting" : "leader",
          database: database._tag === "Success" ? "up" : "down",
          nats: (yield* SubscriptionRef.get(connected)).up ? "up" : "down",
          unpublished: reign === undefined ? 0 : yield* reign.publisher.unpublished
        }
      })
    })
  })
