import { rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { waitFor, waitUntil } from "@lowtide/testkit/lab/index"
import { Effect } from "effect"
import type { Fleet } from "../../scripts/demo/fleet.ts"
import { component, getsRoute, hopsOf, isSettled, newService, runningFleet, services, tables } from "./fleet-scope.ts"

const updates = (fleet: Fleet) => Effect.forEach(fleet.site.clusters, ({ router }) => router.updates)

/** The routers' tables and counts once nothing has reached them for a second: every session has told all it has to tell. */
const atRest = Effect.fnUntraced(function* (fleet: Fleet) {
  yield* waitUntil("everything is as it should be", isSettled(fleet), { deadlineMs: 30_000 })
  for (;;) {
    const updatesBefore = yield* updates(fleet)
    yield* Effect.sleep("1 second")
    if (JSON.stringify(yield* updates(fleet)) !== JSON.stringify(updatesBefore)) continue
    return { tablesBefore: yield* tables(fleet), updatesBefore }
  }
})

const kill = (fleet: Fleet, names: ReadonlyArray<string>) =>
  Effect.forEach(names, (name) => component(fleet, name).kill, { discard: true })

const start = (fleet: Fleet, names: ReadonlyArray<string>) =>
  Effect.forEach(names, (name) => component(fleet, name).start, { discard: true })

/** The first address of a Service of east, once it has one. */
const addressOf = (fleet: Fleet, name: string) =>
  waitFor(
    `an address for ${name}`,
    services(fleet).pipe(
      Effect.map((items) => items.find((item) => item.cluster === "east" && item.name === name)?.addresses[0]?.address),
      Effect.orElseSucceed(() => undefined)
    )
  )

it.live("losing allocator, NATS and Postgres changes no route, and afterwards all goes on by itself", () =>
  Effect.gen(function* () {
    const fleet = yield* runningFleet
    const probe = join(fleet.manifests, "east/services/probe.yaml")
    writeFileSync(probe, newService("probe", "east-2", { policy: "Local" }))
    const prefix = `${yield* addressOf(fleet, "probe")}/32`
    const probeHops = hopsOf(fleet, "east", prefix)
    yield* waitUntil(
      "the probe has its route",
      Effect.map(probeHops, (hops) => hops === "10.1.0.12")
    )
    const { tablesBefore, updatesBefore } = yield* atRest(fleet)
    const centre = ["allocator", "nats", "postgres"]
    for (const names of [["allocator"], ["nats"], ["postgres"], centre]) {
      yield* kill(fleet, names)
      // Long enough for every process to have noticed: reconnections are tried each quarter of a second.
      yield* Effect.sleep("1500 millis")
      assert.deepStrictEqual(yield* tables(fleet), tablesBefore, `routes with ${names.join(", ")} dead`)
      assert.deepStrictEqual(yield* updates(fleet), updatesBefore, `UPDATEs with ${names.join(", ")} dead`)
      if (names !== centre) yield* start(fleet, names)
    }

    writeFileSync(probe, newService("probe", "east-2", { policy: "Local", ready: false }))
    yield* waitUntil(
      "the lost endpoint is withdrawn, with the whole centre dead",
      Effect.map(probeHops, (hops) => hops === "no route"),
      { deadlineMs: 5_000 }
    )

    // A speaker that was killed comes back from its disk, with the centre still dead.
    yield* kill(fleet, ["speaker-west-2"])
    yield* waitUntil(
      "the router notices",
      Effect.map(tables(fleet), ([, west]) => west !== tablesBefore[1])
    )
    yield* start(fleet, ["speaker-west-2"])
    yield* waitUntil(
      "the same routes are back",
      Effect.map(tables(fleet), ([, west]) => west === tablesBefore[1]),
      { deadlineMs: 30_000 }
    )

    writeFileSync(join(fleet.manifests, "east/services/later.yaml"), newService("later", "east-1"))
    yield* start(fleet, centre)
    yield* waitUntil("a new Service gets its route", getsRoute(fleet, "later"), { deadlineMs: 30_000 })
    writeFileSync(probe, newService("probe", "east-2", { policy: "Local" }))
    yield* waitUntil("everything is as it should be", isSettled(fleet), { deadlineMs: 30_000 })
  }).pipe(Effect.scoped)
)

it.live("a wiped NATS is filled again, and withdraws nothing", () =>
  Effect.gen(function* () {
    const fleet = yield* runningFleet
    const { tablesBefore, updatesBefore } = yield* atRest(fleet)
    yield* kill(fleet, ["nats"])
    rmSync(join(fleet.site.folder, "nats/store"), { recursive: true, force: true })
    yield* start(fleet, ["nats"])
    writeFileSync(join(fleet.manifests, "east/services/later.yaml"), newService("after-wipe", "east-3"))
    yield* waitUntil("a new Service gets its route", getsRoute(fleet, "after-wipe"), { deadlineMs: 30_000 })
    rmSync(join(fleet.manifests, "east/services/later.yaml"))
    yield* waitUntil(
      "it goes as it came",
      Effect.map(tables(fleet), (now) => JSON.stringify(now) === JSON.stringify(tablesBefore)),
      {
        deadlineMs: 30_000
      }
    )
    const [, westUpdates] = yield* updates(fleet)
    assert.strictEqual(westUpdates, updatesBefore[1], "the other cluster's router heard nothing")
  }).pipe(Effect.scoped)
)
