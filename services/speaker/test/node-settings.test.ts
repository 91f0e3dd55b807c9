import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { PeerOptions } from "@lowtide/bgp/peer"
import type { NodeIntent } from "@lowtide/domain/announcing/intent"
import { Effect, Result } from "effect"
import { assert, describe, it } from "vitest"
import { lockState } from "../src/lock.ts"
import { lockNode, nodeSocketName } from "../src/node-lock.ts"
import { type LocalSettings, restartingChanges, routerIdOf, wantedPeers } from "../src/peer-options.ts"
import { RefusalLog, recentMax, repeatMs } from "../src/refusals.ts"
import { StatusPace } from "../src/status-pace.ts"
import { HandCentre, nodeIntent, peer } from "./hand-centre.ts"
import { nothingFound } from "./played.ts"

const settings: LocalSettings = { cluster: "east", node: "east-1" }

describe("wantedPeers", () => {
  const options = (
    change: Partial<LocalSettings>,
    of: Parameters<typeof peer>[0] = {},
    addresses = ["192.0.2.11", "2001:db8::11"]
  ) => {
    const intent = new HandCentre().number(nodeIntent([peer(of)], { addresses })) as NodeIntent
    const found = wantedPeers({ ...settings, ...change }, intent, nothingFound).get("router")
    return found ?? assert.fail("no peer")
  }

  it("gives the other family the node's address as next hop, and leaves its own to the session", () => {
    assert.deepStrictEqual(options({}).nextHops, { 6: "2001:db8::11" })
    assert.deepStrictEqual(options({}, { peerAddress: "2001:db8::1" }).nextHops, { 4: "192.0.2.11" })
    assert.deepStrictEqual(options({ nextHopIpv4: "192.0.2.99", nextHopIpv6: "2001:db8::99" }).nextHops, {
      4: "192.0.2.99",
      6: "2001:db8::99"
    })
  })

  it("prefers a peer's own source address and router id, and uses an address for its family only", () => {
    assert.strictEqual(options({ localAddress: "127.0.0.2" }).localAddress, "127.0.0.2")
    assert.strictEqual(options({ localAddress: "127.0.0.2" }, { sourceAddress: "127.0.0.3" }).localAddress, "127.0.0.3")
    assert.isUndefined(options({ localAddress: "127.0.0.2" }, { peerAddress: "2001:db8::1" }).localAddress)
    assert.strictEqual(options({ routerId: "198.51.100.1" }, { routerId: "198.51.100.2" }).routerId, "198.51.100.2")
    assert.strictEqual(options({ routerId: "198.51.100.1" }).routerId, "198.51.100.1")
    assert.strictEqual(options({}).routerId, "192.0.2.11")
  })

  it("has no next hop but the session's own for whoever is on an interface, unless one is set", () => {
    const unnumbered = { peerAddress: "", interface: "eth0" }
    const found = options({ localAddress: "2001:db8::11" }, unnumbered)
    assert.deepStrictEqual([found.host, found.nextHops, found.localAddress], ["eth0", {}, undefined])
    assert.deepStrictEqual(options({ nextHopIpv4: "192.0.2.99" }, unnumbered).nextHops, { 4: "192.0.2.99" })
  })

  it("makes a router id of the name of a node without IPv4: stable, never 0, below 224", () => {
    for (let index = 0; index < 500; index++) {
      const named = { ...settings, node: `n${index}` }
      const id = routerIdOf(named, ["2001:db8::1"])
      assert.match(id, /^\d+\.\d+\.\d+\.\d+$/)
      const first = Number(id.split(".")[0])
      assert.isTrue(first >= 1 && first <= 223)
      assert.strictEqual(routerIdOf(named, []), id)
    }
  })

  it("keeps a session to an external peer on its link, unless it may be further away", () => {
    assert.strictEqual(options({}, { hops: "one" }).ttl, 1)
    assert.isUndefined(options({}, { hops: "many" }).ttl)
    assert.isUndefined(options({}).ttl, "said before it could be told")
    assert.isUndefined(options({}, { peerAsn: 64496, myAsn: 64496, hops: "one" }).ttl)
    const external = options({}, { peerAsn: 0, dynamicAsn: "external", hops: "one" })
    assert.deepInclude(external, { peerAsn: "external", ttl: 1 })
    const internal = options({}, { peerAsn: 0, dynamicAsn: "internal", vrf: "red", hops: "one" })
    assert.deepInclude(internal, { peerAsn: "internal", device: "red" })
    assert.isUndefined(internal.ttl)
  })

  it("sends with TTL 255 and takes what came so many hops at most, where the peer says how many", () => {
    assert.isUndefined(options({}, { hops: "one" }).ttlMin)
    const one = options({}, { hops: "one", ttlSecurityHops: 1 })
    assert.deepStrictEqual([one.ttl, one.ttlMin], [255, 255])
    const two = options({}, { hops: "many", ttlSecurityHops: 2 })
    assert.deepStrictEqual([two.ttl, two.ttlMin], [255, 254])
    const internal = options({}, { peerAsn: 64496, myAsn: 64496, hops: "many", ttlSecurityHops: 254 })
    assert.deepStrictEqual([internal.ttl, internal.ttlMin], [255, 2])
  })

  it("takes so many prefixes at most, and has the role, that the peer says", () => {
    const { prefixesReceivedMax, role, isRoleStrict } = options({})
    assert.deepStrictEqual([prefixesReceivedMax, role, isRoleStrict], [undefined, undefined, undefined])
    assert.deepInclude(options({}, { maximumPrefixes: 5, role: "customer" }), {
      ...{ prefixesReceivedMax: 5, role: "customer", isRoleStrict: false }
    })
    const strict = options({}, { role: "route-server-client", roleStrict: true })
    assert.deepInclude(strict, { role: "rs-client", isRoleStrict: true })
    assert.strictEqual(options({}, { role: "route-server" }).role, "rs")
  })

  it("asks a router to keep routes where the peer says so, as one that has restarted", () => {
    assert.isUndefined(options({}).gracefulRestart)
    const { gracefulRestart } = options({}, { gracefulRestart: true })
    assert.deepStrictEqual(gracefulRestart, { restartTimeSeconds: 120, hasRestarted: true })
  })

  it("restarts a session for what stands in its OPEN or is an end of its connection, and says the field", () => {
    const restarting = (change: Parameters<typeof options>[1]) => restartingChanges(options({}), options({}, change))
    const cases: ReadonlyArray<readonly [Parameters<typeof options>[1], string]> = [
      [{ holdTimeSeconds: 30 }, "holdTime from 3 to 30"],
      [{ peerPort: 1790 }, "peerPort from 179 to 1790"],
      [{ peerAddress: "192.0.2.9" }, "peerAddress from 127.0.0.1 to 192.0.2.9"],
      [{ sourceAddress: "192.0.2.12" }, "sourceAddress from none to 192.0.2.12"],
      [{ myAsn: 64499 }, "myASN or localASN from 64496 to 64499"],
      [{ peerAsn: 0, dynamicAsn: "external" }, "peerASN from 64511 to external"],
      [{ routerId: "192.0.2.77" }, "routerID, else the node's first IPv4 address, from 192.0.2.11 to 192.0.2.77"],
      [{ vrf: "red" }, "vrf from none to red"],
      [{ gracefulRestart: true }, "enableGracefulRestart from none to set"],
      [{ maximumPrefixes: 5 }, "lowtide.dev/maximum-prefixes from none to 5"],
      [{ role: "peer" }, "lowtide.dev/role from none to peer"],
      [{ ttlSecurityHops: 2 }, "least TTL, by lowtide.dev/ttl-security-hops, from none to 254"]
    ]
    for (const [change, said] of cases) assert.deepStrictEqual(restarting(change), [said])
    assert.deepStrictEqual(restarting({ holdTimeSeconds: 30, vrf: "red" }), [
      "holdTime from 3 to 30",
      "vrf from none to red"
    ])
  })

  it("says what else a session restarts for: who is on its interface, and the node's address in the router id", () => {
    const unnumbered = (host: string, device = "eth0") => {
      const found = { passwordOf: () => undefined, neighborOf: () => ({ host, whyNoAddress: () => "nobody is there" }) }
      const intent = nodeIntent([peer({ peerAddress: "", interface: device })])
      return wantedPeers(settings, new HandCentre().number(intent) as NodeIntent, found).get("router")!
    }
    const changes = (from: string, to: PeerOptions) => restartingChanges(unnumbered(from), to)
    assert.deepStrictEqual(changes("fe80::1%eth0", unnumbered("fe80::2%eth0")), [
      "address of the router on the interface from fe80::1%eth0 to fe80::2%eth0"
    ])
    assert.deepStrictEqual(changes("eth0", unnumbered("fe80::2%eth0")), [
      "address of the router on the interface from eth0 to fe80::2%eth0"
    ])
    assert.deepStrictEqual(changes("fe80::1%eth0", unnumbered("fe80::1%eth1", "eth1")), [
      "peerAddress or interface from fe80::1%eth0 to fe80::1%eth1"
    ])
    assert.deepStrictEqual(restartingChanges(options({}, {}, ["2001:db8::11"]), options({})), [
      `routerID, else the node's first IPv4 address, from ${routerIdOf(settings, [])} to 192.0.2.11`
    ])
  })

  it("restarts none for what each side has for itself: timers, hops, next hops of routes", () => {
    const restarting = (change: Parameters<typeof options>[1], addresses?: Array<string>) =>
      restartingChanges(options({}), options({}, change, addresses))
    assert.deepStrictEqual(restarting({ keepaliveTimeSeconds: 2, connectTimeSeconds: 7 }), [])
    assert.deepStrictEqual(restarting({ hops: "one" }), [])
    assert.deepStrictEqual(restarting({ hops: "many" }), [])
    assert.deepStrictEqual(restarting({}, ["192.0.2.11", "2001:db8::11", "192.0.2.12"]), [])
    assert.deepStrictEqual(restarting({}, ["192.0.2.11", "2001:db8::99"]), [])
  })
})

