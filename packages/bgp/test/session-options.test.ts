import { once } from "node:events"
import { readFileSync } from "node:fs"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"
import { isDeepStrictEqual } from "node:util"
import { assert, describe, it, vi } from "@effect/vitest"
import { formatIpAddress, parsePrefix } from "@lowtide/net"
import { Effect, Result } from "effect"
import {
  type CollectorOptions,
  findAttribute,
  type PeerEvent,
  type PeerOptions,
  startCollector,
  startListener,
  startPeer
} from "../src/index.ts"
import { changesSession } from "../src/peer-change.ts"
import { plain, routes, until } from "./live.ts"
import { messageOctets, octets } from "./octets.ts"

vi.setConfig({ testTimeout: 30_000 })

const base: PeerOptions = {
  name: "tor-a",
  host: "127.0.0.1",
  port: 179,
  localAsn: 64512,
  peerAsn: 64501,
  routerId: "192.0.2.2",
  holdTimeSeconds: 90,
  connectRetrySeconds: 0.05,
  families: [4]
}

const watched = (part: Partial<PeerOptions>) =>
  Effect.gen(function* () {
    const events: Array<PeerEvent> = []
    const peer = yield* startPeer({ ...base, ...part }, (event) => events.push(event))
    const last = <Tag extends PeerEvent["_tag"]>(tag: Tag) =>
      events.findLast((event): event is Extract<PeerEvent, { readonly _tag: Tag }> => event._tag === tag)
    return { peer, last, isUp: () => peer.status().state === "Established" }
  })

/** A peer at 127.0.0.2 that only waits, and one of ours at 127.0.0.1 that dials it. */
const twoSpeakers = (waiting: Partial<PeerOptions>, dialling: Partial<PeerOptions>) =>
  Effect.gen(function* () {
    const listener = yield* startListener({ host: "127.0.0.2", port: 0 }, () => {})
    const identity = { localAsn: 64501, peerAsn: 64512, routerId: "192.0.2.1" }
    const router = yield* watched({ ...identity, isDialled: false, ...waiting })
    listener.setPeers([router.peer])
    const local = { host: "127.0.0.2", port: listener.port, localAddress: "127.0.0.1" }
    return { router, node: yield* watched({ ...local, ...dialling }), listener }
  })

const collectorOptions: CollectorOptions = {
  host: "127.0.0.1",
  port: 0,
  localAsn: 64501,
  routerId: "192.0.2.1",
  holdTimeSeconds: 90,
  families: [4, 6]
}

const password = (text: string) => () => Result.succeed(new TextEncoder().encode(text))

/** Segments that the kernel has dropped for their TTL, of all sockets of this network namespace. */
const minTtlDrops = (): number => {
  const [names = [], values = []] = readFileSync("/proc/net/netstat", "utf8")
    .split("\n")
    .flatMap((line) => (line.startsWith("TcpExt: ") ? [line.split(" ")] : []))
  return Number(values[names.indexOf("TCPMinTTLDrop")])
}

