import type {
  DiffAnswer,
  FindingList,
  HistoryPage,
  HolderAnswer,
  NodeList,
  OrderAnswer,
  PeerList,
  PoolList,
  QuotaList,
  ReservationList,
  ServiceList,
  TraceAnswer,
  VipList,
  WhyAnswer
} from "@lowtide/api"
import type { ApprovalList } from "@lowtide/api/approvals"
import type { EvidenceList, EvidenceView } from "@lowtide/api/evidence"
import { Effect } from "effect"
import { FetchHttpClient } from "effect/http"
import { runCli } from "../src/run.ts"
import type { Surroundings } from "../src/surroundings.ts"
import { bgpFlaps, bgpRoutes, bgpSessions } from "./fixture-bgp.ts"

/** The clock of every test. */
export const nowMs = Date.parse("2026-11-23T16:05:00.000Z")

const reading = { position: 24, asOf: "2026-11-23T14:05:18.000Z" }

const clash = {
  code: "LT0121",
  severity: "error" as const,
  object: { kind: "IPAddressPool", namespace: "metallb-system", name: "twice" },
  field: "spec.addresses[0]",
  message:
    "IPAddressPool metallb-system/twice spec.addresses[0]: pools overlap: expected no addresses of pool public, found 192.0.2.8-192.0.2.20",
  expected: "no addresses of pool public",
  found: "192.0.2.8-192.0.2.20",
  fix: "Make the pools disjoint",
  source: { file: "east/pools.yaml", line: 14 }
}

const service = {
  cluster: "east",
  network: "default",
  namespace: "shop",
  trafficPolicy: "Cluster" as const,
  findings: [],
  refusal: null,
  candidates: ["east-1", "east-2", "east-3"],
  since: "2026-11-23T14:05:09.000Z"
}

export const services: ServiceList = {
  ...reading,
  reportsSince: null,
  items: [
    {
      ...service,
      name: "api",
      addresses: [],
      state: "Pending",
      announcing: [],
      eligible: [],
      candidates: [],
      refusal: {
        code: "LT0202",
        message:
          "Service shop/api metadata.annotations[metallb.io/loadBalancerIPs]: requested address in no pool: expected an address of one of the pools [public], found 203.0.113.9",
        fix: "Ask for an address of a pool, or add it to one"
      }
    },
    {
      ...service,
      name: "web",
      addresses: [
        { address: "192.0.2.1", pool: "public", leaving: false, approval: null },
        { address: "2001:db8::1", pool: "public", leaving: false, approval: null }
      ],
      state: "Announced",
      announcing: ["east-1"],
      eligible: ["east-1", "east-2"]
    },
    {
      ...service,
      cluster: "west",
      name: "web",
      addresses: [{ address: "192.0.2.2", pool: "public", leaving: false, approval: null }],
      state: "Assigned",
      announcing: [],
      eligible: ["west-1"]
    },
    {
      ...service,
      cluster: "west",
      name: "zoo",
      addresses: [{ address: "192.0.2.3", pool: "public", leaving: false, approval: "w-1" }],
      state: "Held",
      announcing: ["west-1"],
      eligible: ["west-1"]
    }
  ]
}

const pools: PoolList = {
  ...reading,
  items: [
    {
      cluster: "east",
      network: "default",
      name: "public",
      state: "Accepted",
      ranges: ["192.0.2.0/28", "2001:db8::/64"],
      autoAssign: true,
      priority: 10,
      scope: "cluster",
      quarantineSeconds: 600,
      total: "18446744073709551632",
      assigned: 2,
      withdrawing: 1,
      quarantined: 2,
      reserved: 1,
      elsewhere: 1,
      available: "18446744073709551626",
      ipv4: { total: "16", assigned: 1, withdrawing: 1, quarantined: 2, reserved: 0, elsewhere: 1, available: "11" },
      ipv6: {
        ...{ total: "18446744073709551616", assigned: 1, withdrawing: 0, quarantined: 0, reserved: 0, elsewhere: 0 },
        available: "18446744073709551615"
      },
      findings: []
    },
    {
      cluster: "east",
      network: "default",
      name: "twice",
      state: "Refused",
      ranges: ["192.0.2.8-192.0.2.20"],
      autoAssign: true,
      priority: null,
      scope: "cluster",
      quarantineSeconds: 600,
      total: "13",
      assigned: 0,
      withdrawing: 0,
      quarantined: 0,
      reserved: 0,
      elsewhere: 0,
      available: "0",
      ipv4: { total: "13", assigned: 0, withdrawing: 0, quarantined: 0, reserved: 0, elsewhere: 0, available: "0" },
      ipv6: null,
      findings: [clash]
    }
  ]
}

