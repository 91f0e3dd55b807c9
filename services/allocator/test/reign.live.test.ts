import { assert, describe, it } from "@effect/vitest"
import {
  Bus,
  type CommandReply,
  commandSubject,
  ensureStreams,
  layerBus,
  publishAll,
  sendCommand,
  statusSubject
} from "@lowtide/bus"
import type { Command, ObserveInventory } from "@lowtide/domain"
import { type Batch, Fenced, Ledger, Unavailable } from "@lowtide/ledger"
import { memoryLedger, type NatsServer } from "@lowtide/testkit"
import { emptyTables } from "@lowtide/testkit/memory-tables"
import { Clock, Deferred, Effect, Exit, Fiber, Layer } from "effect"
import { layerAllocator } from "../src/allocator.ts"
import { Centre } from "../src/centre.ts"
import { decideBatch } from "../src/decide-batch.ts"
import { Defects } from "../src/defects.ts"
import { HeardAgents } from "../src/heard-agents.ts"
import { LeaseTrust } from "../src/leader.ts"
import { loadMemory } from "../src/memory.ts"
import { beginReign } from "../src/reign.ts"
import { RollCallAnswers } from "../src/roll-call-answers.ts"
import { StampProofs } from "../src/stamp-proofs.ts"
import { onNats, until } from "./live.ts"
import { announcing, forgetService, service, signingKey, uuid } from "./orders.ts"

type Append = Ledger["Service"]["append"]

/** A whole allocator over a ledger in memory, whose appends go through `around`, and a real NATS. */
const leading = Effect.fnUntraced(function* (server: NatsServer, memory: Layer.Layer<Ledger> = memoryLedger()) {
  const state: {
    around: (append: Append, batch: Batch) => ReturnType<Append>
    beforeCompared: Effect.Effect<void>
    loads: number
    appends: number
  } = {
    around: (append, batch) => append(batch),
    beforeCompared: Effect.void,
    loads: 0,
    appends: 0
  }
  const ledger = Layer.effect(
    Ledger,
    Effect.map(Ledger, (memory) =>
      Ledger.of({
        ...memory,
        append: (batch) =>
          Effect.suspend(() => {
            state.appends += 1
            return state.around(memory.append, batch)
          }),
        load: (take) =>
          Effect.suspend(() => {
            state.loads += 1
            return memory.load(take)
          }),
        replayStanding: Effect.andThen(
          Effect.suspend(() => state.beforeCompared),
          memory.replayStanding
        )
      })
    )
  ).pipe(Layer.provide(memory))
  const services = yield* Layer.build(
    layerAllocator(signingKey, Effect.void).pipe(
      Layer.provideMerge(Layer.mergeAll(ledger, layerBus({ servers: [server.url], name: "test" })))
    )
  )
  const within = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.provideContext(effect, services)
  const centre = yield* within(Centre)
  yield* within(ensureStreams)
  yield* until(
    "a leader",
    Effect.map(centre.health, ({ role }) => role === "leader")
  )
  let count = 0
  const send = (command: Command, id = ++count) =>
    within(sendCommand("east", { commandId: uuid(id), correlationId: uuid(id), command: command as never }))
  const events = within(Effect.flatMap(Ledger, (store) => store.events({ order: "asc", limit: 10_000 })))
  /** Asks once, without the sender's retries. */
  const ask = (command: Command, id: number, attempt = 1): Effect.Effect<CommandReply> =>
    within(
      Effect.gen(function* () {
        const connection = yield* (yield* Bus).connection
        const text = JSON.stringify({ commandId: uuid(id), correlationId: uuid(id), attempt, command })
        return JSON.parse(
          (yield* Effect.promise(() => connection.request(commandSubject("east"), text, { timeout: 10_000 }))).string()
        )
      })
    )
  const typesOf = (id: number) =>
    Effect.map(events, (all) => all.filter(({ commandId }) => commandId === uuid(id)).map(({ type }) => type))
  return { state, within, centre, send, ask, events, typesOf }
})

