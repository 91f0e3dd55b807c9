import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import {
  type CollectorEvent,
  findAttribute,
  formatAsPath,
  startCollector,
  startListener,
  startPeer,
  truePath
} from "@lowtide/bgp"
import type { Bus } from "@lowtide/bus/connection"
import { readStored } from "@lowtide/bus/read-stream"
import type { NodeStatus, WireEntry, WireReport } from "@lowtide/bus/status"
import { readLast } from "@lowtide/bus/streams"
import { statusStream, statusSubject, wireStream, wireSubject } from "@lowtide/bus/subjects"
import { waitUntil } from "@lowtide/testkit/lab/wait"
import { Effect, Result } from "effect"
import { clusterName, HandCentre, nodeIntent, nodeName, peer, tombstone, vip } from "./hand-centre.ts"
import { beginNode, get, prefixesAt, publish, startRouter, waitForPrefixes } from "./live-node.ts"

const newestStatus: Effect.Effect<NodeStatus | undefined, unknown, Bus> = Effect.map(
  readLast(statusStream, statusSubject(clusterName, nodeName)),
  (stored) => (stored === undefined ? undefined : (JSON.parse(stored.text) as NodeStatus))
)

const waitForStatus = (what: string, isSo: (status: NodeStatus) => boolean) =>
  Effect.gen(function* () {
    let last: NodeStatus | undefined
    yield* waitUntil(
      what,
      Effect.map(newestStatus, (status) => {
        last = status
        return status !== undefined && isSo(status)
      }),
      { deadlineMs: 15_000 }
    ).pipe(Effect.mapError((error) => new Error(`${String(error)}; the last status was ${JSON.stringify(last)}`)))
    return last as NodeStatus
  })

const wireEntries: Effect.Effect<ReadonlyArray<WireEntry>, unknown, Bus> = Effect.map(
  readStored(wireStream, wireSubject(clusterName, nodeName)),
  (stored) => stored.flatMap(({ text }) => (JSON.parse(text) as WireReport).entries)
)

