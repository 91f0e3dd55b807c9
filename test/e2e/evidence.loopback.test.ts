import { assert, it } from "@effect/vitest"
import type { BgpRouteList } from "@lowtide/api/bgp"
import type { EvidenceList } from "@lowtide/api/evidence"
import { waitUntil } from "@lowtide/testkit/lab/wait"
import { Effect } from "effect"
import { cluster, lowtide, serviceText, startFleet } from "./loopback-fleet.ts"

it.live(
  "a router tells the centre what it has of each node, what it let go, and that it does not report any more",
  () =>
    Effect.gen(function* () {
      const fleet = yield* startFleet(2, undefined, { reports: true })
      const asked = <Answer>(...args: ReadonlyArray<string>) =>
        Effect.map(lowtide(fleet.as("ada"), ...args, "-o", "json"), ({ code, out, err }) => {
          assert.strictEqual(code, 0, err)
          return JSON.parse(out) as Answer
        })
      const evidence = asked<EvidenceList>("get", "evidence")
      const verdicts = Effect.map(evidence, ({ items }) =>
        items
          .map(({ node, prefix, wanted, verdict }) => `${node} ${prefix} ${wanted ? "wanted" : "gone"} ${verdict}`)
          .sort()
      )
      const saysAll = (what: string, expected: ReadonlyArray<string>) =>
        waitUntil(
          what,
          Effect.map(verdicts, (found) => expected.every((line) => found.includes(line))),
          { deadlineMs: 90_000 }
        )

      yield* saysAll("the router has both routes from both nodes", [
        "n1 198.51.100.0/32 wanted has",
        "n1 198.51.100.1/32 wanted has",
        "n2 198.51.100.0/32 wanted has",
        "n2 198.51.100.1/32 wanted has"
      ])
      const { items: routes } = yield* asked<BgpRouteList>("bgp", "routes")
      assert.deepStrictEqual(routes.map(({ node, confirmed }) => `${node} ${confirmed.by}`).sort(), [
        "n1 bmp",
        "n1 bmp",
        "n2 bmp",
        "n2 bmp"
      ])
      const table = yield* lowtide(fleet.as("ada"), "get", "evidence", "--cluster", cluster)
      assert.match(table.out, /n1 +router +198\.51\.100\.0\/32 +yes +has/)

      fleet.write("services.yaml", serviceText("web-1"))
      yield* saysAll("it let go what a Service that is gone had, from both nodes", [
        "n1 198.51.100.1/32 gone let-go",
        "n2 198.51.100.1/32 gone let-go",
        "n1 198.51.100.0/32 wanted has"
      ])

      const history = Effect.map(lowtide(fleet.as("ada"), "history", "198.51.100.1"), ({ out }) => out)
      yield* waitUntil(
        "the record has it beside what the nodes told",
        Effect.map(history, (text) =>
          /router GoBGP let 198\.51\.100\.1 go from the session of n1 with router/.test(text)
        ),
        { deadlineMs: 60_000 }
      )

      yield* fleet.router.kill
      yield* waitUntil(
        "the router reports no more",
        Effect.map(evidence, ({ routers, lost }) => routers.length === 0 && lost.length === 1),
        { deadlineMs: 60_000 }
      )
      const { items } = yield* evidence
      assert.isTrue(items.every(({ verdict }) => verdict === "not-reported"))
    }).pipe(Effect.scoped)
)
