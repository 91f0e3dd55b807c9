import { once } from "node:events"
import { connect } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { admit, find, keysAt, type Place, placesOf } from "../src/admission.ts"
import { acceptedMax } from "../src/connections.ts"
import { type BgpPeer, type PeerOptions, type RefusedConnection, startListener, startPeer } from "../src/index.ts"
import { until } from "./live.ts"

const base: PeerOptions = {
  name: "tor-a",
  host: "192.0.2.1",
  port: 179,
  localAsn: 64512,
  peerAsn: 64501,
  routerId: "192.0.2.2",
  holdTimeSeconds: 90,
  families: [4]
}

/** A peer that nothing is asked of but its options. */
const peer = (part: Partial<PeerOptions>) => ({ options: { ...base, ...part } }) as BgpPeer

const password = (text: string) => () => Result.succeed(new TextEncoder().encode(text))

const main = { device: undefined, isOwn: false }
const eth0 = { device: "eth0", isOwn: false }
const blue = { device: "blue", isOwn: true }

describe("whose connection it is", () => {
  const peers = [
    peer({ name: "plain" }),
    peer({ name: "from-two", host: "192.0.2.3", localAddress: "198.51.100.2" }),
    peer({ name: "from-three", host: "192.0.2.3", localAddress: "198.51.100.3" }),
    peer({ name: "in-blue", device: "blue" }),
    peer({ name: "only-in-blue", host: "192.0.2.4", device: "blue" }),
    peer({ name: "six", host: "2001:DB8:0::1" }),
    peer({ name: "left", host: "fe80::1%eth0" }),
    peer({ name: "right", host: "fe80::1%eth1" })
  ]
  const rows: ReadonlyArray<readonly [from: string, to: string, place: Place, expected: string]> = [
    ["192.0.2.1", "198.51.100.9", main, "plain"],
    ["192.0.2.1", "198.51.100.9", eth0, "plain"],
    ["192.0.2.1", "198.51.100.9", blue, "in-blue"],
    ["192.0.2.3", "198.51.100.3", main, "from-three"],
    ["192.0.2.3", "198.51.100.2", main, "from-two"],
    ["192.0.2.3", "198.51.100.9", main, "other-local-address"],
    ["192.0.2.3", "198.51.100.3", blue, "other-interface"],
    ["192.0.2.4", "198.51.100.9", main, "other-interface"],
    ["192.0.2.9", "198.51.100.9", main, "unknown-address"],
    ["2001:db8::1", "2001:db8::2", main, "six"],
    ["fe80::1%eth0", "fe80::2%eth0", eth0, "left"],
    ["fe80::1%eth1", "fe80::2%eth1", { device: "eth1", isOwn: false }, "right"],
    ["fe80::1%eth0", "fe80::2%eth0", main, "other-interface"],
    ["fe80::1%eth1", "fe80::2%eth1", eth0, "other-interface"],
    ["fe80::1%eth2", "fe80::2%eth2", main, "other-interface"],
    ["", "", main, "unknown-address"]
  ]
  it.each(rows)("from %s to %s, %o: %s", (remoteAddress, localAddress, place, expected) => {
    const entries = [...admit(peers, 4), ...admit(peers, 6)]
    const found = find(entries, { remoteAddress, localAddress, place })
    assert.strictEqual(Result.isSuccess(found) ? found.success.peer.options.name : found.failure.kind, expected)
  })

  it("a socket for each VRF and for each interface of a link-local address", () => {
    assert.deepStrictEqual(placesOf(admit(peers, 4)), [blue])
    assert.deepStrictEqual(placesOf(admit(peers, 6)), [eth0, { device: "eth1", isOwn: false }])
  })

  it("a peer with an address of ours of its own goes before one with any", () => {
    const entries = admit([peer({}), peer({ name: "own", localAddress: "198.51.100.2" })], 4)
    const to = (localAddress: string) =>
      Result.getOrThrow(find(entries, { remoteAddress: "192.0.2.1", localAddress, place: main })).peer.options.name
    assert.deepStrictEqual([to("198.51.100.2"), to("198.51.100.3")], ["own", "tor-a"])
  })

  it("two that cannot be told from each other are both not let in", () => {
    const entries = admit([peer({}), peer({ name: "tor-b", port: 1179 }), peer({ name: "tor-c", device: "blue" })], 4)
    assert.deepStrictEqual(
      entries.map(({ refusal }) => refusal?.reason),
      [
        "peer tor-b has the address 192.0.2.1 too and connects to the same address of ours: both are only dialled",
        "peer tor-a has the address 192.0.2.1 too and connects to the same address of ours: both are only dialled",
        undefined
      ]
    )
    const found = find(entries, { remoteAddress: "192.0.2.1", localAddress: "198.51.100.2", place: main })
    assert.strictEqual(Result.isFailure(found) && found.failure.kind, "ambiguous-peer")
  })

  it("two passwords for one address on one socket are not let in; on two sockets each is", () => {
    const md5Key = password("spring tide")
    const local = { host: "192.0.2.1", localAddress: "198.51.100.2", md5Key }
    const differing = admit([peer(local), peer({ name: "tor-b", md5Key: password("neap tide") })], 4)
    assert.match(differing[0]?.refusal?.reason ?? "", /peer tor-b has .* another password/)
    assert.strictEqual(keysAt(differing, main).size, 0)
    const one = admit([peer(local), peer({ name: "tor-b" })], 4)
    assert.match(one[1]?.refusal?.reason ?? "", /another password/)
    const apart = admit([peer({ md5Key }), peer({ device: "blue", md5Key: password("neap tide") })], 4)
    const text = (place: Place) => [...keysAt(apart, place).values()].map(({ key }) => new TextDecoder().decode(key))
    assert.deepStrictEqual([text(main), text(eth0), text(blue)], [["spring tide"], ["spring tide"], ["neap tide"]])
  })

  it("one whose password is missing is not let in, and why is said", () => {
    const entries = admit([peer({ md5Key: () => Result.fail("its password is not on this node") })], 4)
    const found = find(entries, { remoteAddress: "192.0.2.1", localAddress: "198.51.100.2", place: main })
    assert.deepStrictEqual(found, Result.fail({ kind: "no-password", reason: "its password is not on this node" }))
  })
})

