import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { execute, startPostgres } from "@lowtide/testkit"
import { startProcess, waitUntil } from "@lowtide/testkit/lab/index"
import { Effect } from "effect"
import { superviseComponent } from "../../scripts/demo/component.ts"
import type { Fleet } from "../../scripts/demo/fleet.ts"
import { component, getsRoute, hopsOf, isSettled, newService, runningFleet, services, tables } from "./fleet-scope.ts"
import { mainOf } from "./processes.ts"

/** The ledger's URL, over the socket that its server has in its folder. */
const databaseOf = (fleet: Fleet): string => {
  const folder = join(fleet.site.folder, "postgres")
  return `postgres://lowtide_owner@${encodeURIComponent(folder)}:${portIn(folder)}/lowtide`
}

const portIn = (folder: string): number =>
  Number(readdirSync(folder).flatMap((name) => /^\.s\.PGSQL\.(\d+)$/.exec(name)?.[1] ?? [])[0])

// biome-ignore lint/suspicious/noExplicitAny: rows as the statement names them
const sql = (fleet: Fleet, text: string): Effect.Effect<ReadonlyArray<any>> =>
  Effect.suspend(() => query(databaseOf(fleet), text))

// biome-ignore lint/suspicious/noExplicitAny: rows as the statement names them
const query = (connectionString: string, text: string): Effect.Effect<ReadonlyArray<any>> =>
  Effect.promise(() => execute(connectionString, text))

/** UPDATEs that each router has had so far: a route that flaps leaves some behind, however short. */
const updates = (fleet: Fleet) => Effect.forEach(fleet.site.clusters, ({ router }) => router.updates)

/** Addresses by Service, as readers see them. */
const held = (fleet: Fleet) =>
  Effect.map(services(fleet), (items) =>
    Object.fromEntries(
      items.map(({ cluster, namespace, name, addresses }) => [
        `${cluster}/${namespace}/${name}`,
        addresses.map(({ address }) => address).join(" ")
      ])
    )
  )

/** How often history was lost, and how many clusters were published anew since. */
const recoveries = (fleet: Fleet) =>
  sql(
    fleet,
    "select count(*) filter (where type = 'HistoryLost')::int as lost, count(*) filter (where type = 'ClusterRepublished')::int as republished from events"
  ).pipe(
    Effect.map(([counts]) => counts as { readonly lost: number; readonly republished: number }),
    Effect.catchDefect(() => Effect.succeed({ lost: 0, republished: 0 }))
  )

const isRecovered = (fleet: Fleet) =>
  Effect.map(recoveries(fleet), ({ lost, republished }) => lost === 1 && republished === 2)

/** Runs the command, and answers what it prints; fails with what it says otherwise. */
const lowtide = (fleet: Fleet, ...args: ReadonlyArray<string>) => lowtideEnding(0, fleet, ...args)

const lowtideEnding = (exitCode: number, fleet: Fleet, ...args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const logFile = join(fleet.logs, `lowtide-${args[0]}.log`)
    rmSync(logFile, { force: true }) // what it said the last time
    const ran = yield* startProcess({
      name: "lowtide",
      command: [process.execPath, mainOf("cli"), ...args],
      logFile,
      env: { DATABASE_URL: databaseOf(fleet), LOWTIDE_SERVER: fleet.apiUrl }
    })
    const { code } = yield* ran.ended
    const log = yield* ran.log
    assert.strictEqual(code, exitCode, log)
    return log
  }).pipe(Effect.scoped)

/** No address has two holders, and none was given to another before it was free. */
const noDouble = Effect.fnUntraced(function* (fleet: Fleet, before: Readonly<Record<string, string>>) {
  const [{ doubles }] = yield* sql(
    fleet,
    `select count(*)::int as doubles from (
      select 1 from vip_history where to_seq is null and address <> '${sharedAddress}'
      group by network, address having count(*) > 1) d`
  )
  assert.strictEqual(doubles, 0)
  // The samples have Services that share an address.
  assert.deepStrictEqual(sharedIn(yield* held(fleet)), sharedIn(before))
})

const sharedIn = (held: Readonly<Record<string, string>>) => {
  const addresses = Object.values(held).flatMap((text) => text.split(" "))
  return addresses.filter((address, index) => address !== "" && addresses.indexOf(address) !== index).sort()
}

