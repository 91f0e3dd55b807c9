import type { BfdEvent } from "@lowtide/bfd/client"
import type { SessionRequest } from "@lowtide/bfd/session-options"
import type { SessionStatus } from "@lowtide/bfd/session-status"
import { assert, describe, it } from "vitest"
import { BfdGuard } from "../src/bfd-guard.ts"
import type { WantedBfd } from "../src/bfd-sessions.ts"

const profile = {
  receiveIntervalMs: 300,
  transmitIntervalMs: 300,
  detectMultiplier: 3,
  passiveMode: false,
  minimumTtl: 254
}
const watched = (peer: string, change: Partial<WantedBfd> = {}): WantedBfd => ({
  peer,
  profile,
  path: { peerAddress: "192.0.2.1", localAddress: "192.0.2.2", hops: "single" },
  ...change
})
const path = "192.0.2.2 to 192.0.2.1"

const remote = (controlPlaneIndependent: boolean) =>
  ({ state: "Up", diagnostic: 3, controlPlaneIndependent }) as SessionStatus["remote"]
const session = (change: Partial<SessionStatus> = {}): SessionStatus =>
  ({
    name: path,
    peerAddress: "192.0.2.1",
    localAddress: "192.0.2.2",
    hops: "single",
    state: "Up",
    sinceUnixMs: 1_000,
    cause: "handshake",
    isLeaving: false,
    remote: remote(true),
    detectionTimeUs: 900_000,
    lastDown: undefined,
    ...change
  }) as SessionStatus
const changed = (
  from: SessionStatus["state"],
  cause: SessionStatus["cause"],
  change: Partial<SessionStatus> = {}
): BfdEvent => ({
  _tag: "BfdSessionChanged",
  from,
  cause,
  isPathFailure: cause === "detection-time-expired" || cause === "neighbor-down",
  session: session({ cause, ...change })
})
const up = (change: Partial<SessionStatus> = {}) => changed("Init", "handshake", change)
const expired = changed("Up", "detection-time-expired", {
  state: "Down",
  remote: undefined,
  detectionTimeUs: undefined
})
const connected = (sessions: ReadonlyArray<SessionStatus>, startedUnixMs = 1): BfdEvent => ({
  _tag: "BfdConnected",
  state: { pid: 7, startedUnixMs, claimMs: 60_000, sessions, discarded: {} }
})

const make = () => {
  const asked: Array<string> = []
  const requests = new Map<string, SessionRequest>()
  const failures: Array<string> = []
  const said: Array<string> = []
  const sessions = new Map<string, SessionStatus>()
  const addresses = new Map<string, string>()
  const link = { isConnected: true }
  const guard = new BfdGuard({
    bfd: {
      set: (name, request) => {
        asked.push(`set ${name}`)
        requests.set(name, request)
      },
      remove: (name) => void asked.push(`remove ${name}`),
      sessions: () => sessions,
      isConnected: () => link.isConnected
    },
    localAddressOf: (peer) => addresses.get(peer),
    pathFailed: (peer, { reason, mayBeRestart }) =>
      void failures.push(`${peer}${mayBeRestart ? ", perhaps a restart" : ""}: ${reason}`),
    say: (severity, text) => void said.push(`${severity} ${text}`),
    changed: () => {}
  })
  return { guard, asked, requests, failures, said, sessions, addresses, link }
}

describe("the sessions that BFD is asked for", () => {
  it("begin where an address is configured, else once BGP's connection has one, and keep it", () => {
    const { guard, asked, requests, addresses } = make()
    const free = { peerAddress: "fe80::1%eth0", localAddress: undefined, hops: "single" } as const
    guard.configure([watched("tor-a"), watched("tor-b", { path: free })])
    assert.deepStrictEqual(asked, [`set ${path}`])
    assert.deepStrictEqual(requests.get(path), { ...watched("tor-a").path, localAddress: "192.0.2.2", ...profile })
    assert.include(guard.of("tor-b")?.detail, "once TCP has reached the peer")
    addresses.set("tor-b", "fe80::2")
    guard.look()
    addresses.clear()
    guard.look()
    assert.deepStrictEqual(asked.slice(1), ["set fe80::2%eth0 to fe80::1%eth0"])
    addresses.set("tor-c", "::ffff:192.0.2.2")
    guard.configure([watched("tor-c", { path: { ...watched("tor-c").path, localAddress: undefined } })])
    assert.strictEqual(asked.at(-1), `remove fe80::2%eth0 to fe80::1%eth0`)
    assert.strictEqual(requests.get(path)?.localAddress, "192.0.2.2")
  })

  it("change while they are up, and go when nobody wants them, before another takes the path", () => {
    const { guard, asked, requests } = make()
    guard.configure([watched("tor-a")])
    guard.configure([watched("tor-a", { profile: { ...profile, receiveIntervalMs: 50 } })])
    assert.strictEqual(requests.get(path)?.receiveIntervalMs, 50)
    guard.configure([watched("tor-a", { path: { ...watched("tor-a").path, hops: "multi" } })])
    guard.configure([])
    const far = `${path} over hops`
    assert.deepStrictEqual(asked, [`set ${path}`, `set ${path}`, `remove ${path}`, `set ${far}`, `remove ${far}`])
    assert.isUndefined(guard.of("tor-a"))
  })

  it("are one for two peers on one path, as the most demanding of them says", () => {
    const { guard, asked, requests, failures } = make()
    const slow = { ...profile, receiveIntervalMs: 1_000 }
    guard.configure([watched("tor-a", { profile: slow }), watched("tor-b")])
    assert.deepStrictEqual(asked, [`set ${path}`])
    assert.strictEqual(requests.get(path)?.receiveIntervalMs, 300)
    guard.take(up())
    guard.take(expired)
    assert.lengthOf(failures, 2)
  })

  it("are taken over by a speaker that has just begun, before its BGP sessions are there", () => {
    const { guard, asked } = make()
    guard.configure([watched("tor-a", { path: { ...watched("tor-a").path, localAddress: undefined } })])
    guard.take(connected([session()]))
    assert.deepStrictEqual(asked, [`set ${path}`])
  })
})

