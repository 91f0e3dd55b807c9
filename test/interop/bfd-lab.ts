import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import type { SessionState } from "@lowtide/bfd"
import { type BfdClient, type BfdEvent, connectBfd } from "@lowtide/bfd/client"
import { encodeControlPacket } from "@lowtide/bfd/packet/encode"
import { askBird, startBirdDaemon, writeBird } from "@lowtide/testkit/lab/bird-daemon"
import { askFrr, startFrrDaemons } from "@lowtide/testkit/lab/frr-daemons"
import { execute, ipBatch, type LabError, makeLab, setSysctls, startReady, waitFor } from "@lowtide/testkit/lab/index"
import { Effect, type Scope } from "effect"

/**
 * A node and a router, joined by one link and by a way through a hop between them:
 *
 *   node ── link0 192.0.2.2, 2001:db8::2, fe80::2 ── 192.0.2.1, 2001:db8::1, fe80::1 link0 ── router
 *   node 203.0.113.2, 2001:db8:ff::2 (lo) ── hop ── 203.0.113.1, 2001:db8:ff::1 (lo) router
 */
export interface BfdLab {
  readonly folder: string
  readonly node: string
  readonly router: string
  /** Pulls the cable between node and router, or plugs it in again. */
  readonly setLink: (state: "up" | "down") => Effect.Effect<void, LabError>
  /** Takes the interfaces at both ends away, and makes others of the same names and addresses. */
  readonly remakeLink: Effect.Effect<void, LabError>
  /** Whether the hop passes anything on. */
  readonly setHop: (state: "forwards" | "drops") => Effect.Effect<void, LabError>
}

/** The sessions of the lab, by the names that tests give them. */
export const sessionsOfLab = {
  "single 4": { peerAddress: "192.0.2.1", localAddress: "192.0.2.2" },
  "single 6": { peerAddress: "2001:db8::1", localAddress: "2001:db8::2" },
  "link-local": { peerAddress: "fe80::1%link0", localAddress: "fe80::2%link0" },
  "multi 4": { peerAddress: "203.0.113.1", localAddress: "203.0.113.2", hops: "multi" },
  "multi 6": { peerAddress: "2001:db8:ff::1", localAddress: "2001:db8:ff::2", hops: "multi" }
} as const

export type LabSession = keyof typeof sessionsOfLab
export const labSessions = Object.keys(sessionsOfLab) as ReadonlyArray<LabSession>

export const makeBfdLab = Effect.fnUntraced(function* () {
  const lab = yield* makeLab()
  const node = yield* lab.addNamespace("node")
  const router = yield* lab.addNamespace("router")
  const hop = yield* lab.addNamespace("hop", [
    ["ipv4/ip_forward", 1],
    ["ipv6/conf/all/forwarding", 1]
  ])
  yield* ipBatch([
    `link add hop0 netns ${node} type veth peer name node0 netns ${hop}`,
    `link add hop0 netns ${router} type veth peer name router0 netns ${hop}`
  ])
  for (const [namespace, own, other] of [
    [node, 2, 1],
    [router, 1, 2]
  ] as const) {
    yield* ipBatch(
      [
        `address add 198.51.100.${own * 4 + 2}/30 dev hop0`,
        `address add 2001:db8:${own}::2/64 dev hop0 nodad`,
        "link set hop0 up",
        `address add 203.0.113.${own}/32 dev lo`,
        `address add 2001:db8:ff::${own}/128 dev lo nodad`,
        `route add 203.0.113.${other}/32 via 198.51.100.${own * 4 + 1} src 203.0.113.${own}`,
        `route add 2001:db8:ff::${other}/128 via 2001:db8:${own}::1 src 2001:db8:ff::${own}`
      ],
      namespace
    )
    const port = own === 1 ? "router0" : "node0"
    yield* ipBatch(
      [
        `address add 198.51.100.${own * 4 + 1}/30 dev ${port}`,
        `address add 2001:db8:${own}::1/64 dev ${port} nodad`,
        `link set ${port} up`,
        `route add 203.0.113.${own}/32 via 198.51.100.${own * 4 + 2}`,
        `route add 2001:db8:ff::${own}/128 via 2001:db8:${own}::2`
      ],
      hop
    )
  }
  const makeLink = makeLinkBetween(node, router)
  yield* makeLink
  const made: BfdLab = {
    folder: lab.folder,
    node,
    router,
    setLink: (state) => {
      const again = state === "up" ? ["address replace fe80::1/64 dev link0 nodad"] : [] // the kernel took it away
      return Effect.asVoid(ipBatch([`link set link0 ${state}`, ...again], router))
    },
    remakeLink: Effect.andThen(ipBatch(["link delete link0"], node), makeLink),
    setHop: (state) =>
      setSysctls(hop, [
        ["ipv4/ip_forward", state === "forwards" ? 1 : 0],
        ["ipv6/conf/all/forwarding", state === "forwards" ? 1 : 0]
      ])
  }
  return made
})

