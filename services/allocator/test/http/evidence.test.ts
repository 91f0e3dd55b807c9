import { assert, describe, expect, it } from "@effect/vitest"
import { LowtideClient } from "@lowtide/api"
import type { EvidenceView } from "@lowtide/api/evidence"
import { ownOpen } from "@lowtide/bgp/fsm/negotiate"
import { encodeMessage } from "@lowtide/bgp/wire/message"
import { type PeerHeader, type ReportingRouter, RouterView } from "@lowtide/bmp"
import { parseIpAddress, parsePrefix } from "@lowtide/net"
import { memoryLedger } from "@lowtide/testkit/memory-ledger"
import { Effect, Layer, Result } from "effect"
import type { CommittedView } from "../../src/centre.ts"
import { evidenceSamples } from "../../src/http/metrics.ts"
import { evidenceItems, evidenceList, routerWords } from "../../src/http/views/evidence.ts"
import { noRouters, RouterReports, type RoutersHeard } from "../../src/router-reports.ts"
import { commitChanged, commitSample, halfAdvertised, startMs } from "./sample.ts"
import { addressOf, withClient } from "./served.ts"

const address = (text: string) => Result.getOrThrow(parseIpAddress(text))
const prefix = (text: string) => Result.getOrThrow(parsePrefix(text))
const context = { fourOctetAs: true, isInternal: false }

const header = (node: string): PeerHeader => ({
  ...{ peerType: 0, view: "adj-rib-in-post", legacyAsPath: false, isFiltered: false, distinguisher: 0n },
  ...{ address: address(node), asn: 64512, routerId: 1, seconds: 0, microseconds: 0 }
})

const open = encodeMessage(
  ownOpen({
    ...{ localAsn: 64496, peerAsn: "any", routerId: 1, holdTimeSeconds: 90, connectRetryMs: 1 },
    ...{ families: [4, 6], opens: "dial" }
  }),
  context
)

/** The sample's router tor-a, 198.51.100.1, with a session of east-1, 198.51.100.11, and these changes in its table. */
const torA = (
  told: (table: { announce: (text: string) => void; withdraw: (text: string) => void; end: () => void }) => void
) => {
  const view = new RouterView({ routesMax: 100, peersMax: 8, isWanted: () => true })
  view.name = "tor-a.example"
  const peer = header("198.51.100.11")
  const opens = { sentOpen: open, receivedOpen: open, localPort: 179, remotePort: 40_000, information: [] }
  view.take(
    { _tag: "PeerUp", peer: { ...peer, view: "adj-rib-in-pre" }, localAddress: address("198.51.100.1"), ...opens },
    startMs
  )
  const update = (part: object) => {
    const update = { _tag: "Update" as const, withdrawn: [], attributes: [], nlri: [], faults: [], ...part }
    view.take({ _tag: "RouteMonitoring", peer, update: encodeMessage(update, context) }, startMs + 1_000)
  }
  told({
    announce: (text) =>
      update({
        attributes: [
          { _tag: "Origin", value: "igp" },
          { _tag: "AsPath", segments: [{ kind: "sequence", asns: [64512] }] },
          { _tag: "NextHop", address: address("198.51.100.11") }
        ],
        nlri: [prefix(text)]
      }),
    withdraw: (text) => update({ withdrawn: [prefix(text)] }),
    end: () => update({})
  })
  const times = { connectedAtMs: startMs, heardAtMs: startMs + 1_000, messages: 1 }
  const router: ReportingRouter = { address: "198.51.100.1", view, ...times }
  return router
}

const withSample = (test: (view: CommittedView) => void) =>
  Effect.gen(function* () {
    const clock = { nowMs: startMs }
    yield* Effect.gen(function* () {
      test(yield* commitSample(clock))
    }).pipe(Effect.provide(memoryLedger({ nowMs: () => clock.nowMs })))
  })

const of = (items: ReadonlyArray<EvidenceView>, node = "east-1") =>
  items.filter((item) => item.node === node && item.prefix === "192.0.2.1/32")

const nowMs = startMs + 60_000
const cases: ReadonlyArray<readonly [string, ReportingRouter | undefined, Partial<EvidenceView>]> = [
  [
    "has it, as it had when it began to tell",
    torA(({ announce }) => announce("192.0.2.1/32")),
    {
      verdict: "has",
      router: "tor-a.example",
      view: "adj-rib-in-post",
      isOlder: true,
      since: "2026-11-23T14:05:01.000Z"
    }
  ],
  [
    "has had it since a moment",
    torA(({ end, announce }) => {
      end()
      announce("192.0.2.1/32")
    }),
    { verdict: "has", isOlder: false }
  ],
  [
    "let it go",
    torA(({ announce, withdraw }) => {
      announce("192.0.2.1/32")
      withdraw("192.0.2.1/32")
    }),
    { verdict: "let-go", router: "tor-a.example", since: "2026-11-23T14:05:01.000Z" }
  ],
  ["never had it", torA(({ end }) => end()), { verdict: "never", router: "tor-a.example" }],
  [
    "does not report",
    undefined,
    { verdict: "not-reported", router: null, why: expect.stringMatching(/no router reports/) }
  ]
]

