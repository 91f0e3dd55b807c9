/** The page of what auditors ask: each of its examples is asked of whole processes, by the command, HTTP and SQL. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { layerBus, publishAll, sendCommand, type WireReport, wireSubject } from "@lowtide/bus"
import { type Command, decodeObject, objectTelling, parseManifests } from "@lowtide/domain"
import { withClient } from "@lowtide/ledger/client"
import { waitUntil } from "@lowtide/testkit/lab/wait"
import { Effect } from "effect"
import { expect } from "vitest"
import { type Ran, root, startCentre } from "./ledger-centre.ts"

const pagePath = join(root, "docs/reference/questions.md")
const page = readFileSync(pagePath, "utf8")

/** The manifests that the page shows, an agent's tellings of them, and of one Service that goes. */
const tellings = (): ReadonlyArray<Command> => {
  const text = /```yaml\n([\s\S]*?)```/.exec(page)?.[1] ?? ""
  const told = parseManifests(text, { file: "page.yaml" }).manifests.flatMap(({ object: raw }) => {
    const { object } = decodeObject(raw)
    if (object === undefined) throw new Error(`the page has a manifest that cannot be read: ${raw.kind} ${raw.name}`)
    return objectTelling("east", { raw, object }, {})?.command ?? []
  })
  return [
    { _tag: "RegisterCluster", cluster: "east", network: "default" },
    ...told,
    { _tag: "ForgetService", cluster: "east", namespace: "shop", name: "old" }
  ]
}