const session = { since: "2026-11-23T14:06:00.000Z", lastError: null, lastErrorCode: null, sync: "live" as const }

const peers: PeerList = {
  ...reading,
  reportsSince: null,
  items: [
    {
      cluster: "east",
      name: "tor-a",
      state: "Accepted",
      peerAddress: "198.51.100.1",
      peerPort: 179,
      peerAsn: 64496,
      myAsn: 64512,
      sessions: [
        {
          ...session,
          node: "east-1",
          state: "Established",
          prefixes: 2,
          bfd: "Up",
          lastError: "hold timer expired",
          lastErrorCode: "LT0304"
        },
        {
          ...session,
          node: "east-2",
          state: "Idle",
          prefixes: 0,
          bfd: "Unknown",
          lastError: "NOTIFICATION 2/2 Bad Peer AS",
          lastErrorCode: "LT0302"
        },
        { ...session, node: "east-3", state: "Unknown", since: null, prefixes: 0, sync: "silent" }
      ],
      findings: [
        {
          code: "LT0302",
          severity: "error",
          object: { kind: "BGPPeer", name: "tor-a" },
          field: "session[east-2]",
          message:
            "BGPPeer tor-a session[east-2]: peer refused the session: expected Established, found Idle: NOTIFICATION 2/2 Bad Peer AS",
          expected: "Established",
          found: "Idle: NOTIFICATION 2/2 Bad Peer AS",
          fix: "Compare AS numbers and addresses with the peer's configuration"
        }
      ]
    },
    {
      cluster: "east",
      name: "tor-b",
      state: "Refused",
      peerAddress: "",
      peerPort: 179,
      peerAsn: 0,
      myAsn: 64512,
      sessions: [],
      findings: [{ ...clash, code: "LT0111" }]
    }
  ]
}

const nodes: NodeList = {
  ...reading,
  reportsSince: null,
  items: [
    {
      cluster: "east",
      name: "east-1",
      present: true,
      retired: false,
      addresses: ["198.51.100.11"],
      excluded: null,
      sessions: { up: 1, total: 1 },
      announcing: 2,
      brake: { held: 11, isNodeHeld: false, addresses: ["192.0.2.4"], since: "2026-11-23T16:03:00.000Z" },
      sync: "live",
      lastHeard: "2026-11-23T16:04:58.000Z",
      refused: [],
      findings: []
    },
    {
      cluster: "east",
      name: "east-2",
      present: true,
      retired: false,
      addresses: ["198.51.100.12"],
      excluded: "label",
      sessions: { up: 0, total: 1 },
      announcing: 0,
      brake: null,
      sync: "unknown",
      lastHeard: null,
      refused: [{ code: "LT0401", message: "the signature does not fit", at: "2026-11-23T14:05:00.000Z" }],
      findings: []
    },
    {
      cluster: "east",
      name: "east-3",
      present: true,
      retired: false,
      addresses: ["198.51.100.13"],
      excluded: null,
      sessions: { up: 0, total: 1 },
      announcing: 0,
      brake: null,
      sync: "silent",
      lastHeard: "2026-11-23T16:04:00.000Z",
      refused: [],
      findings: [
        {
          code: "LT0307",
          severity: "warning",
          object: { kind: "Node", name: "east-3" },
          field: "",
          message: "Node east-3: speaker silent: expected a status every 20 s at least, found last heard 60 s ago",
          expected: "a status every 20 s at least",
          found: "last heard 60 s ago",
          fix: "Look at the speaker's process and its connection to NATS; what its routers still have is theirs to say"
        }
      ]
    }
  ]
}