describe("what routers say of the routes that nodes announce", () => {
  it.effect.each(cases)("the router %s", ([, router, expected]) =>
    withSample((view) => {
      const items = evidenceItems(view, router === undefined ? [] : [router], {}, nowMs)
      expect(of(items)).toEqual([
        expect.objectContaining({ cluster: "east", peer: "tor-a", addresses: ["192.0.2.1"], wanted: true, ...expected })
      ])
    })
  )

  it.effect("the node's own word of its address comes before what its Node object has", () =>
    withSample((view) => {
      const router = torA(({ announce }) => announce("192.0.2.1/32"))
      const heard = view.nodes.get("east/east-1")!
      const sessions = heard.status.sessions.map((session) => ({ ...session, localAddress: "203.0.113.9" }))
      const nodes = new Map([...view.nodes, ["east/east-1", { ...heard, status: { ...heard.status, sessions } }]])
      expect(of(evidenceItems({ ...view, nodes }, [router], {}, nowMs))[0]).toMatchObject({ verdict: "not-reported" })
    })
  )

  it.effect("the router on an interface is where the node's session says", () =>
    withSample((view) => {
      const router = torA(({ announce }) => announce("192.0.2.1/32"))
      const { status } = view.nodes.get("east/east-1")!
      const peers = [{ name: "tor-a", peerAddress: "" }]
      const word = (peerAddress: string) => {
        const sessions = status.sessions.map((session) => ({ ...session, peerAddress, localAddress: "198.51.100.11" }))
        const node = { status: { ...status, sessions }, addresses: [], peers }
        return routerWords([router], node, nowMs)("tor-a", "192.0.2.1/32")?.has
      }
      assert.deepStrictEqual(
        [word("198.51.100.1%eth0"), word("198.51.100.9%eth0"), word("eth0")],
        [true, undefined, undefined]
      )
    })
  )

  it.effect("of a node that is silent, or that was yet to tell its peer, nothing is asked", () =>
    withSample((view) => {
      const router = torA(({ end }) => end())
      assert.deepStrictEqual(of(evidenceItems(view, [router], {}, nowMs + 120_000)), [])
      const heard = view.nodes.get("east/east-1")!
      const untold = { ...heard, status: { ...heard.status, untold: ["192.0.2.1"] } }
      const nodes = new Map([...view.nodes, ["east/east-1", untold]])
      assert.deepStrictEqual(of(evidenceItems({ ...view, nodes }, [router], {}, nowMs)), [])
    })
  )

  it.effect("an address that was withdrawn is asked about at every node that had it, until it is free", () =>
    withSample((view) => {
      const router = torA(({ announce }) => announce("192.0.2.1/32"))
      const [key, vip] = [...view.fleet.vips].find(([, { address }]) => address === "192.0.2.1")!
      const vips = new Map([...view.fleet.vips, [key, { ...vip, phase: "quarantined" as const, obliged: [] }]])
      const quarantined = new Set([key])
      const fleet = Object.create(view.fleet, {
        vips: { value: vips },
        quarantined: { value: quarantined }
      }) as typeof view.fleet
      const items = evidenceItems({ ...view, fleet }, [router], {}, nowMs)
      expect(of(items)).toEqual([expect.objectContaining({ wanted: false, verdict: "has" })])
      assert.deepStrictEqual(of(items, "east-2"), [], "where nobody says that it was, nothing is told")
      const heard: RoutersHeard = { isListening: true, routers: () => [router], lost: () => [], watch: () => () => {} }
      expect(evidenceSamples({ ...view, fleet }, heard, nowMs)).toContainEqual(
        expect.objectContaining({
          name: "lowtide_router_evidence",
          labels: { cluster: "east", state: "withdrawn", verdict: "has" },
          value: 1
        })
      )
    })
  )

  it.effect(
    "a route that no Service that serves is behind is not asked about, though its node announces the address",
    () =>
      Effect.gen(function* () {
        for (const { serving, asked } of [
          { serving: [], asked: [] },
          { serving: ["east-2"], asked: ["192.0.2.5/32"] }
        ]) {
          const view = yield* commitChanged(halfAdvertised(...serving)).pipe(
            Effect.provide(memoryLedger({ nowMs: () => startMs }))
          )
          const heard = view.nodes.get("east/east-1")!
          const status = { ...heard.status, announcing: ["192.0.2.5"] }
          const nodes = new Map([["east/east-1", { ...heard, status }]])
          const items = evidenceItems({ ...view, nodes }, [], { node: "east-1" }, nowMs)
          assert.deepStrictEqual(
            items.map(({ prefix }) => prefix),
            asked
          )
        }
      })
  )

  it.effect("routes are listed by address, whatever came first", () =>
    withSample((view) => {
      const router = torA(({ announce }) => {
        for (const { address } of view.fleet.vips.values()) if (!address.includes(":")) announce(`${address}/32`)
      })
      const vips = new Map(
        [...view.fleet.vips].map(([key, vip]) => [key, { ...vip, phase: "quarantined" as const, obliged: [] }] as const)
      )
      const listed = [vips, new Map([...vips].reverse())].map((vips) => {
        const fleet = Object.create(view.fleet, { vips: { value: vips } }) as typeof view.fleet
        const heard: RoutersHeard = {
          isListening: true,
          routers: () => [router],
          lost: () => [],
          watch: () => () => {}
        }
        return evidenceList({ ...view, fleet }, heard, {}, nowMs).items.map(({ prefix }) => prefix)
      })
      const inOrder = ["192.0.2.1/32", "192.0.2.2/32"]
      assert.deepStrictEqual(listed, [inOrder, inOrder])
    })
  )

  it.effect("questions are narrowed by cluster, node and prefix", () =>
    withSample((view) => {
      const ask = (query: object) => evidenceItems(view, [], query, nowMs).map(({ prefix }) => prefix)
      assert.include(ask({}), "192.0.2.1/32")
      assert.deepStrictEqual(ask({ prefix: "192.0.2.1" }), ["192.0.2.1/32"])
      assert.deepStrictEqual(ask({ prefix: "192.0.2.4/30" }), [])
      assert.deepStrictEqual(ask({ node: "east-3" }), [])
      assert.deepStrictEqual(ask({ cluster: "west" }), [])
    })
  )

  it.effect("without a station there is nothing to measure", () =>
    withSample((view) => {
      assert.deepStrictEqual(evidenceSamples(view, noRouters, nowMs), [])
    })
  )
})

