import { mkdirSync, writeFileSync } from "node:fs"
import { request } from "node:http"
import { join } from "node:path"
import type { NodePeer } from "@lowtide/domain/announcing/intent"
import { askFrr, startFrrDaemons } from "@lowtide/testkit/lab/frr-daemons"
import {
  execute,
  ipBatch,
  type KernelRoute,
  kernelRoutes,
  type LabError,
  type LabProcess,
  makeLab,
  setSysctls,
  startProcess,
  startReady,
  waitFor
} from "@lowtide/testkit/lab/index"
import { Effect, type Scope } from "effect"
import { openJournal } from "../../services/speaker/src/journal.ts"
import { clusterName, HandCentre, nodeIntent, nodeName, peer, vip } from "../../services/speaker/test/hand-centre.ts"

/** A node and two routers on one segment, a bridge, each by its interface `eth0`, with the addresses that the kernel makes. */
export interface UnnumberedLab {
  readonly folder: string
  readonly node: string
  readonly router: string
  readonly other: string
  readonly setLink: (end: "node" | "router", state: "up" | "down") => Effect.Effect<void, LabError>
  /** Whether the segment passes on what the router sends and is sent; no interface goes down for it. */
  readonly setPath: (state: "whole" | "cut") => Effect.Effect<void, LabError>
  /** Takes the node's interface away, or makes one of the same name, with another number. */
  readonly removeLink: Effect.Effect<void, LabError>
  readonly makeLink: Effect.Effect<void, LabError>
  /** The link-local address of one end. */
  readonly linkLocal: (end: "node" | "router" | "other") => Effect.Effect<string, LabError>
  /** Gives the router another link-local address in place of the one that it has, without its link going down. */
  readonly readdress: (to: string) => Effect.Effect<void, LabError>
}

export const makeUnnumberedLab = Effect.fnUntraced(function* () {
  const lab = yield* makeLab()
  const segment = yield* lab.addNamespace("segment")
  const ends = {
    node: yield* lab.addNamespace("node"),
    router: yield* lab.addNamespace("router", [
      ["ipv4/ip_forward", 1],
      ["ipv6/conf/all/forwarding", 1]
    ]),
    other: yield* lab.addNamespace("other", [["ipv6/conf/all/forwarding", 1]])
  }
  yield* ipBatch(["link add br0 type bridge", "link set br0 up"], segment)
  const attach = (end: keyof typeof ends) =>
    Effect.gen(function* () {
      yield* ipBatch([`link add eth0 netns ${ends[end]} type veth peer name ${end} netns ${segment}`])
      yield* setSysctls(ends[end], [["ipv6/conf/eth0/accept_dad", 0]])
      yield* ipBatch([`link set ${end} master br0 up`], segment)
      yield* ipBatch(["link set eth0 up"], ends[end])
    })
  for (const end of ["node", "router", "other"] as const) yield* attach(end)
  const linkLocal = (end: keyof typeof ends) =>
    waitFor(
      `a link-local address of the ${end}`,
      Effect.map(
        execute(["ip", "-n", ends[end], "-6", "address", "show", "dev", "eth0", "scope", "link"]),
        (text) => /inet6 (fe80:[0-9a-f:]+)/.exec(text)?.[1]
      )
    )
  const made: UnnumberedLab = {
    folder: lab.folder,
    ...ends,
    setLink: (end, state) => Effect.asVoid(ipBatch([`link set eth0 ${state}`], ends[end])),
    setPath: (state) =>
      Effect.asVoid(ipBatch([`link set router ${state === "cut" ? "nomaster" : "master br0"}`], segment)),
    removeLink: Effect.asVoid(ipBatch(["link delete eth0"], ends.node)),
    makeLink: attach("node"),
    linkLocal,
    readdress: (to) =>
      Effect.flatMap(linkLocal("router"), (from) =>
        Effect.asVoid(
          ipBatch([`address add ${to}/64 dev eth0 nodad`, `address delete ${from}/64 dev eth0`], ends.router)
        )
      )
  }
  return made
})

/** What the speaker has on its disk: a session with whoever is on `eth0`, and a VIP of each family. */
export const startSpeaker = Effect.fnUntraced(function* (
  lab: UnnumberedLab,
  { part = {}, wrap = [] }: { readonly part?: Partial<NodePeer>; readonly wrap?: ReadonlyArray<string> } = {}
) {
  const file = (name: string) => join(lab.folder, name)
  const centre = new HandCentre()
  const unnumbered = peer({
    peerAddress: "",
    interface: "eth0",
    peerAsn: 0,
    dynamicAsn: "external",
    hops: "one",
    ...part
  })
  const { journal } = openJournal(file("state"))
  yield* Effect.promise(async () => {
    const messages = [nodeIntent([unnumbered]), vip("198.51.100.10"), vip("2001:db8::10")]
    await journal.append(messages.map((message) => ({ _tag: "Message", ...centre.say(message) })))
    await journal.close()
    mkdirSync(file("manifests"), { recursive: true })
    writeFileSync(file("manifests/web.json"), endpointSlice)
    writeFileSync(file("trust.json"), centre.trustText)
    writeFileSync(file("allowed.json"), centre.allowedText())
  })
  const start = startProcess({
    name: "speaker",
    namespace: lab.node,
    command: [...wrap, process.execPath, "services/speaker/src/main.ts"],
    logFile: file("speaker.log"),
    env: {
      LOWTIDE_CLUSTER: clusterName,
      LOWTIDE_NODE: nodeName,
      LOWTIDE_NATS_URL: "nats://127.0.0.1:4222", // nothing is there: the speaker needs no centre
      LOWTIDE_STATE_DIR: file("state"),
      LOWTIDE_MANIFESTS: file("manifests"),
      LOWTIDE_TRUST_FILE: file("trust.json"),
      LOWTIDE_ALLOWED_PREFIXES_FILE: file("allowed.json"),
      LOWTIDE_HTTP_LISTEN: `unix:${file("http.sock")}`,
      LOWTIDE_BGP_LISTEN: "[::]:179"
    }
  })
  const isUp = Effect.map(metrics(file("http.sock")), (text) =>
    text.includes('lowtide_bgp_session_up{peer="router"} 1')
  )
  return { process: yield* start, isUp }
})

