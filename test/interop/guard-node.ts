import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { request } from "node:http"
import { connect } from "node:net"
import { join } from "node:path"
import type { ControlState } from "@lowtide/bfd"
import type { NodePeer, PeerBfd, VipIntent } from "@lowtide/domain/announcing/intent"
import { LabError, type LabProcess, startReady } from "@lowtide/testkit/lab/index"
import { Effect, type Scope } from "effect"
import { bundled } from "../../scripts/bundle.mjs"
import { encodeBatch } from "../../services/speaker/src/journal-record.ts"
import { clusterName, HandCentre, nodeIntent, nodeName, peer, vip } from "../../services/speaker/test/hand-centre.ts"
import type { BfdLab } from "./bfd-lab.ts"
import { announced, asns, type GuardPlan, ways } from "./guard-lab.ts"

/** The node: its BFD, which outlives its speakers, and the speakers one after the other. */
export interface GuardedNode {
  readonly startBfd: Effect.Effect<LabProcess, LabError, Scope.Scope>
  /** Starts a speaker on what the one before it has left. */
  readonly startSpeaker: Effect.Effect<LabProcess, LabError, Scope.Scope>
  /** Has the next speaker run BFD in another way, or not at all. */
  readonly setBfd: (bfd: PeerBfd | undefined) => Effect.Effect<void>
  /** The sessions as the BFD process has them. */
  readonly bfdSessions: Effect.Effect<ControlState["sessions"], LabError>
  /** What the speaker serves as /metrics; empty while nobody answers. */
  readonly metrics: Effect.Effect<string>
  /** Whether the speaker has handed its whole table to the kernel, by its own metrics. */
  readonly hasTold: Effect.Effect<boolean>
  /** One that leaves for good when it is stopped: its routes are to be dropped then. */
  readonly startLast: Effect.Effect<LabProcess, LabError, Scope.Scope>
}

/** Nothing but the node itself: what it is to announce is on its disk, and no NATS is there. */
export const makeGuardedNode = (
  lab: BfdLab,
  { way, hasBfd, holdTimeSeconds, keepsRoutes, claimSeconds }: GuardPlan
): Effect.Effect<GuardedNode, LabError> =>
  Effect.gen(function* () {
    const [bfdFile, speakerFile] = yield* Effect.tryPromise({
      try: () => Promise.all([bundled("bfd"), bundled("speaker")]),
      catch: (cause) => new LabError({ operation: "bundle", detail: String(cause) })
    })
    const folder = join(lab.folder, "node")
    const file = (name: string) => join(folder, name)
    const { router, node, isFar } = ways[way]
    const guarded = (bfd: PeerBfd | undefined): NodePeer =>
      peer({
        peerAddress: router,
        peerAsn: asns.router,
        myAsn: asns.node,
        sourceAddress: isFar ? node : null, // on the link it is the kernel's choice, and BFD's what BGP has
        holdTimeSeconds,
        keepaliveTimeSeconds: null,
        hops: isFar ? "many" : "one",
        ...(keepsRoutes && { gracefulRestart: true as const }),
        ...(bfd !== undefined && { bfd })
      })
    const centre = new HandCentre()
    const own = (bfd: PeerBfd | undefined) => ({
      _tag: "Message" as const,
      ...centre.say(nodeIntent([guarded(bfd)], { addresses: ["192.0.2.2", "2001:db8::2"] }))
    })
    const journal = file("state/journal-0")
    yield* Effect.sync(() => {
      mkdirSync(file("state"), { recursive: true, mode: 0o700 })
      mkdirSync(file("manifests"))
      writeFileSync(file("trust.json"), centre.trustText)
      writeFileSync(file("allowed.json"), centre.allowedText())
      const vips = announced.map((prefix) => vip(addressOf(prefix), { routes: [routeTo(prefix)] }))
      const records = vips.map((message) => ({ _tag: "Message" as const, ...centre.say(message) }))
      const health = { _tag: "Health" as const, service: "shop/web", servesHere: true, servesAnywhere: true }
      writeFileSync(journal, encodeBatch([own(hasBfd ? bfdProfile : undefined), ...records, health]))
      writeFileSync(file("manifests/web.json"), endpointSlice)
    })
    const starts = (log: string, text: string) => log.split(text).length - 1
    const start = (name: string, command: ReadonlyArray<string>, says: string, more: Record<string, string> = {}) =>
      Effect.gen(function* () {
        const logFile = file(`${name}.log`)
        yield* Effect.sync(() => writeFileSync(logFile, "", { flag: "a" }))
        const before = starts(readFileSync(logFile, "utf8"), says)
        return yield* startReady(
          { name, namespace: lab.node, command: [process.execPath, ...command], logFile, env: { ...env, ...more } },
          (child) => Effect.map(child.log, (log) => starts(log, says) > before)
        )
      })
    const claim = claimSeconds === undefined ? [] : ["--claim-seconds", String(claimSeconds)]
    const known = "VIPs are known from the disk"
    const env = {
      LOWTIDE_CLUSTER: clusterName,
      LOWTIDE_NODE: nodeName,
      LOWTIDE_NATS_URL: "nats://127.0.0.1:4222", // nobody
      LOWTIDE_STATE_DIR: file("state"),
      LOWTIDE_MANIFESTS: file("manifests"),
      LOWTIDE_TRUST_FILE: file("trust.json"),
      LOWTIDE_ALLOWED_PREFIXES_FILE: file("allowed.json"),
      LOWTIDE_HTTP_LISTEN: `unix:${file("http.sock")}`
    }
    return {
      setBfd: (bfd) => Effect.sync(() => appendFileSync(journal, encodeBatch([own(bfd)]))),
      bfdSessions: Effect.map(askBfd(file("state/bfd.sock")), ({ sessions }) => sessions),
      startBfd: start("bfd", [bfdFile ?? "", "--socket", file("state/bfd.sock"), ...claim], "listens on"),
      metrics: readMetrics(file("http.sock")),
      hasTold: Effect.map(readMetrics(file("http.sock")), (text) =>
        text.includes(`lowtide_bgp_prefixes{peer="router"} ${announced.length}\n`)
      ),
      startSpeaker: start("speaker", [speakerFile ?? ""], known),
      startLast: start("speaker", [speakerFile ?? ""], known, { LOWTIDE_LEAVE_SECONDS: "0" })
    }
  })

