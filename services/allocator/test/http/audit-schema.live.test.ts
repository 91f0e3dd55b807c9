import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import type { EventType } from "@lowtide/domain"
import { Ledger, ledgerPostgres, migrate, type StoredEvent, type StoredWire } from "@lowtide/ledger"
import { type PostgresServer, startPostgres } from "@lowtide/testkit/postgres"
import { sqlSession } from "@lowtide/testkit/sql"
import { Effect, Exit, Layer, Result, Scope } from "effect"
import { describeEvent } from "../../src/http/views/describe.ts"
import { diffItems } from "../../src/http/views/diff.ts"
import { WireFacts } from "../../src/http/views/wire-facts.ts"
import { commitSample, startMs } from "./sample.ts"

const scope = Scope.makeUnsafe()
let server: PostgresServer | undefined

/** Commits the sample to a real database, and asks it what a person with a SQL client asks. */
const asked = <A>(body: (sql: Asker) => Effect.Effect<A, unknown, Ledger>) =>
  Effect.gen(function* () {
    const url = server?.url ?? ""
    const client = yield* sqlSession(url)
    const ask: Asker = (text, values = []) =>
      Effect.promise(async () => (await client.query<Record<string, unknown>>(text, [...values])).rows)
    return yield* body(ask).pipe(Effect.provide(ledgerPostgres(url)))
  }).pipe(Effect.scoped)

type Asker = (text: string, values?: ReadonlyArray<unknown>) => Effect.Effect<ReadonlyArray<Record<string, unknown>>>

beforeAll(async () => {
  server = await Effect.runPromise(startPostgres({ durable: false }).pipe(Effect.provideService(Scope.Scope, scope)))
  await Effect.runPromise(migrate(server.url))
  await Effect.runPromise(
    commitSample({ nowMs: startMs }).pipe(Effect.provide(Layer.orDie(ledgerPostgres(server.url))))
  )
})
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

type Step = (node: string, at: string) => { readonly kind: string; readonly detail: object }

const session =
  (change: string): Step =>
  (_, moment) => ({ kind: "session", detail: { change, at: moment, code: null, detail: "" } })

const applied =
  (verdict: string, action: string): Step =>
  (node, moment) => ({
    kind: "applied",
    detail: {
      entries: [
        {
          ...{ node, verdict, trigger: "intent", receivedAt: moment, savedAt: moment },
          peers: [{ peer: "tor-a", action, writtenAt: moment }]
        }
      ]
    }
  })

const reports: ReadonlyArray<Step> = [
  session("up"),
  session("down"),
  applied("Announced", "announced"),
  applied("Announced", "unchanged"),
  applied("Announced", "refused"),
  applied("Standby", "unchanged"),
  applied("NoLocalEndpoint", "withdrawn"),
  applied("NoLocalEndpoint", "unchanged")
]

/** All that a node and its peer may report in three steps, and in fewer, and a seventh of what they may in four. */
const histories = [1, 2, 3, 4].flatMap((length) =>
  Array.from({ length: reports.length ** length }, (_, index) =>
    Array.from({ length }, (_step, place) => reports[Math.floor(index / reports.length ** place) % reports.length]!)
  ).filter((_, index) => length < 4 || index % 7 === 0)
)

