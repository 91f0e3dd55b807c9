import type { BgpFlapList, BgpRouteList, BgpSessionList } from "@lowtide/api/bgp"
import type { LowtideClient } from "@lowtide/api/client"
import { explainRoutes, explainSession } from "@lowtide/domain/announcing/explain"
import { formatIpAddress, parseAddresses, parseIpAddress, withoutMapping } from "@lowtide/net"
import { Effect, Option, Result } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { ask } from "../ask.ts"
import { askNode, socketFlag } from "../ask-node.ts"
import { atFlag, momentFlag, readMoment } from "../at.ts"
import { CliFault, exitCodes, usageFault } from "../fault.ts"
import { formatAge } from "../moment.ts"
import { outputFormat, print, serverFlags } from "../root.ts"
import { Surroundings } from "../surroundings.ts"
import { type Column, formatTable } from "../table.ts"
import { flapColumns, routeColumns, sessionColumns } from "../tables/bgp.ts"

const sourceFlags = {
  nodeLocal: Flag.Boolean("node-local").pipe(
    Flag.withDescription("Ask the speaker of this node itself, with the centre, NATS and all else away"),
    Flag.withDefault(false)
  ),
  socket: socketFlag
}

const narrowingFlags = {
  cluster: Flag.String("cluster").pipe(Flag.withDescription("Only this cluster"), Flag.optional),
  node: Flag.String("node").pipe(Flag.withDescription("Only this node"), Flag.optional),
  peer: Flag.String("peer").pipe(Flag.withDescription("Only sessions with this peer"), Flag.optional)
}

interface Source {
  readonly nodeLocal: boolean
  readonly socket: Option.Option<string>
}

type Bgp = LowtideClient["Service"]["bgp"]

/** Asks whoever is to be asked: the centre for the fleet, or the node for itself. Both answer the same. */
const askBgp = <A, E extends { readonly _tag: string; readonly message: string }>(
  { nodeLocal, socket }: Source,
  question: (bgp: Bgp) => Effect.Effect<A, E>
) =>
  Effect.gen(function* () {
    if (nodeLocal || Option.isSome(socket)) return yield* askNode(socket, ({ bgp }) => question(bgp as Bgp))
    return yield* ask(yield* serverFlags, ({ bgp }) => question(bgp)).pipe(
      Effect.mapError((fault) =>
        fault.exitCode === exitCodes.unreachable || fault.exitCode === exitCodes.timeout
          ? new CliFault({
              ...fault,
              next: `${fault.next}; on a node, --node-local asks its speaker and needs nobody else`
            })
          : fault
      )
    )
  })

/** A node knows nothing of earlier times. */
const refuseAt = ({ nodeLocal, socket }: Source, at: Option.Option<string>) =>
  (nodeLocal || Option.isSome(socket)) && Option.isSome(at)
    ? usageFault(
        "--at: expected none with --node-local, since a node knows the present alone",
        "ask the centre, or leave it out"
      )
    : Effect.void

const present = <Flags extends Readonly<Record<string, Option.Option<string>>>>(flags: Flags) =>
  Object.fromEntries(
    Object.entries(flags).flatMap(([name, flag]) => (Option.isSome(flag) ? [[name, flag.value]] : []))
  ) as { readonly [Name in keyof Flags]?: string }

const thenMs = (at: string | undefined, asOf: string, nowMs: number): number =>
  at === undefined ? nowMs : Date.parse(at.includes("T") ? at : asOf)

const showTable = <Row>(
  answer: { readonly items: ReadonlyArray<Row>; readonly reportsSince?: string | null | undefined },
  columns: ReadonlyArray<Column<Row>>,
  nothing: string
) =>
  Effect.gen(function* () {
    const { hasColour, screenColumns, err } = yield* Surroundings
    yield* print(answer, (format) =>
      answer.items.length === 0
        ? ""
        : formatTable(columns, answer.items, { isWide: format === "wide", hasColour, screenColumns })
    )
    if (answer.items.length === 0) err(nothing)
    if (answer.reportsSince != null) {
      err(`note: what nodes had told their routers before ${answer.reportsSince} is not kept, and is missing here`)
    }
  })

