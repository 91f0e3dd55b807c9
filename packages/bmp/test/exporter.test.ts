import { assert, describe, it } from "@effect/vitest"
import { startCollector, startPeer } from "@lowtide/bgp"
import { hostPrefix } from "@lowtide/net"
import { Effect, Scope } from "effect"
import { type ExporterEvent, startExporter } from "../src/exporter.ts"
import { type ReportingRouter, type StationEvent, startStation } from "../src/station.ts"
import type { RibView } from "../src/wire/peer-header.ts"

const until = (what: string, test: () => boolean): Effect.Effect<void> =>
  Effect.promise(async () => {
    for (const deadline = performance.now() + 30_000; !test(); ) {
      if (performance.now() > deadline) throw new Error(`not within 30 s: ${what}`)
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  })

const plain = { asPathPrepend: 0, communities: [], largeCommunities: [] }
const route = (index: number) => hostPrefix({ family: 4, value: 0xc6120000n + BigInt(index) })

const listen = (port: number, events: Array<StationEvent> = []) =>
  Effect.map(
    startStation({
      ...{ host: "127.0.0.1", port, isAllowed: () => true, routersMax: 4, nowMs: Date.now },
      limits: { routesMax: 100_000, peersMax: 16, isWanted: () => true },
      onEvent: (event) => events.push(event)
    }),
    (station) => ({ ...station, events })
  )

/** A peer with a session to a collector, reported to stations at these ports. */
const reporting = (
  ports: ReadonlyArray<number>,
  more: { readonly waitingBytesMax?: number; readonly statisticsMs?: number } = {}
) =>
  Effect.gen(function* () {
    const told: Array<ExporterEvent> = []
    const router = yield* startCollector({
      ...{ host: "127.0.0.1", port: 0, localAsn: 64501, routerId: "192.0.2.1", holdTimeSeconds: 90 },
      families: [4, 6]
    })
    const stations = ports.map((port) => ({ host: "127.0.0.1", port }))
    const exporter = yield* startExporter({
      ...{ stations, name: "east/node-1", description: "Lowtide", retryMs: 20, onEvent: (event) => told.push(event) },
      ...more
    })
    const peer = yield* startPeer(
      {
        ...{ name: "tor-a", host: "127.0.0.1", port: router.port, localAsn: 64512, peerAsn: 64501 },
        ...{ routerId: "192.0.2.2", holdTimeSeconds: 90, families: [4, 6], nextHops: { 6: "2001:db8::2" } }
      },
      () => {},
      exporter.tap()
    )
    return { router, exporter, peer, told }
  })

const tableOf = (router: ReportingRouter | undefined, view: RibView = "adj-rib-out-post") =>
  router?.view.peers.find(({ address }) => address === "127.0.0.1")?.views.get(view)

const scoped = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) => Effect.runPromise(Effect.scoped(effect))

