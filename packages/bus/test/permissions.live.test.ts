import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { startNats } from "@lowtide/testkit"
import { connect, type NatsConnection, PermissionViolationError } from "@nats-io/transport-node"
import { Deferred, Effect, Fiber, Queue, type Scope, Stream } from "effect"
import {
  type Bus,
  type BusUser,
  busUserName,
  connectionOptions,
  countStored,
  ensureStreams,
  followState,
  followStream,
  headFilter,
  layerBus,
  natsUsersText,
  newNatsKey,
  publishAll,
  purgeStored,
  readLast,
  readNatsUsers,
  readStored,
  sendCommand,
  serveCommands,
  stateFilter,
  stateStream,
  stateSubject,
  statusFilter,
  statusStream,
  statusSubject,
  vipFilter,
  wireFilter,
  wireStream,
  wireSubject
} from "../src/index.ts"
import { until } from "./live-bus.ts"

const users: ReadonlyArray<BusUser> = [
  { role: "allocator" },
  ...["east", "west"].flatMap((cluster) => [
    { role: "agent" as const, cluster },
    { role: "speaker" as const, cluster }
  ])
]

/** A server with the users of two clusters, and how to come in as each. */
const startFleetNats = Effect.gen(function* () {
  const keys = new Map(users.map((user) => [busUserName(user), newNatsKey()]))
  const server = yield* startNats({
    configuration: natsUsersText(
      users.map((user) => ({ user, publicKeys: [keys.get(busUserName(user))?.publicKey ?? ""] }))
    )
  })
  const optionsOf = (user: BusUser) => {
    const nkeyFile = join(server.folder, `${busUserName(user)}.nk`)
    writeFileSync(nkeyFile, keys.get(busUserName(user))?.seed ?? "", { mode: 0o600 })
    return { servers: [server.url], name: busUserName(user), user, nkeyFile }
  }
  /** What the server has refused, as its log has it: `agent-east Publish lt.v1.cmd.west`. */
  const violations = () =>
    [
      ...readFileSync(server.logFile, "utf8").matchAll(
        /(Publish|Subscription) Violation - Nkey "(U\w+)", Subject "([^"]+)"/g
      )
    ].map(([, what, key, subject]) => {
      const name = [...keys].find(([, { publicKey }]) => publicKey === key)?.[0]
      return `${name} ${what} ${subject}`
    })
  const as =
    (user: BusUser) =>
    <A, E>(work: Effect.Effect<A, E, Bus | Scope.Scope>) =>
      Effect.scoped(Effect.provide(work, layerBus(optionsOf(user))))
  return { server, optionsOf, violations, as }
})

/** A plain connection of a user, which notes what it is refused. */
const comeIn = (options: Parameters<typeof connectionOptions>[0]) =>
  Effect.gen(function* () {
    const connection = yield* Effect.acquireRelease(
      Effect.promise(() => connect(connectionOptions(options))),
      (nats) => Effect.promise(() => nats.close())
    )
    const refused: Array<string> = []
    void (async () => {
      for await (const status of connection.status()) {
        if (status.type === "error" && status.error instanceof PermissionViolationError) {
          refused.push(`${status.error.operation} ${status.error.subject}`)
        }
      }
    })()
    return { connection, refused }
  })

type Attempt = readonly [verb: "publish" | "subscribe", subject: string]

/** The server answers in order: what it has to say of an attempt comes before the answer to the flush. */
const isRefused = async (connection: NatsConnection, refused: Array<string>, [verb, subject]: Attempt) => {
  refused.length = 0
  if (verb === "publish") {
    connection.publish(subject, "x")
    await connection.flush()
  } else {
    const subscription = connection.subscribe(subject, { callback: () => undefined })
    await connection.flush()
    subscription.unsubscribe()
  }
  await connection.flush()
  return refused.length > 0
}

const api = "$JS.API"
const create = `${api}.CONSUMER.CREATE`

