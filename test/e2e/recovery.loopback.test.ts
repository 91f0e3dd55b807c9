import { assert, it } from "@effect/vitest"
import { execute } from "@lowtide/testkit"
import { waitUntil } from "@lowtide/testkit/lab/wait"
import { Effect } from "effect"
import {
  advertisementText,
  loseAll,
  lowtide,
  poolText,
  serviceText,
  sliceText,
  startFleet,
  untilOver
} from "./loopback-fleet.ts"

const deadline = { deadlineMs: 60_000 }

it.live("more than 500 Services: all is lost, published anew by parts, and no route changes", () =>
  Effect.gen(function* () {
    const count = 520
    const fleet = yield* startFleet(count, "198.18.0.0/16")
    const { postgres, router, hasRoutes } = fleet
    const before = yield* router.updateCounts
    yield* loseAll(fleet)
    yield* untilOver(fleet, 2)
    const anew = yield* Effect.promise(() =>
      execute(
        postgres.url,
        `select (select count(*) > 1 from events where type = 'ClusterRepublished') as "byParts",
          (select count(*)::int from intent where subject like 'adv.%' and envelope like '%announced%') as vips`
      )
    )
    assert.deepStrictEqual(anew, [{ byParts: true, vips: count }])
    yield* hasRoutes(count)
    assert.deepStrictEqual(yield* router.updateCounts, before)
  }).pipe(Effect.scoped)
)

it.live("a change that waits for a second person takes no route when history is lost, in part or as a whole", () =>
  Effect.gen(function* () {
    const fleet = yield* startFleet(30)
    const { as, write, postgres, router, hasRoutes, startAllocator } = fleet
    const waits = waitUntil(
      "the Advertisement's end waits",
      Effect.map(lowtide(as("ada"), "get", "approvals"), ({ out }) => /w-1 .* 3[01] +agent:.* pending/.test(out)),
      deadline
    )
    write("addresses.yaml", poolText())
    yield* waits

    // The log goes back to where it waited already, and before another Service.
    yield* fleet.allocator.stop
    const behind = postgres.url.replace(/[^/]+$/, "behind")
    const copy = "create database behind template postgres"
    yield* Effect.promise(() => execute(postgres.url.replace(/[^/]+$/, "template1"), copy))
    const further = yield* startAllocator()
    write("more.yaml", serviceText("more") + sliceText("more"))
    yield* hasRoutes(31)
    const before = yield* router.updateCounts
    yield* further.kill
    const last = yield* startAllocator({ databaseUrl: behind })
    yield* untilOver(fleet, 2)
    yield* waits
    assert.deepStrictEqual(yield* router.updateCounts, before)

    // Nobody knows any more that it waits, nor of what there was instead.
    yield* loseAll(fleet, { allocator: last })
    yield* untilOver(fleet, 3)
    const unrouted = Effect.map(
      lowtide(as("ada"), "recover"),
      ({ out }) => /(\d+) addresses of \S+ stay/.exec(out)?.[1]
    )
    assert.strictEqual(yield* unrouted, "31")
    assert.deepStrictEqual(yield* router.updateCounts, before)
    write("addresses.yaml", poolText() + advertisementText)
    yield* waitUntil(
      "all of them have a route again",
      Effect.map(unrouted, (count) => count === undefined),
      deadline
    )
    yield* hasRoutes(31)
  }).pipe(Effect.scoped)
)