describe("a session", () => {
  it.live("with a password and GTSM comes up where both have them, whoever connects", () =>
    Effect.gen(function* () {
      const near = { ttl: 255, ttlMin: 255 }
      const md5Key = password("spring tide")
      const { router, node } = yield* twoSpeakers({ md5Key, ...near }, { md5Key, ...near })
      yield* until("both up", () => router.isUp() && node.isUp())
      assert.strictEqual(node.peer.status().openedBy, "us")
      assert.strictEqual(router.peer.status().openedBy, "peer")
    })
  )

  it.live("does not come up with another password or none, until the listener has the one", () =>
    Effect.gen(function* () {
      const md5Key = password("spring tide")
      const { router, node, listener } = yield* twoSpeakers({ md5Key: password("neap tide") }, { md5Key })
      const { router: open, node: closed } = yield* twoSpeakers({ md5Key }, {})
      yield* until("given up once each", () => [node, closed].every(({ last }) => last("ConnectFailed") !== undefined))
      assert.isFalse([router, node, open, closed].some(({ isUp }) => isUp()))
      assert.match(
        node.last("ConnectFailed")!.reason,
        /no answer to the TCP connection request; a password is set for it: a router with another one, or none/
      )
      assert.match(closed.last("ConnectFailed")!.reason, /a router that asks for a password does not answer without/)
      const right = yield* watched({ ...router.peer.options, md5Key })
      listener.setPeers([right.peer])
      yield* until("up with the same password", () => right.isUp() && node.isUp())
    })
  )

  it.live("does not connect without the password that it needs, and does so with it once it is there", () =>
    Effect.gen(function* () {
      let found: Result.Result<Uint8Array, string> = Result.fail("its password is not on this node")
      const { router, node } = yield* twoSpeakers({ md5Key: password("spring tide") }, { md5Key: () => found })
      yield* until("it failed twice", () => node.last("ConnectFailed") !== undefined)
      assert.match(node.last("ConnectFailed")!.reason, /cannot be reached: its password is not on this node$/)
      found = password("spring tide")()
      yield* until("up", () => router.isUp() && node.isUp())
      found = password("another one")()
      assert.isTrue(node.isUp())
    })
  )

  it.live("that asks for TTL 255 does not hear who sends with less (RFC 5082)", () =>
    Effect.gen(function* () {
      const before = minTtlDrops()
      const { router, node } = yield* twoSpeakers({ ttl: 64 }, { ttl: 255, ttlMin: 255 })
      yield* until("the kernel has dropped some of it", () => minTtlDrops() > before)
      assert.strictEqual(node.peer.status().messages.received.Open, 0)
      assert.isFalse(router.isUp())
    })
  )

  it.live("comes from the address that it is told to come from, which is whom the other side knows", () =>
    Effect.gen(function* () {
      const { router, node } = yield* twoSpeakers({ host: "127.0.0.3" }, { localAddress: "127.0.0.3" })
      yield* until("both up", () => router.isUp() && node.isUp())
      assert.strictEqual(node.peer.status().localAddress, "127.0.0.3")
    })
  )

  it.live("counts messages of each kind both ways, and keeps the last error of each direction", () =>
    Effect.gen(function* () {
      const { router, node } = yield* twoSpeakers({}, { prefixesReceivedMax: 2 })
      const messages = () => [node.peer.status().messages, router.peer.status().messages] as const
      router.peer.change(routes(2))
      yield* until("what one has sent the other has received", () => {
        const [ours, theirs] = messages()
        const isSame = isDeepStrictEqual([ours.sent, ours.received], [theirs.received, theirs.sent])
        return isSame && node.peer.status().prefixesReceived === 2
      })
      const { sent, received } = messages()[0]
      assert.deepInclude(sent, { Open: 1, Update: 1, Notification: 0, RouteRefresh: 0 }) // End-of-RIB
      assert.isAtLeast(Math.min(sent.Keepalive, received.Keepalive), 1)
      assert.isAtLeast(received.Update, 2)
      router.peer.change(routes(3))
      yield* until("it is too much", () => node.last("SessionEnded") !== undefined)
      yield* until("which is heard", () => router.last("SessionEnded") !== undefined)
      const [ours, theirs] = [node, router].map(({ peer }) => peer.status().lastError)
      const tooMany = { code: 6, subcode: 1 }
      assert.deepInclude(ours!.sent?.notification, { ...tooMany, direction: "sent" })
      assert.deepInclude(theirs!.received?.notification, { ...tooMany, direction: "received" })
      assert.deepStrictEqual([ours!.received, theirs!.sent], [undefined, undefined])
      assert.strictEqual(messages()[0].sent.Notification, 1)
    })
  )

  it.live("is not opened to a name: it has no password of its own, and what it resolves to is another's word", () =>
    Effect.gen(function* () {
      const { router, node } = yield* twoSpeakers({}, { host: "localhost", md5Key: password("spring tide") })
      yield* until("it failed", () => node.last("ConnectFailed") !== undefined)
      assert.match(
        node.last("ConnectFailed")!.reason,
        /cannot be reached: expected an IPv4 or IPv6 address, found "localhost"$/
      )
      assert.strictEqual(router.peer.status().messages.sent.Open, 0)
    })
  )

  it.live("that asks for an interface that is not there says so, and goes on asking", () =>
    Effect.gen(function* () {
      const { node } = yield* twoSpeakers({}, { device: "none0" })
      yield* until("it failed", () => node.last("ConnectFailed") !== undefined)
      assert.match(node.last("ConnectFailed")!.reason, /could not bind to the interface "none0".*ENODEV/)
      assert.isDefined(node.last("ConnectFailed")!.retryInMs)
    })
  )

  it.live("ends with 6/1 when the peer may announce less than it has, and goes on when it may announce more", () =>
    Effect.gen(function* () {
      const { router, node } = yield* twoSpeakers({}, { prefixesReceivedMax: 10 })
      router.peer.change(routes(10))
      yield* until("ten are taken", () => node.peer.status().prefixesReceived === 10)
      node.peer.adjust({ ...node.peer.options, prefixesReceivedMax: 11 })
      assert.isTrue(node.isUp())
      node.peer.adjust({ ...node.peer.options, prefixesReceivedMax: 9 })
      yield* until("it ended", () => node.last("SessionEnded") !== undefined)
      assert.match(node.last("SessionEnded")!.reason, /it announced 10 prefixes, our configuration takes at most 9/)
    })
  )

  it("has to begin anew for a first bound of what it takes, since what there is was not counted", () => {
    const { prefixesReceivedMax: _, ...none } = { ...base, prefixesReceivedMax: 10 }
    const some = { ...none, prefixesReceivedMax: 10 }
    assert.deepStrictEqual(changesSession(none, some), ["prefixesReceivedMax"])
    assert.deepStrictEqual(
      [changesSession(some, none), changesSession(some, { ...some, prefixesReceivedMax: 9 })],
      [[], []]
    )
  })

  it.live("ends with 6/1 when the peer announces more than it may", () =>
    Effect.gen(function* () {
      const { router, node } = yield* twoSpeakers({}, { prefixesReceivedMax: 10 })
      router.peer.change(routes(10))
      yield* until("ten are taken", () => node.peer.status().prefixesReceived === 10)
      router.peer.change(routes(1).map(({ prefix }) => ({ prefix, attributes: undefined })))
      router.peer.change(routes(12).slice(10, 11))
      yield* until("one gone, one more: still ten", () => node.peer.status().prefixesReceived === 11)
      assert.isTrue(node.isUp())
      router.peer.change(routes(12).slice(11))
      yield* until("it ended", () => node.last("SessionEnded") !== undefined)
      assert.match(
        node.last("SessionEnded")!.reason,
        /it announced 11 prefixes, our configuration takes at most 10 \(RFC 4486 §4\); NOTIFICATION 6\/1/
      )
      yield* until("the peer was told", () => router.last("SessionEnded") !== undefined)
      assert.match(router.last("SessionEnded")!.reason, /raise its limit, or announce less/)
    })
  )

  it.live("tells that it, or its node, has restarted, until it has been up", () =>
    Effect.gen(function* () {
      const restarts: Array<ReadonlyArray<number>> = []
      const collector = yield* Effect.orDie(
        startCollector(collectorOptions, (event) => {
          if (event._tag !== "PeerUp") return
          for (const capability of event.peer.negotiated.peerCapabilities) {
            if (capability._tag === "GracefulRestart") {
              restarts.push([capability.flags, ...capability.families.map(({ flags }) => flags)])
            }
          }
        })
      )
      const gracefulRestart = { restartTimeSeconds: 60, hasRestarted: true, forwardingPreserved: false }
      const node = yield* watched({ port: collector.port, gracefulRestart })
      yield* until("up", () => restarts.length === 1 && collector.peers().length === 1)
      collector.peers()[0]!.disconnect(undefined)
      yield* until("up again", () => restarts.length === 2 && node.isUp())
      assert.deepStrictEqual(restarts, [
        [0xc, 0],
        [0x4, 0x80]
      ])
      assert.strictEqual(node.peer.status().keptForSeconds, 0) // a collector keeps nothing
    })
  )

  it.live("marks its routes for a customer with ONLY_TO_CUSTOMER, and for a provider not (RFC 9234 §5)", () =>
    Effect.gen(function* () {
      const marks = []
      for (const role of ["provider", "peer", "rs", "customer", "rs-client"] as const) {
        const collector = yield* Effect.orDie(startCollector(collectorOptions))
        const node = yield* watched({ port: collector.port, role })
        node.peer.change(routes(1))
        yield* until("the route", () => collector.peers()[0]?.routes.size === 1)
        const [route] = collector.peers()[0]!.routes.values()
        marks.push([role, findAttribute(route!.attributes, "OnlyToCustomer")?.asn])
      }
      assert.deepStrictEqual(marks, [
        ["provider", 64512],
        ["peer", 64512],
        ["rs", 64512],
        ["customer", undefined],
        ["rs-client", undefined]
      ])
    })
  )

  it.live("fills extended messages, and sends a table again between two marks (RFC 8654, RFC 7313)", () =>
    Effect.gen(function* () {
      const collector = yield* Effect.orDie(startCollector(collectorOptions))
      const node = yield* watched({ port: collector.port })
      node.peer.change(routes(12_000))
      yield* until("all there", () => collector.peers()[0]?.routes.size === 12_000)
      const [heard] = collector.peers()
      assert.strictEqual(heard!.received.Update, 2) // 60,000 octets of prefixes, and End-of-RIB
      heard!.requestRefresh(4)
      yield* until(
        "all again, and both marks",
        () => heard!.received.Update === 3 && heard!.received.RouteRefresh === 2
      )
      assert.strictEqual(node.peer.status().messages.sent.RouteRefresh, 2)
    })
  )

  it.live("takes other next hops and timers up as it is: its routes are told anew, and none is withdrawn", () =>
    Effect.gen(function* () {
      const collector = yield* Effect.orDie(startCollector(collectorOptions))
      const options = { port: collector.port, families: [4, 6] as const, nextHops: { 4: "192.0.2.21" } }
      const node = yield* watched(options)
      const [ipv4] = routes(1)
      const ipv6 = { prefix: Result.getOrThrow(parsePrefix("2001:db8:1::1/128")), attributes: plain }
      node.peer.change([ipv4!, ipv6])
      yield* until("IPv4 there, IPv6 refused", () => node.last("RoutesRefused") !== undefined)
      const heard = collector.peers()[0]!
      const hops = () =>
        [...heard.routes.values()].map(({ attributes }) => {
          const hop = findAttribute(attributes, "NextHop")?.address
          const reach = findAttribute(attributes, "MpReachNlri")
          return formatIpAddress(hop ?? (reach?.family === 6 ? reach.nextHop : { family: 4, value: 0n }))
        })
      yield* until("the first next hop", () => hops()[0] === "192.0.2.21")
      const wanted = { ...node.peer.options, nextHops: { 4: "192.0.2.22", 6: "2001:db8::22" } }
      assert.isTrue(node.peer.adjust({ ...wanted, connectRetrySeconds: 9, holdTimeSeconds: 30 }))
      assert.isFalse(node.peer.adjust(node.peer.options), "nothing is told anew where nothing is another")
      yield* until("both with their new ones", () => hops().sort().join(" ") === "192.0.2.22 2001:db8::22")
      assert.deepInclude(node.peer.options, { connectRetrySeconds: 9, holdTimeSeconds: 90 })
      assert.isUndefined(node.last("SessionEnded"))
      assert.strictEqual(node.peer.status().messages.sent.Open, 1)
      node.peer.adjust({ ...node.peer.options, nextHops: { 4: "192.0.2.22" } })
      yield* until("IPv6 withdrawn, which has no next hop any more", () => heard.routes.size === 1)
    })
  )

  it.live("carries extended communities", () =>
    Effect.gen(function* () {
      const collector = yield* Effect.orDie(startCollector(collectorOptions))
      const node = yield* watched({ port: collector.port })
      const extendedCommunities = [0x0003_fbf0_0000_0002n, 0x0002_fbf0_0000_0001n, 0x0002_fbf0_0000_0001n]
      node.peer.change(routes(1).map((route) => ({ ...route, attributes: { ...plain, extendedCommunities } })))
      yield* until("the route", () => collector.peers()[0]?.routes.size === 1)
      const [route] = collector.peers()[0]!.routes.values()
      assert.deepStrictEqual(findAttribute(route!.attributes, "ExtendedCommunities")?.values, [
        0x0002_fbf0_0000_0001n,
        0x0003_fbf0_0000_0002n
      ])
    })
  )

  it.live("over IPv6 gives IPv4 routes an IPv6 next hop where both can (RFC 8950)", () =>
    Effect.gen(function* () {
      const listener = yield* startListener({ host: "::1", port: 0 }, () => {})
      const router = yield* watched({
        host: "::1",
        localAsn: 64501,
        peerAsn: 64512,
        routerId: "192.0.2.1",
        isDialled: false
      })
      listener.setPeers([router.peer])
      const node = yield* watched({ host: "::1", port: listener.port })
      node.peer.change(routes(2))
      yield* until("both there", () => router.peer.status().prefixesReceived === 2)
      assert.isUndefined(node.last("RoutesRefused"))
    })
  )
})