describe("speaker", () => {
  it.live("announces signed intents, and refuses what is forged, foreign, not allowed or older", () =>
    Effect.gen(function* () {
      const { nats, node, centre, collector, own, onBus } = yield* beginNode
      yield* Effect.gen(function* () {
        const old = centre.say(vip("198.51.100.10", { services: [] }))
        const messages = [centre.say(own), centre.say(vip("198.51.100.10")), centre.say(vip("2001:db8::10"))]
        yield* publish([...messages, centre.head()])
        const speaker = yield* node.start(nats.url)
        yield* waitForPrefixes(collector, ["198.51.100.10/32", "2001:db8::10/128"])
        const status = yield* waitForStatus(
          "live",
          ({ sync, announcing }) => sync === "live" && announcing.length === 2
        )
        assert.strictEqual(status.cseq, centre.cseq)
        assert.strictEqual(status.confirmedCseq, centre.cseq)
        assert.strictEqual(status.sessions[0]?.state, "Established")
        const [session] = collector.peers()
        assert.strictEqual(session?.routerId, "192.0.2.11", "the node's own first IPv4 address")
        const attributes = session?.routes.get("198.51.100.10/32")?.attributes ?? []
        assert.strictEqual(formatAsPath(truePath(attributes)), "64496")

        const stranger = new HandCentre()
        const forged = { key: "adv.4-198-51-100-66", envelope: stranger.sealed(stranger.number(vip("198.51.100.66"))) }
        const foreign = { ...centre.number(vip("198.51.100.67")), cluster: "west" }
        yield* publish([
          forged,
          { key: "adv.4-198-51-100-67", envelope: centre.sealed(foreign) },
          centre.say(vip("203.0.113.9")),
          old,
          centre.say(vip("198.51.100.11"))
        ])
        yield* waitForPrefixes(collector, ["198.51.100.10/32", "198.51.100.11/32", "2001:db8::10/128"])
        const refused = yield* waitForStatus("four refusals", (found) => found.refused.length === 4)
        assert.deepStrictEqual(
          refused.refused.map(({ code }) => code),
          ["LT0401", "LT0404", "LT0402", "LT0403"]
        )
        assert.deepStrictEqual(
          refused.refusing?.map(({ code, count }) => `${code} ${count}`),
          ["LT0401 1", "LT0404 1", "LT0402 1"],
          "what is refused now; what is too old is not"
        )
        assert.notInclude(refused.announcing, "203.0.113.9")
        const log = yield* speaker.log
        for (const code of ["LT0401", "LT0402", "LT0403", "LT0404"]) {
          assert.strictEqual(log.split(code).length - 1, 1, `one line with ${code}`)
        }
        const metrics = (yield* get(node.httpSocket, "/metrics")).text
        assert.include(metrics, 'lowtide_bgp_session_up{peer="router"} 1')
        assert.include(metrics, 'lowtide_bgp_session_down_events_total{peer="router"} 0')
        assert.match(metrics, /^lowtide_speaker_start_time_seconds \d{10}$/m)
        assert.include(metrics, "lowtide_quiet 0")
        assert.include(metrics, 'lowtide_intent_rejected_total{code="LT0401"} 1')
        assert.include(metrics, 'lowtide_bgp_prefixes{peer="router"} 3')
        assert.strictEqual((yield* get(node.httpSocket, "/readyz")).status, 200)
        assert.strictEqual((yield* get(node.httpSocket, "/healthz")).status, 200)

        const entries = yield* wireEntries
        const applied = entries.flatMap((entry) => (entry._tag === "Applied" ? entry : []))
        const eleventh = applied.find(({ address }) => address === "198.51.100.11")
        assert.strictEqual(eleventh?.verdict, "Announced")
        assert.strictEqual(eleventh?.trigger, "intent")
        assert.deepStrictEqual(
          eleventh?.peers.map(({ peer: name, action }) => [name, action]),
          [["router", "announced"]]
        )
        const times = [eleventh?.receivedAt, eleventh?.savedAt, eleventh?.peers[0]?.writtenAt]
        assert.deepStrictEqual(times, [...times].sort(), "received, saved, written in this order")
        assert.isTrue(entries.some((entry) => entry._tag === "Session" && entry.change === "up"))
      }).pipe(onBus)
    }).pipe(Effect.scoped)
  )

  it.live("connects with the password of a Secret once that is on the node, and says so until then", () =>
    Effect.gen(function* () {
      const { nats, node, say, onBus } = yield* beginNode
      const listener = yield* startListener({ host: "127.0.0.1", port: 0 }, () => {})
      const own = {
        localAsn: 64511,
        peerAsn: 64496,
        routerId: "203.0.113.1",
        holdTimeSeconds: 3,
        families: [4] as const
      }
      const md5Key = () => Result.succeed(new TextEncoder().encode("spring tide"))
      const waiting = yield* startPeer(
        { ...own, name: "node", host: "127.0.0.1", port: 179, md5Key, isDialled: false },
        () => {}
      )
      listener.setPeers([waiting])
      yield* Effect.gen(function* () {
        const password = { from: "secret", namespace: "shop", name: "tor" } as const
        yield* say(nodeIntent([peer({ peerPort: listener.port, password })]), vip("198.51.100.10"))
        yield* node.start(nats.url, { LOWTIDE_SECRETS_DIR: node.secrets })
        const without = yield* waitForStatus("no password", ({ sessions }) => sessions[0]?.lastErrorCode === "LT0308")
        assert.match(without.sessions[0]?.lastError ?? "", /expected that of Secret shop\/tor in .*found ENOENT/)
        node.setPassword("spring tide\n")
        yield* waitUntil(
          "the route",
          Effect.sync(() => waiting.status().prefixesReceived === 1),
          { deadlineMs: 15_000 }
        )
      }).pipe(onBus)
    }).pipe(Effect.scoped)
  )

  it.live("leaves at its end where it is told to: its routes are the last choice first, then gone", () =>
    Effect.gen(function* () {
      const { nats, node, collector, events, own, say, onBus } = yield* beginNode
      yield* Effect.gen(function* () {
        yield* say(own, vip("198.51.100.10"))
        const speaker = yield* node.start(nats.url, { LOWTIDE_LEAVE_SECONDS: "3" })
        yield* waitForPrefixes(collector, ["198.51.100.10/32"])
        const communities = () => {
          const attributes = collector.peers()[0]?.routes.get("198.51.100.10/32")?.attributes ?? []
          return findAttribute(attributes, "Communities")?.values ?? []
        }
        assert.notInclude(communities(), 0xffff_0000)
        yield* speaker.signal("SIGTERM")
        yield* waitUntil(
          "GRACEFUL_SHUTDOWN",
          Effect.sync(() => communities().includes(0xffff_0000))
        )
        node.setEndpoints([])
        yield* waitForPrefixes(collector, [])
        const isUp = () => !events.some((event) => event._tag === "PeerDown")
        assert.isTrue(isUp(), "a lost endpoint is withdrawn also while the node leaves")
        yield* waitUntil(
          "the session ends",
          Effect.sync(() => !isUp())
        )
        const down = events.find((event) => event._tag === "PeerDown")
        assert.match(down?._tag === "PeerDown" ? down.reason : "", /Administrative Shutdown .*"node leaves"/)
      }).pipe(onBus)
    }).pipe(Effect.scoped)
  )

  it.live(
    "follows whom it is to believe without a restart: no route goes by a rotation of keys, and none stays by a list that is narrower",
    () =>
      Effect.gen(function* () {
        const { nats, node, centre, collector, events, own, say, onBus } = yield* beginNode
        const logFile = join(node.folder, "speaker-1.log")
        const said = (text: string, times = 1) =>
          waitUntil(
            `${times} times: ${text}`,
            Effect.sync(() => readFileSync(logFile, "utf8").split(text).length > times),
            { deadlineMs: 15_000 }
          )
        /** As an installation does: the file is exchanged whole. */
        const write = (name: string, text: string) =>
          Effect.sync(() => {
            writeFileSync(join(node.folder, `${name}.new`), text)
            renameSync(join(node.folder, `${name}.new`), join(node.folder, name))
          })
        const losses = () =>
          events.filter(
            (event) => event._tag === "PeerDown" || (event._tag === "PeerUpdate" && event.update.withdrawn.length > 0)
          ).length
        yield* Effect.gen(function* () {
          yield* say(own, vip("198.51.100.30"), vip("198.51.100.131"))
          yield* node.start(nats.url)
          yield* waitForPrefixes(collector, ["198.51.100.131/32", "198.51.100.30/32"])

          // 1. Every node believes the new key before anything is signed by it; 2. the centre signs with it.
          const next = centre.newKey("centre-2")
          yield* write("trust.json", centre.trustText)
          yield* said("trust is read anew: keys [centre-1, centre-2]")
          centre.key = next
          yield* say(vip("198.51.100.32"))
          yield* waitForPrefixes(collector, ["198.51.100.131/32", "198.51.100.30/32", "198.51.100.32/32"])
          yield* waitForStatus("both keys in use", ({ signers }) => `${signers}` === "centre-1,centre-2")
          // 3. What was signed by the old key is said anew in time; 4. the old key is believed no more.
          yield* say(own, vip("198.51.100.30"), vip("198.51.100.131"))
          const anew = yield* waitForStatus("all that was said anew", (status) => status.cseq === centre.cseq)
          assert.deepStrictEqual([anew.sync, anew.signers], ["live", ["centre-2"]])
          centre.believed.delete("centre-1")
          yield* write("trust.json", centre.trustText)
          yield* said("trust is read anew: keys [centre-2]")
          yield* waitForPrefixes(collector, ["198.51.100.131/32", "198.51.100.30/32", "198.51.100.32/32"])
          assert.strictEqual(losses(), 0)
          assert.deepStrictEqual((yield* waitForStatus("live", ({ sync }) => sync === "live")).refused, [])

          // A file that cannot be believed changes nothing.
          yield* write("allowed.json", new HandCentre().allowedText(["198.51.100.0/26"]))
          yield* said("LT0405 allowed prefixes: expected a signature by the install key")
          assert.strictEqual(losses(), 0)
          // Narrower: what is outside goes at once, and nothing else. Wider again: it comes back, from NATS.
          yield* write("allowed.json", centre.allowedText(["198.51.100.0/26"]))
          yield* waitForPrefixes(collector, ["198.51.100.30/32", "198.51.100.32/32"])
          const narrowed = yield* waitForStatus("a refusal", ({ refused }) => refused.length > 0)
          assert.deepStrictEqual(
            narrowed.refused.map(({ code, message }) => `${code} ${message}`),
            ["LT0402 VIP 198.51.100.131: expected prefixes within [198.51.100.0/26], found 198.51.100.131/32"]
          )
          yield* write("allowed.json", centre.allowedText())
          yield* waitForPrefixes(collector, ["198.51.100.131/32", "198.51.100.30/32", "198.51.100.32/32"])
          assert.strictEqual(events.filter(({ _tag }) => _tag === "PeerDown").length, 0)
        }).pipe(onBus)
      }).pipe(Effect.scoped)
  )

  it.live(
    "comes back after a whole rotation of keys with what it had, says whom it does not believe, and loses no route by the new trust",
    () =>
      Effect.gen(function* () {
        const { nats, node, centre, collector, events, own, say, onBus } = yield* beginNode
        yield* Effect.gen(function* () {
          yield* say(own, vip("198.51.100.40"), vip("198.51.100.41"))
          const first = yield* node.start(nats.url)
          yield* waitForPrefixes(collector, ["198.51.100.40/32", "198.51.100.41/32"])
          yield* first.stop

          // The rotation is over before the node is back, with the trust file that it had.
          centre.key = centre.newKey("centre-2")
          centre.believed.delete("centre-1")
          yield* say(own, vip("198.51.100.40"), tombstone("198.51.100.41"), vip("198.51.100.42"))
          yield* node.start(nats.url)
          yield* waitForPrefixes(collector, ["198.51.100.40/32", "198.51.100.41/32"])
          const refusing = yield* waitForStatus("a refusal", ({ refused }) => refused.length > 0)
          assert.deepStrictEqual(
            refusing.refused.map(({ code, message }) => `${code} ${message}`),
            ['LT0401 node.east-1: expected a key of [centre-1], found "centre-2"'],
            "once, whatever the number of messages"
          )
          assert.strictEqual(refusing.sync, "stale")

          const before = events.length
          writeFileSync(join(node.folder, "trust.new"), centre.trustText)
          renameSync(join(node.folder, "trust.new"), join(node.folder, "trust.json"))
          yield* waitForPrefixes(collector, ["198.51.100.40/32", "198.51.100.42/32"])
          yield* waitForStatus("live", ({ sync, cseq }) => sync === "live" && cseq === centre.cseq)
          const withdrawn = events
            .slice(before)
            .flatMap((event) => (event._tag === "PeerUpdate" ? event.update.withdrawn.length : []))
          assert.deepStrictEqual(
            withdrawn.filter((count) => count > 0),
            [1],
            "what the centre withdrew meanwhile, and nothing else"
          )
        }).pipe(onBus)
      }).pipe(Effect.scoped)
  )

  it.live(
    "comes back from SIGKILL with the same routes, and withdraws what lost its endpoints, while NATS is down",
    () =>
      Effect.gen(function* () {
        const { nats, node, collector, events, own, say, onBus } = yield* beginNode
        const local = vip("198.51.100.20", {
          services: [{ namespace: "shop", name: "web", uid: "uid-web", trafficPolicy: "Local" }]
        })
        yield* Effect.gen(function* () {
          yield* say(own, local, vip("198.51.100.21"))
        }).pipe(onBus)
        const first = yield* node.start(nats.url)
        yield* waitForPrefixes(collector, ["198.51.100.20/32", "198.51.100.21/32"])
        yield* nats.kill
        yield* first.kill
        yield* waitForPrefixes(collector, [])

        rmSync(node.manifests, { recursive: true })
        const second = yield* node.start(nats.url)
        yield* waitForPrefixes(collector, ["198.51.100.20/32", "198.51.100.21/32"])
        yield* second.kill
        yield* waitForPrefixes(collector, [])

        mkdirSync(node.manifests)
        node.setEndpoints([nodeName])
        yield* node.start(nats.url)
        yield* waitForPrefixes(collector, ["198.51.100.20/32", "198.51.100.21/32"])
        const downs = events.filter(({ _tag }) => _tag === "PeerDown").length
        node.setEndpoints(["east-2"])
        yield* waitForPrefixes(collector, ["198.51.100.21/32"])
        node.setEndpoints([])
        yield* waitForPrefixes(collector, [])
        node.setEndpoints([nodeName, "east-2"])
        yield* waitForPrefixes(collector, ["198.51.100.20/32", "198.51.100.21/32"])
        assert.strictEqual(events.filter(({ _tag }) => _tag === "PeerDown").length, downs, "the session stayed up")
      }).pipe(Effect.scoped)
  )

  it.live("withdraws by a tombstone, and confirms it when a silent peer's hold time has passed", () =>
    Effect.gen(function* () {
      const { nats, node, centre, collector, say, onBus } = yield* beginNode
      const silentPort = yield* refusingPort
      yield* Effect.gen(function* () {
        const peers = [
          peer({ peerPort: collector.port }),
          peer({ name: "silent", peerPort: silentPort, holdTimeSeconds: 6 })
        ]
        yield* say(nodeIntent(peers), vip("198.51.100.30"))
        const startedAtMs = Date.now()
        yield* node.start(nats.url)
        yield* waitForPrefixes(collector, ["198.51.100.30/32"])
        yield* say(tombstone("198.51.100.30"))
        yield* waitForPrefixes(collector, [])
        const withdrawn = yield* waitForStatus("the tombstone is known", ({ cseq }) => cseq === centre.cseq)
        assert.isBelow(withdrawn.confirmedCseq, centre.cseq, "the silent peer may still believe an earlier run")
        yield* waitForStatus("confirmed", ({ confirmedCseq }) => confirmedCseq === centre.cseq)
        assert.isAtLeast(Date.now() - startedAtMs, 6_000, "not before the silent peer's hold time")
        const status = yield* newestStatus
        const silent = status?.sessions.find((session) => session.peer === "silent")
        assert.strictEqual(silent?.lastErrorCode, "LT0301")
      }).pipe(onBus)
    }).pipe(Effect.scoped)
  )

  it.live("holds what would withdraw too much at once, over its own restart, until it is said as an order", () =>
    Effect.gen(function* () {
      const { nats, node, centre, collector, own, say, onBus } = yield* beginNode
      const addresses = Array.from({ length: 20 }, (_, index) => `198.51.100.${index + 1}`)
      yield* Effect.gen(function* () {
        yield* say(own, ...addresses.map((address) => vip(address)))
        const speaker = yield* node.start(nats.url)
        yield* waitUntil(
          "twenty routes",
          Effect.sync(() => prefixesAt(collector).length === 20)
        )
        yield* say(...addresses.map((address) => tombstone(address)))
        const held = yield* waitForStatus(
          "the brake holds",
          ({ brake, sync }) => brake !== undefined && sync === "live"
        )
        assert.deepInclude(held.brake, { held: 11, isNodeHeld: false })
        yield* waitUntil(
          "eleven routes",
          Effect.sync(() => prefixesAt(collector).length === 11)
        )
        const { text } = yield* get(node.httpSocket, "/metrics")
        assert.include(text, "lowtide_brake_held_intents 11")
        assert.include(yield* speaker.log, "LT0406 brake: expected at most 9 of 20 prefixes")
        yield* speaker.kill
        yield* node.start(nats.url)
        yield* waitUntil(
          "eleven routes again",
          Effect.sync(() => collector.peers().some(({ routes, endOfRib }) => routes.size === 11 && endOfRib.size === 2))
        )
        const after = yield* waitForStatus("it is live", ({ sync, runId }) => sync === "live" && runId !== held.runId)
        assert.strictEqual(after.brake?.held, 11)
        assert.isBelow(after.confirmedCseq, centre.cseq)
        const massWithdraw = { reason: "the shop is closed", cause: 9 }
        yield* say(...addresses.map((address) => ({ ...tombstone(address), massWithdraw })))
        yield* waitForPrefixes(collector, [])
        yield* waitForStatus(
          "all is confirmed",
          ({ brake, confirmedCseq }) => brake === undefined && confirmedCseq === centre.cseq
        )
      }).pipe(onBus)
    }).pipe(Effect.scoped)
  )

  it.live("begins, ends and restarts the sessions that changed, and leaves the others alone", () =>
    Effect.gen(function* () {
      const { nats, node, say, onBus } = yield* beginNode
      const first: Array<CollectorEvent> = []
      const second: Array<CollectorEvent> = []
      const firstRouter = yield* startRouter(first)
      const secondRouter = yield* startRouter(second)
      const strict = yield* startCollector({
        host: "127.0.0.1",
        port: 0,
        localAsn: 64511,
        routerId: "203.0.113.3",
        holdTimeSeconds: 3,
        families: [4, 6],
        peerAsn: 64500
      })
      const downs = (events: ReadonlyArray<CollectorEvent>) =>
        events.flatMap((event) => (event._tag === "PeerDown" ? event.reason : []))
      yield* Effect.gen(function* () {
        const stable = peer({ peerPort: firstRouter.port })
        const changing = peer({ name: "second", peerPort: secondRouter.port })
        const refusing = peer({ name: "strict", peerPort: strict.port })
        const [route] = vip("198.51.100.60").routes
        const routes = route === undefined ? [] : [{ ...route, peers: ["router", "second"] }]
        yield* say(nodeIntent([stable, changing, refusing]), vip("198.51.100.60", { routes }))
        const speaker = yield* node.start(nats.url)
        yield* waitForPrefixes(firstRouter, ["198.51.100.60/32"])
        yield* waitForPrefixes(secondRouter, ["198.51.100.60/32"])
        const status = yield* waitForStatus("a refusal", ({ sessions }) =>
          sessions.some(({ lastErrorCode }) => lastErrorCode === "LT0302")
        )
        assert.deepStrictEqual(status.sessions.find(({ peer: name }) => name === "strict")?.prefixes, 0)
        assert.strictEqual((yield* speaker.log).split("LT0302").length - 1, 1, "one line for one fault")

        yield* say(nodeIntent([stable, { ...changing, holdTimeSeconds: 9 }]))
        yield* waitUntil(
          "the session is restarted",
          Effect.sync(() => downs(second).length === 1 && prefixesAt(secondRouter).length === 1)
        )
        yield* say(nodeIntent([stable]))
        yield* waitUntil(
          "the session is ended",
          Effect.sync(() => downs(second).length === 2)
        )
        assert.match(downs(second)[1] ?? "", /Peer De-configured/)
        const last = yield* waitForStatus("one session", ({ sessions }) => sessions.length === 1)
        assert.deepStrictEqual(last.announcing, ["198.51.100.60"])
        assert.deepStrictEqual(downs(first), [])
        assert.deepStrictEqual(prefixesAt(firstRouter), ["198.51.100.60/32"])
      }).pipe(onBus)
    }).pipe(Effect.scoped)
  )

  it.live("keeps its routes while NATS is away, comes back wiped and empty, and takes the new when it is there", () =>
    Effect.gen(function* () {
      const { nats, node, centre, collector, events, own, onBus } = yield* beginNode
      const message = centre.say(own)
      const first = centre.say(vip("198.51.100.70"))
      const updates = () => events.filter(({ _tag }) => _tag !== "PeerUp").length
      yield* Effect.gen(function* () {
        yield* publish([message, first, centre.head()])
        yield* node.start(nats.url)
        yield* waitForPrefixes(collector, ["198.51.100.70/32"])
        yield* waitForStatus("live", ({ sync }) => sync === "live")
        yield* waitUntil(
          "the router has the whole table",
          Effect.sync(() => collector.peers()[0]?.endOfRib.size === 2)
        )
      }).pipe(onBus)
      const before = updates()
      yield* nats.kill
      yield* nats.wipe
      yield* nats.restart
      yield* Effect.gen(function* () {
        // A status in the new store shows that the speaker is back; the state stream has nothing for it.
        const status = yield* waitForStatus("a status after the wipe", () => true)
        assert.deepStrictEqual(status.announcing, ["198.51.100.70"])
        assert.strictEqual(updates(), before, "no UPDATE and no lost session")
        yield* publish([centre.say(vip("198.51.100.71"))])
        yield* waitForPrefixes(collector, ["198.51.100.70/32", "198.51.100.71/32"])
        yield* publish([message, first, centre.head()])
        yield* waitForStatus("live", ({ sync, cseq }) => sync === "live" && cseq === centre.cseq)
      }).pipe(onBus)
    }).pipe(Effect.scoped)
  )

  it.live(
    "announces without NATS ever having been there, tells its router when it stops, and is alone on its folder and node",
    () =>
      Effect.gen(function* () {
        const { nats, node, collector, events, own, say, onBus } = yield* beginNode
        yield* Effect.gen(function* () {
          yield* say(own, vip("198.51.100.40"))
        }).pipe(onBus)
        const first = yield* node.start(nats.url)
        yield* waitForPrefixes(collector, ["198.51.100.40/32"])
        yield* first.stop
        assert.strictEqual((yield* first.ended).code, 0)
        assert.match(
          events.flatMap((event) => (event._tag === "PeerDown" ? event.reason : [])).join(),
          /Administrative Shutdown.*speaker stops/
        )
        yield* nats.stop
        const second = yield* node.start(nats.url)
        yield* waitForPrefixes(collector, ["198.51.100.40/32"])
        const third = yield* node.start(nats.url)
        assert.strictEqual((yield* third.ended).code, 1)
        assert.include(yield* third.log, `found process ${second.pid}`)
        const elsewhere = yield* node.start(nats.url, { LOWTIDE_STATE_DIR: join(node.folder, "state-2") })
        assert.strictEqual((yield* elsewhere.ended).code, 1)
        assert.include(yield* elsewhere.log, `expected to be the only speaker of node ${nodeName}`)
        yield* second.stop
        assert.strictEqual((yield* second.ended).code, 0, "also while it waits for NATS")
        const fourth = yield* node.start(nats.url, { LOWTIDE_NODE: "", LOWTIDE_ROUTER_ID: "2001:db8::1" })
        assert.strictEqual((yield* fourth.ended).code, 2)
        assert.include(yield* fourth.log, "LOWTIDE_NODE: expected the node's name, found nothing")
        assert.include(yield* fourth.log, "LOWTIDE_ROUTER_ID: expected an IPv4 address")
        assert.notInclude(readFileSync(second.logFile, "utf8"), "LT0401")
      }).pipe(Effect.scoped)
  )
})

/** A port of 127.0.0.1 on which nobody listens: bound for a moment, then closed. */
const refusingPort = Effect.callback<number>((resume) => {
  const server = createServer()
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    server.close(() => resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 1)))
  })
})
