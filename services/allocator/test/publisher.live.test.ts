import { assert, describe, it } from "@effect/vitest"
import {
  ensureStreams,
  layerBus,
  publishAll,
  readStored,
  seal,
  stateFilter,
  stateStream,
  stateSubject
} from "@lowtide/bus"
import type { ClusterHead, Command } from "@lowtide/domain"
import { type Batch, Ledger, Unavailable } from "@lowtide/ledger"
import { memoryLedger, type NatsServer } from "@lowtide/testkit"
import { startTcpProxy, type TcpProxy } from "@lowtide/testkit/tcp-proxy"
import { Effect, Layer, Logger } from "effect"
import { decideBatch } from "../src/decide-batch.ts"
import { loadMemory } from "../src/memory.ts"
import { startPublisher } from "../src/publisher.ts"
import { republicationOf } from "../src/republication.ts"
import { onNats, until } from "./live.ts"
import { announcing, forgetService, pool, received, service, signingKey } from "./orders.ts"

const registered: Command = { _tag: "RegisterCluster", cluster: "east", network: "default" }

/** A heartbeat mends everything after 20 s; what is told apart from it has to come sooner. */
const beforeHeartbeatMs = 12_000

/** A server, a ledger and what commits to it; what the log says is kept. */
const setting = Effect.fnUntraced(function* (server: NatsServer, url = server.url) {
  const lines: Array<string> = []
  const log = Logger.make<unknown, void>(({ message }) => void lines.push(String(message)))
  const state = { isAway: false, reads: 0 }
  const flaky = Layer.effect(
    Ledger,
    Effect.map(Ledger, (ledger) =>
      Ledger.of({
        ...ledger,
        intentsSince: (cluster, cseq) => {
          state.reads += 1
          return state.isAway
            ? Effect.fail(new Unavailable({ operation: "intents", cause: new Error("away") }))
            : ledger.intentsSince(cluster, cseq)
        }
      })
    )
  ).pipe(Layer.provide(memoryLedger()))
  const services = yield* Layer.build(
    Layer.mergeAll(flaky, layerBus({ servers: [url], name: "test" }), Logger.layer([log]))
  )
  const within = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.provideContext(effect, services)
  const ledger = yield* within(Ledger)
  yield* ledger.acquireLease("test", 60_000)
  const memory = yield* within(loadMemory)
  let count = 0
  const commit = (...commands: ReadonlyArray<Command>) =>
    Effect.gen(function* () {
      const { batch } = decideBatch(
        memory,
        commands.map((command) => received(command, ++count)),
        signingKey,
        0
      )
      memory.head = { ...memory.head, ...(yield* ledger.append(batch)) }
      return batch
    })
  /** What the stream has, and whether that is all that the ledger has. */
  const stored = within(readStored(stateStream, stateFilter("east"))).pipe(
    Effect.map((messages) => new Map(messages.map(({ subject, text }) => [subject, text])))
  )
  const wanted = Effect.gen(function* () {
    const [head] = yield* ledger.intentHeads
    const rows = [
      ...(yield* ledger.intentsSince("east", head?.begunCseq ?? 0)),
      { subject: "head", envelope: head?.envelope ?? "" }
    ]
    return new Map(rows.map(({ subject, envelope }) => [stateSubject("east", subject), envelope]))
  })
  const isWhole = Effect.gen(function* () {
    const [has, should] = [yield* stored, yield* wanted]
    return has.size === should.size && [...should].every(([subject, text]) => has.get(subject) === text)
  })
  const storeAgain = until("streams again", Effect.as(within(ensureStreams), true))
  const raise = Effect.andThen(
    ledger.raiseIncarnation(memory.head.epoch, 2),
    Effect.sync(() => {
      memory.head = { ...memory.head, incarnation: 2 }
    })
  )
  const given = { server, lines, state, within, memory, raise, commit, stored, wanted, isWhole, storeAgain }
  return { ...given, start: within(startPublisher()) }
})

