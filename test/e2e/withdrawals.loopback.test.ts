import { assert, it } from "@effect/vitest"
import { waitUntil } from "@lowtide/testkit/lab/wait"
import { Effect } from "effect"
import { advertisementText, cluster, lowtide, nodesText, poolText, serviceText, startFleet } from "./loopback-fleet.ts"

it.live(
  "sixty Services that are deleted at once stay announced until a second person approves; then no speaker holds them back",
  () =>
    Effect.gen(function* () {
      const { write, as, routes, hasRoutes, speakers, limit } = yield* startFleet(60)
      yield* limit("{maxWithdrawRoutes: 0, per: 10m}")
      write("services.yaml", serviceText("web-1"))
      yield* waitUntil(
        "an order of 59 addresses",
        Effect.map(lowtide(as("ada"), "get", "approvals"), ({ out }) => /w-1 .* 59 +agent:.* pending/.test(out)),
        { deadlineMs: 60_000 }
      )
      const services = yield* lowtide(as("ada"), "get", "services")
      assert.match(services.out, /web-2 .* Held /)
      assert.match(services.out, /web-1 .* Announced /)
      const web2 = /web-2 +(198\.51\.100\.\d+)/.exec(services.out)?.[1] ?? ""
      const vips = yield* lowtide(as("ada"), "get", "vips")
      assert.match(vips.out, new RegExp(`${web2.replaceAll(".", "\\.")} +held .* w-1 `))
      const who = yield* lowtide(as("ada"), "who", web2)
      assert.include(who.out, "Its withdrawal waits for a second person to approve w-1")
      assert.deepStrictEqual((yield* routes).length, 60)
      const findings = yield* lowtide(as("ada"), "get", "findings")
      assert.include(findings.out, "LT0620")

      const reason = ["--reason", "shop was shut down, CHG-955"]
      const machine = yield* lowtide(as("ci"), "approve", "w-1", ...reason)
      assert.deepStrictEqual([machine.code, machine.err.includes("LT0603")], [5, true], machine.err)
      const unknown = yield* lowtide(as("ada"), "approve", "w-2", ...reason)
      assert.strictEqual(unknown.code, 3, unknown.err)
      assert.deepStrictEqual((yield* routes).length, 60)

      write("services.yaml", serviceText("web-1") + serviceText("web-2"))
      yield* waitUntil(
        "one of them is back",
        Effect.map(lowtide(as("ada"), "get", "approvals"), ({ out }) => /w-1 .* 58 +agent:/.test(out)),
        { deadlineMs: 60_000 }
      )
      const approved = yield* lowtide(as("ada"), "approve", "w-1", ...reason)
      assert.strictEqual(approved.code, 0, approved.err)
      assert.match(approved.out, /person:ada .*order w-1 was approved: 58 addresses/)
      yield* hasRoutes(2)
      for (const speaker of speakers) assert.notInclude(yield* speaker.log, "LT0406")
      const after = yield* lowtide(as("ada"), "get", "approvals")
      assert.notInclude(after.out, "w-1")
      yield* waitUntil(
        "every node has confirmed",
        Effect.map(lowtide(as("ada"), "get", "vips", "-o", "json"), ({ out }) => !out.includes('"withdrawing"')),
        { deadlineMs: 60_000 }
      )
    }).pipe(Effect.scoped)
)

