import { assert, describe, it } from "@effect/vitest"
import { SetDigest } from "@lowtide/bus/digest"
import { type Envelope, seal } from "@lowtide/bus/envelope"
import type { HeldVip, NodeStatus } from "@lowtide/bus/status"
import {
  type ClusterHead,
  type Command,
  finding,
  type ObserveInventory,
  type RollCall,
  type Stamp
} from "@lowtide/domain"
import { Ledger } from "@lowtide/ledger"
import { memoryLedger } from "@lowtide/testkit"
import { emptyTables } from "@lowtide/testkit/memory-tables"
import { nodeObject } from "@lowtide/testkit/observed"
import { Effect } from "effect"
import { vi } from "vitest"
import type { HeardNode } from "../src/centre.ts"
import { decideBatch } from "../src/decide-batch.ts"
import { isHeldBack } from "../src/held-back.ts"
import { signersOf, untoldSigners } from "../src/http/views/signers.ts"
import { isBeyond, isLost, lossBy, lostEnds } from "../src/loss.ts"
import { loadMemory, noteCommitted } from "../src/memory.ts"
import { Recovery } from "../src/recovery.ts"
import { RollCallAnswers } from "../src/roll-call-answers.ts"
import { StampProofs } from "../src/stamp-proofs.ts"
import { announcing, forgetService, manifest, node, payloadOf, pool, received, service, signingKey } from "./orders.ts"

/** A leader of a log that lost history, with what it is told by hand. */
const leading = () =>
  Effect.gen(function* () {
    const ledger = yield* Ledger
    yield* ledger.releaseLease((yield* ledger.head).epoch)
    yield* ledger.acquireLease("test", 60_000)
    const memory = yield* loadMemory
    const answers = new RollCallAnswers()
    const nodes = new Map<string, HeardNode>()
    const called: Array<RollCall> = []
    let count = memory.head.seq * 10 // the next leader's commands are others
    const limits = { submits: Number.POSITIVE_INFINITY }
    /** What the cable has stored. */
    const heads: Array<ClusterHead> = []
    /** Rows of intents, and events, that batches had. */
    const batches: Array<{ readonly intents: number; readonly events: number }> = []
    const tell = (...commands: ReadonlyArray<Command>) =>
      Effect.gen(function* () {
        const { batch } = decideBatch(
          memory,
          commands.map((command) => received(command, ++count)),
          signingKey,
          0
        )
        batches.push({ intents: batch.intents.length, events: batch.events.length })
        noteCommitted(memory, batch, yield* ledger.append(batch))
      }).pipe(Effect.orDie, Effect.provideService(Ledger, ledger))
    const recovery = new Recovery({
      memory,
      key: signingKey,
      nodes,
      answers,
      submit: (command) => Effect.suspend(() => (limits.submits-- > 0 ? tell(command) : Effect.void)),
      cable: {
        callRoll: (_, envelope) => Effect.sync(() => void called.push(JSON.parse(JSON.parse(envelope).payload))),
        stored: Effect.sync(() => ({ intents: [], heads }))
      }
    })
    const lose = (incarnation: number) => {
      const { incarnation: before, seq } = memory.head
      const lostAfter = { incarnation: before, seq }
      return tell({ _tag: "BeginRecovery", incarnation, why: "a backup was restored", lostAfter }).pipe(
        Effect.andThen(ledger.raiseIncarnation(memory.head.epoch, incarnation)),
        Effect.andThen(
          Effect.sync(() => {
            memory.head = { ...memory.head, incarnation }
          })
        )
      )
    }
    const hear = (status: NodeStatus) => {
      nodes.set(`${status.cluster}/${status.node}`, { status, heardAtMs: 0 })
      answers.take(status)
    }
    return { memory, recovery, nodes, called, tell, lose, hear, limits, batches, heads }
  })

const run = <A, E>(test: Effect.Effect<A, E, Ledger>) => Effect.provide(test, memoryLedger())

const stampOf = (incarnation: number, seq: number): Stamp => ({ incarnation, epoch: 1, seq })

const held = (address: string, stamp: Stamp): HeldVip => ({
  network: "default",
  address,
  state: "announced",
  stamp,
  cseq: 1,
  services: [{ namespace: "shop", name: "web", uid: "uid-web" }],
  obliged: ["n1"]
})

/** A status with a whole answer to the roll call of an incarnation. */
const answerOf = (incarnation: number, ...vips: ReadonlyArray<HeldVip>) =>
  ({ cluster: "east", node: "n1", held: { incarnation, part: 0, parts: 1, vips } }) as unknown as NodeStatus

/** They hold nothing. */
const answerEmpty = (leader: Leader, ...names: ReadonlyArray<string>) => {
  for (const node of names) leader.hear({ ...answerOf(2), node })
}

type Leader = Effect.Success<ReturnType<typeof leading>>

/** A leader of a log that has these, and lost history, whose nodes hold nothing. */
const havingLost = Effect.fnUntraced(function* (...commands: ReadonlyArray<Command>) {
  const leader = yield* leading()
  yield* leader.tell(registered, ...commands)
  yield* leader.lose(2)
  answerEmpty(leader, "n1", "n2")
  return leader
})

/** Has the time pass in which everybody is asked; what is there is published anew. */
const merge = Effect.fnUntraced(function* ({ recovery, memory: { fleet } }: Leader) {
  for (const nowMs of [0, 3_000, 3_200]) yield* recovery.look(nowMs)
  assert.isFalse(fleet.isFrozen(fleet.cluster("east")))
})

const manifestsOf = ({ memory }: Leader) => [...memory.fleet.cluster("east").manifests.keys()]

const inventory = (services: ReadonlyArray<string>, nodes: ReadonlyArray<string> = ["n1", "n2"]): ObserveInventory => ({
  _tag: "ObserveInventory",
  cluster: "east",
  services,
  nodes,
  namespaces: [],
  manifests: [],
  findings: []
})

const registered: Command = { _tag: "RegisterCluster", cluster: "east", network: "default" }

const waitingFor = ({ recovery }: Leader) => recovery.standing(0)?.waitingFor

