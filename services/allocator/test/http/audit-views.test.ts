import { describe, expect, it } from "@effect/vitest"
import type { VipIntent } from "@lowtide/domain"
import type { StoredEvent, StoredHistory, StoredWire } from "@lowtide/ledger"
import { Result } from "effect"
import { describeEvent } from "../../src/http/views/describe.ts"
import { diffItems } from "../../src/http/views/diff.ts"
import { historyEntries } from "../../src/http/views/history.ts"
import { holderAnswer, neverGivenOut } from "../../src/http/views/holder.ts"
import { traceAnswer } from "../../src/http/views/trace.ts"
import { announcementSentence, WireFacts } from "../../src/http/views/wire-facts.ts"

const reading = { position: 40, asOf: "2026-11-23T14:09:00.000Z" }
const at = (second: number) => `2026-11-23T14:05:${String(second).padStart(2, "0")}.000Z`

const stretch = (
  fromSeq: number,
  state: string,
  names: ReadonlyArray<string>,
  more: Partial<StoredHistory> = {}
): StoredHistory => ({
  network: "default",
  address: "192.0.2.1",
  fromSeq,
  toSeq: null,
  validFrom: at(fromSeq),
  validTo: null,
  state,
  pool: "public",
  holders: JSON.stringify(names.map((name) => ({ cluster: "east", namespace: "shop", name, uid: name }))),
  reasonCode: "pool-selected",
  actor: "agent:east",
  ...more
})

const life: ReadonlyArray<StoredHistory> = [
  stretch(10, "assigned", ["web"], { validTo: at(20) }),
  stretch(20, "assigned", ["web"], { validTo: at(30), reasonCode: "observed" }),
  stretch(30, "assigned", ["web", "api"], { validTo: at(40), reasonCode: "shared" }),
  stretch(40, "withdrawing", [], { validTo: at(45), reasonCode: "service-gone" }),
  stretch(45, "quarantined", [], { reasonCode: "withdrawal-confirmed", actor: "speaker:east/east-1" })
]

const asked = (moment: string | null) =>
  holderAnswer({ network: "default", address: "192.0.2.1", at: moment }, life, reading)