type Leader = Effect.Success<ReturnType<typeof leading>>

const allocating = (title: string, test: (leader: Leader) => Effect.Effect<unknown, unknown>) =>
  it.live(title, () => onNats((server) => Effect.flatMap(leading(server), test)))

const lost = new Unavailable({ operation: "append", cause: new Error("connection lost") })
/** Well formed as a message, and nothing that can be decided: an agent reads addresses before it sends them. */
const undecidable = service("bad", { requestedAddresses: ["192.0.2.256"] })

/** What is there, but for Services that are not named. */
const inventoryOf = (leader: Leader, services: ReadonlyArray<string>) =>
  leader.centre.read(({ fleet }): ObserveInventory => {
    const { manifests, nodes, namespaces } = fleet.cluster("east")
    return {
      _tag: "ObserveInventory",
      ...{ cluster: "east", services, nodes: [...nodes.keys()], namespaces: [...namespaces.keys()] },
      ...{ manifests: [...manifests.keys()], findings: [] }
    }
  })

const hasNoEffect = (reply: CommandReply) => reply._tag === "Done" && reply.seqFrom === null

const addressesOf = (leader: Leader) =>
  leader.centre.read(({ fleet }) => [...fleet.cluster("east").addressesOf].map(([name]) => name).sort())

/** Has a leadership end, and the next one compare the log until what is answered is done. */
const comparingAnew = Effect.fnUntraced(function* (leader: Leader, id: number) {
  const comparing = yield* Deferred.make<void>()
  const compared = yield* Deferred.make<void>()
  leader.state.beforeCompared = Effect.andThen(Deferred.succeed(comparing, undefined), Deferred.await(compared))
  leader.state.around = () => Effect.fail(lost)
  assert.strictEqual((yield* leader.ask(service("unwritten"), id))._tag, "TryAgain")
  leader.state.around = (append, batch) => append(batch)
  yield* Deferred.await(comparing)
  return compared
})