describe("a history that is lost again before it is recovered", () => {
  it.effect("has lost what came after the end of its own incarnation, not of the newest", () =>
    run(
      Effect.gen(function* () {
        const leader = yield* leading()
        yield* leader.tell(registered)
        const first = leader.memory.head.seq
        yield* leader.lose(2)
        yield* leader.tell(node("n1"))
        const second = leader.memory.head.seq
        yield* leader.lose(3)
        const ends = yield* lostEnds
        assert.deepStrictEqual(ends, [
          { incarnation: 1, seq: first },
          { incarnation: 2, seq: second }
        ])
        for (const [stamp, expected] of [
          [stampOf(1, first), false],
          [stampOf(1, first + 1), true],
          [stampOf(2, second), false],
          [stampOf(2, second + 1), true]
        ] as const)
          assert.strictEqual(yield* isLost(ends, stamp), expected, JSON.stringify(stamp))
      })
    )
  )

  it.effect("takes over what only an incarnation knew of which the log has nothing left, not even its beginning", () =>
    run(
      Effect.gen(function* () {
        const leader = yield* leading()
        yield* leader.tell(registered)
        yield* leader.lose(3)
        yield* leader.lose(4)
        const { seq } = leader.memory.head
        leader.hear(answerOf(4, held("192.0.2.7", stampOf(2, seq + 1)), held("192.0.2.8", stampOf(2, 1))))
        yield* leader.recovery.look(0)
        const adopted = ["192.0.2.7", "192.0.2.8"].map((address) => leader.memory.fleet.vip("default", address)?.phase)
        assert.deepStrictEqual(adopted, ["assigned", "assigned"])
      })
    )
  )

  it.effect("takes over what only the time before the first loss knew", () =>
    run(
      Effect.gen(function* () {
        const leader = yield* leading()
        yield* leader.tell(registered)
        yield* leader.lose(2)
        yield* leader.lose(3)
        leader.hear(answerOf(3, held("192.0.2.7", stampOf(1, 40))))
        yield* leader.recovery.look(0)
        const vip = leader.memory.fleet.vip("default", "192.0.2.7")
        assert.deepStrictEqual([vip?.phase, vip?.holders[0]?.name], ["assigned", "web"])
      })
    )
  )
})

describe("an address that was given and taken back in what is lost", () => {
  it.effect("is withdrawn by whom that obliged, whatever the log has of it from before", () =>
    run(
      Effect.gen(function* () {
        const leader = yield* leading()
        yield* leader.tell(registered, pool(["192.0.2.7/32"]), service("web"), forgetService("web"))
        const phase = () => leader.memory.fleet.vip("default", "192.0.2.7")?.phase
        assert.strictEqual(phase(), "quarantined")
        yield* leader.lose(2)
        leader.hear(answerOf(2, { ...held("192.0.2.7", stampOf(1, 40)), state: "withdrawn", services: [] }))
        yield* leader.recovery.look(0)
        assert.deepStrictEqual(
          [phase(), leader.memory.fleet.vip("default", "192.0.2.7")?.obliged],
          ["withdrawing", ["n1"]]
        )
        const { seq } = leader.memory.head
        yield* leader.recovery.look(200)
        assert.strictEqual(leader.memory.head.seq, seq, "once")
      })
    )
  )
})

describe("an incarnation that is begun twice, because the log lost the first time", () => {
  it.effect("calls the roll as another recovery", () => {
    const calls = (nowMs: number) =>
      Effect.gen(function* () {
        const leader = yield* leading()
        yield* leader.tell(registered)
        yield* leader.lose(2)
        yield* leader.recovery.callRoll
        return leader.called.map(({ stamp, begun }) => [stamp.incarnation, begun])
      }).pipe(Effect.provide(memoryLedger({ nowMs: () => nowMs, tables: emptyTables("2026-01-01T00:00:00.000Z") })))
    return Effect.gen(function* () {
      assert.deepStrictEqual(yield* calls(Date.UTC(2026, 0, 1)), [[2, "2026-01-01T00:00:00.000Z"]])
      assert.deepStrictEqual(yield* calls(Date.UTC(2026, 0, 2)), [[2, "2026-01-02T00:00:00.000Z"]])
    })
  })

  it("counts no answer of before", () => {
    const answers = new RollCallAnswers()
    answers.take(answerOf(2))
    assert.isDefined(answers.of("east", "n1", 2))
    answers.forget()
    assert.isUndefined(answers.of("east", "n1", 2))
  })
})

it.effect("a roll call that a new leader gave, sent back, is no proof that history was lost", () =>
  run(
    Effect.gen(function* () {
      const former = yield* leading()
      yield* former.tell(registered)
      yield* former.lose(2)
      const { recovery, called, memory } = yield* leading()
      yield* recovery.callRoll
      const [call] = called
      assert.strictEqual(call?.stamp.seq, former.memory.head.seq)
      const proof: Envelope = JSON.parse(seal(signingKey, JSON.stringify(call)))
      const witnesses = new StampProofs(signingKey).witnesses({ allows: () => true }, { ...answerOf(2), proof })
      assert.isUndefined(yield* lossBy(memory.head, witnesses))
    })
  )
)

