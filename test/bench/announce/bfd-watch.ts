import { once } from "node:events"
import { join } from "node:path"
import type { SessionStatus } from "@lowtide/bfd"
import { type BfdEvent, connectBfd } from "@lowtide/bfd/client"
import { Effect, type Scope } from "effect"
import { bundled } from "../../../scripts/bundle.mjs"
import { end, type SenderPlace, until } from "./lab.ts"

/** BFD with the receiver on every session of a place, by a process of its own. */
export interface BfdWatch {
  readonly pid: number
  /** The sessions as they are now, with their counters. */
  readonly sessions: () => Promise<ReadonlyArray<SessionStatus>>
  /** Each time that a session was Up and is not any more, at either end: its name and the cause. */
  readonly downs: ReadonlyArray<string>
}

/** Starts the node's BFD beside a sender, and answers once every session is Up at so many milliseconds x 3. It ends with the scope. */
export const watchByBfd = (place: SenderPlace, intervalMs: number): Effect.Effect<BfdWatch, never, Scope.Scope> =>
  Effect.gen(function* () {
    const socketPath = join(place.folder, "bfd.sock")
    const program = yield* Effect.promise(() => bundled("bfd"))
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => place.start([process.execPath, "--single-threaded-gc", program, "--socket", socketPath])),
      (started) => Effect.promise(() => end(started))
    )
    yield* Effect.promise(() => once(child, "spawn"))
    const downs: Array<string> = []
    const onEvent = (event: BfdEvent) => {
      if (event._tag === "BfdSessionChanged" && event.from === "Up" && event.cause !== undefined) {
        downs.push(`${event.session.name}: ${event.cause}`)
      }
      if (event._tag === "BfdDisconnected" && event.isHanging) downs.push(`the BFD process: ${event.reason}`)
      if (event._tag === "BfdSessionRefused") downs.push(`${event.name}: ${event.reason}`)
    }
    const client = yield* connectBfd({ socketPath, owner: "a benchmark" }, onEvent)
    for (const { router, local } of place.sessions) {
      const intervals = { receiveIntervalMs: intervalMs, transmitIntervalMs: intervalMs, detectMultiplier: 3 }
      client.set(`${local} to ${router}`, { localAddress: local, peerAddress: router, ...intervals })
    }
    const isUp = () => [...client.sessions().values()].filter(({ state }) => state === "Up")
    yield* Effect.promise(() => until("BFD is up", async () => isUp().length === place.sessions.length))
    return {
      pid: child.pid!,
      downs,
      sessions: () => Effect.runPromise(Effect.orDie(Effect.map(client.status, ({ sessions }) => sessions)))
    }
  })
