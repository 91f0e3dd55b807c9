import { execFile } from "node:child_process"
import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, layer } from "@effect/vitest"
import { LowtideClient, layerClient } from "@lowtide/api"
import type { ClusterFinding } from "@lowtide/api/finding"
import type { HistoryEntry } from "@lowtide/api/history"
import type { ServiceView } from "@lowtide/api/services"
import { waitFor, waitUntil } from "@lowtide/testkit/lab/index"
import { Context, Effect, Layer } from "effect"
import type { Fleet } from "../../scripts/demo/fleet.ts"
import { component, getsRoute, isSettled, newService, runningFleet, services, tables } from "./fleet-scope.ts"
import { mainOf } from "./processes.ts"

/** One fleet for every case: each leaves it as it was. */
class Running extends Context.Service<Running, Fleet>()("test/Running") {
  static readonly layer = Layer.effect(Running, runningFleet)
}

const root = fileURLToPath(new URL("../..", import.meta.url))

interface Answer {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const answerOf = (file: string, args: ReadonlyArray<string>): Effect.Effect<Answer> =>
  Effect.callback((resume) => {
    execFile(file, args, { cwd: root, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) =>
      resume(Effect.succeed({ code: typeof error?.code === "number" ? error.code : 0, stdout, stderr }))
    )
  })

/** The command, bundled: it is asked some sixty times, and starts in a third of the time. */
const lowtide = (fleet: Fleet, ...args: ReadonlyArray<string>) =>
  answerOf(process.execPath, [mainOf("cli"), ...args, "--server", fleet.apiUrl])

const items = <Item>({ stdout }: Answer): ReadonlyArray<Item> =>
  (JSON.parse(stdout) as { readonly items: ReadonlyArray<Item> }).items

/** What a manifest is changed into and back. */
interface Edit {
  readonly file: string
  readonly change: (text: string) => string
}

/** One bad input, and the one message that it is to give. */
interface Case {
  readonly title: string
  readonly edit: Edit
  readonly cluster: "east" | "west"
  readonly expected: Pick<ClusterFinding, "code" | "object" | "field" | "expected"> & { readonly found: RegExp }
  /** Sessions fault node by node; everything else gives one finding. */
  readonly findings: number
  /** Processes whose log has the message, once each. */
  readonly processes: ReadonlyArray<string>
  /** `TYPE/NAME` of `lowtide get` that shows it beside the table, unless findings alone do. */
  readonly get?: string
  readonly history: string
  /** What the history says once it is mended. */
  readonly mended: RegExp
  /** While it stands. */
  readonly meanwhile?: (fleet: Fleet) => Effect.Effect<void>
}

const absent = ""

/** A Service that is announced as before, whatever its manifest has become. */
const staysAnnounced = (name: string, code: string | undefined) => (fleet: Fleet) =>
  Effect.gen(function* () {
    const [service, ...others] = items<ServiceView>(yield* lowtide(fleet, "get", `service/east/shop/${name}`, "--json"))
    assert.deepStrictEqual(others, [])
    assert.strictEqual(service?.state, "Announced", "with its last good state")
    assert.isAbove(service?.addresses.length ?? 0, 0)
    assert.deepStrictEqual(
      service?.findings.filter(({ severity }) => severity === "error").map((found) => found.code),
      code === undefined ? [] : [code]
    )
  })

const replaceFirst = (from: string, to: string) => (text: string) => {
  assert.include(text, from, "the sample has what the case changes")
  return text.replace(from, to)
}

const withoutDocument = (text: string, line: string): string => {
  const documents = text.split(/^---\n/m)
  const rest = documents.filter((document) => !document.includes(`  ${line}\n`))
  assert.strictEqual(rest.length, documents.length - 1, "the sample has what the case deletes")
  return rest.join("---\n")
}

const poolText = (range: string) => `apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: wide, namespace: metallb-system}
spec: {addresses: [${range}]}
`

const wishText = `apiVersion: v1
kind: Service
metadata: {name: wish, namespace: shop, annotations: {metallb.io/loadBalancerIPs: 192.0.2.250}}
spec: {type: LoadBalancer, selector: {app: wish}, ports: [{port: 80}]}
`

const peerOf = (name: string) => ({ kind: "BGPPeer", namespace: "metallb-system", name })
const serviceOf = (name: string) => ({ kind: "Service", namespace: "shop", name })
const speakersOfWest = ["speaker-west-1", "speaker-west-2", "speaker-west-3"]

const cases: ReadonlyArray<Case> = [
  {
    title: "a file that does not parse keeps what was read from it before",
    edit: { file: "east/services/shop.yaml", change: (text) => `${text.slice(0, text.length / 2)}\n  {[unclosed` },
    cluster: "east",
    expected: {
      code: "LT0101",
      object: { kind: "File", name: "services/shop.yaml" },
      field: "",
      expected: "a YAML or JSON document",
      found: /./
    },
    findings: 1,
    processes: ["agent-east"],
    history: "file/east/services/shop.yaml",
    mended: /File services\/shop\.yaml has no findings any more/,
    meanwhile: staysAnnounced("returns", undefined)
  },
  {
    title: "an unknown value of a field keeps the last good version",
    edit: {
      file: "east/services/shop.yaml",
      change: replaceFirst("externalTrafficPolicy: Local", "externalTrafficPolicy: Locl")
    },
    cluster: "east",
    expected: {
      code: "LT0107",
      object: serviceOf("checkout"),
      field: "spec.externalTrafficPolicy",
      expected: "Cluster or Local",
      found: /^"Locl"$/
    },
    findings: 1,
    processes: ["agent-east"],
    get: "service/east/shop/checkout",
    history: "service/east/shop/checkout",
    mended: /Service shop\/checkout has no findings any more/,
    meanwhile: staysAnnounced("checkout", "LT0107")
  },
  {
    title: "a value of a wrong type keeps the last good version",
    edit: { file: "east/metallb/pools.yaml", change: replaceFirst("autoAssign: false", "autoAssign: nope") },
    cluster: "east",
    expected: {
      code: "LT0105",
      object: { kind: "IPAddressPool", namespace: "metallb-system", name: "reserved" },
      field: "spec.autoAssign",
      expected: "true or false",
      found: /^"nope"$/
    },
    findings: 1,
    processes: ["agent-east"],
    get: "pool/east/reserved",
    history: "pool/east/reserved",
    mended: /IPAddressPool metallb-system\/reserved has no findings any more/
  },
  {
    title: "of two pools that overlap the older stays",
    edit: { file: "east/metallb/wide.yaml", change: () => poolText("192.0.2.0/25") },
    cluster: "east",
    expected: {
      code: "LT0121",
      object: { kind: "IPAddressPool", namespace: "metallb-system", name: "wide" },
      field: "spec.addresses[0]",
      expected: "no addresses of pool reserved, which stays in effect",
      found: /^192\.0\.2\.0\/25, which overlaps its 192\.0\.2\.64\/28$/
    },
    findings: 1,
    processes: ["allocator"],
    get: "pool/east/wide",
    history: "pool/east/wide",
    mended: /IPAddressPool metallb-system\/wide has no findings any more/
  },
  {
    title: "a pool that is deleted while in use is retired, and its routes stay",
    edit: { file: "east/metallb/pools.yaml", change: (text) => withoutDocument(text, "name: public") },
    cluster: "east",
    expected: {
      code: "LT0211",
      object: { kind: "IPAddressPool", namespace: "metallb-system", name: "public" },
      field: "",
      expected: "no Service with an address of a pool that is deleted",
      found: /^media\/images \(203\.0\.113\.\d+\), media\/thumbnails \(2001:db8:8fff::\)$/
    },
    findings: 1,
    processes: ["allocator"],
    get: "pool/east/public",
    history: "pool/east/public",
    mended: /IPAddressPool metallb-system\/public has no findings any more/
  },
  {
    title: "a Service that asks for an address of no pool waits",
    edit: { file: "east/services/wish.yaml", change: () => wishText },
    cluster: "east",
    expected: {
      code: "LT0202",
      object: serviceOf("wish"),
      field: "metadata.annotations[metallb.io/loadBalancerIPs]",
      expected: "an address of one of the pools [public, reserved, shop, standard]",
      found: /^192\.0\.2\.250$/
    },
    findings: 1,
    processes: ["allocator"],
    get: "service/east/shop/wish",
    history: "service/east/shop/wish",
    mended: /Service shop\/wish is gone/
  },
  {
    title: "a router that refuses our AS number is told of, node by node",
    edit: { file: "west/metallb/peers.yaml", change: (text) => editPeer(text, "myASN: 64497", "myASN: 64511") },
    cluster: "west",
    expected: {
      code: "LT0302",
      object: peerOf("router-v6"),
      field: "session[west-1]",
      expected: "Established",
      found: /NOTIFICATION 2\/2 Bad Peer AS sent by the peer; it expects another ASN than our 64511$/
    },
    findings: 3,
    processes: speakersOfWest,
    get: "peer/west/router-v6",
    history: "peer/west/router-v6",
    mended: /session of west-1 with router-v6 came up/
  },
  {
    title: "a router with another AS number than its peer object says is told of, node by node",
    edit: { file: "west/metallb/peers.yaml", change: (text) => editPeer(text, "peerASN: 64501", "peerASN: 64510") },
    cluster: "west",
    expected: {
      code: "LT0305",
      object: peerOf("router-v6"),
      field: "session[west-1]",
      expected: "Established",
      found: /its OPEN says AS 64501, our configuration expects AS 64510/
    },
    findings: 3,
    processes: speakersOfWest,
    get: "peer/west/router-v6",
    history: "peer/west/router-v6",
    mended: /session of west-1 with router-v6 came up/
  }
]

/** The router of west has a second session over IPv4, which carries the same routes: no table may change. */
const editPeer = (text: string, from: string, to: string): string => {
  const at = text.indexOf("name: router-v6")
  return text.slice(0, at) + replaceFirst(from, to)(text.slice(at))
}

const findingsOf = (fleet: Fleet, { cluster, expected }: Case) =>
  Effect.gen(function* () {
    const { items } = yield* (yield* LowtideClient).fleet.findings({ query: { cluster } })
    return items.filter(({ code }) => code === expected.code)
  }).pipe(Effect.provide(layerClient({ _tag: "Url", url: fleet.apiUrl })))

const readOrAbsent = (path: string): string => {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return absent
  }
}