const malformed = {
  code: "LT0101",
  severity: "error" as const,
  object: { kind: "File", name: "metallb/pools.yaml" },
  field: "",
  message: "File metallb/pools.yaml: the document does not parse: expected YAML, found a tab as indentation",
  expected: "YAML",
  found: "a tab as indentation",
  fix: "Correct the syntax at the line named",
  source: { file: "metallb/pools.yaml", line: 45 }
}

const since = "2026-11-23T14:05:03.000Z"

const findings: FindingList = {
  ...reading,
  items: [
    { cluster: "east", since, ...malformed },
    { cluster: "east", since, ...clash }
  ]
}

const holder: HolderAnswer = {
  ...reading,
  network: "default",
  address: "192.0.2.1",
  at: null,
  phase: "assigned",
  holder: {
    cluster: "east",
    services: [{ namespace: "shop", name: "web", uid: "u-1" }],
    pool: "public",
    since: "2026-11-23T14:05:09.000Z",
    until: null,
    reason: "pool-selected",
    seq: 12,
    actor: "agent:east"
  },
  reservation: null,
  approval: null,
  quarantineEnd: null,
  awaiting: [],
  sentence:
    "192.0.2.1 (network default) is held by east shop/web since 2026-11-23T14:05:09.000Z, from pool public, because pool-selected (event 12 by agent:east).",
  announcers: [
    {
      node: "east-1",
      intended: true,
      verdict: "Announced",
      peers: [{ peer: "tor-a", state: "announced", since: "2026-11-23T14:05:09.015Z" }]
    },
    { node: "east-2", intended: true, verdict: null, peers: [] }
  ],
  announcement:
    "By their reports east-1 has announced it to tor-a; east-2 has reported nothing of it: by the log it is to be announced there, but whether it is announced is not known."
}

const nobody: HolderAnswer = {
  ...holder,
  address: "192.0.2.9",
  network: null,
  phase: "unknown",
  holder: null,
  sentence: "192.0.2.9 has never been given out in any network (known: default).",
  announcers: [],
  announcement: ""
}

const line = {
  actor: "agent:east",
  cluster: "east",
  correlationId: "00000000-0000-4000-8000-000000000009",
  code: null,
  fix: null,
  words: null,
  unauthenticated: false
}

const history: HistoryPage = {
  ...reading,
  next: 11,
  archived: null,
  items: [
    {
      ...line,
      time: "2026-11-23T14:05:09.000Z",
      seq: 11,
      type: "ServiceObserved",
      what: "Service shop/web was seen",
      reason: "observed"
    },
    {
      ...line,
      time: "2026-11-23T14:05:09.000Z",
      seq: 12,
      type: "VipAssigned",
      what: "192.0.2.1 of pool public was given to east shop/web",
      reason: "pool-selected"
    },
    {
      ...line,
      time: "2026-11-23T14:05:09.250Z",
      seq: null,
      type: "applied",
      actor: "speaker:east",
      correlationId: null,
      what: "on east-1: 192.0.2.1 announced to tor-a, by the centre's intent",
      reason: null
    },
    {
      ...line,
      time: "2026-11-23T14:05:13.000Z",
      seq: 18,
      type: "AssignmentRefused",
      what: "refused LT0202 Service shop/api: requested address in no pool",
      reason: "refused",
      code: "LT0202",
      fix: "Ask for an address of a pool, or add it to one"
    }
  ]
}

