import { mkdtempSync, rmSync, statSync } from "node:fs"
import { request } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { performance } from "node:perf_hooks"
import { BgpFlapList, BgpRouteList, BgpSessionList } from "@lowtide/api/bgp"
import { NodeOrderAnswer, NodeTruth } from "@lowtide/api/node-truth"
import { type BgpCollector, startCollector } from "@lowtide/bgp/collector"
import { startPeer } from "@lowtide/bgp/session"
import { Effect, Exit, Result, Schema, Scope } from "effect"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { serveControl } from "../src/control/server.ts"
import type { SpeakerLife } from "../src/life.ts"
import { Speaker } from "../src/speaker.ts"
import { readTrust } from "../src/trust.ts"
import { Withheld, withheldFiles } from "../src/withheld.ts"
import { clusterName, HandCentre, judgeInTurn, nodeIntent, nodeName, peer, tombstone, vip } from "./hand-centre.ts"
import { firstLife, nobody, noDiagnosis } from "./played.ts"

/** Said in this order, which is that of their texts as well, and not that of their numbers. */
const [webV4, dnsV4] = ["198.51.100.10", "198.51.100.9"]
const serving = {
  put: [{ namespace: "shop", name: "web-1", service: "web", endpoints: [{ addresses: ["10.0.0.1"], nodeName }] }],
  deleted: [],
  isComplete: true
}

const failing = { ...serving, put: serving.put.map((slice) => ({ ...slice, endpoints: [] })), isComplete: false }