/** One more connection from the node's address, which says this. */
const beside = (port: number, octets: Uint8Array) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const socket = connect({ host: "127.0.0.2", port, localAddress: "127.0.0.1" })
      socket.on("error", () => {}).resume()
      socket.write(octets)
      return socket
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )

/** The same, until the router has closed it: then it is done with it. */
const stray = (port: number, octets: Uint8Array) =>
  Effect.scoped(Effect.flatMap(beside(port, octets), (socket) => Effect.promise(() => once(socket, "close"))))

describe("a connection beside a session that is up", () => {
  it.live("that ends without an OPEN changes nothing of the session, nor of how it is stopped", () =>
    Effect.gen(function* () {
      const gracefulRestart = { restartTimeSeconds: 60, hasRestarted: false }
      const { router, node, listener } = yield* twoSpeakers({ gracefulRestart }, { gracefulRestart })
      yield* until("both up", () => router.isUp() && node.isUp())
      const before = router.peer.status()
      yield* stray(listener.port, new Uint8Array(19)) // its marker is wrong: 1/1
      assert.deepInclude(router.peer.status(), {
        state: "Established",
        remoteAsn: 64512,
        keptForSeconds: 60,
        families: [4],
        lastError: before.lastError
      })
      assert.strictEqual(router.peer.status().establishedAtUnixMs, before.establishedAtUnixMs)
      assert.isUndefined(router.last("ConnectFailed"))
      yield* router.peer.stop({ subcode: "hard-reset", text: "drained" })
      yield* until("the node was told", () => node.last("SessionEnded") !== undefined)
      assert.deepInclude(node.last("SessionEnded")!.notification, { code: 6, subcode: 9 })
      assert.strictEqual(node.last("SessionEnded")!.keptForSeconds, 0)
    })
  )

  it.live("with an OPEN that we refuse does not end it; with one that we accept the peer has restarted", () =>
    Effect.gen(function* () {
      const gracefulRestart = { restartTimeSeconds: 60, hasRestarted: false }
      const { router, node, listener } = yield* twoSpeakers({ gracefulRestart }, { gracefulRestart })
      yield* until("both up", () => router.isUp() && node.isUp())
      // Multiprotocol for IPv4, and graceful restart for it: 60 s, forwarding preserved.
      const restart = (asn: string) =>
        messageOctets(1, octets(`04 ${asn} 005a c0000202 10 02 0e 01 04 0001 00 01 40 06 003c 0001 01 80`))
      yield* stray(listener.port, restart("fbf6")) // AS 64502
      assert.isUndefined(router.last("SessionEnded"))
      assert.isTrue(router.isUp())
      yield* beside(listener.port, restart("fc00"))
      yield* until("the old session is given up", () => router.last("SessionEnded") !== undefined)
      assert.match(router.last("SessionEnded")!.reason, /the peer has restarted and connected anew/)
      assert.strictEqual(router.last("SessionEnded")!.keptForSeconds, 60)
    })
  )
})