describe("who holds a VIP", () => {
  it("has held it since it got it, whatever else changed about it meanwhile", () => {
    const { holder } = asked(at(25))
    expect(holder).toMatchObject({ since: at(10), until: at(30), seq: 10, reason: "pool-selected" })
  })

  it("counts the first moment of a stretch to it and the last to the next one", () => {
    expect(asked(at(30)).holder?.services.map(({ name }) => name)).toEqual(["web", "api"])
    expect(asked("2026-11-23T14:05:29.999Z").holder?.services.map(({ name }) => name)).toEqual(["web"])
  })

  it("names all who share it", () => {
    expect(asked(at(35)).sentence).toBe(
      `192.0.2.1 (network default) was held by east shop/web and east shop/api from ${at(30)} until ${at(40)}, from pool public, because another Service with the same sharing key held it (event 30 by agent:east).`
    )
  })

  it("is said in the present while it lasts, also of an earlier moment", () => {
    const held = [stretch(10, "assigned", ["web"])]
    const present = `192.0.2.1 (network default) is held by east shop/web since ${at(10)}, from pool public, because this was the first pool in the stated order that had a free address (event 10 by agent:east).`
    for (const moment of [null, at(25)]) {
      expect(holderAnswer({ network: "default", address: "192.0.2.1", at: moment }, held, reading).sentence).toBe(
        present
      )
    }
  })

  it("is nobody while it rests, and the sentence says after whom", () => {
    expect(asked(null)).toMatchObject({ holder: null, phase: "quarantined" })
    const ending = { network: "default", address: "192.0.2.1", at: null, quarantineEnd: at(55) }
    expect(holderAnswer(ending, life, reading)).toMatchObject({ quarantineEnd: at(55) })
    expect(holderAnswer(ending, life, reading).sentence).toMatch(/\(event 45 .*\); others may have it from .*:55/)
    expect(asked(null).sentence).toBe(
      `192.0.2.1 (network default) is held by nobody: quarantined since ${at(45)}, after east shop/web and east shop/api, because every node that was to withdraw it has confirmed that (event 45 by speaker:east/east-1).`
    )
    expect(asked(at(42)).sentence).toContain(`was held by nobody at ${at(42)}: withdrawing`)
  })

  it("is nobody before the address was ever given out", () => {
    expect(asked(at(9))).toMatchObject({ holder: null, phase: "unknown" })
    expect(asked(at(9)).sentence).toBe(`192.0.2.1 (network default) had not been given out by ${at(9)}.`)
    const never = holderAnswer({ network: "default", address: "192.0.2.9", at: null }, [], reading)
    expect(never.sentence).toBe("192.0.2.9 (network default) has never been given out.")
    const unnamed = (moment: string | null) =>
      neverGivenOut({ address: "192.0.2.9", at: moment }, ["blue", "default"], reading).sentence
    expect(unnamed(null)).toBe("192.0.2.9 has never been given out in any network (known: blue, default).")
    const members = ["east", "west"].map((cluster) => ({ cluster, namespace: "shop", name: "web", priority: 1 }))
    const shared = {
      ...{ _tag: "SharedAddress" as const, cluster: "" as const },
      shared: { _tag: "SharedAddress", name: "any", network: "default", addresses: ["192.0.2.9"], members }
    } as const
    const kept = holderAnswer({ network: "default", address: "192.0.2.9", at: null, shared }, [], reading)
    expect(kept.sentence).toBe(
      "192.0.2.9 (network default) has never been given out. It is kept for east shop/web and west shop/web by SharedAddress any."
    )
    expect(unnamed(at(9))).toBe(`192.0.2.9 had not been given out in any network by ${at(9)} (known: blue, default).`)
  })

  it("is said as of the event that is asked about, since others of its batch have the same time", () => {
    const one = { network: "default", address: "192.0.2.1", at: at(10), seq: 9 }
    expect(holderAnswer(one, life, reading).sentence).toBe(
      `192.0.2.1 (network default) had not been given out by event 9 (${at(10)}).`
    )
    expect(holderAnswer({ ...one, at: at(42), seq: 42 }, life, reading).sentence).toContain(
      `was held by nobody at event 42 (${at(42)}): withdrawing since`
    )
  })

  it("is said beside the pools that have the address, and when the ledger begins", () => {
    const never = { network: "default", address: "192.0.2.9", at: null }
    const said = (more: object) => holderAnswer({ ...never, ...more }, [], reading).sentence
    expect(said({ pools: [] })).toBe("192.0.2.9 (network default) has never been given out. It is in no pool.")
    expect(said({ pools: ["pool a of east", "pool b of west"] })).toContain(
      " It is in pool a of east and pool b of west."
    )
    expect(said({ at: at(1), logBegins: at(9), pools: [] })).toBe(
      `192.0.2.9 (network default) had not been given out by ${at(1)}; the ledger begins at ${at(9)}.`
    )
  })

  it("has it from a pool that may not be known yet, where it was taken over", () => {
    const adopted = [stretch(10, "assigned", ["web"], { pool: "-", reasonCode: "status-says" })]
    expect(holderAnswer({ network: "default", address: "192.0.2.1", at: null }, adopted, reading).sentence).toContain(
      ", from a pool that is not known, because the Service's status named it already (event 10 "
    )
  })
})

const event = (seq: number, type: string, data: object, more: Partial<StoredEvent> = {}): StoredEvent => ({
  stream: "vip:default/192.0.2.1",
  version: 1,
  type,
  schema: 1,
  actor: "agent:east",
  actorKind: "agent",
  commandId: "c",
  correlationId: "c",
  reasonCode: "observed",
  data: JSON.stringify(data),
  meta: "{}",
  leafHash: "00".repeat(32),
  seq,
  epoch: 1,
  commitSeq: seq,
  eventId: "e",
  recordedAt: at(seq),
  ...more
})

const vip = {
  _tag: "Vip",
  network: "default",
  address: "192.0.2.1",
  pool: "public",
  cluster: "east",
  phase: "assigned",
  holders: [{ namespace: "shop", name: "web", uid: "u", sharingKey: "", ports: [], backendKey: "" }],
  lastHolders: [],
  obliged: [],
  quarantineEndMs: null
}

