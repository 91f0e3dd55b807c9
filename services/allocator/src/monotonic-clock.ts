import { Clock, Effect } from "effect"

/** Milliseconds by this process's clock that only goes forward, at one pace; from when it counts says nothing. */
export const monotonicMs: Effect.Effect<number> = Effect.map(Clock.monotonicTimeNanos, (nanos) =>
  Number(nanos / 1_000_000n)
)
