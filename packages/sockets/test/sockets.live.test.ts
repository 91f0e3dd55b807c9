import { createSocket, type Socket as UdpSocket } from "node:dgram"
import { once } from "node:events"
import { readdirSync, readFileSync } from "node:fs"
import { type AddressInfo, connect, type Socket } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { type Family, parseIpAddress } from "@lowtide/net"
import { Effect, Result } from "effect"
import {
  acceptFrom,
  connectTcp,
  listenTcp,
  openUdp,
  SocketFault,
  sendersMax,
  setOptions,
  type TcpOptions,
  unacknowledged
} from "../src/index.ts"

/** Nothing listens on the discard port here. */
const nowhere = { host: "127.0.0.1", port: 9 }

const loopbacks: ReadonlyArray<readonly [Family, string]> = [
  [4, "127.0.0.1"],
  [6, "::1"]
]

const address = (text: string) => Result.getOrThrow(parseIpAddress(text))
const password = (text: string) => new TextEncoder().encode(text)

/** A server on the loopback that sends a word to who connects. */
const server = (host: string, options: TcpOptions) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const sockets = new Set<Socket>()
      const listener = listenTcp({ host, port: 0 }, options, (socket) => {
        sockets.add(socket.on("error", () => undefined))
        socket.write("hello")
      })
      return { ...listener, port: (listener.server.address() as AddressInfo).port, sockets }
    }),
    ({ close, sockets }) =>
      Effect.sync(() => {
        for (const socket of sockets) socket.destroy()
        close()
      })
  )

/** A connection on its way; `word` is what the server said. */
const dial = (host: string, port: number, options: TcpOptions) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const socket = connectTcp({ host, port }, options)
      socket.on("error", () => undefined)
      const word = once(socket, "data").then(([data]) => String(data))
      word.catch(() => undefined)
      return { socket, word }
    }),
    ({ socket }) => Effect.sync(() => socket.destroy())
  )

/** A counter of the kernel's, over all sockets of this network namespace (`TcpExt` of /proc/net/netstat). */
const kernelCount = (name: string): number => {
  const [names = "", values = ""] = readFileSync("/proc/net/netstat", "utf8")
    .split("\n")
    .filter((line) => line.startsWith("TcpExt:"))
  return Number(values.split(" ")[names.split(" ").indexOf(name)])
}

/** Waits until the kernel has counted one more drop of a kind. */
const dropped = (name: string, before: number) =>
  Effect.promise(async () => {
    while (kernelCount(name) <= before) await new Promise((resolve) => setTimeout(resolve, 20))
  })

/** Waits until it is so. */
const until = (isSo: () => boolean) =>
  Effect.promise(async () => {
    while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5))
  })