/** An address that both clusters have by a Service of one name; neither comes before the other. */
const sharedAddress = "203.0.113.121"
const both = ["east", "west"] as const
const shareAddress = Effect.fnUntraced(function* (fleet: Fleet) {
  const file = join(fleet.logs, "shared.yaml")
  const members = both.map((cluster) => `{cluster: ${cluster}, namespace: shop, name: any, priority: 10}`)
  writeFileSync(
    file,
    `apiVersion: lowtide.dev/v1alpha1
kind: SharedAddress
metadata: {name: any}
spec: {network: backbone, addresses: [${sharedAddress}], members: [${members}]}
`
  )
  yield* lowtide(fleet, "apply", "-f", file)
})
const anyFile = (fleet: Fleet, cluster: string) => join(fleet.manifests, cluster, "services/any.yaml")
const addMember = (fleet: Fleet, cluster: string) =>
  writeFileSync(anyFile(fleet, cluster), newService("any", `${cluster}-1`))
const hasParts = (fleet: Fleet) =>
  Effect.map(held(fleet), (now) => both.every((cluster) => now[`${cluster}/shop/any`] === sharedAddress))

const untilSettled = (fleet: Fleet) =>
  waitUntil("everything is as it should be", isSettled(fleet), { deadlineMs: 60_000 })

const atRest = Effect.fnUntraced(function* (fleet: Fleet) {
  yield* untilSettled(fleet)
  for (;;) {
    const before = JSON.stringify(yield* updates(fleet))
    yield* Effect.sleep("1 second")
    if (JSON.stringify(yield* updates(fleet)) === before) break
  }
  return { tables: yield* tables(fleet), updates: yield* updates(fleet), held: yield* held(fleet) }
})

const emptyDatabase = (fleet: Fleet) => sql(fleet, "drop schema public, audit cascade; create schema public")

it.live("PostgreSQL and NATS lost together: speakers and statuses remember, and no route changes", () =>
  Effect.gen(function* () {
    const fleet = yield* runningFleet
    yield* shareAddress(fleet)
    for (const cluster of both) addMember(fleet, cluster)
    yield* waitUntil("both clusters have the shared address", hasParts(fleet), { deadlineMs: 30_000 })
    const before = yield* atRest(fleet)
    yield* component(fleet, "allocator").kill
    yield* component(fleet, "nats").kill
    rmSync(join(fleet.site.folder, "nats/store"), { recursive: true, force: true })
    yield* emptyDatabase(fleet)
    yield* component(fleet, "nats").start
    yield* component(fleet, "allocator").start
    yield* waitUntil("both clusters are published anew", isRecovered(fleet), { deadlineMs: 60_000 })
    assert.deepStrictEqual(yield* atRest(fleet), before, "no router was told anything, every Service has what it had")
    const standing = yield* lowtide(fleet, "recover")
    assert.include(standing, "Incarnation 2, recovered, because node")
    const double = `LT0522: ${sharedAddress} of network backbone is held by east/shop/any and by west/shop/any.`
    assert.include(standing, double, "what said that it is shared is lost")
    assert.include(yield* lowtideEnding(1, fleet, "get", "findings"), "LT0522")
    yield* lowtide(fleet, "fleet", "finalise", "--reason", "an empty log begins with the first version")
    yield* shareAddress(fleet)
    assert.notInclude(yield* lowtide(fleet, "recover"), "LT0522")
    assert.deepStrictEqual(yield* atRest(fleet), before, "nor by that")
    writeFileSync(join(fleet.manifests, "east/services/later.yaml"), newService("later", "east-1"))
    yield* waitUntil("a new Service gets its route", getsRoute(fleet, "later"), { deadlineMs: 30_000 })
    yield* noDouble(fleet, before.held)
    rmSync(anyFile(fleet, "west"))
    const route = `${sharedAddress}/32`
    yield* waitUntil(
      "the one part is withdrawn",
      Effect.map(hopsOf(fleet, "west", route), (hops) => hops === "no route"),
      { deadlineMs: 30_000 }
    )
    assert.strictEqual(yield* hopsOf(fleet, "east", route), "10.1.0.11 10.1.0.12 10.1.0.13", "and no other")
  }).pipe(Effect.scoped)
)