const vips: VipList = {
  ...reading,
  items: [
    {
      network: "default",
      address: "192.0.2.1",
      cluster: "east",
      pool: "public",
      phase: "assigned",
      holders: [{ namespace: "shop", name: "web" }],
      awaiting: [],
      leaving: false,
      approval: null,
      routeApproval: "w-2",
      quarantineEnd: null,
      since: "2026-11-23T14:05:09.000Z"
    },
    {
      network: "default",
      address: "192.0.2.2",
      cluster: "east",
      pool: "public",
      phase: "withdrawing",
      holders: [{ namespace: "shop", name: "api" }],
      awaiting: ["east-1", "east-2"],
      leaving: false,
      approval: null,
      quarantineEnd: null,
      since: "2026-11-23T15:05:00.000Z"
    },
    {
      network: "default",
      address: "192.0.2.3",
      cluster: "west",
      pool: "public",
      phase: "assigned",
      holders: [{ namespace: "shop", name: "zoo" }],
      awaiting: [],
      leaving: false,
      approval: "w-1",
      quarantineEnd: null,
      since: "2026-11-23T15:35:00.000Z"
    }
  ]
}

const reservations: ReservationList = {
  ...reading,
  items: [
    {
      name: "web",
      network: "default",
      address: "192.0.2.9",
      pool: "public",
      cluster: "east",
      namespace: "shop",
      service: "web",
      state: "Kept",
      since: "2026-11-23T15:05:00.000Z"
    }
  ]
}

const quotas: QuotaList = {
  ...reading,
  items: [
    {
      name: "each",
      cluster: null,
      namespace: "shop",
      addresses: 5,
      usage: [
        { cluster: "east", used: 5, waiting: 2 },
        { cluster: "west", used: 1, waiting: 0 }
      ],
      since: "2026-11-23T15:05:00.000Z"
    }
  ]
}

const approvals: ApprovalList = {
  ...reading,
  perSeconds: 600,
  budget: [
    { cluster: null, withdrawn: 9, limit: 9 },
    { cluster: "east", withdrawn: 9, limit: 9 }
  ],
  items: [
    {
      id: "w-1",
      cluster: "east",
      author: "agent:east",
      phase: "pending",
      since: "2026-11-23T16:00:00.000Z",
      count: 60,
      revision: 3,
      addresses: [{ network: "default", address: "192.0.2.1", services: ["shop/web"] }],
      objects: [{ kind: "BGPAdvertisement", namespace: "metallb-system", name: "all", change: "deleted" }],
      objectCount: 1
    }
  ]
}

const said = (more: Partial<EvidenceView>): EvidenceView => ({
  ...{ cluster: "east", node: "east-1", peer: "tor-a", peerAddress: "198.51.100.1", network: "default" },
  ...{ prefix: "192.0.2.1/32", addresses: ["192.0.2.1"], wanted: true, verdict: "has", router: "tor-a.example" },
  ...{ view: "adj-rib-in-post", since: "2026-11-23T15:05:00.000Z", isOlder: false, isUsed: null, why: null },
  ...more
})

const evidence: EvidenceList = {
  ...reading,
  isListening: true,
  routers: [
    {
      ...{ address: "198.51.100.1", name: "tor-a.example", description: "FRRouting 8.4.4", sessions: 2, routes: 4 },
      ...{ since: "2026-11-23T14:00:00.000Z", heard: "2026-11-23T16:04:00.000Z", doubt: null }
    }
  ],
  lost: [{ address: "198.51.100.2", name: "", at: "2026-11-23T16:00:00.000Z", reason: "the connection was reset" }],
  items: [
    said({ isOlder: true, isUsed: true }),
    said({ node: "east-2", verdict: "never" }),
    said({ prefix: "192.0.2.4/32", addresses: ["192.0.2.4"], wanted: false, verdict: "let-go" }),
    said({
      ...{ peer: "tor-b", peerAddress: "198.51.100.2", verdict: "not-reported", router: null, view: null, since: null },
      why: "no router reports a session with this node and peer by BMP"
    })
  ],
  leftOut: 0
}

export const reserved: OrderAnswer = {
  ...reading,
  commandId: "00000000-0000-4000-8000-000000000002",
  seqFrom: 27,
  seqTo: 27,
  items: [
    {
      ...line,
      time: "2026-11-23T16:05:00.000Z",
      seq: 27,
      type: "AddressReserved",
      actor: "person:ada",
      what: "192.0.2.9 of pool public was reserved for east shop/web by reservation web",
      reason: "applied"
    }
  ]
}