describe("a node in a recovery", () => {
  it.effect("is waited for when it is there, until it has said what it holds", () =>
    run(
      Effect.gen(function* () {
        const leader = yield* leading()
        yield* leader.tell(registered)
        yield* leader.lose(2)
        const { held: _, ...silent } = answerOf(2)
        leader.hear(silent)
        assert.include(leader.recovery.standing(0)?.waitingFor ?? [], "node east/n1")
        leader.hear(answerOf(2))
        assert.notInclude(leader.recovery.standing(0)?.waitingFor ?? [], "node east/n1")
      })
    )
  )

  // Whoever has the seed of a cluster's speakers can answer in the name of any of its nodes.
  it.effect("holds what it told whatever is answered in its name afterwards", () =>
    run(
      Effect.gen(function* () {
        const leader = yield* leading()
        yield* leader.tell(registered)
        yield* leader.lose(2)
        leader.hear(answerOf(2, held("192.0.2.7", stampOf(1, 40))))
        leader.hear(answerOf(2))
        yield* leader.recovery.look(0)
        assert.strictEqual(leader.memory.fleet.vip("default", "192.0.2.7")?.holders[0]?.name, "web")
      })
    )
  )

  it("is waited for until its newest answer is there with all of its parts", () => {
    const answers = new RollCallAnswers()
    const part = (index: number, parts: number, address: string) =>
      answers.take({
        ...answerOf(2),
        held: { incarnation: 2, part: index, parts, vips: [held(address, stampOf(1, 40))] }
      })
    const told = () => answers.of("east", "n1", 2)?.map(({ address }) => address)
    part(0, 2, "192.0.2.7")
    assert.isUndefined(told())
    part(1, 2, "192.0.2.8")
    assert.deepStrictEqual(told(), ["192.0.2.7", "192.0.2.8"])
    part(0, 3, "192.0.2.9")
    assert.isUndefined(told())
  })

  // A leader that did not know of the loss yet may have filled a wiped store with heads; the statuses are gone all the same.
  it.effect("that its agent names is waited for where NATS has a head, and no node's status", () =>
    run(
      Effect.gen(function* () {
        const leader = yield* leading()
        yield* leader.tell(registered, node("n1"), node("n2"))
        yield* leader.lose(2)
        leader.heads.push({ _tag: "ClusterHead", stamp: stampOf(1, 1), cseq: 1, cluster: "east", digest: "", count: 0 })
        yield* leader.recovery.look(0)
        leader.recovery.noteHeldBack(inventory([]))
        yield* leader.recovery.look(4_000)
        assert.deepStrictEqual(waitingFor(leader), ["node east/n1", "node east/n2"])
        leader.hear(answerOf(2))
        assert.deepStrictEqual(waitingFor(leader), [], "n2 would have a status as well, if it ran a speaker")
      })
    )
  )

  // n1 lags: it was heard, and never had what n2 announces, which is cut off.
  it.effect("that may announce is waited for although NATS has a head, and another node's status", () =>
    run(
      Effect.gen(function* () {
        const leader = yield* leading()
        yield* leader.tell(registered, ...announcing)
        yield* leader.lose(2)
        leader.heads.push({ _tag: "ClusterHead", stamp: stampOf(1, 1), cseq: 1, cluster: "east", digest: "", count: 0 })
        leader.hear(answerOf(2))
        yield* leader.recovery.look(0)
        const manifests = manifestsOf(leader)
        leader.recovery.noteHeldBack({ ...inventory([]), manifests })
        for (const nowMs of [4_000, 4_200]) yield* leader.recovery.look(nowMs)
        assert.deepStrictEqual(waitingFor(leader), ["node east/n2"])
        assert.isTrue(
          leader.memory.fleet.isFrozen(leader.memory.fleet.cluster("east")),
          "what n2 holds is given to nobody"
        )
        leader.hear({ ...answerOf(2, held("192.0.2.7", stampOf(1, 40))), node: "n2" })
        for (const nowMs of [4_400, 4_600]) yield* leader.recovery.look(nowMs)
        const vip = leader.memory.fleet.vip("default", "192.0.2.7")
        assert.deepStrictEqual([waitingFor(leader), vip?.holders[0]?.name], [[], "web"])
      })
    )
  )
})

describe("an agent in a recovery", () => {
  it.effect(
    "is waited for until the log has what its inventory lists: it may have been half way when history was lost",
    () =>
      run(
        Effect.gen(function* () {
          const leader = yield* havingLost()
          yield* leader.tell(service("web"))
          leader.recovery.noteHeldBack(inventory(["shop/web"]))
          assert.deepStrictEqual(waitingFor(leader), ["agent of east"], "its nodes are not known")
          yield* leader.tell(node("n1"), node("n2"))
          assert.deepStrictEqual(waitingFor(leader), [])
          leader.recovery.noteHeldBack(inventory(["shop/other", "shop/web"]))
          assert.deepStrictEqual(waitingFor(leader), ["agent of east"], "a Service is not known")
          yield* leader.tell(service("other"))
          assert.deepStrictEqual(waitingFor(leader), [])
        })
      )
  )

  it.effect("is not waited for because of a Service with errors, which the log never has", () =>
    run(
      Effect.gen(function* () {
        const leader = yield* havingLost()
        yield* leader.tell(node("n1"), node("n2"), service("web"))
        leader.recovery.noteHeldBack(inventory(["shop/faulty", "shop/web"]))
        assert.deepStrictEqual(waitingFor(leader), ["agent of east"], "nothing was told of it")
        const object = { kind: "Service", namespace: "shop", name: "faulty" }
        const facts = { object, field: "spec.type", expected: "a type", found: "none" }
        yield* leader.tell({ _tag: "ReportFindings", cluster: "east", object, findings: [finding("LT0107", facts)] })
        assert.deepStrictEqual(waitingFor(leader), [])
      })
    )
  )

  it.effect("that has begun to tell anew is waited for until it comes to its inventory again", () =>
    run(
      Effect.gen(function* () {
        const leader = yield* havingLost()
        yield* leader.tell(node("n1"), node("n2"))
        leader.recovery.noteHeldBack(inventory([]))
        assert.deepStrictEqual(waitingFor(leader), [])
        leader.recovery.noteTaken(service("new"))
        assert.deepStrictEqual(waitingFor(leader), ["agent of east"], "the inventory would drop what is new")
        leader.recovery.noteHeldBack(inventory(["shop/new"]))
        yield* leader.tell(service("new"))
        assert.deepStrictEqual(waitingFor(leader), [])
      })
    )
  )

  it.effect(
    "is waited for although an inventory comes that was read before the loss: it is late, and of another agent",
    () =>
      run(
        Effect.gen(function* () {
          const leader = yield* leading()
          yield* leader.tell(registered, node("n1"), node("n2"))
          const { incarnation, seq } = leader.memory.head
          yield* leader.lose(2)
          answerEmpty(leader, "n1", "n2")
          const late = { ...inventory([]), asOf: { incarnation, seq: seq + 100 } }
          assert.isFalse(leader.recovery.noteHeldBack(late))
          assert.deepStrictEqual(waitingFor(leader), ["agent of east"])
          leader.recovery.noteHeldBack({ ...late, asOf: { incarnation: 2, seq } })
          assert.deepStrictEqual(waitingFor(leader), [])
          yield* leader.tell(service("new"))
          yield* leader.tell(late)
          assert.deepStrictEqual([...leader.memory.fleet.cluster("east").services.keys()], ["shop/new"])
        })
      )
  )

  it.effect(
    "loses nothing that it tells by the inventory of the one before it, read since the loss and coming late",
    () =>
      run(
        Effect.gen(function* () {
          const leader = yield* havingLost(...announcing, service("gone"))
          const manifests = manifestsOf(leader)
          const { incarnation, seq } = leader.memory.head
          const former = { ...inventory(["shop/web"]), manifests, asOf: { incarnation, seq } }
          yield* leader.tell(service("web"))
          leader.recovery.noteTaken(service("new"))
          yield* leader.tell(service("new"))
          leader.recovery.noteHeldBack(former)
          yield* merge(leader)
          assert.deepStrictEqual([...leader.memory.fleet.cluster("east").services.keys()].sort(), [
            "shop/new",
            "shop/web"
          ])
        })
      )
  )

  it.effect("that says of something that it is gone need not wait with it, and the inventory to come says so", () =>
    run(
      Effect.gen(function* () {
        const leader = yield* havingLost(...announcing, service("web"), service("old"))
        const whole = inventory(["shop/old", "shop/web"])
        assert.isFalse(leader.recovery.noteHeldBack(whole), "it waits with the inventory")
        assert.deepStrictEqual(waitingFor(leader), [])
        const gone = forgetService("old")
        assert.isTrue(isHeldBack(leader.memory, gone))
        assert.isTrue(leader.recovery.noteHeldBack(gone))
        assert.isTrue(leader.memory.fleet.cluster("east").services.has("shop/old"), "nothing is taken away yet")
        assert.deepStrictEqual(waitingFor(leader), ["agent of east"], "what it listed before is not so any more")
        const manifests = manifestsOf(leader)
        leader.recovery.noteHeldBack({ ...inventory(["shop/web"]), manifests })
        yield* leader.recovery.look(0)
        yield* leader.recovery.look(3_000)
        yield* leader.recovery.look(3_200)
        assert.deepStrictEqual(waitingFor(leader), [])
        assert.isFalse(leader.memory.fleet.isFrozen(leader.memory.fleet.cluster("east")))
        assert.deepStrictEqual([...leader.memory.fleet.cluster("east").services.keys()], ["shop/web"])
      })
    )
  )
})