describe("a commit", () => {
  allocating("that fails is answered with another try, from a memory loaded anew", (leader) =>
    Effect.gen(function* () {
      for (const command of announcing) yield* leader.send(command)
      const { loads } = leader.state
      let failures = 3
      leader.state.around = (append, batch) => (failures-- > 0 ? Effect.fail(lost) : append(batch))
      const reply = yield* leader.send(service("web"), 100)
      assert.strictEqual(reply._tag, "Done")
      assert.deepStrictEqual(yield* leader.typesOf(100), ["ServiceObserved", "VipAssigned"])
      assert.isAtLeast(leader.state.loads, loads + 3)
      assert.deepStrictEqual(yield* addressesOf(leader), ["shop/web"])
    })
  )

  allocating("of which the answer was lost is not repeated: the same id gets the answer that was stored", (leader) =>
    Effect.gen(function* () {
      for (const command of announcing) yield* leader.send(command)
      let isLost = true
      leader.state.around = (append, batch) =>
        Effect.tap(append(batch), () => {
          if (!isLost) return Effect.void
          isLost = false
          return Effect.fail(lost)
        })
      const before = (yield* leader.events).length
      const reply = yield* leader.send(service("web"), 100)
      const end = { incarnation: 1, seq: before + 2 }
      assert.deepStrictEqual(reply, { _tag: "Done", seqFrom: before + 1, seqTo: before + 2, end })
      assert.deepStrictEqual(yield* leader.typesOf(100), ["ServiceObserved", "VipAssigned"])
      assert.strictEqual((yield* leader.events).length, before + 2)
    })
  )

  allocating("without an event is not decided again by a repeat that comes late", (leader) =>
    Effect.gen(function* () {
      for (const command of announcing) yield* leader.send(command)
      yield* leader.send(service("web"))
      const inventory = yield* inventoryOf(leader, ["shop/web"])
      assert.isTrue(hasNoEffect(yield* leader.ask(inventory, 100)))
      yield* leader.send(service("later"))
      assert.isTrue(hasNoEffect(yield* leader.ask(inventory, 100, 2)))
      assert.deepStrictEqual(yield* addressesOf(leader), ["shop/later", "shop/web"])
    })
  )

  allocating("of an inventory takes nothing away that came after it was read, whoever leads when it comes", (leader) =>
    Effect.gen(function* () {
      for (const command of announcing) yield* leader.send(command)
      yield* leader.send(service("gone"))
      const last = yield* leader.send(service("web"))
      assert.isDefined(last._tag === "Done" ? last.end : undefined)
      const inventory: Command = {
        ...(yield* inventoryOf(leader, ["shop/gone", "shop/web"])),
        ...(last._tag === "Done" && last.end !== undefined ? { asOf: last.end } : {})
      }
      assert.isTrue(hasNoEffect(yield* leader.ask(inventory, 100)))
      yield* leader.send(service("later"))
      const { loads } = leader.state
      leader.state.around = () => Effect.fail(lost)
      assert.strictEqual((yield* leader.ask(service("unwritten"), 101))._tag, "TryAgain")
      leader.state.around = (append, batch) => append(batch)
      yield* until(
        "another leadership",
        Effect.sync(() => leader.state.loads > loads)
      )
      yield* leader.send(service("newest"))
      assert.isTrue(hasNoEffect(yield* leader.ask(inventory, 100, 2)), "it comes again, late")
      assert.deepStrictEqual(yield* addressesOf(leader), ["shop/gone", "shop/later", "shop/newest", "shop/web"])
      yield* leader.send({ ...inventory, services: ["shop/web"] }, 102)
      assert.deepStrictEqual(
        yield* addressesOf(leader),
        ["shop/later", "shop/newest", "shop/web"],
        "what it is about goes"
      )
    })
  )

  allocating("that fails leaves nothing to read, and nothing for the next batch to build on", (leader) =>
    Effect.gen(function* () {
      for (const command of announcing) yield* leader.send(command)
      const failing = yield* Deferred.make<void>()
      const before = (yield* leader.events).length
      let isFirst = true
      leader.state.around = (append, batch) => {
        if (!isFirst) return append(batch)
        isFirst = false
        return Effect.andThen(Deferred.await(failing), Effect.fail(lost))
      }
      const first = yield* Effect.forkChild(leader.ask(service("web"), 100))
      yield* until(
        "the batch under way",
        Effect.sync(() => !isFirst)
      )
      const reading = yield* Effect.forkChild(Effect.exit(addressesOf(leader)))
      const second = yield* Effect.forkChild(leader.ask(service("other"), 101))
      yield* Effect.sleep("50 millis") // both wait behind the batch: nothing shows that from outside
      const { appends } = leader.state
      yield* Deferred.succeed(failing, undefined)
      assert.strictEqual((yield* Fiber.join(first))._tag, "TryAgain")
      assert.strictEqual((yield* Fiber.join(second))._tag, "TryAgain")
      assert.isTrue(Exit.isFailure(yield* Fiber.join(reading)), "what may not be stored is not shown")
      assert.strictEqual(leader.state.appends, appends, "the next batch is not tried on a memory that is lost")
      yield* until(
        "a leader",
        Effect.map(leader.centre.health, ({ role }) => role === "leader")
      )
      assert.strictEqual((yield* leader.events).length, before)
      assert.strictEqual((yield* leader.send(service("web"), 100))._tag, "Done", "when the log is compared again")
    })
  )

  allocating("has to wait while the log is compared, and is not told to come again", (leader) =>
    Effect.gen(function* () {
      for (const command of announcing) yield* leader.send(command)
      const compared = yield* comparingAnew(leader, 100)
      const long = yield* leader.ask(service("long"), 102)
      assert.isTrue(
        long._tag === "TryAgain" && /is being compared/.test(long.message),
        "but no longer than its sender waits"
      )
      const asked = yield* Effect.forkChild(leader.ask(service("web"), 101))
      yield* Effect.sleep("50 millis") // it waits: nothing shows that from outside
      yield* Deferred.succeed(compared, undefined)
      assert.strictEqual((yield* Fiber.join(asked))._tag, "Done")
    })
  )

  allocating("of what nodes said while the log was compared is made up for", (leader) =>
    Effect.gen(function* () {
      for (const command of announcing) yield* leader.send(command)
      yield* leader.send(service("web"))
      yield* leader.send(forgetService("web"), 100)
      const compared = yield* comparingAnew(leader, 101)
      const heads = yield* leader.within(Effect.flatMap(Ledger, (ledger) => ledger.intentHeads))
      const cseq = heads.find(({ cluster }) => cluster === "east")?.cseq ?? 0
      const said = ["n1", "n2"].map((node) => ({
        ...{ _tag: "NodeStatus", cluster: "east", node, at: "2026-01-01T00:00:00.000Z", runId: "r", sync: "live" },
        ...{ cseq, confirmedCseq: cseq, sessions: [], announcing: [], refused: [] }
      }))
      yield* leader.within(
        publishAll(said.map((each) => ({ subject: statusSubject("east", each.node), text: JSON.stringify(each) })))
      )
      const hasHeard = leader.centre.processes // a follower tells of the nodes that it has heard
      yield* until(
        "both are heard",
        Effect.map(hasHeard, (all) => ["n1", "n2"].every((name) => JSON.stringify(all).includes(name)))
      )
      yield* Deferred.succeed(compared, undefined)
      yield* until(
        "the address rests",
        Effect.map(leader.events, (events) => events.some(({ type }) => type === "VipQuarantined"))
      )
    })
  )

  allocating("of commands that decide to nothing writes nothing", (leader) =>
    Effect.gen(function* () {
      for (const command of announcing) yield* leader.send(command)
      const { appends } = leader.state
      for (const command of announcing) {
        assert.isTrue(hasNoEffect(yield* leader.send(command)))
      }
      assert.strictEqual(leader.state.appends, appends)
    })
  )

  allocating("in which the database dies on the batch costs that batch, not the allocator", (leader) =>
    Effect.gen(function* () {
      for (const command of announcing) yield* leader.send(command)
      leader.state.around = (append, batch) =>
        batch.events.some(({ service }) => service === "cursed") ? Effect.die(new Error("a key twice")) : append(batch)
      const [cursed, ...others] = yield* Effect.forEach(
        ["cursed", "a", "b", "c"],
        (name) => leader.send(service(name)),
        { concurrency: "unbounded" }
      )
      assert.deepInclude(cursed, { _tag: "Refused", code: "LT0506" })
      for (const other of others) assert.strictEqual(other._tag, "Done")
      assert.deepStrictEqual(yield* addressesOf(leader), ["shop/a", "shop/b", "shop/c"])
    })
  )
})

