import { describe, expect, it } from "@effect/vitest"
import { LowtideClient } from "@lowtide/api"
import { Ledger, loadWhole } from "@lowtide/ledger"
import { Effect } from "effect"
import { startMs } from "./sample.ts"
import { local } from "./served.ts"

const at = (afterMs: number) => new Date(startMs + afterMs).toISOString()

describe("a read at an earlier time", () => {
  it.live("is of events up to then: what came later is not in it", () =>
    Effect.gen(function* () {
      const api = yield* LowtideClient
      const now = yield* api.fleet.services({ query: { cluster: "east" } })
      const [first] = (yield* api.audit.history({ query: { address: "192.0.2.1" } })).items
      const seq = first?.seq ?? 0
      const before = yield* api.fleet.services({ query: { cluster: "east", at: String(seq - 2) } })
      expect(before.items).toEqual([])
      expect(before.position).toBe(seq - 2)
      const then = yield* api.fleet.services({ query: { cluster: "east", at: first?.time ?? "" } })
      expect(then.items.map(({ name, addresses }) => [name, addresses[0]?.address])).toEqual([["web", "192.0.2.1"]])
      expect(then.asOf).toBe(first?.time)
      expect(now.items.length).toBeGreaterThan(then.items.length)
      const all = yield* api.fleet.services({ query: { cluster: "east", at: String(now.position) } })
      const standing = ({ name, addresses, eligible, candidates, refusal, since }: (typeof now.items)[number]) => ({
        ...{ name, addresses, eligible, candidates, refusal, since }
      })
      expect(all.items.map(standing)).toEqual(now.items.map(standing))
      for (const list of [api.fleet.pools, api.fleet.findings] as const) {
        const query = { cluster: "east", at: String(seq - 2) }
        expect((yield* list({ query })).position).toBe(seq - 2)
      }
    }).pipe(Effect.provide(local()))
  )

  it.live("says of nodes what they had reported by then, and never what they say now", () =>
    Effect.gen(function* () {
      const api = yield* LowtideClient
      const announcing = (moment: string) =>
        Effect.map(
          api.fleet.services({ query: { namespace: "shop", at: moment } }),
          ({ items }) => items.find(({ name, cluster }) => name === "web" && cluster === "east")?.announcing
        )
      expect(yield* announcing(at(9_014))).toEqual([])
      expect(yield* announcing(at(9_015))).toEqual(["east-1"])
      expect(yield* announcing(at(12_000)), "the session went down").toEqual([])
      const nodes = yield* api.fleet.nodes({ query: { cluster: "east", at: at(10_000) } })
      expect(nodes.items.map(({ name, sync, lastHeard, announcing }) => [name, sync, lastHeard, announcing])).toEqual([
        ["east-1", "reported", null, 1],
        ["east-2", "unknown", null, 0],
        ["east-3", "unknown", null, 0]
      ])
      const peers = (moment: string) =>
        Effect.map(api.fleet.peers({ query: { cluster: "east", at: moment } }), ({ items }) =>
          items[0]?.sessions.map(({ node, state, lastErrorCode }) => [node, state, lastErrorCode])
        )
      expect(yield* peers(at(10_000))).toContainEqual(["east-1", "Unknown", null])
      expect(yield* peers(at(12_000))).toContainEqual(["east-1", "Down", "LT0304"])
    }).pipe(Effect.provide(local()))
  )

  it.live("refuses a moment to come, and a seq that no event has", () =>
    Effect.gen(function* () {
      const api = yield* LowtideClient
      const soon = new Date(Date.now() + 60_000).toISOString()
      for (const moment of [soon, "100000"]) {
        const refused = yield* Effect.flip(api.fleet.pools({ query: { at: moment } }))
        expect(refused).toMatchObject({ _tag: "InvalidQueryProblem", field: "at" })
      }
      const west = yield* Effect.flip(api.fleet.pools({ query: { at: "1", cluster: "west" } }))
      expect(west.message).toBe(
        'cluster: expected one of the clusters that were known at 2026-11-23T14:05:00.000Z, [east], found "west"'
      )
    }).pipe(Effect.provide(local()))
  )
})