describe("an exporter, RFC 8671", () => {
  it("says who it is, that the session is up, and all that the peer was told, as it is told", () =>
    scoped(
      Effect.gen(function* () {
        const station = yield* listen(0)
        const { peer } = yield* reporting([station.port])
        peer.change([{ prefix: route(1), attributes: plain }])
        yield* until("the route is reported", () => tableOf(station.routers()[0])?.table.size === 1)
        const [router] = station.routers()
        assert.strictEqual(router?.view.name, "east/node-1")
        assert.strictEqual(router?.view.description, "Lowtide")
        assert.deepInclude(router?.view.peers[0], { asn: 64501, routerId: "192.0.2.1", localAddress: "127.0.0.1" })
        assert.deepInclude(tableOf(router)?.table.get(route(1)), { nextHop: "127.0.0.1" })
        peer.change([{ prefix: route(1), attributes: undefined }])
        yield* until("the withdrawal is", () => tableOf(router)?.table.size === 0)
        assert.isDefined(tableOf(router)?.table.gone(route(1)))
      })
    ))

  it("tells a station that comes late the whole table, and End-of-RIB", () =>
    scoped(
      Effect.gen(function* () {
        const probe = yield* Effect.scoped(listen(0)) // a port that is free, and closed again
        const { peer, exporter, told } = yield* reporting([probe.port])
        peer.change(Array.from({ length: 3_000 }, (_, index) => ({ prefix: route(index), attributes: plain })))
        yield* until("all is sent", () => peer.status().prefixesSent === 3_000)
        yield* until("the station was tried", () => told.some(({ _tag }) => _tag === "StationLost"))
        assert.strictEqual(exporter.connected(), 0)
        const station = yield* listen(probe.port)
        yield* until("the table is reported", () => tableOf(station.routers()[0])?.table.size === 3_000)
        yield* until("and its end", () => tableOf(station.routers()[0])?.endOfRib.size === 2)
      })
    ))

  it("says why a session ended", () =>
    scoped(
      Effect.gen(function* () {
        const station = yield* listen(0)
        const { peer, router } = yield* reporting([station.port])
        const down = () => station.routers()[0]?.view.peers[0]?.down
        yield* until("the session is reported", () => station.routers()[0]?.view.peers[0]?.upSinceMs !== undefined)
        router.peers()[0]?.disconnect({ _tag: "Notification", code: 6, subcode: 2, data: new Uint8Array(0) })
        yield* until("its end is", () => down() !== undefined)
        assert.strictEqual(down()?.reason, "the peer ended it with 6/2 Administrative Shutdown")
        yield* until("it is up again", () => station.routers()[0]?.view.peers[0]?.upSinceMs !== undefined)
        yield* peer.stop({ subcode: "none" })
        yield* until("it is down again", () => down() !== undefined)
        assert.strictEqual(down()?.reason, "the router ended it without a NOTIFICATION")
      })
    ))

  it("reports to each of several stations, and ends with a Termination", () =>
    scoped(
      Effect.gen(function* () {
        const stations = [yield* listen(0), yield* listen(0)]
        const scope = yield* Scope.make()
        const { peer, exporter } = yield* Scope.provide(reporting(stations.map(({ port }) => port)), scope)
        peer.change([{ prefix: route(1), attributes: plain }])
        for (const station of stations) {
          yield* until("each has it", () => tableOf(station.routers()[0])?.table.size === 1)
        }
        assert.strictEqual(exporter.connected(), 2)
        yield* Scope.close(scope, { _tag: "Success" } as never)
        for (const { events } of stations) {
          yield* until("each was told", () => events.some(({ _tag }) => _tag === "RouterLost"))
          const lost = events.find((event) => event._tag === "RouterLost")
          assert.strictEqual(lost?._tag === "RouterLost" ? lost.reason : "", "the router ended it")
        }
      })
    ))

  it("a station that reads nothing is begun anew, and no session waits for it", () =>
    scoped(
      Effect.gen(function* () {
        const { createServer } = yield* Effect.promise(() => import("node:net"))
        const deaf = createServer((socket) => {
          socket.pause()
          socket.on("error", () => {})
        })
        const port = yield* Effect.callback<number>((resume) => {
          deaf.listen(0, "127.0.0.1", () => resume(Effect.succeed((deaf.address() as { port: number }).port)))
        })
        yield* Effect.addFinalizer(() => Effect.sync(() => deaf.close()))
        const { peer, told, router } = yield* reporting([port], { waitingBytesMax: 1_000_000 })
        yield* until("it is connected", () => told.some(({ _tag }) => _tag === "StationConnected"))
        const isLost = () => told.some((event) => event._tag === "StationLost" && event.reason.includes("too slowly"))
        for (let round = 0; !isLost() && round < 200; round++) {
          const attributes = { ...plain, med: round }
          peer.change(Array.from({ length: 20_000 }, (_, index) => ({ prefix: route(index), attributes })))
          yield* until("the peer has it", () => peer.status().prefixesSent === 20_000 && !peer.isPending(route(19_999)))
        }
        assert.isTrue(isLost())
        yield* until("the router has all", () => router.peers()[0]?.routes.size === 20_000)
      })
    ))

  it("counts what the peer was sent", () =>
    scoped(
      Effect.gen(function* () {
        const station = yield* listen(0)
        const { peer } = yield* reporting([station.port], { statisticsMs: 20 })
        peer.change([{ prefix: route(1), attributes: plain }])
        yield* until("more came than the table", () => (station.routers()[0]?.messages ?? 0) > 8)
      })
    ))
})