describe("a command that the database cannot store", () => {
  for (const [what, code] of [
    ["a value that is none", "22P05"],
    ["a key that is too large", "54000"]
  ] as const) {
    allocating(`because of ${what} is refused, and the others are carried out`, (leader) =>
      Effect.gen(function* () {
        for (const command of announcing) yield* leader.send(command)
        leader.state.around = (append, batch) =>
          batch.events.some(({ service }) => service === "odd")
            ? Effect.fail(new Unavailable({ operation: "append", code, cause: new Error("no") }))
            : append(batch)
        const [odd, ...others] = yield* Effect.forEach(["odd", "a", "b"], (name) => leader.send(service(name)), {
          concurrency: "unbounded"
        })
        assert.deepInclude(odd, { _tag: "Refused", code: "LT0506" })
        for (const other of others) assert.strictEqual(other._tag, "Done")
        assert.deepStrictEqual(yield* addressesOf(leader), ["shop/a", "shop/b"])
      })
    )
  }
})

describe("a repeat that overtakes the answer", () => {
  allocating("is decided once, though the state has changed in between", (leader) =>
    Effect.gen(function* () {
      for (const command of announcing) yield* leader.send(command)
      const committing = yield* Deferred.make<void>()
      let isFirst = true
      leader.state.around = (append, batch) => {
        if (!isFirst) return append(batch)
        isFirst = false
        return Effect.andThen(Deferred.await(committing), append(batch))
      }
      const held = yield* Effect.forkChild(leader.ask(service("first"), 100))
      yield* until(
        "a batch under way",
        Effect.sync(() => !isFirst)
      )
      const one = yield* Effect.forkChild(leader.ask(service("web"), 101))
      const forgets = { _tag: "ForgetService", cluster: "east", namespace: "shop", name: "web" } as const
      const other = yield* Effect.forkChild(leader.ask(forgets, 102))
      const repeat = yield* Effect.forkChild(leader.ask(service("web"), 101, 2))
      yield* Effect.sleep("50 millis") // all wait behind the batch: nothing shows that from outside
      yield* Deferred.succeed(committing, undefined)
      const replies = yield* Effect.forEach([held, one, other, repeat], (fiber) => Fiber.join(fiber))
      assert.deepStrictEqual(
        replies.map(({ _tag }) => _tag),
        ["Done", "Done", "Done", "Done"]
      )
      assert.deepStrictEqual(replies[3], replies[1])
      assert.deepStrictEqual(yield* addressesOf(leader), ["shop/first"], "the newest observation counts")
    })
  )
})

