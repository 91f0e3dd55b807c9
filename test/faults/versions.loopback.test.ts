import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { LowtideClient, layerClient } from "@lowtide/api"
import { newestFleetVersion } from "@lowtide/domain"
import { emptyBatch, Ledger, ledgerPostgres, migrate, type NewEvent } from "@lowtide/ledger"
import { startProcess, waitUntil } from "@lowtide/testkit/lab/index"
import { Effect, Option } from "effect"
import { answers, type CentreLab, leads, makeCentreLab, type RunningAllocator, uuid } from "./centre-lab.ts"

const agentProgram = join(import.meta.dirname, "../../services/agent/src/main.ts")

/** An event with the state that it leads to, by an allocator of another release that has ended since. */
const writtenElsewhere = (lab: CentreLab, stream: string, type: string, state: { readonly _tag: string }) =>
  Effect.gen(function* () {
    const ledger = yield* Ledger
    yield* waitUntil(
      "the lease",
      Effect.map(ledger.acquireLease(uuid(990), 60_000), Option.isSome).pipe(Effect.orElseSucceed(() => false)),
      { deadlineMs: 20_000 }
    )
    const { epoch, seq } = yield* ledger.head
    const [kind = ""] = stream.split(":")
    const [row] = yield* lab.sql(`select version from stream_current where stream = '${stream}'`)
    const previousVersion = (row?.version as number | undefined) ?? 0
    const version = previousVersion + 1
    const event: NewEvent = {
      ...{ stream, version, type, schema: 1, actor: "person:ann", actorKind: "person", reasonCode: "requested" },
      ...{ commandId: uuid(900 + seq), correlationId: uuid(900 + seq), meta: "{}" },
      data: JSON.stringify({ before: null, after: state })
    }
    const current = [{ stream, kind, version, previousVersion, seq: seq + 1, schema: 1, state: JSON.stringify(state) }]
    yield* ledger.append({ ...emptyBatch({ epoch, seq }), events: [event], current })
    yield* ledger.releaseLease(epoch)
  }).pipe(Effect.provide(ledgerPostgres(lab.postgres.url)), Effect.scoped)

/** An agent of cluster east over a folder with one Service. */
const agent = Effect.fnUntraced(function* (lab: CentreLab) {
  const manifests = join(lab.folder, "manifests")
  mkdirSync(manifests)
  writeFileSync(
    join(manifests, "web.yaml"),
    "apiVersion: v1\nkind: Service\nmetadata: { name: web, namespace: shop }\nspec: { ports: [{ port: 80 }] }\n"
  )
  const trustFile = join(lab.folder, "trust.json")
  writeFileSync(trustFile, JSON.stringify({ intentKeys: { k1: lab.publicPem } }))
  return yield* startProcess({
    name: "agent",
    command: [process.execPath, agentProgram],
    logFile: join(lab.folder, "agent.log"),
    env: {
      LOWTIDE_CLUSTER: "east",
      LOWTIDE_NATS_URL: lab.nats.url,
      LOWTIDE_MANIFESTS: manifests,
      LOWTIDE_STATUSES: join(lab.folder, "statuses"),
      LOWTIDE_TRUST_FILE: trustFile,
      LOWTIDE_HTTP_LISTEN: `unix:${join(lab.folder, "agent.sock")}`
    }
  }).pipe(Effect.orDie)
})

const finalise = (allocator: RunningAllocator, n: number) =>
  LowtideClient.use((api) => api.orders.finaliseFleet({ payload: { commandId: uuid(n), reason: "all run it" } })).pipe(
    Effect.provide(layerClient({ _tag: "UnixSocket", path: allocator.url.slice("unix:".length) }, { user: "ann" }))
  )

describe("a fleet that is upgraded", () => {
  it.live("has what is new once a person finalises it; an allocator that is older than the fleet does not lead", () =>
    Effect.gen(function* () {
      const lab = yield* makeCentreLab
      yield* migrate(lab.postgres.url)
      const east = { _tag: "Cluster", cluster: "east", network: "default" }
      yield* writtenElsewhere(lab, "cluster:east", "ClusterRegistered", east)

      const one = yield* lab.allocator("one")
      yield* leads(one)
      const before = yield* answers(one, "/v1/fleet/version", ({ status }) => status === 200)
      assert.deepInclude(before.body, { version: 1, newest: newestFleetVersion, finalised: null })
      const early = yield* Effect.flip(finalise(one, 1))
      assert.match(early.message, /agent east not heard from yet/)

      yield* agent(lab)
      yield* answers(one, "/v1/fleet/version", ({ body }) =>
        (body.processes as ReadonlyArray<{ kind: string; version: number }>).some(
          ({ kind, version }) => kind === "agent" && version === newestFleetVersion
        )
      )
      const { items } = yield* finalise(one, 2)
      assert.deepStrictEqual(
        items.map(({ type, actor }) => [type, actor]),
        [["FleetVersionFinalised", "local:ann"]]
      )
      const after = yield* answers(one, "/v1/fleet/version", ({ body }) => body.version === newestFleetVersion)
      assert.deepStrictEqual([after.body.off, after.body.finalised.words], [[], "all run it"])

      // A release to come has raised it again: this one is the old one then.
      yield* one.process.stop
      yield* writtenElsewhere(lab, "fleet:version", "FleetVersionFinalised", {
        _tag: "FleetVersion",
        version: 99
      } as never)
      const old = yield* lab.allocator("old")
      const { body } = yield* answers(
        old,
        "/readyz",
        ({ status, body }) => status === 503 && /LT0542/.test(body?.detail)
      )
      assert.match(body.detail, /expected a version up to \d+, which this release knows, found 99/)
      assert.match(yield* old.process.log, /LT0542 .*Fix: Upgrade this process/)
      assert.strictEqual((yield* lab.sql("select count(*)::int as n from lease where expires_at > now()"))[0].n, 0)
    }).pipe(Effect.scoped)
  )
})