describe("TCP", () => {
  it.live.each([
    ["made here", (port: number) => connectTcp({ host: "127.0.0.1", port }, { ttl: 9 })],
    ["of Node's own", (port: number) => connect(port, "127.0.0.1")]
  ] as const)("tells what the peer's kernel has not acknowledged, of a socket %s", ([, dialled]) =>
    Effect.gen(function* () {
      const { port, sockets } = yield* server("127.0.0.1", {})
      const socket = yield* Effect.acquireRelease(
        Effect.sync(() => dialled(port).on("error", () => undefined)),
        (socket) => Effect.sync(() => socket.destroy())
      )
      yield* Effect.promise(() => once(socket, "data"))
      const [accepted] = sockets
      assert.isDefined(accepted)
      yield* until(() => unacknowledged(accepted!) === 0)
      socket.write(new Uint8Array(16_000_000)) // more than both kernels take while nobody reads
      yield* until(() => (unacknowledged(socket) ?? 0) > 0 && socket.writableNeedDrain)
      accepted!.resume()
      yield* until(() => socket.writableLength === 0 && unacknowledged(socket) === 0)
      socket.destroy()
      assert.isUndefined(unacknowledged(socket))
    })
  )

  it.live.each(loopbacks)("IPv%i: both sides have the key, and the connection comes about", ([, host]) =>
    Effect.gen(function* () {
      const md5Keys = [{ peer: address(host), key: password("tide") }]
      const { port } = yield* server(host, { md5Keys })
      const { word } = yield* dial(host, port, { md5Keys, ttl: 255 })
      assert.strictEqual(yield* Effect.promise(() => word), "hello")
    }).pipe(Effect.scoped)
  )

  it.live("another key is dropped by the kernel, until the listener is given it too", () =>
    Effect.gen(function* () {
      const peer = address("127.0.0.1")
      const { port, setKey } = yield* server("127.0.0.1", { md5Keys: [{ peer, key: password("tide") }] })
      const before = kernelCount("TCPMD5Failure")
      const { word } = yield* dial("127.0.0.1", port, { md5Keys: [{ peer, key: password("ebb") }] })
      yield* dropped("TCPMD5Failure", before)
      setKey(peer, password("ebb"))
      assert.strictEqual(yield* Effect.promise(() => word), "hello") // the kernel tries again by itself
    }).pipe(Effect.scoped)
  )

  it.live("no key is dropped where one is asked for, until it is taken away", () =>
    Effect.gen(function* () {
      const peer = address("127.0.0.1")
      const { port, setKey } = yield* server("127.0.0.1", { md5Keys: [{ peer, key: password("tide") }] })
      const before = kernelCount("TCPMD5NotFound")
      const { word } = yield* dial("127.0.0.1", port, { ttl: 64 })
      yield* dropped("TCPMD5NotFound", before)
      setKey(peer, undefined)
      assert.strictEqual(yield* Effect.promise(() => word), "hello")
    }).pipe(Effect.scoped)
  )

  it("a connection that Node refuses to begin leaves nothing open", () => {
    const descriptors = () => readdirSync("/proc/self/fd").length
    const before = descriptors()
    for (let attempt = 0; attempt < 20; attempt++) {
      assert.throws(() => connectTcp({ host: "127.0.0.1", port: 70_000 }, { ttl: 255 }), /port/i)
    }
    assert.isBelow(descriptors(), before + 20)
  })

  it.live("a key that is set after the listener closed goes nowhere", () =>
    Effect.gen(function* () {
      const listener = yield* Effect.sync(() => listenTcp({ host: "127.0.0.1", port: 0 }, {}, () => {}))
      listener.close()
      assert.doesNotThrow(() => listener.setKey(address("127.0.0.1"), password("tide")))
    })
  )

  it.live.each(loopbacks)("IPv%i: what comes from further away than allowed is dropped (GTSM)", ([, host]) =>
    Effect.gen(function* () {
      const { port } = yield* server(host, { ttlMin: 255 })
      const near = yield* dial(host, port, { ttl: 255 })
      assert.strictEqual(yield* Effect.promise(() => near.word), "hello")
      const before = kernelCount("TCPMinTTLDrop")
      const far = yield* dial(host, port, { ttl: 254 })
      yield* dropped("TCPMinTTLDrop", before)
      assert.strictEqual(far.socket.connecting, true)
    }).pipe(Effect.scoped)
  )

  it.live.each(loopbacks)("IPv%i: a connection that was accepted can be given its TTLs", ([, host]) =>
    Effect.gen(function* () {
      const { port, sockets } = yield* server(host, {})
      const { socket, word } = yield* dial(host, port, { ttl: 254 })
      yield* Effect.promise(() => word)
      const [accepted] = [...sockets]
      setOptions(accepted!, { ttl: 255, ttlMin: 255 })
      const before = kernelCount("TCPMinTTLDrop")
      socket.write("from too far")
      yield* dropped("TCPMinTTLDrop", before)
      assert.throws(() => setOptions(accepted!, { ttl: 256 }), /EINVAL/)
    }).pipe(Effect.scoped)
  )

  it.live("a connection that was accepted without a key hears no more once it is given one", () =>
    Effect.gen(function* () {
      const { port, sockets } = yield* server("127.0.0.1", {})
      const { socket, word } = yield* dial("127.0.0.1", port, {})
      yield* Effect.promise(() => word)
      const [accepted] = [...sockets]
      setOptions(accepted!, { md5Keys: [{ peer: address("127.0.0.1"), key: password("tide") }] })
      const before = kernelCount("TCPMD5NotFound")
      socket.write("unsigned")
      yield* dropped("TCPMD5NotFound", before)
    }).pipe(Effect.scoped)
  )

  it.live("a connection bound to an interface goes over that interface", () =>
    Effect.gen(function* () {
      const { port } = yield* server("127.0.0.1", { device: "lo" })
      const { word } = yield* dial("127.0.0.1", port, { device: "lo" })
      assert.strictEqual(yield* Effect.promise(() => word), "hello")
    }).pipe(Effect.scoped)
  )

  it.live.each(loopbacks)(
    "IPv%i: of two sockets on one port the one that is bound to the interface is taken",
    ([, host]) =>
      Effect.gen(function* () {
        const says = (text: string) => (socket: Socket) => void socket.end(text)
        const word = (port: number) => Effect.promise(() => once(connect({ host, port }), "data").then(String))
        const everywhere = listenTcp({ host, port: 0 }, { isShared: true }, says("by any"))
        const { port } = everywhere.server.address() as AddressInfo
        assert.throws(() => listenTcp({ host, port }, { device: "lo" }, () => {}), /EADDRINUSE/)
        everywhere.setShared(true)
        const onLoopback = listenTcp({ host, port }, { isShared: true, device: "lo" }, says("by lo"))
        everywhere.setShared(false)
        assert.strictEqual(yield* word(port), "by lo")
        everywhere.close()
        assert.strictEqual(yield* word(port), "by lo")
        onLoopback.setShared(true)
        const again = listenTcp({ host, port }, { isShared: true }, says("by any"))
        onLoopback.setShared(false)
        assert.strictEqual(yield* word(port), "by lo", "also where it is the older one")
        onLoopback.close()
        assert.strictEqual(yield* word(port), "by any")
        again.close()
      })
  )

  it.live("a refusal says what was tried and why it failed", () =>
    Effect.gen(function* () {
      const { port } = yield* server("127.0.0.1", { ttl: 64 })
      const refusals: ReadonlyArray<readonly [() => unknown, string]> = [
        [
          () => connectTcp(nowhere, { device: "none0" }),
          'bind to the interface "none0" (SO_BINDTODEVICE): ENODEV: there is no such device on this node'
        ],
        [() => connectTcp(nowhere, { ttl: 256 }), "set IP_TTL: EINVAL"],
        [
          () => connectTcp(nowhere, { md5Keys: [{ peer: address("127.0.0.1"), key: password("") }] }),
          "set the TCP-MD5 key: expected a password of 1 to 80 octets, found 0"
        ],
        [
          () => listenTcp({ host: "127.0.0.1", port }, {}, () => undefined),
          `listen on 127.0.0.1 TCP port ${port}: EADDRINUSE: another socket listens there`
        ],
        [
          () => listenTcp({ host: "192.0.2.1", port: 0 }, {}, () => undefined),
          "listen on 192.0.2.1 TCP port 0: EADDRNOTAVAIL: the address is not on this node"
        ],
        [
          () => listenTcp({ host: "fe80::1%none0", port: 0 }, {}, () => undefined),
          'find the interface "none0": there is none of that name on this node'
        ]
      ]
      for (const [attempt, message] of refusals) {
        const fault = yield* Effect.flip(Effect.tryPromise({ try: async () => attempt(), catch: (cause) => cause }))
        assert.instanceOf(fault, SocketFault)
        assert.strictEqual((fault as SocketFault).message, `could not ${message}`)
      }
    }).pipe(Effect.scoped)
  )
})