/** A peer at 127.0.0.1 that connects to us, and a listener that keeps what it refuses. */
const listening = (part: Partial<PeerOptions> = {}) =>
  Effect.gen(function* () {
    const refused: Array<RefusedConnection> = []
    const listener = yield* startListener({ host: "127.0.0.1", port: 0 }, (refusal) => refused.push(refusal))
    const waiting = yield* startPeer({ ...base, host: "127.0.0.1", isDialled: false, ...part }, () => {})
    return { listener, waiting, refused }
  })

const strangers = (port: number, from: string, count: number) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const sockets = Array.from({ length: count }, () => connect({ host: "127.0.0.1", port, localAddress: from }))
      for (const socket of sockets) socket.on("error", () => {}).resume()
      await Promise.all(sockets.map((socket) => once(socket, "connect").catch(() => {}))) // some are reset that soon
      return sockets
    }),
    (sockets) =>
      Effect.sync(() => {
        for (const socket of sockets) socket.destroy()
      })
  )

describe("a listener", () => {
  it.live("resets whoever is not configured, and tells of it", () =>
    Effect.gen(function* () {
      const { listener, waiting, refused } = yield* listening()
      assert.deepStrictEqual(listener.setPeers([waiting]), [])
      const sockets = yield* strangers(listener.port, "127.0.0.3", 5)
      yield* until("all reset", () => refused.length === 5 && sockets.every(({ destroyed }) => destroyed))
      assert.deepStrictEqual(refused[0], {
        remoteAddress: "127.0.0.3",
        kind: "unknown-address",
        reason: "no peer has this address"
      })
      assert.strictEqual(waiting.status().messages.sent.Open, 0)
    })
  )

  it.live("holds no more connections of a peer than may be there, however many it opens", () =>
    Effect.gen(function* () {
      const { listener, waiting } = yield* listening()
      listener.setPeers([waiting])
      const sockets = yield* strangers(listener.port, "127.0.0.1", 60)
      const open = () => sockets.filter(({ readyState }) => readyState === "open").length
      yield* until("the others are closed", () => open() <= acceptedMax && waiting.status().messages.sent.Open === 60)
    })
  )

  it.live("takes a connection to another address of ours than the peer's for none", () =>
    Effect.gen(function* () {
      const { listener, waiting, refused } = yield* listening({ localAddress: "127.0.0.2" })
      listener.setPeers([waiting])
      yield* strangers(listener.port, "127.0.0.1", 1)
      yield* until("it is refused", () => refused.length === 1)
      assert.strictEqual(refused[0]?.kind, "other-local-address")
      assert.match(refused[0]?.reason ?? "", /peer tor-a has a session with another address of ours than 127.0.0.1/)
    })
  )

  it.live("tells of an interface that is not there, and takes peers on it once it is", () =>
    Effect.gen(function* () {
      const { listener, waiting } = yield* listening({ device: "none0" })
      const [fault] = listener.setPeers([waiting])
      assert.match(fault ?? "", /peers on none0 may not connect: could not find the interface "none0"/)
      const other = yield* listening({ device: "lo" })
      assert.deepStrictEqual(other.listener.setPeers([other.waiting]), [])
      yield* strangers(other.listener.port, "127.0.0.1", 1)
      yield* until("it is taken", () => other.waiting.status().messages.sent.Open === 1)
      assert.deepStrictEqual(other.refused, [])
    })
  )

  it.live("says what is wrong with where it is to listen", () =>
    Effect.gen(function* () {
      const { listener } = yield* listening()
      const other = yield* Effect.flip(startListener({ host: "192.0.2.1", port: listener.port }, () => {}))
      assert.match(other.message, /192\.0\.2\.1 port \d+: .*EADDRNOTAVAIL: the address is not on this node/)
    })
  )
})
