import { createServer, type Socket } from "node:net"
import { assert, describe, it, vi } from "@effect/vitest"
import { parsePrefix } from "@lowtide/net"
import { Effect, Result, type Scope } from "effect"
import { Acknowledgements } from "../src/acknowledgements.ts"
import {
  type BgpCollector,
  type BgpPeer,
  type CollectorOptions,
  ceaseWithText,
  findAttribute,
  notification,
  type PeerEvent,
  type PeerOptions,
  startCollector,
  startPeer,
  truePath
} from "../src/index.ts"
import { headerBytes } from "../src/wire/message.ts"
import { plain, routes, until } from "./live.ts"
import { messageOctets, octets } from "./octets.ts"

const prefix = (text: string) => Result.getOrThrow(parsePrefix(text))
const withdrawals = (count: number) => routes(count).map(({ prefix }) => ({ prefix, attributes: undefined }))

// Real sockets and real timers, on a machine that may be busy with other tests.
vi.setConfig({ testTimeout: 30_000 })

const collectorOptions: CollectorOptions = {
  host: "127.0.0.1",
  port: 0,
  localAsn: 64501,
  routerId: "192.0.2.1",
  holdTimeSeconds: 90,
  families: [4, 6]
}

interface Pair {
  readonly peer: BgpPeer
  readonly events: ReadonlyArray<PeerEvent>
  readonly collector: BgpCollector
  readonly event: <Tag extends PeerEvent["_tag"]>(
    tag: Tag,
    nth?: number
  ) => Effect.Effect<Extract<PeerEvent, { readonly _tag: Tag }>>
}

const startPair = (
  part: Partial<PeerOptions> = {},
  collectorPart: Partial<CollectorOptions> = {}
): Effect.Effect<Pair, never, Scope.Scope> =>
  Effect.gen(function* () {
    const collector = yield* Effect.orDie(startCollector({ ...collectorOptions, ...collectorPart }))
    const watched = yield* startWatched({ port: collector.port, ...part })
    return { ...watched, collector }
  })

const peerOptions: PeerOptions = {
  name: "tor-a",
  host: "127.0.0.1",
  port: 179,
  localAsn: 65551,
  peerAsn: 64501,
  routerId: "192.0.2.2",
  holdTimeSeconds: 90,
  connectRetrySeconds: 0.05,
  families: [4, 6],
  nextHops: { 6: "2001:db8::2" }
}

const startWatched = (part: Partial<PeerOptions>) =>
  Effect.gen(function* () {
    const events: Array<PeerEvent> = []
    const peer = yield* startPeer({ ...peerOptions, ...part }, (event) => events.push(event))
    const event: Pair["event"] = (tag, nth = 0) => {
      const found = () => events.filter(({ _tag }) => _tag === tag)[nth]
      return Effect.map(
        until(`${tag} number ${nth}, only ${JSON.stringify(events)}`, () => found() !== undefined),
        () => found() as never
      )
    }
    return { peer, events, event }
  })

const collected = ({ collector }: Pair) => collector.peers()[0]!