const retired: OrderAnswer = {
  ...reading,
  commandId: "00000000-0000-4000-8000-000000000001",
  seqFrom: 25,
  seqTo: 26,
  items: [
    {
      ...line,
      time: "2026-11-23T16:05:00.000Z",
      seq: 25,
      type: "NodeRetired",
      actor: "local:ada",
      unauthenticated: true,
      what: "node east-1 was retired: nothing more is awaited of it",
      reason: "node-retired",
      words: "disk dead"
    }
  ]
}

const difference = { cluster: "east", before: null, after: null, seq: 20, time: "2026-11-23T14:05:15.000Z" }

export const diff: DiffAnswer = {
  ...reading,
  from: { position: 12, time: "2026-11-23T14:05:10.000Z" },
  to: { position: 24, time: "2026-11-23T14:05:18.000Z" },
  items: [
    {
      ...difference,
      kind: "address",
      change: "moved",
      name: "default/192.0.2.1",
      sentence:
        "192.0.2.1 (network default) moved from east shop/web to east shop/api (event 20 at 2026-11-23T14:05:15.000Z)."
    },
    {
      ...difference,
      kind: "node",
      change: "removed",
      name: "east-3",
      sentence: "Node east east-3 was removed (event 20 at 2026-11-23T14:05:15.000Z)."
    }
  ],
  next: null
}

const refused: WhyAnswer = {
  ...reading,
  cluster: "east",
  namespace: "shop",
  name: "web",
  at: null,
  standing: "refused",
  addresses: [],
  refusal: {
    code: "LT0201",
    message: "Service shop/web spec.type: pool exhausted: expected a free IPv4 address in pool public, found none",
    expected: "a free IPv4 address in pool public",
    found: "none",
    fix: "Give the pool more addresses",
    since: "2026-11-23T14:05:13.000Z",
    seq: 18
  },
  pools: [
    {
      pool: "public",
      verdict: "passed",
      why: "has no free address: 14 held, 2 resting after their release, 0 reserved"
    },
    { pool: "twice", verdict: "invalid", why: "is not in effect (LT0121)" }
  ],
  sentence:
    "Service east shop/web is refused since 2026-11-23T14:05:13.000Z (event 18 by agent:east): LT0201 Service shop/web spec.type: pool exhausted: expected a free IPv4 address in pool public, found none. Of the pools, public has no free address: 14 held, 2 resting after their release, 0 reserved; twice is not in effect (LT0121). Fix: Give the pool more addresses."
}

const trace: TraceAnswer = {
  ...reading,
  cluster: "east",
  namespace: "shop",
  name: "web",
  at: null,
  change: "192.0.2.1 of pool public was given to east shop/web",
  seqFrom: 11,
  seqTo: 12,
  correlationId: "00000000-0000-4000-8000-000000000009",
  hops: [
    {
      step: "seen",
      where: "agent:east",
      time: "2026-11-23T14:05:08.995Z",
      deltaMs: null,
      clock: "agent",
      detail: "manifest changed: the time of its file"
    },
    {
      step: "received",
      where: "allocator",
      time: "2026-11-23T14:05:08.998Z",
      deltaMs: 3,
      clock: "allocator",
      detail: "command received"
    },
    {
      step: "committed",
      where: "ledger",
      time: "2026-11-23T14:05:09.000Z",
      deltaMs: 34_116,
      clock: "database",
      detail: "events 11 to 12, epoch 1"
    },
    {
      step: "node-received",
      where: "east-2",
      time: null,
      deltaMs: null,
      clock: "node",
      detail: "nothing reported of 192.0.2.1"
    }
  ]
}

const problem = (status: number, type: string, more: object) => ({
  status,
  body: { type: `https://lowtide.dev/problems/${type}`, status, title: type, ...more }
})

const ok = (body: object) => ({ status: 200, body })