/** Each attempt, and who may. `allocator`, `agent` and `speaker` are of cluster east. */
const table: ReadonlyArray<readonly [what: string, attempt: Attempt, may: ReadonlyArray<BusUser["role"]>]> = [
  ["hear its own cluster's state", ["subscribe", "lt.live.v1.state.east.>"], ["agent", "speaker"]],
  ["hear another cluster's state", ["subscribe", "lt.live.v1.state.west.>"], []],
  ["hear every cluster's state", ["subscribe", "lt.live.v1.state.>"], []],
  ["hear what is stored as it is published", ["subscribe", "lt.v1.state.east.>"], []],
  ["hear its own cluster's commands", ["subscribe", "lt.v1.cmd.east"], ["allocator"]],
  ["hear every command", ["subscribe", "lt.v1.cmd.*"], ["allocator"]],
  ["hear every status", ["subscribe", "lt.v1.status.>"], ["allocator"]],
  ["hear everything", ["subscribe", ">"], []],
  ["hear what the server tells of consumers", ["subscribe", "$JS.EVENT.ADVISORY.>"], []],
  ["hear the system", ["subscribe", "$SYS.>"], []],
  ["hear every answer", ["subscribe", "_INBOX.>"], []],
  ["hear the allocator's answers", ["subscribe", "_INBOX.allocator.>"], ["allocator"]],
  ["hear the own agent's answers", ["subscribe", "_INBOX.agent.east.>"], ["agent"]],
  ["hear another agent's answers", ["subscribe", "_INBOX.agent.west.>"], []],
  ["hear the own speakers' answers", ["subscribe", "_INBOX.speaker.east.>"], ["speaker"]],
  ["hear other speakers' answers", ["subscribe", "_INBOX.speaker.west.>"], []],
  ["answer the own agent", ["publish", "_INBOX.agent.east.x"], ["allocator"]],
  ["answer another agent", ["publish", "_INBOX.agent.west.x"], ["allocator"]],
  ["answer the allocator", ["publish", "_INBOX.allocator.x"], []],
  ["command for its own cluster", ["publish", "lt.v1.cmd.east"], ["agent"]],
  ["command for another cluster", ["publish", "lt.v1.cmd.west"], []],
  ["give a node's status", ["publish", "lt.v1.status.east.n1"], ["speaker"]],
  ["give a status of another cluster", ["publish", "lt.v1.status.west.n1"], []],
  ["report for its own node", ["publish", "lt.v1.wire.east.n1"], ["speaker"]],
  ["report as the agent", ["publish", "lt.v1.wire.east.agent"], ["agent", "speaker"]],
  ["report for another cluster", ["publish", "lt.v1.wire.west.n1"], []],
  ["store an intent of its own cluster", ["publish", "lt.v1.state.east.adv.4-192-0-2-1"], ["allocator"]],
  ["store an intent of another cluster", ["publish", "lt.v1.state.west.adv.4-192-0-2-1"], ["allocator"]],
  ["repeat an intent as the server does", ["publish", "lt.live.v1.state.east.adv.4-192-0-2-1"], []],
  ["call the roll", ["publish", "lt.live.v1.state.east.rollcall"], ["allocator"]],
  ["read every cluster's head", ["publish", `${create}.LT_STATE.c.lt.v1.state.*.head`], ["allocator"]],
  ["read every VIP's intent", ["publish", `${create}.LT_STATE.c.lt.v1.state.*.adv.*`], ["allocator"]],
  ["read its own cluster's state", ["publish", `${create}.LT_STATE.c.lt.v1.state.east.>`], ["agent", "speaker"]],
  ["read another cluster's state", ["publish", `${create}.LT_STATE.c.lt.v1.state.west.>`], []],
  ["read every cluster's state", ["publish", `${create}.LT_STATE.c.lt.v1.state.>`], []],
  ["read a stream without a filter", ["publish", `${create}.LT_STATE.c`], []],
  ["read a stream without a filter, as of old", ["publish", `${create}.LT_STATE`], []],
  ["read a stream durably", ["publish", `${api}.CONSUMER.DURABLE.CREATE.LT_STATE.c`], []],
  ["read statuses", ["publish", `${create}.LT_STATUS.c.lt.v1.status.>`], ["allocator"]],
  ["read reports", ["publish", `${create}.LT_WIRE.c.lt.v1.wire.>`], ["allocator"]],
  ["read one message by its subject", ["publish", `${api}.STREAM.MSG.GET.LT_STATE`], ["allocator"]],
  ["read one message directly", ["publish", `${api}.DIRECT.GET.LT_STATE`], []],
  ["list subjects", ["publish", `${api}.STREAM.INFO.LT_STATE`], ["allocator"]],
  ["list consumers", ["publish", `${api}.CONSUMER.NAMES.LT_STATE`], []],
  ["list consumers in full", ["publish", `${api}.CONSUMER.LIST.LT_STATE`], []],
  ["make the stream", ["publish", `${api}.STREAM.CREATE.LT_STATE`], ["allocator"]],
  ["make another stream", ["publish", `${api}.STREAM.CREATE.SPY`], []],
  ["change the stream", ["publish", `${api}.STREAM.UPDATE.LT_STATE`], []],
  ["delete the stream", ["publish", `${api}.STREAM.DELETE.LT_STATE`], []],
  ["purge the stream", ["publish", `${api}.STREAM.PURGE.LT_STATE`], ["allocator"]],
  ["purge the statuses", ["publish", `${api}.STREAM.PURGE.LT_STATUS`], []],
  ["delete a message", ["publish", `${api}.STREAM.MSG.DELETE.LT_STATE`], []],
  ["take a copy of the stream", ["publish", `${api}.STREAM.SNAPSHOT.LT_STATE`], []],
  ["restore the stream from a copy", ["publish", `${api}.STREAM.RESTORE.LT_STATE`], []]
]