describe("an event in words", () => {
  const node = { name: "east-1", labels: {}, networkUnavailable: false, addresses: ["198.51.100.11"] }
  const nodeState = { _tag: "Node", cluster: "east", node, present: true }
  const service = {
    ...{ namespace: "shop", name: "web", uid: "u", labels: {}, annotations: {}, type: "LoadBalancer", selector: {} },
    ...{ requestedAddresses: [], ipFamilies: ["IPv4"], ipFamilyPolicy: "SingleStack", clusterIPs: [], ports: [] },
    externalTrafficPolicy: "Cluster"
  }
  const serviceState = { _tag: "Service", cluster: "east", service, servingNodes: [], refusal: null }
  const gold = {
    apiVersion: "metallb.io/v1beta1",
    kind: "IPAddressPool",
    namespace: "metallb-system",
    name: "gold"
  }
  const poolState = { _tag: "Manifest", cluster: "east", manifest: gold, ordinal: 1 }
  const table = [
    ["VipAssigned", { before: null, after: vip }, "192.0.2.1 of pool public was given to east shop/web"],
    [
      "VipReleased",
      { before: vip, after: { ...vip, holders: [], lastHolders: ["shop/web"], obliged: ["east-1", "east-2"] } },
      "192.0.2.1 was released by shop/web; east-1, east-2 are to confirm its withdrawal"
    ],
    [
      "VipQuarantined",
      { before: vip, after: { ...vip, phase: "quarantined", quarantineEndMs: Date.parse(at(59)) } },
      `192.0.2.1 is withdrawn everywhere and rests until ${at(59)}`
    ],
    ["NodeObserved", { before: null, after: nodeState }, "node east-1 was seen"],
    [
      "NodeObserved",
      {
        before: nodeState,
        after: { ...nodeState, node: { ...node, networkUnavailable: true } }
      },
      "node east-1 changed: networkUnavailable"
    ],
    [
      "ServiceObserved",
      {
        before: serviceState,
        after: { ...serviceState, service: { ...service, externalTrafficPolicy: "Local" } }
      },
      "Service shop/web changed: externalTrafficPolicy"
    ],
    ["ServingNodesChanged", { before: null, after: serviceState }, "Service shop/web has no serving endpoint"],
    [
      "ManifestRetired",
      { before: poolState, after: { ...poolState, retired: true } },
      "IPAddressPool metallb-system/gold was deleted while it is needed: it stays in effect until it no longer is"
    ],
    [
      "ManifestApplied",
      { before: { ...poolState, retired: true }, after: poolState },
      "IPAddressPool metallb-system/gold was brought back"
    ],
    [
      "AuditExported",
      {
        before: null,
        after: { _tag: "Export", filter: { actor: "agent:east" }, format: "csv", sinceSeq: 1, untilSeq: 9, count: 4 }
      },
      "of events 1 to 9, those with actor agent:east were exported as csv: 4 events"
    ],
    [
      "AuditExported",
      {
        before: null,
        after: { _tag: "Export", filter: { journal: "wire" }, format: "ndjson", sinceSeq: 1, untilSeq: 9, count: null }
      },
      "rows 1 to 9 of the wire journal were exported as ndjson"
    ],
    [
      "WireJournalSealed",
      { before: null, after: { _tag: "WireSeal", sinceId: 1, untilId: 9, count: 8, root: "ab", until: at(0) } },
      `the wire journal until ${at(0)} is sealed: 8 rows, ids 1 to 9, root ab`
    ],
    ["LeaderElected", { before: null, after: null }, "LeaderElected of vip:default/192.0.2.1"],
    ["toString", { before: null, after: null }, "toString of vip:default/192.0.2.1"]
  ] as const
  for (const [type, data, what] of table) {
    it(`${type}: ${what}`, () => expect(describeEvent(event(1, type, data)).what).toBe(what))
  }

  it("of nodes that are no longer awaited says why", () => {
    const data = { before: { ...vip, obliged: ["n1", "n2", "n3"] }, after: { ...vip, obliged: ["n2"] } }
    const said = (reasonCode: string) => describeEvent(event(1, "VipObligationLifted", data, { reasonCode })).what
    expect(["node-retired", "withdrawal-confirmed", "some-new-reason"].map(said)).toEqual([
      "192.0.2.1 no longer waits for n1, n3, which a person retired",
      "192.0.2.1 no longer waits for n1, n3, which confirmed its withdrawal",
      "192.0.2.1 no longer waits for n1, n3"
    ])
  })

  it("of a newer version is named", () => {
    const newer = event(1, "VipAssigned", { before: null, after: vip }, { schema: 2 })
    expect(describeEvent(newer).what).toBe("VipAssigned of vip:default/192.0.2.1")
  })

  it("of findings and refusals has the code and the fix beside the message", () => {
    const refusal = {
      code: "LT0202",
      severity: "error",
      object: { kind: "Service", namespace: "shop", name: "web" },
      field: "spec.loadBalancerIP",
      expected: "an address of a pool",
      found: "192.0.2.9",
      message: "Service shop/web: requested address in no pool",
      fix: "Ask for another"
    }
    const refused = { before: null, after: { ...serviceState, refusal } }
    expect(describeEvent(event(1, "AssignmentRefused", refused))).toEqual({
      what: "refused LT0202 Service shop/web: requested address in no pool",
      code: "LT0202",
      fix: "Ask for another"
    })
  })
})