/** In the middle of an upgrade. */
const fleetVersion = {
  position: 42,
  asOf: "2026-11-22T10:00:00.000Z",
  version: 1,
  newest: 2,
  finalised: null,
  off: ["poolQuarantine"],
  processes: [
    { kind: "allocator", name: "one", version: 2, state: "live", holdsBack: false },
    { kind: "allocator", name: "two", version: 1, state: "silent", holdsBack: false },
    { kind: "agent", name: "east", version: null, state: "unheard", holdsBack: false },
    { kind: "speaker", name: "east/east-1", version: 1, state: "live", holdsBack: true }
  ]
}

/** What the pretended server answers, by path. */
const routes: Readonly<Record<string, { readonly status: number; readonly body: object }>> = {
  "/v1/fleet/version": ok(fleetVersion),
  "/v1/fleet/finalise": problem(409, "refused", {
    detail:
      "Fleet version: a process holds the fleet's version back: expected every process that is alive to know version 2, found speaker east/east-1 of version 1",
    code: "LT0544",
    fix: "Upgrade or stop the processes named, wait until they are heard from, and finalise again"
  }),
  "/v1/services": ok(services),
  "/v1/pools": ok(pools),
  "/v1/vips": ok(vips),
  "/v1/nodes/east/east-1/retire": ok(retired),
  "/v1/nodes/east/east-2/retire": problem(409, "refused", {
    detail: "Node east/east-2: node is still there",
    code: "LT0605",
    fix: "Delete the Node object first"
  }),
  "/v1/vips/192.0.2.2/force-release": ok({ ...retired, seqFrom: null, seqTo: null, items: [] }),
  "/v1/vips/192.0.2.9/force-release": problem(403, "forbidden", {
    detail: "Caller machine:ci: role missing",
    code: "LT0602",
    fix: "Use a token that has the role named",
    role: "operator"
  }),
  "/v1/reservations": ok(reservations),
  "/v1/quotas": ok(quotas),
  "/v1/approvals": ok(approvals),
  "/v1/approvals/w-1/approve": ok({
    ...retired,
    items: retired.items.map((item) => ({
      ...item,
      type: "WithdrawalsApproved",
      what: "order w-1 was approved: 60 addresses of cluster east are withdrawn",
      reason: "approved",
      words: "CHG-955"
    }))
  }),
  "/v1/approvals/w-1/reject": problem(403, "forbidden", {
    detail: "Caller local:ada: role missing",
    code: "LT0602",
    fix: "Use a token that has the role named",
    role: "operator"
  }),
  "/v1/objects/Fleet/prod/delete": ok({
    ...retired,
    items: retired.items.map((item) => ({
      ...item,
      type: "WithdrawalsHeld",
      what: "order w-1 waits for a second person: 60 addresses of cluster east, released by agent:east",
      reason: "over-budget"
    }))
  }),
  "/v1/objects": ok(reserved),
  "/v1/objects/Reservation/web/delete": ok({ ...reserved, seqFrom: null, seqTo: null, items: [] }),
  "/v1/peers": ok(peers),
  "/v1/bgp/peers": ok(bgpSessions),
  "/v1/bgp/routes": ok(bgpRoutes),
  "/v1/bgp/flaps": ok(bgpFlaps),
  "/v1/nodes": ok(nodes),
  "/v1/findings": ok(findings),
  "/v1/evidence": ok(evidence),
  "/v1/vips/192.0.2.1/holder": ok(holder),
  "/v1/vips/192.0.2.9/holder": ok(nobody),
  "/v1/vips/192.0.2.8/holder": problem(404, "not-found", {
    detail: 'network: expected one of the networks [default], found "nope"'
  }),
  "/v1/history": ok(history),
  "/v1/ledger": ok({
    ...reading,
    completeSince: { seq: 11, recordedAt: "2026-11-22T09:00:00.000Z" },
    segments: [
      {
        ...{ fromSeq: 1, toSeq: 10, phase: "dropped" },
        ...{ firstAt: "2026-11-20T09:00:00.000Z", lastAt: "2026-11-21T09:00:00.000Z" },
        archive: { file: "segment-1.ndjson.gz", sha256: "ab".repeat(32), root: "cd".repeat(32) }
      },
      {
        ...{ fromSeq: 11, toSeq: 20, phase: "kept" },
        ...{ firstAt: "2026-11-22T09:00:00.000Z", lastAt: "2026-11-23T09:00:00.000Z" },
        archive: null
      }
    ],
    signers: [{ keyId: "2026-1", messages: 12, nodes: 3 }],
    signersUntold: [{ cluster: "east", node: "east-3" }],
    placesAhead: 76,
    replay: {
      last: {
        ...{ checkedBy: "one", position: 22, compared: 61 },
        ...{ startedAt: "2026-11-23T14:00:00.000Z", finishedAt: "2026-11-23T14:00:09.000Z" }
      },
      findings: [
        {
          ...{ projection: "stream_current", key: "vip:default/192.0.2.1", foundAt: "2026-11-23T14:00:05.000Z" },
          what: "expected version 3 by event 17, found version 3 by event 17 with another state"
        }
      ]
    }
  }),
  "/v1/diff": ok(diff),
  "/v1/why/service/east/shop/web": ok(refused),
  "/v1/trace/service/east/shop/web": ok(trace),
  "/v1/trace/service/shop/web": problem(400, "ambiguous", {
    detail: "service shop/web is in several clusters: name one",
    candidates: ["east/shop/web", "west/shop/web"]
  }),
  "/v1/trace/service/shop/none": problem(404, "not-found", {
    detail: "service: expected one that the log knows, found shop/none"
  }),
  "/v1/trace/service/shop/later": problem(503, "unavailable", {
    detail: "the database does not answer",
    code: "LT0501"
  })
}

