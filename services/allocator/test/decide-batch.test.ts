import { assert, describe, it } from "@effect/vitest"
import { SetDigest } from "@lowtide/bus/digest"
import { open } from "@lowtide/bus/envelope"
import { type Command, finding, newestFleetVersion, type ObserveInventory, type VipState } from "@lowtide/domain"
import { type Batch, Ledger } from "@lowtide/ledger"
import { memoryLedger } from "@lowtide/testkit"
import { Effect, Result } from "effect"
import { type DecidedBatch, DecisionDefect, decideBatch, type ReceivedCommand } from "../src/decide-batch.ts"
import { problemOf } from "../src/http/refused.ts"
import { loadMemory, type Memory, noteCommitted } from "../src/memory.ts"
import {
  announcing,
  forgetService,
  keyRing,
  manifest,
  node,
  payloadOf,
  pool,
  received,
  receivedAt,
  service,
  signingKey,
  uuid
} from "./orders.ts"

/** A leader without its loop: decides on a memory and commits. */
const leading = Effect.gen(function* () {
  const ledger = yield* Ledger
  yield* ledger.acquireLease("test", 60_000)
  let memory = yield* loadMemory
  let count = 0
  const commit = (commands: ReadonlyArray<ReceivedCommand>) =>
    Effect.gen(function* () {
      const decided = decideBatch(memory, commands, signingKey, 0)
      noteCommitted(memory, decided.batch, yield* ledger.append(decided.batch))
      return decided
    })
  return {
    memory: (): Memory => memory,
    commit,
    together: (...commands: ReadonlyArray<Command>) => commit(commands.map((command) => received(command, ++count))),
    reload: Effect.gen(function* () {
      memory = yield* loadMemory
    })
  }
})

const run = <A, E>(test: Effect.Effect<A, E, Ledger>) => Effect.provide(test, memoryLedger())

const counts = ({ batch }: DecidedBatch) => [
  batch.events.length,
  batch.current.length,
  batch.history.length,
  batch.intents.length,
  batch.intentHeads.length,
  batch.results.length
]

/** The head that the set of stored messages amounts to, added up from nothing. */
const headFromScratch = (cluster: string) =>
  Effect.gen(function* () {
    const digest = new SetDigest()
    for (const { subject, cseq } of yield* (yield* Ledger).intentsSince(cluster, 0)) digest.add(subject, cseq)
    return { digest: `${digest}`, count: digest.count }
  })

describe("a refused order", () => {
  it.effect("is answered with the fix of the object that it is about, not with that of all which have its code", () =>
    run(
      Effect.gen(function* () {
        const leader = yield* leading
        const object = (kind: string, name: string, spec: object): Command => ({
          _tag: "ApplyFleetObject",
          manifest: { apiVersion: "lowtide.dev/v1alpha1", kind, namespace: "", name, spec }
        })
        const pool = (name: string) =>
          object("AddressPool", name, { addresses: ["192.0.2.0/28"], clusterSelector: { matchLabels: { a: "b" } } })
        const { replies } = yield* leader.together(pool("first"), pool("second"), object("Quota", "none", {}))
        const problems = replies.flatMap((reply) => (reply._tag === "Refused" ? [problemOf(reply)] : []))
        assert.deepStrictEqual(
          problems.map((problem) => ("fix" in problem ? problem.fix : "")),
          ["Take 192.0.2.0/28 out of one of the two", "Add the field"]
        )
      })
    )
  )
})