const row = (id: number, second: number, more: Partial<StoredWire>): StoredWire => ({
  id,
  recordedAt: at(second),
  cluster: "east",
  kind: "session",
  node: "east-1",
  peer: "tor-a",
  detail: JSON.stringify({ change: "down", at: at(second), code: "LT0304", detail: "hold timer expired" }),
  ...more
})

describe("a page of history", () => {
  const events = [
    event(20, "VipFreed", { before: vip, after: vip }),
    event(10, "VipAssigned", { before: null, after: vip })
  ]
  const wire = [row(3, 25, {}), row(1, 5, {}), row(2, 15, {})]
  const idsOf = (read: Partial<Parameters<typeof historyEntries>[0]>) =>
    historyEntries({ events, hasOlder: false, wire, endsAt: undefined, node: undefined, ...read }).map(
      ({ time }) => time
    )

  it("is in the order of time, whichever record an entry is from", () => {
    expect(idsOf({})).toEqual([at(5), at(10), at(15), at(20), at(25)])
  })

  it("has what was told to routers on one page only", () => {
    expect(idsOf({ hasOlder: true })).toEqual([at(10), at(15), at(20), at(25)])
    expect(idsOf({ endsAt: at(25) })).toEqual([at(5), at(10), at(15), at(20)])
  })

  it("gives a lost session its code and the fix of that code", () => {
    const lost = historyEntries({
      events: [],
      hasOlder: false,
      wire: [row(1, 1, {})],
      endsAt: undefined,
      node: undefined
    })[0]
    expect(lost?.what).toBe("session of east-1 with tor-a went down: hold timer expired")
    expect(lost?.code).toBe("LT0304")
    expect(lost?.fix).toContain("Check the peer")
  })

  it("says of a session that its router refused what the NOTIFICATION asks for", () => {
    const detail = { change: "down", at: at(1), code: "LT0302", detail: "received NOTIFICATION 2/2 Bad Peer AS" }
    const wire = [row(1, 1, { detail: JSON.stringify(detail) })]
    const [refused] = historyEntries({ events: [], hasOlder: false, wire, endsAt: undefined, node: undefined })
    expect(refused?.fix).toMatch(/^Correct spec\.myASN of the BGPPeer/)
  })

  it("of a node leaves out what others did about the same VIP", () => {
    const entry = (node: string) => ({
      node,
      verdict: "NoPeer",
      trigger: "intent",
      receivedAt: null,
      savedAt: null,
      peers: []
    })
    const applied = row(1, 1, {
      kind: "applied",
      address: "192.0.2.1",
      detail: JSON.stringify({ entries: [entry("east-1"), entry("east-2")] })
    })
    const [shown] = historyEntries({ events: [], hasOlder: false, wire: [applied], endsAt: undefined, node: "east-2" })
    expect(shown?.what).toBe("on east-2: 192.0.2.1 told to no peer (NoPeer), by the centre's intent")
  })
})