const holder = { namespace: "shop", name: "web", uid: "u1", sharingKey: "", ports: [], backendKey: "" }
const vip = {
  ...{ _tag: "Vip", network: "default", address: "192.0.2.1", pool: "public", cluster: "east" },
  ...{ phase: "assigned", holders: [holder], lastHolders: ["shop/web"], obliged: [] },
  quarantineEndMs: null
}
const object = {
  ...{ namespace: "shop", name: "web", uid: "u1", labels: {}, annotations: {}, type: "LoadBalancer", selector: {} },
  ...{ requestedAddresses: [], ipFamilies: ["IPv4"], ipFamilyPolicy: "SingleStack", clusterIPs: [], ports: [] },
  externalTrafficPolicy: "Cluster"
}
const service = { _tag: "Service", cluster: "east", service: object, servingNodes: [] as Array<string>, refusal: null }
const node = {
  ...{ _tag: "Node", cluster: "east", present: true },
  node: { name: "east-1", labels: {}, networkUnavailable: false, addresses: [] }
}
const namespace = { _tag: "Namespace", cluster: "east", namespace: { name: "shop", labels: {} } }
const pool = {
  ...{ _tag: "Manifest", cluster: "east", ordinal: 0 },
  manifest: {
    ...{ apiVersion: "metallb.io/v1beta1", kind: "IPAddressPool" },
    ...{ namespace: "metallb-system", name: "gold" }
  }
}
const recovery = {
  ...{ _tag: "Recovery", incarnation: 2, phase: "recovered", adoptedCount: 3, why: "a head is behind", without: [] },
  lostAfter: { incarnation: 1, seq: 5 }
}
const finding = {
  ...{ severity: "warning", code: "LT0105", object: { kind: "Node", name: "east-1" }, message: "Node east-1: odd" },
  ...{ field: "", expected: "even", found: "odd", fix: "Make it even" }
}
const refusal = {
  ...{ ...finding, code: "LT0202", message: "Service shop/web: requested address in no pool" },
  fix: "Ask for another"
}
const findings = {
  ...{ _tag: "Findings", cluster: "east", object: { kind: "Node", name: "east-1" }, reportedCount: 0 },
  findings: [] as ReadonlyArray<object>
}
const reservation = {
  ...{ _tag: "Reservation", cluster: "east", name: "front", network: "default", address: "192.0.2.9", pool: "public" },
  ...{ namespace: "shop", service: "web" }
}
const quota = (cluster: string | null, namespace: string | null, addresses = 5) => ({
  ...{ _tag: "Quota", cluster: cluster ?? "" },
  quota: { name: "small", cluster, namespace, addresses }
})
const exported = { _tag: "Export", filter: {}, format: "ndjson", sinceSeq: 1, untilSeq: 9, count: 9 }

const sharedAddress = {
  ...{ _tag: "SharedAddress", cluster: "" },
  shared: {
    ...{ name: "any", network: "default", addresses: ["192.0.2.1", "2001:db8::1"] },
    members: ["east", "west"].map((cluster, priority) => ({ cluster, namespace: "shop", name: "web", priority }))
  }
}
const fleetPool = {
  _tag: "AddressPool",
  cluster: "",
  pool: {
    ...{ name: "public", network: "backbone", deletionPolicy: "Retain" },
    clusterSelector: { matchLabels: {}, matchExpressions: [] },
    pool: {
      ...{ name: "public", ranges: ["192.0.2.0/28", "2001:db8::/64"], autoAssign: true, avoidBuggyIPs: false },
      ...{ namespace: "", labels: {}, namespaces: [], namespaceSelectors: [], serviceSelectors: [] }
    }
  }
}

const segment = {
  ...{ _tag: "Segment", fromSeq: 1, toSeq: 5_000_000, phase: "archived", firstAt: "", lastAt: "" },
  ...{ root: "ab", leavesDigest: "cd", file: "segment-1-5000000.ndjson.gz", sha256: "ef" }
}
const fleetSettings = {
  ...{ _tag: "FleetSettings", name: "prod" },
  blastRadius: {
    ...{ maxWithdrawPercent: 5, maxWithdrawRoutes: 50, perMs: 90_000 },
    cluster: { maxWithdrawPercent: 30, maxWithdrawRoutes: 20 }
  }
}
const share = { maxWithdrawPercent: 100, maxWithdrawRoutes: 5 }
const fleetSettingsOfClusters = {
  ...fleetSettings,
  blastRadius: { ...fleetSettings.blastRadius, clusters: { east: share, lab: share } }
}
const approval = {
  ...{ _tag: "Approval", id: "w-1", cluster: "east", author: "agent:east", phase: "pending", sinceMs: startMs },
  count: 60
}

type Change = readonly [before: object | null, after: object | null]

