import { assert, describe, it } from "@effect/vitest"
import { ensureStreams, layerBus, type NodeStatus, publishAll, statusSubject } from "@lowtide/bus"
import type { NatsServer } from "@lowtide/testkit"
import { Deferred, Effect, Layer, type Scope } from "effect"
import { followStatuses } from "../src/node-statuses.ts"
import { onNats, until } from "./live.ts"

const status = (node: string, cseq: number): NodeStatus => ({
  _tag: "NodeStatus",
  cluster: "east",
  node,
  at: "2026-01-01T00:00:00.000Z",
  runId: "r",
  sync: "live",
  cseq,
  confirmedCseq: cseq,
  sessions: [],
  announcing: [],
  refused: []
})

const message = (said: NodeStatus, subject = statusSubject(said.cluster, said.node)) => ({
  subject,
  text: JSON.stringify(said)
})

const setting = Effect.fnUntraced(function* (server: NatsServer) {
  const bus = yield* Layer.build(layerBus({ servers: [server.url], name: "test" }))
  const publish = (...messages: ReadonlyArray<ReturnType<typeof message>>) =>
    Effect.provideContext(publishAll(messages), bus)
  yield* Effect.provideContext(ensureStreams, bus)
  const seen: Array<string> = []
  const follow = (onStatus: (status: NodeStatus) => Effect.Effect<void> = () => Effect.void) =>
    Effect.gen(function* () {
      const heard = yield* followStatuses((said) => {
        seen.push(`${said.node}=${said.cseq}`)
        return onStatus(said)
      }).pipe(Effect.provideContext(bus))
      return () => Object.fromEntries([...heard].map(([name, { status }]) => [name, status.cseq]))
    })
  return {
    server,
    publish,
    seen,
    follow,
    has: (what: string) =>
      until(
        what,
        Effect.sync(() => seen.includes(what))
      )
  }
})

const following = (
  title: string,
  test: (given: Effect.Success<ReturnType<typeof setting>>) => Effect.Effect<unknown, unknown, Scope.Scope>
) => it.live(title, () => onNats((server) => Effect.flatMap(setting(server), test)))

describe("the newest status of every node", () => {
  following("is the stored one at first, and then each one that comes", (given) =>
    Effect.gen(function* () {
      yield* given.publish(message(status("n1", 1)), message(status("n2", 1)), message(status("n1", 2)))
      const heard = yield* given.follow()
      yield* given.has("n1=2")
      yield* given.has("n2=1")
      yield* given.publish(message(status("n1", 3)))
      yield* given.has("n1=3")
      assert.deepStrictEqual(heard(), { "east/n1": 3, "east/n2": 1 })
    })
  )

  following("is none that cannot be read, or that speaks for another node", (given) =>
    Effect.gen(function* () {
      const heard = yield* given.follow()
      yield* given.publish(message(status("n1", 1)))
      yield* given.has("n1=1")
      yield* given.publish(
        { subject: statusSubject("east", "n1"), text: "{" },
        message(status("n1", 9), statusSubject("east", "n2")),
        message({ ...status("n1", 9), cluster: "west" }, statusSubject("east", "n1")),
        message(status("n3", 1))
      )
      yield* given.has("n3=1")
      assert.deepStrictEqual(heard(), { "east/n1": 1, "east/n3": 1 })
    })
  )

  following("is not replaced by a stored one that was read before it came", (given) =>
    Effect.gen(function* () {
      yield* given.publish(...["a", "b", "c"].map((node) => message(status(node, 1))))
      const gate = yield* Deferred.make<void>()
      const heard = yield* given.follow(({ node }) => (node === "a" ? Deferred.await(gate) : Effect.void))
      yield* given.has("a=1")
      yield* given.publish(message(status("b", 2)))
      yield* given.has("b=2")
      yield* Deferred.succeed(gate, undefined)
      yield* given.has("c=1")
      assert.deepStrictEqual(heard(), { "east/a": 1, "east/b": 2, "east/c": 1 })
    })
  )

  following("is looked for again after a reconnection", (given) =>
    Effect.gen(function* () {
      yield* given.publish(message(status("n1", 1)))
      yield* given.follow()
      yield* given.has("n1=1")
      yield* given.server.kill
      yield* given.server.restart
      yield* until(
        "the stored one again",
        Effect.sync(() => given.seen.filter((what) => what === "n1=1").length >= 2)
      )
    })
  )
})
