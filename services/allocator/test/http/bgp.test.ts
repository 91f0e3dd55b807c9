import { assert, it, layer } from "@effect/vitest"
import { LowtideClient } from "@lowtide/api"
import { type Command, decide, verdictText } from "@lowtide/domain"
import { memoryLedger } from "@lowtide/testkit/memory-ledger"
import { manifestObject } from "@lowtide/testkit/observed"
import { Effect, Layer, Result } from "effect"
import { type CommittedView, obligedNodes } from "../../src/centre.ts"
import { askPeers, askRoutes } from "../../src/http/bgp-query.ts"
import { Past } from "../../src/http/past.ts"
import { heardNodes } from "../../src/http/views/bgp.ts"
import { commitChanged, fixedCentre, halfAdvertised, startMs } from "./sample.ts"
import { local } from "./served.ts"

layer(local(), { excludeTestServices: true })("what routers are told, for the fleet", (it) => {
  const ask: typeof LowtideClient.use = (question) => LowtideClient.use(question)

  it.effect("is told of each session of a node's configuration, and why one is not up", () =>
    Effect.gen(function* () {
      const { items } = yield* ask((client) => client.bgp.peers({ query: { cluster: "east" } }))
      assert.deepStrictEqual(
        items.map(({ node, state, why, prefixesSent, prefixesWanted }) => [
          node,
          state,
          why?.code ?? why?.reason,
          `${prefixesSent}/${prefixesWanted}`
        ]),
        [
          ["east-1", "Established", undefined, "1/1"],
          ["east-2", "Unknown", "LT0307", "0/0"],
          ["east-3", "Unknown", "node east-3 was never heard: is its speaker running, and does it reach NATS?", "0/0"]
        ]
      )
    })
  )

  it.effect(
    "is told of a route with its attributes, the event that led to it, and that it is not told on this session",
    () =>
      Effect.gen(function* () {
        const { items, unannounced } = yield* ask((client) => client.bgp.routes({ query: { prefix: "192.0.2.0/24" } }))
        const [route] = items
        assert.strictEqual(items.length, 1)
        assert.deepInclude(route, {
          node: "east-1",
          peer: "tor-a",
          prefix: "192.0.2.1/32",
          asPath: [64512],
          localPref: null
        })
        assert.deepInclude(route?.vips[0], { services: ["shop/web"], advertisements: ["all"] })
        assert.deepInclude(route?.vips[0]?.event, { type: "VipAssigned", actor: "agent:east" })
        // Its session went down after it was written, and its node has not said more of it.
        assert.deepInclude(route?.confirmed, { by: null })
        assert.deepStrictEqual(
          unannounced.map(({ node, address, why }) => [node, address, why]),
          [
            ["east-1", "192.0.2.2", "Unknown"],
            ["east-2", "192.0.2.1", "Unknown"],
            ["east-2", "192.0.2.2", "Unknown"],
            ["east-3", "192.0.2.1", "Excluded"],
            ["east-3", "192.0.2.2", "Excluded"]
          ]
        )
      })
  )

  it.effect("is told of a route as it was on the wire at a moment", () =>
    Effect.gen(function* () {
      const query = { at: "2026-11-23T14:05:11Z" }
      const { items } = yield* ask((client) => client.bgp.routes({ query }))
      assert.deepStrictEqual(
        items.map(({ prefix, since, confirmed }) => [prefix, since, confirmed.by]),
        [["192.0.2.1/32", "2026-11-23T14:05:09.015Z", "written"]]
      )
    })
  )

  it.effect("counts what went down in a window alone", () =>
    Effect.gen(function* () {
      const within = { since: "2026-11-23T14:05:12Z", at: "2026-11-23T14:05:13Z" }
      const { items } = yield* ask((client) => client.bgp.flaps({ query: within }))
      assert.deepStrictEqual(
        items.map(({ node, kind, name, downs, ups, last, reasons }) => ({
          node,
          kind,
          name,
          downs,
          ups,
          last,
          reasons
        })),
        [
          {
            ...{ node: "east-1", kind: "session", name: "tor-a", downs: 1, ups: 0, last: "down" },
            reasons: [{ code: "LT0304", reason: "hold timer expired", count: 1 }]
          }
        ]
      )
      const before = yield* ask((client) => client.bgp.flaps({ query: { at: "2026-11-23T14:05:11Z" } }))
      assert.deepStrictEqual(before.items, [])
      const wrong = yield* Effect.flip(
        ask((client) => client.bgp.flaps({ query: { ...within, at: "2026-11-23T14:00:00Z" } }))
      )
      assert.include(wrong.message, "since: expected a moment up to 2026-11-23T14:00:00.000Z")
    })
  )

  it.effect("a cluster, a node, or a peer, that nobody knows is not found, and the nearest name is told", () =>
    Effect.gen(function* () {
      const unknown: ReadonlyArray<readonly [{ cluster?: string; node?: string; peer?: string }, string]> = [
        [{ cluster: "nope" }, 'expected one of the clusters [east, west], found "nope"'],
        [{ cluster: "east", node: "east-10" }, 'found "east-10" (did you mean east-1?)'],
        [{ peer: "tor-b" }, 'peer: expected one of [tor-a], found "tor-b" (did you mean tor-a?)']
      ]
      for (const [query, detail] of unknown) {
        const faults = [
          yield* Effect.flip(ask(({ bgp }) => bgp.peers({ query }))),
          yield* Effect.flip(ask(({ bgp }) => bgp.routes({ query }))),
          yield* Effect.flip(ask(({ bgp }) => bgp.flaps({ query })))
        ]
        for (const fault of faults) {
          assert.strictEqual(fault._tag, "NotFoundProblem")
          assert.include(fault.message, detail)
        }
      }
    })
  )
})

