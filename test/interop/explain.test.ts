import { assert, describe, it } from "vitest"
import { eventually, type RouterSetup, runText } from "./bgp-lab.ts"
import { startBird } from "./bgp-routers/bird.ts"
import { startFrr } from "./bgp-routers/frr.ts"
import { loneBench } from "./explain-lab.ts"

describe("lowtide bgp explain, at a node that is alone with a router set wrong", () => {
  const { lab, node, ...bench } = loneBench()
  const router = (setup: Partial<RouterSetup>, start = startBird) => bench.router(start, setup)

  for (const [name, kind] of [
    ["BIRD", startBird],
    ["FRR", startFrr]
  ] as const) {
    it(`${name} has a password and the node has none`, async () => {
      await router({ password: "spring-tide" }, kind)
      const { explained } = await node({ peer: {} })
      await explained(
        "tor-a",
        /answers no TCP segments without a signature: it has a password for this node.*What to do: Compare the passwords/
      )
    })

    it(`the node has a password and ${name} has none`, async () => {
      await router({}, kind)
      const { explained } = await node({ peer: {}, password: "spring-tide" })
      await explained(
        "tor-a",
        /answers a connection without a password: it has none for this node, and here one is set/
      )
    })

    it(`${name} has another password`, async () => {
      await router({ password: "neap-tide" }, kind)
      const { explained } = await node({ peer: {}, password: "spring-tide" })
      await explained("tor-a", /answers no TCP segments, signed or not: it has another password for this node/)
    })

    it(`${name} asks for TTL 255`, async () => {
      await router({ gtsm: true }, kind)
      const { explained } = await node({ peer: {} })
      await explained("tor-a", /what we say on it does not reach it: most often it asks for TTL 255 \(GTSM/)
    })

    it(`${name} sends with a lower TTL than the node asks for, while the first connection is still opening`, async () => {
      await router({}, kind)
      const { explained } = await node({ peer: { ttlSecurityHops: 1, connectTimeSeconds: 600 } })
      const text = await explained(
        "tor-a",
        /The node looked: .* dropped \d+ segments with a lower TTL than is asked for/
      )
      assert.notMatch(text, /LT0301/, "no attempt has failed yet")
    })

    it(`${name} expects another AS, and says so`, async () => {
      await router({ neighborAsn: 64499 }, kind)
      const { explained } = await node({ peer: {} })
      const text = await explained("tor-a", /LT0302/)
      assert.match(
        text,
        /that it sent us \(.* ago\) was 2\/2 Bad Peer AS: it has this node as a neighbour of another AS/
      )
      assert.match(text, /it expects another ASN than our 65551/)
    })

    it(`${name} is in another AS than the BGPPeer says`, async () => {
      await router({ localAsn: 64499 }, kind)
      const { explained } = await node({ peer: {} })
      const text = await explained("tor-a", /LT0305/)
      assert.match(text, /that we sent it \(.* ago\) was 2\/2 Bad Peer AS: it is in another AS than spec.peerASN/)
    })

    it(`${name} insists on a role (RFC 9234), and the node says none`, async () => {
      await router({ role: "provider", requiresRole: true }, kind)
      const { explained } = await node({ peer: {} })
      await explained("tor-a", /was 2\/11 Role Mismatch: .* insists on one \(strict mode\) and the BGPPeer has none/)
    })

    it(`${name} takes fewer prefixes than it is told`, async () => {
      await router({ maximumPrefixes: 1 }, kind)
      const { explained } = await node({ peer: {}, prefixes: ["198.51.100.1", "198.51.100.2", "198.51.100.3"] })
      await explained(
        "tor-a",
        /it sent us \(.* ago\) was 6\/1 .*: we announce more prefixes than it takes: raise its limit/
      )
    })

    it(`somebody shuts the neighbour down at ${name}`, async () => {
      const running = await router({}, kind)
      const { explained } = await node({ peer: {} })
      await explained("tor-a", /is Established .* it has all 1 prefix that it is to have/)
      await running.shutDown("new firmware")
      const text = await explained("tor-a", /is not established/)
      assert.match(
        text,
        /was 6\/2 Administrative Shutdown, with the text "new firmware": somebody has shut the neighbour down/
      )
      if (name === "FRR") {
        // It goes on to take connections, and closes them without a word.
        const later = await explained(
          "tor-a",
          /takes no session .* since NOTIFICATION 6\/2 .* "new firmware" \(LT0302\)/
        )
        assert.match(later, /What to do: Ask who shut the neighbour down at the router/)
      }
    })
  }

  it("nobody listens at the router's address", async () => {
    const { explained } = await node({ peer: {} })
    const text = await explained("tor-a", /LT0301/)
    assert.match(text, /connection refused: nothing listens on TCP port 179 there .*What to do: See that BGP runs at/)
  })

  it("nobody on the link has the address", async () => {
    const { explained } = await node({ peer: { peerAddress: "192.0.2.77" } })
    await explained("tor-a", /it does not answer on the link \(no ARP reply\)/)
  })

  it("there is no route to the address", async () => {
    const { explained } = await node({ peer: { peerAddress: "203.0.113.9" } })
    await explained("tor-a", /no route to its network .*What to do: Give the node a route to the router/)
  })

  it("the password is in a Secret that the node does not have", async () => {
    await router({ password: "spring-tide" })
    const secret = { from: "secret", namespace: "metallb-system", name: "tor" } as const
    const { explained } = await node({ peer: { password: secret } })
    await explained("tor-a", /its password is not on this node: .* \(LT0308\)/)
  })

  it("the path is cut, and the hold time passes", async () => {
    await router({})
    const { explained } = await node({ peer: {} })
    await explained("tor-a", /is Established/)
    const link = (state: string) => runText("ip", ["-n", lab().router.namespace, "link", "set", "up0", state])
    await link("down")
    try {
      await explained(
        "tor-a",
        /we sent it \(.* ago\) was 4\/0 Hold Timer Expired: nothing came from it for the hold time/
      )
    } finally {
      await link("up")
      // What a link that goes down takes away, its own IPv6 address, does not come back by itself.
      await runText("ip", ["-n", lab().router.namespace, "address", "add", "2001:db8::1/64", "dev", "up0", "nodad"])
    }
  })

  describe("BFD", () => {
    const peer = {
      bfd: {
        ...{ receiveIntervalMs: 300, transmitIntervalMs: 300, detectMultiplier: 3 },
        ...{ passiveMode: false, minimumTtl: 254 }
      }
    }

    it("is not set up at the router", async () => {
      await router({})
      const { explained } = await node({ peer, hasBfd: true })
      await explained(
        "tor-a",
        /is Established .* BFD with it is Down, and only the hold time guards it: see at the router/
      )
    })

    it("does not run on the node, or hangs there", async () => {
      await router({})
      const without = await node({ peer })
      await without.explained("tor-a", /is Established .* BFD is not run with it: connect ENOENT .* \(LT0312\)/)
      await without.close()
      const { explained, signalBfd, lowtide } = await node({ peer, hasBfd: true })
      await explained("tor-a", /BFD with it is Down/)
      signalBfd("SIGSTOP")
      try {
        await explained("tor-a", /is Established .* BFD is not run with it: .* answers nothing \(LT0312\)/)
        const { stdout } = await lowtide(["bgp", "peers", "--node-local"])
        assert.match(stdout, /Unknown/)
      } finally {
        signalBfd("SIGCONT")
      }
      await explained("tor-a", /BFD with it is Down/)
    })

    it("loses the path", async () => {
      await router({ hasBfd: true })
      const { explained } = await node({ peer, hasBfd: true })
      await explained("tor-a", /is Established .* BFD with it is Up/)
      const link = (state: string) => runText("ip", ["-n", lab().router.namespace, "link", "set", "up0", state])
      await link("down")
      try {
        const text = await explained(
          "tor-a",
          /we sent it \(.* ago\) was 6\/10 BFD Down: BFD says that the path is broken/
        )
        assert.match(text, /[1-9]\d* x LT0311 .*BFD has lost it: nothing came for 900 ms/)
      } finally {
        await link("up")
        await runText("ip", ["-n", lab().router.namespace, "address", "add", "2001:db8::1/64", "dev", "up0", "nodad"])
      }
      await explained("tor-a", /is Established .* BFD with it is Up/)
    })

    it("of the node is gone without a word, and the router ends the session", async () => {
      await router({ hasBfd: true })
      const { explained, signalBfd } = await node({ peer, hasBfd: true })
      await explained("tor-a", /is Established .* BFD with it is Up/)
      signalBfd("SIGKILL")
      const text = await explained("tor-a", /was 6\/0 Cease: it ended the session/)
      assert.match(text, /It went down [1-9]\d* time/)
      assert.match(text, /BFD is not run with it: .* \(LT0312\)/)
      assert.match(
        text,
        /was 6\/0 Cease: it ended the session and does not say why: BIRD does so when its BFD loses this node/
      )
    })
  })

  it("a family that the router did not take up is said of the prefix, and the session is up", async () => {
    await router({ onlyFamily: 4 })
    const { explained } = await node({ peer: {}, prefixes: ["198.51.100.1", "2001:db8:1::1"] })
    const text = await explained("2001:db8:1::1", /LT0306/)
    assert.match(text, /is to tell tor-a, and has not: LT0306/)
    await explained("198.51.100.1", /has told tor-a with next hop 192.0.2.2 \(written/)
  })

  it("a person at the node takes a route away at the router, over a restart, and gives it back", async () => {
    const running = await router({})
    const alone = await node({ peer: {}, prefixes: ["198.51.100.1", "198.51.100.2"] })
    const hasRoutes = (...prefixes: ReadonlyArray<string>) =>
      eventually(
        async () => [...(await running.routes(4)).keys()].sort(),
        (found) => found.join() === prefixes.join(),
        `the router has ${prefixes.join()}`,
        90_000
      )
    await hasRoutes("198.51.100.1/32", "198.51.100.2/32")
    const withdrawn = await alone.lowtide(["node", "withdraw", "198.51.100.1", "--reason", "attack"])
    assert.deepStrictEqual(withdrawn, { stdout: "withdrew 1 prefix: 198.51.100.1/32; written to tor-a\n", exitCode: 0 })
    await hasRoutes("198.51.100.2/32")
    await alone.explained("198.51.100.1", /the node has it withheld by hand/)
    await alone.restart()
    await hasRoutes()
    await hasRoutes("198.51.100.2/32")
    const status = await alone.lowtide(["node", "status"])
    assert.strictEqual(status.exitCode, 1)
    assert.match(status.stdout, /198\.51\.100\.1\/32 +\S+ ago +local:\S+ +attack/)
    const restored = await alone.lowtide(["node", "restore", "--all", "--reason", "it is over"])
    assert.strictEqual(restored.exitCode, 0, restored.stdout)
    await hasRoutes("198.51.100.1/32", "198.51.100.2/32")
  })
})