describe("an address in a sentence", () => {
  it("is followed by no colon, which one of IPv6 may end in, and stands once for all nodes that did the same", () => {
    const peers = [{ peer: "router", action: "announced", writtenAt: at(1) }]
    const entry = { node: "east-3", verdict: "Announced", trigger: "intent", receivedAt: null, savedAt: null, peers }
    const applied = row(1, 1, {
      kind: "applied",
      address: "2001:db8:8001:1::",
      detail: JSON.stringify({
        entries: [entry, { ...entry, node: "east-4", peers: [] }, { ...entry, node: "east-1" }]
      })
    })
    const read = { events: [], hasOlder: false, wire: [applied], endsAt: undefined, node: undefined }
    expect(historyEntries(read)[0]?.what).toBe(
      "on east-1 and east-3: 2001:db8:8001:1:: announced to router, by the centre's intent; on east-4: 2001:db8:8001:1:: told to no peer (Announced), by the centre's intent"
    )
  })
})

describe("a trace", () => {
  const intent = (seq: number): VipIntent => ({
    _tag: "VipIntent",
    stamp: { incarnation: 1, epoch: 1, seq },
    cseq: 3,
    prevCseq: 2,
    cluster: "east",
    network: "default",
    address: "192.0.2.1",
    state: "announced",
    services: [],
    admission: { _tag: "Open", candidates: ["east-1", "east-2"] },
    routes: [],
    obliged: [],
    cause: { seq, type: "VipAssigned", reason: "pool-selected", actor: "agent:east" }
  })
  const traced = (
    published: Parameters<typeof traceAnswer>[0]["vips"][number]["published"],
    wire: Parameters<typeof traceAnswer>[0]["wire"] = []
  ) =>
    traceAnswer(
      {
        cluster: "east",
        namespace: "shop",
        name: "web",
        at: null,
        events: [
          event(
            10,
            "VipAssigned",
            { before: null, after: vip },
            { observedAt: at(8), meta: JSON.stringify({ receivedAt: at(9) }) }
          )
        ],
        vips: [{ address: "192.0.2.1", published }],
        answer: undefined,
        wire
      },
      reading
    ).hops.map(({ step, where, deltaMs, detail }) => `${step} ${where} ${deltaMs}: ${detail}`)

  it("names every candidate that has not reported", () => {
    expect(traced({ _tag: "Stored", message: intent(10), storedAt: at(11) })).toEqual([
      "seen agent:east null: manifest changed: the time of its file",
      "received allocator 1000: command received",
      "committed ledger 1000: event 10, epoch 1",
      "published 192.0.2.1 1000: intent of event 10: announced",
      "node-received east-1 null: nothing reported of 192.0.2.1",
      "node-received east-2 null: nothing reported of 192.0.2.1",
      "status-written agent:east null: nothing reported"
    ])
  })

  it("ends with what nodes did of themselves since: endpoints that went, sessions that came back", () => {
    const later = (seconds: number, trigger: string, verdict: string, action: string) =>
      row(1, seconds, {
        kind: "applied",
        address: "192.0.2.1",
        detail: JSON.stringify({
          entries: [
            {
              node: "east-1",
              verdict,
              trigger,
              receivedAt: null,
              savedAt: null,
              peers: [{ peer: "router", action, writtenAt: at(seconds) }]
            }
          ]
        })
      })
    const hops = traced({ _tag: "Absent" }, [
      later(30, "session", "Announced", "announced"),
      later(20, "endpoints", "NoEndpoint", "withdrawn"),
      later(5, "endpoints", "NoEndpoint", "withdrawn")
    ])
    expect(hops.slice(-2)).toEqual([
      "node-changed east-1 null: 192.0.2.1 withdrawn from router; endpoints changed: NoEndpoint",
      "node-changed east-1 null: 192.0.2.1 announced to router; the session came up: Announced"
    ])
    expect(hops.filter((text) => text.startsWith("node-changed"))).toHaveLength(2)
  })

  it("says when NATS holds an older intent, a newer one, or does not answer", () => {
    const publishedHop = (published: Parameters<typeof traced>[0]) => traced(published)[3]
    expect(publishedHop({ _tag: "Absent" })).toBe("published 192.0.2.1 null: not in NATS")
    expect(publishedHop({ _tag: "Unanswered", why: "no server" })).toContain("not known: no server")
    expect(publishedHop({ _tag: "Stored", message: intent(9), storedAt: at(1) })).toContain("holds that of event 9")
    expect(publishedHop({ _tag: "Stored", message: intent(12), storedAt: at(13) })).toContain(
      "replaced since by that of event 12"
    )
  })
})

