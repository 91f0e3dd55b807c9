import { Fenced, Ledger, type Unavailable } from "@lowtide/ledger"
import { Data, Effect, Option, Result, Schedule } from "effect"
import { monotonicMs } from "./monotonic-clock.ts"

/** How long a lease lasts unless it is renewed, by the database's clock. */
export const leaseMs = 5_000

/** How often it is renewed. */
const renewEveryMs = 1_000

/**
 * A leader that could not renew for this long, by its own monotonic clock, stops deciding before the lease ends. Setting
 * the system's clock neither ends nor prolongs a lease.
 */
const trustLeaseMs = 4_000

/** This allocator no longer leads; another may. Nothing is wrong with it. */
export class LeaseLost extends Data.TaggedError("LeaseLost")<{ readonly epoch: number; readonly why: string }> {
  override get message() {
    return `the lease of epoch ${this.epoch} is lost: ${this.why}`
  }
}

/** Since when the lease is known to be held, by the monotonic clock: what says whether a leader may still decide. */
export class LeaseTrust {
  #renewedMs = Number.NEGATIVE_INFINITY

  /** The database granted the lease to a request that was sent at this time. */
  renewed(sentMs: number): void {
    this.#renewedMs = sentMs
  }

  /** Until when the leader may decide. */
  get untilMs(): number {
    return this.#renewedMs + trustLeaseMs
  }

  /** Whether it may now: not after a process was stopped, or was busy, for too long. */
  readonly isHeld: Effect.Effect<boolean> = Effect.map(monotonicMs, (nowMs) => nowMs < this.untilMs)
}

/**
 * Waits until this allocator leads, and answers the epoch. A database that is away is waited for as well. It tries only
 * while `mayLead`.
 */
export const awaitLease = (
  holder: string,
  trust = new LeaseTrust(),
  mayLead: Effect.Effect<boolean, Unavailable, Ledger> = Effect.succeed(true)
): Effect.Effect<number, never, Ledger> =>
  Effect.gen(function* () {
    const ledger = yield* Ledger
    const none = Effect.succeed(Option.none<{ readonly epoch: number }>())
    const attempt = Effect.flatMap(mayLead, (may) => (may ? ledger.acquireLease(holder, leaseMs) : none)).pipe(
      Effect.tapError((error) => Effect.logWarning(`LT0501 database unavailable: ${error.message}`)),
      Effect.catch(() => none)
    )
    for (;;) {
      const sentMs = yield* monotonicMs
      const lease = yield* attempt
      if (Option.isSome(lease)) {
        trust.renewed(sentMs)
        return lease.value.epoch
      }
      yield* Effect.sleep("250 millis")
    }
  })

/**
 * Renews the lease for ever; fails when it can no longer be trusted, a database that does not answer included, and as
 * `Fenced` when another allocator leads.
 */
export const keepLease = (epoch: number, trust = new LeaseTrust()): Effect.Effect<never, LeaseLost | Fenced, Ledger> =>
  Effect.gen(function* () {
    const ledger = yield* Ledger
    if (!Number.isFinite(trust.untilMs)) trust.renewed(yield* monotonicMs)
    const trustedMs = Effect.map(monotonicMs, (nowMs) => trust.untilMs - nowMs)
    const notRenewed = (why: string) => new LeaseLost({ epoch, why: `not renewed for ${trustLeaseMs} ms: ${why}` })
    const renewOnce = Effect.gen(function* () {
      const startedMs = yield* monotonicMs
      if ((yield* trustedMs) <= 0) return yield* notRenewed("this process was stopped, or too busy to renew it")
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
        trust.renewed(startedMs)
      } else {
        if (held.failure._tag === "LeaseLost") return yield* held.failure
        if ((yield* trustedMs) <= 0) return yield* notRenewed(held.failure.message)
        yield* Effect.logWarning(`LT0501 the lease could not be renewed: ${held.failure.message}`)
      }
    })
    return yield* renewOnce.pipe(
      Effect.repeat(Schedule.spaced(renewEveryMs)),
      Effect.andThen(Effect.never),
      Effect.catchTag("LeaseLost", (lost) => Effect.andThen(refuseFenced(epoch), Effect.fail(lost)))
    )
  })

/** How long the database may take to say who leads now. */
const whoLeadsTimeout = "1 second"

/** Another leader's epoch at the log's head fences this one, whatever it was about to write. */
const refuseFenced = (epoch: number): Effect.Effect<void, Fenced, Ledger> =>
  Effect.gen(function* () {
    const found = yield* (yield* Ledger).head.pipe(Effect.timeout(whoLeadsTimeout), Effect.option)
    if (Option.isNone(found) || found.value.epoch <= epoch) return
    const { epoch: newer, seq } = found.value
    return yield* new Fenced({ expected: { epoch, seq }, found: { epoch: newer, seq } })
  })
