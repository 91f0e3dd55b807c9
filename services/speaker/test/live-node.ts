import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { request } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { type BgpCollector, type CollectorEvent, startCollector } from "@lowtide/bgp"
import { type Bus, layerBus } from "@lowtide/bus/connection"
import { ensureStreams, publishAll } from "@lowtide/bus/streams"
import { stateSubject } from "@lowtide/bus/subjects"
import { startProcess } from "@lowtide/testkit/lab/processes"
import { waitUntil } from "@lowtide/testkit/lab/wait"
import { startNats } from "@lowtide/testkit/nats"
import { Effect } from "effect"
import { clusterName, HandCentre, nodeIntent, nodeName, peer, type Wanted } from "./hand-centre.ts"

const mainFile = fileURLToPath(new URL("../src/main.ts", import.meta.url))

/** The one slice of a Service of namespace shop, with an endpoint on each of the nodes. */
export const endpointSlice = (service: string, nodes: ReadonlyArray<string>): string =>
  JSON.stringify({
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: `${service}-1`, namespace: "shop", labels: { "kubernetes.io/service-name": service } },
    addressType: "IPv4",
    endpoints: nodes.map((node) => ({ addresses: ["10.0.0.1"], nodeName: node, conditions: { ready: true } }))
  })

/** A node: its files, and its speaker as a process. */
const makeNode = Effect.gen(function* () {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "lowtide-speaker-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 }))
  )
  const centre = new HandCentre()
  const file = (name: string) => join(folder, name)
  writeFileSync(file("trust.json"), centre.trustText)
  writeFileSync(file("allowed.json"), centre.allowedText())
  const manifests = mkdtempSync(join(folder, "manifests-"))
  const setEndpoints = (nodes: ReadonlyArray<string>) =>
    writeFileSync(join(manifests, "web.yaml"), endpointSlice("web", nodes))
  setEndpoints([nodeName])
  /** Of Secret shop/tor; a speaker looks for it in `secrets`. */
  const secrets = file("secrets")
  const setPassword = (text: string) => {
    mkdirSync(join(secrets, "shop/tor"), { recursive: true })
    writeFileSync(join(secrets, "shop/tor/password"), text)
  }
  const httpSocket = file("http.sock")
  let runs = 0
  const start = (natsUrl: string, env: Readonly<Record<string, string>> = {}) =>
    startProcess({
      name: `speaker run ${++runs}`,
      command: [process.execPath, mainFile],
      logFile: file(`speaker-${runs}.log`),
      env: {
        LOWTIDE_CLUSTER: clusterName,
        LOWTIDE_NODE: nodeName,
        LOWTIDE_NATS_URL: natsUrl,
        LOWTIDE_STATE_DIR: file("state"),
        LOWTIDE_MANIFESTS: manifests,
        LOWTIDE_TRUST_FILE: file("trust.json"),
        LOWTIDE_ALLOWED_PREFIXES_FILE: file("allowed.json"),
        LOWTIDE_HTTP_LISTEN: `unix:${httpSocket}`,
        LOWTIDE_NEXT_HOP_IPV6: "2001:db8::11",
        ...env
      }
    })
  return { folder, centre, setEndpoints, secrets, setPassword, start, httpSocket, manifests }
})

/** A router of any AS that takes a speaker's session and tells what came by it. */
export const startRouter = (events: Array<CollectorEvent> = []) =>
  startCollector(
    { host: "127.0.0.1", port: 0, localAsn: 64511, routerId: "203.0.113.1", holdTimeSeconds: 3, families: [4, 6] },
    (event) => void events.push(event)
  )

/** What a router has. */
export const prefixesAt = (collector: BgpCollector): ReadonlyArray<string> =>
  collector
    .peers()
    .flatMap(({ routes }) => [...routes.keys()])
    .sort()

/** Fails with what is there instead when it does not come to that. */
export const waitForPrefixes = (collector: BgpCollector, expected: ReadonlyArray<string>) =>
  waitUntil(
    `routes ${expected.join(" ")}`,
    Effect.sync(() => prefixesAt(collector).join(" ") === expected.join(" ")),
    { deadlineMs: 15_000 }
  ).pipe(Effect.mapError((error) => new Error(`${error.message}; found ${prefixesAt(collector).join(" ") || "none"}`)))

/** Has messages in the stream, as the centre has them there. */
export const publish = (texts: ReadonlyArray<{ readonly key: string; readonly envelope: string }>) =>
  publishAll(texts.map(({ key, envelope }) => ({ subject: stateSubject(clusterName, key), text: envelope })))

/** What a whole speaker is tried with: NATS, a node on which it was not started yet, a router, and a centre made by hand. */
export const beginNode = Effect.gen(function* () {
  const nats = yield* startNats()
  const node = yield* makeNode
  const events: Array<CollectorEvent> = []
  const collector = yield* startRouter(events)
  const { centre } = node
  return {
    nats,
    node,
    centre,
    collector,
    /** What the router was told. */
    events,
    /** The node's own message: its one session is with the router. */
    own: nodeIntent([peer({ peerPort: collector.port })]),
    /** Says these, and the head that goes with them. */
    say: (...wanted: ReadonlyArray<Wanted>) => publish([...wanted.map((each) => centre.say(each)), centre.head()]),
    /** Runs what needs the bus. */
    onBus: <A, E, R>(body: Effect.Effect<A, E, R>): Effect.Effect<A, unknown, Exclude<R, Bus>> =>
      Effect.andThen(ensureStreams, body).pipe(Effect.provide(layerBus({ servers: [nats.url], name: "test" })))
  }
})

/** What a process answers over its HTTP socket; status 0 while it does not listen. */
export const get = (socketPath: string, path: string) =>
  Effect.callback<{ readonly status: number; readonly text: string }>((resume) => {
    const asked = request({ socketPath, path }, (response) => {
      let text = ""
      response.setEncoding("utf8").on("data", (chunk) => (text += chunk))
      response.on("end", () => resume(Effect.succeed({ status: response.statusCode ?? 0, text })))
    })
    asked.on("error", () => resume(Effect.succeed({ status: 0, text: "" }))).end()
  })