describe("the rows of a batch", () => {
  it.effect("number the events of a stream on from its version, several in one batch as well", () =>
    run(
      Effect.gen(function* () {
        const leader = yield* leading
        yield* leader.together(...announcing, service("web"))
        const { batch } = yield* leader.together(
          service("web", { labels: { a: "1" } }),
          service("web", { labels: { a: "2" } }),
          forgetService("web")
        )
        const stream = "service:east/shop/web"
        const ofService = batch.events.filter((event) => event.stream === stream)
        assert.deepStrictEqual(
          ofService.map(({ type, version }) => [type, version]),
          [
            ["ServiceObserved", 2],
            ["ServiceObserved", 3],
            ["ServiceGone", 4]
          ]
        )
        const row = batch.current.find((current) => current.stream === stream)
        assert.deepStrictEqual([row?.previousVersion, row?.version, row?.state, row?.kind], [1, 4, null, "service"])
        assert.strictEqual(
          row?.seq,
          batch.expected.seq + 1 + batch.events.findIndex(({ type }) => type === "ServiceGone")
        )
        yield* leader.together(service("web"))
        yield* leader.reload
        assert.strictEqual(leader.memory().fleet.versions.get(stream), 5, "a stream that ended goes on counting")
      })
    )
  )

  it.effect("say of each event who, when, through what and why", () =>
    run(
      Effect.gen(function* () {
        const leader = yield* leading
        yield* leader.together(...announcing)
        const more = { words: "because", observedAt: "2025-12-31T23:59:59.000Z", correlationId: uuid(77) }
        const { batch } = yield* leader.commit([received(service("web"), 50, more)])
        const assigned = batch.events.find(({ type }) => type === "VipAssigned")
        const { data, meta, ...columns } = assigned!
        assert.deepStrictEqual(columns, {
          stream: "vip:default/192.0.2.0",
          version: 1,
          type: "VipAssigned",
          schema: 1,
          network: "default",
          address: "192.0.2.0",
          pool: "public",
          cluster: "east",
          namespace: "shop",
          service: "web",
          serviceUid: "uid-web",
          observedAt: more.observedAt,
          actor: "agent:east",
          actorKind: "agent",
          commandId: uuid(50),
          correlationId: uuid(77),
          reasonCode: "pool-selected"
        })
        const { before, after } = JSON.parse(data) as { before: VipState | null; after: VipState }
        assert.deepStrictEqual([before, after.phase, after.holders[0]?.name], [null, "assigned", "web"])
        assert.deepStrictEqual(JSON.parse(meta), { receivedAt, words: "because" })
      })
    )
  )

  it.effect("open a stretch of history for each change of a VIP, with who holds it", () =>
    run(
      Effect.gen(function* () {
        const leader = yield* leading
        const { batch } = yield* leader.together(pool(["192.0.2.0/28"]), service("web"), forgetService("web"))
        assert.deepStrictEqual(
          batch.history.map(({ address, state, reasonCode, holders }) => [
            address,
            state,
            reasonCode,
            JSON.parse(holders)
          ]),
          [
            [
              "192.0.2.0",
              "assigned",
              "pool-selected",
              [{ cluster: "east", namespace: "shop", name: "web", uid: "uid-web" }]
            ],
            ...batch.history.slice(1).map(({ state, reasonCode }) => ["192.0.2.0", state, reasonCode, []])
          ]
        )
        assert.isAbove(batch.history.length, 1)
        const seqs = batch.history.map(({ seq }) => batch.events[seq - batch.expected.seq - 1]?.stream)
        assert.deepStrictEqual(new Set(seqs), new Set(["vip:default/192.0.2.0"]), "each has the seq of its own event")
      })
    )
  )

  it.effect("hold a result for each command with its own events, and none for one that decides to nothing", () =>
    run(
      Effect.gen(function* () {
        const leader = yield* leading
        const first = yield* leader.together(...announcing)
        const { batch, replies } = yield* leader.together(service("a"), service("a"), service("b"))
        assert.deepStrictEqual(
          replies.map((reply) => reply._tag === "Done" && [reply.seqFrom, reply.seqTo]),
          [
            [first.batch.events.length + 1, first.batch.events.length + 2],
            [null, null],
            [first.batch.events.length + 3, first.batch.events.length + 4]
          ]
        )
        assert.deepStrictEqual(
          batch.results.map(({ commandId, outcome }) => [commandId, JSON.parse(outcome)]),
          [
            [uuid(announcing.length + 1), replies[0]],
            [uuid(announcing.length + 3), replies[2]]
          ]
        )
        for (const reply of replies) {
          if (reply._tag !== "Done" || reply.seqFrom === null || reply.seqTo === null) continue
          const ids = batch.events
            .slice(reply.seqFrom - batch.expected.seq - 1, reply.seqTo - batch.expected.seq)
            .map(({ commandId }) => commandId)
          assert.strictEqual(new Set(ids).size, 1, "its events are its own")
        }
      })
    )
  )

  it.effect("are none at all for commands that decide to nothing", () =>
    run(
      Effect.gen(function* () {
        const leader = yield* leading
        yield* leader.together(...announcing, service("web"))
        const { cseq } = { cseq: leader.memory().book.cseq("east") }
        assert.deepStrictEqual(counts(yield* leader.together(...announcing, service("web"))), [0, 0, 0, 0, 0, 0])
        assert.strictEqual(leader.memory().book.cseq("east"), cseq)
      })
    )
  )
})