it.live(
  "F10: restored from a backup that lacks the last thousand events: no route changes, no address is given twice",
  () =>
    Effect.gen(function* () {
      const fleet = yield* runningFleet
      yield* shareAddress(fleet)
      addMember(fleet, "east")
      yield* untilSettled(fleet)
      const file = join(fleet.logs, "ledger.gz")
      yield* lowtide(fleet, "backup", file)
      const [{ seq: backedUp }] = yield* sql(fleet, "select seq::int from log_head")
      addMember(fleet, "west")
      const drill = join(fleet.manifests, "east/services/drill.yaml")
      const drilled = (round: number) =>
        Array.from({ length: 80 }, (_, n) =>
          newService(`drill-${n}`, "east-1").replace(
            "namespace: shop}\nspec",
            `namespace: shop, labels: {round: "${round}"}}\nspec`
          )
        ).join("---\n")
      rmSync(join(fleet.manifests, "west/services/platform/vault.yaml")) // its address is withdrawn, and the backup has it held
      for (let round = 0, seq = backedUp; seq < backedUp + 1_000; round++) {
        writeFileSync(drill, drilled(round))
        yield* waitUntil(
          "the round is told",
          sql(
            fleet,
            `select count(*)::int as n from stream_current where state::jsonb #>> '{service,labels,round}' = '${round}'`
          ).pipe(Effect.map(([{ n }]) => n === 80)),
          { deadlineMs: 30_000 }
        )
        ;[{ seq }] = yield* sql(fleet, "select seq::int from log_head")
      }
      yield* waitUntil("both clusters have the shared address", hasParts(fleet))
      const before = yield* atRest(fleet)
      yield* component(fleet, "allocator").kill
      yield* emptyDatabase(fleet)
      yield* lowtide(fleet, "restore", file)
      yield* component(fleet, "allocator").start
      yield* waitUntil("both clusters are published anew", isRecovered(fleet), { deadlineMs: 60_000 })
      assert.deepStrictEqual(yield* atRest(fleet), before, "no router was told anything, every Service has what it had")
      const [{ adopted }] = yield* sql(
        fleet,
        `select count(*)::int as adopted from events where type = 'VipAdopted' and address = '${sharedAddress}' and cluster = 'west'`
      )
      assert.strictEqual(adopted, 1, "the part that the backup lacks is taken over")
      assert.notInclude(yield* lowtide(fleet, "recover"), "LT0522")
      yield* noDouble(fleet, before.held)
      writeFileSync(join(fleet.manifests, "east/services/later.yaml"), newService("later", "east-1"))
      yield* waitUntil("a new Service gets its route", getsRoute(fleet, "later"), { deadlineMs: 30_000 })
      yield* noDouble(fleet, before.held)
    }).pipe(Effect.scoped)
)

