import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { runningFleetOn } from "./fleet-scope.ts"

it.live(
  "without any router the fleet's routes are in a listener of Lowtide's own, both IP versions with their next hops",
  () =>
    Effect.gen(function* () {
      const fleet = yield* runningFleetOn({ ground: "loopback", hasBird: false })
      for (const { nodes, router } of fleet.site.clusters) {
        assert.strictEqual(router.kind, "listener")
        const hops = yield* router.nextHops
        const own = new Set(nodes.flatMap(({ nextHops }) => nextHops))
        assert.isTrue([...hops.values()].flat().every((address) => own.has(address)))
        assert.isTrue([...hops.keys()].some((prefix) => prefix.includes(":")))
      }
    }).pipe(Effect.scoped)
)
