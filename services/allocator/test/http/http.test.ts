import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { type ExportQuery, LowtideClient } from "@lowtide/api"
import { Fleet } from "@lowtide/domain"
import { WaitingStates } from "@lowtide/domain/fleet/waiting-states"
import { Unavailable } from "@lowtide/ledger"
import { readEventRecord } from "@lowtide/ledger/proofs/event-record"
import { leafHash } from "@lowtide/ledger/proofs/leaf"
import { Effect, Result, Stream } from "effect"
import { vi } from "vitest"
import type { Centre, CommittedView, HeardNode } from "../../src/centre.ts"
import { parseApiListen } from "../../src/http/index.ts"
import { leaderHealth } from "./sample.ts"
import { addressOf, local, served, withClient } from "./served.ts"

const get = (path: string, headers: Record<string, string> = {}) =>
  Effect.gen(function* () {
    const address = yield* addressOf
    const url = address._tag === "Url" ? address.url : ""
    const response = yield* Effect.promise(() => fetch(`${url}${path}`, { headers }))
    const text = yield* Effect.promise(() => response.text())
    return { status: response.status, type: response.headers.get("content-type") ?? "", text }
  })

const post = (path: string, payload: unknown) =>
  Effect.gen(function* () {
    const address = yield* addressOf
    const url = address._tag === "Url" ? address.url : ""
    const headers = { "content-type": "application/json" }
    const asked = { method: "POST", headers, body: JSON.stringify(payload) }
    const response = yield* Effect.promise(() => fetch(`${url}${path}`, asked))
    return { status: response.status, text: yield* Effect.promise(() => response.text()) }
  })