const writeOrRemove = (path: string, text: string): void =>
  text === absent ? rmSync(path, { force: true }) : writeFileSync(path, text)

const linesWith = (fleet: Fleet, name: string, code: string): ReadonlyArray<string> =>
  readFileSync(component(fleet, name).logFile, "utf8")
    .split("\n")
    .filter((line) => line.includes(code))

/** The message stands in `get findings`, in `get` of its object, and in the history, as JSON and as text. */
const isShown = Effect.fnUntraced(function* (fleet: Fleet, bad: Case) {
  const { expected } = bad
  const list = yield* lowtide(fleet, "get", "findings", "--cluster", bad.cluster, "-o", "json")
  assert.strictEqual(list.code, 1, "findings make the exit code 1")
  const found = items<ClusterFinding>(list).filter(
    ({ code, severity }) => severity === "error" || code === expected.code
  )
  assert.strictEqual(found.length, bad.findings, list.stdout)
  const [first] = found
  assert.strictEqual(first?.code, expected.code)
  assert.deepStrictEqual(first?.object, expected.object)
  assert.strictEqual(first?.field, expected.field)
  assert.strictEqual(first?.expected, expected.expected)
  assert.match(first?.found ?? "", expected.found)
  assert.isNotEmpty(first?.fix)
  const table = (yield* lowtide(fleet, "get", "findings", "--cluster", bad.cluster)).stdout
  for (const text of [expected.code, expected.object.name, expected.expected, first?.found, first?.fix]) {
    assert.include(table, text ?? "a finding")
  }
  if (bad.get !== undefined) {
    const { stdout, stderr } = yield* lowtide(fleet, "get", bad.get)
    assert.include(stdout, expected.code)
    assert.include(stderr, `${first?.message}. Fix: ${first?.fix}`)
  }
  const past = yield* lowtide(fleet, "history", bad.history, "--json")
  const entries = items<HistoryEntry>(past).filter(({ code }) => code === expected.code)
  assert.strictEqual(entries.length, bad.findings, past.stdout)
  assert.match(entries[0]?.what ?? "", expected.found.source === "." ? /./ : unanchored(expected.found))
  assert.strictEqual(entries[0]?.fix, first?.fix)
  assert.include((yield* lowtide(fleet, "history", bad.history)).stdout, `Fix: ${first?.fix}`)
})

