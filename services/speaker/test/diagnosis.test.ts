import { createServer } from "node:net"
import type { PeerEvent, PeerOptions, PeerStatus } from "@lowtide/bgp/peer"
import { Result } from "effect"
import { assert, describe, it } from "vitest"
import { Diagnosis, type DiagnosisPort, lookAgainMs, openingMs } from "../src/diagnosis/diagnosis.ts"
import { type Evidence, judgeDropped, judgeEvidence } from "../src/diagnosis/judge.ts"
import { linkOf, parseArp, probeHost, probeTcp } from "../src/diagnosis/probe.ts"
import { parseTcpCounters, readTcpCounters, type TcpCounters } from "../src/diagnosis/tcp-counters.ts"

const none = { md5NotFound: 0, md5Unexpected: 0, md5Failure: 0, minTtlDrop: 0 }
const silent: Evidence = {
  hasPassword: false,
  ttl: undefined,
  end: "silent",
  host: "silent",
  link: undefined
}

describe("what evidence shows of a session that does not come up", () => {
  const cases: ReadonlyArray<readonly [string, Partial<Evidence>, ReadonlyArray<RegExp>]> = [
    [
      "a router that answers without a password",
      { hasPassword: true, unsigned: "open", host: "refused" },
      [/it has none for this node, and here one is set/]
    ],
    [
      "a router that refuses without a password",
      { hasPassword: true, unsigned: "refused" },
      [/it has none for this node/]
    ],
    [
      "a router further away than one hop",
      { ttl: 1, ordinaryTtl: "open" },
      [/more than one hop away, which spec.ebgpMultiHop/]
    ],
    [
      "a router that answers TTL 255 alone",
      { ttl: 1, ordinaryTtl: "silent", fullTtl: "open" },
      [/TTL 255 alone.*GTSM/]
    ],
    [
      "a router that takes the connection and hears nothing",
      { end: "unheard", host: "refused" },
      [/what we say on it does not reach it.*GTSM/]
    ],
    [
      "a router that is there, and we have a password",
      { hasPassword: true, unsigned: "silent", host: "refused" },
      [/there \(it answers by ICMP\).*signed or not: it has another password/]
    ],
    [
      "a router that is there, and we have none",
      { link: "known" },
      [/there \(it answers on the link\).*without a signature: it has a password for this node, or/]
    ],
    ["the same with TTL 1", { link: "known", ttl: 1 }, [/a password for this node, or TTL 255 \(GTSM\), or a filter/]],
    ["nobody on the link", { link: "silent" }, [/no ARP reply/]],
    ["nobody at all", { host: "unreachable" }, [/nothing of it answers/]]
  ]
  for (const [what, change, expected] of cases) {
    it(what, () => {
      const found = judgeEvidence({ ...silent, ...change })
      assert.strictEqual(found.length, expected.length, found.join("; "))
      for (const [index, pattern] of expected.entries()) assert.match(found[index] ?? "", pattern)
    })
  }
})

describe("what it shows that the kernel dropped segments", () => {
  const cases: ReadonlyArray<readonly [string, boolean, Partial<TcpCounters>, ReadonlyArray<RegExp>]> = [
    ["of another password", true, { md5Failure: 3 }, [/all its sessions .*, dropped 3 segments .* password than ours/]],
    ["that are unsigned", true, { md5NotFound: 2 }, [/2 segments without a signature.*the other side has none/]],
    ["that are signed", false, { md5Unexpected: 1 }, [/1 signed segments.*tor-a needs spec.password/]],
    ["from afar", false, { minTtlDrop: 4 }, [/4 segments with a lower TTL/]],
    ["that cannot be this session's", false, { md5Failure: 3, md5NotFound: 2 }, []],
    ["for two reasons", true, { md5Failure: 1, minTtlDrop: 1 }, [/another password/, /lower TTL/]]
  ]
  for (const [what, hasPassword, dropped, expected] of cases) {
    it(what, () => {
      const found = judgeDropped({ ...none, ...dropped }, { peer: "tor-a", hasPassword })
      assert.strictEqual(found.length, expected.length, found.join("; "))
      for (const [index, pattern] of expected.entries()) assert.match(found[index] ?? "", pattern)
    })
  }
})

