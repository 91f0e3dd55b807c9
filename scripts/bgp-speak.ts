import { createInterface } from "node:readline"
import { parseArgs } from "node:util"
import {
  type BgpPeer,
  type PeerOptions,
  type RefusedConnection,
  type RouteAttributes,
  type RouteChange,
  startListener,
  startPeer
} from "@lowtide/bgp"
import { parseCommunity, parsePrefix } from "@lowtide/net"
import { Effect, Result } from "effect"

const usage = `Speaks BGP to a router by hand, for tests and for looking at what it makes of routes.

  bgp-speak.ts --peer HOST --peer-as N --local-as N --router-id A.B.C.D [options]

  --peer HOST            repeat for a session with each of several addresses of the router
  --name NAME            what messages call the peer (default: HOST)
  --port N               TCP port of the router (default 179)
  --local-address ADDR   connect from this address
  --listen ADDR          let the router connect as well, to this address and port 179
  --passive              do not connect: only the router does
  --hold SECONDS         hold time, 0 or 3..65535 (default 90)
  --retry SECONDS        what back-off grows from (default 1)
  --family 4|6           repeat for both (default: both)
  --next-hop ADDR        next hop for its family, repeat for both (default: our address on the session)
  --announce PREFIX      have this route from the start; repeat for more
  --password TEXT        sign segments with it (TCP-MD5)
  --gtsm                 send with TTL 255, and drop what arrives with less
  --restart-time SECONDS have the router keep our routes while the session is lost
  --restarted            say that this process has restarted, and may find its routes kept
  --role ROLE            provider, customer, peer, rs or rs-client
  --status               print the peer's status after each line that was read

Reads one JSON object a line on standard input:
  {"announce":["192.0.2.1/32"],"attributes":{"asPathPrepend":1,"localPref":200,"med":5,"communities":["64496:1","large:64496:1:2"],
   "extendedCommunities":["0002fbf000000001"]},"token":1}      extended ones as the sixteen digits of their octets
  {"withdraw":["192.0.2.1/32"]}
  {"range":{"family":4,"count":10000,"from":"198.18.0.0"}}      that many host routes; "op":"withdraw" takes them back
  {"stop":{"subcode":"administrative-shutdown","text":"maintenance"}}
With several sessions a line is for all of them, or has "peer":HOST for one.
Prints each event of a session, with its peer, as one JSON object a line. At the end of its input, or with SIGTERM, it closes the
connection and ends; \`stop\` before that tells the router why.`

interface Line {
  readonly peer?: string
  readonly announce?: ReadonlyArray<string>
  readonly withdraw?: ReadonlyArray<string>
  readonly range?: { readonly count: number; readonly from: string; readonly op?: "announce" | "withdraw" }
  readonly attributes?: Omit<Partial<RouteAttributes>, "communities" | "largeCommunities" | "extendedCommunities"> & {
    readonly communities?: ReadonlyArray<string>
    readonly extendedCommunities?: ReadonlyArray<string>
  }
  readonly token?: number
  readonly stop?: Parameters<BgpPeer["stop"]>[0]
}

const flags = parseArgs({
  options: {
    help: { type: "boolean" },
    name: { type: "string" },
    peer: { type: "string", multiple: true, default: [] },
    port: { type: "string", default: "179" },
    "peer-as": { type: "string" },
    "local-as": { type: "string" },
    "router-id": { type: "string" },
    "local-address": { type: "string" },
    listen: { type: "string" },
    passive: { type: "boolean", default: false },
    hold: { type: "string", default: "90" },
    retry: { type: "string", default: "1" },
    family: { type: "string", multiple: true, default: ["4", "6"] },
    "next-hop": { type: "string", multiple: true, default: [] },
    announce: { type: "string", multiple: true, default: [] },
    password: { type: "string" },
    gtsm: { type: "boolean", default: false },
    "restart-time": { type: "string" },
    restarted: { type: "boolean", default: false },
    role: { type: "string" },
    status: { type: "boolean", default: false }
  }
}).values

const peerOptions = (peer: string): PeerOptions | undefined => {
  const { "router-id": routerId, "local-address": localAddress } = flags
  if (routerId === undefined || !flags["peer-as"] || !flags["local-as"]) return undefined
  const next4 = flags["next-hop"].find((address) => !address.includes(":"))
  const next6 = flags["next-hop"].find((address) => address.includes(":"))
  return {
    name: flags.name ?? peer,
    host: peer,
    port: Number(flags.port),
    localAsn: Number(flags["local-as"]),
    peerAsn: Number(flags["peer-as"]),
    routerId,
    holdTimeSeconds: Number(flags.hold),
    connectRetrySeconds: Number(flags.retry),
    families: flags.family.map((family) => (family === "6" ? 6 : 4)),
    nextHops: { ...(next4 && { 4: next4 }), ...(next6 && { 6: next6 }) },
    ...(localAddress === undefined ? {} : { localAddress }),
    ...(flags.password !== undefined && { md5Key: () => Result.succeed(new TextEncoder().encode(flags.password)) }),
    ...(flags.passive && { isDialled: false }),
    ...(flags.gtsm && { ttl: 255, ttlMin: 255 }),
    ...(flags["restart-time"] !== undefined && {
      gracefulRestart: { restartTimeSeconds: Number(flags["restart-time"]), hasRestarted: flags.restarted }
    }),
    ...(flags.role !== undefined && { role: flags.role as NonNullable<PeerOptions["role"]> })
  }
}