/** `lowtide bgp peers`. */
export const peers = Command.make(
  "peers",
  { ...narrowingFlags, at: atFlag, ...sourceFlags },
  Effect.fnUntraced(function* ({ cluster, node, peer, at, ...source }) {
    const { nowMs, err } = yield* Surroundings
    yield* refuseAt(source, at)
    const query = { ...present({ cluster, node, peer }), ...(yield* readMoment("bgp peers", "at", at)) }
    const answer: BgpSessionList = yield* askBgp(source, (bgp) => bgp.peers({ query }))
    yield* showTable(answer, sessionColumns(thenMs(query.at, answer.asOf, nowMs)), "no sessions found")
    if ((yield* outputFormat) === "json") return
    for (const { cluster, node, peer, why, evidence, bfdFault } of answer.items) {
      const session = `${cluster}/${node} ${peer}`
      if (bfdFault !== undefined) err(`${session}: ${bfdFault.code} BFD is not run with it: ${bfdFault.message}`)
      if (why === null) continue
      err(`${session}: ${[`${why.code === null ? "" : `${why.code} `}${why.reason}`, ...evidence].join("; ")}`)
    }
  })
).pipe(
  Command.withDescription(
    "Sessions node by node: state, since when, the last error in both directions, why one is down"
  ),
  Command.withExamples([
    { command: "lowtide bgp peers --cluster east", description: "All sessions of one cluster" },
    { command: "lowtide bgp peers --node-local", description: "Those of this node, by its speaker alone" },
    { command: 'lowtide bgp peers --node east-1 --at "2 hours ago"', description: "As they were by the wire journal" }
  ])
)

const prefixFlag = Flag.String("prefix").pipe(
  Flag.withDescription("Only routes in this address or prefix, and aggregates that hold it"),
  Flag.optional
)

const judgePrefix = (name: string, text: string) =>
  Effect.fromResult(
    Result.mapError(parseAddresses(text), (what) =>
      usageFault(`${name}: ${what}`, "for example 192.0.2.10 or 192.0.2.0/24")
    )
  )

/** `lowtide bgp routes`. */
export const routes = Command.make(
  "routes",
  { ...narrowingFlags, prefix: prefixFlag, at: atFlag, ...sourceFlags },
  Effect.fnUntraced(function* ({ cluster, node, peer, prefix, at, ...source }) {
    const { nowMs, err } = yield* Surroundings
    yield* refuseAt(source, at)
    if (Option.isSome(prefix)) yield* judgePrefix("--prefix", prefix.value)
    const query = { ...present({ cluster, node, peer, prefix }), ...(yield* readMoment("bgp routes", "at", at)) }
    const answer: BgpRouteList = yield* askBgp(source, (bgp) => bgp.routes({ query }))
    yield* showTable(answer, routeColumns(thenMs(query.at, answer.asOf, nowMs)), "no routes found")
    if (answer.leftOut > 0)
      err(`${answer.leftOut} more are left out: narrow it with --cluster, --node, --peer or --prefix`)
  })
).pipe(
  Command.withDescription(
    "What each peer is to have from each node, with its attributes, why, and what shows that it has it"
  ),
  Command.withExamples([
    {
      command: "lowtide bgp routes --prefix 192.0.2.10",
      description: "Who announces an address, to whom, and since when"
    },
    {
      command: "lowtide bgp routes --node-local -o wide",
      description: "All that this node announces, by its speaker alone"
    }
  ])
)