describe("a session with a listening peer", () => {
  it.live("comes up with both families and sends its table, then End-of-RIB for each", () =>
    Effect.gen(function* () {
      const pair = yield* startPair()
      pair.peer.change([
        { prefix: prefix("198.51.100.1/32"), attributes: { ...plain, asPathPrepend: 1, med: 5 } },
        { prefix: prefix("2001:db8:1::1/128"), attributes: plain }
      ])
      const up = yield* pair.event("SessionEstablished")
      assert.deepInclude(up, { remoteRouterId: "192.0.2.1", holdTimeSeconds: 90, families: [4, 6] })
      assert.strictEqual((yield* pair.event("TableWritten")).announced, 2)
      yield* until("both End-of-RIB", () => collected(pair)?.endOfRib.size === 2)
      const { routes: found, asn, routerId } = collected(pair)
      assert.deepStrictEqual([asn, routerId, found.size], [65551, "192.0.2.2", 2])
      const route = found.get("198.51.100.1/32")!
      assert.deepStrictEqual(truePath(route.attributes), [{ kind: "sequence", asns: [65551, 65551] }])
      assert.deepStrictEqual(findAttribute(route.attributes, "NextHop")?.address.value, 0x7f000001n)
      assert.deepInclude(pair.peer.status(), { state: "Established", prefixesSent: 2, prefixesWanted: 2 })
    })
  )

  it.live("100,000 routes go and come back, each change confirmed by its token", () =>
    Effect.gen(function* () {
      const pair = yield* startPair()
      yield* pair.event("TableWritten")
      pair.peer.change(routes(100_000), 1)
      assert.deepInclude(yield* pair.event("RoutesWritten"), { token: 1, announced: 100_000, withdrawn: 0 })
      yield* until("all in the collector", () => collected(pair).routes.size === 100_000)
      const updates = collected(pair).received.Update
      assert.isBelow(updates, 130) // 2 End-of-RIB and full messages
      pair.peer.change(withdrawals(100_000), 2)
      assert.deepInclude(yield* pair.event("RoutesWritten", 1), { token: 2, announced: 0, withdrawn: 100_000 })
      yield* until("none in the collector", () => collected(pair).routes.size === 0)
    })
  )

  it.live("changes of one turn leave together; one that changes nothing is confirmed without a message", () =>
    Effect.gen(function* () {
      const pair = yield* startPair()
      yield* pair.event("TableWritten")
      const before = pair.peer.status().messages.sent.Update
      for (const [index, change] of routes(50).entries()) pair.peer.change([change], index)
      yield* pair.event("RoutesWritten", 49)
      assert.strictEqual(pair.peer.status().messages.sent.Update, before + 1)
      pair.peer.change(routes(50), 99)
      assert.deepInclude(yield* pair.event("RoutesWritten", 50), { token: 99, announced: 0, withdrawn: 0 })
      assert.strictEqual(pair.peer.status().messages.sent.Update, before + 1)
    })
  )

  it.live("iBGP: an empty AS path and LOCAL_PREF 100", () =>
    Effect.gen(function* () {
      const pair = yield* startPair({ localAsn: 64501 })
      pair.peer.change(routes(1))
      yield* until("the route", () => collected(pair)?.routes.size === 1)
      const [route] = collected(pair).routes.values()
      assert.deepStrictEqual(truePath(route!.attributes), [])
      assert.strictEqual(findAttribute(route!.attributes, "LocalPref")?.value, 100)
    })
  )

  it.live("without a next hop for a family its routes are refused, and the others go", () =>
    Effect.gen(function* () {
      const pair = yield* startPair({ nextHops: {} })
      pair.peer.change([{ prefix: prefix("2001:db8::1/128"), attributes: plain }, ...routes(1)])
      assert.deepInclude(yield* pair.event("RoutesRefused"), { family: 6, routes: 1 })
      yield* until("the IPv4 route", () => collected(pair)?.routes.size === 1)
    })
  )

  it.live("all routes are sent again when the peer asks (RFC 2918), and none is withdrawn", () =>
    Effect.gen(function* () {
      const pair = yield* startPair()
      pair.peer.change(routes(3))
      yield* until("the routes", () => collected(pair)?.routes.size === 3)
      const { received } = collected(pair)
      collected(pair).requestRefresh(4)
      yield* until("one more UPDATE", () => collected(pair).received.Update === received.Update + 1)
      assert.strictEqual(collected(pair).routes.size, 3)
    })
  )
})

