import { chownSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { request } from "node:http"
import { join } from "node:path"
import type { NodePeer, VipIntent } from "@lowtide/domain/announcing/intent"
import { birdCommand } from "@lowtide/testkit/lab/bird-control"
import { vtyCommands } from "@lowtide/testkit/lab/frr-vty"
import { execute, LabError, type LabProcess, startReady } from "@lowtide/testkit/lab/index"
import { Effect, type Scope } from "effect"
import { bundle } from "../../scripts/bundle.mjs"
import { encodeBatch } from "../../services/speaker/src/journal-record.ts"
import { clusterName, HandCentre, nodeIntent, nodeName, peer, vip } from "../../services/speaker/test/hand-centre.ts"
import { type BfdLab, makeBfdLab } from "./bfd-lab.ts"

/** Between which addresses of the lab BGP and BFD run. */
export const ways = {
  "one hop, IPv4": { node: "192.0.2.2", router: "192.0.2.1", isFar: false },
  "one hop, IPv6": { node: "2001:db8::2", router: "2001:db8::1", isFar: false },
  "several hops": { node: "203.0.113.2", router: "203.0.113.1", isFar: true }
} as const
export type Way = keyof typeof ways

/** What is agreed between node and router. */
export interface GuardPlan {
  readonly way: Way
  /** Whether BFD runs on both sides, at 300 ms x 3. */
  readonly hasBfd: boolean
  readonly holdTimeSeconds: number
  /** Whether the router keeps the node's routes over a restart of the speaker. */
  readonly keepsRoutes: boolean
}

const asns = { node: 64496, router: 64501 } as const

/** The routes that the node announces, one of each family. */
export const announced = ["198.51.100.1/32", "2001:db8:100::1/128"] as const

/** A route that a router has removed, by its own log. */
export interface Removal {
  readonly prefix: string
  readonly atUnixMs: number
}

/** A router with the one neighbour. */
export interface GuardedRouter {
  /** Prefixes in its BGP table. */
  readonly prefixes: Effect.Effect<ReadonlyArray<string>, LabError>
  /** What it has removed since it was started. */
  readonly removals: Effect.Effect<ReadonlyArray<Removal>, LabError>
  readonly isEstablished: Effect.Effect<boolean, LabError>
  /** What it says of its BFD session with the node, in small letters. */
  readonly bfd: Effect.Effect<string | undefined, LabError>
  readonly log: Effect.Effect<string>
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
}

/** Starts a router under test. */
export type StartGuarded = (lab: BfdLab, plan: GuardPlan) => Effect.Effect<GuardedRouter, LabError, Scope.Scope>

/** A lab in which neither end sees a cut: no interface goes down. */
export interface GuardLab extends BfdLab {
  readonly setPath: (state: "whole" | "cut") => Effect.Effect<void, LabError>
}

export const makeGuardLab = (way: Way): Effect.Effect<GuardLab, LabError, Scope.Scope> =>
  Effect.map(makeBfdLab(), (lab) => ({ ...lab, setPath: (state) => setPath(lab, way, state) }))

/** On the link: each end sends to a hardware address that nobody has. */
const setPath = (lab: BfdLab, way: Way, state: "whole" | "cut"): Effect.Effect<void, LabError> => {
  const { node, router, isFar } = ways[way]
  if (isFar) return lab.setHop(state === "cut" ? "drops" : "forwards")
  const ends = [
    [lab.node, router],
    [lab.router, node]
  ] as const
  const command = (address: string) =>
    state === "cut"
      ? ["ip", "neigh", "replace", address, "lladdr", "02:00:00:00:00:99", "nud", "permanent", "dev", "link0"]
      : ["ip", "neigh", "flush", "to", address, "nud", "all", "dev", "link0"]
  return Effect.forEach(ends, ([namespace, address]) => execute(command(address), { namespace }), { discard: true })
}

/** Its BFD runs in real time, as the node's does: a router does not share the node's processors. */
const asRouter = (pidFile: string) => execute(["sh", "-c", `chrt -a -r -p 1 "$(cat ${pidFile})"`])

/** BIRD, with BGP and BFD in the one process. */
export const startGuardedBird: StartGuarded = (lab, plan) =>
  Effect.gen(function* () {
    const folder = join(lab.folder, "bird")
    mkdirSync(folder, { recursive: true })
    const file = (name: string) => join(folder, name)
    writeFileSync(file("bird.conf"), birdConfiguration(plan, file("own.log")))
    const command = (text: string) => birdCommand(file("bird.ctl"), text)
    const child = yield* startReady(
      {
        name: "bird",
        namespace: lab.router,
        command: ["bird", "-f", "-c", file("bird.conf"), "-s", file("bird.ctl"), "-P", file("bird.pid")],
        logFile: file("bird.log")
      },
      () => Effect.as(command("show status"), true)
    )
    yield* asRouter(file("bird.pid"))
    const log = Effect.sync(() => readFileSync(file("own.log"), "utf8"))
    return {
      prefixes: Effect.map(command("show route protocol node"), (text) =>
        [...text.matchAll(/^(\S+\/\d+) /gm)].map(([, prefix = ""]) => prefix)
      ),
      // 2026-11-26 10:00:00.000 <TRACE> node.ipv4 > removed [sole] 198.51.100.1/32 …
      removals: Effect.map(log, (text) =>
        [...text.matchAll(/^(\S+ \S+) .*> removed(?: \[\w+\])? (\S+)/gm)].map(([, time = "", prefix = ""]) => ({
          prefix,
          atUnixMs: Date.parse(time.replace(" ", "T"))
        }))
      ),
      isEstablished: Effect.map(command("show protocols all node"), (text) => /BGP state: +Established/.test(text)),
      bfd: Effect.map(command("show bfd sessions"), (text) =>
        new RegExp(`^${ways[plan.way].node}\\s+\\S+\\s+(\\w+)`, "m").exec(text)?.[1]?.toLowerCase()
      ),
      log,
      signal: child.signal
    }
  })

const birdConfiguration = ({ way, hasBfd, holdTimeSeconds, keepsRoutes }: GuardPlan, log: string): string => {
  const { node, router, isFar } = ways[way]
  const settings = "interval 300 ms; multiplier 3;"
  const channel = (family: 4 | 6) => `ipv${family} { import all; export none; };`
  return `log "${log}" all;
timeformat log iso long ms;
router id 192.0.2.1;
protocol device { scan time 1; }
protocol bfd { ${isFar ? `multihop { ${settings} };` : `interface "link0" { ${settings} };`} }
protocol bgp node {
  local ${router} as ${asns.router};
  neighbor ${node} as ${asns.node};
  ${isFar ? "multihop;" : "direct;"}
  ${hasBfd ? "bfd on;" : ""}
  graceful restart ${keepsRoutes ? "aware" : "off"};
  debug { states, routes };
  hold time ${holdTimeSeconds};
  passive on; error wait time 1, 2; error forget time 1; connect retry time 1;
  ${channel(4)}
  ${channel(6)}
}
`
}

/** FRR's zebra, bfdd and bgpd, of which the first joins the others. */
export const startGuardedFrr: StartGuarded = (lab, plan) =>
  Effect.gen(function* () {
    const folder = join(lab.folder, "frr")
    const file = (name: string) => join(folder, name)
    yield* Effect.sync(() => {
      const [, , uid = "", gid = ""] = /^frr:.*$/m.exec(readFileSync("/etc/passwd", "utf8"))?.[0].split(":") ?? []
      mkdirSync(folder, { recursive: true })
      writeFileSync(file("zebra.conf"), "")
      writeFileSync(file("bfdd.conf"), frrBfdConfiguration(plan))
      writeFileSync(file("bgpd.conf"), frrBgpConfiguration(plan))
      for (const name of ["", "zebra.conf", "bfdd.conf", "bgpd.conf"]) chownSync(file(name), Number(uid), Number(gid))
    })
    const daemon = (name: "zebra" | "bfdd" | "bgpd"): Effect.Effect<LabProcess, LabError, Scope.Scope> =>
      startReady(
        {
          name,
          namespace: lab.router,
          command: [`/usr/lib/frr/${name}`, "-f", file(`${name}.conf`), "-i", file(`${name}.pid`), "--log", "stdout"]
            .concat(["--vty_socket", folder, "-z", file("zserv.api"), "-P", "0", "-u", "frr", "-g", "frr"])
            .concat(name === "bfdd" ? ["--bfdctl", file("bfdd.sock")] : []),
          logFile: file(`${name}.log`)
        },
        () => Effect.as(vtyCommands(file(`${name}.vty`), ["show version"]), true)
      )
    const daemons = [yield* daemon("zebra"), yield* daemon("bfdd"), yield* daemon("bgpd")]
    yield* asRouter(file("bfdd.pid"))
    const show = (name: "bgpd" | "bfdd", command: string) =>
      Effect.map(vtyCommands(file(`${name}.vty`), ["enable", command]), (answers) => {
        const text = answers.at(-1) ?? ""
        return JSON.parse(text.slice(text.search(/[[{]/))) as unknown
      })
    const log = Effect.sync(() => readFileSync(file("bgpd.log"), "utf8"))
    const { node } = ways[plan.way]
    return {
      prefixes: Effect.map(
        Effect.all([show("bgpd", "show bgp ipv4 unicast json"), show("bgpd", "show bgp ipv6 unicast json")]),
        (tables) => tables.flatMap((table) => Object.keys((table as { routes?: object }).routes ?? {}))
      ),
      // 2026/11/26 10:00:00.000 BGP: [M7Q4P-46WDR] … Tx route delete VRF 0 198.51.100.1/32 …
      removals: Effect.map(log, (text) =>
        [...text.matchAll(/^(\S+) (\S+) BGP: .*Tx route delete (?:VRF )?\S+ (\S+\/\d+)/gm)].map(
          ([, day = "", time = "", prefix = ""]) => ({
            prefix,
            atUnixMs: Date.parse(`${day.replaceAll("/", "-")}T${time}`)
          })
        )
      ),
      isEstablished: Effect.map(
        show("bgpd", "show bgp neighbors json"),
        (all) => (all as Record<string, { bgpState?: string }>)[node]?.bgpState === "Established"
      ),
      bfd: Effect.map(
        show("bfdd", "show bfd peers json"),
        (all) => (all as ReadonlyArray<{ peer: string; status: string }>).find((each) => each.peer === node)?.status
      ),
      log,
      signal: (signal) => Effect.forEach(daemons, (child) => child.signal(signal), { discard: true })
    }
  })

const frrBfdConfiguration = ({ hasBfd }: GuardPlan): string =>
  hasBfd
    ? [
        "bfd",
        " profile guard",
        "  receive-interval 300",
        "  transmit-interval 300",
        "  minimum-ttl 254",
        " exit",
        "exit",
        ""
      ].join("\n")
    : ""

const frrBgpConfiguration = ({ way, hasBfd, holdTimeSeconds, keepsRoutes }: GuardPlan): string => {
  const { node, router, isFar } = ways[way]
  const neighbor = (...texts: ReadonlyArray<string>) => texts.map((text) => ` neighbor ${node} ${text}`)
  return [
    "log timestamp precision 3",
    "debug bgp zebra",
    "debug bgp neighbor-events",
    `router bgp ${asns.router}`,
    " bgp router-id 192.0.2.1",
    " bgp log-neighbor-changes",
    " no bgp ebgp-requires-policy",
    " no bgp default ipv4-unicast",
    ...neighbor(
      `remote-as ${asns.node}`,
      "passive",
      `timers ${Math.floor(holdTimeSeconds / 3)} ${holdTimeSeconds}`,
      `update-source ${router}`,
      ...(isFar ? ["ebgp-multihop 5"] : []),
      ...(hasBfd ? ["bfd", "bfd profile guard"] : []),
      keepsRoutes ? "graceful-restart-helper" : "graceful-restart-disable"
    ),
    ...(["ipv4", "ipv6"] as const).flatMap((family) => [
      ` address-family ${family} unicast`,
      `  neighbor ${node} activate`,
      " exit-address-family"
    ]),
    "exit",
    ""
  ].join("\n")
}

/** The node: its BFD, which outlives its speakers, and the speakers one after the other. */
export interface GuardedNode {
  readonly startBfd: Effect.Effect<LabProcess, LabError, Scope.Scope>
  /** Starts a speaker on what the one before it has left. */
  readonly startSpeaker: Effect.Effect<LabProcess, LabError, Scope.Scope>
  /** Whether the speaker has handed its whole table to the kernel, by its own metrics. */
  readonly hasTold: Effect.Effect<boolean>
  /** One that leaves for good when it is stopped: its routes are to be dropped then. */
  readonly startLast: Effect.Effect<LabProcess, LabError, Scope.Scope>
}

/** Nothing but the node itself: what it is to announce is on its disk, and no NATS is there. */
export const makeGuardedNode = (
  lab: BfdLab,
  { way, hasBfd, holdTimeSeconds, keepsRoutes }: GuardPlan
): Effect.Effect<GuardedNode, LabError> =>
  Effect.gen(function* () {
    const [bfdFile, speakerFile] = yield* Effect.tryPromise({
      try: () => Promise.all(["bfd", "speaker"].map(async (name) => (await bundle(name))?.file ?? "")),
      catch: (cause) => new LabError({ operation: "bundle", detail: String(cause) })
    })
    const folder = join(lab.folder, "node")
    const file = (name: string) => join(folder, name)
    const { router, node, isFar } = ways[way]
    const guarded: NodePeer = peer({
      peerAddress: router,
      peerAsn: asns.router,
      myAsn: asns.node,
      sourceAddress: isFar ? node : null, // on the link it is the kernel's choice, and BFD's what BGP has
      holdTimeSeconds,
      keepaliveTimeSeconds: null,
      hops: isFar ? "many" : "one",
      ...(keepsRoutes && { gracefulRestart: true as const }),
      ...(hasBfd && { bfd: bfdProfile })
    })
    yield* Effect.sync(() => {
      const centre = new HandCentre()
      mkdirSync(file("state"), { recursive: true, mode: 0o700 })
      mkdirSync(file("manifests"))
      writeFileSync(file("trust.json"), centre.trustText)
      writeFileSync(file("allowed.json"), centre.allowedText())
      const messages = [
        nodeIntent([guarded], { addresses: ["192.0.2.2", "2001:db8::2"] }),
        ...announced.map((prefix) => vip(addressOf(prefix), { routes: [routeTo(prefix)] }))
      ]
      const records = messages.map((message) => ({ _tag: "Message" as const, ...centre.say(message) }))
      const health = { _tag: "Health" as const, service: "shop/web", servesHere: true, servesAnywhere: true }
      writeFileSync(file("state/journal-0"), encodeBatch([...records, health]))
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
      startBfd: start("bfd", [bfdFile ?? "", "--socket", file("state/bfd.sock")], "listens on"),
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

/** BIRD sends to peers several hops away with a TTL of 64. */
const bfdProfile = {
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