/** States before and after, for every type: one that is missing here does not compile. */
const changesByType: { readonly [Type in EventType]: ReadonlyArray<Change> } = {
  ClusterRegistered: [[null, { _tag: "Cluster", cluster: "east", network: "default" }]],
  ManifestApplied: [
    [null, pool],
    [pool, pool],
    [{ ...pool, retired: true }, pool]
  ],
  ManifestRetired: [[pool, { ...pool, retired: true }]],
  ManifestDeleted: [[pool, null]],
  FindingsReported: [
    [null, findings],
    [null, { ...findings, findings: [finding] }],
    [null, { ...findings, findings: [finding, finding, finding] }]
  ],
  FindingsResolved: [[findings, null]],
  NamespaceObserved: [
    [null, namespace],
    [namespace, namespace]
  ],
  NamespaceGone: [[namespace, null]],
  NodeObserved: [
    [null, node],
    [node, { ...node, node: { ...node.node, networkUnavailable: true } }],
    [{ ...node, present: false, retired: true }, node]
  ],
  NodeGone: [[node, { ...node, present: false }]],
  NodeRetired: [[node, { ...node, retired: true }]],
  ServiceObserved: [
    [null, service],
    [
      { ...service, service: { ...object, old: 1 } },
      { ...service, service: { ...object, externalTrafficPolicy: "Local" } }
    ]
  ],
  ServiceGone: [[service, null]],
  ServingNodesChanged: [
    [service, service],
    [service, { ...service, servingNodes: ["east-1", "east-2"] }]
  ],
  AssignmentRefused: [
    [service, { ...service, refusal }],
    [service, service]
  ],
  RefusalCleared: [[service, service]],
  VipAssigned: [
    [null, vip],
    [null, { ...vip, holders: [holder, { ...holder, name: "api" }] }]
  ],
  VipHoldersChanged: [[vip, { ...vip, holders: [holder, { ...holder, name: "api" }] }]],
  VipReleased: [
    [vip, vip],
    [vip, { ...vip, obliged: ["east-1"] }],
    [vip, { ...vip, obliged: ["east-1", "east-2"] }]
  ],
  VipQuarantined: [
    [vip, { ...vip, quarantineEndMs: startMs + 5 }],
    [vip, vip]
  ],
  VipFreed: [[vip, vip]],
  VipObligationLifted: [
    [
      { ...vip, obliged: ["east-1", "east-2", "east-3"] },
      { ...vip, obliged: ["east-2"] }
    ]
  ],
  VipForceReleased: [
    [
      { ...vip, obliged: ["east-1", "east-2"] },
      { ...vip, quarantineEndMs: startMs + 5 }
    ]
  ],
  AddressReserved: [[null, reservation]],
  ReservationDeleted: [[reservation, null]],
  QuotaApplied: [
    [null, quota(null, null)],
    [null, quota("east", "shop", 1)]
  ],
  QuotaDeleted: [
    [quota("east", null), null],
    [quota("east", null, 1), null]
  ],
  SharedAddressApplied: [[null, sharedAddress]],
  SharedAddressDeleted: [[sharedAddress, null]],
  VipMoving: [[vip, { ...vip, holders: [{ ...holder, leaving: true }] }]],
  AddressPoolApplied: [
    [null, fleetPool],
    [fleetPool, fleetPool],
    [{ ...fleetPool, retired: true }, fleetPool]
  ],
  AddressPoolRetired: [[fleetPool, { ...fleetPool, retired: true }]],
  AddressPoolDeleted: [[{ ...fleetPool, retired: true }, null]],
  VipAdopted: [
    [null, vip],
    [null, { ...vip, phase: "withdrawing", holders: [] }]
  ],
  HistoryLost: [[null, recovery]],
  HistoryRecovered: [
    [recovery, { ...recovery, without: ["east", "west/west-1"] }],
    [recovery, { ...recovery, adoptedCount: 1 }],
    [recovery, recovery]
  ],
  ClusterRepublished: [[null, { _tag: "Cluster", cluster: "east", network: "default", incarnation: 2 }]],
  AuditExported: [
    [null, exported],
    [null, { ...exported, count: 1 }],
    [null, { ...exported, filter: { actor: "agent:east", pool: "public" } }],
    [null, { ...exported, filter: { journal: "wire", cluster: "east" }, count: null }]
  ],
  FleetApplied: [
    [null, fleetSettings],
    [fleetSettings, fleetSettingsOfClusters]
  ],
  FleetDeleted: [[fleetSettings, null]],
  VipReleaseHeld: [[vip, { ...vip, heldRelease: { order: "w-1" } }]],
  WithdrawalsHeld: [
    [null, approval],
    [null, { ...approval, count: 1 }]
  ],
  WithdrawalsApproved: [
    [approval, { ...approval, phase: "approved" }],
    [approval, { ...approval, phase: "approved", count: 1 }]
  ],
  WithdrawalsRejected: [
    [approval, { ...approval, phase: "rejected" }],
    [approval, { ...approval, phase: "rejected", count: 1 }]
  ],
  VersionKept: [
    [null, { _tag: "Kept", cluster: "east", order: "w-1", version: pool }],
    [null, { _tag: "Kept", cluster: "east", order: "w-1", version: fleetPool }]
  ],
  VersionDropped: [[{ _tag: "Kept", cluster: "east", order: "w-1", version: pool }, null]],
  RoutesTaken: [
    [
      null,
      {
        ...{ _tag: "RoutesTaken", cluster: "east" },
        taken: [
          { atMs: startMs, addresses: 7 },
          { atMs: startMs, addresses: 8 }
        ]
      }
    ]
  ],
  BrakeReleased: [
    [null, { _tag: "Brake", cluster: "east", node: null }],
    [null, { _tag: "Brake", cluster: "east", node: "east-1" }]
  ],
  WireRowsDropped: [[null, { _tag: "WireDrop", untilId: 9, before: new Date(startMs).toISOString() }]],
  SegmentArchived: [[null, segment]],
  SegmentDropped: [[segment, { ...segment, phase: "dropped" }]],
  SegmentRestored: [
    [
      { ...segment, phase: "dropped" },
      { ...segment, phase: "restored" }
    ]
  ],
  WireJournalSealed: [
    [null, { _tag: "WireSeal", sinceId: 1, untilId: 9, count: 8, root: "ab", until: new Date(startMs).toISOString() }]
  ],
  FleetVersionFinalised: [
    [null, { _tag: "FleetVersion", version: 2 }],
    [
      { _tag: "FleetVersion", version: 1 },
      { _tag: "FleetVersion", version: 2 }
    ]
  ]
}