describe("ends and returns", () => {
  it.live("a session ended by the peer with a text comes back with the whole table and the waiting tokens", () =>
    Effect.gen(function* () {
      const pair = yield* startPair()
      pair.peer.change(routes(3))
      yield* until("the routes", () => collected(pair)?.routes.size === 3)
      collected(pair).disconnect(ceaseWithText(4, "reload"))
      const ended = yield* pair.event("SessionEnded")
      assert.strictEqual(
        ended.reason,
        'peer tor-a (127.0.0.1) ended the session: NOTIFICATION 6/4 Administrative Reset sent by the peer with the text "reload"'
      )
      assert.deepInclude(ended.notification, { code: 6, subcode: 4, direction: "received", text: "reload" })
      pair.peer.change(withdrawals(2), 7)
      assert.lengthOf(
        pair.events.filter(({ _tag }) => _tag === "RoutesWritten"),
        0
      )
      assert.deepInclude(yield* pair.event("RoutesWritten"), { token: 7, announced: 1 })
      yield* until("what is wanted now", () => collected(pair)?.routes.size === 1)
      assert.strictEqual(pair.peer.status().lastError.received?.notification?.text, "reload")
    })
  )

  /** A session that has its table, and why its peer says that it went down. */
  const startHeard = Effect.gen(function* () {
    const downs: Array<string> = []
    const collector = yield* Effect.orDie(
      startCollector(collectorOptions, (event) => event._tag === "PeerDown" && downs.push(event.reason))
    )
    const { peer, event } = yield* startWatched({ port: collector.port })
    yield* event("TableWritten")
    return { peer, event, downs }
  })

  it.live("a stop tells the peer why, and it does not come back", () =>
    Effect.gen(function* () {
      const { peer, event, downs } = yield* startHeard
      yield* peer.stop({ subcode: "hard-reset", text: "node is drained" })
      yield* until("the peer was told", () => downs.length === 1)
      // A collector keeps nothing, so that a plain Cease is enough (RFC 8538 §3).
      assert.match(downs[0]!, /6\/2 Administrative Shutdown sent by the peer with the text "node is drained"/)
      assert.deepInclude(yield* event("SessionEnded"), { retryInMs: undefined, isStopped: true })
      assert.strictEqual(peer.status().state, "Idle")
    })
  )

  it.live("a stop to begin anew tells the peer that it is a reset, and why", () =>
    Effect.gen(function* () {
      const { peer, downs } = yield* startHeard
      yield* peer.stop({ subcode: "administrative-reset", text: "holdTime from 9 to 30" })
      yield* until("the peer was told", () => downs.length === 1)
      assert.match(downs[0]!, /6\/4 Administrative Reset sent by the peer with the text "holdTime from 9 to 30"/)
    })
  )

  it.live("a path that is lost ends the session that is up, which comes back by itself", () =>
    Effect.gen(function* () {
      const downs: Array<string> = []
      const collector = yield* Effect.orDie(
        startCollector(collectorOptions, (event) => event._tag === "PeerDown" && downs.push(event.reason))
      )
      const { peer, events, event } = yield* startWatched({ port: collector.port })
      const failure = { reason: "BFD has heard nothing for 900 ms", mayBeRestart: false }
      peer.pathFailed(failure) // there is none yet
      yield* event("TableWritten")
      peer.pathFailed(failure)
      yield* until("the peer was told", () => downs.length === 1)
      assert.match(downs[0]!, /6\/10 BFD Down sent by the peer; its BFD session with us went down/)
      const ended = yield* event("SessionEnded")
      assert.include(ended.reason, "BFD has heard nothing for 900 ms; NOTIFICATION 6/10 BFD Down sent by us")
      assert.deepInclude(ended, { isPathFailure: true })
      assert.isDefined(ended.retryInMs)
      yield* until("it is up again", () => events.filter(({ _tag }) => _tag === "SessionEstablished").length === 2)
    })
  )

  it.live("the wrong AS on either side is explained, each side in its words", () =>
    Effect.gen(function* () {
      const refused = yield* startPair({ localAsn: 64512 }, { peerAsn: 64499 })
      assert.strictEqual(
        (yield* refused.event("ConnectFailed")).reason,
        "peer tor-a (127.0.0.1) refused the session: NOTIFICATION 2/2 Bad Peer AS sent by the peer; it expects another ASN than our 64512"
      )
      const refusing = yield* startPair({ peerAsn: 64510 })
      assert.match(
        (yield* refusing.event("ConnectFailed")).reason,
        /its OPEN says AS 64501, our configuration expects AS 64510 .*NOTIFICATION 2\/2 Bad Peer AS sent by us/
      )
    })
  )

  it.live("nothing that listens: said so, and tried again until it does", () =>
    Effect.gen(function* () {
      const { port } = yield* Effect.scoped(Effect.orDie(startCollector(collectorOptions)))
      const { event } = yield* startWatched({ port })
      const failed = yield* event("ConnectFailed", 1)
      assert.match(failed.reason, /cannot be reached: connection refused: nothing listens on TCP port \d+ there/)
      yield* Effect.orDie(startCollector({ ...collectorOptions, port }))
      yield* event("SessionEstablished")
    })
  )

  it.live("a silent peer is left when the hold time is over, with 4/0", () =>
    Effect.gen(function* () {
      const heard = yield* scriptedPeer([open(3), messageOctets(4, new Uint8Array(0))])
      const { event } = yield* startWatched({ port: heard.port, holdTimeSeconds: 3 })
      yield* event("SessionEstablished")
      const ended = yield* event("SessionEnded")
      assert.match(ended.reason, /nothing was heard for the hold time; NOTIFICATION 4\/0 Hold Timer Expired sent by us/)
      yield* until("4/0 on the wire", () => heard.last().endsWith("0400"))
    })
  )

  it.live("a malformed message earns its NOTIFICATION, RFC 4271 §6", () =>
    Effect.gen(function* () {
      const heard = yield* scriptedPeer([
        open(90),
        messageOctets(4, new Uint8Array(0)),
        messageOctets(77, octets("00"))
      ])
      const { event } = yield* startWatched({ port: heard.port })
      assert.deepInclude((yield* event("SessionEnded")).notification, { code: 1, subcode: 3, direction: "sent" })
      yield* until("1/3 on the wire", () => heard.last().endsWith("01034d"))
    })
  )

  it.live("a message that may not come yet is told by its type, and not for what is wrong in it (RFC 6608 §4)", () =>
    Effect.gen(function* () {
      const heard = yield* scriptedPeer([messageOctets(2, octets("ffff 0000"))])
      const { event } = yield* startWatched({ port: heard.port })
      assert.match((yield* event("ConnectFailed")).reason, /UPDATE came in OpenSent \(RFC 6608 §4\); NOTIFICATION 5\/1/)
      yield* until("5/1 on the wire, with type 2", () => heard.last().endsWith("050102"))
    })
  )

  it.live("an UPDATE that RFC 7606 treats as withdrawn is counted and the session stays", () =>
    Effect.gen(function* () {
      const update = messageOctets(2, octets("0000 0004 40 01 01 09 18 cb0071")) // ORIGIN 9, 203.0.113.0/24
      const heard = yield* scriptedPeer([open(90), messageOctets(4, new Uint8Array(0)), update])
      const { peer } = yield* startWatched({ port: heard.port })
      yield* until("the count", () => peer.status().malformedUpdates === 1)
      assert.deepInclude(peer.status(), { state: "Established", prefixesReceived: 0 })
    })
  )

  it.live("a peer that reads slowly pushes back, and gets everything in the end", () =>
    Effect.gen(function* () {
      const heard = yield* scriptedPeer([open(90), messageOctets(4, new Uint8Array(0))])
      const { peer, event, events } = yield* startWatched({ port: heard.port })
      yield* event("TableWritten")
      heard.pause()
      // Attribute sets that differ make a message of 450 octets for each route: 18 MB, more than socket buffers take.
      const communities = Array.from({ length: 100 }, (_, value) => ({ _tag: "StandardCommunity", value }) as const)
      const many = routes(40_000).map((route, med) => ({ ...route, attributes: { ...plain, med, communities } }))
      peer.change(many, 5)
      let unchanged = 0
      let written = 0
      yield* until("the kernel takes no more", () => {
        const { Update } = peer.status().messages.sent
        unchanged = Update === written ? unchanged + 1 : 0
        written = Update
        return written > 1_000 && unchanged > 20
      })
      assert.isBelow(written, 40_000)
      assert.lengthOf(
        events.filter(({ _tag }) => _tag === "RoutesWritten"),
        0
      )
      assert.isTrue(peer.isPending(many[39_999]!.prefix), "it is handed over with the others, and nobody has taken it")
      const [late] = routes(40_001).slice(-1)
      assert.isDefined(late)
      peer.change([late], 6)
      assert.deepStrictEqual([peer.isPending(late.prefix), peer.isSent(late.prefix)], [true, false])
      heard.resume()
      yield* until("all of it is written", () => events.filter(({ _tag }) => _tag === "RoutesWritten").length === 2)
      assert.deepStrictEqual([peer.isPending(late.prefix), peer.isSent(late.prefix)], [false, true])
      assert.strictEqual(peer.status().messages.sent.Update, 40_003) // and two End-of-RIB
    })
  )
})

