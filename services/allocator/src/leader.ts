import { Ledger, type Unavailable } from "@lowtide/ledger"
import { Clock, Data, Effect, Option, Ref, Schedule } from "effect"

/** How long a lease lasts unless it is renewed, by the database's clock. */
export const leaseMs = 5_000

/** How often it is renewed. */
const renewEveryMs = 1_000

/** A leader that could not renew for this long, by its own monotonic clock, stops deciding before the lease ends. */
const trustLeaseMs = 4_000

/** This allocator no longer leads; another may. Nothing is wrong with it. */
export class LeaseLost extends Data.TaggedError("LeaseLost")<{ readonly epoch: number; readonly why: string }> {
  override get message() {
    return `the lease of epoch ${this.epoch} is lost: ${this.why}`
  }
}

/** Waits until this allocator leads, and answers the epoch. A database that is away is waited for as well. */
export const awaitLease = (holder: string): Effect.Effect<number, never, Ledger> =>
  Effect.gen(function* () {
    const ledger = yield* Ledger
    const attempt = ledger.acquireLease(holder, leaseMs).pipe(
      Effect.tapError((error) => Effect.logWarning(`LT0501 database unavailable: ${error.message}`)),
      Effect.catch(() => Effect.succeed(Option.none<{ readonly epoch: number }>()))
    )
    for (;;) {
      const lease = yield* attempt
      if (Option.isSome(lease)) return lease.value.epoch
      yield* Effect.sleep("250 millis")
    }
  })

/** Renews the lease for ever; fails when it can no longer be trusted. */
export const keepLease = (epoch: number): Effect.Effect<never, LeaseLost, Ledger> =>
  Effect.gen(function* () {
    const ledger = yield* Ledger
    const lastRenewedMs = yield* Ref.make(yield* Clock.currentTimeMillis)
    const renewOnce = Effect.gen(function* () {
      const startedMs = yield* Clock.currentTimeMillis
      const held = yield* Effect.result(ledger.renewLease(epoch, leaseMs))
      if (held._tag === "Success") {
        if (!held.success) return yield* new LeaseLost({ epoch, why: "it expired, or another allocator holds it" })
        return yield* Ref.set(lastRenewedMs, startedMs)
      }
      yield* checkAge(epoch, lastRenewedMs, held.failure)
    })
    return yield* renewOnce.pipe(Effect.repeat(Schedule.spaced(renewEveryMs)), Effect.andThen(Effect.never))
  })

const checkAge = (epoch: number, lastRenewedMs: Ref.Ref<number>, cause: Unavailable) =>
  Effect.gen(function* () {
    const age = (yield* Clock.currentTimeMillis) - (yield* Ref.get(lastRenewedMs))
    if (age > trustLeaseMs) return yield* new LeaseLost({ epoch, why: `not renewed for ${age} ms: ${cause.message}` })
    yield* Effect.logWarning(`LT0501 the lease could not be renewed: ${cause.message}`)
  })