describe("a BGP session that BFD guards", () => {
  it("ends when BFD was up and loses the path, by either side's word", () => {
    const { guard, failures, said } = make()
    guard.configure([watched("tor-a")])
    guard.take(up())
    guard.take(expired)
    guard.take(up())
    guard.take(changed("Up", "neighbor-down", { state: "Down" }))
    assert.deepStrictEqual(failures, [
      "tor-a: BFD has lost it: nothing came for 900 ms",
      "tor-a: BFD has lost it: it says that its own session is down (3 Neighbor Signaled Session Down)"
    ])
    assert.include(said, `warning BFD with peer tor-a, ${path}: Down: detection-time-expired`)
  })

  it("may be a router's restart alone where its BFD goes down with its control plane (RFC 5882 §4.3)", () => {
    const { guard, failures } = make()
    guard.configure([watched("tor-a")])
    guard.take(up({ remote: remote(false) }))
    guard.take(expired)
    assert.deepStrictEqual(failures, ["tor-a, perhaps a restart: BFD has lost it: nothing came for 900 ms"])
  })

  it("does not end for AdminDown on either side, nor for a BFD session that was never up", () => {
    const { guard, failures } = make()
    guard.configure([watched("tor-a")])
    guard.take(changed("Init", "detection-time-expired", { state: "Down" }))
    guard.take(up())
    guard.take(changed("Up", "neighbor-admin-down", { state: "Down" }))
    guard.take(up())
    guard.take(changed("Up", "disabled", { state: "AdminDown" }))
    assert.deepStrictEqual(failures, [])
  })

  it("does not end when the process goes, also when another one takes its place and has heard nobody yet", () => {
    const { guard, failures, said, link } = make()
    guard.configure([watched("tor-a")])
    guard.take(connected([]))
    guard.take(up())
    link.isConnected = false
    guard.take({ _tag: "BfdDisconnected", reason: "connect ENOENT", isHanging: false })
    assert.isTrue(guard.isAway)
    assert.include(guard.of("tor-a"), { state: "Unknown", code: "LT0312", detail: "connect ENOENT" })
    assert.match(
      said.at(-1) ?? "",
      /^error LT0312 BFD: expected its process to answer, found: connect ENOENT; peer tor-a/
    )
    link.isConnected = true
    guard.take(connected([], 2))
    guard.take(changed("Down", undefined, { state: "Down" }))
    assert.deepStrictEqual(failures, [])
  })

  it("ends when the same process has lost the path while nobody listened", () => {
    const { guard, failures } = make()
    guard.configure([watched("tor-a")])
    guard.take(connected([]))
    guard.take(up())
    guard.take({ _tag: "BfdDisconnected", reason: "closed", isHanging: false })
    const lastDown = { atUnixMs: 2, cause: "detection-time-expired", diagnostic: 1 } as const
    guard.take(connected([session({ state: "Init", cause: "handshake", lastDown })]))
    assert.deepStrictEqual(failures, ["tor-a: BFD has lost it: nothing came for 900 ms"])
  })

  it("does not end for what the same process finds lost once it has hung and goes on, and is guarded again once it is up", () => {
    const { guard, failures } = make()
    guard.configure([watched("tor-a")])
    guard.take(connected([]))
    guard.take(up())
    guard.take({ _tag: "BfdDisconnected", reason: "it answers nothing", isHanging: true })
    const lastDown = { atUnixMs: 2, cause: "detection-time-expired", diagnostic: 1 } as const
    guard.take(connected([session({ state: "Down", cause: "detection-time-expired", lastDown })]))
    guard.take(changed("Down", "neighbor-down", { state: "Down", lastDown }))
    assert.deepStrictEqual(failures, [])
    guard.take(up({ lastDown }))
    guard.take(expired)
    assert.deepStrictEqual(failures, ["tor-a: BFD has lost it: nothing came for 900 ms"])
  })

  it("goes on without BFD where the process refuses the session, which is said", () => {
    const { guard, said } = make()
    guard.configure([watched("tor-a")])
    guard.take({ _tag: "BfdSessionRefused", name: path, reason: "expected an address of this node" })
    assert.include(guard.of("tor-a"), { code: "LT0313", detail: "expected an address of this node" })
    assert.match(
      said[0] ?? "",
      /^error LT0313 BFD with peer tor-a: expected a session 192\.0\.2\.2 to 192\.0\.2\.1, found/
    )
  })

  it("is nobody's business where no BFD is wanted: the process may be away", () => {
    const { guard, said, link } = make()
    link.isConnected = false
    guard.take({ _tag: "BfdDisconnected", reason: "connect ENOENT", isHanging: false })
    assert.deepStrictEqual([guard.isAway, said], [false, []])
    guard.configure([watched("tor-a")])
    assert.match(said[0] ?? "", /^error LT0312/)
  })
})
