import { describe, expect, it } from "@effect/vitest"
import { ensureStreams, layerBus, publishAll, stateSubject } from "@lowtide/bus"
import { Ledger } from "@lowtide/ledger"
import { memoryLedger } from "@lowtide/testkit/memory-ledger"
import { startNats } from "@lowtide/testkit/nats"
import { Effect, Layer } from "effect"
import type { CommittedView } from "../../src/centre.ts"
import { Past } from "../../src/http/past.ts"
import { askTraceIn } from "../../src/http/trace-query.ts"
import { commitSample, fixedCentre, startMs } from "./sample.ts"

const whole = (view: CommittedView) => Past.layer.pipe(Layer.provideMerge(fixedCentre(view)))

describe("a trace over a real NATS server", () => {
  it.live("has the time at which the intent was stored, and goes on when the server is away", () =>
    Effect.gen(function* () {
      const clock = { nowMs: startMs }
      const nats = yield* startNats()
      const bus = yield* Layer.build(layerBus({ servers: [nats.url], name: "test" }))
      const ledgerContext = yield* Layer.build(memoryLedger({ nowMs: () => clock.nowMs }))
      yield* Effect.gen(function* () {
        const view = yield* commitSample(clock)
        const ledger = yield* Ledger
        const heads = yield* ledger.intentHeads
        const intents = (yield* Effect.forEach(heads, ({ cluster }) => ledger.intentsSince(cluster, 0))).flat()
        yield* ensureStreams
        const messages = intents.map(({ cluster, subject, envelope }) => ({
          subject: stateSubject(cluster, subject),
          text: envelope
        }))
        yield* publishAll(messages)
        const ask = askTraceIn({ cluster: "east", namespace: "shop", name: "local" }).pipe(
          Effect.map(({ hops }) => hops.find(({ step }) => step === "published")),
          Effect.provide(whole(view))
        )
        const before = yield* ask
        expect(before?.detail).toMatch(/^intent of event \d+: announced$/)
        expect(Math.abs(Date.parse(before?.time ?? "") - Date.now())).toBeLessThan(60_000)
        const refused = yield* askTraceIn({ cluster: "east", namespace: "shop", name: "api" }).pipe(
          Effect.provide(whole(view))
        )
        expect(refused.hops.find(({ step }) => step === "published")?.detail).toMatch(
          /^answer of event \d+: no address, refused LT0202$/
        )
        const early = yield* askTraceIn({
          ...{ cluster: "east", namespace: "shop", name: "local" },
          at: new Date(startMs + 60_000).toISOString()
        }).pipe(Effect.provide(whole(view)))
        expect(early.hops.find(({ step }) => step === "published")).toMatchObject({
          time: null,
          detail: `not by then: stored ${before?.time}`
        })
        yield* nats.stop
        expect(yield* ask).toMatchObject({ time: null, detail: expect.stringMatching(/^not known: /) })
      }).pipe(Effect.provideContext(ledgerContext), Effect.provideContext(bus))
    }).pipe(Effect.scoped)
  )
})