const unanchored = ({ source }: RegExp): RegExp => new RegExp(source.replace(/^\^|\$$/g, ""))

/** One line on stderr of each process concerned, and none of any other. */
const isLogged = (fleet: Fleet, { expected, processes }: Case, before: ReadonlyMap<string, number>): void => {
  for (const name of fleet.components.keys()) {
    if (name === "postgres" || name === "nats") continue
    const lines = linesWith(fleet, name, expected.code).slice(before.get(name) ?? 0)
    assert.strictEqual(lines.length, processes.includes(name) ? 1 : 0, `${name}: ${lines.join("\n")}`)
    if (lines[0] === undefined) continue
    assert.include(lines[0], expected.object.name)
    assert.match(lines[0], unanchored(expected.found))
    assert.include(lines[0], "Fix: ")
  }
}

/** Something else changes as if nothing were wrong. */
const othersWork = Effect.fnUntraced(function* (fleet: Fleet) {
  const probe = join(fleet.manifests, "east/services/probe.yaml")
  writeFileSync(probe, newService("probe", "east-1"))
  yield* waitUntil("another Service gets its route meanwhile", getsRoute(fleet, "probe"))
  rmSync(probe)
  yield* waitUntil(
    "it goes when its file does",
    services(fleet).pipe(
      Effect.map((all) => all.every(({ name }) => name !== "probe")),
      Effect.orElseSucceed(() => false)
    )
  )
})