type Setting = Effect.Success<ReturnType<typeof setting>>

const publishing = (title: string, test: (given: Setting) => Effect.Effect<unknown, unknown, never>) =>
  it.live(title, () => onNats((server) => Effect.flatMap(setting(server), test)))

/** The same through a cable that can be made worse; what is stored is read past it. */
const publishingBy = (
  title: string,
  test: (given: Setting, cable: TcpProxy, stored: Setting["isWhole"]) => Effect.Effect<unknown, unknown, never>
) =>
  it.live(title, () =>
    onNats((server) =>
      Effect.gen(function* () {
        const cable = yield* startTcpProxy(server.port)
        const given = yield* setting(server, `nats://127.0.0.1:${cable.port}`)
        const aside = yield* Layer.build(layerBus({ servers: [server.url], name: "aside" }))
        const stored = Effect.provideContext(readStored(stateStream, stateFilter("east")), aside)
        const isWhole = Effect.gen(function* () {
          const has = new Map((yield* stored).map(({ subject, text }) => [subject, text]))
          const should = yield* given.wanted
          return has.size === should.size && [...should].every(([subject, text]) => has.get(subject) === text)
        })
        return yield* test(given, cable, isWhole)
      })
    )
  )

/** On the way to the server, after most of a batch's messages. */
const mostOf = ({ intents }: Batch) => {
  const bytes = intents.reduce((sum, { envelope }) => sum + (envelope ?? "").length, 0)
  return { toward: "server", bytes: Math.floor(bytes * 0.8) } as const
}

const manyServices = [
  registered,
  ...announcing,
  pool(["198.18.0.0/16"], "large"),
  ...Array.from({ length: 600 }, (_, n) => service(`s${n}`))
]