describe("what a peer's kernel has acknowledged", () => {
  it.live("is told of when it has, which may be long after ours took it", () =>
    Effect.gen(function* () {
      const heard = yield* scriptedPeer([open(90), messageOctets(4, new Uint8Array(0))])
      const { peer, event, events } = yield* startWatched({ port: heard.port })
      yield* event("TableWritten")
      const tokens = (tag: "RoutesWritten" | "RoutesAcknowledged") =>
        events.flatMap((each) => (each._tag === tag ? each.token : []))
      peer.change(routes(1), 0)
      yield* until("it is acknowledged", () => tokens("RoutesAcknowledged").length === 1)
      heard.pause()
      const communities = Array.from({ length: 100 }, (_, value) => ({ _tag: "StandardCommunity", value }) as const)
      let given = 0
      let unchanged = 0
      // Our kernel goes on taking when the peer's takes no more.
      yield* until("our kernel has something that the peer's has not", () => {
        const [written, acknowledged] = [tokens("RoutesWritten").at(-1), tokens("RoutesAcknowledged").at(-1)]
        if (written !== given) return false
        unchanged = written === acknowledged ? 0 : unchanged + 1
        if (unchanged > 100) return true // longer than the kernel is not asked
        if (unchanged === 0) {
          const med = ++given
          peer.change(
            routes(200).map((route, index) => ({
              ...route,
              attributes: { ...plain, med: med * 200 + index, communities }
            })),
            given
          )
        }
        return false
      })
      assert.isBelow(tokens("RoutesAcknowledged").at(-1) ?? 0, given)
      heard.resume()
      yield* until("all of it is acknowledged", () => tokens("RoutesAcknowledged").at(-1) === given)
    })
  )

  it.live("is never told of where the connection is lost before", () =>
    Effect.gen(function* () {
      let octets: number | undefined = 9
      const told: Array<string> = []
      const acknowledgements = new Acknowledgements(() => octets)
      acknowledgements.took(20)
      acknowledgements.once(() => told.push("first"))
      octets = 11
      acknowledgements.took(2)
      acknowledgements.once(() => told.push("second"))
      octets = 2 // 20 of 22
      yield* until("the first is told of", () => told.length > 0)
      assert.deepStrictEqual(told, ["first"])
      acknowledgements.stop()
      octets = 0
      acknowledgements.once(() => told.push("third"))
      assert.deepStrictEqual(told, ["first", "third"])
      octets = undefined
      acknowledgements.once(() => told.push("fourth"))
      assert.deepStrictEqual(told, ["first", "third", "fourth"], "at once where nobody can tell")
    })
  )
})