describe("the numbers of a cluster's messages after a loss", () => {
  /** The number that its first message gets when it is published anew, where two nodes say these of theirs. */
  const firstNumber = (...said: readonly [number, number]) =>
    Effect.gen(function* () {
      const leader = yield* leading()
      yield* leader.tell(registered, node("n1"), node("n2"))
      yield* leader.lose(2)
      for (const [index, cseq] of said.entries()) {
        const vip = { ...held(`192.0.2.${index}`, stampOf(1, 40)), cseq }
        leader.hear({ ...answerOf(2, vip), node: `n${index + 1}` })
      }
      leader.recovery.noteHeldBack(inventory([]))
      for (const nowMs of [0, 3_000, 3_200]) yield* leader.recovery.look(nowMs)
      const { fleet, book } = leader.memory
      assert.isFalse(fleet.isFrozen(fleet.cluster("east")))
      return Math.min(
        ...[...book.entries("east").values()].flatMap((each) => (each.incarnation === 2 ? each.cseq : []))
      )
    }).pipe(run)

  it.effect("go on above the highest that a node says, which after a loss of everything else alone knows it", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* firstNumber(5_120, 300), 5_121)
    })
  )

  it.effect("go on above what others say where one says a number above which there are none left", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* firstNumber(5_120, Number.MAX_SAFE_INTEGER), 5_121)
    })
  )
})

describe("a node that nobody has heard", () => {
  /** A cluster that a person had go on without n2. */
  const withoutN2 = Effect.gen(function* () {
    const leader = yield* leading()
    yield* leader.tell(registered, node("n1"), node("n2"))
    yield* leader.lose(2)
    answerEmpty(leader, "n1")
    leader.recovery.noteHeldBack(inventory([]))
    for (const nowMs of [0, 3_000]) yield* leader.recovery.look(nowMs)
    assert.deepStrictEqual(waitingFor(leader), ["node east/n2"])
    assert.isTrue(leader.memory.fleet.isFrozen(leader.memory.fleet.cluster("east")), "nothing is given meanwhile")
    yield* leader.tell({ _tag: "FinishRecovery", without: ["node east/n2"] })
    yield* leader.recovery.look(3_200)
    assert.isFalse(leader.memory.fleet.isFrozen(leader.memory.fleet.cluster("east")))
    return leader
  })

  /** What n2 says of itself when it has taken what its cluster was published anew with, and keeps something of before. */
  const late = (more: Partial<NodeStatus> = {}): NodeStatus => ({
    ...answerOf(2, held("192.0.2.7", stampOf(1, 40))),
    node: "n2",
    sync: "live",
    stamp: stampOf(2, 9),
    former: 1,
    ...more
  })

  it.effect("is waited for where NATS has no word of its cluster; heard later, it is asked, and alone", () =>
    run(
      Effect.gen(function* () {
        const leader = yield* withoutN2
        yield* leader.recovery.callRoll
        assert.lengthOf(leader.called, 0)
        const { held: answer, ...silent } = late()
        leader.hear(silent)
        yield* leader.recovery.callRoll
        assert.deepStrictEqual(
          leader.called.map(({ nodes }) => nodes),
          [["n2"]]
        )
        leader.hear(late(answer === undefined ? {} : { held: answer }))
        yield* leader.recovery.look(4_000)
        const vip = leader.memory.fleet.vip("default", "192.0.2.7")
        assert.deepStrictEqual([vip?.phase, vip?.holders[0]?.name, vip?.holders[0]?.adopted], ["assigned", "web", true])
        yield* leader.recovery.look(4_200)
        const { seq } = leader.memory.head
        yield* leader.recovery.look(4_400)
        yield* leader.recovery.callRoll
        assert.deepStrictEqual([leader.memory.head.seq, leader.called.length], [seq, 1], "once")
      })
    )
  )

  it.effect("may need any key until it is heard, and then the one that signed what is reserved for it", () =>
    run(
      Effect.gen(function* () {
        const leader = yield* withoutN2
        const view = { fleet: leader.memory.fleet, nodes: leader.nodes }
        const nodesOf = (keyId: string) => signersOf(view, new Map()).find((signer) => signer.keyId === keyId)?.nodes
        leader.hear({ ...answerOf(2), signers: [] })
        assert.deepStrictEqual(untoldSigners(view), [{ cluster: "east", node: "n2" }])
        leader.hear(late({ signers: ["k0"] }))
        yield* leader.recovery.look(4_000)
        assert.strictEqual(leader.recovery.standing(0)?.reserved, 1)
        assert.deepStrictEqual([nodesOf("k0"), untoldSigners(view)], [1, []])
        leader.nodes.clear() // what nodes said is lost with NATS
        assert.deepStrictEqual(
          untoldSigners(view).map(({ node }) => node),
          ["n1", "n2"]
        )
      })
    )
  )

  it.effect("and what another cluster was given since is told of as held by two, while it holds it", () =>
    run(
      Effect.gen(function* () {
        const leader = yield* withoutN2
        const { stamp: _, cseq: __, ...vip } = held("192.0.2.7", stampOf(1, 1))
        const west = { ...inventory([], []), cluster: "west" }
        yield* leader.tell(
          { ...registered, cluster: "west" },
          {
            _tag: "AdoptVips",
            cluster: "west",
            vips: [{ ...vip, services: [{ namespace: "shop", name: "new", uid: "u" }] }]
          },
          { _tag: "RepublishCluster", cluster: "west", inventory: west }
        )
        leader.hear(late({ signers: ["k0"] }))
        const contested = Effect.map(leader.recovery.look(4_000), () => leader.recovery.standing(0)?.contested)
        const used = () => signersOf({ fleet: leader.memory.fleet, nodes: leader.nodes }, new Map())
        const { network, address } = vip
        const found = {
          network,
          address,
          cluster: "east",
          services: ["shop/web"],
          node: "n2",
          others: ["west/shop/new"]
        }
        assert.deepStrictEqual(yield* contested, [found])
        assert.deepStrictEqual(yield* contested, [found], "for as long as it is so")
        assert.deepStrictEqual(used(), [{ keyId: "k0", messages: 0, nodes: 1 }])
        leader.hear(late({ former: 0, signers: [] }))
        assert.deepStrictEqual(yield* contested, [])
        assert.deepStrictEqual(used(), [])
      })
    )
  )

  it.effect("counts only with what it holds once it has heard all: before, what it told may be withdrawn by now", () =>
    run(
      Effect.gen(function* () {
        const leader = yield* withoutN2
        leader.hear(late({ sync: "stale" }))
        yield* leader.recovery.look(4_000)
        leader.hear({ ...late(), held: undefined } as unknown as NodeStatus)
        yield* leader.recovery.look(4_200)
        assert.isUndefined(leader.memory.fleet.vip("default", "192.0.2.7"))
      })
    )
  )
})