/** The node's BFD, where the speaker looks for it. */
export const startBfdBeside = (lab: UnnumberedLab) =>
  startReady(
    {
      name: "bfd",
      namespace: lab.node,
      command: [process.execPath, "packages/bfd/src/main.ts", "--socket", join(lab.folder, "state/bfd.sock")],
      logFile: join(lab.folder, "bfd.log")
    },
    (child) => Effect.map(child.log, (log) => log.includes("listens on"))
  )

const endpointSlice = JSON.stringify({
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata: { name: "web-1", namespace: "shop", labels: { "kubernetes.io/service-name": "web" } },
  addressType: "IPv4",
  endpoints: [{ addresses: ["10.0.0.1"], nodeName, conditions: { ready: true } }]
})

/** Empty while nothing answers. */
const metrics = (socketPath: string): Effect.Effect<string> =>
  Effect.callback<string>((resume) => {
    const asked = request({ socketPath, path: "/metrics" }, (response) => {
      let text = ""
      response.setEncoding("utf8").on("data", (chunk) => (text += chunk))
      response.on("end", () => resume(Effect.succeed(text)))
    })
    asked.on("error", () => resume(Effect.succeed("")))
    asked.end()
  })

/** FRR, that takes whoever is on its `eth0` for a neighbour. */
export const startUnnumberedFrr = Effect.fnUntraced(function* (
  lab: UnnumberedLab,
  { hasBfd = false }: { readonly hasBfd?: boolean } = {}
) {
  const place = { folder: join(lab.folder, "frr-router"), namespace: lab.router }
  const daemonsOf = hasBfd
    ? startFrrDaemons(place, { zebra: "", bfdd: frrBfd, bgpd: guardedBgp })
    : startFrrDaemons(place, { zebra: "", bgpd: frrBgp })
  const start = Effect.map(daemonsOf, Object.values<LabProcess>)
  const daemons = yield* start
  const vty = (command: string) => Effect.map(askFrr(place, "bgpd", command), ([answer = ""]) => answer)
  /** What its BFD says of its one session, which goes by the interface: `up`, `init` or `down`. */
  const bfd = Effect.map(askFrr(place, "bfdd", "show bfd peers json"), ([answer = "[]"]) => {
    const [session] = JSON.parse(answer) as ReadonlyArray<{ readonly interface?: string; readonly status: string }>
    return session?.interface === "eth0" ? session.status : undefined
  })
  return { daemons, start, vty, bfd }
})

/** A router that does nothing but say that it is one. */
export const startOtherRouter = (lab: UnnumberedLab) =>
  startFrrDaemons({ folder: join(lab.folder, "frr-other"), namespace: lab.other }, { zebra: advertising })

const frrBfd = ["bfd", " profile guard", "  receive-interval 300", "  transmit-interval 300", " exit", "exit", ""].join(
  "\n"
)

const frrBgp = [
  "router bgp 64511",
  " bgp router-id 203.0.113.1",
  " no bgp ebgp-requires-policy",
  " coalesce-time 0",
  " neighbor eth0 interface remote-as external",
  " neighbor eth0 timers connect 1",
  " address-family ipv6 unicast",
  "  neighbor eth0 activate",
  ""
].join("\n")

/** A hold time that nothing waits for: what ends a session before is BFD. */
const guardedBgp = frrBgp.replace(
  " address-family",
  " neighbor eth0 timers 80 240\n neighbor eth0 bfd\n neighbor eth0 bfd profile guard\n address-family"
)

const advertising = ["interface eth0", " no ipv6 nd suppress-ra", " ipv6 nd ra-interval 3", "exit", ""].join("\n")

/** Waits until the router's kernel has both VIPs by the node's link-local address, and no other. */
export const untilRouted = (
  lab: UnnumberedLab,
  what: string
): Effect.Effect<ReadonlyArray<KernelRoute>, LabError, Scope.Scope> =>
  Effect.gen(function* () {
    return yield* waitFor(
      `the router has the routes by the node's address now: ${what}`,
      Effect.gen(function* () {
        const address = yield* lab.linkLocal("node")
        const routes = (yield* kernelRoutes(lab.router)).filter(({ protocol }) => protocol === "bgp")
        const isSo = routes.every(({ nextHops }) =>
          nextHops.every((hop) => hop.address === address && hop.device === "eth0")
        )
        return routes.length === 2 && isSo ? routes : undefined
      }),
      { deadlineMs: 90_000, intervalMs: 100 }
    )
  })

/** Waits until the router's kernel has neither. */
export const untilUnrouted = (lab: UnnumberedLab) =>
  waitFor(
    "the router has no route any more",
    Effect.map(kernelRoutes(lab.router), (routes) =>
      routes.every(({ protocol }) => protocol !== "bgp") ? true : undefined
    ),
    { deadlineMs: 60_000, intervalMs: 100 }
  )