/** `lowtide bgp flaps`. */
export const flaps = Command.make(
  "flaps",
  {
    ...narrowingFlags,
    since: momentFlag("since", "Count from then on; an hour before the end without"),
    at: momentFlag("at", "Count up to then"),
    ...sourceFlags
  },
  Effect.fnUntraced(function* ({ cluster, node, peer, since, at, ...source }) {
    const { nowMs, err } = yield* Surroundings
    const query = {
      ...present({ cluster, node, peer }),
      ...(yield* readMoment("bgp flaps", "since", since)),
      ...(yield* readMoment("bgp flaps", "at", at))
    }
    yield* refuseAt(source, at)
    if (query.since !== undefined && !query.since.includes("T")) {
      return yield* usageFault(`--since: expected a time, found the seq ${query.since}`, "for example --since 2h")
    }
    const answer: BgpFlapList = yield* askBgp(source, (bgp) => bgp.flaps({ query }))
    yield* showTable(answer, flapColumns(nowMs), `nothing went down from ${answer.since} to ${answer.until}`)
    if (query.since !== undefined && Date.parse(answer.since) > Date.parse(query.since)) {
      err(`note: counted from ${answer.since} on; what was before is not kept, or too much for one answer`)
    }
  })
).pipe(
  Command.withDescription(
    "Sessions and addresses that went up and down in a window, the most often first, with the reasons"
  ),
  Command.withExamples([
    { command: "lowtide bgp flaps --cluster east", description: "In the last hour" },
    { command: 'lowtide bgp flaps --since "1d" -o wide', description: "In the last day, with all their reasons" }
  ])
)

/** `lowtide bgp explain PEER|PREFIX`. */
export const explain = Command.make(
  "explain",
  {
    target: Argument.String("peer|prefix").pipe(
      Argument.withDescription("The name of a BGPPeer, its address, or an address or prefix that is announced")
    ),
    cluster: narrowingFlags.cluster,
    node: narrowingFlags.node,
    at: atFlag,
    ...sourceFlags
  },
  Effect.fnUntraced(function* ({ target, cluster, node, at, ...source }) {
    const { nowMs } = yield* Surroundings
    yield* refuseAt(source, at)
    const query = { ...present({ cluster, node }), ...(yield* readMoment("bgp explain", "at", at)) }
    const sessions = yield* askBgp(source, (bgp) => bgp.peers({ query }))
    const momentMs = thenMs(query.at, sessions.asOf, nowMs)
    const ago = (instant: string) => `${formatAge(Date.parse(instant), momentMs)} ago`
    const canonical = Result.map(parseIpAddress(target), (address) => formatIpAddress(withoutMapping(address)))
    const address = Result.getOrElse(canonical, () => target) // one with a zone is as it is
    const meant = sessions.items.filter(({ peer, peerAddress }) => peer === target || peerAddress === address)
    if (meant.length > 0) {
      const window = yield* askBgp(source, (bgp) => bgp.flaps({ query }))
      const texts = meant.map((session) => explainSession(session, window.items, ago))
      return yield* print({ sessions: meant, flaps: window.items, text: texts.flat() }, () =>
        texts.map((sentences) => sentences.join("\n  ")).join("\n")
      )
    }
    if (Result.isFailure(parseAddresses(target))) {
      const known = [...new Set(sessions.items.map(({ peer }) => peer))].sort().join(", ")
      return yield* new CliFault({
        exitCode: exitCodes.notFound,
        what: `expected a peer, of [${known}], an address or a prefix, found ${JSON.stringify(target)}`,
        next: "list sessions with `lowtide bgp peers`"
      })
    }
    const answer = yield* askBgp(source, (bgp) => bgp.routes({ query: { ...query, prefix: target } }))
    const { items, unannounced, withdrawing = [] } = answer
    const text = explainRoutes(target, items, unannounced, ago, withdrawing)
    yield* print({ routes: items, unannounced, withdrawing, text }, () => text.join("\n"))
  })
).pipe(
  Command.withDescription("Say in words how a session or a route stands, why, and what to do"),
  Command.withExamples([
    { command: "lowtide bgp explain tor-a --node east-1", description: "Why the session is down" },
    { command: "lowtide bgp explain 192.0.2.10", description: "Who announces it, to whom, and who does not and why" },
    { command: "lowtide bgp explain tor-a --node-local", description: "The same at the node, with nobody else there" }
  ])
)