describe("the API", () => {
  it.live("answers every list with its position, as its schema says", () =>
    Effect.gen(function* () {
      const api = yield* LowtideClient
      const answers = yield* Effect.all([
        api.fleet.services({ query: {} }),
        api.fleet.pools({ query: {} }),
        api.fleet.peers({ query: {} }),
        api.fleet.nodes({ query: { cluster: "east" } }),
        api.fleet.findings({ query: { namespace: "shop" } })
      ])
      expect(answers.map(({ items }) => items.length)).toEqual([5, 4, 1, 3, 2])
      for (const { position, asOf } of answers) {
        expect(position).toBeGreaterThan(0)
        expect(asOf).toMatch(/^2026-11-23T14:0\d:\d\d\.\d{3}Z$/)
      }
    }).pipe(Effect.provide(local()))
  )

  it.live(
    "exports the events that a filter keeps, the oldest first and as they are stored, and says why it does not",
    () =>
      Effect.gen(function* () {
        const api = yield* LowtideClient
        const read = (query: ExportQuery) =>
          api.audit.export({ query, headers: { "x-lowtide-user": "ada" } }).pipe(
            Effect.flatMap((octets) => Stream.mkString(octets.pipe(Stream.decodeText()))),
            Effect.map((text) => text.split("\n").filter((line) => line !== ""))
          )
        const all = (yield* read({})).map((line) => readEventRecord(line))
        expect(all.map((event) => event?.seq)).toEqual(all.map((_, index) => index + 1))
        expect(all.length).toBeGreaterThan(20)
        for (const event of all) expect(Buffer.from(leafHash(event!)).toString("hex")).toBe(event?.leafHash)
        const kept = yield* read({ type: "VipAssigned", address: "192.0.2.1", actor: "agent:east" })
        expect(kept.map((line) => readEventRecord(line)?.type)).toEqual(["VipAssigned"])
        const times = { since: all[4]!.recordedAt, until: all[9]!.recordedAt }
        const seqs = (yield* read(times)).map((line) => readEventRecord(line)?.seq)
        expect(seqs).toEqual(
          all.filter((e) => e!.recordedAt >= times.since && e!.recordedAt <= times.until).map((e) => e!.seq)
        )
        expect((yield* read({ after: 7 }))[0]).toContain('{"seq":8,')
        const then = (yield* read({ at: "9", since: "4", until: "12" })).map((line) => readEventRecord(line)?.seq)
        expect(then).toEqual([4, 5, 6, 7, 8, 9])
        for (const query of [{ cluster: "nope" }, { network: "nope" }, { journal: "wire", cluster: "nope" }] as const) {
          expect(yield* Effect.flip(read(query))).toMatchObject({ _tag: "NotFoundProblem" })
        }
        expect((yield* read({ journal: "wire", cluster: "east" }))[0]).toContain('{"id":1,')
        for (const query of [{ service: "web" }, { journal: "wire", pool: "public" }] as const) {
          expect(yield* Effect.flip(read(query))).toMatchObject({ _tag: "InvalidQueryProblem" })
        }
      }).pipe(Effect.provide(local()))
  )

  it.live("proves nothing where no checkpoints are signed, and knows which events there are", () =>
    Effect.gen(function* () {
      const api = yield* LowtideClient
      const unsigned = yield* Effect.flip(api.audit.proof({ params: { seq: 1 }, query: {} }))
      expect(unsigned.message).toContain("this allocator signs none")
      const unknown = yield* Effect.flip(api.audit.proof({ params: { seq: 9_999 }, query: {} }))
      expect(unknown.message).toMatch(/seq: expected 1 to \d+, found 9999/)
      expect((yield* api.audit.checkpoints({ query: {} })).items).toEqual([])
    }).pipe(Effect.provide(local()))
  )

  it.live("says who holds an address in a sentence, in any spelling of the address", () =>
    Effect.gen(function* () {
      const api = yield* LowtideClient
      const now = yield* api.audit.holder({ params: { address: "192.0.2.1" }, query: {} })
      expect(now.holder).toMatchObject({
        cluster: "east",
        pool: "public",
        reason: "pool-selected",
        actor: "agent:east",
        until: null,
        services: [{ namespace: "shop", name: "web" }]
      })
      expect(now.sentence).toBe(
        `192.0.2.1 (network default) is held by east shop/web since ${now.holder?.since}, from pool public, because this was the first pool in the stated order that had a free address (event ${now.holder?.seq} by agent:east).`
      )
      const before = yield* api.audit.holder({
        params: { address: "192.0.2.1" },
        query: { at: "2026-11-23T15:05:00+01:00" }
      })
      expect(before).toMatchObject({ holder: null, phase: "unknown", at: "2026-11-23T14:05:00.000Z" })
      const never = yield* api.audit.holder({ params: { address: "2001:0DB8::00ff" }, query: {} })
      expect(never.address).toBe("2001:db8::ff")
      expect(never).toMatchObject({ holder: null, network: null })
      expect(never.sentence).toBe(
        "2001:db8::ff has never been given out in any network (known: default). It is in pool wide of east."
      )
      const mapped = yield* api.audit.holder({ params: { address: "::ffff:192.0.2.1" }, query: {} })
      expect(mapped).toEqual(now)
    }).pipe(Effect.provide(local()))
  )

  it.live("remembers who asked what of the record and was answered, the same question once a minute", () =>
    Effect.gen(function* () {
      const api = yield* LowtideClient
      const who = (user: string, path: string) => get(path, { "x-lowtide-user": user })
      const asked = [
        ["ada", "/v1/vips/192.0.2.1/holder"],
        ["ada", "/v1/history?address=192.0.2.0%2F28"],
        ["ben", "/v1/vips/192.0.2.1/holder"],
        ["ben", "/v1/services?at=4"]
      ] as const
      for (const [user, path] of asked) expect((yield* who(user, path)).status).toBe(200)
      // Asked again, refused, about the present alone, or nothing of the fleet: no rows.
      const others = [
        "/v1/vips/192.0.2.1/holder",
        "/v1/vips/none/holder",
        "/v1/services",
        "/healthz",
        "/v1/nowhere?at=1"
      ]
      for (const path of others) yield* who("ada", path)
      const { items, position, next } = yield* api.audit.reads({ query: {} })
      expect(items.map(({ actor, question }) => [actor, question])).toEqual([
        ["local:ada", "/v1/vips/192.0.2.1/holder"],
        ["local:ada", "/v1/history?address=192.0.2.0/28"],
        ["local:ben", "/v1/vips/192.0.2.1/holder"],
        ["local:ben", "/v1/services?at=4"]
      ])
      expect(items.every((item) => item.unauthenticated && item.position === position)).toBe(true)
      expect(next).toBeNull()
      const page = yield* api.audit.reads({ query: { actor: "local:ada", limit: 1 } })
      expect(page.items.map(({ id }) => id)).toEqual([2])
      expect(page.next).toBe(2)
      const older = yield* api.audit.reads({ query: { actor: "local:ada", limit: 1, before: 2 } })
      expect([older.items.map(({ id }) => id), older.next]).toEqual([[1], null])
      const before = yield* api.audit.reads({ query: { at: "4", until: String(position) } })
      expect([before.items, before.next]).toEqual([[], null])
      const last = yield* api.audit.reads({ query: { limit: 1 } })
      expect(last.items[0]?.question).toMatch(/^\/v1\/audit\/reads\?/)
    }).pipe(Effect.provide(local()))
  )

  it.live("remembers of who asks very much how much it was, whatever they call themselves", () =>
    Effect.gen(function* () {
      const api = yield* LowtideClient
      const ask = (n: number) => get(`/v1/history?address=10.0.${n >> 8}.${n & 255}`, { "x-lowtide-user": `u${n % 3}` })
      const numbers = Array.from({ length: 510 }, (_, n) => n)
      yield* Effect.forEach(numbers, ask, { concurrency: 16, discard: true })
      const { items } = yield* api.audit.reads({ query: { limit: 1_000 } })
      expect(items.length).toBe(504)
      const beyond = items.flatMap(({ question }) => /\(number (\d+) of all who are unauth/.exec(question)?.[1] ?? [])
      expect(beyond.map(Number)).toEqual([501, 502, 504, 508])
    }).pipe(Effect.provide(local()))
  )

  it.live("remembers it however the path is spelled", () =>
    Effect.gen(function* () {
      const api = yield* LowtideClient
      const spellings = [
        "/v1/%68istory",
        "/v1/vips/192.0.2.1/h%6flder",
        "//v1/history",
        "/V1/history",
        "/v1//vips/192.0.2.1/HOLDER",
        "/v1/services?%61t=4",
        "//v1/services?at=4"
      ]
      for (const path of spellings) expect([path, (yield* get(path)).status]).toEqual([path, 200])
      const { items } = yield* api.audit.reads({ query: {} })
      expect(items.map(({ question }) => question)).toEqual([
        "/v1/history",
        "/v1/vips/192.0.2.1/holder",
        "//v1/history",
        "/V1/history",
        "/v1//vips/192.0.2.1/HOLDER",
        "/v1/services?at=4",
        "//v1/services?at=4"
      ])
    }).pipe(Effect.provide(local()))
  )

  it.live("remembers once a minute who asks how it is now, by at", () =>
    Effect.gen(function* () {
      const api = yield* LowtideClient
      const times = ["14:05:00Z", "14:05:07Z", "14:05:59.999Z", "14:06:00Z"].map((time) => `2026-11-23T${time}`)
      for (const time of times) {
        expect((yield* get(`/v1/services?at=${encodeURIComponent(time)}&cluster=east`)).status).toBe(200)
      }
      yield* get(`/v1/services?at=${times[1]}&cluster=west`)
      const { items } = yield* api.audit.reads({ query: {} })
      expect(items.map(({ question }) => question)).toEqual([
        "/v1/services?at=2026-11-23T14:05:00Z&cluster=east",
        "/v1/services?at=2026-11-23T14:06:00Z&cluster=east"
      ])
    }).pipe(Effect.provide(local()))
  )

  it.live("knows nothing of a network that nobody has, and nothing of the future", () =>
    Effect.gen(function* () {
      const api = yield* LowtideClient
      const ask = (query: { readonly network?: string; readonly at?: string }) =>
        Effect.flip(api.audit.holder({ params: { address: "192.0.2.1" }, query }))
      const elsewhere = yield* ask({ network: "nope" })
      expect(elsewhere._tag).toBe("NotFoundProblem")
      expect(elsewhere.message).toBe('network: expected one of the networks [default], found "nope"')
      const history = yield* Effect.flip(api.audit.history({ query: { address: "192.0.2.1", network: "nope" } }))
      expect([history._tag, history.message]).toEqual(["NotFoundProblem", elsewhere.message])
      const soon = yield* ask({ at: new Date(Date.now() + 60_000).toISOString() })
      expect(soon).toMatchObject({ _tag: "InvalidQueryProblem", field: "at" })
    }).pipe(Effect.provide(local()))
  )

  it.live("tells the history of a Service, events and what was told to routers in one order", () =>
    Effect.gen(function* () {
      const api = yield* LowtideClient
      const { items } = yield* api.audit.history({ query: { cluster: "east", namespace: "shop", service: "web" } })
      expect(items.map(({ type }) => type)).toEqual([
        "ServiceObserved",
        "VipAssigned",
        "ServingNodesChanged",
        "status-written",
        "applied"
      ])
      expect(items[1]?.what).toBe("192.0.2.1 of pool public was given to east shop/web")
      expect(items[4]?.what).toBe("on east-1: 192.0.2.1 announced to tor-a, by the centre's intent")
      const refused = yield* api.audit.history({ query: { cluster: "east", namespace: "shop", service: "api" } })
      expect(refused.items.at(-1)).toMatchObject({ type: "AssignmentRefused", code: "LT0202" })
      expect(refused.items.at(-1)?.fix).not.toBeNull()
    }).pipe(Effect.provide(local()))
  )

  it.live("tells a Service that nobody knows from one to which nothing happened in a stretch of time", () =>
    Effect.gen(function* () {
      const api = yield* LowtideClient
      const of = { cluster: "east", namespace: "shop" }
      const unknown = yield* Effect.flip(api.audit.history({ query: { ...of, service: "none" } }))
      expect([unknown._tag, unknown.message]).toEqual([
        "NotFoundProblem",
        "service: expected one that the log knows, found east/shop/none"
      ])
      const before = yield* api.audit.history({ query: { ...of, service: "web", before: 1 } })
      expect(before.items).toEqual([])
    }).pipe(Effect.provide(local()))
  )

  it.live("pages through a history by its cursor without a gap or a repeat", () =>
    Effect.gen(function* () {
      const api = yield* LowtideClient
      const all = yield* api.audit.history({ query: { limit: 1000 } })
      const seqs: Array<number> = []
      let before: number | null = null
      do {
        const query: { limit: number; before?: number } = before === null ? { limit: 7 } : { limit: 7, before }
        const page: typeof all = yield* api.audit.history({ query })
        seqs.unshift(...page.items.flatMap(({ seq }) => seq ?? []))
        before = page.next
      } while (before !== null)
      expect(seqs).toEqual(all.items.map(({ seq }) => seq))
      expect(seqs).toEqual(Array.from({ length: all.position }, (_, index) => index + 1))
    }).pipe(Effect.provide(local()))
  )

  it.live("tells the history of a pool, a peer, a node and an address", () =>
    Effect.gen(function* () {
      const api = yield* LowtideClient
      const typesOf = (query: Parameters<typeof api.audit.history>[0]["query"]) =>
        Effect.map(api.audit.history({ query }), ({ items }) => items.map(({ type }) => type))
      expect(yield* typesOf({ pool: "twice" })).toEqual(["ManifestApplied", "FindingsReported"])
      expect(yield* typesOf({ peer: "tor-a", cluster: "east" })).toEqual(["ManifestApplied", "session"])
      expect(yield* typesOf({ node: "east-1", cluster: "east" })).toEqual([
        "NodeObserved",
        "session",
        "status-written",
        "applied"
      ])
      expect(yield* typesOf({ address: "192.0.2.2" })).toEqual(["VipAssigned"])
    }).pipe(Effect.provide(local()))
  )

  it.live("traces the newest change hop by hop, and says what has not happened", () =>
    Effect.gen(function* () {
      const api = yield* LowtideClient
      const { hops, change } = yield* api.audit.traceIn({
        params: { cluster: "east", namespace: "shop", name: "web" },
        query: {}
      })
      expect(change).toContain("192.0.2.1 of pool public was given to east shop/web")
      expect(hops.map(({ step, where, deltaMs }) => [step, where, deltaMs])).toEqual([
        ["seen", "agent:east", null],
        ["received", "allocator", 3],
        ["committed", "ledger", 2],
        ["published", "192.0.2.1", null],
        ["node-received", "east-1", 12],
        ["node-saved", "east-1", 2],
        ["peer-written", "east-1 to tor-a", 1],
        ["published", "agent:east", null],
        ["status-written", "agent:east", 20]
      ])
      expect(hops[3]?.detail).toMatch(/^not known: /)
      const local = yield* api.audit.trace({ params: { namespace: "shop", name: "local" }, query: {} })
      expect(local.hops.at(-1)).toMatchObject({ step: "status-written", time: null, detail: "nothing reported" })
    }).pipe(Effect.provide(local()))
  )

  it.live("says where a name without its cluster could be, and that a thing is not known", () =>
    Effect.gen(function* () {
      const api = yield* LowtideClient
      const ambiguous = yield* Effect.flip(api.audit.trace({ params: { namespace: "shop", name: "web" }, query: {} }))
      expect(ambiguous).toMatchObject({
        _tag: "AmbiguousProblem",
        candidates: ["east/shop/web", "west/shop/web"]
      })
      const unknown = yield* Effect.flip(api.audit.trace({ params: { namespace: "shop", name: "none" }, query: {} }))
      expect(unknown._tag).toBe("NotFoundProblem")
      const misspelt = yield* Effect.all([
        Effect.flip(api.audit.trace({ params: { namespace: "shop", name: "wbe" }, query: {} })),
        Effect.flip(api.audit.whyIn({ params: { cluster: "east", namespace: "shop", name: "weeb" }, query: {} })),
        Effect.flip(api.audit.whyIn({ params: { cluster: "eest", namespace: "shop", name: "web" }, query: {} })),
        Effect.flip(api.audit.history({ query: { cluster: "east", node: "eats-1" } })),
        Effect.flip(api.audit.history({ query: { pool: "pubic" } })),
        Effect.flip(api.audit.history({ query: { actor: "agent:eats" } })),
        Effect.flip(api.audit.history({ query: { namespace: "shpo" } })),
        Effect.flip(api.audit.history({ query: { peer: "tor-b" } })),
        Effect.flip(api.audit.diff({ query: { from: "1", pool: "pubic" } })),
        Effect.flip(api.audit.diff({ query: { from: "1", namespace: "shpo" } })),
        Effect.flip(api.audit.export({ query: { actor: "person:nobody" }, headers: { "x-lowtide-user": "ada" } }))
      ])
      expect(misspelt.map(({ message }) => message)).toEqual([
        "service: expected one that the log knows, found shop/wbe (did you mean shop/web?)",
        "service: expected one that the log knows, found east/shop/weeb (did you mean shop/web?)",
        'cluster: expected one of the clusters [east, west], found "eest" (did you mean east?)',
        "node: expected one that the log knows, found east/eats-1 (did you mean east-1?)",
        "pool: expected one that the log knows, found pubic (did you mean public?)",
        "actor: expected one that the log knows, found agent:eats (did you mean agent:east?)",
        "namespace: expected one that the log knows, found shpo (did you mean shop?)",
        "peer: expected one that the log knows, found tor-b (did you mean tor-a?)",
        "pool: expected one that the log knows, found pubic (did you mean public?)",
        "namespace: expected one that the log knows, found shpo (did you mean shop?)",
        "actor: expected one that the log knows, found person:nobody"
      ])
      const { items: quiet } = yield* api.audit.history({ query: { actor: "speaker:east/east-1" } })
      expect(quiet).toEqual([])
      const asked = { params: { cluster: "west", namespace: "shop", name: "web" }, query: { at: "1" } }
      expect(yield* api.audit.whyIn(asked)).toMatchObject({ standing: "absent" })
      // What is kept of that place is as it was: the question has made no cluster there.
      const then = yield* Effect.flip(api.fleet.pools({ query: { at: "1", cluster: "west" } }))
      expect(then).toMatchObject({ _tag: "NotFoundProblem", message: expect.stringMatching(/\[east\], found "west"/) })
      const cluster = yield* Effect.flip(api.fleet.services({ query: { cluster: "north" } }))
      expect(cluster._tag).toBe("NotFoundProblem")
      expect(cluster.message).toBe('cluster: expected one of the clusters [east, west], found "north"')
    }).pipe(Effect.provide(local()))
  )

  it.live("looks at neither other Services nor other clusters for an answer that is about one", () =>
    Effect.gen(function* () {
      const api = yield* LowtideClient
      const named = vi.spyOn(WaitingStates.prototype, "keys")
      const judged = vi.spyOn(Fleet.prototype, "config")
      try {
        yield* api.audit.whyIn({ params: { cluster: "east", namespace: "shop", name: "web" }, query: {} })
        expect(named).not.toHaveBeenCalled()
        const holder = yield* api.audit.holder({ params: { address: "192.0.2.1" }, query: {} })
        expect(holder.phase).toBe("assigned")
        expect(judged.mock.calls.map(([cluster]) => cluster.name)).not.toContain("west")
      } finally {
        vi.restoreAllMocks()
      }
    }).pipe(Effect.provide(local()))
  )

  it.live("answers bad input with problem details that name the field", () =>
    Effect.gen(function* () {
      const fields = [
        ["/v1/vips/192.0.2.256/holder", "params.address"],
        ["/v1/vips/192.0.2.1/holder?at=yesterday", "query.at"],
        ["/v1/vips/192.0.2.1/holder?at=2026-02-30T00:00:00Z", "query.at"],
        ["/v1/history?limit=0", "query.limit"],
        ["/v1/history?actor=a%00b", "query.actor"],
        ["/v1/history?type=VipGiven", "query.type"],
        ["/v1/why/service/shop/%00", "params.name"],
        ["/v1/history?before=x", "query.before"]
      ] as const
      for (const [path, field] of fields) {
        const { status, type, text } = yield* get(path)
        const problem = JSON.parse(text) as {
          readonly errors: ReadonlyArray<{ path: ReadonlyArray<string>; message: string }>
        }
        expect([path, status, type]).toEqual([path, 400, "application/problem+json"])
        expect(problem.errors.map(({ path }) => path.join("."))).toEqual([field])
        expect(problem.errors[0]?.message).toMatch(/expected/i)
      }
      const misspelt = yield* Effect.all([
        get("/v1/history?type=vipassigned"),
        post("/v1/audit/exports?type=session", {})
      ])
      expect(misspelt.map(({ text }) => JSON.parse(text).errors[0].message)).toEqual([
        'expected VipAssigned, found "vipassigned"',
        'expected a type of event of docs/reference/events.md, like VipAssigned, found "session"'
      ])
      const incomplete = yield* get("/v1/history?service=web&namespace=shop")
      expect(JSON.parse(incomplete.text)).toMatchObject({ status: 400, field: "cluster" })
      const nowhere = yield* get("/v1/nowhere")
      expect([nowhere.status, nowhere.type]).toEqual([404, "application/problem+json"])
    }).pipe(Effect.provide(local()))
  )

  it.live("takes no text that auditors could not read, and no order that is larger than any is", () =>
    Effect.gen(function* () {
      const object = { apiVersion: "lowtide.dev/v1alpha1", kind: "Quota", metadata: { name: "q" } }
      const order = { commandId: "00000000-0000-4000-8000-000000000001", reason: "as planned", object }
      const refused = [
        [{ ...order, reason: "half a pair: \ud800" }, "reason"],
        [{ ...order, object: { ...object, metadata: { name: "q", labels: { "\u0000": "" } } } }, "object"],
        [{ ...order, object: { ...object, spec: { cluster: ["\udc00"] } } }, "object"],
        [{ ...order, object: { ...object, spec: JSON.parse(`${"[".repeat(201)}${"]".repeat(201)}`) } }, "object"]
      ] as const
      for (const [payload, field] of refused) {
        const { status, text } = yield* post("/v1/objects", payload)
        expect([status, JSON.parse(text).errors[0].path]).toEqual([400, ["payload", field]])
      }
      const large = yield* post("/v1/objects", { ...order, reason: "x".repeat(2 ** 21) })
      expect(large.status).toBe(413)
    }).pipe(Effect.provide(local()))
  )

  it.live("is ready while it leads and the database is up, and alive anyway", () =>
    Effect.gen(function* () {
      expect(yield* get("/healthz")).toMatchObject({ status: 200, text: "ok\n" })
      expect((yield* get("/readyz")).status).toBe(200)
      const waiting = yield* Effect.all([get("/healthz"), get("/readyz")]).pipe(
        Effect.provide(served("127.0.0.1:0", { ...leaderHealth, role: "waiting", database: "down" }))
      )
      expect(waiting.map(({ status }) => status)).toEqual([200, 503])
      expect(JSON.parse(waiting[1].text)).toMatchObject({
        reasons: [expect.any(String), "the database does not answer"]
      })
    }).pipe(Effect.provide(local()))
  )

  it.live("answers from a position on, or says how far it is; the leader alone answers what asks for it", () =>
    Effect.gen(function* () {
      const { position } = JSON.parse((yield* get("/v1/services")).text)
      expect((yield* get(`/v1/services?min_seq=${position}&read=leader`)).status).toBe(200)
      const behind = yield* get(`/v1/services?min_seq=${position + 1}`)
      expect([behind.status, behind.type]).toEqual([503, "application/problem+json"])
      expect(JSON.parse(behind.text)).toMatchObject({ type: "https://lowtide.dev/problems/behind", position })
      for (const query of ["min_seq=-1", "min_seq=1e3", "read=anyone"]) {
        expect((yield* get(`/v1/services?${query}`)).status, query).toBe(400)
      }
      const follower = served("127.0.0.1:0", { ...leaderHealth, role: "follower", lagEvents: 2, lagSeconds: 0.3 })
      const [read, asked, ordered, ready] = yield* Effect.all([
        get("/v1/services"),
        get("/v1/services?read=leader"),
        post("/v1/recovery", { user: "ada", reason: "a test" }),
        get("/readyz")
      ]).pipe(Effect.provide(follower))
      expect([read.status, asked.status, ordered.status, ready.status]).toEqual([200, 503, 503, 200])
      const problem = { type: "https://lowtide.dev/problems/not-leader", leader: leaderHealth.leader }
      expect(JSON.parse(asked.text)).toMatchObject(problem)
      expect(JSON.parse(ordered.text)).toMatchObject(problem)
      expect(JSON.parse(ready.text)).toMatchObject({ role: "follower", lagEvents: 2, lagSeconds: 0.3 })
      // What a follower cannot know, or make, it does not answer with nothing.
      for (const path of ["/v1/recovery", "/v1/audit/checkpoints?fresh=true", "/v1/audit/proofs/1"]) {
        expect(JSON.parse((yield* get(path).pipe(Effect.provide(follower))).text), path).toMatchObject(problem)
      }
    }).pipe(Effect.provide(local()))
  )

  it.live("answers who orders a recovery once it is begun, and the leader has loaded its state again", () =>
    Effect.gen(function* () {
      const { status, text } = yield* post("/v1/recovery", { user: "ada", reason: "a test" })
      expect([status, JSON.parse(text).recovery?.incarnation]).toEqual([200, 2])
    }).pipe(
      Effect.provide(
        served("127.0.0.1:0", leaderHealth, (view) => {
          let ordered = false
          let looks = 0
          const lists = { frozen: [], waitingFor: [], republishing: [], unrouted: [], contested: [] }
          const recovery = { incarnation: 2, phase: "recovering" as const, why: "a test", reserved: 0, ...lists }
          return {
            orderRecovery: () =>
              Effect.sync(() => {
                ordered = true
              }),
            health: Effect.sync(() => ({ ...leaderHealth, recovery: ordered && ++looks > 3 ? recovery : null })),
            read: (look) =>
              ordered && looks < 2
                ? Effect.fail(new Unavailable({ operation: "read", cause: new Error("not read yet") }))
                : Effect.sync(() => look(view))
          }
        })
      )
    )
  )

  it.live("says of a follower's findings what the leader alone knows, of now alone and where there may be some", () =>
    Effect.gen(function* () {
      const lost = (view: CommittedView): Partial<Centre["Service"]> => {
        const fleet: typeof view.fleet = Object.create(view.fleet, { recovery: { value: { _tag: "Recovery" } } })
        const former = ([key, heard]: readonly [string, HeardNode]) =>
          [key, { ...heard, status: { ...heard.status, former: 1 } }] as const
        const nodes = new Map([...view.nodes].map(former))
        return { read: (look) => Effect.sync(() => look({ ...view, fleet, nodes })) }
      }
      const lacks = (role: "leader" | "follower", path: string) =>
        Effect.map(
          get(path).pipe(Effect.provide(served("127.0.0.1:0", { ...leaderHealth, role }, lost))),
          ({ text }) => (JSON.parse(text) as { readonly lacks?: unknown }).lacks
        )
      expect(yield* lacks("follower", "/v1/findings")).toEqual(["LT0522"])
      expect(yield* lacks("leader", "/v1/findings")).toBeUndefined()
      expect(yield* lacks("follower", "/v1/findings?at=1")).toBeUndefined()
    })
  )

  it.live("gives metrics without addresses or Services as labels, and its own description", () =>
    Effect.gen(function* () {
      const { text, type } = yield* get("/metrics")
      expect(type).toContain("version=0.0.4")
      expect(text).toContain("# TYPE lowtide_leader gauge")
      expect(text).toMatch(/^lowtide_services\{cluster="east",state="Announced"\} 1$/m)
      expect(text).toMatch(/^lowtide_pool_addresses\{cluster="east",pool="public",state="assigned"\} 2$/m)
      expect(text).toMatch(/^lowtide_signed_messages\{key_id="2026-1"\} 3$/m)
      expect(text).toMatch(/^lowtide_signed_nodes\{key_id="2026-1"\} 0$/m)
      expect(text).toMatch(/^lowtide_signers_untold_nodes\S* 3$/m)
      expect(text).not.toMatch(/192\.0\.2|shop/)
      const openapi = JSON.parse((yield* get("/openapi.json")).text) as { readonly paths: object }
      expect(Object.keys(openapi.paths)).toContain("/v1/vips/{address}/holder")
    }).pipe(Effect.provide(local()))
  )

  it.live("is served over a Unix socket as well, where a dead socket is in the way", () =>
    Effect.gen(function* () {
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "lowtide-http-"))),
        (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
      )
      const socket = `unix:${join(folder, "api.sock")}`
      const count = Effect.gen(function* () {
        const api = yield* LowtideClient
        return (yield* api.fleet.services({ query: {} })).items.length
      })
      expect(yield* count.pipe(Effect.provide(withClient(socket)))).toBe(5)
      expect(yield* count.pipe(Effect.provide(withClient(socket)))).toBe(5)
    }).pipe(Effect.scoped)
  )
})

