import { assert, describe, expect, it } from "@effect/vitest"
import { ownOpen } from "@lowtide/bgp/fsm/negotiate"
import { encodeMessage } from "@lowtide/bgp/wire/message"
import { type PeerHeader, type ReportingRouter, RouterView } from "@lowtide/bmp"
import { Ledger } from "@lowtide/ledger"
import { parseIpAddress, parsePrefix } from "@lowtide/net"
import { memoryLedger } from "@lowtide/testkit/memory-ledger"
import { Effect, Fiber, Result } from "effect"
import { TestClock } from "effect/testing"
import type { HeardNode } from "../src/centre.ts"
import { describeWire } from "../src/http/views/wire-rows.ts"
import { keepRouterJournal, routerKind } from "../src/router-journal.ts"
import { noRouters, RouterReports, type RoutersHeard } from "../src/router-reports.ts"
import { commitSample, startMs } from "./http/sample.ts"

const address = (text: string) => Result.getOrThrow(parseIpAddress(text))
const context = { fourOctetAs: true, isInternal: false }
const [routerAddress, nodeAddress] = ["198.51.100.1", "198.51.100.11"]

const open = encodeMessage(
  ownOpen({
    ...{ localAsn: 64496, peerAsn: "any", routerId: 1, holdTimeSeconds: 90, connectRetryMs: 1 },
    ...{ families: [4], opens: "dial" }
  }),
  context
)

/** A router that can be made to say things, and the allocator's ear for it. */
const talkative = () => {
  const watchers = new Set<Parameters<RoutersHeard["watch"]>>()
  const connect = (connectedAtMs: number): ReportingRouter => {
    const view = new RouterView({ routesMax: 100, peersMax: 8, isWanted: () => true })
    view.name = "tor-a.example"
    return { address: routerAddress, view, connectedAtMs, heardAtMs: connectedAtMs, messages: 1 }
  }
  let router = connect(0)
  let isConnected = true
  const take = (message: Parameters<RouterView["take"]>[0], atMs: number) => {
    const changes = router.view.take(message, atMs)
    for (const [onChanged] of watchers) onChanged(router, changes)
  }
  const peer = (name: PeerHeader["view"]): PeerHeader => ({
    ...{ peerType: 0, view: name, legacyAsPath: false, isFiltered: false, distinguisher: 0n },
    ...{ address: address(nodeAddress), asn: 64512, routerId: 1, seconds: 0, microseconds: 0 }
  })
  const update = (atMs: number, name: PeerHeader["view"], part: object) => {
    const message = { _tag: "Update" as const, withdrawn: [], attributes: [], nlri: [], faults: [], ...part }
    take({ _tag: "RouteMonitoring", peer: peer(name), update: encodeMessage(message, context) }, atMs)
  }
  const prefixes = (texts: ReadonlyArray<string>) => texts.map((text) => Result.getOrThrow(parsePrefix(text)))
  const heard: RoutersHeard = {
    ...noRouters,
    isListening: true,
    routers: () => (isConnected ? [router] : []),
    watch: (...watcher) => {
      watchers.add(watcher)
      return () => watchers.delete(watcher)
    }
  }
  const views = ["adj-rib-in-pre", "adj-rib-in-post"] as const
  return {
    heard,
    up: (atMs: number) =>
      take(
        {
          ...{ _tag: "PeerUp", peer: peer("adj-rib-in-pre"), localAddress: address(routerAddress), localPort: 179 },
          ...{ remotePort: 40_000, sentOpen: open, receivedOpen: open, information: [] }
        },
        atMs
      ),
    down: (atMs: number) =>
      take({ _tag: "PeerDown", peer: peer("adj-rib-in-pre"), reason: 4, data: new Uint8Array(0) }, atMs),
    hangUp: (atMs: number) => {
      isConnected = false
      const { name } = router.view
      const lost = { address: routerAddress, name, atMs, reason: "the router closed it", isFault: false }
      for (const [, onLost] of watchers) onLost(router, lost)
    },
    connectAnew: (atMs: number) => {
      router = connect(atMs)
      isConnected = true
    },
    endOfRib: (atMs: number) => {
      for (const view of views) update(atMs, view, {})
    },
    announce: (atMs: number, ...texts: ReadonlyArray<string>) => {
      for (const view of views) {
        const attributes = [
          { _tag: "Origin", value: "igp" },
          { _tag: "AsPath", segments: [{ kind: "sequence", asns: [64512] }] },
          { _tag: "NextHop", address: address(nodeAddress) }
        ]
        update(atMs, view, { attributes, nlri: prefixes(texts) })
      }
    },
    withdraw: (atMs: number, ...texts: ReadonlyArray<string>) => {
      for (const view of views) update(atMs, view, { withdrawn: prefixes(texts) })
    }
  }
}