/** Asks again until it is so; a machine may be busy. */
const until = async (isSo: () => boolean, what: string): Promise<void> => {
  for (const deadline = performance.now() + 60_000; !isSo(); ) {
    if (performance.now() > deadline) throw new Error(`it did not come to: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

describe("a person at the node", () => {
  let folder = ""
  let scope = Scope.makeUnsafe()
  let collector: BgpCollector
  let centre: HandCentre
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "lowtide-control-"))
    scope = Scope.makeUnsafe()
    const options = { host: "127.0.0.1", port: 0, localAsn: 64511, routerId: "192.0.2.1", holdTimeSeconds: 90 }
    collector = await Effect.runPromise(Scope.provide(startCollector({ ...options, families: [4, 6] }), scope))
    centre = new HandCentre()
  })
  afterEach(async () => {
    await Effect.runPromise(Scope.close(scope, Exit.void))
    rmSync(folder, { recursive: true, force: true })
  })

  /** A process on the folder, with what the centre said so far; it and its socket end with the answered function. */
  const begin = async (
    records: ReadonlyArray<{ readonly key: string; readonly envelope: string }>,
    life: SpeakerLife = firstLife,
    damage: "none" | "lost" = "none"
  ) => {
    const own = Scope.makeUnsafe()
    const withheld = new Withheld(withheldFiles(folder), new Date().toISOString())
    const files = { cluster: clusterName, trustText: centre.trustText, allowedText: centre.allowedText() }
    const speaker = new Speaker({
      settings: { cluster: clusterName, node: nodeName },
      trust: Result.getOrThrow(readTrust(files)),
      journal: { append: async () => {}, isLong: () => false, compact: () => {}, close: async () => {} },
      loaded: {
        records: records.map((each) => ({ _tag: "Message" as const, ...each })),
        damage,
        faults: []
      },
      life,
      diagnosis: noDiagnosis,
      withheld,
      startPeer,
      passwordOf: () => undefined,
      mayBegin: () => true,
      neighbors: nobody,
      bfd: { set: () => undefined, remove: () => undefined, sessions: () => new Map(), isConnected: () => false },
      isOnLink: () => true,
      runId: "run-1",
      say: () => {},
      resync: () => {},
      wake: () => {},
      monotonicMs: () => performance.now(),
      unixMs: Date.now,
      random: () => 0,
      judge: judgeInTurn
    })
    speaker.start()
    speaker.takeEndpoints(serving)
    const path = join(folder, "control.sock")
    const port = {
      speaker,
      withheld,
      trustedKeys: () => ["centre-1"],
      startedAtUnixMs: Date.now(),
      unixMs: Date.now,
      wait: (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
    }
    await Effect.runPromise(Scope.provide(serveControl(path, port), own))
    const end = async () => {
      await Effect.runPromise(Scope.close(own, Exit.void))
      await Effect.runPromise(speaker.stop())
    }
    await Effect.runPromise(Scope.addFinalizer(scope, Effect.promise(end)))
    const take = (...items: ReadonlyArray<{ readonly key: string; readonly envelope: string }>) =>
      speaker.intake.take({ _tag: "Snapshot", items })
    return { speaker, path, end, take }
  }

  const ask = (path: string, method: string, url: string, body?: object) =>
    new Promise<{ readonly status: number; readonly body: unknown }>((resolve, reject) => {
      const headers = { "x-lowtide-user": "ada" }
      const asked = request({ socketPath: path, method, path: url, headers }, (response) => {
        let text = ""
        response.on("data", (chunk) => {
          text += chunk
        })
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) }))
      })
      asked.on("error", reject)
      asked.end(body === undefined ? undefined : JSON.stringify(body))
    })
  const order = async (path: string, kind: string, prefix: string | null) => {
    const { status, body } = await ask(path, "POST", `/v1/node/${kind}`, { prefix, reason: "hijacked" })
    assert.strictEqual(status, 200, JSON.stringify(body))
    return Schema.decodeUnknownSync(NodeOrderAnswer)(body)
  }
  const routesAtRouter = () => [...(collector.peers()[0]?.routes.keys() ?? [])].sort()

  const saidTo = () => [
    centre.say(nodeIntent([peer({ peerPort: collector.port, holdTimeSeconds: 90, keepaliveTimeSeconds: 30 })])),
    centre.say(vip(webV4)),
    centre.say(vip(dnsV4))
  ]

  it("takes a route away at the router, over a restart and whatever the centre says, until it is given back", async () => {
    const said = saidTo()
    const first = await begin(said)
    await until(() => routesAtRouter().length === 2, "both routes are at the router")
    const answer = await order(first.path, "withdraw", webV4)
    assert.deepStrictEqual(answer.prefixes, [`${webV4}/32`])
    assert.deepStrictEqual(answer.peers, [{ peer: "router", state: "written" }])
    assert.isTrue(answer.isSaved)
    await until(() => routesAtRouter().join() === `${dnsV4}/32`, "the router has dropped it")

    const again = centre.say(vip(webV4, { routes: [{ ...vip(webV4).routes[0]!, communities: [] }] }))
    first.take(...said, again, centre.head())
    await until(() => first.speaker.status().sync === "live", "the centre has said it again")
    assert.deepStrictEqual(first.speaker.status().announcing, [dnsV4])
    const told = first.speaker.status().withheld
    assert.deepInclude(told?.orders[0], { prefix: `${webV4}/32`, reason: "hijacked", actor: "local:ada" })
    assert.deepStrictEqual(first.speaker.view.truth().verdicts, [
      { verdict: "Announced", vips: 1 },
      { verdict: "Withheld", vips: 1 }
    ])
    const journal = first.speaker.reporter.outbox
      .peek()
      .filter((entry) => entry._tag === "Applied" && entry.byHand !== undefined)
    assert.deepInclude(journal[0], {
      address: webV4,
      verdict: "Withheld",
      byHand: { order: "withdraw", reason: "hijacked", actor: "local:ada" }
    })

    await first.end()
    await until(() => collector.peers().length === 0, "the session is gone")
    const second = await begin([...said, again])
    await until(() => routesAtRouter().join() === `${dnsV4}/32`, "the new process announces the other one alone")
    const back = await order(second.path, "restore", `${webV4}/32`)
    assert.deepStrictEqual([back.prefixes, back.withheld], [[`${webV4}/32`], []])
    await until(() => routesAtRouter().length === 2, "both are back")
  })

  it("takes everything away, and a tombstone of what is withheld is confirmed as any other", async () => {
    const said = saidTo()
    const { path, speaker, take } = await begin(said)
    await until(() => routesAtRouter().length === 2, "both routes are at the router")
    take(...said, centre.head())
    await until(() => speaker.status().confirmedCseq === 3, "nothing is withdrawn yet")
    const answer = await order(path, "withdraw", null)
    const told = Schema.decodeUnknownSync(BgpSessionList)((await ask(path, "GET", "/v1/bgp/peers")).body).items[0]
    assert.deepInclude(told, {
      prefixesWanted: 0,
      withheld: { count: 1, orders: speaker.status().withheld?.orders ?? [] }
    })
    assert.deepStrictEqual(answer.prefixes, [`${dnsV4}/32`, `${webV4}/32`])
    await until(() => routesAtRouter().length === 0, "the router has nothing")
    // Withheld is not released: the centre has no word of it, and goes on to oblige the node.
    assert.strictEqual(speaker.status().confirmedCseq, 3)
    take(...said, centre.say(tombstone(webV4)), centre.head())
    await until(() => speaker.status().confirmedCseq === 4, "the tombstone is confirmed")
    await order(path, "restore", null)
    await until(() => routesAtRouter().join() === `${dnsV4}/32`, "what the centre wants is back, and nothing else")
  })

  it("is told the truth of the node in the shape of the centre's answers", async () => {
    const said = saidTo()
    const { path, speaker } = await begin(said)
    await until(() => routesAtRouter().length === 2, "both routes are at the router")
    await until(() => speaker.view.memory.told({ network: "default", address: webV4 }, "router") !== undefined, "told")
    assert.strictEqual(statSync(path).mode & 0o777, 0o600)
    const peers = Schema.decodeUnknownSync(BgpSessionList)((await ask(path, "GET", "/v1/bgp/peers")).body)
    assert.deepInclude(peers.items[0], {
      state: "Established",
      prefixesSent: 2,
      prefixesWanted: 2,
      localAddress: "127.0.0.1"
    })
    const all = Schema.decodeUnknownSync(BgpRouteList)((await ask(path, "GET", "/v1/bgp/routes")).body)
    assert.deepStrictEqual(
      all.items.map(({ prefix }) => prefix),
      [`${dnsV4}/32`, `${webV4}/32`]
    )
    const url = `/v1/bgp/routes?prefix=${webV4}`
    const routes = Schema.decodeUnknownSync(BgpRouteList)((await ask(path, "GET", url)).body)
    assert.strictEqual(routes.items.length, 1)
    assert.deepInclude(routes.items[0], {
      prefix: `${webV4}/32`,
      nextHop: "127.0.0.1",
      asPath: [64496],
      communities: ["64496:100"],
      largeCommunities: ["64496:1:2"]
    })
    assert.strictEqual(routes.items[0]?.confirmed.by, "written")
    assert.deepStrictEqual(routes.items[0]?.vips[0]?.event?.type, "VipAssigned")
    speaker.takeEndpoints(failing)
    await until(() => routesAtRouter().length === 0, "no endpoint, no route")
    const after = Schema.decodeUnknownSync(BgpRouteList)((await ask(path, "GET", url)).body)
    assert.deepStrictEqual(
      after.unannounced.map(({ why }) => why),
      ["NoEndpoint"]
    )
    for (const what of ["peers", "routes", "flaps"]) {
      const { status, body } = await ask(path, "GET", `/v1/bgp/${what}?peer=routr`)
      assert.deepInclude(body, { detail: 'peer: expected one of [router], found "routr" (did you mean router?)' })
      assert.strictEqual(status, 404)
    }
    const flaps = Schema.decodeUnknownSync(BgpFlapList)((await ask(path, "GET", "/v1/bgp/flaps")).body)
    assert.deepStrictEqual(
      flaps.items.map(({ kind, name, downs, reasons }) => [kind, name, downs, reasons[0]?.reason]).sort(),
      [webV4, dnsV4].map((address) => ["vip", address, 1, "NoEndpoint, as its endpoints were lost"])
    )
    const truth = Schema.decodeUnknownSync(NodeTruth)((await ask(path, "GET", "/v1/node")).body)
    assert.deepInclude(truth, { node: nodeName, sync: "stale", intents: 2, withheld: [], trustedKeys: ["centre-1"] })
  })

  it("may say that what the disk has is still so after a boot, when the centre cannot", async () => {
    const former = { bootId: "before", agreedAtMs: 0, lost: {}, aliveAtMs: 0 }
    const old = { ...firstLife, former, hasBooted: true, whyOld: () => "it is 25 h old" }
    const { path, speaker } = await begin(saidTo(), old)
    await until(() => collector.peers().length === 1, "the session is up")
    const truth = Schema.decodeUnknownSync(NodeTruth)((await ask(path, "GET", "/v1/node")).body)
    assert.deepInclude(truth, { isQuiet: true, prefixes: 0, agreedAt: "1970-01-01T00:00:00.000Z" })
    const routes = Schema.decodeUnknownSync(BgpRouteList)((await ask(path, "GET", "/v1/bgp/routes")).body)
    assert.lengthOf(routes.items, 2, "what it would announce")
    for (const { confirmed } of routes.items) assert.match(confirmed.by === null ? confirmed.reason : "", /LT0409/)
    const peers = Schema.decodeUnknownSync(BgpSessionList)((await ask(path, "GET", "/v1/bgp/peers")).body)
    assert.deepInclude(peers.items[0], { prefixesSent: 0, prefixesWanted: 2 })
    // What is withheld, and given back by its name, is no word about the rest.
    await order(path, "withdraw", webV4)
    await order(path, "withdraw", dnsV4)
    await order(path, "restore", dnsV4)
    await order(path, "restore", webV4)
    assert.isTrue(speaker.view.truth().isQuiet)
    const answer = await order(path, "restore", null)
    assert.lengthOf(answer.prefixes, 2, "what is announced by it")
    assert.isFalse(speaker.view.truth().isQuiet)
    await until(() => routesAtRouter().length === 2, "both routes are at the router")
  })

  it("cannot vouch for what the disk has lost", async () => {
    const { path } = await begin(saidTo(), firstLife, "lost")
    const { status, body } = await ask(path, "POST", "/v1/node/restore", { prefix: null, reason: "it is ours" })
    assert.strictEqual(status, 404)
    assert.match(
      (body as { readonly detail: string }).detail,
      /the disk has lost some \(LT0409\): it waits for the centre/
    )
  })

  it("is told what is wrong with a question or an order, and nothing changes", async () => {
    const { path, speaker } = await begin(saidTo())
    const cases: ReadonlyArray<readonly [string, string, object | undefined, number, string]> = [
      ["GET", "/v1/bgp/peers?node=other", undefined, 404, `expected ${nodeName}`],
      ["GET", "/v1/bgp/routes?prefix=198.51.100.1/24", undefined, 400, "did you mean 198.51.100.0/24"],
      ["GET", "/v1/bgp/peers?at=2026-11-23T14:05:00Z", undefined, 400, "knows the present alone"],
      ["GET", "/v1/nothing", undefined, 404, "expected one of a speaker's"],
      ["POST", "/v1/node/withdraw", { prefix: "198.51.100.300", reason: "x" }, 400, "expected"],
      ["POST", "/v1/node/withdraw", { prefix: null, reason: " " }, 400, "expected a reason in words"],
      ["POST", "/v1/node/restore", { prefix: webV4, reason: "x" }, 404, "and nothing is"]
    ]
    for (const [method, url, body, status, detail] of cases) {
      const answer = await ask(path, method, url, body)
      assert.strictEqual(answer.status, status, url)
      assert.include((answer.body as { readonly detail: string }).detail, detail)
    }
    assert.isUndefined(speaker.status().withheld)
  })
})