describe("GET /v1/evidence", () => {
  const get = (path: string) =>
    Effect.gen(function* () {
      const at = yield* addressOf
      return yield* Effect.promise(() =>
        fetch(`${at._tag === "Url" ? at.url : ""}${path}`).then((answer) => answer.text())
      )
    })
  const reporting: RoutersHeard = {
    isListening: true,
    routers: () => [torA(({ announce }) => announce("192.0.2.1/32"))],
    lost: () => [{ address: "198.51.100.2", name: "tor-b", atMs: startMs, reason: "it went", isFault: false }],
    watch: () => () => {}
  }

  it.live("answers with the routers that report, and metrics count what they say", () =>
    Effect.gen(function* () {
      const api = yield* LowtideClient
      const answer = yield* api.fleet.evidence({ query: {} })
      assert.isTrue(answer.isListening)
      expect(answer.routers).toEqual([
        expect.objectContaining({ name: "tor-a.example", sessions: 1, routes: 1, doubt: null })
      ])
      expect(answer.lost).toEqual([
        { address: "198.51.100.2", name: "tor-b", at: "2026-11-23T14:05:00.000Z", reason: "it went" }
      ])
      expect(of(answer.items)).toEqual([expect.objectContaining({ verdict: "has" })])
      const metrics = yield* get("/metrics")
      expect(metrics).toMatch(/^lowtide_bmp_routers 1$/m)
      expect(metrics).toMatch(/^lowtide_router_evidence\{cluster="east",state="announced",verdict="has"\} 1$/m)
    }).pipe(Effect.provide(withClient("127.0.0.1:0").pipe(Layer.provide(Layer.succeed(RouterReports, reporting)))))
  )

  const confirmed = (router: ReportingRouter) =>
    Effect.map(
      LowtideClient.use((client) => client.bgp.routes({ query: { prefix: "192.0.2.1" } })),
      ({ items }) => items[0]?.confirmed
    ).pipe(
      Effect.provide(
        withClient("127.0.0.1:0").pipe(
          Layer.provide(
            Layer.succeed(RouterReports, {
              isListening: true,
              routers: () => [router],
              lost: () => [],
              watch: () => () => {}
            })
          )
        )
      )
    )

  it.live("a route's confirmation is the router's own word, be it that it has it not", () =>
    Effect.gen(function* () {
      const at = "2026-11-23T14:05:01.000Z"
      const has = yield* confirmed(torA(({ announce }) => announce("192.0.2.1/32")))
      expect(has).toEqual({ by: "bmp", router: "tor-a.example", at })
      const lacks = yield* confirmed(torA(({ end }) => end()))
      expect(lacks).toEqual({
        by: null,
        reason: expect.stringMatching(/^the router tor-a\.example says by BMP that it has not had it since /)
      })
    })
  )

  it.live("says of an allocator without a station that it hears no router", () =>
    Effect.gen(function* () {
      const answer = yield* (yield* LowtideClient).fleet.evidence({ query: {} })
      expect(answer).toMatchObject({ isListening: false, routers: [], lost: [] })
      expect(of(answer.items)).toEqual([expect.objectContaining({ verdict: "not-reported" })])
      assert.notInclude(yield* get("/metrics"), "lowtide_bmp_routers")
    }).pipe(Effect.provide(withClient("127.0.0.1:0")))
  )
})