describe("a node that says it is where no log can have come to", () => {
  it.effect("is passed over, and hides nobody who proves a loss", () =>
    Effect.gen(function* () {
      const head = { incarnation: 2, epoch: 4, seq: 100, commitSeq: 50, recordedAt: "2026-01-01T00:00:00.000Z" }
      const at = (who: string, incarnation: number) => ({ who, stamp: { incarnation, epoch: 1, seq: 5 } })
      const liar = at("node east/n1", 2_147_483_647)
      assert.isUndefined(yield* lossBy(head, [liar]))
      assert.isFalse(isBeyond(head, liar.stamp))
      assert.deepInclude(yield* lossBy(head, [liar, at("node east/n2", 7)]), { incarnation: 8 })
    }).pipe(Effect.provide(memoryLedger()))
  )
})

describe("an address that two clusters remember", () => {
  /** What a node of the cluster says that it holds of one address. */
  const tells = (leader: Leader, cluster: string, seq: number, more: Partial<HeldVip> = {}) =>
    leader.hear({
      ...answerOf(2, { ...held("192.0.2.7", stampOf(1, seq)), ...more }),
      ...{ cluster, node: `${cluster}-1` }
    })
  const withdrawn = { state: "withdrawn", services: [] } as const
  /** What the centre says of a withdrawal that all have confirmed. */
  const confirmed = { ...withdrawn, obliged: [] } as const
  const west: Command = { ...registered, cluster: "west" }
  const parts = ({ memory }: Leader) =>
    memory.fleet
      .vipsAt("default", "192.0.2.7")
      .map(({ cluster, phase, member }) => `${cluster} ${phase}${member === true ? " part" : ""}`)

  for (const [title, before, told, expected] of [
    [
      "is both's while both announce it",
      [],
      [
        ["east", 40],
        ["west", 41]
      ],
      ["east assigned part", "west assigned part"]
    ],
    [
      "is the newer one's where the other gave it up",
      [],
      [
        ["east", 40, confirmed],
        ["west", 41]
      ],
      ["west assigned"]
    ],
    [
      "is the newer one's where the other gave up what the log has of it",
      [["east", 3]],
      [
        ["east", 40, confirmed],
        ["west", 41]
      ],
      ["west assigned"]
    ],
    [
      "is the newer one's, beside the other's withdrawal where not all have confirmed it",
      [],
      [
        ["east", 40, withdrawn],
        ["west", 41]
      ],
      ["east withdrawing part", "west assigned part"]
    ],
    [
      "is withdrawn by both where not all of either have confirmed it",
      [],
      [
        ["east", 40, withdrawn],
        ["west", 41, withdrawn]
      ],
      ["east withdrawing part", "west withdrawing part"]
    ],
    [
      "stays with the one that the log has it of, while that announces it as well",
      [["east", 3]],
      [
        ["east", 3],
        ["west", 41]
      ],
      ["east assigned", "west assigned part"]
    ],
    [
      "is not that of a node which has not heard what the log knows",
      [],
      [
        ["east", 1],
        ["west", 41]
      ],
      ["west assigned"]
    ]
  ] as ReadonlyArray<
    readonly [
      string,
      ReadonlyArray<unknown>,
      ReadonlyArray<readonly [string, number, Partial<HeldVip>?]>,
      Array<string>
    ]
  >) {
    for (const order of ["as they come", "the other way round"]) {
      it.effect(`${title}, ${order}`, () =>
        run(
          Effect.gen(function* () {
            const leader = yield* leading()
            yield* leader.tell(registered, west)
            if (before.length > 0) {
              yield* leader.tell(...announcing)
              yield* leader.tell(service("web", { requestedAddresses: ["192.0.2.7"] }))
            }
            yield* leader.lose(2)
            const claims = order === "as they come" ? told : [...told].reverse()
            for (const [cluster, seq, more] of claims) tells(leader, cluster, seq, more)
            yield* leader.recovery.look(0)
            assert.deepStrictEqual(parts(leader).sort(), expected)
            const { seq } = leader.memory.head
            yield* leader.recovery.look(200)
            assert.strictEqual(leader.memory.head.seq, seq, "once")
          })
        )
      )
    }
  }

  for (const [first, second] of [
    ["east", "west"],
    ["west", "east"]
  ] as const) {
    it.effect(`is withdrawn by both although ${first} is heard before ${second}, each of them by its own nodes`, () =>
      run(
        Effect.gen(function* () {
          const leader = yield* leading()
          yield* leader.tell(registered, west)
          yield* leader.lose(2)
          for (const cluster of [first, second]) {
            tells(leader, cluster, cluster === "east" ? 40 : 41, { ...withdrawn, obliged: [`${cluster}-2`] })
            yield* leader.recovery.look(0)
          }
          assert.deepStrictEqual(
            leader.memory.fleet
              .vipsAt("default", "192.0.2.7")
              .map(({ cluster, phase, obliged }) => [cluster, phase, ...obliged]),
            [first, second].map((cluster) => [cluster, "withdrawing", `${cluster}-2`])
          )
          assert.deepStrictEqual(leader.recovery.standing(0)?.contested, [])
        })
      )
    )
  }

  it.effect("obliges nobody of the one that the log has it of, once that gave it up: nobody would confirm", () =>
    run(
      Effect.gen(function* () {
        const leader = yield* leading()
        yield* leader.tell(registered, west, ...announcing)
        yield* leader.tell(service("web", { requestedAddresses: ["192.0.2.7"] }))
        yield* leader.lose(2)
        tells(leader, "east", 40, confirmed)
        tells(leader, "west", 41, { obliged: ["west-1"] })
        yield* leader.recovery.look(0)
        const [vip] = leader.memory.fleet.vipsAt("default", "192.0.2.7")
        assert.deepStrictEqual([vip?.obliged, vip?.holders[0]?.adopted], [["west-1"], true])
      })
    )
  )

  it.effect("is told of as held by two, and no more when one lets it go", () =>
    run(
      Effect.gen(function* () {
        const leader = yield* leading()
        yield* leader.tell(registered, west)
        yield* leader.tell(node("n1"), node("n2"))
        yield* leader.lose(2)
        tells(leader, "east", 40)
        tells(leader, "west", 41, { obliged: ["n9"] })
        const view = { fleet: leader.memory.fleet, nodes: new Map() }
        const untold = () => untoldSigners(view).map(({ cluster, node }) => `${cluster}/${node}`)
        assert.deepStrictEqual(untold(), ["east/n1", "east/n2"], "nodes that nobody heard, of a cluster that is merged")
        yield* leader.recovery.look(0)
        assert.deepStrictEqual(untold(), ["east/n1", "east/n2", "west/n9"], "and whoever is obliged by what is held")
        const contested = () =>
          leader.recovery
            .standing(0)
            ?.contested.map(({ cluster, services, others }) => [cluster, ...services, ...others])
        assert.deepStrictEqual(contested(), [
          ["east", "shop/web", "west/shop/web"],
          ["west", "shop/web", "east/shop/web"]
        ])
        yield* leader.tell({ _tag: "FinishRecovery", without: ["agent of east", "agent of west"] })
        for (const cluster of ["east", "west"]) {
          yield* leader.tell({ _tag: "RepublishCluster", cluster, inventory: { ...inventory([], []), cluster } })
        }
        assert.lengthOf(contested() ?? [], 2)
        yield* leader.tell({ _tag: "ReleaseAdopted", network: "default", address: "192.0.2.7" })
        assert.deepStrictEqual(contested(), [])
      })
    )
  )
})