describe("the messages of a batch", () => {
  it.effect("are signed, one a subject, each with the stamp of the event that changed it last", () =>
    run(
      Effect.gen(function* () {
        const leader = yield* leading
        const { batch } = yield* leader.together(...announcing, service("web"), forgetService("web"), service("web"))
        for (const { envelope } of [...batch.intents, ...batch.intentHeads]) {
          assert.isTrue(Result.isSuccess(open(keyRing, envelope ?? "")))
        }
        assert.strictEqual(new Set(batch.intents.map(({ subject }) => subject)).size, batch.intents.length)
        for (const row of batch.intents) {
          const message = payloadOf(row.envelope ?? "")
          assert.deepStrictEqual([message.cseq, message.stamp.seq, message.stamp.epoch], [row.cseq, row.seq, 1])
          const event = batch.events[row.seq - batch.expected.seq - 1]
          assert.deepStrictEqual([message.cause.type, message.cause.reason], [event?.type, event?.reasonCode])
        }
        const answer = batch.intents.find(({ subject }) => subject === "svc.uid-web")
        const lastOfWeb = batch.events.findLastIndex(({ service }) => service === "web")
        assert.strictEqual(answer?.seq, batch.expected.seq + 1 + lastOfWeb)
      })
    )
  )

  it.effect("leave the head that the whole set gives when it is added up from nothing, after every batch", () =>
    run(
      Effect.gen(function* () {
        const leader = yield* leading
        const steps: ReadonlyArray<ReadonlyArray<Command>> = [
          announcing,
          [service("a"), service("b")],
          [forgetService("a")],
          [{ _tag: "ConfirmWithdrawals", cluster: "east", node: "n1", cseq: 999 }],
          [{ _tag: "ConfirmWithdrawals", cluster: "east", node: "n2", cseq: 999 }],
          [service("c"), forgetService("b"), service("a", { uid: "uid-new" })]
        ]
        for (const step of steps) {
          const { batch, clusters } = yield* leader.together(...step)
          assert.deepStrictEqual([...clusters], batch.intents.length > 0 ? ["east"] : [])
          const [head] = yield* (yield* Ledger).intentHeads
          assert.deepInclude(head, yield* headFromScratch("east"))
          assert.strictEqual(head?.cseq, leader.memory().book.cseq("east"))
          const stored = JSON.parse(JSON.parse(head?.envelope ?? "").payload)
          const newest = Math.max(...(yield* (yield* Ledger).intentsSince("east", 0)).map(({ seq }) => seq))
          assert.deepStrictEqual([head?.seq, stored.stamp.seq], [newest, newest], "as new as its newest message")
          assert.deepInclude(stored, { _tag: "ClusterHead", cluster: "east", cseq: head?.cseq, digest: head?.digest })
        }
      })
    )
  )

  it.effect("are the same when the memory is loaded anew between the batches", () =>
    Effect.gen(function* () {
      const told = (isReloaded: boolean) =>
        run(
          Effect.gen(function* () {
            const leader = yield* leading
            const batches: Array<Batch> = []
            const begun: Command = { _tag: "FinaliseFleet", version: newestFleetVersion, isFirst: true }
            const steps = [
              [begun],
              announcing,
              [service("a")],
              [service("b")],
              [forgetService("a")],
              [service("a")],
              announcing
            ]
            for (const step of steps) {
              batches.push((yield* leader.together(...step)).batch)
              if (isReloaded) yield* leader.reload
            }
            return batches.map(({ events, intents, intentHeads, current }) => ({
              events,
              intents,
              intentHeads,
              current
            }))
          })
        )
      assert.deepStrictEqual(yield* told(true), yield* told(false))
    })
  )
})