/** Empty while nobody answers. */
const readMetrics = (socketPath: string): Effect.Effect<string> =>
  Effect.callback((resume) => {
    const asked = request({ socketPath, path: "/metrics", agent: false }, (response) => {
      let text = ""
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk))
      response.on("end", () => resume(Effect.succeed(text)))
    })
    asked.on("error", () => resume(Effect.succeed("")))
    asked.end()
  })

/** What somebody who only looks is told. */
const askBfd = (socketPath: string): Effect.Effect<ControlState, LabError> =>
  Effect.callback((resume) => {
    const socket = connect(socketPath, () =>
      socket.write(`${JSON.stringify({ version: 1, id: 1, request: "status" })}\n`)
    )
    let text = ""
    socket.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk
      if (!text.includes("\n")) return
      socket.destroy()
      resume(Effect.succeed((JSON.parse(text) as { readonly result: ControlState }).result))
    })
    socket.on("error", (cause) => resume(Effect.fail(new LabError({ operation: "ask BFD", detail: cause.message }))))
  })

/** BIRD sends to peers several hops away with a TTL of 64. */
export const bfdProfile: PeerBfd = {
  receiveIntervalMs: 300,
  transmitIntervalMs: 300,
  detectMultiplier: 3,
  passiveMode: false,
  minimumTtl: 60
}

const addressOf = (prefix: string): string => prefix.split("/")[0] ?? ""

const routeTo = (prefix: string): VipIntent["routes"][number] => ({
  advertisement: "all",
  prefix,
  peers: ["router"],
  nodes: [nodeName],
  localPref: null,
  communities: []
})

const endpointSlice = JSON.stringify({
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata: { name: "web-1", namespace: "shop", labels: { "kubernetes.io/service-name": "web" } },
  addressType: "IPv4",
  endpoints: [{ addresses: ["10.0.0.1"], nodeName, conditions: { ready: true } }]
})