const options: PeerOptions = {
  name: "tor-a",
  host: "192.0.2.1",
  port: 179,
  localAsn: 64496,
  peerAsn: 64511,
  routerId: "192.0.2.2",
  holdTimeSeconds: 90,
  ttl: 1,
  families: [4, 6],
  md5Key: () => Result.succeed(new TextEncoder().encode("spring-tide"))
}
const failed = (reason: string, more: Partial<Extract<PeerEvent, { _tag: "ConnectFailed" }>> = {}): PeerEvent => ({
  _tag: "ConnectFailed",
  reason,
  retryInMs: 1_000,
  ...more
})
const noAnswer = failed("peer tor-a (192.0.2.1) cannot be reached: no answer to the TCP connection request")
const up: PeerEvent = {
  _tag: "SessionEstablished",
  remoteRouterId: "192.0.2.1",
  remoteAsn: 64511,
  holdTimeSeconds: 90,
  keptForSeconds: 0,
  families: [4]
}

describe("Diagnosis", () => {
  const make = (more: Partial<DiagnosisPort> = {}) => {
    const clock = { nowMs: 0 }
    const counted = { ...none }
    let reads = 0
    const asked: Array<string> = []
    let found = 0
    const diagnosis = new Diagnosis({
      monotonicMs: () => clock.nowMs,
      unixMs: () => clock.nowMs,
      counters: () => {
        reads++
        return { ...counted }
      },
      probeTcp: async (_, { ttl, md5Keys = [] }) => {
        asked.push(`TTL ${ttl}${md5Keys.length > 0 ? ", signed" : ""}`)
        return "silent"
      },
      probeHost: async () => "refused",
      linkOf: () => "known",
      onFound: () => {
        found++
      },
      ...more
    })
    const settle = () => new Promise((resolve) => setImmediate(resolve))
    /** What is known of the peer, in a state that began so many milliseconds ago. */
    const of = (state: PeerStatus["state"] = "Idle", forMs = 0, of = options) =>
      diagnosis.of(of, { state, sinceUnixMs: clock.nowMs - forMs })
    return { diagnosis, clock, counted, asked, settle, found: () => found, reads: () => reads, of }
  }

  it("changes one thing at a time, and looks again after a minute", async () => {
    const { diagnosis, clock, asked, settle, found, of } = make()
    diagnosis.note(options, noAnswer)
    await settle()
    assert.deepStrictEqual(asked, ["TTL 1", "TTL 64, signed", "TTL 255, signed"])
    assert.match(of().join(), /another password for this node/)
    clock.nowMs = lookAgainMs - 1
    diagnosis.note(options, noAnswer)
    assert.strictEqual(asked.length, 3)
    clock.nowMs = lookAgainMs
    diagnosis.note(options, noAnswer)
    await settle()
    assert.deepStrictEqual([asked.length, found()], [6, 1], "it has found the same")
  })

  it("says what the kernel drops while the first connection opens, and reads nothing where it is up, young or refused", () => {
    const { diagnosis, counted, reads, of } = make()
    const began = reads()
    counted.minTtlDrop = 1
    for (const state of ["Connect", "OpenSent", "OpenConfirm"] as const) {
      assert.deepStrictEqual(of(state, openingMs - 1), [])
      assert.match(of(state, openingMs).join(), /dropped 1 segments with a lower TTL/)
    }
    assert.strictEqual(reads(), began + 3)
    assert.deepStrictEqual([of("Established", 90_000), of("Active", 90_000), of("Idle", 90_000)], [[], [], []])
    assert.strictEqual(reads(), began + 3)
    assert.match(of("Active", openingMs, { ...options, isDialled: false }).join(), /lower TTL/, "it is waited for")
    diagnosis.note(options, failed("connection refused: nothing listens on TCP port 179 there"))
    assert.deepStrictEqual(of("Active", 90_000), [])
  })

  it("says what the kernel drops between attempts that heard nothing, though it looked before, until one hears something", async () => {
    const { diagnosis, counted, asked, settle, of } = make()
    diagnosis.note(options, noAnswer)
    await settle()
    assert.notMatch(of("Active").join(), /dropped/)
    counted.minTtlDrop = 2
    assert.match(of("Active").join(), /dropped 2 segments with a lower TTL.*it is there/)
    assert.strictEqual(asked.length, 3, "nobody is asked for it")
    diagnosis.note(options, failed("connection refused: nothing listens on TCP port 179 there"))
    assert.notMatch(of("Active").join(), /dropped/)
  })

  const ended: PeerEvent = { _tag: "SessionEnded", reason: "lost", keptForSeconds: 0, retryInMs: 1_000 }

  it("counts what was dropped since the session last came up, and forgets what it found once a session has lasted", async () => {
    const { diagnosis, counted, clock, settle, of } = make()
    counted.md5Failure = 5 // of before
    diagnosis.note(options, up)
    clock.nowMs = 200_000
    diagnosis.note(options, ended)
    counted.md5Failure = 7
    diagnosis.note(options, noAnswer)
    await settle()
    assert.match(of().join(), /dropped 2 segments/)
    diagnosis.note(options, up)
    clock.nowMs = 400_000
    diagnosis.note(options, ended)
    assert.deepStrictEqual(of(), [])
    diagnosis.note(options, noAnswer)
    diagnosis.note(options, up) // before the answers are there
    await settle()
    assert.deepStrictEqual(of(), [])
  })

  it("knows a session on which nothing is heard, however often it comes up", async () => {
    const { diagnosis, clock, settle, of } = make()
    const sent = { code: 4, subcode: 0, name: "4/0 Hold Timer Expired", direction: "sent" } as const
    for (let round = 0; round < 3; round++) {
      diagnosis.note(options, up)
      clock.nowMs += 90_000
      diagnosis.note(options, { ...ended, notification: sent })
      await settle()
      assert.match(of().join(), /what we say on it does not reach it/)
    }
    diagnosis.note(options, up)
    assert.match(of("Established").join(), /what we say on it does not reach it/, "it may end as the ones before")
    clock.nowMs += 900_000
    assert.deepStrictEqual(of("Established"), [], "it has lasted")
    diagnosis.note(options, { ...ended, notification: sent })
    await settle()
    assert.deepStrictEqual(of(), [])
  })

  it("says nothing of a session that is up after attempts that heard nothing: whatever it was is put right", async () => {
    const { diagnosis, settle, of } = make()
    diagnosis.note(options, noAnswer)
    await settle()
    assert.match(of().join(), /another password/)
    diagnosis.note(options, up)
    assert.deepStrictEqual(of("Established"), [])
  })

  it("does not look where the reason is known, and asks a router that hears nothing for no connection", async () => {
    const { diagnosis, asked, settle, of } = make()
    const received = { code: 2, subcode: 2, name: "2/2 Bad Peer AS", direction: "received" } as const
    diagnosis.note(options, failed("refused", { notification: received }))
    diagnosis.note(options, failed("connection refused: nothing listens on TCP port 179 there"))
    diagnosis.note(options, { ...noAnswer, isStopped: true } as PeerEvent)
    await settle()
    assert.deepStrictEqual(of(), [])
    const sent = { code: 4, subcode: 0, name: "4/0 Hold Timer Expired", direction: "sent" } as const
    diagnosis.note(options, failed("hold timer", { notification: sent }))
    await settle()
    assert.match(of().join(), /GTSM/)
    assert.deepStrictEqual(asked, [])
  })
})