it.live("F10: a standby that lagged is promoted: no route changes, and nobody gets what it does not know of", () =>
  Effect.gen(function* () {
    const fleet = yield* runningFleet
    yield* untilSettled(fleet)
    const primary = {
      socketDirectory: join(fleet.site.folder, "postgres"),
      port: portIn(join(fleet.site.folder, "postgres"))
    }
    const standby = yield* startPostgres({ standbyOf: primary })
    const onStandby = (text: string) => query(standby.socketUrl.replace(/postgres$/, "lowtide"), text)
    yield* query(standby.socketUrl, "alter system set primary_conninfo = ''")
    yield* query(standby.socketUrl, "select pg_reload_conf()")
    yield* waitUntil(
      "the standby hears nothing any more",
      Effect.map(query(standby.socketUrl, "select 1 from pg_stat_wal_receiver"), ({ length }) => length === 0)
    )
    // Its name is after that of the one which comes later: forgotten, it would lose its address to that one.
    writeFileSync(join(fleet.manifests, "east/services/told.yaml"), newService("told", "east-1"))
    rmSync(join(fleet.manifests, "west/services/platform/vault.yaml")) // its address is withdrawn, and the standby has it held
    yield* waitUntil("a new Service gets its route", getsRoute(fleet, "told"), { deadlineMs: 30_000 })
    const before = yield* atRest(fleet)
    const [[{ seq: ahead }], [{ seq: behind }]] = yield* Effect.all([
      sql(fleet, "select seq::int from log_head"),
      onStandby("select seq::int from log_head")
    ])
    assert.isBelow(behind, ahead, "the standby lacks acknowledged events")
    yield* Effect.forkScoped(superviseComponent(component(fleet, "allocator"), () => {}))
    yield* component(fleet, "postgres").kill
    yield* query(standby.socketUrl, "select pg_promote()")
    // As an address moves that clients know a cluster's primary by.
    const socket = (port: number) => `.s.PGSQL.${port}`
    rmSync(join(primary.socketDirectory, socket(primary.port)), { force: true })
    symlinkSync(
      join(standby.socketDirectory, socket(standby.port)),
      join(primary.socketDirectory, socket(primary.port))
    )
    writeFileSync(join(fleet.manifests, "east/services/later.yaml"), newService("later", "east-1"))
    yield* waitUntil("both clusters are published anew", isRecovered(fleet), { deadlineMs: 90_000 })
    yield* waitUntil("a new Service gets its route", getsRoute(fleet, "later"), { deadlineMs: 30_000 })
    assert.include(readFileSync(component(fleet, "allocator").logFile, "utf8"), "LT0505")
    assert.include(yield* lowtide(fleet, "recover"), "Incarnation 2, recovered, because")
    const { "east/shop/later": later, ...others } = yield* held(fleet)
    assert.deepStrictEqual(others, before.held, "every Service has what it had")
    yield* noDouble(fleet, before.held)
    rmSync(join(fleet.manifests, "east/services/later.yaml"))
    yield* waitUntil(
      "its route is withdrawn",
      Effect.map(hopsOf(fleet, "east", `${later}/32`), (hops) => hops === "no route")
    )
    const after = yield* atRest(fleet)
    assert.deepStrictEqual(after.tables, before.tables)
    const told = after.updates.map((count, index) => count - (before.updates[index] ?? 0))
    assert.deepStrictEqual(told, [6, 0], "three nodes announced and withdrew one route, and nothing else")
  }).pipe(Effect.scoped)
)

const noStanding = { recovery: null, reserved: [] }

/** Of the Service that only one node knows of. */
const keptAddress = "192.0.2.60"

