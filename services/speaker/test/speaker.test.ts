import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import type { PeerEvent } from "@lowtide/bgp/peer"
import { startPeer } from "@lowtide/bgp/session"
import type { Stamp } from "@lowtide/domain/announcing/intent"
import { formatPrefix } from "@lowtide/net"
import { Effect, Result } from "effect"
import { afterEach, assert, describe, it } from "vitest"
import type { LoadedRecords } from "../src/journal.ts"
import type { SavedRecord } from "../src/journal-record.ts"
import type { SpeakerLife } from "../src/life.ts"
import { recordsOf, restoreState } from "../src/saved-state.ts"
import { Speaker } from "../src/speaker.ts"
import type { SpeakerPort } from "../src/speaker-port.ts"
import { readTrust } from "../src/trust.ts"
import { clusterName, HandCentre, judgeInTurn, nodeIntent, nodeName, peer, tombstone, vip } from "./hand-centre.ts"
import { firstLife, nobody, noDiagnosis, nothingWithheld, playedPeers } from "./played.ts"

const speakers: Array<Speaker> = []
afterEach(async () => {
  for (const speaker of speakers.splice(0)) await Effect.runPromise(speaker.stop())
})

/** A speaker on a disk that is a list. Its peer is on port 1 of the loopback, where nobody listens. */
const make = (
  centre: HandCentre,
  records: ReadonlyArray<SavedRecord> = [],
  damage: LoadedRecords["damage"] = "none",
  rest: Partial<Pick<SpeakerPort, "life" | "startPeer" | "withheld">> & { readonly faults?: ReadonlyArray<string> } = {}
) => {
  const files = { cluster: clusterName, trustText: centre.trustText, allowedText: centre.allowedText() }
  const saved: Array<SavedRecord> = []
  const snapshots: Array<ReadonlyArray<SavedRecord>> = []
  const said: Array<string> = []
  const clock = { nowMs: 0 }
  const disk = { answers: Promise.resolve() }
  const speaker = new Speaker({
    settings: { cluster: clusterName, node: nodeName },
    trust: Result.getOrThrow(readTrust(files)),
    journal: {
      append: async (batch) => {
        await disk.answers
        saved.push(...batch)
      },
      isLong: () => false,
      compact: (all) => void snapshots.push(all),
      close: async () => {}
    },
    loaded: { records, damage, faults: rest.faults ?? [] },
    life: firstLife,
    diagnosis: noDiagnosis,
    withheld: nothingWithheld(),
    startPeer,
    passwordOf: () => undefined,
    mayBegin: () => true,
    bfd: { set: () => undefined, remove: () => undefined, sessions: () => new Map(), isConnected: () => false },
    isOnLink: () => true,
    neighbors: nobody,
    runId: "run-1",
    say: (severity, text) => void said.push(`${severity} ${text}`),
    resync: () => {},
    wake: () => {},
    monotonicMs: () => clock.nowMs,
    unixMs: () => clock.nowMs,
    random: () => 0,
    judge: judgeInTurn,
    ...rest
  })
  speakers.push(speaker)
  speaker.start()
  const settle = async () => {
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
  }
  const take = async (...items: ReadonlyArray<{ readonly key: string; readonly envelope: string }>) => {
    speaker.intake.take({ _tag: "Snapshot", items })
    await settle()
  }
  return { speaker, saved, snapshots, said, clock, disk, settle, take }
}

const unreachable = nodeIntent([peer({ peerPort: 1, holdTimeSeconds: 90 })])