describe("an order of the allocator's own", () => {
  it.live("has an id of its own each time that it is given", () =>
    onNats((server) =>
      Effect.gen(function* () {
        const services = yield* Layer.build(
          Layer.mergeAll(memoryLedger(), layerBus({ servers: [server.url], name: "test" }))
        )
        yield* Effect.gen(function* () {
          yield* ensureStreams
          const ledger = yield* Ledger
          yield* ledger.acquireLease("test", 60_000)
          const trust = new LeaseTrust()
          trust.renewed(Number.POSITIVE_INFINITY)
          const reign = yield* beginReign({
            epoch: 1,
            key: signingKey,
            trust,
            defects: new Defects(),
            nodes: new Map(),
            answers: new RollCallAnswers(),
            agents: new HeardAgents(),
            proofs: new StampProofs(signingKey)
          })
          const give = (command: Command) => reign.submit("test", "system", command)
          const forget = give({ _tag: "ForgetService", cluster: "east", namespace: "shop", name: "web" })
          yield* until(
            "the log compared",
            Effect.map(give(announcing[0]!), ({ _tag }) => _tag === "Done")
          )
          for (const command of announcing) yield* give(command)
          for (let time = 0; time < 2; time++) {
            yield* give(service("web"))
            const reply = yield* forget
            assert.isTrue(reply._tag === "Done" && reply.seqFrom !== null, `time ${time}: ${JSON.stringify(reply)}`)
          }
          const ids = (yield* ledger.events({ order: "asc", limit: 1_000 }))
            .filter(({ type }) => type === "ServiceGone")
            .map(({ commandId }) => commandId)
          assert.strictEqual(new Set(ids).size, 2)
        }).pipe(Effect.provideContext(services))
      })
    )
  )
})

