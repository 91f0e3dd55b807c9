import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { LowtideClient, layerClient } from "@lowtide/api"
import { ensureStreams, layerBus, sendCommand } from "@lowtide/bus"
import type { Command, VipIntent } from "@lowtide/domain"
import { Ledger } from "@lowtide/ledger"
import { memoryLedger } from "@lowtide/testkit"
import { Effect, Layer, Result } from "effect"
import { HttpServer } from "effect/http"
import { readTokens } from "../../src/access/tokens.ts"
import { layerAllocator } from "../../src/allocator.ts"
import { Centre } from "../../src/centre.ts"
import { layerHttp } from "../../src/http/index.ts"
import { onNats, until } from "../live.ts"
import { announcing, forgetService, service, signingKey, uuid } from "../orders.ts"

const holder = (name: string, kind: string, roles: ReadonlyArray<object>) => ({
  name,
  kind,
  sha256: createHash("sha256").update(`token-of-${name}`).digest("hex"),
  roles
})
const tokens = Result.getOrThrow(
  readTokens(
    JSON.stringify({
      tokens: [
        holder("ada", "person", [{ role: "operator", clusters: ["east"] }]),
        holder("bob", "person", [{ role: "operator", clusters: ["west"] }, { role: "reader" }]),
        holder("ci", "machine", [{ role: "admin" }]),
        { ...holder("eve", "person", [{ role: "admin" }]), expires: "2026-01-01T00:00:00Z" }
      ]
    })
  )
)

/** An allocator over a ledger in memory and a real NATS, with its API; clients of it by the name in their token. */
const allocating = (
  title: string,
  hasTokens: boolean,
  test: (world: Effect.Success<ReturnType<typeof started>>) => Effect.Effect<unknown, unknown>
) => it.live(title, () => onNats((server) => Effect.flatMap(started(server.url, hasTokens), test)))

const started = Effect.fnUntraced(function* (natsUrl: string, hasTokens: boolean) {
  const services = yield* Layer.build(
    layerHttp("127.0.0.1:0", hasTokens ? tokens : undefined).pipe(
      Layer.provideMerge(layerAllocator(signingKey, Effect.void)),
      Layer.provideMerge(Layer.mergeAll(memoryLedger(), layerBus({ servers: [natsUrl], name: "test" })))
    )
  )
  const within = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.provideContext(effect, services)
  const { address } = yield* within(HttpServer.HttpServer)
  const url = address._tag === "InetAddressV4" ? `http://127.0.0.1:${address.port}` : ""
  yield* within(ensureStreams)
  const centre = yield* within(Centre)
  yield* until(
    "a leader",
    Effect.map(centre.health, ({ role }) => role === "leader")
  )
  let count = 0
  const send = (command: Command) => {
    const id = uuid(++count)
    return within(sendCommand("east", { commandId: id, correlationId: id, command: command as never }))
  }
  for (const command of [...announcing, service("web"), forgetService("web")]) yield* send(command)
  const as = <A, E>(
    credential: { token?: string; user?: string },
    ask: (api: LowtideClient["Service"]) => Effect.Effect<A, E>
  ) => LowtideClient.use(ask).pipe(Effect.provide(layerClient({ _tag: "Url", url }, credential)))
  const events = within(Effect.flatMap(Ledger, (store) => store.events({ order: "asc", limit: 10_000 })))
  /** What the cluster is told, by key, as the database has it. */
  const messages = within(
    Effect.map(
      Effect.flatMap(Ledger, (store) => store.intentsSince("east", 0)),
      (intents) =>
        new Map(
          intents.map(({ subject, envelope }) => [
            subject,
            JSON.parse((JSON.parse(envelope) as { readonly payload: string }).payload) as Partial<VipIntent>
          ])
        )
    )
  )
  return { url, send, as, events, messages }
})

const order = { commandId: uuid(900), reason: "burnt, will not come back" }
const retire = (api: LowtideClient["Service"]) =>
  api.orders.retireNode({ params: { cluster: "east", node: "n1" }, payload: order })
const force = (api: LowtideClient["Service"]) =>
  api.orders.forceRelease({
    params: { address: "192.0.2.0" },
    query: {},
    payload: { commandId: uuid(901), reason: "both routers looked at" }
  })
const gone = (name: string): Command => ({ _tag: "ForgetNode", cluster: "east", name })
const ada = { token: "token-of-ada" }

