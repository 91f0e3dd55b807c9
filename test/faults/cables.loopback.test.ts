import { assert, describe, it } from "@effect/vitest"
import { startTcpProxy } from "@lowtide/testkit"
import { waitUntil } from "@lowtide/testkit/lab/index"
import { Effect, Fiber } from "effect"
import { freshSeed } from "../sim/histories.ts"
import { isExact, leads, makeCentreLab, published, uuid } from "./centre-lab.ts"
import { cutCommits } from "./commit-cuts.ts"
import { announcing, service } from "./orders.ts"

/** More of them by `npm run soak -- commit`. */
const cutsInTest = 20

describe("a cable that is cut", () => {
  it.live("F2: to PostgreSQL, at any byte of what is said in either direction: each command is carried out once", () =>
    Effect.gen(function* () {
      const seed = Number(process.env.LOWTIDE_SEED ?? freshSeed())
      yield* Effect.log(`seeds ${seed} to ${seed + cutsInTest - 1}`)
      assert.strictEqual((yield* cutCommits(seed, cutsInTest)).cuts, cutsInTest)
    })
  )

  it.live(
    "F11: to NATS, with a command under way: it is committed, its answer is found, and it is published later",
    () =>
      Effect.gen(function* () {
        const lab = yield* makeCentreLab
        const proxy = yield* startTcpProxy(lab.nats.port)
        const one = yield* lab.allocator("one", { LOWTIDE_NATS_URL: `nats://127.0.0.1:${proxy.port}` })
        yield* leads(one)
        for (const command of announcing) yield* lab.send(command)
        const readyz = one.get("/readyz")
        yield* waitUntil(
          "all is published",
          Effect.map(readyz, ({ body }) => body.unpublished === 0)
        )
        yield* proxy.delay(300) // the answer, and what is published, is on its way when the cable is cut
        const waiting = yield* Effect.forkScoped(lab.send(service("web"), 1000))
        yield* waitUntil(
          "it is committed",
          Effect.map(lab.sql(`select 1 from events where command_id = '${uuid(1000)}'`), ({ length }) => length > 0),
          { intervalMs: 5 }
        )
        yield* proxy.cut
        yield* proxy.delay(0)
        yield* waitUntil(
          "it says so, and is ready all the same",
          Effect.map(readyz, ({ status, body }) => status === 200 && body.nats === "down")
        )
        yield* proxy.mend
        const reply = yield* Fiber.join(waiting)
        assert.strictEqual(reply._tag, "Done")
        yield* isExact(lab, [1000])
        yield* waitUntil(
          "it is published",
          Effect.map(readyz, ({ body }) => body.nats === "up" && body.unpublished === 0)
        )
        const { isWhole, vips } = yield* published(lab)
        assert.deepStrictEqual([isWhole, [...vips.values()]], [true, ["web"]], "and NATS has it")
      }).pipe(Effect.scoped)
  )
})