const makeLinkBetween = (node: string, router: string): Effect.Effect<void, LabError> =>
  Effect.gen(function* () {
    yield* ipBatch([`link add link0 netns ${node} type veth peer name link0 netns ${router}`])
    for (const [namespace, own] of [
      [node, 2],
      [router, 1]
    ] as const) {
      yield* setSysctls(namespace, [
        ["ipv6/conf/link0/addr_gen_mode", 1], // no link-local address but the one below
        ["ipv6/conf/link0/keep_addr_on_down", 1]
      ])
      yield* ipBatch(
        [
          `address add 192.0.2.${own}/24 dev link0`,
          `address add 2001:db8::${own}/64 dev link0 nodad`,
          `address add fe80::${own}/64 dev link0 nodad`,
          "link set link0 up"
        ],
        namespace
      )
    }
  })

/** A running BFD process on the node, and the socket that it listens on. */
export const startBfd = Effect.fnUntraced(function* (lab: BfdLab, options: { readonly claimSeconds?: number } = {}) {
  const socketPath = join(lab.folder, "bfd.sock")
  const logFile = join(lab.folder, "bfd.log")
  const starts = (log: string) => log.split("listens on").length
  const before = existsSync(logFile) ? starts(readFileSync(logFile, "utf8")) : 1
  const process = yield* startReady(
    {
      name: "bfd",
      namespace: lab.node,
      command: ["node", "packages/bfd/src/main.ts", "--socket", socketPath].concat(
        options.claimSeconds === undefined ? [] : ["--claim-seconds", String(options.claimSeconds)]
      ),
      logFile
    },
    (child) => Effect.map(child.log, (log) => starts(log) > before)
  )
  return { process, socketPath }
})

/** A client as the speaker would be, with all that it was told. */
export interface Owner extends BfdClient {
  readonly events: ReadonlyArray<BfdEvent>
  /** Waits until a session is in a state. */
  readonly until: (name: string, state: SessionState) => Effect.Effect<void, LabError>
}

export const startOwner = Effect.fnUntraced(function* (socketPath: string, owner = "a test") {
  const events: Array<BfdEvent> = []
  const client = yield* connectBfd({ socketPath, owner }, (event) => events.push(event))
  const made: Owner = {
    ...client,
    events,
    until: (name, state) =>
      Effect.asVoid(
        waitFor(
          `session ${name} is ${state}`,
          Effect.sync(() => (client.sessions().get(name)?.state === state ? true : undefined)),
          { deadlineMs: 15_000, intervalMs: 5 }
        )
      )
  }
  return made
})

/** What a router says of one of its sessions: `up`, `init`, `down` or `admin-down`, by the address of the node. */
export type RouterBfd = ReadonlyMap<string, string>

/** A router that runs BFD. */
export interface BfdRouter {
  readonly sessions: Effect.Effect<RouterBfd, LabError>
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
  /** Sets the intervals of the router's single-hop sessions, both ways, while they are up. */
  readonly setInterval: (ms: number) => Effect.Effect<void, LabError>
  /** Takes its IPv4 session on the link out of use, where the router can. */
  readonly shutdown: Effect.Effect<void, LabError> | undefined
  /** What its packets over several hops arrive with: BIRD sends 64, FRR 255. */
  readonly farTtl: number
}

export interface BfdRouterPlan {
  readonly intervalMs: number
}

/** The node's address of each session, which is what the router knows it by. */
export const nodeAddress = (name: LabSession): string => sessionsOfLab[name].localAddress.replace(/%.*/, "")

export const startBirdBfd = (lab: BfdLab, plan: BfdRouterPlan): Effect.Effect<BfdRouter, LabError, Scope.Scope> =>
  Effect.gen(function* () {
    const place = { folder: join(lab.folder, "bird"), namespace: lab.router }
    const write = (intervalMs: number) => writeBird(place, birdConfiguration({ ...plan, intervalMs }))
    yield* write(plan.intervalMs)
    const child = yield* startBirdDaemon(place)
    return {
      sessions: Effect.map(askBird(place, "show bfd sessions"), readBird),
      signal: child.signal,
      shutdown: undefined,
      farTtl: 63,
      setInterval: (ms) => Effect.asVoid(Effect.andThen(write(ms), askBird(place, "configure")))
    }
  })

/** Over several hops the router waits for the node to begin. */
const birdConfiguration = ({ intervalMs }: BfdRouterPlan): string => {
  const settings = `interval ${intervalMs} ms; multiplier 3;`
  return [
    "router id 192.0.2.1;",
    "protocol device { scan time 1; }",
    "protocol bfd {",
    `  interface "link0" { ${settings} };`,
    `  multihop { ${settings} passive yes; };`,
    '  neighbor 192.0.2.2 dev "link0";',
    '  neighbor 2001:db8::2 dev "link0";',
    '  neighbor fe80::2 dev "link0";',
    "  neighbor 203.0.113.2 local 203.0.113.1 multihop yes;",
    "  neighbor 2001:db8:ff::2 local 2001:db8:ff::1 multihop yes;",
    "}",
    ""
  ].join("\n")
}