layer(Running.layer, { timeout: "5 minutes", excludeTestServices: true })("bad input", (it) => {
  it.effect("the command answers as people run it", () =>
    Effect.gen(function* () {
      const fleet = yield* Running
      const args = ["get", "pool/east/reserved", "--json"]
      const asPeopleDo = yield* answerOf("npx", ["--no-install", "lowtide", ...args, "--server", fleet.apiUrl])
      assert.deepStrictEqual(asPeopleDo, yield* lowtide(fleet, ...args))
      assert.strictEqual(asPeopleDo.code, 0, asPeopleDo.stderr)
    })
  )

  for (const bad of cases) {
    it.effect(bad.title, () =>
      Effect.gen(function* () {
        const fleet = yield* Running
        const path = join(fleet.manifests, bad.edit.file)
        const original = readOrAbsent(path)
        yield* Effect.addFinalizer(() => Effect.sync(() => writeOrRemove(path, original)))
        const tablesBefore = yield* tables(fleet)
        const isAsBefore = Effect.map(tables(fleet), (now) => JSON.stringify(now) === JSON.stringify(tablesBefore))
        const linesBefore = new Map(
          [...fleet.components.keys()].map((name) => [name, linesWith(fleet, name, bad.expected.code).length])
        )

        writeFileSync(path, bad.edit.change(original))
        yield* waitFor(
          "the finding is there",
          findingsOf(fleet, bad).pipe(
            Effect.map((found) => (found.length === bad.findings ? found : undefined)),
            Effect.orElseSucceed(() => undefined)
          )
        )
        yield* isShown(fleet, bad)
        isLogged(fleet, bad, linesBefore)
        if (bad.meanwhile !== undefined) yield* bad.meanwhile(fleet)
        assert.deepStrictEqual(yield* tables(fleet), tablesBefore, "no route has changed")
        yield* othersWork(fleet)
        yield* waitUntil("the tables are as before", isAsBefore)

        writeOrRemove(path, original)
        yield* waitUntil(
          "the finding is gone",
          findingsOf(fleet, bad).pipe(
            Effect.map((found) => found.length === 0),
            Effect.orElseSucceed(() => false)
          )
        )
        yield* waitUntil(
          "the history says so",
          Effect.map(lowtide(fleet, "history", bad.history), ({ stdout }) =>
            bad.mended.test(stdout.split("\n").slice(-6).join("\n"))
          )
        )
        isLogged(fleet, bad, linesBefore)
        yield* waitUntil("everything is as it should be", isSettled(fleet))
        assert.deepStrictEqual(yield* tables(fleet), tablesBefore)
      })
    )
  }
})