const at = (afterMs: number) => new Date(startMs + afterMs).toISOString()

describe("schema audit", () => {
  it.live("says what an event says, in the words of the API", () =>
    asked((sql) =>
      Effect.gen(function* () {
        const events = yield* (yield* Ledger).events({ limit: 1_000, order: "asc" })
        const rows = yield* sql("select seq, what, actor, reason from audit.events order by seq")
        assert.isAbove(events.length, 20)
        assert.deepStrictEqual(
          rows.map(({ what }) => what),
          events.map((event) => describeEvent(event).what)
        )
        assert.deepStrictEqual(
          rows.map(({ actor, reason }) => [actor, reason]),
          events.map(({ actor, reasonCode }) => [actor, reasonCode])
        )
      })
    )
  )

  it.live("has words for each type of event there is", () =>
    asked((sql) =>
      Effect.gen(function* () {
        for (const [type, changes] of Object.entries({ ...changesByType, SomethingNew: [[null, null]] as const })) {
          for (const [before, after] of changes) {
            const data = JSON.stringify({ before, after })
            const [row] = yield* sql("select audit.event_words($1, 'a:b', null, $2::json) as what", [type, data])
            const stored = { seq: 1, type, schema: 1, stream: "a:b", data } as unknown as Parameters<
              typeof describeEvent
            >[0]
            assert.strictEqual(row?.what, describeEvent(stored).what)
            assert.strictEqual(row?.what === `${type} of a:b`, type === "SomethingNew", `${type} is only named`)
          }
        }
      })
    )
  )

  it.live("says of nodes that are no longer awaited why that is", () =>
    asked((sql) =>
      Effect.gen(function* () {
        const type = "VipObligationLifted"
        const data = JSON.stringify({ before: { ...vip, obliged: ["east-1"] }, after: vip })
        yield* sql("begin")
        for (const [place, reasonCode] of ["node-retired", "withdrawal-confirmed", "some-new-reason"].entries()) {
          yield* sql(
            `insert into events (seq, epoch, commit_seq, event_id, stream, version, type, schema, recorded_at, actor,
              actor_kind, command_id, correlation_id, reason_code, data, meta, leaf_hash)
            select $1::bigint, epoch, commit_seq, ledger_uuid_v7(recorded_at), stream || reason_code || $3, 1, $2, 1, recorded_at, actor,
              actor_kind, command_id, correlation_id, $3, $4::json, meta, leaf_hash
            from events where type = 'VipAssigned' order by seq limit 1`,
            [3_000 + place, type, reasonCode, data]
          )
          const [row] = yield* sql("select what from audit.events where seq = $1", [3_000 + place])
          const stored = { seq: 1, type, schema: 1, stream: "a:b", reasonCode, data } as StoredEvent
          assert.strictEqual(row?.what, describeEvent(stored).what)
        }
        yield* sql("rollback")
      })
    )
  )

  it.live("answers who held an address at a time, and its whole history", () =>
    asked((sql) =>
      Effect.gen(function* () {
        const [event] = yield* (yield* Ledger).events({ address: "192.0.2.1", limit: 1, order: "asc" })
        const who = (moment: string) => sql("select * from audit.who_at('default', '192.0.2.1', $1)", [moment])
        const [held, ...others] = yield* who(event?.recordedAt ?? "")
        assert.deepStrictEqual(others, [])
        assert.deepInclude(held, {
          state: "assigned",
          cluster: "east",
          namespace: "shop",
          service: "web",
          valid_to: null
        })
        assert.deepInclude(held, { pool: "public", reason: "pool-selected", actor: "agent:east" })
        const before = new Date(Date.parse(event?.recordedAt ?? "") - 1).toISOString()
        assert.deepStrictEqual(yield* who(before), [])
        const all = yield* sql("select address::text, service from audit.vip_history order by address")
        assert.deepStrictEqual(
          all.map(({ address, service }) => [address, service]),
          [
            ["192.0.2.0/32", "web"],
            ["192.0.2.1/32", "web"],
            ["192.0.2.2/32", "local"]
          ]
        )
      })
    )
  )

  it.live("answers what differs between two places of the log, as the API does", () =>
    asked((sql) =>
      Effect.gen(function* () {
        const ledger = yield* Ledger
        const head = yield* ledger.headAt(new Date().toISOString())
        const states = yield* Effect.forEach([...Array(head + 1).keys()], (seq) => ledger.stateAt(seq))
        let compared = 0
        for (const [since, until] of [
          [0, head],
          [0, 0],
          [3, 9],
          [10, head - 2],
          [head - 4, head]
        ] as const) {
          const said = Result.getOrThrow(diffItems(states[since] ?? [], states[until] ?? []))
          const expected = said
            .filter(({ before }) => !Array.isArray(before)) // a Service that has moved, told of by its addresses
            .map(({ kind, change, cluster, name, seq }) => ({ seq, kind, change, cluster, name }))
            .sort((one, other) => one.seq - other.seq)
          const rows = yield* sql(
            "select seq::int, kind, change, cluster, name from audit.difference_of_seqs($1, $2) order by seq",
            [since, until]
          )
          assert.deepStrictEqual(rows, expected, `${since} to ${until}`)
          compared += rows.length
        }
        assert.isAbove(compared, 30)
        const byTime = yield* sql("select seq::int from audit.difference('2020-01-01', now())")
        const bySeq = yield* sql("select seq::int from audit.difference_of_seqs(0, $1)", [head])
        assert.deepStrictEqual(byTime, bySeq)
      })
    )
  )

  it.live("answers although logs of before hold characters that PostgreSQL does not read", () =>
    asked((sql) =>
      Effect.gen(function* () {
        yield* sql("begin")
        const plant = (type: string, seq: number, word: string) =>
          sql(
            `insert into events (seq, epoch, commit_seq, event_id, stream, version, type, schema, recorded_at, actor,
              actor_kind, command_id, correlation_id, reason_code, data, meta, leaf_hash)
            select e.seq + $2, epoch, commit_seq, ledger_uuid_v7(recorded_at), stream || '-odd', 1, type, schema,
              recorded_at, actor, actor_kind, command_id, correlation_id, reason_code,
              replace(replace(data::text, '"before":', '"odd":["\\ud800\\u0000","\\\\ud800"],"before":'),
                $3, 'w\\udc00b')::json, meta, leaf_hash
            from events e where type = $1 and data::text like '%' || $3 || '%' order by e.seq limit 1`,
            [type, seq, word]
          )
        yield* plant("ServiceObserved", 1_000, "web")
        yield* plant("AssignmentRefused", 2_000, "Service ")
        yield* sql("alter table vip_history disable trigger all")
        yield* sql("update vip_history set holders = replace(holders::text, 'web', 'w\\udc00b')::json")
        const odd = "w\ufffdb"
        const events = yield* sql("select what, after #>> '{service,name}' as name from audit.events where seq > 1000")
        assert.include(events[0]?.what, `shop/${odd}`)
        assert.strictEqual(events[0]?.name, odd)
        const refusals = yield* sql("select message from audit.refusals where seq > 2000")
        assert.include(refusals[0]?.message, odd)
        const holders = yield* sql("select distinct service from audit.vip_history order by service")
        assert.include(
          holders.map(({ service }) => service),
          odd
        )
        const differing = yield* sql("select name from audit.difference_of_seqs(1000, 1999)")
        assert.deepStrictEqual(differing, [{ name: `shop/${odd}` }])
        const [kept] = yield* sql(`select audit.readable('{"a":"\\\\ud800 \u{1f600}"}') ->> 'a' as text`)
        assert.strictEqual(kept?.text, "\\ud800 \u{1f600}", "what is written out is no such character")
        yield* sql("rollback")
      })
    )
  )

  it.live("answers what happened to the addresses of a prefix", () =>
    asked((sql) =>
      Effect.gen(function* () {
        const rows = yield* sql("select seq::int, host(address) as address from audit.prefix_history('192.0.2.0/31')")
        const events = yield* (yield* Ledger).events({ prefix: "192.0.2.0/31", limit: 100, order: "asc" })
        assert.isAbove(rows.length, 1)
        assert.deepStrictEqual(
          rows,
          events.map(({ seq, address }) => ({ seq, address }))
        )
      })
    )
  )

  it.live("answers which nodes had told which routers, and that a session was lost since", () =>
    asked((sql) =>
      Effect.gen(function* () {
        const announced = (moment: string) =>
          sql("select * from audit.announced_at('default', '192.0.2.1', $1)", [moment])
        assert.deepStrictEqual(yield* announced(at(9_014)), [])
        const told = { cluster: "east", node: "east-1", peer: "tor-a" }
        assert.deepStrictEqual(yield* announced(at(9_015)), [
          { ...told, state: "announced", since: new Date(at(9_015)) }
        ])
        assert.deepStrictEqual(yield* announced(at(12_000)), [{ ...told, state: "lost", since: new Date(at(12_000)) }])
        const [report] = yield* sql("select node, peer, action, verdict, trigger from audit.wire_reports")
        assert.deepStrictEqual(report, {
          ...{ node: "east-1", peer: "tor-a", action: "announced", verdict: "Announced", trigger: "intent" }
        })
        const [session] = yield* sql("select node, peer, change, code, detail from audit.sessions")
        assert.deepStrictEqual(session, {
          ...{ node: "east-1", peer: "tor-a", change: "down", code: "LT0304", detail: "hold timer expired" }
        })
      })
    )
  )

  it.live("answers that as the API does, whatever was reported, also where what came before is gone", () =>
    asked((sql) =>
      Effect.gen(function* () {
        const vip = { cluster: "east", network: "default", address: "192.0.2.200" }
        const rows = histories.flatMap((steps, index) =>
          steps.map((step, place) => ({
            ...vip,
            node: `n${index}`,
            peer: "tor-a",
            ...step(`n${index}`, at(60_000 + place))
          }))
        )
        yield* sql(
          `insert into wire_journal (recorded_at, cluster, network, address, kind, node, peer, detail)
          select $2::timestamptz, r.cluster, case r.kind when 'applied' then r.network end,
            case r.kind when 'applied' then r.address end, r.kind, case r.kind when 'session' then r.node end,
            case r.kind when 'session' then r.peer end, r.detail
          from json_to_recordset($1::json)
            as r (cluster text, network text, address inet, kind text, node text, peer text, detail json, place bigint)
          order by r.place`,
          [JSON.stringify(rows.map((row, place) => ({ ...row, place }))), at(70_000)]
        )
        const stored = rows.map(
          (row, id): StoredWire => ({ ...row, id, recordedAt: at(70_000), detail: JSON.stringify(row.detail) })
        )
        const facts = new WireFacts(stored, Date.parse(at(70_000)))
        const answered = yield* sql("select * from audit.announced_at('default', '192.0.2.200', $1)", [at(70_000)])
        const told = histories.flatMap((_, index) => {
          const node = `n${index}`
          return facts
            .announcements(vip, node)
            .map(({ peer, state, since }) => ({ cluster: "east", node, peer, state, since: new Date(since) }))
        })
        const sorted = (list: ReadonlyArray<Record<string, unknown>>) => new Map(list.map((row) => [row.node, row]))
        assert.isAbove(told.length, 100)
        assert.deepStrictEqual(sorted(answered), sorted(told))
      })
    )
  )

  it.live("lists refusals with their facts and their fix", () =>
    asked((sql) =>
      Effect.gen(function* () {
        const [refusal] = yield* sql("select * from audit.refusals where service = 'api'")
        assert.deepInclude(refusal, { cluster: "east", namespace: "shop", code: "LT0202", found: "203.0.113.9" })
        assert.notStrictEqual(refusal?.fix, "")
      })
    )
  )
})