describe("a trace", () => {
  it.live("is of the newest change by then, as far as it had come, in the cluster that had the Service then", () =>
    Effect.gen(function* () {
      const api = yield* LowtideClient
      const trace = (moment: string) =>
        api.audit.trace({ params: { namespace: "shop", name: "web" }, query: { at: moment } })
      const now = yield* api.audit.traceIn({
        params: { cluster: "east", namespace: "shop", name: "web" },
        query: {}
      })
      const then = yield* trace(String(now.seqTo))
      expect(then.cluster, "west had none yet").toBe("east")
      expect(then).toMatchObject({ seqTo: now.seqTo, position: now.seqTo, change: now.change })
      expect(then.hops.find(({ step }) => step === "committed")?.time).not.toBeNull()
      expect(
        then.hops.filter(({ step }) => step === "peer-written"),
        "nothing was reported yet"
      ).toEqual([])
      const before = yield* Effect.flip(trace(String(now.seqFrom - 1)))
      expect(before._tag).toBe("NotFoundProblem")
    }).pipe(Effect.provide(local()))
  )
})

describe("a history", () => {
  it.live("ends at the moment it is asked as of, with what was reported by then, and begins at `since`", () =>
    Effect.gen(function* () {
      const api = yield* LowtideClient
      const all = yield* api.audit.history({ query: { limit: 1000 } })
      const seqs = (query: Parameters<typeof api.audit.history>[0]["query"]) =>
        Effect.map(api.audit.history({ query }), ({ items }) => items.map(({ seq }) => seq))
      const early = yield* api.audit.history({ query: { at: "10" } })
      expect(early).toMatchObject({ position: 10, next: null })
      expect(early.items.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
      expect(yield* seqs({ since: "4", until: "6" })).toEqual([4, 5, 6])
      const since = all.items.find(({ seq }) => seq === 5)?.time ?? ""
      expect((yield* seqs({ since, until: since })).filter((seq) => seq === 5)).toEqual([5])
      for (const [since, field, end, detail] of [
        [
          "6",
          "until",
          "4",
          /^until: expected a moment that is not before since, event 6 of .*Z, found event 4 of .*Z$/
        ],
        ["6", "at", "4", /^at: expected a moment that is not before since/],
        [at(9_000), "until", at(8_999), /since, 20.*\.000Z, found 20.*\.\d{3}Z$/],
        ["6", "until", at(-1), /since, event 6 of .*Z, found 20.*Z$/]
      ] as const) {
        const backwards = yield* Effect.flip(api.audit.history({ query: { since, [field]: end } }))
        expect(backwards).toMatchObject({ _tag: "InvalidQueryProblem", field, detail: expect.stringMatching(detail) })
      }
      const web = { cluster: "east", namespace: "shop", service: "web" }
      const reported = yield* api.audit.history({ query: { ...web, at: at(9_500) } })
      expect(
        reported.items.some(({ seq }) => seq === null),
        "the sample's reports came in later"
      ).toBe(false)
    }).pipe(Effect.provide(local()))
  )

  it.live("of a prefix is of all its addresses, with what routers were told of them, page by page", () =>
    Effect.gen(function* () {
      const api = yield* LowtideClient
      const of = (query: Parameters<typeof api.audit.history>[0]["query"]) => api.audit.history({ query })
      const all = yield* of({ limit: 1000 })
      const inPrefix = yield* of({ address: "192.0.2.0/30", network: "default" })
      const apart = yield* Effect.forEach(["192.0.2.0", "192.0.2.1", "192.0.2.2", "192.0.2.3"], (address) =>
        of({ address, network: "default" }).pipe(
          Effect.map(({ items }) => items),
          Effect.catchTag("NotFoundProblem", () => Effect.succeed([]))
        )
      )
      const seqs = (items: typeof inPrefix.items) => items.flatMap(({ seq }) => seq ?? []).sort((a, b) => a - b)
      expect(seqs(inPrefix.items)).toEqual(seqs(apart.flat()))
      expect(seqs(inPrefix.items).length).toBeGreaterThan(1)
      expect(inPrefix.items.some(({ seq, type }) => seq === null && type === "applied")).toBe(true)
      const read: Array<number> = []
      for (let before: number | null = all.position + 1; before !== null; ) {
        const page: typeof inPrefix = yield* of({ address: "192.0.2.0/30", network: "default", limit: 1, before })
        read.push(...seqs(page.items))
        before = page.next
      }
      expect(read.reverse()).toEqual(seqs(inPrefix.items))
      const everywhere = seqs((yield* of({ address: "192.0.2.0/30" })).items)
      expect(everywhere, "of every network that has them").toEqual(read)
      expect((yield* of({ address: "2001:db8:ffff::/64" })).items).toEqual([])
      const odd = yield* Effect.flip(of({ address: "192.0.2.1/30" }))
      expect(odd.message).toContain("did you mean 192.0.2.0/30?")
    }).pipe(Effect.provide(local()))
  )

  it.live("of an actor, a type and a correlation id has their events and no others", () =>
    Effect.gen(function* () {
      const api = yield* LowtideClient
      const all = (yield* api.audit.history({ query: { limit: 1000 } })).items
      const asked = (query: Parameters<typeof api.audit.history>[0]["query"]) =>
        Effect.map(api.audit.history({ query: { ...query, limit: 1000 } }), ({ items }) => items)
      const west = all.filter(({ actor }) => actor === "agent:west")
      expect(west.length).toBeGreaterThan(1)
      expect(yield* asked({ actor: "agent:west" })).toEqual(west)
      const assigned = all.filter(({ type }) => type === "VipAssigned")
      expect(yield* asked({ type: "VipAssigned" })).toEqual(assigned)
      const correlation = assigned[0]?.correlationId ?? ""
      expect((yield* asked({ correlation })).map(({ type }) => type)).toEqual(["ServiceObserved", "VipAssigned"])
      expect((yield* asked({ type: "session", peer: "tor-a", cluster: "east" })).map(({ type }) => type)).toEqual([
        "session"
      ])
    }).pipe(Effect.provide(local()))
  )
})

describe("who had announced an address", () => {
  const askAt = (moment: string) =>
    Effect.gen(function* () {
      const api = yield* LowtideClient
      return yield* api.audit.holder({ params: { address: "192.0.2.1" }, query: { at: moment } })
    })

  it.live("is told with what is not known", () =>
    Effect.gen(function* () {
      const then = yield* askAt(at(10_000))
      expect(then.announcement).toBe(
        `At ${at(10_000)}, by their reports, east-1 had announced it to tor-a; east-2 and east-3 had reported nothing of it: by the log it was to be announced there, but whether it was announced is not known.`
      )
      const before = yield* askAt(at(9_010))
      expect(before.announcement).toContain("east-1, east-2 and east-3 had reported nothing of it")
      const later = yield* askAt(at(13_000))
      expect(later.announcers[0]?.peers).toEqual([{ peer: "tor-a", state: "lost", since: at(12_000) }])
      expect(later.announcement).toContain("east-1 had lost the session on which it was announced to tor-a")
    }).pipe(Effect.provide(local()))
  )

  it.live("is asked of an event as well: of what one moment brought, what came after the event is not counted", () =>
    Effect.gen(function* () {
      const api = yield* LowtideClient
      const { items } = yield* api.audit.history({ query: { address: "192.0.2.1" } })
      const seq = items[0]?.seq ?? 0
      expect(yield* askAt(String(seq))).toMatchObject({ at: items[0]?.time, holder: { seq } })
      expect(yield* askAt(String(seq - 1))).toMatchObject({ phase: "unknown", holder: null, announcement: "" })
    }).pipe(Effect.provide(local()))
  )
})

describe("a difference", () => {
  it.live("is told in a sentence for each address, Service, node and object", () =>
    Effect.gen(function* () {
      const api = yield* LowtideClient
      const { head } = yield* Effect.flatMap(Ledger, (ledger) => loadWhole(ledger))
      const whole = yield* api.audit.diff({ query: { from: "1" } })
      expect(whole).toMatchObject({ position: head.seq, from: { position: 1 }, to: { position: head.seq } })
      const added = whole.items.find(({ name }) => name === "default/192.0.2.1")
      expect(added).toMatchObject({ kind: "address", change: "added", cluster: "east", before: null })
      expect(added?.sentence).toBe(
        `192.0.2.1 (network default) was given to east shop/web, from pool public (event ${added?.seq} at ${added?.time}).`
      )
      const kinds = whole.items.map(({ kind }) => kind)
      expect([...new Set(kinds)]).toEqual(["address", "service", "node", "configuration", "cluster", "finding"])
      const narrow = (query: object) =>
        Effect.map(api.audit.diff({ query: { from: "1", ...query } }), ({ items }) => items.map(({ name }) => name))
      expect(yield* narrow({ pool: "public", cluster: "west" })).toEqual(["default/192.0.2.0"])
      expect(yield* narrow({ kind: "node" })).toEqual(["east-1", "east-2", "east-3"])
      expect(yield* narrow({ address: "192.0.2.2" })).toEqual(["default/192.0.2.2"])
      expect((yield* Effect.flip(narrow({ namespace: "nowhere" }))).message).toContain(
        "expected one that the log knows"
      )
      expect((yield* api.audit.diff({ query: { from: "9", to: "9" } })).items).toEqual([])
      const inPrefix = yield* narrow({ address: "192.0.2.0/30" })
      expect(inPrefix.length).toBeGreaterThan(0)
      expect(inPrefix).toEqual((yield* narrow({ kind: "address" })).filter((name) => /192\.0\.2\.[0-3]$/.test(name)))
      const paged: Array<unknown> = []
      for (let after: string | null = ""; after !== null; ) {
        const cursor: { after?: string } = after === "" ? {} : { after }
        const page: typeof whole = yield* api.audit.diff({ query: { from: "1", limit: 4, ...cursor } })
        expect(page.items.length).toBeLessThanOrEqual(4)
        expect(page.to).toEqual({ position: whole.to.position, time: whole.to.time })
        paged.push(...page.items)
        after = page.next
      }
      expect(paged, "page by page").toEqual(whole.items)
      const foreign = yield* Effect.flip(api.audit.diff({ query: { from: "2", after: "1-9-4" } }))
      expect(foreign).toMatchObject({ _tag: "InvalidQueryProblem", field: "after" })
      const backwards = yield* Effect.flip(api.audit.diff({ query: { from: "9", to: "3" } }))
      expect(backwards).toMatchObject({ _tag: "InvalidQueryProblem", field: "from" })
    }).pipe(Effect.provide(local()))
  )
})

describe("why a Service has what it has", () => {
  const why = (name: string, moment?: string) =>
    Effect.gen(function* () {
      const api = yield* LowtideClient
      const query = moment === undefined ? {} : { at: moment }
      return yield* api.audit.whyIn({ params: { cluster: "east", namespace: "shop", name }, query })
    })

  it.live("is told of one that is refused, with the code, the facts and the fix", () =>
    Effect.gen(function* () {
      const api = yield* why("api")
      expect(api).toMatchObject({ standing: "refused", refusal: { code: "LT0202", found: "203.0.113.9" } })
      expect(api.sentence).toBe(
        `Service east shop/api is refused since ${api.refusal?.since} (event ${api.refusal?.seq} by agent:east): LT0202 ${api.refusal?.message}. Fix: ${api.refusal?.fix}.`
      )
      expect(api.pools.map(({ pool, verdict }) => [pool, verdict])).toEqual([
        ["public", "passed"],
        ["wide", "passed"],
        ["twice", "invalid"]
      ])
    }).pipe(Effect.provide(local()))
  )

  it.live("is told of one that has an address, that wants none, cannot be read, and is not there", () =>
    Effect.gen(function* () {
      const web = yield* why("web")
      expect(web.sentence).toBe(
        `Service east shop/web has 192.0.2.1 of pool public since ${web.addresses[0]?.since}, because this was the first pool in the stated order that had a free address (event ${web.addresses[0]?.seq}).`
      )
      expect(yield* why("inner")).toMatchObject({ standing: "unasked" })
      expect((yield* why("broken")).sentence).toMatch(/^Service east shop\/broken is not understood: LT0107 /)
      expect((yield* Effect.flip(why("none"))).message).toBe(
        "service: expected one that the log knows, found east/shop/none"
      )
      const seq = (web.addresses[0]?.seq ?? 0) - 2
      expect(yield* why("web", String(seq))).toMatchObject({
        standing: "absent",
        position: seq,
        at: expect.any(String)
      })
    }).pipe(Effect.provide(local()))
  )
})
