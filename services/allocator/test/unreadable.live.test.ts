import { assert, describe, it } from "@effect/vitest"
import { ensureStreams, layerBus } from "@lowtide/bus"
import { emptyBatch, Ledger, type NewEvent } from "@lowtide/ledger"
import { memoryLedger } from "@lowtide/testkit"
import { Effect, Layer, Option } from "effect"
import { layerAllocator } from "../src/allocator.ts"
import { Centre } from "../src/centre.ts"
import { whyNotReady } from "../src/http/health-handlers.ts"
import { onNats, until } from "./live.ts"
import { signingKey, uuid } from "./orders.ts"

/** What another release left: one event, and the state that it led to. */
interface Left {
  readonly stream?: string
  readonly type: string
  readonly schema: number
  readonly state: object
}

/** Written by an allocator that has ended since. */
const leave = ({ stream = "vip:default/192.0.2.1", type, schema, state }: Left) =>
  Effect.gen(function* () {
    const ledger = yield* Ledger
    const { epoch } = Option.getOrThrow(yield* ledger.acquireLease("another", 60_000))
    const event: NewEvent = {
      ...{ stream, version: 1, type, schema, actor: "agent:east", actorKind: "agent" },
      ...{ commandId: uuid(1), correlationId: uuid(1), reasonCode: "observed", meta: "{}" },
      data: JSON.stringify({ before: null, after: state })
    }
    const row = { stream, kind: "vip", version: 1, previousVersion: 0, seq: 1, schema, state: JSON.stringify(state) }
    yield* ledger.append({ ...emptyBatch({ epoch, seq: 0 }), events: [event], current: [row] })
    yield* ledger.releaseLease(epoch)
    return ledger
  })

const vip = {
  ...{ _tag: "Vip", network: "default", address: "192.0.2.1", pool: "public", cluster: "east", phase: "free" },
  ...{ holders: [], lastHolders: ["shop/web"], obliged: [], quarantineEndMs: null }
}

describe("an allocator whose release cannot read what the log holds", () => {
  const row = (name: string, left: Left, words: RegExp) => [name, left, words] as const
  const table = [
    row("a type that it does not know", { type: "VipPolished", schema: 1, state: vip }, /LT0540 event 1.*VipPolished/),
    row(
      "a newer version",
      { type: "VipFreed", schema: 2, state: vip },
      /LT0540.*VipFreed of version 2|Vip of version 2/
    ),
    row(
      "a fleet version that was finalised by a newer release",
      {
        stream: "fleet:version",
        type: "FleetVersionFinalised",
        schema: 1,
        state: { _tag: "FleetVersion", version: 99 }
      },
      /LT0542 event 1: expected a version up to \d+, .* found 99/
    ),
    row("a state that was changed", { type: "VipFreed", schema: 1, state: { ...vip, phase: 7 } }, /LT0541.*phase/s)
  ]
  for (const [name, left, words] of table) {
    it.live(`does not lead and answers nothing, and says why: ${name}`, () =>
      onNats((server) =>
        Effect.gen(function* () {
          const services = yield* Layer.build(
            Layer.mergeAll(memoryLedger(), layerBus({ servers: [server.url], name: "test" }))
          )
          const within = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.provideContext(effect, services)
          yield* within(ensureStreams)
          const ledger = yield* within(leave(left))
          const allocator = yield* within(Layer.build(layerAllocator(signingKey, Effect.void)))
          const centre = yield* Effect.provideContext(Centre, allocator)
          yield* until(
            "a reason",
            Effect.map(centre.health, ({ unreadable }) => unreadable !== null)
          )
          const health = yield* centre.health
          assert.match(health.unreadable ?? "", words)
          assert.strictEqual(health.role, "waiting")
          assert.deepStrictEqual(whyNotReady(health), [health.unreadable ?? ""])
          assert.match((yield* Effect.flip(centre.read(() => 0))).message, words)
          // Nothing is written, and a release that can read it finds the lease free.
          assert.strictEqual((yield* ledger.head).seq, 1)
          yield* until("the lease", Effect.map(ledger.acquireLease("upgraded", 60_000), Option.isSome))
        })
      )
    )
  }
})
