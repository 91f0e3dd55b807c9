import { Ledger } from "@lowtide/ledger"
import { Clock, Data, Effect, Option, Result, Schedule } from "effect"

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

/** Renews the lease for ever; fails when it can no longer be trusted, a database that does not answer included. */
export const keepLease = (epoch: number): Effect.Effect<never, LeaseLost, Ledger> =>
  Effect.gen(function* () {
    const ledger = yield* Ledger
    let renewedMs = yield* monotonicMs
    const trustedMs = Effect.map(monotonicMs, (nowMs) => renewedMs + trustLeaseMs - nowMs)
    const notRenewed = (why: string) => new LeaseLost({ epoch, why: `not renewed for ${trustLeaseMs} ms: ${why}` })
    const renewOnce = Effect.gen(function* () {
      const startedMs = yield* monotonicMs
      const held = yield* Effect.result(
        ledger.renewLease(epoch, leaseMs).pipe(
          Effect.timeoutOrElse({
            duration: Math.max(0, yield* trustedMs),
            orElse: () => Effect.fail(notRenewed("the database does not answer"))
          })
        )
      )
      if (Result.isSuccess(held)) {
        if (!held.success) return yield* new LeaseLost({ epoch, why: "it expired, or another allocator holds it" })
        renewedMs = startedMs
      } else {
        if (held.failure._tag === "LeaseLost") return yield* held.failure
        if ((yield* trustedMs) <= 0) return yield* notRenewed(held.failure.message)
        yield* Effect.logWarning(`LT0501 the lease could not be renewed: ${held.failure.message}`)
      }
    })
    return yield* renewOnce.pipe(Effect.repeat(Schedule.spaced(renewEveryMs)), Effect.andThen(Effect.never))
  })

/** Setting the system's clock neither ends nor prolongs a lease. */
const monotonicMs = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos / 1_000_000n))