describe("a command that meets a defect", () => {
  allocating("is refused when it comes again, and the others of its batch are carried out", (leader) =>
    Effect.gen(function* () {
      for (const command of announcing) yield* leader.send(command)
      const replies = yield* Effect.forEach(
        [service("a"), undecidable, service("b")],
        (command) => leader.send(command),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(
        replies.map((reply) => (reply._tag === "Refused" ? reply.code : reply._tag)),
        ["Done", "LT0506", "Done"]
      )
      const { loads } = leader.state
      assert.strictEqual((yield* leader.ask(undecidable, announcing.length + 2, 9))._tag, "Refused", "for good")
      assert.strictEqual(leader.state.loads, loads, "and without the memory being lost again")
      assert.deepStrictEqual(yield* addressesOf(leader), ["shop/a", "shop/b"])
    })
  )
})

describe("a log in which an incarnation was begun that cannot be stored", () => {
  it.live("is gone on with, by the next incarnation after the log's own", () =>
    onNats((server) =>
      Effect.gen(function* () {
        const tables = emptyTables(new Date().toISOString())
        const begun: Command = {
          ...{
            _tag: "BeginRecovery",
            incarnation: 2 ** 31,
            why: "node east/n1 is at 2147483647/1/5, the log at 1/1/0"
          },
          lostAfter: { incarnation: 1, seq: 0 }
        }
        yield* Effect.gen(function* () {
          const ledger = yield* Ledger
          yield* ledger.acquireLease("before", 1)
          const envelope = { commandId: uuid(900), correlationId: uuid(900), actor: "allocator" } as const
          const received = {
            envelope: { ...envelope, actorKind: "system" as const, command: begun },
            receivedAt: new Date().toISOString()
          }
          yield* ledger.append(decideBatch(yield* loadMemory, [received], signingKey, Date.now()).batch)
        }).pipe(Effect.provide(memoryLedger({ tables })))
        const leader = yield* leading(server, memoryLedger({ tables }))
        const incarnation = leader.centre.read(({ fleet }) => fleet.recovery?.incarnation)
        yield* until(
          "the next one is begun",
          Effect.map(incarnation, (found) => found === 2).pipe(Effect.orElseSucceed(() => false))
        )
        assert.strictEqual(tables.head.incarnation, 2)
        for (const command of announcing) yield* leader.send(command)
        assert.strictEqual((yield* leader.send(service("web")))._tag, "Done")
      })
    )
  )
})

describe("another leader", () => {
  allocating("ends this allocator: nothing was written", (leader) =>
    Effect.gen(function* () {
      for (const command of announcing) yield* leader.send(command)
      const before = (yield* leader.events).length
      leader.state.around = (_append, { expected }) =>
        Effect.fail(new Fenced({ expected, found: { epoch: expected.epoch + 1, seq: expected.seq } }))
      assert.strictEqual((yield* leader.ask(service("web"), 100))._tag, "TryAgain")
      const fenced = yield* Effect.flip(leader.centre.ended)
      assert.strictEqual(fenced._tag, "Fenced")
      assert.strictEqual((yield* leader.events).length, before)
      assert.strictEqual((yield* Effect.flip(addressesOf(leader)))._tag, "Unavailable")
    })
  )
})

/** This machine's clock, which `setForward` sets; the one that only goes forward goes on as before. */
const settableClock = Effect.map(Clock.Clock, (clock) => {
  let forwardMs = 0
  const settable: Clock.Clock = {
    ...clock,
    sleep: (duration) => clock.sleep(duration),
    monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
    monotonicTimeNanos: clock.monotonicTimeNanos,
    currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + forwardMs,
    currentTimeMillis: Effect.map(clock.currentTimeMillis, (ms) => ms + forwardMs),
    currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe() + BigInt(forwardMs) * 1_000_000n,
    currentTimeNanos: Effect.map(clock.currentTimeNanos, (nanos) => nanos + BigInt(forwardMs) * 1_000_000n)
  }
  return { settable, setForward: (ms: number) => (forwardMs = ms) }
})

describe("a leader whose machine's clock is set while it leads", () => {
  it.live("grants no more withdrawals for it than before", () =>
    onNats((server) =>
      Effect.gen(function* () {
        const { settable, setForward } = yield* settableClock
        const leader = yield* leading(server).pipe(Effect.provideService(Clock.Clock, settable))
        for (const command of announcing) yield* leader.send(command)
        for (let index = 0; index < 12; index++) yield* leader.send(service(`web-${index}`))
        const forget = (index: number) =>
          leader.send({ _tag: "ForgetService", cluster: "east", namespace: "shop", name: `web-${index}` })
        for (let index = 0; index < 9; index++) yield* forget(index)
        const waiting = leader.centre.read(({ fleet }) => [...fleet.approvals.values()].map(({ count }) => count))
        assert.deepStrictEqual(yield* waiting, [], "within the budget")
        setForward(3_600_000)
        yield* forget(9)
        assert.deepStrictEqual(yield* waiting, [1], "the period is as long as it was")
      })
    )
  )
})