/** What one command line led to. */
export interface Ran {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
  /** Path and query of every request, in order. */
  readonly asked: ReadonlyArray<string>
  /** What stands in them beside that. */
  readonly sent: ReadonlyArray<{ readonly headers: Headers; readonly body: string }>
}

/** Runs a command line against the pretended server, or against one that `fetch` stands for. */
export const lowtide = (
  commandLine: string | ReadonlyArray<string>,
  more: Partial<Surroundings["Service"]> & { readonly fetch?: typeof globalThis.fetch } = {}
): Promise<Ran> => {
  const stdout: Array<string> = []
  const stderr: Array<string> = []
  const asked: Array<string> = []
  const sent: Array<Ran["sent"][number]> = []
  const { fetch = answer, ...surroundings } = more
  const watched: typeof globalThis.fetch = (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input)
    asked.push(url.pathname + url.search)
    const body = init?.body instanceof Uint8Array ? Buffer.from(init.body).toString() : String(init?.body ?? "")
    sent.push({ headers: new Headers(init?.headers), body })
    return fetch(input, init)
  }
  return Effect.runPromise(
    runCli(typeof commandLine === "string" ? commandLine.split(" ") : commandLine, {
      out: (text) => stdout.push(`${text}\n`),
      write: async (octets) => void stdout.push(Buffer.from(octets).toString()),
      err: (text) => stderr.push(`${text}\n`),
      hasColour: false,
      screenColumns: undefined,
      nowMs,
      timeZone: "Europe/Berlin",
      workingFolder: "/",
      serverVariable: undefined,
      tokenVariable: undefined,
      caFileVariable: undefined,
      databaseVariable: undefined,
      checkpointKeysVariable: undefined,
      controlSocketVariable: undefined,
      stateFolderVariable: undefined,
      user: "ada",
      ...surroundings
    }).pipe(Effect.provideService(FetchHttpClient.Fetch, watched))
  ).then((exitCode) => ({ exitCode, stdout: stdout.join(""), stderr: stderr.join(""), asked, sent }))
}

const answer: typeof globalThis.fetch = async (input) => {
  const { pathname } = new URL(input instanceof Request ? input.url : input)
  const { status, body } = routes[pathname] ?? { status: 500, body: {} }
  const type = status === 200 ? "application/json" : "application/problem+json"
  return new Response(JSON.stringify(body), { status, headers: { "content-type": type } })
}