const print = (value: object): void => {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

const prefix = (text: string) => Result.getOrThrowWith(parsePrefix(text), (reason) => new Error(reason))

const routeAttributes = (attributes: NonNullable<Line["attributes"]>): RouteAttributes => {
  const { communities = [], extendedCommunities = [], ...rest } = attributes
  const parsed = communities.map((text) => Result.getOrThrowWith(parseCommunity(text), (reason) => new Error(reason)))
  return {
    asPathPrepend: 0,
    ...rest,
    communities: parsed.filter((community) => community._tag === "StandardCommunity"),
    largeCommunities: parsed.filter((community) => community._tag === "LargeCommunity"),
    extendedCommunities: extendedCommunities.map((octets) => BigInt(`0x${octets}`))
  }
}

const hostRoutes = (from: string, count: number) => {
  const first = prefix(`${from}/${from.includes(":") ? 128 : 32}`)
  return Array.from({ length: count }, (_, index) => ({
    ...first,
    address: { ...first.address, value: first.address.value + BigInt(index) }
  }))
}

const changesOf = (line: Line): ReadonlyArray<RouteChange> => {
  const attributes = routeAttributes(line.attributes ?? {})
  const ranged = line.range === undefined ? [] : hostRoutes(line.range.from, line.range.count)
  return [
    ...(line.withdraw ?? []).map((text) => ({ prefix: prefix(text), attributes: undefined })),
    ...(line.announce ?? []).map((text) => ({ prefix: prefix(text), attributes })),
    ...ranged.map((route) => ({ prefix: route, attributes: line.range?.op === "withdraw" ? undefined : attributes }))
  ]
}

const perform = async (peers: ReadonlyArray<BgpPeer>, line: Line): Promise<void> => {
  const meant = peers.filter(({ options }) => line.peer === undefined || line.peer === options.host)
  if (meant.length === 0) throw new Error(`peer: expected one of --peer, found ${line.peer}`)
  const changes = changesOf(line)
  for (const peer of meant) {
    if (changes.length > 0 || line.token !== undefined) peer.change(changes, line.token)
    if (line.stop !== undefined) await Effect.runPromise(peer.stop(line.stop))
    if (flags.status) print({ _tag: "Status", ...peer.status(), peer: peer.options.host })
  }
}

const listenFor = Effect.fn("listenFor")(function* (peers: ReadonlyArray<BgpPeer>, host: string) {
  const refused = (connection: RefusedConnection) => print({ _tag: "ConnectionRefused", ...connection })
  const listener = yield* Effect.result(startListener({ host, port: 179 }, refused))
  if (Result.isFailure(listener)) return print({ _tag: "ListenFailed", reason: listener.failure.message })
  for (const reason of listener.success.setPeers(peers)) print({ _tag: "ListenFailed", reason })
})

const speak = Effect.fn("speak")(function* (sessions: ReadonlyArray<PeerOptions>) {
  const peers = yield* Effect.forEach(sessions, (options) =>
    startPeer(options, (event) => print({ ...event, peer: options.host }))
  )
  if (flags.listen !== undefined) yield* listenFor(peers, flags.listen)
  for (const peer of peers) peer.change(changesOf({ announce: flags.announce }))
  yield* Effect.promise(async () => {
    for await (const text of createInterface({ input: process.stdin })) {
      const line = Result.try(() => JSON.parse(text) as Line)
      if (Result.isFailure(line)) print({ _tag: "InputRefused", reason: `not JSON: ${text}` })
      else await perform(peers, line.success).catch((error) => print({ _tag: "InputRefused", reason: String(error) }))
    }
  })
})

const sessions = flags.peer.flatMap((peer) => peerOptions(peer) ?? [])
if (flags.help || sessions.length === 0) {
  const isWrong = !flags.help
  ;(isWrong ? process.stderr : process.stdout).write(`${usage}\n`)
  process.exitCode = isWrong ? 2 : 0
} else {
  process.once("SIGTERM", () => process.exit(0))
  await Effect.runPromise(Effect.scoped(speak(sessions)))
}