/** A UDP socket of Node's on a descriptor. */
const opened = (family: Family, fd: number) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const socket = createSocket(family === 4 ? "udp4" : "udp6")
      const listening = once(socket, "listening") // it may be so at once
      socket.bind({ fd })
      await listening
      return socket
    }),
    (socket) => Effect.sync(() => socket.close())
  )

/** Sends words, each from a socket of its own with a TTL, and answers those that came; the last one has to be heard. */
const heardOf = (
  family: Family,
  to: string,
  receiver: UdpSocket,
  words: ReadonlyArray<readonly [number, string, string]>
) =>
  Effect.gen(function* () {
    const heard: Array<string> = []
    const last = words.at(-1)?.[2]
    const done = new Promise<void>((resolve) =>
      receiver.on("message", (octets) => {
        heard.push(octets.toString())
        if (octets.toString() === last) resolve()
      })
    )
    for (const [ttl, from, word] of words) {
      const sender = yield* opened(family, openUdp({ localAddress: from, localPort: 0, ttl }))
      yield* Effect.promise(
        () => new Promise((resolve) => sender.send(word, receiver.address().port, to, () => resolve(undefined)))
      )
    }
    yield* Effect.promise(() => done)
    receiver.removeAllListeners("message")
    return heard
  }).pipe(Effect.scoped)