describe("NATS permissions", () => {
  it.live("refuse each role what is not its work", () =>
    Effect.gen(function* () {
      const { optionsOf, violations } = yield* startFleetNats
      for (const user of users.slice(0, 3)) {
        const { connection, refused } = yield* comeIn(optionsOf(user))
        for (const [what, attempt, may] of table) {
          const before = violations().length
          const isNo = yield* Effect.promise(() => isRefused(connection, refused, attempt))
          assert.strictEqual(
            isNo ? "refused" : "allowed",
            may.includes(user.role) ? "allowed" : "refused",
            `${user.role}: ${what}`
          )
          const seen = violations().slice(before)
          const verb = attempt[0] === "publish" ? "Publish" : "Subscription"
          assert.deepStrictEqual(seen, isNo ? [`${busUserName(user)} ${verb} ${attempt[1]}`] : [], what)
        }
      }
    }).pipe(Effect.scoped)
  )

  it.live("let each role do its work", () =>
    Effect.gen(function* () {
      const { as, violations } = yield* startFleetNats
      const served = yield* Deferred.make<void>()
      const allocator = yield* as({ role: "allocator" })(
        Effect.gen(function* () {
          yield* ensureStreams
          yield* ensureStreams // those that are there are left as they are
          yield* publishAll([
            { subject: stateSubject("east", "adv.4-192-0-2-1"), text: "of east" },
            { subject: stateSubject("west", "adv.4-192-0-2-2"), text: "of west" }
          ])
          assert.strictEqual((yield* readLast(stateStream, stateSubject("east", "adv.4-192-0-2-1")))?.text, "of east")
          assert.isUndefined(yield* readLast(stateStream, stateSubject("east", "head")))
          assert.strictEqual(yield* countStored(stateStream, stateFilter("east")), 1)
          assert.lengthOf(yield* readStored(stateStream, vipFilter), 2)
          assert.lengthOf(yield* readStored(stateStream, headFilter), 0)
          yield* publishAll([{ subject: stateSubject("old", "head"), text: "of an earlier incarnation" }])
          yield* purgeStored(stateStream, stateFilter("old"))
          assert.strictEqual(yield* countStored(stateStream, stateFilter("old")), 0)
          yield* serveCommands(() => Effect.succeed({ _tag: "Done", seqFrom: null, seqTo: null }))
          yield* Deferred.succeed(served, undefined)
          yield* Stream.runDrain(Stream.take(followStream(wireStream, wireFilter, 1), 2))
          return yield* readStored(statusStream, statusFilter)
        })
      ).pipe(Effect.forkScoped)
      yield* Deferred.await(served)
      const snapshotOf = (cluster: string) =>
        Effect.gen(function* () {
          const resync = yield* Queue.sliding<void>(1)
          const [first] = yield* Stream.runCollect(Stream.take(followState(cluster, resync), 1))
          return first?._tag === "Snapshot" ? first.items.map(({ envelope }) => envelope) : []
        })
      const answer = yield* as({ role: "agent", cluster: "east" })(
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* snapshotOf("east"), ["of east"])
          yield* publishAll([{ subject: wireSubject("east", "agent"), text: "{}" }])
          const id = "00000000-0000-4000-8000-000000000001"
          return yield* sendCommand("east", {
            commandId: id,
            correlationId: id,
            command: { _tag: "RegisterCluster", cluster: "east", network: "default" }
          })
        })
      )
      assert.strictEqual(answer._tag, "Done")
      yield* as({ role: "speaker", cluster: "west" })(
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* snapshotOf("west"), ["of west"])
          yield* publishAll([
            { subject: statusSubject("west", "west-1"), text: "a status" },
            { subject: wireSubject("west", "west-1"), text: "{}" }
          ])
        })
      )
      assert.deepStrictEqual(
        (yield* Fiber.join(allocator)).map(({ text }) => text),
        ["a status"]
      )
      assert.deepStrictEqual(violations(), [])
    }).pipe(Effect.scoped)
  )

  it.live("hold for a request whose body asks for more than its subject", () =>
    Effect.gen(function* () {
      const { as, optionsOf } = yield* startFleetNats
      yield* as({ role: "allocator" })(ensureStreams)
      const { connection } = yield* comeIn(optionsOf({ role: "speaker", cluster: "east" }))
      const ask = (config: Readonly<Record<string, unknown>>) =>
        Effect.promise(async () => {
          const body = JSON.stringify({ stream_name: "LT_STATE", config: { name: "c", ack_policy: "none", ...config } })
          return (await connection.request(`${create}.LT_STATE.c.lt.v1.state.east.>`, body)).json<{
            error?: { description: string }
          }>().error?.description
        })
      for (const filter of ["lt.v1.state.west.>", "lt.v1.state.>", ">", undefined]) {
        assert.isDefined(yield* ask({ filter_subject: filter }), String(filter))
      }
      assert.isUndefined(yield* ask({ filter_subject: "lt.v1.state.east.>" }))
    }).pipe(Effect.scoped)
  )

  it.live("do not let an agent have a command answered into the state", () =>
    Effect.gen(function* () {
      const { as, optionsOf } = yield* startFleetNats
      const { connection } = yield* comeIn(optionsOf({ role: "agent", cluster: "east" }))
      yield* as({ role: "allocator" })(
        Effect.gen(function* () {
          yield* ensureStreams
          yield* serveCommands(() => Effect.die("not asked"))
          const asked = Effect.promise(() =>
            connection.request("lt.v1.cmd.east", "{}").then(
              () => true,
              () => false
            )
          )
          yield* until("an allocator that listens", asked)
          connection.publish("lt.v1.cmd.east", "{}", { reply: "lt.v1.state.west.head" })
          assert.isTrue(yield* asked, "the next one is answered after it")
          assert.strictEqual(yield* countStored(stateStream, "lt.v1.state.>"), 0)
        })
      )
    }).pipe(Effect.scoped)
  )
})

describe("the users' file", () => {
  it("is read back as it was written", () => {
    const written = users.map((user, index) => ({
      user,
      publicKeys: [newNatsKey().publicKey, ...(index === 1 ? [newNatsKey().publicKey] : [])]
    }))
    assert.deepStrictEqual(readNatsUsers(natsUsersText(written)), written)
  })
})