describe("an address that was taken over, and for which the configuration has no route", () => {
  /** All is lost, n1 announces an address, and its agent tells of no Advertisement and no peer any more. */
  const merged = Effect.fnUntraced(function* (...services: ReadonlyArray<string>) {
    const leader = yield* leading()
    yield* leader.tell(registered)
    yield* leader.lose(2)
    yield* leader.tell(node("n1"), ...services.map((name) => service(name)))
    leader.hear(answerOf(2, held("192.0.2.7", stampOf(1, 40))))
    leader.recovery.noteHeldBack(
      inventory(
        services.map((name) => `shop/${name}`),
        ["n1"]
      )
    )
    yield* merge(leader)
    return leader
  })
  const unrouted = merged("web")
  const said = ({ memory }: Leader) =>
    [...memory.book.entries("east").keys()].filter((key) => key.startsWith("adv.") || key.startsWith("node."))
  const found = ({ recovery }: Leader) => recovery.standing(0)?.unrouted
  const adv = "adv.4-192-0-2-7"

  it.effect("stays as nodes announce it, and so do their sessions, also under the next leader", () =>
    run(
      Effect.gen(function* () {
        const leader = yield* unrouted
        assert.deepStrictEqual(said(leader), [])
        assert.deepStrictEqual(found(leader), [{ cluster: "east", addresses: 1 }])
        const next = yield* leading()
        const { seq } = next.memory.head
        yield* next.recovery.look(0)
        assert.deepStrictEqual([next.memory.head.seq, said(next)], [seq, []])
      })
    )
  )

  it.effect("is looked at as often for many nodes without peers as for few", () => {
    const reads = (nodes: number) =>
      Effect.gen(function* () {
        const leader = yield* leading()
        yield* leader.tell(registered)
        yield* leader.lose(2)
        const names = Array.from({ length: nodes }, (_, n) => `n${n + 1}`)
        const services = Array.from({ length: 50 }, (_, n) => `s${n}`)
        yield* leader.tell(...names.map(node), ...services.map((name) => service(name)))
        const vips = services.map((name, n) => ({
          ...held(`198.51.100.${n}`, stampOf(1, 40 + n)),
          ...{ services: [{ namespace: "shop", name, uid: `uid-${name}` }], obliged: ["n1"] }
        }))
        answerEmpty(leader, ...names)
        leader.hear(answerOf(2, ...vips))
        const keys = services.map((name) => `shop/${name}`)
        leader.recovery.noteHeldBack(inventory(keys, names))
        for (const nowMs of [0, 3_000]) yield* leader.recovery.look(nowMs)
        const read = vi.spyOn(leader.memory.fleet.vips, "get")
        yield* leader.recovery.look(3_200)
        assert.isFalse(leader.memory.fleet.isFrozen(leader.memory.fleet.cluster("east")))
        assert.deepStrictEqual(found(leader), [{ cluster: "east", addresses: 50 }])
        assert.lengthOf(said(leader), nodes - 1, "of nodes that announce nothing")
        return read.mock.calls.length
      }).pipe(Effect.provide(memoryLedger()))
    return Effect.gen(function* () {
      assert.strictEqual(yield* reads(30), yield* reads(5))
    })
  })

  it.effect("stays as well where the log has a tombstone of it, from before it was given again", () =>
    run(
      Effect.gen(function* () {
        const leader = yield* leading()
        yield* leader.tell(registered, node("n1"), pool(["192.0.2.7/32"]), service("old"), forgetService("old"))
        assert.isTrue(leader.memory.book.entries("east").get(adv)?.withdraws)
        yield* leader.lose(2)
        yield* leader.tell(service("web"))
        leader.hear(answerOf(2, held("192.0.2.7", stampOf(1, 40))))
        const manifests = manifestsOf(leader)
        leader.recovery.noteHeldBack({ ...inventory(["shop/web"], ["n1"]), manifests })
        yield* merge(leader)
        assert.strictEqual(leader.memory.fleet.vip("default", "192.0.2.7")?.phase, "assigned")
        assert.deepStrictEqual(said(leader), [])
        assert.deepStrictEqual(found(leader), [{ cluster: "east", addresses: 1 }])
        const { seq } = leader.memory.head
        yield* leader.recovery.look(3_400)
        assert.strictEqual(leader.memory.head.seq, seq, "nothing is left to publish anew")
      })
    )
  )

  it.effect("is published with the configuration that has one", () =>
    run(
      Effect.gen(function* () {
        const leader = yield* unrouted
        yield* leader.tell(...announcing)
        assert.lengthOf(said(leader), 3)
        assert.deepStrictEqual(found(leader), [])
      })
    )
  )

  it.effect("is withdrawn when a person orders it", () =>
    run(
      Effect.gen(function* () {
        const leader = yield* unrouted
        yield* leader.tell({ _tag: "ReleaseBrake", cluster: "east" })
        assert.lengthOf(said(leader), 2)
        assert.deepStrictEqual(found(leader), [])
      })
    )
  )

  it.effect("is withdrawn by an order for the cluster also where a narrower one is decided with it", () =>
    run(
      Effect.gen(function* () {
        const leader = yield* unrouted
        yield* leader.tell(
          { _tag: "ReleaseBrake", cluster: "east" },
          { _tag: "ReleaseBrake", cluster: "east", node: "n1" }
        )
        assert.deepStrictEqual(found(leader), [])
      })
    )
  )

  describe("when the cluster's last peer is deleted", () => {
    const deletion: Command = {
      ...{ _tag: "DeleteManifest", cluster: "east", kind: "BGPPeer" },
      ...{ namespace: "metallb-system", name: "tor" }
    }
    /** Peers that a node is told to have, by what was said of it last. */
    const peersOf = (name: string) =>
      Effect.gen(function* () {
        const rows = yield* (yield* Ledger).intentsSince("east", 0)
        const { envelope } = rows.find(({ subject }) => subject === `node.${name}`) ?? {}
        const message = envelope == null ? undefined : payloadOf(envelope)
        return message?._tag === "NodeIntent" ? message.peers.map((peer) => peer.name) : undefined
      })
    /** n1 announces the address to the peer, which the configuration has, and n2 nothing. */
    const peered = Effect.gen(function* () {
      const leader = yield* unrouted
      yield* leader.tell(node("n2"), ...announcing.filter(isPeer))
      assert.deepStrictEqual([yield* peersOf("n1"), yield* peersOf("n2")], [["tor"], ["tor"]])
      yield* leader.tell(deletion)
      assert.deepStrictEqual([yield* peersOf("n1"), yield* peersOf("n2")], [["tor"], []])
      assert.deepStrictEqual(found(leader), [{ cluster: "east", addresses: 1 }])
      return leader
    })
    const isPeer = (command: Command) => command._tag === "ApplyManifest" && command.manifest.kind === "BGPPeer"

    it.effect("stays, with the session that it is announced on, until a person orders that it goes", () =>
      run(
        Effect.gen(function* () {
          const leader = yield* peered
          yield* leader.tell({
            _tag: "ObserveNode",
            cluster: "east",
            node: nodeObject("n1", { labels: { rack: "r1" } })
          })
          assert.deepStrictEqual(yield* peersOf("n1"), ["tor"], "whatever else becomes of the node")
          yield* leader.tell({ _tag: "ReleaseBrake", cluster: "east" })
          assert.deepStrictEqual(yield* peersOf("n1"), [])
          assert.deepStrictEqual(found(leader), [])
        })
      )
    )

    it.effect("goes from a node that is to announce nothing, which is a person's word or the node's own", () =>
      run(
        Effect.gen(function* () {
          const leader = yield* peered
          const labels = { "node.kubernetes.io/exclude-from-external-load-balancers": "" }
          yield* leader.tell({ _tag: "ObserveNode", cluster: "east", node: nodeObject("n1", { labels }) })
          assert.deepStrictEqual(yield* peersOf("n1"), [])
        })
      )
    )

    it.effect("stays as well where it is reserved for a Service that nobody has seen", () =>
      run(
        Effect.gen(function* () {
          const leader = yield* merged()
          assert.strictEqual(leader.recovery.standing(0)?.reserved, 1)
          yield* leader.tell(...announcing.filter(isPeer))
          yield* leader.tell(deletion)
          assert.deepStrictEqual(yield* peersOf("n1"), ["tor"])
        })
      )
    )

    it.effect("lets the session go with it, once its Service is gone and its withdrawal confirmed", () =>
      run(
        Effect.gen(function* () {
          const leader = yield* peered
          yield* leader.tell(forgetService("web"))
          const { cseq = 0 } = leader.memory.book.entries("east").get(adv) ?? {}
          yield* leader.tell({ _tag: "ConfirmWithdrawals", cluster: "east", node: "n1", cseq })
          assert.strictEqual(leader.memory.fleet.vip("default", "192.0.2.7")?.phase, "quarantined")
          assert.deepStrictEqual(yield* peersOf("n1"), [])
        })
      )
    )
  })

  it.effect("has its key in use as long as a node announces by it, though no message has it", () =>
    run(
      Effect.gen(function* () {
        const leader = yield* unrouted
        const view = { fleet: leader.memory.fleet, nodes: leader.nodes }
        const messages = yield* (yield* Ledger).signedBy
        const used = () => signersOf(view, messages).map(({ keyId, messages, nodes }) => [keyId, messages > 0, nodes])
        assert.deepStrictEqual(used(), [["k1", true, 0]])
        assert.deepStrictEqual(untoldSigners(view), [{ cluster: "east", node: "n1" }], "it may need any key")
        leader.hear({ ...answerOf(2, held("192.0.2.7", stampOf(1, 40))), signers: ["k0"] })
        assert.deepStrictEqual(used(), [
          ["k0", false, 1],
          ["k1", true, 0]
        ])
        assert.deepStrictEqual(untoldSigners(view), [])
        leader.nodes.clear()
        assert.deepStrictEqual(untoldSigners(view), [{ cluster: "east", node: "n1" }], "nobody has heard it")
      })
    )
  )

  it.effect("stays when the brake of one node is released, be it its own", () =>
    run(
      Effect.gen(function* () {
        const leader = yield* unrouted
        yield* leader.tell(node("n9"))
        for (const each of ["n9", "n1"]) yield* leader.tell({ _tag: "ReleaseBrake", cluster: "east", node: each })
        assert.notInclude(said(leader), adv)
        assert.notInclude(said(leader), "node.n1")
        assert.deepStrictEqual(found(leader), [{ cluster: "east", addresses: 1 }])
      })
    )
  )

  it.effect("stays when a second person approves a withdrawal of another", () =>
    run(
      Effect.gen(function* () {
        const leader = yield* unrouted
        const ofOthers = manifest("BGPAdvertisement", "others", { ipAddressPools: ["others"] })
        const fleet = manifest("Fleet", "prod", { blastRadius: { maxWithdrawRoutes: 0, per: "10m" } })
        yield* leader.tell(
          { _tag: "ApplyFleetObject", manifest: { ...fleet, apiVersion: "lowtide.dev/v1alpha1" } },
          ...announcing.filter((command) => command._tag === "ApplyManifest" && command.manifest.kind === "BGPPeer"),
          pool(["198.51.100.0/28"], "others"),
          { _tag: "ApplyManifest", cluster: "east", manifest: ofOthers },
          service("other")
        )
        const { kind, name, namespace = "" } = ofOthers
        yield* leader.tell({ _tag: "DeleteManifest", cluster: "east", kind, namespace, name })
        assert.strictEqual(leader.memory.fleet.approvals.get("w-1")?.count, 1)
        const { cseq } = leader.memory.book.entries("east").get("adv.4-198-51-100-0") ?? {}
        const revision = leader.memory.fleet.versions.get("approval:w-1") ?? 0
        yield* leader.tell({ _tag: "ApproveWithdrawals", id: "w-1", revision })
        assert.notStrictEqual(leader.memory.book.entries("east").get("adv.4-198-51-100-0")?.cseq, cseq, "it goes")
        assert.notInclude(said(leader), adv)
        assert.deepStrictEqual(found(leader), [{ cluster: "east", addresses: 1 }])
      })
    )
  )
})