describe("an inventory", () => {
  const given = Effect.gen(function* () {
    const leader = yield* leading
    yield* leader.together(...announcing, service("gone"), service("back"))
    yield* leader.together(forgetService("back"))
    const { manifests, nodes } = leader.memory().fleet.cluster("east")
    const { incarnation, seq } = leader.memory().head
    const inventory: ObserveInventory = {
      _tag: "ObserveInventory",
      ...{ cluster: "east", asOf: { incarnation, seq }, services: ["shop/other"], nodes: [...nodes.keys()] },
      ...{ namespaces: [], manifests: [...manifests.keys()], findings: [] }
    }
    const services = () => [...leader.memory().fleet.cluster("east").services.keys()].sort()
    return { leader, inventory, services }
  })

  it.effect(
    "takes away what the log had when it was read, and nothing that came later, in one batch or before it",
    () =>
      run(
        Effect.gen(function* () {
          const { leader, inventory, services } = yield* given
          yield* leader.together(service("new"))
          yield* leader.together(service("back"), inventory)
          assert.deepStrictEqual(services(), ["shop/back", "shop/new"])
        })
      )
  )

  it.effect("knows after a load as well what came later", () =>
    run(
      Effect.gen(function* () {
        const { leader, inventory, services } = yield* given
        yield* leader.together(service("new"))
        yield* leader.reload
        yield* leader.together(inventory)
        assert.deepStrictEqual(services(), ["shop/new"])
      })
    )
  )

  it.effect("leaves configuration, nodes and findings as they are told later", () =>
    run(
      Effect.gen(function* () {
        const { leader, inventory } = yield* given
        const object = { kind: "Service", namespace: "shop", name: "faulty" }
        const facts = { object, field: "spec.type", expected: "a type", found: "none" }
        yield* leader.together(
          node("n9"),
          { _tag: "ApplyManifest", cluster: "east", manifest: manifest("BGPPeer", "new", newPeer) },
          { _tag: "ObserveNamespace", cluster: "east", namespace: { name: "new", labels: {} } },
          { _tag: "ReportFindings", cluster: "east", object, findings: [finding("LT0107", facts)] }
        )
        yield* leader.together(inventory)
        const { manifests, nodes, namespaces, findings } = leader.memory().fleet.cluster("east")
        assert.isTrue(nodes.get("n9")?.present)
        assert.isTrue(manifests.has("BGPPeer/metallb-system/new"))
        assert.isTrue(namespaces.has("new"))
        assert.isTrue(findings.has("Service/shop/faulty"))
      })
    )
  )

  it.effect("of another incarnation takes nothing away", () =>
    run(
      Effect.gen(function* () {
        const { leader, inventory, services } = yield* given
        yield* leader.together({ ...inventory, asOf: { ...inventory.asOf!, incarnation: 7 } })
        assert.deepStrictEqual(services(), ["shop/gone"], "it was read in another history")
      })
    )
  )
})

const newPeer = { myASN: 64496, peerASN: 64501, peerAddress: "10.1.0.2" }

describe("a command that breaks an invariant", () => {
  it.effect("is named", () =>
    run(
      Effect.gen(function* () {
        const leader = yield* leading
        const bad = received({ ...service("web"), service: null } as never, 9)
        try {
          decideBatch(leader.memory(), [received(pool(["192.0.2.0/28"]), 8), bad], signingKey, 0)
          assert.fail("expected a defect")
        } catch (defect) {
          assert.instanceOf(defect, DecisionDefect)
          assert.deepInclude(defect, { commandId: uuid(9) })
          assert.match((defect as Error).message, /^ObserveService 0{8}-/)
        }
      })
    )
  )
})

describe("an address that rests", () => {
  it.effect(
    "rests its whole time after it was recorded, also where the database's clock was set forward before that",
    () =>
      run(
        Effect.gen(function* () {
          const leader = yield* leading
          yield* leader.together(...announcing, service("web"))
          yield* leader.together(forgetService("web"))
          for (const name of ["n1", "n2"])
            yield* leader.together({ _tag: "ConfirmWithdrawals", cluster: "east", node: name, cseq: 1_000 })
          const stream = "vip:default/192.0.2.0"
          const phase = () => leader.memory().fleet.vips.get(stream)?.phase
          assert.strictEqual(phase(), "quarantined")
          const setForwardMs = 3_600_000
          leader.memory().recordedAt.set(stream, leader.memory().head.seq, new Date(setForwardMs).toISOString())
          const expireAt = (nowMs: number) =>
            decideBatch(leader.memory(), [received({ _tag: "ExpireQuarantines" }, nowMs)], signingKey, nowMs)
          expireAt(setForwardMs + 599_999)
          assert.strictEqual(phase(), "quarantined")
          expireAt(setForwardMs + 600_000)
          assert.strictEqual(phase(), "free")
        })
      )
  )
})