const cluster = "east"
const overSample = Effect.provide(memoryLedger({ nowMs: () => startMs }))

it.effect("a peer whose deletion waits for a second person is known by its name: its sessions are up", () =>
  Effect.gen(function* () {
    const budget = { apiVersion: "lowtide.dev/v1alpha1", namespace: "" }
    const view = yield* commitChanged([
      {
        _tag: "ApplyFleetObject",
        manifest: manifestObject("Fleet", "prod", { blastRadius: { maxWithdrawRoutes: 0, per: "10m" } }, budget)
      },
      { _tag: "DeleteManifest", cluster, kind: "BGPPeer", namespace: "metallb-system", name: "tor-a" }
    ])
    assert.deepStrictEqual([...view.fleet.cluster(cluster).kept.keys()], ["BGPPeer/metallb-system/tor-a"])
    const asked = Effect.all([askPeers({ peer: "tor-a" }), askRoutes({ peer: "tor-a" })])
    const [peers, routes] = yield* asked.pipe(Effect.provide(Past.layer.pipe(Layer.provideMerge(fixedCentre(view)))))
    assert.deepStrictEqual(
      [...peers.items, ...routes.items].map(({ node, peer }) => `${node} ${peer}`),
      ["east-1 tor-a", "east-2 tor-a", "east-3 tor-a", "east-1 tor-a"]
    )
  }).pipe(overSample)
)

it.effect(
  "an address that is released is told with the nodes that have yet to withdraw it, as long as there are any",
  () =>
    Effect.gen(function* () {
      const view = { ...(yield* commitChanged([])), awaited: obligedNodes }
      const gone: Command = { _tag: "ForgetService", cluster, namespace: "shop", name: "web" }
      const context = { nowMs: startMs, obligedOf: () => ["east-1", "east-2"], hasConfirmed: () => false }
      Result.getOrThrow(decide(view.fleet, gone, context))
      const ask = (narrowed: Parameters<typeof askRoutes>[0]) =>
        Effect.map(
          askRoutes(narrowed).pipe(Effect.provide(Past.layer.pipe(Layer.provideMerge(fixedCentre(view))))),
          ({ withdrawing }) => withdrawing
        )
      const told = { cluster, network: "default", address: "192.0.2.1", services: ["shop/web"] }
      const awaiting = ["east-1", "east-2"]
      assert.deepStrictEqual(yield* ask({ prefix: "192.0.2.1" }), [{ ...told, awaiting }])
      assert.deepStrictEqual(yield* ask({ prefix: "192.0.2.0/24", node: "east-2" }), [{ ...told, awaiting }])
      for (const narrowed of [{}, { prefix: "192.0.2.2" }, { prefix: "192.0.2.1", node: "east-3" }])
        assert.deepStrictEqual(yield* ask(narrowed), [])
    }).pipe(overSample)
)

it.effect("an address of which a node knows nothing, while it refuses what the centre says, is told with that", () =>
  Effect.gen(function* () {
    const view = yield* commitChanged([])
    const whyOf = (...codes: ReadonlyArray<string>) => {
      const refusing = codes.map((code) => ({ code, count: 1, message: code, since: "2026-11-23T14:05:00.000Z" }))
      const nodes = new Map(
        [...view.nodes].map(([name, heard]) => [name, { ...heard, status: { ...heard.status, refusing } }])
      )
      return askRoutes({ prefix: "192.0.2.0/24", node: "east-1" }).pipe(
        Effect.provide(Past.layer.pipe(Layer.provideMerge(fixedCentre({ ...view, nodes })))),
        Effect.map(({ unannounced }) => unannounced.map(({ address, why }) => [address, why]))
      )
    }
    assert.deepStrictEqual(yield* whyOf(), [["192.0.2.2", "Unknown"]])
    assert.deepStrictEqual(yield* whyOf("LT0402"), [["192.0.2.2", "RefusesPrefix"]])
    assert.deepStrictEqual(yield* whyOf("LT0402", "LT0401"), [["192.0.2.2", "RefusesSignature"]])
    assert.match(verdictText("RefusesSignature"), /LT0401/)
    assert.match(verdictText("RefusesPrefix"), /LT0402/)
  }).pipe(overSample)
)

it.effect("nodes have the same VIPs at hand, unless routes are for some of the Services alone", () =>
  Effect.gen(function* () {
    const vipsOf = (view: CommittedView) => heardNodes(view, { cluster }, startMs).map(({ vips }) => vips)
    const [first, ...others] = vipsOf(yield* commitChanged([]).pipe(overSample))
    for (const vips of others) assert.strictEqual(vips, first)
    const routesBy = (commands: ReadonlyArray<Command>) =>
      Effect.map(commitChanged(commands).pipe(overSample), (view) =>
        vipsOf(view).map((vips) => vips.flatMap(({ routes }) => routes.map(({ prefix }) => prefix)))
      )
    assert.deepStrictEqual(yield* routesBy(halfAdvertised()), [[], [], []])
    const [, served] = yield* routesBy(halfAdvertised("east-2"))
    assert.deepStrictEqual(served, ["192.0.2.5/32"])
  })
)