describe("orders over the API", () => {
  allocating("approve withdrawals beyond the budget, by a second person, as they were seen", true, (it) =>
    Effect.gen(function* () {
      const ci = { token: "token-of-ci" }
      const object = (spec: object) => ({
        commandId: uuid(920),
        object: { apiVersion: "lowtide.dev/v1alpha1", kind: "Fleet", metadata: { name: "prod" }, spec }
      })
      const none = object({ blastRadius: { maxWithdrawRoutes: 0 } })
      const byOperator = yield* Effect.flip(it.as(ada, (api) => api.orders.apply({ payload: none })))
      assert.include(JSON.stringify(byOperator), "LT0602")
      yield* it.as(ci, (api) => api.orders.apply({ payload: none }))
      const approvals = it.as(ada, (api) => api.fleet.approvals({ query: {} }))
      for (const name of ["one", "two"]) yield* it.send(service(name))
      yield* it.send(forgetService("one"))
      const seen = yield* approvals
      const [order] = seen.items
      assert.deepInclude(order, { id: "w-1", cluster: "east", author: "agent:east", phase: "pending", count: 1 })
      assert.deepStrictEqual(seen.budget[0], { cluster: null, withdrawn: 1, limit: 0 })
      const address = order?.addresses[0]?.address ?? ""
      const key = `adv.4-${address.replaceAll(".", "-")}`
      assert.strictEqual((yield* it.messages).get(key)?.state, "announced")
      yield* it.send(forgetService("two"))
      const decide = (id: number, revision: number) => (api: LowtideClient["Service"]) =>
        api.orders.approve({ params: { id: "w-1" }, payload: { commandId: uuid(id), reason: "CHG-955", revision } })
      const revision = (yield* approvals).items[0]?.revision ?? 0
      for (const [credential, asked, code] of [
        [ci, decide(921, revision), "LT0603"],
        [{ token: "token-of-bob" }, decide(922, revision), "LT0602"],
        [ada, decide(923, order?.revision ?? 0), "LT0609"]
      ] as const) {
        assert.include(JSON.stringify(yield* Effect.flip(it.as(credential, asked))), code)
      }
      const { items: faults } = yield* it.as(ada, (api) => api.fleet.findings({ query: {} }))
      assert.include(
        faults.map(({ code }) => code),
        "LT0620"
      )
      const { items: vips } = yield* it.as(ada, (api) => api.fleet.vips({ query: {} }))
      assert.deepInclude(
        vips.find((vip) => vip.address === address),
        { phase: "assigned", approval: "w-1" }
      )
      const { items: services } = yield* it.as(ada, (api) => api.fleet.services({ query: {} }))
      assert.deepStrictEqual(
        services.map(({ name, state, addresses: held }) => [name, state, held.map(({ approval }) => approval)]),
        [
          ["one", "Held", ["w-1"]],
          ["two", "Held", ["w-1"]]
        ]
      )
      const holder = (at?: number) =>
        it.as(ada, (api) =>
          api.audit.holder({ params: { address }, query: at === undefined ? {} : { at: String(at) } })
        )
      const held = yield* holder()
      assert.strictEqual(held.approval, "w-1")
      assert.match(held.sentence, /held by east shop\/one since .* Its withdrawal waits .* to approve w-1: /)
      const metrics = yield* Effect.promise(() => fetch(`${it.url}/metrics`).then((answer) => answer.text()))
      for (const line of [
        'lowtide_budget_withdrawn{scope="fleet"} 1',
        'lowtide_budget_left{scope="fleet"} 0',
        'lowtide_budget_withdrawn{cluster="east",scope="cluster"} 1',
        'lowtide_budget_left{cluster="east",scope="cluster"} 8'
      ]) {
        assert.include(metrics.split("\n"), line)
      }
      const rejected = yield* it.as(ada, (api) =>
        api.orders.reject({
          params: { id: "w-1" },
          payload: { commandId: uuid(924), reason: "not sure yet", revision }
        })
      )
      assert.strictEqual(rejected.items[0]?.what, "order w-1 was rejected: 2 addresses of cluster east stay announced")
      const { items } = yield* it.as(ada, decide(925, revision))
      assert.deepStrictEqual(
        items.map(({ type, actor, words }) => [type, actor, words]),
        ["WithdrawalsApproved", "VipReleased", "VipReleased"].map((type) => [type, "person:ada", "CHG-955"])
      )
      const tombstone = (yield* it.messages).get(key)
      assert.deepStrictEqual(
        [tombstone?.state, tombstone?.massWithdraw?.reason],
        ["withdrawn", "CHG-955"],
        "speakers' brakes let it through"
      )
      assert.deepStrictEqual((yield* approvals).items, [])
    })
  )

  allocating("show at each address that a change of configuration waits for a second person", true, (it) =>
    Effect.gen(function* () {
      const limits = { blastRadius: { maxWithdrawRoutes: 0 } }
      const object = { apiVersion: "lowtide.dev/v1alpha1", kind: "Fleet", metadata: { name: "prod" }, spec: limits }
      yield* it.as({ token: "token-of-ci" }, (api) => api.orders.apply({ payload: { commandId: uuid(940), object } }))
      yield* it.send(service("one"))
      const { items: before } = yield* it.as(ada, (api) => api.fleet.vips({ query: {} }))
      const { address = "", routeApproval } = before.find(({ phase }) => phase === "assigned") ?? {}
      assert.isNull(routeApproval)
      const inForce = { _tag: "DeleteManifest", cluster: "east", kind: "BGPAdvertisement" } as const
      yield* it.send({ ...inForce, namespace: "metallb-system", name: "all" })
      const { items } = yield* it.as(ada, (api) => api.fleet.vips({ query: {} }))
      const shown = items.find((vip) => vip.address === address)
      assert.deepInclude(shown, { phase: "assigned", approval: null, routeApproval: "w-1" })
      const ask = (at?: string) =>
        it.as(ada, (api) => api.audit.holder({ params: { address }, query: at === undefined ? {} : { at } }))
      const waiting = yield* ask()
      assert.deepInclude(waiting, { approval: null, routeApproval: "w-1" })
      const change = "A change of configuration that would leave it without a route"
      assert.include(waiting.sentence, `${change} waits for a second person to approve w-1: it is announced as before.`)
      const decided = { commandId: uuid(941), reason: "not now", revision: 1 }
      yield* it.as(ada, (api) => api.orders.reject({ params: { id: "w-1" }, payload: decided }))
      assert.include((yield* ask()).sentence, `${change} was rejected (w-1): it is announced as before.`)
      const then = yield* ask(String(waiting.position))
      assert.include(then.sentence, `${change} waited for a second person to approve w-1: it was announced as before.`)
      const { items: orders } = yield* it.as(ada, (api) => api.fleet.approvals({ query: {} }))
      const approved = { ...decided, commandId: uuid(942), revision: orders[0]?.revision ?? 0 }
      yield* it.as(ada, (api) => api.orders.approve({ params: { id: "w-1" }, payload: approved }))
      assert.isNull((yield* ask()).routeApproval)
    })
  )

  allocating("are not approved by whom nobody knows", false, (it) =>
    Effect.gen(function* () {
      const refused = yield* Effect.flip(
        it.as({ user: "ada" }, (api) =>
          api.orders.approve({
            params: { id: "w-1" },
            payload: { commandId: uuid(930), reason: "CHG-955", revision: 1 }
          })
        )
      )
      assert.include(JSON.stringify(refused), "LT0603")
    })
  )

  allocating("release the brakes of a cluster, by a person who may order there alone", true, (it) =>
    Effect.gen(function* () {
      const release =
        (commandId: string, query: { readonly node?: string } = {}) =>
        (api: LowtideClient["Service"]) =>
          api.orders.releaseBrake({
            params: { cluster: "east" },
            query,
            payload: { commandId, reason: "the shop is closed" }
          })
      const { items } = yield* it.as(ada, release(uuid(910), { node: "n1" }))
      assert.deepStrictEqual(
        items.map(({ type, actor, words, what }) => [type, actor, words, what]),
        [
          [
            "BrakeReleased",
            "person:ada",
            "the shop is closed",
            "the brakes of node n1 of cluster east were released: what they held back is withdrawn"
          ]
        ]
      )
      for (const [token, code] of [
        ["token-of-bob", "LT0602"],
        ["token-of-ci", "LT0603"]
      ] as const) {
        const refused = yield* Effect.flip(it.as({ token }, release(uuid(911))))
        assert.include(JSON.stringify(refused), code)
      }
      const event = (yield* it.events).at(-1)
      const messages = yield* it.messages
      assert.deepStrictEqual(messages.get("adv.4-192-0-2-0")?.massWithdraw, {
        reason: "the shop is closed",
        cause: event?.seq ?? 0,
        nodes: ["n1"]
      })
    })
  )

  allocating(
    "say who awaits whom, and are in the history with actor and words; one id is carried out once",
    true,
    (it) =>
      Effect.gen(function* () {
        const { items: vips } = yield* it.as(ada, (api) => api.fleet.vips({ query: {} }))
        assert.deepInclude(vips[0], { address: "192.0.2.0", phase: "withdrawing", awaiting: ["n1", "n2"] })
        yield* it.send(gone("n1"))
        const first = yield* it.as(ada, retire)
        assert.deepStrictEqual(
          first.items.map(({ type, actor, words }) => [type, actor, words]),
          [
            ["NodeRetired", "person:ada", order.reason],
            ["VipObligationLifted", "person:ada", order.reason]
          ]
        )
        const before = (yield* it.events).length
        const again = yield* it.as(ada, retire)
        assert.deepStrictEqual([again.seqFrom, again.seqTo], [first.seqFrom, first.seqTo])
        const anew = yield* it.as(ada, (api) =>
          api.orders.retireNode({
            params: { cluster: "east", node: "n1" },
            payload: { ...order, commandId: uuid(902) }
          })
        )
        assert.deepStrictEqual([anew.seqFrom, anew.items], [null, []])
        assert.strictEqual((yield* it.events).length, before)
        const waiting = yield* it.as(ada, (api) => api.audit.holder({ params: { address: "192.0.2.0" }, query: {} }))
        assert.match(
          waiting.sentence,
          /withdrawing since .*, after east shop\/web, because the Service is gone \(event \d+ by agent:east\); n2 has yet to confirm\.$/
        )
        yield* it.as(ada, force)
        const { sentence } = yield* it.as(ada, (api) =>
          api.audit.holder({ params: { address: "192.0.2.0" }, query: {} })
        )
        assert.match(
          sentence,
          /quarantined since .*, because a person answers for its withdrawal, which not every node had confirmed \("both routers looked at"\) \(event \d+ by person:ada\); others may have it from \S+\.$/
        )
        const { items } = yield* it.as(ada, (api) => api.audit.history({ query: { address: "192.0.2.0" } }))
        const [released] = items.slice(-1)
        assert.deepInclude(released, {
          type: "VipForceReleased",
          unauthenticated: false,
          words: "both routers looked at"
        })
        assert.include(released?.what, "without waiting for n2")
      })
  )

  allocating("are refused to who may not give them, and change nothing then", true, (it) =>
    Effect.gen(function* () {
      yield* it.send(gone("n1"))
      const before = (yield* it.events).length
      const failure = <A>(
        token: string | undefined,
        ask: (api: LowtideClient["Service"]) => Effect.Effect<A, { readonly _tag: string; readonly message: string }>
      ) =>
        Effect.map(Effect.flip(it.as(token === undefined ? {} : { token }, ask)), (error) => [
          error._tag,
          (error as { readonly code?: string }).code
        ])
      const reading = (api: LowtideClient["Service"]) => api.fleet.vips({ query: {} })
      assert.deepStrictEqual(yield* failure(undefined, retire), ["UnauthenticatedProblem", "LT0601"])
      assert.deepStrictEqual(yield* failure("token-of-eve", retire), ["UnauthenticatedProblem", "LT0601"])
      assert.deepStrictEqual(yield* failure(undefined, reading), ["UnauthenticatedProblem", "LT0601"])
      assert.deepStrictEqual(yield* failure("token-of-bob", retire), ["ForbiddenProblem", "LT0602"])
      assert.deepStrictEqual(yield* failure("token-of-ci", force), ["ForbiddenProblem", "LT0603"])
      const forbidden = yield* Effect.flip(it.as({ token: "token-of-bob" }, force))
      assert.deepInclude(forbidden, { role: "operator of cluster east, pool public, a person named by a token" })
      yield* it.as({ token: "token-of-bob" }, reading)
      assert.strictEqual((yield* it.events).length, before)
    })
  )

  allocating("are refused where they contradict what is so, each with what to do", true, (it) =>
    Effect.gen(function* () {
      const failure = <A>(ask: (api: LowtideClient["Service"]) => Effect.Effect<A, unknown>) =>
        Effect.flip(it.as(ada, ask))
      assert.deepInclude(yield* failure(retire), { _tag: "RefusedProblem", code: "LT0605" })
      yield* it.send(service("next", { requestedAddresses: ["192.0.2.1"] }))
      const held = yield* failure((api) =>
        api.orders.forceRelease({ params: { address: "192.0.2.1" }, query: {}, payload: order })
      )
      assert.deepInclude(held, { _tag: "RefusedProblem", code: "LT0606" })
      assert.include((held as Error).message, "held by east/shop/next")
      const unknown = yield* failure((api) =>
        api.orders.forceRelease({ params: { address: "198.51.100.1" }, query: {}, payload: order })
      )
      assert.deepInclude(unknown, { _tag: "NotFoundProblem" })
      const post = (body: string, headers: Record<string, string> = {}) =>
        Effect.promise(async () => {
          const response = await fetch(`${it.url}/v1/nodes/east/n1/retire`, {
            method: "POST",
            headers: { authorization: `Bearer ${ada.token}`, "content-type": "application/json", ...headers },
            body
          })
          return [response.status, await response.text()] as const
        })
      for (const [body, field] of [
        [{ commandId: uuid(1) }, "reason"],
        [{ commandId: uuid(1), reason: "  " }, "reason"],
        [{ commandId: uuid(1), reason: "x".repeat(501) }, "reason"],
        [{ commandId: "1", reason: "why" }, "commandId"]
      ] as const) {
        const [status, text] = yield* post(JSON.stringify(body))
        assert.strictEqual(status, 400)
        assert.include(text, field)
      }
      assert.strictEqual((yield* post(JSON.stringify(order), { "content-type": "text/plain" }))[0] >= 400, true)
    })
  )

  allocating("reserve addresses and set quotas, which views, answers and refusals tell of", true, (it) =>
    Effect.gen(function* () {
      const ci = { token: "token-of-ci" }
      const object = (kind: string, name: string, spec: object) => ({
        apiVersion: "lowtide.dev/v1alpha1",
        kind,
        metadata: { name },
        spec
      })
      let n = 500
      const apply = (thing: ReturnType<typeof object>) =>
        it.as(ci, (api) => api.orders.apply({ payload: { commandId: uuid(++n), object: thing } }))
      const next = { for: { cluster: "east", namespace: "shop", name: "next" }, address: "192.0.2.9" }
      const { items } = yield* apply(object("Reservation", "next", next))
      assert.deepStrictEqual(
        items.map(({ type, actor, what }) => [type, actor, what]),
        [
          [
            "AddressReserved",
            "machine:ci",
            "192.0.2.9 of pool public was reserved for east shop/next by reservation next"
          ]
        ]
      )
      const unselected = object("AddressPool", "nobody", { addresses: ["203.0.113.0/28"] })
      for (const isNew of [true, false]) {
        const { seqFrom, findings = [] } = yield* apply(unselected)
        assert.deepStrictEqual([seqFrom !== null, ...findings.map(({ code }) => code)], [isNew, "LT0162"])
      }
      yield* it.as(ci, (api) =>
        api.orders.deleteObject({ params: { kind: "AddressPool", name: "nobody" }, payload: { commandId: uuid(++n) } })
      )
      const who = () => it.as(ci, (api) => api.audit.holder({ params: { address: "192.0.2.9" }, query: {} }))
      const kept = yield* who()
      assert.strictEqual(
        kept.sentence,
        "192.0.2.9 (network default) has never been given out. It is in pool public of east. It is reserved for east shop/next by reservation next."
      )
      assert.deepInclude(kept.reservation, { name: "next", service: "next" })
      const pools = yield* it.as(ci, (api) => api.fleet.pools({ query: {} }))
      assert.deepInclude(pools.items[0], { reserved: 1, available: "14", withdrawing: 1 })
      yield* it.send(service("other", { requestedAddresses: ["192.0.2.9"] }))
      yield* it.send(service("next"))
      const standing = () =>
        Effect.map(
          it.as(ci, (api) => api.fleet.reservations({ query: {} })),
          ({ items }) => items[0]?.state
        )
      assert.strictEqual(yield* standing(), "Bound")
      assert.match(
        (yield* who()).sentence,
        /is held by east shop\/next .* because a reservation keeps it for the Service/
      )
      const { items: services } = yield* it.as(ci, (api) => api.fleet.services({ query: {} }))
      const other = services.find(({ name }) => name === "other")
      assert.include(other?.refusal?.message, "reserved for east/shop/next by reservation next")
      yield* apply(object("Quota", "shop", { cluster: "east", namespace: "shop", addresses: 1 }))
      yield* it.send(service("third"))
      const quotas = yield* it.as(ci, (api) => api.fleet.quotas({ query: {} }))
      assert.deepInclude(quotas.items[0], { name: "shop", usage: [{ cluster: "east", used: 1, waiting: 1 }] })
      const faulty = yield* Effect.flip(apply(object("Quota", "shop", { addresses: -1, adresses: 2 })))
      assert.deepInclude(faulty, { _tag: "RefusedProblem", code: "LT0108" })
      assert.include((faulty as Error).message, "adresses")
      yield* it.as(ci, (api) =>
        api.orders.deleteObject({ params: { kind: "Reservation", name: "next" }, payload: { commandId: uuid(++n) } })
      )
      assert.deepStrictEqual((yield* it.as(ci, (api) => api.fleet.reservations({ query: {} }))).items, [])
      const reservedAt = String(items[0]?.seq)
      const then = yield* it.as(ci, (api) =>
        api.audit.holder({ params: { address: "192.0.2.9" }, query: { at: reservedAt } })
      )
      assert.deepInclude(then.reservation, { name: "next", service: "next" })
      assert.match(then.sentence, / It was reserved for east shop\/next by reservation next\.$/)
      const members = [{ cluster: "east", namespace: "shop", name: "both", priority: 1 }]
      const both = { addresses: ["192.0.2.10"], network: "default", members }
      yield* apply(object("SharedAddress", "both", both))
      const shared = yield* it.as(ci, (api) => api.audit.holder({ params: { address: "192.0.2.10" }, query: {} }))
      assert.strictEqual(
        shared.sentence,
        "192.0.2.10 (network default) has never been given out. It is in pool public of east. It is kept for east shop/both by SharedAddress both."
      )
      const earlier = yield* it.as(ci, (api) =>
        api.audit.holder({ params: { address: "192.0.2.9" }, query: { at: String(Number(reservedAt) - 1) } })
      )
      assert.isNull(earlier.reservation)
      const expired = yield* Effect.flip(
        it.as({ token: "token-of-eve" }, (api) => api.fleet.reservations({ query: {} }))
      )
      assert.deepInclude(expired, {
        _tag: "UnauthenticatedProblem",
        message:
          "token: expected one that the tokens file has, found that of eve, which expired at 2026-01-01T00:00:00Z"
      })
      const forbidden = yield* Effect.flip(
        it.as({ token: "token-of-bob" }, (api) =>
          api.orders.apply({ payload: { commandId: uuid(++n), object: object("Reservation", "next", next) } })
        )
      )
      assert.deepInclude(forbidden, { _tag: "ForbiddenProblem", role: "operator of cluster east, pool public" })
    })
  )

  allocating("of nobody in particular are marked so, and force takes a token", false, (it) =>
    Effect.gen(function* () {
      yield* it.send(gone("n1"))
      const { items } = yield* it.as({ user: "ada" }, retire)
      assert.deepInclude(items[0], { type: "NodeRetired", actor: "local:ada", unauthenticated: true })
      const [retired] = (yield* it.events).filter(({ type }) => type === "NodeRetired")
      assert.deepInclude(JSON.parse(retired?.meta ?? "{}"), { words: order.reason, unauthenticated: true })
      const forbidden = yield* Effect.flip(it.as({ user: "ada" }, force))
      assert.deepInclude(forbidden, { _tag: "ForbiddenProblem", code: "LT0603" })
      const sneaky = yield* it.as({ user: "ada root" }, (api) =>
        api.orders.retireNode({ params: { cluster: "east", node: "n1" }, payload: { ...order, commandId: uuid(7) } })
      )
      assert.deepStrictEqual(sneaky.items, [])
    })
  )

  allocating("of a web page that resolves its own name to this machine are refused", false, (it) =>
    Effect.gen(function* () {
      const { request } = yield* Effect.promise(() => import("node:http"))
      const { port } = new URL(it.url)
      const status = yield* Effect.promise(
        () =>
          new Promise<number | undefined>((resolve, reject) => {
            const asked = request(
              { port, path: "/v1/vips", headers: { host: `lowtide.example:${port}` } },
              (response) => {
                response.resume()
                resolve(response.statusCode)
              }
            )
            asked.on("error", reject).end()
          })
      )
      assert.strictEqual(status, 403)
    })
  )
})