/** `192.0.2.2 link0 Up 10:00:00 0.300 0.900`, one line a session. */
const readBird = (text: string): RouterBfd =>
  new Map(
    [...text.matchAll(/^([0-9a-f:.]+)\s+\S+\s+(Up|Down|Init|AdminDown)\s/gm)].map(([, address = "", state = ""]) => [
      address,
      state === "AdminDown" ? "admin-down" : state.toLowerCase()
    ])
  )

export const startFrrBfd = (lab: BfdLab, plan: BfdRouterPlan): Effect.Effect<BfdRouter, LabError, Scope.Scope> =>
  Effect.gen(function* () {
    const place = { folder: join(lab.folder, "frr"), namespace: lab.router }
    const { bfdd } = yield* startFrrDaemons(place, { zebra: "", bfdd: frrConfiguration(plan) })
    const vty = (...commands: ReadonlyArray<string>) => askFrr(place, "bfdd", ...commands)
    return {
      sessions: Effect.map(vty("show bfd peers json"), (answers) => readFrr(answers.at(-1) ?? "[]")),
      signal: bfdd.signal,
      shutdown: Effect.asVoid(vty("configure terminal", "bfd", "peer 192.0.2.2 interface link0", "shutdown")),
      farTtl: 254,
      setInterval: (ms) =>
        Effect.asVoid(
          vty("configure terminal", "bfd", "profile near", `receive-interval ${ms}`, `transmit-interval ${ms}`)
        )
    }
  })

/** Over several hops the router waits for the node to begin. */
const frrConfiguration = ({ intervalMs }: BfdRouterPlan): string => {
  const profile = (name: string, ...more: ReadonlyArray<string>) => [
    ` profile ${name}`,
    `  receive-interval ${intervalMs}`,
    `  transmit-interval ${intervalMs}`,
    ...more,
    " exit"
  ]
  const peer = (address: string, rest: string, name = "near") => [
    ` peer ${address} ${rest}`,
    `  profile ${name}`,
    " exit"
  ]
  return [
    "bfd",
    ...profile("near"),
    ...profile("far", "  minimum-ttl 254", "  passive-mode"),
    ...peer("192.0.2.2", "interface link0"),
    ...peer("2001:db8::2", "local-address 2001:db8::1 interface link0"),
    ...peer("fe80::2", "local-address fe80::1 interface link0"),
    ...peer("203.0.113.2", "multihop local-address 203.0.113.1", "far"),
    ...peer("2001:db8:ff::2", "multihop local-address 2001:db8:ff::1", "far"),
    "exit",
    ""
  ].join("\n")
}

const readFrr = (text: string): RouterBfd =>
  new Map(
    (JSON.parse(text) as ReadonlyArray<{ readonly peer: string; readonly status: string }>).map(({ peer, status }) => [
      peer,
      status === "shutdown" ? "admin-down" : status
    ])
  )

/** Waits until the router says that its session is in one of the states. */
export const untilRouterSays = (
  router: BfdRouter,
  name: LabSession,
  ...states: ReadonlyArray<string>
): Effect.Effect<string, LabError> =>
  waitFor(
    `the router's session with ${nodeAddress(name)} is ${states.join(" or ")}`,
    Effect.map(router.sessions, (all) => states.find((state) => state === all.get(nodeAddress(name)))),
    { deadlineMs: 15_000, intervalMs: 5 }
  )

/**
 * Sends a packet that says Down to a session of the node's, as from the router's own address, and answers when it is out.
 * Whoever takes it goes down.
 */
export const forge = (
  lab: BfdLab,
  name: LabSession,
  { yourDiscriminator, ttl }: { readonly yourDiscriminator: number; readonly ttl: number }
) => {
  const session = sessionsOfLab[name]
  const octets = encodeControlPacket({
    diagnostic: 0,
    state: "Down",
    poll: false,
    final: false,
    controlPlaneIndependent: false,
    demand: false,
    detectMult: 3,
    myDiscriminator: 1,
    yourDiscriminator,
    desiredMinTxUs: 1_000_000,
    requiredMinRxUs: 1_000_000,
    requiredMinEchoRxUs: 0
  })
  const program = `
    const socket = require("node:dgram").createSocket("udp${session.peerAddress.includes(":") ? 6 : 4}")
    socket.bind({ address: ${JSON.stringify(session.peerAddress)} }, () => {
      socket.setTTL(${ttl})
      const octets = Buffer.from("${Buffer.from(octets).toString("hex")}", "hex")
      socket.send(octets, ${"hops" in session ? 4784 : 3784}, ${JSON.stringify(session.localAddress)}, () => socket.close())
    })`
  return execute(["node", "-e", program], { namespace: lab.router })
}
