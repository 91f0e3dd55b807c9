import { assert } from "@effect/vitest"
import { type Bench, type CaseRun, hasCount, hasRoute, nodeAsn, setupFor, speakArgs } from "./bgp-cases.ts"
import { eventually, linkAddresses, runText } from "./bgp-lab.ts"

/** How often both sides meet in a run; `npm run interop -- --collisions N` says otherwise. */
export const collisionRounds = Number(process.env.LOWTIDE_INTEROP_COLLISIONS ?? 2)

/** The connections on port 179 that are established in a namespace, as `local remote` each. */
const connections = async (namespace: string): Promise<ReadonlyArray<string>> => {
  const text = await runText("ip", ["netns", "exec", namespace, "ss", "-Htn", "state", "established"])
  const lines = text.split("\n").filter((line) => /:179(\s|$)/.test(line))
  return lines.map((line) => line.trim().split(/\s+/).slice(2, 4).join(" "))
}

/** Whether the router has opened a connection to the speaker. */
const hasDialled = async ({ lab }: Bench) =>
  (await connections(lab.node.namespace)).some((line) => line.startsWith(`${linkAddresses.node[4]}:179 `))

const passwordAndGtsm =
  (transport: 4 | 6): CaseRun =>
  async ({ startRouter, speak }) => {
    const neighbor = linkAddresses.node[transport]
    const router = await startRouter(setupFor({ neighbor, password: "spring-tide", gtsm: true }))
    const wrong = speak([...speakArgs({ transport }), "--gtsm", "--password", "neap-tide"])
    assert.match((await wrong.event("ConnectFailed")).reason, /no answer to the TCP connection request/)
    await wrong.kill()
    speak([...speakArgs({ transport }), "--gtsm", "--password", "spring-tide", "--announce", "198.51.100.1/32"])
    await hasCount(router, 4, 1)
  }

/** Who may talk to whom, how a session begins, ends, and is missed. */
export const sessionCases = {
  "unexpected AS": async ({ startRouter, speak }) => {
    await startRouter(setupFor({ neighborAsn: 64499 }))
    const failed = await speak(speakArgs({ localAsn: 64512 })).event("ConnectFailed")
    assert.strictEqual(
      failed.reason,
      "peer tor-a (192.0.2.1) refused the session: NOTIFICATION 2/2 Bad Peer AS sent by the peer; it expects another ASN than our 64512"
    )
  },

  "other AS": async ({ startRouter, speak }) => {
    await startRouter(setupFor())
    const failed = await speak([...speakArgs(), "--peer-as", "64510"]).event("ConnectFailed")
    assert.match(failed.reason, /its OPEN says AS 64501, our configuration expects AS 64510/)
    assert.deepInclude(failed.notification, { code: 2, subcode: 2, direction: "sent" })
  },

  "password and GTSM 4": passwordAndGtsm(4),
  "password and GTSM 6": passwordAndGtsm(6),

  "hold 3": async ({ startRouter, speak }) => {
    const router = await startRouter(setupFor())
    const speaker = speak([...speakArgs(), "--hold", "3", "--announce", "198.51.100.1/32", "--status"])
    assert.strictEqual((await speaker.event("SessionEstablished")).holdTimeSeconds, 3)
    await hasCount(router, 4, 1)
    // More keepalives than fit into one hold time have gone both ways.
    await eventually(
      async () => (await speaker.status()).messages,
      ({ sent, received }) => Math.min(sent.Keepalive, received.Keepalive) > 3,
      "keepalives go both ways"
    )
    assert.isUndefined(speaker.events.find(({ _tag }) => _tag === "SessionEnded"))
    speaker.signal("SIGSTOP")
    await hasCount(router, 4, 0)
  },

  "hold 0": async ({ startRouter, speak }) => {
    const router = await startRouter(setupFor())
    const speaker = speak([...speakArgs(), "--hold", "0", "--announce", "198.51.100.1/32"])
    assert.strictEqual((await speaker.event("SessionEstablished")).holdTimeSeconds, 0)
    await hasCount(router, 4, 1)
  },

  collision: async (bench) => {
    const router = await bench.startRouter(setupFor({ dials: true }))
    const speaker = bench.speak([
      ...speakArgs({}, "--listen", linkAddresses.node[4], "--status"),
      ...["--announce", "198.51.100.1/32"]
    ])
    await hasCount(router, 4, 1)
    for (let round = 0; round < collisionRounds; round++) {
      const from = speaker.events.length
      await router.reset()
      await speaker.event("SessionEnded", from)
      // While it stands still the router's connection waits in the kernel; then it takes that one and opens its own.
      speaker.signal("SIGSTOP")
      await eventually(() => hasDialled(bench), Boolean, "the router has dialled")
      speaker.signal("SIGCONT")
      await speaker.event("SessionEstablished", from)
      await eventually(router.isUp, Boolean, "the router says that the session is up")
      for (const { namespace } of [bench.lab.router, bench.lab.node]) {
        await eventually(
          () => connections(namespace),
          (found) => found.length === 1,
          "one connection is left"
        )
      }
      await hasRoute(router, 4, "198.51.100.1/32")
      const tags = speaker.events.map(({ _tag }) => _tag)
      const count = (tag: string) => tags.filter((found) => found === tag).length
      assert.strictEqual(count("SessionEstablished") - count("SessionEnded"), 1)
    }
  },

  roles: async ({ startRouter, speak }) => {
    const router = await startRouter(setupFor({ role: "provider" }))
    const wrong = speak([...speakArgs(), "--role", "peer"])
    assert.match((await wrong.event("ConnectFailed")).reason, /2\/11 Role Mismatch/)
    await wrong.kill()
    speak([...speakArgs(), "--role", "customer", "--announce", "198.51.100.1/32"])
    await hasCount(router, 4, 1)
  },

  "router shuts down": async ({ name, startRouter, speak }) => {
    const router = await startRouter(setupFor({ neighborAsn: nodeAsn }))
    const speaker = speak([...speakArgs(), "--announce", "198.51.100.1/32"])
    await hasCount(router, 4, 1)
    await router.shutDown("replacing the line card")
    const { reason, notification } = await speaker.event("SessionEnded")
    assert.deepInclude(notification, { code: 6, direction: "received" })
    assert.include(reason, "replacing the line card", name)
    await hasCount(router, 4, 0)
    await router.open()
    await hasCount(router, 4, 1)
  }
} as const satisfies Readonly<Record<string, CaseRun>>
