import { once } from "node:events"
import { readFileSync } from "node:fs"
import { connect } from "node:net"
import { assert, describe, expect, it } from "@effect/vitest"
import { waitUntil } from "@lowtide/testkit/lab/wait"
import { Effect, Layer, Logger, Result } from "effect"
import { layerRouterReports, RouterReports, readStationSettings } from "../src/router-reports.ts"

const unset = { bmpListen: undefined, bmpRouters: undefined, bmpPrefixes: undefined, bmpRoutesMax: 100_000 }

describe("settings of the station", () => {
  it("there is none unless it is asked for", () => {
    assert.deepStrictEqual(readStationSettings(unset), Result.succeed(undefined))
  })

  it("routers and prefixes are addresses or prefixes, separated by commas", () => {
    const read = readStationSettings({
      ...unset,
      ...{ bmpListen: "[::]:5000", bmpRouters: "192.0.2.1, 2001:db8::/64", bmpPrefixes: "198.51.100.0/24" }
    })
    expect(Result.getOrThrow(read)).toMatchObject({
      ...{ host: "::", port: 5000 },
      from: [{ lengthBits: 32 }, { lengthBits: 64 }],
      prefixes: [{ lengthBits: 24 }]
    })
  })

  const refused: ReadonlyArray<readonly [string, object, RegExp]> = [
    ["no routers", { bmpListen: "0.0.0.0:5000" }, /LOWTIDE_BMP_ROUTERS: expected the addresses/],
    ["routers without a place to listen", { bmpRouters: "192.0.2.1" }, /LOWTIDE_BMP_LISTEN: expected it beside/],
    [
      "a name to listen at",
      { bmpListen: "centre:5000", bmpRouters: "192.0.2.1" },
      /LOWTIDE_BMP_LISTEN: .*"centre:5000"/
    ],
    ["a router by name", { bmpListen: "0.0.0.0:5000", bmpRouters: "tor-a" }, /LOWTIDE_BMP_ROUTERS: .*"tor-a"/],
    [
      "no room for routes",
      { bmpListen: "0.0.0.0:5000", bmpRouters: "192.0.2.1", bmpRoutesMax: 0 },
      /LOWTIDE_BMP_ROUTES_MAX: expected 1 to 10000000, found 0/
    ]
  ]
  it.each(refused)("%s is refused", (_, given, message) => {
    const faults = Result.getOrThrow(Result.flip(readStationSettings({ ...unset, ...given })))
    assert.match(faults.join("\n"), message)
  })
})

const capture = readFileSync(new URL("../../../packages/bmp/test/captures/frr-8.4.bmp", import.meta.url))

/** A station with what it logged; port 0 is said in the log. */
const hearing = (from: string) => {
  const lines: Array<string> = []
  const logger = Logger.layer([Logger.make(({ message }) => lines.push(String(message)))])
  const settings = Result.getOrThrow(
    readStationSettings({ ...unset, bmpListen: "127.0.0.1:0", bmpRouters: from, bmpPrefixes: "198.51.100.0/24" })
  )
  const open = Effect.promise(async () => {
    const port = Number(/port (\d+)/.exec(lines.join("\n"))?.[1])
    const socket = connect(port, "127.0.0.1").on("error", () => {})
    await once(socket, "connect").catch(() => {})
    return socket
  })
  const until = (what: string, isSo: () => boolean) => waitUntil(what, Effect.sync(isSo), { deadlineMs: 30_000 })
  return { lines, open, until, layer: layerRouterReports(settings).pipe(Layer.provideMerge(logger)) }
}

describe("the station of an allocator", () => {
  it.live("keeps what the router tells within the prefixes, and forgets it when the router is gone", () => {
    const { lines, open, until, layer } = hearing("127.0.0.1")
    return Effect.gen(function* () {
      const heard = yield* RouterReports
      const socket = yield* open
      socket.write(capture.subarray(0, capture.length - 51)) // but for the last message: its session goes
      yield* until("the router is heard", () => (heard.routers()[0]?.view.routes ?? 0) === 1)
      assert.match(lines.join("\n"), /the router vm \(127\.0\.0\.1\) reports by BMP: FRRouting 8\.4/)
      socket.destroy()
      yield* until("it is gone", () => heard.routers().length === 0)
      expect(heard.lost()).toEqual([expect.objectContaining({ address: "127.0.0.1", name: "vm", isFault: false })])
    }).pipe(Effect.provide(layer), Effect.scoped)
  })

  it.live("says once a minute why a router is not heard", () => {
    const { lines, open, until, layer } = hearing("127.0.0.1")
    return Effect.gen(function* () {
      const heard = yield* RouterReports
      for (let round = 0; round < 3; round++) {
        const socket = yield* open
        socket.write("GET / HTTP/1.1\r\n\r\n")
        yield* Effect.promise(() => new Promise((resolve) => socket.once("close", resolve)))
      }
      yield* until("it is known", () => heard.lost().length === 1)
      const told = lines.filter((line) => line.includes("LT0550"))
      assert.strictEqual(told.length, 1)
      assert.match(
        told[0]!,
        /LT0550 the router 127\.0\.0\.1 is not heard any more: octet 0: expected BMP version 3, found 71 .*Fix: /
      )
    }).pipe(Effect.provide(layer), Effect.scoped)
  })

  it.live("refuses who is not named", () => {
    const { lines, open, until, layer } = hearing("192.0.2.1")
    return Effect.gen(function* () {
      yield* RouterReports
      yield* open
      yield* until("it is said", () => lines.some((line) => /from 127\.0\.0\.1 was refused/.test(line)))
    }).pipe(Effect.provide(layer), Effect.scoped)
  })
})