describe("what the machine says", () => {
  it("the kernel's counters are read by their names, in whatever order and however many", () => {
    const text =
      "TcpExt: SyncookiesSent TCPMD5Failure TCPMD5NotFound TCPMinTTLDrop\nTcpExt: 9 3 1 4\nIpExt: InNoRoutes\nIpExt: 7\n"
    assert.deepStrictEqual(parseTcpCounters(text), { md5NotFound: 1, md5Unexpected: 0, md5Failure: 3, minTtlDrop: 4 })
    assert.deepStrictEqual(parseTcpCounters(""), none)
    if (process.platform === "linux") assert.isDefined(readTcpCounters())
  })

  it("a neighbour is known, or does not answer, or is none of the link's", () => {
    const text = [
      "IP address       HW type     Flags       HW address            Mask     Device",
      "192.0.2.1        0x1         0x2         02:00:00:00:00:01     *        eth0",
      "192.0.2.77       0x1         0x0         00:00:00:00:00:00     *        eth0"
    ].join("\n")
    assert.deepStrictEqual(
      ["192.0.2.1", "192.0.2.77", "192.0.2.7"].map((host) => parseArp(text, host)),
      ["known", "silent", undefined]
    )
    assert.isUndefined(linkOf("no address"))
  })

  it("probes never fail: a listener, nobody, an address of ours that is not here", async () => {
    const server = createServer((socket) => socket.destroy())
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const { port } = server.address() as { port: number }
    assert.strictEqual(await probeTcp({ host: "127.0.0.1", port }, {}), "open")
    await new Promise((resolve) => server.close(resolve))
    assert.strictEqual(await probeTcp({ host: "127.0.0.1", port }, {}), "refused")
    assert.strictEqual(await probeTcp({ host: "127.0.0.1", port, localAddress: "203.0.113.1" }, {}), "unreachable")
    assert.strictEqual(await probeHost({ host: "127.0.0.1", port }), "refused")
    // A link-local address without its interface: the socket cannot be connected.
    assert.strictEqual(await probeHost({ host: "fe80::1", port }), "unreachable")
  })
})