it.live(
  "what nobody ordered stays in the router's table, held by the speakers' brakes, until a person releases them",
  () =>
    Effect.gen(function* () {
      const { write, as, routes, hasRoutes, speakers, limit } = yield* startFleet(30)
      const unlimited = "maxWithdrawPercent: 100, maxWithdrawRoutes: 1000"
      yield* limit(`{${unlimited}, perCluster: {${unlimited}}}`)
      const held = Effect.map(lowtide(as("ada"), "get", "nodes", "-o", "json"), ({ out }) =>
        (
          JSON.parse(out) as { readonly items: ReadonlyArray<{ readonly brake: { readonly held: number } | null }> }
        ).items.map(({ brake }) => brake?.held ?? 0)
      )
      // The centre takes the Advertisement's end for what it is: thirty signed intents without a route.
      write("addresses.yaml", poolText())
      yield* waitUntil(
        "both nodes hold back what is more than nine",
        Effect.map(held, (counts) => counts.length === 2 && counts.every((count) => count === 21)),
        { deadlineMs: 60_000 }
      )
      yield* hasRoutes(21)
      for (const speaker of speakers) assert.include(yield* speaker.log, "LT0406")
      const services = yield* lowtide(as("ada"), "get", "services", "-o", "json")
      const { items } = JSON.parse(services.out) as {
        readonly items: ReadonlyArray<{ readonly candidates: ReadonlyArray<string> }>
      }
      assert.deepStrictEqual(new Set(items.map(({ candidates }) => candidates.length)), new Set([0]))

      const reason = ["--reason", "moves to the other routers, CHG-958"]
      const one = yield* lowtide(as("ada"), "brake", "release", "--cluster", cluster, "--node", "n1", ...reason)
      assert.strictEqual(one.code, 0, one.err)
      yield* waitUntil(
        "n2 alone announces what is held",
        Effect.map(routes, (found) => found.length === 21 && found.every((paths) => paths === 1)),
        { deadlineMs: 60_000 }
      )
      const all = yield* lowtide(as("ada"), "brake", "release", "--cluster", cluster, ...reason)
      assert.strictEqual(all.code, 0, all.err)
      yield* hasRoutes(0)
      yield* waitUntil(
        "no node holds anything back",
        Effect.map(held, (counts) => counts.every((count) => count === 0)),
        { deadlineMs: 60_000 }
      )
      // Put back, it is announced as before: a brake keeps nothing from being said.
      write("addresses.yaml", poolText() + advertisementText)
      yield* hasRoutes(30)
    }).pipe(Effect.scoped)
)

it.live(
  "sixty addresses whose Advertisement is deleted keep their routes until a second person approves, or it is put back",
  () =>
    Effect.gen(function* () {
      const { write, as, hasRoutes, speakers } = yield* startFleet(60)
      const waits = (pattern: RegExp) =>
        waitUntil(
          `${pattern}`,
          Effect.map(lowtide(as("ada"), "get", "approvals", "-o", "wide"), ({ out }) => pattern.test(out)),
          { deadlineMs: 60_000 }
        )
      const reason = ["--reason", "shop is served by the other site now, CHG-961"]

      // Within the standard budget is neither all of a cluster nor a half of it.
      write("addresses.yaml", poolText())
      yield* waits(/w-1 .* 60 +agent:.* pending .*BGPAdvertisement\/all deleted/)
      const held = yield* lowtide(as("ada"), "get", "findings")
      assert.include(held.out, "LT0620")
      assert.include(held.out, "LT0621")
      write("addresses.yaml", poolText() + advertisementText)
      yield* waitUntil(
        "nothing waits",
        Effect.map(lowtide(as("ada"), "get", "approvals"), ({ out }) => !out.includes("w-1")),
        { deadlineMs: 60_000 }
      )
      assert.notInclude((yield* lowtide(as("ada"), "get", "findings")).out, "LT0621")

      write("addresses.yaml", poolText())
      yield* waits(/w-2 .* 60 +agent:.* pending/)
      const machine = yield* lowtide(as("ci"), "approve", "w-2", ...reason)
      assert.deepStrictEqual([machine.code, machine.err.includes("LT0603")], [5, true], machine.err)
      const rejected = yield* lowtide(as("bob"), "reject", "w-2", ...reason)
      assert.strictEqual(rejected.code, 0, rejected.err)
      assert.match(rejected.out, /order w-2 was rejected: 60 addresses of cluster .* stay announced/)
      const finding = yield* lowtide(as("ada"), "get", "findings")
      assert.match(finding.out, /LT0621/)

      // What the Advertisement needs stays with it.
      write("network.yaml", nodesText())
      yield* waits(/w-3 .* 60 +agent:.* pending .*BGPPeer\/router deleted/)
      const peers = yield* lowtide(as("ada"), "get", "peers")
      assert.match(peers.out, /router .*Established/i)
      yield* hasRoutes(60)
      // Without it the peer takes nothing any more, so that nothing of it waits.
      const approved = yield* lowtide(as("ada"), "approve", "w-2", ...reason)
      assert.strictEqual(approved.code, 0, approved.err)
      yield* hasRoutes(0)
      for (const speaker of speakers) assert.notInclude(yield* speaker.log, "LT0406")
      const done = yield* lowtide(as("ada"), "get", "approvals")
      assert.notMatch(done.out, /w-\d/)
    }).pipe(Effect.scoped)
)