describe("Speaker", () => {
  it("says at its start which file has lost something and what to do, and what it found of others", () => {
    const fault = "journal-0: expected 9 bytes, found 3"
    const lost = make(new HandCentre(), [], "lost", { faults: [fault] }).said
    assert.match(
      lost[0] ?? "",
      /^error LT0409 saved state: .* is lost, .*\(journal-0: expected 9 bytes, found 3\)\. Fix: /
    )
    assert.strictEqual(lost.filter((line) => line.includes(fault)).length, 1)
    const torn = make(new HandCentre(), [], "torn", { faults: [fault] }).said
    assert.strictEqual(torn[0], `warning saved state: ${fault}`)
    const other = new HandCentre()
    const records = [{ _tag: "Message" as const, ...other.say(vip("198.51.100.1")) }]
    assert.match(make(new HandCentre(), records).said.at(-1) ?? "", /^warning speaker of .*: 1 record .*, 1 refused /)
  })

  it("says at its start what a person withheld, and that nobody can read it", () => {
    const said = make(new HandCentre(), [], "none", { withheld: nothingWithheld(["garbage"]) }).said
    assert.match(
      said[0] ?? "",
      /^warning LT0408 disk: .*, found it damaged: every route of this node is withheld.* Fix: /
    )
  })

  it("confirms nothing before it knows its sessions, then waits for the hold time since its process began", async () => {
    const centre = new HandCentre()
    const { speaker, take, clock } = make(centre)
    await take(centre.say(vip("198.51.100.1")), centre.say(tombstone("198.51.100.2")), centre.head())
    assert.deepStrictEqual([speaker.status().sync, speaker.status().confirmedCseq], ["live", 0])
    await take(centre.say(unreachable), centre.head())
    assert.deepStrictEqual([speaker.status().cseq, speaker.status().confirmedCseq], [3, 1])
    clock.nowMs = 89_999
    assert.strictEqual(speaker.status().confirmedCseq, 1)
    clock.nowMs = 90_000
    assert.strictEqual(speaker.status().confirmedCseq, 3)
  })

  it("waits for a router of an earlier run that is no peer any more", async () => {
    const centre = new HandCentre()
    const records: ReadonlyArray<SavedRecord> = [
      { _tag: "Message", ...centre.say(nodeIntent([])) },
      { _tag: "Session", session: "gone 192.0.2.1 179", holdTimeSeconds: 30 }
    ]
    const { speaker, take, clock } = make(centre, records)
    await take(centre.say(tombstone("198.51.100.2")), centre.say(nodeIntent([])), centre.head())
    clock.nowMs = 29_999
    assert.strictEqual(speaker.status().confirmedCseq, 1)
    clock.nowMs = 30_000
    assert.strictEqual(speaker.status().confirmedCseq, 3)
  })

  it("has the session on the disk before it begins it, and the health of endpoints after it changed", async () => {
    const centre = new HandCentre()
    const { speaker, take, saved } = make(centre)
    await take(centre.say(unreachable), centre.head())
    assert.deepStrictEqual(
      saved.map(({ _tag }) => _tag),
      ["Session", "Message", "Message"]
    )
    speaker.takeEndpoints({
      put: [{ namespace: "shop", name: "web-1", service: "web", endpoints: [{ addresses: [], nodeName }] }],
      deleted: [],
      isComplete: true
    })
    await new Promise(setImmediate)
    assert.deepStrictEqual(saved.at(-1), {
      _tag: "Health",
      service: "shop/web",
      servesHere: true,
      servesAnywhere: true
    })
  })

  it("lets go of what the disk had, and of what was found of it, once it is begun", async () => {
    const begin = () => {
      const centre = new HandCentre()
      const records: ReadonlyArray<SavedRecord> = [{ _tag: "Message", ...centre.say(vip("198.51.100.1")) }]
      const { speaker, settle } = make(centre, records)
      return { speaker, settle, records: new WeakRef(records) }
    }
    const { speaker, settle, records } = begin()
    await settle()
    setFlagsFromString("--expose-gc")
    runInNewContext("gc")()
    assert.isUndefined(records.deref())
    assert.strictEqual(speaker.intentCount, 1)
  })

  it("reports each VIP of a session that is told everything anew, which may have no next hop for some any more", async () => {
    const centre = new HandCentre()
    const { startPeer, hear, given, answers } = playedPeers()
    const { speaker, take } = make(centre, [], "none", { startPeer })
    speaker.takeEndpoints({
      put: [{ namespace: "shop", name: "web-1", service: "web", endpoints: [{ addresses: [], nodeName }] }],
      deleted: [],
      isComplete: true
    })
    await take(
      centre.say(unreachable),
      centre.say(vip("198.51.100.1")),
      centre.say(vip("2001:db8:1::1")),
      centre.head()
    )
    speaker.reporter.outbox.acknowledge(speaker.reporter.outbox.peek())
    answers.isToldAnew = true
    const before = given.length
    await take(centre.say(nodeIntent(unreachable.peers, { addresses: ["192.0.2.11", "2001:db8::11"] })), centre.head())
    const tokens = given.slice(before).map(({ token = 0 }) => token)
    assert.deepStrictEqual(tokens, [...new Set(tokens)].sort(), "one that is written stands for those before it")
    assert.lengthOf(tokens, 2)
    for (const { token = 0 } of given.slice(before)) {
      hear({ _tag: "RoutesWritten", token, announced: 0, withdrawn: 0 })
    }
    const reported = speaker.reporter.outbox
      .peek()
      .flatMap((entry) => (entry._tag === "Applied" && entry.trigger === "session" ? [entry] : []))
    assert.deepStrictEqual(
      reported.map(({ address, peers }) => [address, ...peers.map(({ peer, action }) => `${peer} ${action}`)]),
      [
        ["198.51.100.1", "router refused"],
        ["2001:db8:1::1", "router refused"]
      ],
      "as it is at the end of the turn: these played sessions carry nothing"
    )
  })

  describe("whose routes a router has lost", () => {
    const keeping = nodeIntent([peer({ gracefulRestart: true })])
    const serving = {
      put: [{ namespace: "shop", name: "web-1", service: "web", endpoints: [{ addresses: [], nodeName }] }],
      deleted: [],
      isComplete: true
    }
    const listed = vip("198.51.100.1", { admission: { _tag: "Listed", nodes: [nodeName], candidates: [nodeName] } })
    const established: PeerEvent = {
      _tag: "SessionEstablished",
      remoteRouterId: "203.0.113.1",
      remoteAsn: 64501,
      holdTimeSeconds: 9,
      keptForSeconds: 120,
      families: [4, 6]
    }
    const ended = { _tag: "SessionEnded", reason: "closed", retryInMs: 1_000 } as const

    /** A node with a VIP of each admission, as `open` and `listed` are told now: `-`, `equal` or `standby`. */
    const announcing = async (
      life: Partial<SpeakerLife> = {},
      records: ReadonlyArray<SavedRecord> = [],
      router = keeping
    ) => {
      const centre = new HandCentre()
      const peers = playedPeers()
      const kept: Array<ReadonlyMap<string, Stamp>> = []
      const made = make(centre, records, "none", {
        startPeer: peers.startPeer,
        life: { ...firstLife, keepLost: (lost) => void kept.push(new Map(lost)), ...life }
      })
      made.speaker.takeEndpoints(serving)
      await made.take(centre.say(router), centre.say(vip("198.51.100.2")), centre.say(listed), centre.head())
      const told = () => {
        const now = new Map<string, string>()
        for (const { prefix, attributes } of peers.given.flatMap(({ changes }) => changes)) {
          const how = attributes === undefined ? "-" : attributes.asPathPrepend === 0 ? "equal" : "standby"
          now.set(formatPrefix(prefix), how)
        }
        return [now.get("198.51.100.2/32"), now.get("198.51.100.1/32")]
      }
      return { ...made, ...peers, centre, kept, told }
    }

    it("comes back as standby where the centre lists who is an equal, until its next word", async () => {
      const { hear, told, settle, speaker, centre, take, kept } = await announcing()
      hear(established)
      assert.deepStrictEqual(told(), ["equal", "equal"])
      hear({ ...ended, keptForSeconds: 0 })
      speaker.tick()
      await settle()
      assert.deepStrictEqual(told(), ["equal", "standby"])
      assert.deepStrictEqual([...(kept.at(-1)?.keys() ?? [])], ["router"], "the next process knows")
      hear(established)
      await settle()
      assert.deepStrictEqual(told(), ["equal", "standby"])
      await take(centre.say(listed), centre.head())
      assert.deepStrictEqual(told(), ["equal", "equal"])
    })

    it("comes back without it to a peer that takes no standby, until the centre's next word", async () => {
      const none = nodeIntent([peer({ gracefulRestart: true, standby: "none" })])
      const { hear, told, settle, speaker, centre, take } = await announcing({}, [], none)
      hear(established)
      assert.deepStrictEqual(told(), ["equal", "equal"])
      hear({ ...ended, keptForSeconds: 0 })
      speaker.tick()
      await settle()
      hear(established)
      assert.deepStrictEqual(told(), ["equal", "-"])
      assert.deepStrictEqual(
        speaker.view.unannounced().map(({ vip, why }) => [vip.address, why]),
        [["198.51.100.1", "NoStandby"]]
      )
      await take(centre.say(listed), centre.head())
      assert.deepStrictEqual(told(), ["equal", "equal"])
    })

    it("is as it was where the router has kept them, and not once it keeps them no longer", async () => {
      const { hear, told, settle, speaker, clock } = await announcing()
      hear(established)
      hear({ ...ended, keptForSeconds: 120 })
      clock.nowMs = 119_000
      speaker.tick()
      hear(established)
      await settle()
      assert.deepStrictEqual(told(), ["equal", "equal"])
      hear({ ...ended, keptForSeconds: 120 })
      clock.nowMs = 240_000
      hear(established) // before any tick
      assert.deepStrictEqual(told(), ["equal", "standby"], "as the table is sent")
    })

    it("comes back as standby after a process that was away for longer than routers keep routes, or a boot", async () => {
      const before = await announcing()
      const records = [
        ...before.saved,
        { _tag: "Health", service: "shop/web", servesHere: true, servesAnywhere: true }
      ] as const
      const restarted = async (aliveAtMs: number | undefined, hasBooted: boolean) => {
        const peers = playedPeers()
        const former = aliveAtMs === undefined ? undefined : { bootId: "1", agreedAtMs: null, lost: {}, aliveAtMs }
        const made = make(before.centre, records, "none", {
          startPeer: peers.startPeer,
          life: { ...firstLife, former, hasBooted }
        })
        const restart = made.speaker.peers.running[0]?.options.gracefulRestart
        const [change] = peers.given
          .flatMap(({ changes }) => changes)
          .filter(({ prefix }) => formatPrefix(prefix) === "198.51.100.1/32")
        return [change?.attributes?.asPathPrepend === 0 ? "equal" : "standby", restart?.forwardingPreserved ?? true]
      }
      assert.deepStrictEqual(await restarted(-119_000, false), ["equal", true])
      assert.deepStrictEqual(await restarted(-121_000, false), ["standby", true])
      assert.deepStrictEqual(
        await restarted(-1_000, true),
        ["standby", false],
        "and its kernel forwards nothing of before"
      )
      assert.deepStrictEqual(
        await restarted(undefined, true),
        ["standby", false],
        "nor where nothing says that it did not"
      )
    })

    it("comes back as standby after its process was killed, where the router turns out to keep nothing over a restart", async () => {
      const former = { bootId: "1", agreedAtMs: null, lost: {}, aliveAtMs: -1_000 }
      const before = await announcing()
      const records = [
        ...before.saved,
        { _tag: "Health", service: "shop/web", servesHere: true, servesAnywhere: true }
      ] as const
      const metWith = async (keptForSeconds: number) => {
        const peers = playedPeers()
        const kept: Array<ReadonlyMap<string, Stamp>> = []
        const life = {
          ...firstLife,
          former,
          hasBooted: false,
          keepLost: (lost: (typeof kept)[number]) => void kept.push(lost)
        }
        const { settle } = make(before.centre, records, "none", { startPeer: peers.startPeer, life })
        peers.hear({ ...established, keptForSeconds })
        await settle()
        const change = peers.given
          .flatMap(({ changes }) => changes)
          .findLast(({ prefix }) => formatPrefix(prefix) === "198.51.100.1/32")
        return [change?.attributes?.asPathPrepend === 0 ? "equal" : "standby", kept.length]
      }
      assert.deepStrictEqual(await metWith(120), ["equal", 0])
      assert.deepStrictEqual(await metWith(0), ["standby", 1])
    })

    it("is remembered from the process before", async () => {
      const former = {
        bootId: "1",
        agreedAtMs: null,
        aliveAtMs: 0,
        lost: { router: { incarnation: 9, epoch: 1, seq: 1 } }
      }
      const { told } = await announcing({ former, hasBooted: false })
      assert.deepStrictEqual(told(), ["equal", "standby"])
    })
  })

  it("that has booted with what is too old announces nothing, and the next process knows of none, before a head of the centre agrees", async () => {
    const centre = new HandCentre()
    const records: ReadonlyArray<SavedRecord> = [
      { _tag: "Message", ...centre.say(nodeIntent([peer({ peerPort: 1 })])) },
      { _tag: "Message", ...centre.say(vip("198.51.100.1")) },
      { _tag: "Health", service: "shop/web", servesHere: true, servesAnywhere: true }
    ]
    const begun: Array<number> = []
    const life = { ...firstLife, whyOld: () => "it is 25 h old", begin: (unixMs: number) => void begun.push(unixMs) }
    const { speaker, take, said } = make(centre, records, "none", { life })
    const wanted = () => speaker.peers.running.map((one) => one.status().prefixesWanted)
    assert.deepStrictEqual([speaker.isReady, wanted(), begun], [false, [0], []])
    assert.include(
      said.join(),
      "LT0409 saved state: it is 25 h old; nothing is announced until NATS brings what the centre says"
    )
    await take(centre.head())
    assert.deepStrictEqual([speaker.isReady, wanted(), begun], [true, [1], [0]])
    assert.notInclude(make(centre, [], "none", { life }).said.join(), "LT0409", "where nothing is saved nothing is old")
    assert.lengthOf(begun, 2)
  })

  describe("of which a key is believed no more", () => {
    /** Two VIPs by the old key; then the node is told of the new one alone. */
    const rotated = async () => {
      const centre = new HandCentre()
      const made = make(centre)
      await made.take(
        centre.say(unreachable),
        centre.say(vip("198.51.100.1")),
        centre.say(vip("198.51.100.2")),
        centre.head()
      )
      centre.key = centre.newKey("centre-2")
      centre.believed.delete("centre-1")
      const believe = (allowed?: ReadonlyArray<string>) => {
        const files = { cluster: clusterName, trustText: centre.trustText, allowedText: centre.allowedText(allowed) }
        made.speaker.takeTrust(Result.getOrThrow(readTrust(files)))
        return made.settle()
      }
      const serving = { addresses: [], nodeName }
      made.speaker.takeEndpoints({
        put: [{ namespace: "shop", name: "web-1", service: "web", endpoints: [serving] }],
        deleted: [],
        isComplete: true
      })
      await made.settle()
      const announced = () => made.speaker.peers.running.map((running) => running.status().prefixesWanted)
      return { ...made, centre, believe, announced }
    }

    it("keeps what it signed until what the centre says now is read, and what is said of it by then", async () => {
      const { centre, speaker, take, clock, settle, believe, announced } = await rotated()
      await believe()
      clock.nowMs = 100
      speaker.tick()
      assert.deepStrictEqual(announced(), [2])
      await take(centre.say(unreachable), centre.say(vip("198.51.100.1")), centre.head())
      speaker.tick()
      await settle()
      assert.deepStrictEqual(announced(), [1], "the other is said by nobody who is believed")
    })

    it("keeps it for ten seconds where nothing can be read", async () => {
      const { speaker, clock, settle, believe, announced } = await rotated()
      clock.nowMs = 5_000
      await believe()
      clock.nowMs = 14_999
      speaker.tick()
      await believe() // the same again makes it no longer
      assert.deepStrictEqual(announced(), [2])
      clock.nowMs = 15_000
      speaker.tick()
      await settle()
      assert.deepStrictEqual(announced(), [0])
    })

    it("waits for nothing where prefixes are not allowed any more", async () => {
      const { believe, announced } = await rotated()
      await believe(["198.51.100.2/32"])
      assert.deepStrictEqual(announced(), [0], "and both were signed by the key")
    })
  })

  it("says of each VIP why it is or is not announced", async () => {
    const centre = new HandCentre()
    const { speaker, take } = make(centre)
    await take(
      centre.say(unreachable),
      centre.say(vip("198.51.100.1")),
      centre.say(vip("198.51.100.2", { admission: { _tag: "Open", candidates: [] } })),
      centre.say(tombstone("198.51.100.3")),
      centre.head()
    )
    const verdicts = speaker.reporter.outbox
      .peek()
      .flatMap((entry) => (entry._tag === "Applied" ? [[entry.address, entry.verdict, entry.trigger]] : []))
    assert.deepStrictEqual(verdicts, [
      ["198.51.100.1", "NoEndpoint", "intent"],
      ["198.51.100.2", "NotCandidate", "intent"],
      ["198.51.100.3", "Withdrawn", "intent"]
    ])
    assert.deepStrictEqual(speaker.status().announcing, [], "its only session is down")
  })

  it("leaves its quiet state with the withdrawals that came with the head, not before them", async () => {
    const centre = new HandCentre()
    const records: ReadonlyArray<SavedRecord> = [
      { _tag: "Message", ...centre.say(unreachable) },
      { _tag: "Message", ...centre.say(vip("198.51.100.1")) },
      { _tag: "Message", ...centre.say(vip("198.51.100.2")) },
      { _tag: "Message", ...centre.say(vip("198.51.100.3")) },
      { _tag: "Health", service: "shop/web", servesHere: true, servesAnywhere: true }
    ]
    const { speaker, take, disk, settle, snapshots } = make(centre, records, "lost")
    const wanted = () => speaker.peers.running.map((running) => running.status().prefixesWanted)
    const mostWanted = { count: 0 }
    let release = () => {}
    disk.answers = new Promise((resolve) => (release = resolve))
    await take(centre.say(tombstone("198.51.100.1")), centre.head())
    assert.deepStrictEqual(wanted(), [0], "the disk does not have the tombstone yet")
    for (const running of speaker.peers.running) {
      const change = running.change
      Object.assign(running, {
        change: (...given: Parameters<typeof change>) => {
          change(...given)
          mostWanted.count = Math.max(mostWanted.count, running.status().prefixesWanted)
        }
      })
    }
    release()
    await settle()
    assert.deepStrictEqual([wanted(), mostWanted.count], [[2], 2], "the withdrawn one was at no time wanted")
    assert.isTrue(speaker.isReady)
    assert.strictEqual(snapshots.length, 1)
  })

  it("has no session with a router that keeps its routes before the table for it is whole", async () => {
    const centre = new HandCentre()
    const keeping = nodeIntent([peer({ peerPort: 1, gracefulRestart: true }), peer({ name: "other", peerPort: 2 })])
    const records: ReadonlyArray<SavedRecord> = [
      { _tag: "Message", ...centre.say(keeping) },
      { _tag: "Message", ...centre.say(vip("198.51.100.1")) },
      { _tag: "Health", service: "shop/web", servesHere: true, servesAnywhere: true }
    ]
    const { speaker, take } = make(centre, records, "lost")
    const running = () => speaker.peers.running.map(({ options }) => options.name)
    assert.deepStrictEqual(running(), ["other"])
    await take(centre.head())
    assert.sameMembers(running(), ["router", "other"])
    const kept = speaker.peers.running.find(({ options }) => options.name === "router")
    assert.deepStrictEqual(kept?.options.gracefulRestart, { restartTimeSeconds: 120, hasRestarted: true })
    assert.strictEqual(kept?.status().prefixesWanted, 1)
  })

  it("with nothing on the disk meets such a router once the centre has told everything, or when it keeps nothing any more", async () => {
    const keeping = nodeIntent([peer({ peerPort: 1, gracefulRestart: true })])
    const begin = async () => {
      const centre = new HandCentre()
      const made = make(centre)
      await made.take(centre.say(keeping))
      assert.deepStrictEqual(made.speaker.peers.running, [])
      return { centre, ...made }
    }
    const told = await begin()
    await told.take(told.centre.say(vip("198.51.100.1")), told.centre.head())
    assert.lengthOf(told.speaker.peers.running, 1)
    const untold = await begin()
    untold.clock.nowMs = 119_999
    untold.speaker.tick()
    assert.lengthOf(untold.speaker.peers.running, 0)
    untold.clock.nowMs = 120_000
    untold.speaker.tick()
    assert.lengthOf(untold.speaker.peers.running, 1)
  })

  it("waits for sessions whose records a damaged disk may have lost, also in the process after the next snapshot", async () => {
    const centre = new HandCentre()
    const records: ReadonlyArray<SavedRecord> = [{ _tag: "Message", ...centre.say(nodeIntent([])) }]
    const { speaker, take, clock, snapshots } = make(centre, records, "lost")
    const messages = [centre.say(tombstone("198.51.100.2")), centre.head()]
    await take(...messages)
    clock.nowMs = 100_000
    assert.deepStrictEqual([speaker.status().sync, speaker.status().confirmedCseq], ["live", 1])
    const next = make(centre, snapshots[0])
    await next.take(...messages)
    next.clock.nowMs = 179_999
    assert.strictEqual(next.speaker.status().confirmedCseq, 1)
    clock.nowMs = 180_000
    next.clock.nowMs = 180_000
    assert.deepStrictEqual([speaker.status().confirmedCseq, next.speaker.status().confirmedCseq], [2, 2])
  })

  describe("brake", () => {
    const addresses = Array.from({ length: 20 }, (_, index) => `198.51.100.${index + 1}`)
    const health = { _tag: "Health", service: "shop/web", servesHere: true, servesAnywhere: true } as const
    const ordered = { massWithdraw: { reason: "the shop is closed", cause: 9 } }

    /** Twenty VIPs are wanted, and all of them are to be withdrawn at once: nine are. `before` the tombstones are said. */
    const braked = async (before: (centre: HandCentre) => void = () => {}) => {
      const centre = new HandCentre()
      const records = [
        { _tag: "Message" as const, ...centre.say(unreachable) },
        ...addresses.map((address) => ({ _tag: "Message" as const, ...centre.say(vip(address)) })),
        health
      ]
      before(centre)
      const made = make(centre, records)
      await made.take(...addresses.map((address) => centre.say(tombstone(address))), centre.head())
      return { centre, records, ...made }
    }
    const wanted = (speaker: Speaker) => speaker.peers.running.map((running) => running.status().prefixesWanted)

    it("keeps what too many tombstones would withdraw, says so, and confirms none of them", async () => {
      const { speaker, clock } = await braked()
      clock.nowMs = 3_600_000
      const { brake, confirmedCseq, sync } = speaker.status()
      assert.deepStrictEqual(wanted(speaker), [11])
      assert.deepStrictEqual([sync, brake?.held, brake?.addresses.length, brake?.isNodeHeld], ["live", 11, 11, false])
      // One node intent and twenty VIPs come before the tombstones, nine of which took effect.
      assert.strictEqual(confirmedCseq, 21 + 9)
    })

    it("keeps it in the next process, from the journal and from a snapshot", async () => {
      const { centre, records, saved } = await braked()
      const trust = { cluster: clusterName, trustText: centre.trustText, allowedText: centre.allowedText() }
      const journal = [...records, ...saved]
      const snapshot = recordsOf(restoreState(Result.getOrThrow(readTrust(trust)), nodeName, journal))
      for (const disk of [journal, snapshot]) {
        const next = make(centre, disk)
        assert.deepStrictEqual([wanted(next.speaker), next.speaker.status().brake?.held], [[11], 11])
        await next.take(...addresses.map((address) => centre.say({ ...tombstone(address), ...ordered })), centre.head())
        next.clock.nowMs = 90_000
        assert.deepStrictEqual([wanted(next.speaker), next.speaker.status().brake], [[0], undefined])
        assert.strictEqual(next.speaker.status().confirmedCseq, centre.cseq)
      }
    })

    it("lets go what is announced again, also in the next process", async () => {
      const { centre, records, saved, speaker, take } = await braked()
      await take(...addresses.map((address) => centre.say(vip(address))), centre.head())
      assert.deepStrictEqual([wanted(speaker), speaker.status().brake], [[20], undefined])
      const next = make(centre, [...records, ...saved])
      assert.deepStrictEqual([wanted(next.speaker), next.speaker.status().brake], [[20], undefined])
    })

    it("is not asked when endpoints are lost, and keeps nothing that trust has ended", async () => {
      const { centre, speaker, settle } = await braked()
      speaker.takeEndpoints({ put: [], deleted: [], isComplete: true })
      await settle()
      const none = { cluster: clusterName, trustText: centre.trustText, allowedText: centre.allowedText([]) }
      speaker.takeTrust(Result.getOrThrow(readTrust(none)))
      await settle()
      assert.deepStrictEqual([wanted(speaker), speaker.status().brake], [[0], undefined])
    })

    it("lets a tombstone go by which trust has ended what it kept, and that is confirmed once routers have it", async () => {
      const { centre, records, saved, speaker, clock, settle } = await braked((centre) => {
        centre.key = centre.newKey("centre-2")
      })
      assert.deepStrictEqual([wanted(speaker), speaker.status().brake?.held], [[11], 11])
      centre.believed.delete("centre-1")
      const files = { cluster: clusterName, trustText: centre.trustText, allowedText: centre.allowedText() }
      const trust = Result.getOrThrow(readTrust(files))
      clock.nowMs = 89_000
      speaker.takeTrust(trust)
      assert.strictEqual(speaker.status().confirmedCseq, 21, "none of the tombstones: the hold time is not over")
      await settle()
      assert.deepStrictEqual([wanted(speaker), speaker.status().brake], [[0], undefined])
      clock.nowMs = 90_000
      assert.strictEqual(speaker.status().confirmedCseq, centre.cseq)

      const { held, kept } = restoreState(trust, nodeName, [...records, ...saved])
      const states = [...held.vips.values()].map(({ message }) => message.state)
      assert.deepStrictEqual([states, kept.size], [addresses.map(() => "withdrawn"), 0], "so it is in the next process")
    })

    it("holds what endpoints made too much while the disk was waited for", async () => {
      const centre = new HandCentre()
      const records = [
        { _tag: "Message" as const, ...centre.say(unreachable) },
        ...addresses.map((address) => ({ _tag: "Message" as const, ...centre.say(vip(address)) }))
      ]
      const { speaker, disk, take, settle, saved } = make(centre, records)
      let release = () => {}
      disk.answers = new Promise((resolve) => (release = resolve))
      await take(...addresses.map((address) => centre.say(tombstone(address))), centre.head())
      const serving = { addresses: [], nodeName }
      speaker.takeEndpoints({
        put: [{ namespace: "shop", name: "web-1", service: "web", endpoints: [serving] }],
        deleted: [],
        isComplete: true
      })
      await settle()
      assert.deepStrictEqual(wanted(speaker), [20], "nothing took effect yet")
      release()
      await settle()
      assert.deepStrictEqual([wanted(speaker), speaker.status().brake?.held], [[11], 11])
      const next = make(centre, [...records, ...saved])
      assert.deepStrictEqual(wanted(next.speaker), [11])
    })
  })
})