describe("the table that is made ready while the peer's OPEN is awaited", () => {
  /** A route, and how often its prefix was looked at from each SessionEstablished to the TableWritten that follows. */
  const watching = (peerOf: (onEvent: (event: PeerEvent) => void) => Effect.Effect<BgpPeer, never, Scope.Scope>) =>
    Effect.gen(function* () {
      const { address, lengthBits } = prefix("198.51.100.1/32")
      let looks = 0
      const looksOfSessions: Array<number> = []
      const peer = yield* peerOf(({ _tag }) => {
        if (_tag === "SessionEstablished") looks = 0
        if (_tag === "TableWritten") looksOfSessions.push(looks)
      })
      const watched = {
        lengthBits,
        get address() {
          looks++
          return address
        }
      }
      peer.change([{ prefix: watched, attributes: plain }])
      return looksOfSessions
    })

  it.live("leaves as it is where the peer takes messages of 4,096 octets", () =>
    Effect.gen(function* () {
      const { port } = yield* scriptedPeer([open(90), messageOctets(4, new Uint8Array(0))])
      const looks = yield* watching((onEvent) => startPeer({ ...peerOptions, port }, onEvent))
      yield* until("the table is written", () => looks.length === 1)
      assert.deepStrictEqual(looks, [0])
    })
  )

  it.live("is made as the last session agreed", () =>
    Effect.gen(function* () {
      const collector = yield* Effect.orDie(startCollector(collectorOptions)) // it takes extended messages (RFC 8654)
      const looks = yield* watching((onEvent) => startPeer({ ...peerOptions, port: collector.port }, onEvent))
      yield* until("up and there", () => looks.length === 1 && collector.peers().length === 1)
      assert.isAbove(looks[0]!, 0)
      collector.peers()[0]!.disconnect(undefined)
      yield* until("the next table is written", () => looks.length === 2)
      assert.strictEqual(looks[1], 0)
    })
  )
})