describe("what differs between two times", () => {
  const row = (stream: string, seq: number, state: object | null) => ({
    ...{ stream, version: 1, seq, schema: 1, recordedAt: at(seq) },
    state: state === null ? null : JSON.stringify(state)
  })
  const fleet = (maxWithdrawRoutes: number) => ({
    ...{ _tag: "FleetSettings", name: "prod" },
    blastRadius: {
      ...{ maxWithdrawPercent: 5, maxWithdrawRoutes, perMs: 60_000 },
      cluster: { maxWithdrawPercent: 30, maxWithdrawRoutes: 20 }
    }
  })
  const order = (phase: string) => ({
    ...{ _tag: "Approval", id: "w-1", cluster: "east", author: "agent:east", phase, sinceMs: 0, count: 1 }
  })

  it("tells of a Service that has moved by the event that gave it its address, whatever came of the old one since", () => {
    const vip = (address: string, phase: string, names: ReadonlyArray<string>) => ({
      ...{ _tag: "Vip", network: "default", address, pool: "public", cluster: "east", phase },
      holders: names.map((name) => ({
        ...{ namespace: "shop", name, uid: name },
        sharingKey: "",
        ports: [],
        backendKey: ""
      })),
      ...{ lastHolders: ["shop/web"], obliged: [], quarantineEndMs: null }
    })
    const before = [row("vip:default/192.0.2.1", 1, vip("192.0.2.1", "assigned", ["web"]))]
    const after = [
      row("vip:default/192.0.2.1", 4, vip("192.0.2.1", "quarantined", [])),
      row("vip:default/192.0.2.2", 2, vip("192.0.2.2", "assigned", ["web"]))
    ]
    const items = Result.getOrThrow(diffItems(before as never, after as never))
    expect(items.filter(({ change }) => change === "moved").map(({ seq, sentence }) => [seq, sentence])).toEqual([
      [2, `Service east shop/web moved from 192.0.2.1 to 192.0.2.2 (event 2 at ${at(2)}).`]
    ])
  })

  it("tells of an address that was given and released between the two who had it", () => {
    const vip = (phase: string) => ({
      ...{ _tag: "Vip", network: "default", address: "192.0.2.1", pool: "public", cluster: "west", phase },
      ...{ holders: [], lastHolders: ["shop/web"], obliged: [], quarantineEndMs: null }
    })
    const stream = "vip:default/192.0.2.1/west"
    const sentences = (before: ReadonlyArray<object>, after: object) =>
      Result.getOrThrow(diffItems(before as never, [row(stream, 4, after)] as never)).map(({ sentence }) => sentence)
    const subject = "192.0.2.1 (network default)"
    for (const before of [[], [row(stream, 1, vip("free"))]])
      expect(sentences(before, vip("quarantined"))).toEqual([
        `${subject} was held by west shop/web meanwhile, and is quarantined (event 4 at ${at(4)}).`
      ])
    expect(sentences([row(stream, 1, vip("withdrawing"))], vip("quarantined"))).toEqual([
      `${subject} is quarantined, and was withdrawing (event 4 at ${at(4)}).`
    ])
  })

  it("tells of the Fleet object and of orders that wait for a second person", () => {
    const before = [row("fleet:settings", 1, fleet(50)), row("approval:w-2", 2, { ...order("pending"), id: "w-2" })]
    const after = [
      row("fleet:settings", 3, fleet(60)),
      row("approval:w-1", 4, order("pending")),
      row("approval:w-2", 5, { ...order("approved"), id: "w-2" })
    ]
    const items = Result.getOrThrow(diffItems(before as never, after as never))
    expect(items.map(({ kind, change, cluster, name, sentence }) => [kind, change, cluster, name, sentence])).toEqual([
      [
        ...["configuration", "changed", "", "Fleet//prod"],
        `Fleet prod changed: blastRadius.maxWithdrawRoutes is 60, and was 50 (event 3 at ${at(3)}).`
      ],
      [
        ...["approval", "added", "east", "w-1"],
        `Order w-1 waits for a second person: 1 address of cluster east, released by agent:east (event 4 at ${at(4)}).`
      ],
      [
        ...["approval", "changed", "east", "w-2"],
        `Order w-2 was approved: 1 address of cluster east, released by agent:east (event 5 at ${at(5)}).`
      ]
    ])
  })
})

