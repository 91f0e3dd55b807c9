import { mkdtempSync, rmSync } from "node:fs"
import { connect, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { isDeepStrictEqual } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { waitUntil } from "@lowtide/testkit/lab/index"
import { Effect, Fiber } from "effect"
import { type BfdClient, type BfdEvent, connectBfd } from "../src/client.ts"
import { type ControlLine, controlVersion, lineBytesMax } from "../src/control/messages.ts"
import { startBfdServer } from "../src/control/server.ts"
import type { SessionRequest } from "../src/session-options.ts"
import type { SessionChange } from "../src/session-status.ts"

/** A loopback address of our own: the port is the same for everybody. */
const loopback = (): string => `127.${[0, 0, 0].map(() => 1 + Math.floor(Math.random() * 250)).join(".")}`

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "lowtide-bfd-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** A BFD on a control socket of its own, and how it is ended. */
const startServer = Effect.fnUntraced(function* (claimMs = 60_000, path?: string) {
  const socketPath = path ?? join(yield* folder, "bfd.sock")
  const log: Array<string> = []
  const start = () => startBfdServer({ socketPath, claimMs, log: (_level, message) => log.push(message) })
  const server = yield* Effect.acquireRelease(Effect.promise(start), ({ stop }) => Effect.promise(stop))
  return { socketPath, log, stop: Effect.promise(server.stop) }
})

interface Owner extends BfdClient {
  readonly events: Array<BfdEvent>
  readonly changes: (name: string) => ReadonlyArray<SessionChange>
}

const startOwner = Effect.fnUntraced(function* (socketPath: string) {
  const events: Array<BfdEvent> = []
  const client = yield* connectBfd({ socketPath, owner: "a test" }, (event) => events.push(event))
  const changes = (name: string) =>
    events.flatMap((event) => (event._tag === "BfdSessionChanged" && event.session.name === name ? [event] : []))
  yield* waitUntil("the sessions are ours", Effect.sync(client.isConnected))
  const owner: Owner = { ...client, events, changes }
  return owner
})

const isUp = (owner: BfdClient, name: string) =>
  waitUntil(
    `${name} is Up`,
    Effect.sync(() => owner.sessions().get(name)?.state === "Up")
  )

const happens = (what: string, check: () => boolean) => waitUntil(what, Effect.sync(check))

/** Two BFDs with a session between them that is up. */
const pair = Effect.fnUntraced(function* (options: Partial<SessionRequest> = {}) {
  const [here, there] = [loopback(), loopback()]
  const ours: SessionRequest = { ...options, localAddress: here, peerAddress: there }
  const theirs: SessionRequest = { ...options, localAddress: there, peerAddress: here }
  const [left, right] = [yield* startServer(300), yield* startServer()]
  const peer = yield* startOwner(right.socketPath)
  peer.set("back", theirs)
  return { left, right, peer, ours, theirs }
})

describe("two BFDs", () => {
  it.live("bring a session up, count its packets, and take it down as no failure when it is removed", () =>
    Effect.gen(function* () {
      const { left, peer, ours } = yield* pair()
      const owner = yield* startOwner(left.socketPath)
      owner.set("forth", ours)
      yield* isUp(owner, "forth")
      yield* isUp(peer, "back")
      const state = yield* owner.status
      assert.deepInclude(state.sessions[0], { name: "forth", state: "Up", cause: "handshake", isLeaving: false })
      assert.isAtLeast(state.sessions[0]!.sourcePort, 49_152)
      assert.isAtLeast(state.sessions[0]!.counters.received, 2)
      owner.remove("forth")
      yield* happens("the peer was told", () =>
        peer.changes("back").some(({ cause }) => cause === "neighbor-admin-down")
      )
      assert.isFalse(peer.changes("back").some(({ isPathFailure }) => isPathFailure))
      assert.deepInclude(peer.sessions().get("back"), { state: "Down", diagnostic: 3 })
      yield* waitUntil(
        "it is forgotten",
        Effect.map(owner.status, ({ sessions }) => sessions.length === 0)
      )
    }).pipe(Effect.scoped)
  )

  it.live("use hops, minimum TTL and intervals as they are asked, and change them without a flap", () =>
    Effect.gen(function* () {
      const { left, peer, ours } = yield* pair({ hops: "multi", transmitIntervalMs: 100, receiveIntervalMs: 100 })
      const owner = yield* startOwner(left.socketPath)
      owner.set("forth", ours)
      yield* isUp(owner, "forth")
      yield* isUp(peer, "back")
      owner.set("forth", {
        ...ours,
        transmitIntervalMs: 250,
        receiveIntervalMs: 50,
        detectMultiplier: 5,
        minimumTtl: 7
      })
      yield* waitUntil(
        "both know of it",
        Effect.map(Effect.all([owner.status, peer.status]), ([near, far]) => {
          const [forth, back] = [near.sessions[0], far.sessions[0]]
          return forth?.transmitIntervalUs === 250_000 && back?.detectionTimeUs === 5 * 250_000
        })
      )
      assert.strictEqual((yield* owner.status).sessions[0]?.minimumTtl, 7)
      assert.deepStrictEqual(
        [...owner.changes("forth"), ...peer.changes("back")].filter(
          ({ from, cause }) => from === "Up" && cause !== undefined
        ),
        []
      )
    }).pipe(Effect.scoped)
  )

  it.live("are out of use while that is asked, and come back", () =>
    Effect.gen(function* () {
      const { left, peer, ours } = yield* pair()
      const owner = yield* startOwner(left.socketPath)
      owner.set("forth", { ...ours, adminDown: true })
      yield* happens("it is so, and the peer says so", () => peer.sessions().get("back")?.remote?.state === "AdminDown")
      assert.deepInclude(owner.sessions().get("forth"), { state: "AdminDown", diagnostic: 7 })
      owner.set("forth", ours)
      yield* isUp(owner, "forth")
    }).pipe(Effect.scoped)
  )
})

describe("a speaker that restarts", () => {
  it.live("finds its sessions as they were, and those that it does not ask for again are removed", () =>
    Effect.gen(function* () {
      const { left, peer, ours } = yield* pair()
      const before = yield* Effect.scoped(
        Effect.gen(function* () {
          const owner = yield* startOwner(left.socketPath)
          owner.set("forth", ours)
          owner.set("other", { ...ours, peerAddress: "127.0.0.1" })
          yield* isUp(owner, "forth")
          return (yield* owner.status).sessions
        })
      )
      const owner = yield* startOwner(left.socketPath)
      const [connected] = owner.events
      assert.strictEqual(connected?._tag === "BfdConnected" && connected.state.sessions.length, 2)
      owner.set("forth", ours)
      yield* waitUntil(
        "the other one is gone",
        Effect.map(owner.status, ({ sessions }) => sessions.length === 1)
      )
      const [after] = (yield* owner.status).sessions
      const kept = before.find(({ name }) => name === "forth")
      assert.deepStrictEqual(
        [after?.name, after?.state, after?.localDiscriminator, after?.counters.ups],
        ["forth", "Up", kept?.localDiscriminator, 1]
      )
      assert.deepStrictEqual(
        peer.changes("back").filter(({ from, cause }) => from === "Up" && cause !== undefined),
        []
      )
    }).pipe(Effect.scoped)
  )

  it.live("is one at a time", () =>
    Effect.gen(function* () {
      const { left } = yield* pair()
      yield* startOwner(left.socketPath)
      const events: Array<BfdEvent> = []
      yield* connectBfd({ socketPath: left.socketPath, owner: "a second" }, (event) => events.push(event))
      yield* happens("the second is refused", () => events.length > 0)
      assert.deepStrictEqual(events, [
        {
          _tag: "BfdDisconnected",
          reason: "a test has the sessions; expected one owner at a time, so end that one first",
          isHanging: false
        }
      ])
    }).pipe(Effect.scoped)
  )
})

describe("the client", () => {
  it.live("comes back to a BFD that was started again, and sets its sessions again", () =>
    Effect.gen(function* () {
      const { left, peer, ours } = yield* pair()
      const owner = yield* startOwner(left.socketPath)
      owner.set("forth", ours)
      yield* isUp(owner, "forth")
      yield* left.stop
      yield* happens("it is told", () => owner.events.some(({ _tag }) => _tag === "BfdDisconnected"))
      assert.isFalse(peer.changes("back").some(({ isPathFailure }) => isPathFailure)) // an orderly end is no failure
      yield* startServer(300, left.socketPath)
      yield* isUp(owner, "forth")
    }).pipe(Effect.scoped)
  )

  it.live("is told why a session cannot be, and that it can once it can", () =>
    Effect.gen(function* () {
      const { left, ours } = yield* pair()
      const owner = yield* startOwner(left.socketPath)
      owner.set("first", ours)
      owner.set("second", ours)
      owner.set("third", { ...ours, device: "none0" })
      const refusals = () =>
        owner.events.flatMap((event) => (event._tag === "BfdSessionRefused" ? [`${event.name}: ${event.reason}`] : []))
      yield* happens("two are refused", () => refusals().length === 2)
      assert.deepStrictEqual(refusals(), [
        "second: session second: the session first has the same addresses, hops and device",
        'third: session third: could not find the interface "none0": there is none of that name on this node'
      ])
      owner.remove("first")
      yield* isUp(owner, "second")
    }).pipe(Effect.scoped)
  )
})

/** A control socket before another, by which its BFD can be made to say nothing, as one that is stopped does. */
const startGate = Effect.fnUntraced(function* (behind: string) {
  const socketPath = join(yield* folder, "gate.sock")
  let isShut = false
  const unsaid: Array<() => void> = []
  const gate = createServer((near) => {
    const far = connect(behind)
    near.on("data", (octets) => far.write(octets))
    near.on("close", () => far.destroy())
    for (const end of [near, far]) end.on("error", () => far.destroy())
    far.on("data", (octets) => (isShut ? void unsaid.push(() => near.write(octets)) : near.write(octets)))
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void gate.listen(socketPath, () => resume(Effect.void))),
    () => Effect.sync(() => gate.close())
  )
  return {
    socketPath,
    shut: () => {
      isShut = true
    },
    open: () => {
      isShut = false
      for (const say of unsaid.splice(0)) say()
    }
  }
})

describe("a BFD that hangs", () => {
  it.live("is told of as one that is away, and is asked for its sessions again when it goes on", () =>
    Effect.gen(function* () {
      const { left, peer, ours } = yield* pair()
      const gate = yield* startGate(left.socketPath)
      const owner = yield* startOwner(gate.socketPath)
      owner.set("forth", ours)
      yield* isUp(owner, "forth")
      gate.shut()
      yield* happens("it is told of", () => owner.events.some(({ _tag }) => _tag === "BfdDisconnected"))
      assert.isFalse(owner.isConnected())
      assert.deepStrictEqual([...owner.sessions()], [])
      gate.open()
      yield* isUp(owner, "forth")
      assert.deepStrictEqual(
        owner.events.flatMap((event) => (event._tag === "BfdDisconnected" ? [[event.reason, event.isHanging]] : [])),
        [["the BFD process has the connection open and answers nothing", true]]
      )
      assert.deepStrictEqual(
        peer.changes("back").filter(({ from, cause }) => from === "Up" && cause !== undefined),
        []
      )
    }).pipe(Effect.scoped)
  )
})

describe("a BFD that is about to end", () => {
  it.live("makes and keeps no session, so that it comes to an end", () =>
    Effect.gen(function* () {
      const { left, ours } = yield* pair()
      const owner = yield* startOwner(left.socketPath)
      owner.set("forth", ours)
      yield* isUp(owner, "forth")
      const stopped = yield* Effect.forkScoped(left.stop, { startImmediately: true })
      owner.set("forth", ours)
      const refused = { _tag: "BfdSessionRefused", name: "forth", reason: "session forth: this BFD is about to end" }
      yield* happens("it is refused", () => owner.events.some((event) => isDeepStrictEqual(event, refused)))
      yield* Fiber.join(stopped)
    }).pipe(Effect.scoped)
  )
})

describe("what is wrong on the control socket", () => {
  const ask = (socketPath: string, ...lines: ReadonlyArray<string>) =>
    Effect.promise(async () => {
      const socket = connect(socketPath)
      socket.write(lines.map((line) => `${line}\n`).join(""))
      const answers: Array<ControlLine> = []
      for await (const line of createInterface({ input: socket })) {
        answers.push(JSON.parse(line))
        if (answers.length === lines.length) break
      }
      socket.destroy()
      return answers
    })
  const line = (fields: object) => JSON.stringify({ version: controlVersion, id: 7, ...fields })

  it.live("is answered line by line, and what is right after it is done", () =>
    Effect.gen(function* () {
      const { socketPath } = yield* startServer()
      const answers = yield* ask(
        socketPath,
        "nonsense",
        line({ request: "set", name: "a", session: { localAddress: "127.0.0.1", peerAddress: "127.0.0.2" } }),
        line({ request: "remove", name: "a" }),
        line({ request: "status" })
      )
      const errors = answers.map((answer) => ("ok" in answer && !answer.ok ? answer.error : "none"))
      assert.deepStrictEqual(errors, [
        "expected one JSON object a line, found nonsense",
        "set: expected a hello on this connection before",
        "remove: expected a hello on this connection before",
        "none"
      ])
    }).pipe(Effect.scoped)
  )

  it.live("a line that is too long ends the connection, and only that one", () =>
    Effect.gen(function* () {
      const { socketPath } = yield* startServer()
      const [answer] = yield* ask(socketPath, "x".repeat(lineBytesMax + 1))
      assert.deepInclude(answer, {
        ok: false,
        error: `expected lines of at most ${lineBytesMax} octets, found a longer one`
      })
      assert.strictEqual((yield* ask(socketPath, line({ request: "status" }))).length, 1)
    }).pipe(Effect.scoped)
  )
})