describe("parseApiListen", () => {
  const read = (text: string) => Result.getOrElse(parseApiListen(text, { hasTokens: false }), ({ message }) => message)

  it("reads loopback addresses and sockets", () => {
    expect(read("127.0.0.1:7070")).toEqual({ _tag: "Tcp", host: "127.0.0.1", port: 7070 })
    expect(read("[::1]:0")).toEqual({ _tag: "Tcp", host: "::1", port: 0 })
    expect(read("unix:/run/api.sock")).toEqual({ _tag: "UnixSocket", path: "/run/api.sock" })
  })

  it("refuses what other machines reach, and what is no address", () => {
    expect(read("0.0.0.0:7070")).toContain("expected a loopback address")
    expect(read("192.0.2.1:7070")).toContain("expected a loopback address")
    expect(read("127.0.0.1")).toContain("expected HOST:PORT")
    expect(read("127.0.0.1:70700")).toContain("expected HOST:PORT")
  })

  const tls = { certificateFile: "server.pem", keyFile: "server-key.pem" }

  it("lets other machines reach the API where callers are asked who they are, and cannot be overheard", () => {
    const everywhere = Result.succeed({ _tag: "Tcp", host: "0.0.0.0", port: 7070 })
    expect(parseApiListen("0.0.0.0:7070", { hasTokens: true, tls })).toEqual(everywhere)
    expect(parseApiListen("0.0.0.0:7070", { hasTokens: true, isBehindProxy: true })).toEqual(everywhere)
    const said = (protection: Parameters<typeof parseApiListen>[1], listen = "0.0.0.0:7070") =>
      Result.getOrElse(parseApiListen(listen, protection), ({ message }) => message)
    expect(said({ hasTokens: true })).toContain("in clear without LOWTIDE_HTTP_CERT_FILE")
    expect(said({ hasTokens: false, tls })).toContain("without LOWTIDE_TOKENS_FILE")
    expect(said({ hasTokens: false, isBehindProxy: true })).toContain("without LOWTIDE_TOKENS_FILE")
    expect(said({ hasTokens: true, tls }, "unix:/run/api.sock")).toContain("TLS is not for a socket")
  })
})