describe("RefusalLog", () => {
  it("says each distinct fault once a minute, and counts all", () => {
    const log = new RefusalLog()
    const fault = { code: "LT0401" as const, message: "a" }
    assert.deepStrictEqual(
      [log.note(fault, 0), log.note(fault, 1), log.note({ ...fault, message: "b" }, 2), log.note(fault, repeatMs)],
      [true, false, true, true]
    )
    assert.strictEqual(log.counts.get("LT0401"), 4)
    assert.deepStrictEqual(
      log.recent.map(({ message }) => message),
      ["b", "a"]
    )
    const common = { ...fault, fault: "a key that is not known" }
    assert.isTrue(log.note({ ...common, message: "c" }, 0))
    assert.isFalse(log.note({ ...common, message: "d" }, 0))
    for (let index = 0; index < 50; index++) log.note({ ...fault, message: `${index}` }, 0)
    assert.strictEqual(log.recent.length, recentMax)
    assert.strictEqual(log.recent.at(-1)?.message, "49")
  })
})

describe("StatusPace", () => {
  it("is due at once for sessions, within a second for the rest, and every 20 s", () => {
    const pace = new StatusPace()
    const isDue = (nowMs: number) => pace.dueAtMs() <= nowMs
    assert.isTrue(isDue(0), "the first")
    pace.sending(1_000)
    assert.deepStrictEqual([isDue(20_999), isDue(21_000)], [false, true])
    pace.changed("soon")
    assert.deepStrictEqual([isDue(1_999), isDue(2_000)], [false, true])
    pace.changed("now")
    pace.changed("soon")
    assert.isTrue(isDue(1_001))
    pace.sending(1_001)
    pace.failed()
    assert.deepStrictEqual([isDue(2_000), isDue(2_001)], [false, true])
  })
})

