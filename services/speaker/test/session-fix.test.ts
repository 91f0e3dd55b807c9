import { createServer } from "node:net"
import type { PeerEvent, PeerOptions } from "@lowtide/bgp/peer"
import { startPeer } from "@lowtide/bgp/session"
import { sessionFix } from "@lowtide/domain/announcing/session-fix"
import { Effect } from "effect"
import { assert, describe, it } from "vitest"
import { sessionFault } from "../src/session-fault.ts"

const options: PeerOptions = {
  ...{ name: "tor-a", host: "127.0.0.1", port: 179, localAsn: 64496, peerAsn: 64501, routerId: "192.0.2.2" },
  ...{ holdTimeSeconds: 90, families: [4] }
}

/** A port of this machine where connections are closed at once, or, once it is released, nobody listens. */
const listen = async () => {
  const server = createServer((socket) => socket.destroy())
  await new Promise<void>((resolve) => void server.listen({ host: "127.0.0.1", port: 0 }, () => resolve()))
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  return { port, release: () => new Promise((resolve) => void server.close(resolve)) }
}

/** What to do about the first attempt of such a peer. */
const fixOf = (part: Partial<PeerOptions>): Promise<string> =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const { promise, resolve } = Promise.withResolvers<PeerEvent>()
        yield* startPeer({ ...options, ...part }, resolve)
        const fault = sessionFault("tor-a", yield* Effect.promise(() => promise), [])
        if (fault?.code === undefined) throw new Error("expected a failed attempt with a code")
        return sessionFix(fault.code, fault.message)
      })
    )
  )

describe("what to do about a router that is not reached, by what the connection came to", () => {
  it("a port where nobody listens", async () => {
    const { port, release } = await listen()
    await release()
    assert.match(await fixOf({ port }), /^See that BGP runs at the router/)
  })

  it("a router that closes the connection", async () => {
    const { port, release } = await listen()
    assert.match(await fixOf({ port }), /^Make this node's address a neighbour at the router/)
    await release()
  })

  it("a source address that the node does not have", async () => {
    assert.match(await fixOf({ localAddress: "192.0.2.99" }), /^Correct spec\.sourceAddress of the BGPPeer/)
  })

  it("a device that the node does not have", async () => {
    assert.match(await fixOf({ device: "no-such-vrf" }), /^Correct spec\.vrf of the BGPPeer/)
  })
})

describe("what to do about a router that refuses the session", () => {
  it("is told by its NOTIFICATION, or the one within, and not by the text that it sent", () => {
    const fix = (found: string) => sessionFix("LT0302", `received NOTIFICATION ${found}`)
    assert.match(fix("6/2 Administrative Shutdown"), /^Ask who shut the neighbour down/)
    assert.match(fix("6/9 Hard Reset (6/2 Administrative Shutdown)"), /^Ask who shut the neighbour down/)
    assert.match(fix('6/2 Administrative Shutdown with the text "back soon (6/4)"'), /^Ask who shut the neighbour down/)
  })
})