it.live(
  "a node that is heard only later: what nobody else remembers is reserved, stays announced, and is given to nobody",
  () =>
    Effect.gen(function* () {
      const fleet = yield* runningFleet
      const file = join(fleet.manifests, "east/services/kept.yaml")
      // Its endpoints stay when it goes: without them nodes withdraw its route by themselves.
      const [service = "", endpoints = ""] = asking("kept", keptAddress).split("---\n")
      writeFileSync(join(fleet.manifests, "east/services/kept-endpoints.yaml"), endpoints)
      writeFileSync(file, service)
      yield* waitUntil("it has its route", getsRoute(fleet, "kept"), { deadlineMs: 30_000 })
      yield* untilSettled(fleet)
      const late = component(fleet, "speaker-east-3")
      const signalLate = (signal: "SIGSTOP" | "SIGCONT") =>
        Effect.map(late.pid, (pid) => void process.kill(pid, signal))
      yield* signalLate("SIGSTOP")
      const forgetting = ["allocator", "agent-east", "speaker-east-1", "speaker-east-2", "nats"]
      for (const name of forgetting) yield* component(fleet, name).kill
      for (const node of ["east-1", "east-2"]) rmSync(join(fleet.site.folder, "state", node), { recursive: true })
      for (const node of ["east-1", "east-2"]) mkdirSync(join(fleet.site.folder, "state", node), { mode: 0o700 })
      rmSync(join(fleet.site.folder, "nats/store"), { recursive: true, force: true })
      rmSync(file)
      writeFileSync(join(fleet.manifests, "east/services/later.yaml"), newService("later", "east-1"))
      yield* emptyDatabase(fleet)
      for (const name of forgetting.reverse()) yield* component(fleet, name).start
      // biome-ignore lint/suspicious/noExplicitAny: as the API says it
      const standing: Effect.Effect<any> = Effect.promise(() =>
        fetch(`${fleet.apiUrl}/v1/recovery`).then(
          (answer) => (answer.ok ? answer.json() : noStanding),
          () => noStanding
        )
      )
      yield* waitUntil(
        "that node alone is waited for",
        Effect.map(standing, ({ recovery }) => recovery?.waitingFor?.join() === "node east/east-3"),
        { deadlineMs: 60_000 }
      )
      const [{ given }] = yield* sql(fleet, "select count(*)::int as given from events where type = 'VipAssigned'")
      assert.strictEqual(given, 0, "what that node may hold is not given")
      yield* lowtide(fleet, "recover", "--finish", "--reason", "east-3 is being repaired")
      yield* waitUntil("both clusters are published anew", isRecovered(fleet), { deadlineMs: 60_000 })
      yield* waitUntil(
        "the new Service has an address",
        Effect.map(held(fleet), (now) => now["east/shop/later"] !== "")
      )
      yield* signalLate("SIGCONT")
      yield* waitUntil(
        "what it holds is reserved",
        Effect.map(standing, ({ reserved }) =>
          reserved.some((vip: { address: string }) => vip.address === keptAddress)
        ),
        { deadlineMs: 60_000 }
      )
      yield* waitUntil("that node announces all", getsRoute(fleet, "later"), { deadlineMs: 60_000 })
      assert.strictEqual(
        yield* hopsOf(fleet, "east", `${keptAddress}/32`),
        "10.1.0.13",
        "as before, and by nobody else"
      )
      writeFileSync(join(fleet.manifests, "east/services/other.yaml"), asking("other", keptAddress))
      yield* waitUntil(
        "another who asks for it is known",
        Effect.map(held(fleet), (now) => "east/shop/other" in now)
      )
      assert.strictEqual((yield* held(fleet))["east/shop/other"], "")
      rmSync(join(fleet.manifests, "east/services/other.yaml"))
      writeFileSync(file, service)
      yield* waitUntil("its own Service gets it, on every node", getsRoute(fleet, "kept"), { deadlineMs: 30_000 })
      const [{ taken }] = yield* sql(
        fleet,
        `select count(*)::int as taken from events where address = '${keptAddress}' and type in ('VipReleased', 'VipFreed')`
      )
      assert.strictEqual(taken, 0)
    }).pipe(Effect.scoped)
)

const asking = (name: string, address: string) =>
  newService(name, "east-1").replace("type: LoadBalancer,", `type: LoadBalancer, loadBalancerIP: ${address},`)

it.live(
  "F12: NATS with an old copy of its store, and with none: it is filled again, and nothing has to be recovered",
  () =>
    Effect.gen(function* () {
      const fleet = yield* runningFleet
      yield* untilSettled(fleet)
      const store = join(fleet.site.folder, "nats/store")
      const nats = component(fleet, "nats")
      yield* nats.kill
      cpSync(store, `${store}.old`, { recursive: true })
      yield* nats.start
      writeFileSync(join(fleet.manifests, "east/services/later.yaml"), newService("later", "east-1"))
      yield* waitUntil("a new Service gets its route", getsRoute(fleet, "later"), { deadlineMs: 30_000 })
      const before = yield* atRest(fleet)
      for (const old of [`${store}.old`, undefined]) {
        yield* nats.kill
        rmSync(store, { recursive: true, force: true })
        if (old !== undefined) cpSync(old, store, { recursive: true })
        yield* component(fleet, "allocator").kill
        yield* nats.start
        yield* component(fleet, "allocator").start
        yield* waitUntil(
          "NATS has every message",
          Effect.tryPromise(() =>
            fetch(`${fleet.apiUrl}/readyz`).then(
              (answer) => answer.json() as Promise<{ role: string; unpublished: number }>
            )
          ).pipe(
            Effect.map((ready) => ready.role === "leader" && ready.unpublished === 0),
            Effect.orElseSucceed(() => false)
          ),
          { deadlineMs: 30_000 }
        )
        assert.deepStrictEqual(yield* atRest(fleet), before)
      }
      assert.deepStrictEqual(yield* recoveries(fleet), { lost: 0, republished: 0 })
    }).pipe(Effect.scoped)
)