describe("lockState", () => {
  const inFolder = async (test: (folder: string) => Promise<void>) => {
    const folder = mkdtempSync(join(tmpdir(), "lowtide-lock-"))
    try {
      await test(folder)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
  const lock = (folder: string) => Effect.runPromise(Effect.scoped(Effect.result(lockState(folder))))

  it("refuses a second holder and is free again after the first", () =>
    inFolder(async (folder) => {
      const nested = Effect.scoped(
        Effect.andThen(
          lockState(folder),
          Effect.promise(() => lock(folder))
        )
      )
      const refused = await Effect.runPromise(nested)
      assert.include(Result.isFailure(refused) ? refused.failure.message : "", `found process ${process.pid}`)
      assert.isTrue(Result.isSuccess(await lock(folder)))
    }))

  it("takes over from a process that is gone, from another that has its number now, and from garbage", () =>
    inFolder(async (folder) => {
      const owners = [
        JSON.stringify({ pid: 2 ** 22 + 1, startedAtTicks: "1", bootId: "b" }),
        JSON.stringify({ pid: process.pid, startedAtTicks: "1", bootId: "b" }),
        "",
        "garbage"
      ]
      for (const text of owners) {
        writeFileSync(join(folder, "lock"), text)
        assert.isTrue(Result.isSuccess(await lock(folder)), text)
      }
    }))

  it("leaves the lock of another alone at its end", () =>
    inFolder(async (folder) => {
      const path = join(folder, "lock")
      const other = JSON.stringify({ pid: 1, startedAtTicks: "1", bootId: "b" })
      await Effect.runPromise(
        Effect.scoped(
          Effect.andThen(
            lockState(folder),
            Effect.sync(() => writeFileSync(path, other))
          )
        )
      )
      assert.strictEqual(readFileSync(path, "utf8"), other)
    }))
})

describe("lockNode", () => {
  const cluster = `east-${process.pid}`
  const lock = (node: string) => Effect.runPromise(Effect.scoped(Effect.result(lockNode(cluster, node))))

  it("refuses a second speaker of the node, lets one of another be, and is free again after the first", async () => {
    const longName = "n".repeat(253)
    const longest = "n".repeat(107 - Buffer.byteLength(nodeSocketName(cluster, "")))
    for (const node of ["east-1", longest, longName]) {
      const nested = Effect.scoped(
        Effect.andThen(
          lockNode(cluster, node),
          Effect.promise(() => Promise.all([lock(node), lock(`${node}x`)]))
        )
      )
      const [refused, other] = await Effect.runPromise(nested)
      const message = Result.isFailure(refused) ? refused.failure.message : ""
      assert.include(message, `expected to be the only speaker of node ${node}, cluster ${cluster}`)
      assert.include(message, `@${nodeSocketName(cluster, node)}`)
      assert.isTrue(Result.isSuccess(other))
      assert.isTrue(Result.isSuccess(await lock(node)))
    }
  })

  it("tells clusters and nodes apart whose names are alike put together", () => {
    assert.notStrictEqual(nodeSocketName("a", "b-c"), nodeSocketName("a-b", "c"))
    assert.isAtMost(Buffer.byteLength(nodeSocketName("ü".repeat(100), "n")), 107)
  })
})