/** An OPEN of AS 64501 for both families. */
const open = (holdTimeSeconds: number) =>
  messageOctets(
    1,
    octets(`04 fbf5 ${holdTimeSeconds.toString(16).padStart(4, "0")} c0000201 14
      02 12 01 04 0001 00 01 01 04 0002 00 01 41 04 0000fbf5`)
  )

/** A listener that says its lines as soon as somebody connects and keeps the end of what it hears. */
const scriptedPeer = (script: ReadonlyArray<Uint8Array>) =>
  Effect.acquireRelease(
    Effect.callback<ReturnType<typeof scripted>>((resume) => {
      const peer = scripted(script, () => resume(Effect.succeed(peer)))
    }),
    (peer) => Effect.sync(peer.close)
  )

const scripted = (script: ReadonlyArray<Uint8Array>, onListening: () => void) => {
  const sockets = new Set<Socket>()
  let last = Buffer.alloc(0)
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => {}))
    socket.on("data", (bytes: Buffer) => {
      last = Buffer.concat([last, bytes]).subarray(-headerBytes - 8)
    })
    for (const line of script) socket.write(line)
  })
  server.listen({ host: "127.0.0.1", port: 0 }, onListening)
  return {
    get port() {
      const address = server.address()
      return typeof address === "object" && address !== null ? address.port : 0
    },
    last: () => last.toString("hex"),
    pause: () => sockets.forEach((socket) => void socket.pause()),
    resume: () => sockets.forEach((socket) => void socket.resume()),
    close: () => {
      sockets.forEach((socket) => void socket.destroy())
      server.close()
    }
  }
}

it.live("a collector that cannot listen says where", () =>
  Effect.gen(function* () {
    const first = yield* startCollector(collectorOptions)
    const failed = yield* Effect.flip(startCollector({ ...collectorOptions, port: first.port }))
    assert.match(failed.message, new RegExp(`cannot listen for BGP on 127.0.0.1 port ${first.port}`))
    assert.strictEqual(failed._tag, "ListenFailed")
  })
)

it.live("a collector closes a peer with the NOTIFICATION it is given", () =>
  Effect.gen(function* () {
    const pair = yield* startPair()
    yield* pair.event("TableWritten")
    yield* until("the peer is up there too", () => pair.collector.peers().length === 1)
    collected(pair).disconnect(notification(6, 5))
    assert.match((yield* pair.event("SessionEnded")).reason, /it has no neighbour configured with our address/)
  })
)