describe("UDP", () => {
  it.live.each(loopbacks)("IPv%i: a datagram that has come through a router is dropped", ([family, host]) =>
    Effect.gen(function* () {
      const senders = [{ address: address(host), ttlMin: 255 }]
      const receiver = yield* opened(family, openUdp({ localAddress: host, localPort: 0, ttl: 255, senders }))
      const heard = yield* heardOf(family, host, receiver, [
        [254, host, "far"],
        [255, host, "near"],
        [64, host, "further"],
        [255, host, "last"]
      ])
      assert.deepStrictEqual(heard, ["near", "last"])
    }).pipe(Effect.scoped)
  )

  it.live("each sender has its own least TTL, who is none is not heard, and both may change", () =>
    Effect.gen(function* () {
      const [near, far] = [address("127.0.0.1"), address("127.0.0.2")]
      const strict = { address: near, ttlMin: 255 }
      const fd = openUdp({
        localAddress: "127.0.0.1",
        localPort: 0,
        ttl: 255,
        senders: [strict, { address: far, ttlMin: 60 }]
      })
      const receiver = yield* opened(4, fd)
      const words = [
        [254, "127.0.0.1", "near, 254"],
        [60, "127.0.0.2", "far, 60"],
        [59, "127.0.0.2", "far, 59"],
        [255, "127.0.0.3", "stranger"],
        [255, "127.0.0.1", "last"]
      ] as const
      assert.deepStrictEqual(yield* heardOf(4, "127.0.0.1", receiver, words), ["far, 60", "last"])
      acceptFrom(fd, 4, [{ address: address("127.0.0.3"), ttlMin: 1 }, strict])
      assert.deepStrictEqual(yield* heardOf(4, "127.0.0.1", receiver, words), ["stranger", "last"])
    }).pipe(Effect.scoped)
  )

  it.live.each(loopbacks)(
    "IPv%i: as many senders as are promised fit, and the last of them is heard",
    ([family, host]) =>
      Effect.gen(function* () {
        const others = Array.from({ length: sendersMax - 1 }, (_, index) => ({
          address: { family, value: address(host).value + BigInt(index + 1) },
          ttlMin: 255
        }))
        const senders = [...others, { address: address(host), ttlMin: 255 }]
        const fd = openUdp({ localAddress: host, localPort: 0, ttl: 255, senders })
        const receiver = yield* opened(family, fd)
        assert.deepStrictEqual(yield* heardOf(family, host, receiver, [[255, host, "last"]]), ["last"])
        assert.throws(() => acceptFrom(fd, family, [...senders, ...senders]), /expected at most 300, found 600/)
      }).pipe(Effect.scoped)
  )
})