describe("a cluster with more than one batch is to publish", () => {
  const count = 1_200
  const names = Array.from({ length: count }, (_, n) => `s${n}`)
  const keys = names.map((name) => `shop/${name}`)

  /** What is left of its messages and VIPs, by the incarnation and phase that they have. */
  const standing = ({ memory }: Leader) => ({
    messages: tally(memory.book.entries("east").values(), ({ incarnation }) => incarnation),
    vips: tally(
      memory.fleet.vips.values(),
      ({ phase, holders }) => `${phase}${holders[0]?.adopted === true ? "?" : ""}`
    )
  })
  const tally = <A>(all: Iterable<A>, of: (each: A) => unknown) => {
    const counts: Record<string, number> = {}
    for (const each of all) counts[String(of(each))] = (counts[String(of(each))] ?? 0) + 1
    return counts
  }

  const lost = Effect.gen(function* () {
    const leader = yield* leading()
    yield* leader.tell(registered, ...announcing, pool(["198.18.0.0/16"], "large"))
    for (let start = 0; start < count; start += 300) {
      yield* leader.tell(...names.slice(start, start + 300).map((name) => service(name)))
    }
    yield* leader.lose(2)
    answerEmpty(leader, "n1", "n2")
    const manifests = manifestsOf(leader)
    leader.recovery.noteHeldBack({ ...inventory(keys), manifests })
    leader.batches.length = 0
    return leader
  })
  /** Incarnations of the messages that are stored, by what is signed. */
  const stored = Effect.gen(function* () {
    const messages = yield* (yield* Ledger).intentsSince("east", 0)
    return tally(messages, ({ envelope }) => payloadOf(envelope).stamp.incarnation)
  })
  const objects = 4
  const all = 2 * count + 2 + objects

  it.effect("is published anew by batches that are bounded, its numbers and digest those of the whole in the end", () =>
    run(
      Effect.gen(function* () {
        const leader = yield* lost
        const before = standing(leader)
        for (const nowMs of [0, 3_000, 3_200]) yield* leader.recovery.look(nowMs)
        assert.deepStrictEqual(before.messages, { 1: all })
        assert.deepStrictEqual(standing(leader), { messages: { 2: all }, vips: { assigned: count } })
        assert.isAtMost(Math.max(...leader.batches.map(({ intents }) => intents)), 2_000)
        const ledger = yield* Ledger
        const [head] = yield* ledger.intentHeads
        const stored = yield* ledger.intentsSince("east", head?.begunCseq ?? 0)
        const digest = new SetDigest()
        for (const { subject, cseq } of stored) digest.add(subject, cseq)
        assert.deepStrictEqual([head?.count, head?.digest, stored.length], [all, digest.toString(), all])
      })
    )
  )

  it.effect.each([2, 4, 6, 7])(
    "is gone on with by the next leader, where the first one stopped after %i orders",
    (submits) =>
      run(
        Effect.gen(function* () {
          const leader = yield* lost
          leader.limits.submits = submits
          for (const nowMs of [0, 3_000, 3_200]) yield* leader.recovery.look(nowMs)
          const { messages } = standing(leader)
          assert.containsAllKeys(messages, ["1"], "it stopped half way")
          const next = yield* leading()
          for (const each of [leader, next])
            assert.deepStrictEqual(each.recovery.standing(0)?.republishing, [
              { cluster: "east", published: messages[2] ?? 0, total: all }
            ])
          yield* next.recovery.look(0)
          assert.deepStrictEqual(standing(next), { messages: { 2: all }, vips: { assigned: count } })
          assert.deepStrictEqual(next.recovery.standing(0)?.republishing, [])
          assert.deepStrictEqual(yield* stored, { 2: all })
          const { seq } = next.memory.head
          yield* next.recovery.look(200)
          assert.strictEqual(next.memory.head.seq, seq, "once")
        })
      )
  )
})
