import { readFileSync } from "node:fs"
import { assert, it } from "@effect/vitest"
import { type StationEvent, startStation } from "@lowtide/bmp"
import { parsePrefix } from "@lowtide/net"
import { waitUntil } from "@lowtide/testkit/lab/wait"
import { Effect, Result } from "effect"
import { clusterName, nodeName, vip } from "./hand-centre.ts"
import { beginNode } from "./live-node.ts"

const untilSo = (what: string, isSo: () => boolean) => waitUntil(what, Effect.sync(isSo), { deadlineMs: 30_000 })

it.live("a speaker tells a station its sessions and what it sends", () =>
  Effect.gen(function* () {
    const events: Array<StationEvent> = []
    const station = yield* startStation({
      ...{ host: "127.0.0.1", port: 0, isAllowed: () => true, routersMax: 4, nowMs: Date.now },
      limits: { routesMax: 1_000, peersMax: 16, isWanted: () => true },
      onEvent: (event) => events.push(event)
    })
    const { nats, node, own, say, onBus } = yield* beginNode
    const asked = Result.getOrThrow(parsePrefix("198.51.100.10/32"))
    yield* onBus(say(own, vip("198.51.100.10")))
    const speaker = yield* node.start(nats.url, { LOWTIDE_BMP_STATIONS: `127.0.0.1:${station.port}` })
    const table = () => station.routers()[0]?.view.peers[0]?.views.get("adj-rib-out-post")?.table
    yield* untilSo("the route is reported", () => table()?.get(asked) !== undefined)
    assert.strictEqual(station.routers()[0]?.view.name, `${clusterName}/${nodeName}`)
    const log = readFileSync(speaker.logFile, "utf8")
    assert.match(log, new RegExp(`the BMP station 127\\.0\\.0\\.1:${station.port} is told of sessions`))
    yield* speaker.stop
    yield* untilSo("its end is noticed", () => events.some(({ _tag }) => _tag === "RouterLost"))
  }).pipe(Effect.scoped)
)