/** The n-th telling, and with it all that it led to. */
const uuid = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`

/** What east-1 says of the first address: announced to tor-a. */
const reportOf = (seq: number, fromMs: number): WireReport => {
  const at = (afterMs: number) => new Date(fromMs + afterMs).toISOString()
  return {
    _tag: "WireReport",
    cluster: "east",
    node: "east-1",
    entries: [
      { _tag: "Session", peer: "tor-a", change: "up", at: at(0), code: null, detail: "" },
      {
        ...{ _tag: "Applied", network: "default", address: "192.0.2.0", stamp: { incarnation: 1, epoch: 1, seq } },
        ...{ cseq: 1, verdict: "Announced", trigger: "intent", receivedAt: at(1), savedAt: at(2) },
        peers: [{ peer: "tor-a", action: "announced", writtenAt: at(3) }]
      }
    ]
  }
}

/** What is another in each run: times, who runs it, hashes, and how wide columns are for all that. */
const alike = (text: string): string =>
  text
    .replace(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|\+00)?/g, "TIME")
    .replace(/\b\d\d:\d\d:\d\d(\.\d+)?\b/g, "TIME")
    .replace(/local:[A-Za-z0-9._-]+/g, "local:USER")
    .replace(/\b[0-9a-f]{64}\b|[A-Za-z0-9+/]{43}=/g, "HASH")
    .replace(/\b\d+(ms|s|m)\b/g, "AGO")
    .replace(/\d+ checkpoints? fits?/g, "N checkpoints fit")
    .replace(
      /until event \d+ by \S+ on TIME: no difference in \d+ rows?/g,
      "until event N by NAME on TIME: no difference in N rows"
    )
    .replace(/[ \t]+/g, " ")
    .trim()

const words = (line: string): ReadonlyArray<string> =>
  [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, double, single, bare]) => double ?? single ?? bare ?? "")

/** `.a`, `.items[0].b` and `.items[].c`, as jq has them. */
const pick = (value: unknown, path: string): ReadonlyArray<unknown> => {
  const [, key, index, rest = ""] = /^\.(\w+)(\[\d*\])?(.*)$/.exec(path) ?? []
  if (key === undefined) throw new Error(`the page has a jq path that the test does not know: ${path}`)
  const inner = (value as Record<string, unknown>)[key]
  const list =
    index === undefined
      ? [inner]
      : index === "[]"
        ? (inner as Array<unknown>)
        : [(inner as Array<unknown>)[Number(index.slice(1, -1))]]
  return rest === "" ? list : list.flatMap((one) => pick(one, rest))
}

const jqText = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value))

type Centre = Effect.Success<ReturnType<typeof startCentre>>

/** A row a line and columns by `|`, as `psql -At` prints them. */
const select = (url: string, text: string) =>
  Effect.promise(() =>
    withClient(url, async (client) => {
      const types = { getTypeParser: () => (value: string) => value } as never
      const { rows } = await client.query<Array<string | null>>({ text, rowMode: "array", types })
      return rows.map((row) => row.map((value) => value ?? "").join("|")).join("\n")
    })
  )

const answer: (centre: Centre, line: string) => Effect.Effect<string> = Effect.fnUntraced(function* (centre, line) {
  const [, command] = /^\$ (.*)$/.exec(line) ?? []
  if (command === undefined) return yield* select(centre.postgres.url, line.replace(/^lowtide=> /, ""))
  const cut = /^(.*) \| cut -d, -f (\S+)$/.exec(command)
  if (cut !== null) {
    const [, whole = "", fields = ""] = cut
    const wanted = fields.split(",").map((field) => Number(field) - 1)
    const lines: ReadonlyArray<string> = (yield* answer(centre, `$ ${whole}`)).trimEnd().split("\n")
    return lines.map((one) => wanted.map((index) => one.split(",")[index]).join(",")).join("\n")
  }
  const curl = /^curl -s (-X POST )?"\$LOWTIDE_SERVER([^"]*)"(?: \| jq -rc? (\S+))?$/.exec(command)
  if (curl !== null) {
    const [, post, path = "", filter] = curl
    const response = yield* Effect.promise(() =>
      fetch(`${centre.server}${path}`, { method: post === undefined ? "GET" : "POST" }).then((got) => got.text())
    )
    return filter === undefined ? response : pick(JSON.parse(response), filter).map(jqText).join("\n")
  }
  const [program, ...args] = words(command)
  if (program !== "lowtide") throw new Error(`the page has a command that the test does not know: ${command}`)
  const { stdout, stderr }: Ran = yield* centre.lowtide(
    ...args,
    ...(args[1] === "verify" ? ["--key", centre.keys] : [])
  )
  return [stdout.trimEnd(), stderr.trimEnd()].filter((text) => text !== "").join("\n")
})

it.live(
  "the examples of docs/reference/questions.md are what whole processes answer",
  () =>
    Effect.gen(function* () {
      const centre = yield* startCentre()
      yield* centre.allocate
      const bus = layerBus({ servers: [centre.nats.url], name: "page" })
      for (const [index, command] of tellings().entries()) {
        const id = uuid(index + 1)
        const sent = { commandId: id, correlationId: id, command: command as never }
        const reply = yield* sendCommand("east", sent).pipe(Effect.provide(bus))
        assert.strictEqual(reply._tag, "Done", JSON.stringify([command, reply]))
      }
      const [given] = yield* centre.rows("select seq::int from events where type = 'VipAssigned' order by seq limit 1")
      const text = JSON.stringify(reportOf(Number(given?.seq), Date.now()))
      yield* publishAll([{ subject: wireSubject("east", "east-1"), text }]).pipe(Effect.provide(bus))
      yield* waitUntil(
        "the report is in the wire journal",
        Effect.map(centre.rows("select 1 from wire_journal where kind = 'applied'"), ({ length }) => length === 1),
        { deadlineMs: 30_000 }
      )
      yield* waitUntil(
        "the state was compared with the log",
        Effect.map(centre.lowtide("ledger", "status"), ({ stdout }) => !stdout.includes("has not been compared")),
        { deadlineMs: 60_000, intervalMs: 200 }
      )

      let rendered = ""
      let asked = 0
      for (const part of page.split(/(```console\n[\s\S]*?```\n)/)) {
        if (!part.startsWith("```console\n")) {
          rendered += part
          continue
        }
        rendered += "```console\n"
        for (const [, line = "", said = ""] of part.matchAll(
          /^((?:\$ |lowtide=> ).*)\n((?:(?!\$ |lowtide=> |```).*\n)*)/gm
        )) {
          const found = `${(yield* answer(centre, line)).trimEnd()}\n`
          rendered += `${line}\n${alike(found) === alike(said) ? said : found}`
          asked += 1
        }
        rendered += "```\n"
      }
      assert.isAtLeast(asked, 25)
      yield* Effect.promise(() => expect(rendered).toMatchFileSnapshot(pagePath))
    }).pipe(Effect.scoped),
  180_000
)