describe("who announced it", () => {
  it("says that older reports were removed where a node has reported nothing since", () => {
    const announcers = [{ node: "east-1", intended: true, verdict: null, peers: [] }]
    expect(announcementSentence(announcers, { at: null, reportsSince: at(1), isHeld: true })).toBe(
      `By their reports east-1 has reported nothing of it since ${at(1)}, and older reports were removed: by the log it is to be announced there, but whether it is announced is not known.`
    )
    expect(announcementSentence(announcers, { at: at(2), reportsSince: null, isHeld: false })).toBe(
      `At ${at(2)}, by their reports, east-1 had reported nothing of it: by the log its withdrawal was not confirmed there, but whether it was announced is not known.`
    )
  })
})

describe("what nodes report that nothing was to be told anew", () => {
  const vip = { cluster: "east", network: "default", address: "192.0.2.1" }
  const wire = (id: number, kind: string, detail: object): StoredWire => ({
    ...{ ...vip, id, kind, recordedAt: at(id), node: "east-1", peer: "tor-a", detail: JSON.stringify(detail) }
  })
  const applied = (id: number, verdict: string, action: string) =>
    wire(id, "applied", {
      entries: [
        {
          ...{ node: "east-1", verdict, trigger: "intent", receivedAt: at(id), savedAt: at(id) },
          peers: [{ peer: "tor-a", action, writtenAt: at(id) }]
        }
      ]
    })
  const session = (id: number, change: string) => wire(id, "session", { change, at: at(id), code: null, detail: "" })
  const told = (...rows: ReadonlyArray<StoredWire>) =>
    new WireFacts(rows, Date.parse(at(59))).announcements(vip, "east-1")

  it("is that the peer has it, where the report of its announcement is gone", () => {
    expect(told(applied(5, "Announced", "unchanged"))).toEqual([{ peer: "tor-a", state: "announced", since: at(5) }])
    expect(told(applied(5, "Standby", "unchanged"))).toEqual([{ peer: "tor-a", state: "announced", since: at(5) }])
    expect(told(applied(5, "Withdrawn", "unchanged"))).toEqual([])
  })

  it("moves nothing that is known, but for a session that came up since", () => {
    const announced = applied(2, "Announced", "announced")
    const again = applied(5, "Announced", "unchanged")
    expect(told(announced, again)).toEqual([{ peer: "tor-a", state: "announced", since: at(2) }])
    expect(told(announced, session(3, "up"))).toEqual([{ peer: "tor-a", state: "unknown", since: at(3) }])
    expect(told(announced, session(3, "up"), again)).toEqual([{ peer: "tor-a", state: "announced", since: at(5) }])
    expect(told(announced, again, session(6, "down"))).toEqual([{ peer: "tor-a", state: "lost", since: at(6) }])
  })

  it("reads so in a history", () => {
    const items = historyEntries({
      ...{ events: [], hasOlder: false, endsAt: undefined, node: undefined },
      wire: [applied(5, "Announced", "unchanged")]
    })
    expect(items.map(({ what }) => what)).toEqual([
      "on east-1: 192.0.2.1 announced to tor-a as before, by the centre's intent"
    ])
  })
})
