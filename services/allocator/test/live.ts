import { type NatsServer, startNats } from "@lowtide/testkit"
import { waitUntil } from "@lowtide/testkit/lab/wait"
import { Effect, type Scope } from "effect"

/** Waits until it is so, 20 s at most unless said otherwise; a look that fails says not yet. */
export const until = <E, R>(
  what: string,
  look: Effect.Effect<boolean, E, R>,
  deadlineMs = 20_000
): Effect.Effect<void, never, R> =>
  waitUntil(
    what,
    Effect.catch(look, () => Effect.succeed(false)),
    { deadlineMs }
  ).pipe(Effect.orDie)

/** A server that outlives what the test connects to it. */
export const onNats = <A, E>(test: (server: NatsServer) => Effect.Effect<A, E, Scope.Scope>) =>
  Effect.scoped(Effect.flatMap(startNats(), (server) => Effect.scoped(test(server))))
