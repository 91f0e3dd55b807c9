import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { waitUntil } from "@lowtide/testkit/lab/wait"
import { Effect } from "effect"
import { cluster, loseAll, lowtide, serviceText, sliceText, startFleet, untilOver } from "./loopback-fleet.ts"

const deadline = { deadlineMs: 60_000 }

it.live(
  "all is lost, a node with it, and the key is rotated and retired: nothing is withdrawn, all go by the new key",
  () =>
    Effect.gen(function* () {
      const fleet = yield* startFleet(3)
      const { as, write, nodesAre, believe, router, folder } = fleet
      const [, n2] = fleet.speakers
      assert.isDefined(n2)
      yield* n2!.kill
      const routesAre = (count: number) =>
        waitUntil(
          `${count} routes of one path`,
          Effect.map(fleet.routes, (paths) => paths.length === count && paths.every((count) => count === 1)),
          deadline
        )
      yield* routesAre(3)
      const updates = Effect.map(router.updateCounts, (counts) => counts[0]?.updates ?? 0)
      const before = yield* updates
      const inUse = Effect.map(
        lowtide(as("ada"), "key", "list", "--in-use", "--out", folder, "-o", "json"),
        ({ code, out }) => {
          if (code !== 0) return "no answer"
          const { items, untold } = JSON.parse(out) as KeyList
          const used = items.map(({ id, messages, nodes }) => `${id} ${(messages ?? 0) > 0 ? "signs" : "-"} ${nodes}`)
          return [...used, ...untold.map((name) => `untold ${name.replace(cluster, "east")}`)].join(", ")
        }
      )
      const untilInUse = (expected: string) =>
        waitUntil(
          expected,
          Effect.map(inUse, (found) => found === expected),
          deadline
        )
      const orders = (...args: ReadonlyArray<string>) =>
        Effect.map(lowtide(as("bob"), ...args, "--reason", "n2 burnt"), ({ code, err }) =>
          assert.strictEqual(code, 0, err)
        )

      yield* untilInUse("k1 signs 2")
      believe("k1", "k2")
      yield* loseAll(fleet, { keyId: "k2" })
      yield* waitUntil(
        "n2 alone is waited for",
        Effect.map(lowtide(as("ada"), "recover"), ({ out }) => /Waiting for node \S+\/n2\.$/m.test(out)),
        deadline
      )
      yield* orders("recover", "--finish")
      yield* untilOver(fleet, 2)
      yield* untilInUse("k2 signs 1, untold east/n2")
      nodesAre("n1")
      yield* waitUntil(
        "n2 is retired",
        Effect.map(
          lowtide(as("bob"), "node", "retire", `${cluster}/n2`, "--reason", "burnt"),
          ({ code }) => code === 0
        ),
        deadline
      )
      yield* untilInUse("k2 signs 1")

      const log = () => readFileSync(join(folder, "n1.log"), "utf8")
      believe("k2")
      yield* waitUntil(
        "n1 believes the new key alone",
        Effect.sync(() => log().includes("trust is read anew: keys [k2]")),
        deadline
      )
      write("more.yaml", serviceText("more") + sliceText("more"))
      yield* routesAre(4)
      assert.notMatch(log(), /may not be announced any more/)
      assert.strictEqual((yield* updates) - before, 1, "n1 told of the new route, and of nothing else")
    }).pipe(Effect.scoped)
)

interface KeyList {
  readonly items: ReadonlyArray<{
    readonly id: string
    readonly messages: number | null
    readonly nodes: number | null
  }>
  readonly untold: ReadonlyArray<string>
}