const withJournal = (
  test: (lab: {
    readonly router: ReturnType<typeof talkative>
    /** A second later: what the journal has of routers, in words. */
    readonly later: Effect.Effect<ReadonlyArray<string>, unknown, Ledger>
    /** The same after so many seconds. */
    readonly after: (seconds: number) => Effect.Effect<ReadonlyArray<string>, unknown, Ledger>
  }) => Effect.Effect<void, unknown, Ledger>
) =>
  Effect.gen(function* () {
    const clock = { nowMs: startMs }
    const router = talkative()
    yield* Effect.gen(function* () {
      const view = yield* commitSample(clock)
      const nodes = new Map<string, HeardNode>(
        [...view.nodes].map(([name, heard]) => {
          const ends = { localAddress: nodeAddress, peerAddress: `${routerAddress}%eth0` } // as of a peer on an interface
          const sessions = heard.status.sessions.map((session) => ({ ...session, ...ends }))
          return [name, { ...heard, status: { ...heard.status, sessions: name === "east/east-1" ? sessions : [] } }]
        })
      )
      const ledger = yield* Ledger
      const keeping = yield* Effect.forkChild(
        keepRouterJournal(() => view.fleet, nodes).pipe(Effect.provideService(RouterReports, router.heard))
      )
      yield* Effect.yieldNow
      const after = Effect.fn(function* (seconds: number) {
        for (let second = 0; second < seconds; second++) yield* TestClock.adjust(1_000)
        const rows = yield* ledger.wire({ kind: routerKind, limit: 100, order: "asc" })
        return rows.map((row) => describeWire(row, undefined)?.what ?? "")
      })
      yield* test({ router, later: after(1), after })
      yield* Fiber.interrupt(keeping)
    }).pipe(Effect.provide(memoryLedger({ nowMs: () => clock.nowMs })))
  })

const session = "the session of east-1 with tor-a"

describe("what routers say anew, in the wire journal", () => {
  it.effect("that one reports no more, after the last that it said, and again when it does", () =>
    withJournal(({ router, later, after }) =>
      Effect.gen(function* () {
        router.up(1_000)
        router.endOfRib(1_000)
        const up = `router tor-a.example says of ${session}: up`
        assert.deepStrictEqual(yield* later, [up])
        router.announce(2_000, "192.0.2.1/32")
        router.hangUp(2_500)
        const has = `router tor-a.example has 192.0.2.1 by ${session}`
        const silent = `router tor-a.example reports no more of ${session}: the router closed it`
        assert.deepStrictEqual(yield* after(25), [up, has])
        assert.deepStrictEqual(yield* after(10), [up, has, silent])
        router.connectAnew(40_000)
        router.up(40_000)
        assert.deepStrictEqual(yield* later, [up, has, silent, up])
      })
    )
  )

  it.effect(
    "not that a connection broke and came again, however often; a session that is another then is told of",
    () =>
      withJournal(({ router, later, after }) =>
        Effect.gen(function* () {
          const up = `router tor-a.example says of ${session}: up`
          router.up(1_000)
          router.endOfRib(1_000)
          for (let atMs = 2_000; atMs < 80_000; atMs += 4_000) {
            assert.deepStrictEqual(yield* after(2), [up])
            router.hangUp(atMs)
            assert.deepStrictEqual(yield* after(2), [up])
            router.connectAnew(atMs + 2_000)
            router.up(atMs + 2_000)
            router.endOfRib(atMs + 2_000)
          }
          assert.deepStrictEqual(yield* after(40), [up])
          router.up(130_000)
          assert.deepStrictEqual(yield* later, [up, up], "a session that begins anew is news on one connection")
          router.hangUp(131_000)
          router.connectAnew(132_000)
          router.up(132_000)
          router.down(132_500)
          const down = `router tor-a.example says of ${session}: down, the peer ended it without a NOTIFICATION`
          assert.deepStrictEqual(yield* later, [up, up, down])
        })
      )
  )

  it.effect("a route that came and went, once, whatever number of views tells of it", () =>
    withJournal(({ router, later }) =>
      Effect.gen(function* () {
        router.up(1_000)
        router.endOfRib(1_000)
        assert.deepStrictEqual(yield* later, [`router tor-a.example says of ${session}: up`])
        router.announce(2_000, "192.0.2.1/32")
        const has = `router tor-a.example has 192.0.2.1 by ${session}`
        assert.deepStrictEqual((yield* later).slice(1), [has])
        router.withdraw(3_000, "192.0.2.1/32")
        const letGo = `router tor-a.example let 192.0.2.1 go from ${session}`
        assert.deepStrictEqual((yield* later).slice(1), [has, letGo])
        assert.deepStrictEqual((yield* later).slice(1), [has, letGo], "nothing is written twice")
      })
    )
  )

  it.effect("not what flaps within a second, what it had from the start, or what is no VIP or no node's", () =>
    withJournal(({ router, later }) =>
      Effect.gen(function* () {
        router.up(1_000)
        router.announce(1_000, "192.0.2.1/32")
        router.endOfRib(1_000)
        assert.strictEqual((yield* later).length, 1)
        router.withdraw(2_000, "192.0.2.1/32")
        router.announce(2_001, "192.0.2.1/32", "203.0.113.9/32", "192.0.2.0/28")
        router.withdraw(2_002, "192.0.2.1/32")
        assert.deepStrictEqual((yield* later).slice(1), [`router tor-a.example let 192.0.2.1 go from ${session}`])
      })
    )
  )

  it.effect("that a session went down at the router, with its reason", () =>
    withJournal(({ router, later }) =>
      Effect.gen(function* () {
        router.up(1_000)
        router.down(2_000)
        expect(yield* later).toEqual([
          `router tor-a.example says of ${session}: down, the peer ended it without a NOTIFICATION`
        ])
      })
    )
  )
})