describe("the publisher", () => {
  publishing("sends what was committed before it began, and each batch as it is committed, the head last", (given) =>
    Effect.gen(function* () {
      yield* given.commit(...announcing, service("a"))
      const publisher = yield* given.start
      yield* until("what was there", given.isWhole)
      const batch = yield* given.commit(service("b"), forgetService("a"))
      publisher.publish(batch)
      yield* until("the batch", given.isWhole)
      yield* until(
        "nothing to wait",
        Effect.map(publisher.unpublished, (count) => count === 0)
      )
      const [last] = [...(yield* given.stored).keys()].slice(-1)
      assert.strictEqual(last, stateSubject("east", "head"), "in the order of the stream")
    }).pipe(Effect.scoped)
  )

  publishing("loses nothing that is committed while the server is away, and says how much waits", (given) =>
    Effect.gen(function* () {
      const publisher = yield* given.start
      publisher.publish(yield* given.commit(...announcing))
      yield* until("the first", given.isWhole)
      yield* given.server.kill
      let waiting = 0
      for (let n = 0; n < 5; n++) {
        const batch = yield* given.commit(service(`s${n}`))
        waiting += batch.intents.length
        publisher.publish(batch)
      }
      assert.strictEqual(yield* publisher.unpublished, waiting)
      yield* given.server.restart
      yield* until("all of it", given.isWhole, beforeHeartbeatMs)
      yield* until(
        "nothing to wait",
        Effect.map(publisher.unpublished, (count) => count === 0)
      )
      publisher.publish(yield* given.commit(service("later")))
      yield* until("what comes later", given.isWhole)
      assert.strictEqual(yield* publisher.unpublished, 0)
    }).pipe(Effect.scoped)
  )

  publishing("reads from the ledger what is more than may wait", (given) =>
    Effect.gen(function* () {
      const publisher = yield* given.start
      publisher.publish(yield* given.commit(...announcing))
      yield* until("the first", given.isWhole)
      yield* given.server.kill
      for (let n = 0; n < 1_200; n++)
        publisher.publish(yield* given.commit(n % 2 === 0 ? service("a") : forgetService("a")))
      yield* given.server.restart
      yield* until("all of it", given.isWhole, beforeHeartbeatMs)
      yield* until(
        "nothing to wait",
        Effect.map(publisher.unpublished, (count) => count === 0)
      )
    }).pipe(Effect.scoped)
  )

  publishing("reads from the ledger what came faster than it can send", (given) =>
    Effect.gen(function* () {
      const publisher = yield* given.start
      publisher.publish(yield* given.commit(...announcing))
      yield* until("the first", given.isWhole)
      const batches = yield* Effect.forEach(Array.from({ length: 1_200 }), (_, n) =>
        given.commit(n % 2 === 0 ? service("a") : forgetService("a"))
      )
      for (const batch of batches) publisher.publish(batch)
      yield* until("all of it", given.isWhole, beforeHeartbeatMs)
      yield* until(
        "nothing to wait",
        Effect.map(publisher.unpublished, (count) => count === 0)
      )
    }).pipe(Effect.scoped)
  )

  publishing("of a cluster that is published anew by parts, has what of it is so far, and nothing of before", (given) =>
    Effect.gen(function* () {
      const { memory } = given
      const names = Array.from({ length: 600 }, (_, n) => `s${n}`)
      yield* given.commit(
        registered,
        ...announcing,
        pool(["198.18.0.0/16"], "large"),
        ...names.map((name) => service(name))
      )
      const publisher = yield* given.start
      yield* until("what was there", given.isWhole)
      const lostAfter = { incarnation: 1, seq: memory.head.seq }
      yield* given.commit({ _tag: "BeginRecovery", incarnation: 2, why: "a backup was restored", lostAfter })
      yield* given.raise
      yield* given.commit({ _tag: "FinishRecovery", without: [] })
      const { services, nodes, manifests } = memory.fleet.cluster("east")
      const there = { services: [...services.keys()], nodes: [...nodes.keys()], manifests: [...manifests.keys()] }
      const inventory = { _tag: "ObserveInventory", cluster: "east", namespaces: [], findings: [], ...there } as const
      yield* given.commit({ _tag: "RepublishCluster", cluster: "east", inventory })
      publisher.publishAnew()
      yield* until("the head alone", given.isWhole)
      assert.strictEqual((yield* given.stored).size, 1)
      const republication = republicationOf(memory, "east")
      for (let sizeBefore = 0; !republication.isWhole; ) {
        const part = { _tag: "RepublishPart", cluster: "east", services: republication.takeUnsettled() } as const
        publisher.publish(yield* given.commit(part))
        yield* until("the part", given.isWhole)
        const { size } = yield* given.stored
        assert.isAtLeast(size, sizeBefore)
        sizeBefore = size
      }
      assert.strictEqual((yield* given.stored).size, 1 + 2 * names.length + 2 + 4)
    }).pipe(Effect.scoped)
  )

  publishing("fills a server that was wiped", (given) =>
    Effect.gen(function* () {
      const publisher = yield* given.start
      publisher.publish(yield* given.commit(...announcing, service("a")))
      yield* until("the first", given.isWhole)
      yield* given.server.stop
      yield* given.server.wipe
      yield* given.server.restart
      yield* until("all of it", given.isWhole, beforeHeartbeatMs)
    }).pipe(Effect.scoped)
  )

  publishing("goes on from the stream's head: sends what came after it, and only that", (given) =>
    Effect.gen(function* () {
      yield* given.within(ensureStreams)
      const first = yield* given.commit(...announcing, service("a"))
      const head = { subject: stateSubject("east", "head"), text: first.intentHeads[0]?.envelope ?? "" }
      yield* given.within(publishAll([head])) // its messages are left out, to see that they are not sent
      const second = yield* given.commit(service("b"))
      yield* given.start
      yield* until(
        "the second",
        Effect.map(given.stored, (has) => has.size === second.intents.length + 1)
      )
      assert.deepStrictEqual(
        new Set((yield* given.stored).keys()),
        new Set([...second.intents.map(({ subject }) => stateSubject("east", subject)), head.subject])
      )
    }).pipe(Effect.scoped)
  )

  publishing("sends everything when the stream's head is of another set", (given) =>
    Effect.gen(function* () {
      yield* given.within(ensureStreams)
      const batch = yield* given.commit(...announcing, service("a"))
      const head = JSON.parse(JSON.parse(batch.intentHeads[0]?.envelope ?? "").payload) as ClusterHead
      const other = seal(signingKey, JSON.stringify({ ...head, digest: "0".repeat(64) }))
      yield* given.within(publishAll([{ subject: stateSubject("east", "head"), text: other }]))
      yield* given.start
      yield* until("all of it", given.isWhole, beforeHeartbeatMs)
    }).pipe(Effect.scoped)
  )

  publishing("publishes nothing of a cluster of which the stream knows more, and says LT0505", (given) =>
    Effect.gen(function* () {
      yield* given.within(ensureStreams)
      const batch = yield* given.commit(...announcing)
      const head = JSON.parse(JSON.parse(batch.intentHeads[0]?.envelope ?? "").payload) as ClusterHead
      const ahead = seal(signingKey, JSON.stringify({ ...head, cseq: head.cseq + 100 }))
      yield* given.within(publishAll([{ subject: stateSubject("east", "head"), text: ahead }]))
      const publisher = yield* given.start
      yield* until(
        "the complaint",
        Effect.sync(() => given.lines.some((line) => line.startsWith("LT0505 cluster east")))
      )
      publisher.publish(yield* given.commit(service("a")))
      yield* until(
        "nothing to wait",
        Effect.map(publisher.unpublished, (count) => count === 0)
      )
      assert.deepStrictEqual([...(yield* given.stored).values()], [ahead])
    }).pipe(Effect.scoped)
  )

  publishingBy("comes to an end with a server that takes longer than it waits at first", (given, cable, isWhole) =>
    Effect.gen(function* () {
      yield* given.within(ensureStreams)
      yield* given.commit(...manyServices.slice(0, -400))
      yield* cable.delay(1_100)
      yield* given.start
      yield* until("all of it", isWhole, 90_000)
      yield* cable.delay(0)
    }).pipe(Effect.scoped)
  )

  publishingBy("goes on where it left off when the connection broke on the way", (given, cable, isWhole) =>
    Effect.gen(function* () {
      yield* given.within(ensureStreams)
      const breaks = cable.cutAfter(mostOf(yield* given.commit(...manyServices)))
      yield* Effect.all([given.start, breaks], { concurrency: "unbounded" })
      yield* until("all of it", isWhole, beforeHeartbeatMs)
      const places = given.lines.flatMap((line) => /messages after cseq (\d+) published again/.exec(line)?.[1] ?? [])
      assert.isAbove(Number(places[0]), 256, "of the first lots it was told")
    }).pipe(Effect.scoped)
  )

  publishingBy("begins at the beginning when what it had sent is lost with the server", (given, cable, isWhole) =>
    Effect.gen(function* () {
      yield* given.within(ensureStreams)
      const most = mostOf(yield* given.commit(...manyServices))
      const breaks = Effect.andThen(cable.cutAfter(most), cable.cut)
      yield* Effect.all([given.start, breaks], { concurrency: "unbounded" })
      yield* given.server.stop
      yield* given.server.wipe
      yield* given.server.restart
      yield* cable.mend
      yield* until("all of it", isWhole, beforeHeartbeatMs)
    }).pipe(Effect.scoped)
  )

  publishing("tries again until the ledger answers", (given) =>
    Effect.gen(function* () {
      yield* given.commit(...announcing)
      given.state.isAway = true
      yield* given.start
      yield* until(
        "some tries",
        Effect.sync(() => given.state.reads >= 2)
      )
      assert.strictEqual((yield* given.stored).size, 0)
      given.state.isAway = false
      yield* until("all of it", given.isWhole, beforeHeartbeatMs)
    }).pipe(Effect.scoped)
  )
})