/** Says it is AS 64501, comes up, then goes on sending and reads nothing. */
const deafPeer = Effect.acquireRelease(
  Effect.promise(async () => {
    const sockets = new Set<Socket>()
    const keepalive = messageOctets(4, new Uint8Array(0))
    const server = createServer((socket) => {
      sockets.add(socket.on("error", () => {}))
      socket.write(messageOctets(1, octets("04 fbf5 0003 c0000201 08 02 06 41 04 0000fbf5")))
      const timer = setInterval(() => socket.write(keepalive), 200)
      socket.once("data", () => socket.pause()).once("close", () => clearInterval(timer))
      socket.write(keepalive)
    })
    server.listen({ host: "127.0.0.1", port: 0 })
    await once(server, "listening")
    return { server, sockets, port: (server.address() as AddressInfo).port }
  }),
  ({ server, sockets }) =>
    Effect.sync(() => {
      for (const socket of sockets) socket.destroy()
      server.close()
    })
)

it.effect("a send hold time that is not above the hold time is a defect that names both (RFC 9687 §4.4)", () =>
  Effect.gen(function* () {
    const exit = yield* Effect.exit(watched({ sendHoldTimeSeconds: 90 }))
    assert.include(String(exit), "peer tor-a: expected a send hold time above its hold time of 90 s, found 90 s")
  })
)

it.live("a peer that sends and takes nothing is left when the send hold time is over (RFC 9687)", () =>
  Effect.gen(function* () {
    const { port } = yield* deafPeer
    const node = yield* watched({ port, holdTimeSeconds: 3, sendHoldTimeSeconds: 4 })
    yield* until("up", node.isUp)
    // Attribute sets that differ make a message for each route: more than socket buffers take.
    const communities = Array.from({ length: 100 }, (_, value) => ({ _tag: "StandardCommunity", value }) as const)
    node.peer.change(routes(40_000).map((route, med) => ({ ...route, attributes: { ...plain, med, communities } })))
    yield* until("it was left", () => node.last("SessionEnded") !== undefined)
    assert.match(
      node.last("SessionEnded")!.reason,
      /has taken nothing of ours for the send hold time; NOTIFICATION 8\/0 Send Hold Timer Expired sent by us/
    )
  })
)
