import { once } from "node:events"
import { connect, type Socket } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type StationEvent, type StationOptions, startStation } from "../src/station.ts"
import { captures, messagesOf } from "./captures.ts"
import { octets } from "./octets.ts"

const frr = captures.find(({ name }) => name === "frr-8.4")!
const limits = { routesMax: 1_000, peersMax: 16, isWanted: () => true }

/** A station on loopback, what it reported, and connections to it. */
const withStation = (
  options: Partial<StationOptions>,
  body: (lab: {
    readonly open: () => Promise<Socket>
    readonly events: ReadonlyArray<StationEvent>
    readonly event: <Tag extends StationEvent["_tag"]>(
      tag: Tag,
      fits?: (event: Extract<StationEvent, { readonly _tag: Tag }>) => boolean
    ) => Promise<Extract<StationEvent, { readonly _tag: Tag }>>
    readonly routers: () => number
  }) => Promise<void>
) =>
  Effect.gen(function* () {
    const events: Array<StationEvent> = []
    const waiting: Array<() => void> = []
    const station = yield* startStation({
      host: "127.0.0.1",
      port: 0,
      isAllowed: () => true,
      limits,
      routersMax: 4,
      nowMs: Date.now,
      onEvent: (event) => {
        events.push(event)
        for (const wake of waiting.splice(0)) wake()
      },
      ...options
    })
    const sockets: Array<Socket> = []
    yield* Effect.promise(() =>
      body({
        events,
        routers: () => station.routers().length,
        open: async () => {
          const socket = connect(station.port, "127.0.0.1")
          sockets.push(socket)
          socket.on("error", () => {})
          await once(socket, "connect")
          return socket
        },
        event: async (tag, fits = () => true) => {
          for (;;) {
            const found = events.find((event) => event._tag === tag && fits(event as never))
            if (found !== undefined) return found as never
            await new Promise<void>((resolve) => waiting.push(resolve))
          }
        }
      })
    )
    for (const socket of sockets) socket.destroy()
  }).pipe(Effect.scoped, Effect.runPromise)

/** However it ends. */
const closed = (socket: Socket): Promise<void> => new Promise((resolve) => socket.once("close", () => resolve()))

/** FRR's stream up to the message before the session goes. */
const whileUp = Buffer.concat(messagesOf(frr.bytes).slice(0, -1))

describe("a station", () => {
  it("takes a stream in pieces of any size", () =>
    withStation({}, async ({ open, event, routers }) => {
      const socket = await open()
      for (let at = 0; at < whileUp.length; at += 7) socket.write(whileUp.subarray(at, at + 7))
      const { router } = await event("RouterConnected")
      while (router.messages < messagesOf(whileUp).length) await new Promise((resolve) => setTimeout(resolve, 5))
      assert.match(router.view.description, /FRRouting/)
      assert.strictEqual(routers(), 1)
    }))

  it("closes who may not report, unread", () =>
    withStation({ isAllowed: () => false }, async ({ open, event, events }) => {
      await open().catch(() => undefined) // it may be reset before it is known to be open
      assert.strictEqual((await event("RouterRefused")).address, "127.0.0.1")
      assert.strictEqual(events.length, 1)
    }))

  const garbage: ReadonlyArray<readonly [string, string, RegExp]> = [
    ["what is no BMP", "47455420 2f", /octet 0: expected BMP version 3, found 71/],
    [
      "a first message that is no Initiation",
      "03 0000000c 05 0001 0002 0000",
      /expected an Initiation first, found Termination/
    ],
    ["a length that nobody waits for", "03 7fffffff 00", /octet 1: expected a length of 6\.\.262144/]
  ]
  it.each(garbage)("ends for %s, says at which octet, and hears the next one", (_, text, reason) =>
    withStation({}, async ({ open, event }) => {
      const socket = await open()
      socket.write(octets(text))
      await closed(socket)
      const lost = await event("RouterLost")
      assert.isTrue(lost.isFault)
      assert.match(lost.reason, reason)
      const next = await open()
      next.write(whileUp)
      await event("RouterConnected")
    })
  )

  it("garbage of one router does nothing to another's tables", () =>
    withStation({}, async ({ open, event }) => {
      const good = await open()
      good.write(whileUp)
      const { router } = await event("RouterConnected")
      await event("Changed")
      good.write(octets("03 00000007 00 00"))
      const lost = await event("RouterLost")
      assert.strictEqual(lost.router, router)
      assert.match(lost.reason, /octet 6: expected a per-peer header/)
    }))

  it("a message that does not come to its end, or never begins, ends the connection", () =>
    withStation({ stallMs: 50 }, async ({ open, event }) => {
      const silent = await open()
      await closed(silent)
      assert.match((await event("RouterLost")).reason, /no whole Initiation/)
      const slow = await open()
      slow.write(whileUp.subarray(0, 40))
      await closed(slow)
      assert.match(
        (await event("RouterLost", ({ reason }) => reason.includes("end"))).reason,
        /did not come to its end/
      )
    }))

  it("octets that trickle in buy no time", () =>
    withStation({ stallMs: 200 }, async ({ open, event }) => {
      const slow = await open()
      slow.write(whileUp.subarray(0, 40))
      const timer = setInterval(() => slow.write(whileUp.subarray(40, 41)), 20)
      await closed(slow)
      clearInterval(timer)
      assert.isTrue((await event("RouterLost")).isFault)
    }))

  it("a router that connects anew replaces a connection that may be half open", () =>
    withStation({ routersMax: 1 }, async ({ open, event, routers }) => {
      const first = await open()
      first.write(whileUp)
      await event("RouterConnected")
      const second = await open()
      second.write(whileUp)
      await closed(first)
      const lost = await event("RouterLost")
      assert.deepInclude(lost, { reason: "it connected anew", isFault: false })
      await event("RouterConnected", ({ router }) => router !== lost.router)
      assert.strictEqual(routers(), 1)
    }))

  it("a Termination ends it in order", () =>
    withStation({}, async ({ open, event }) => {
      const socket = await open()
      socket.write(whileUp)
      socket.write(octets("03 00000011 05 0000 0007 676f6f64627965"))
      assert.deepInclude(await event("RouterLost"), { reason: "the router ended it: goodbye", isFault: false })
    }))
})
