import { createServer, type Server, type Socket } from "node:net"
import { type Family, formatPrefix, type Prefix } from "@lowtide/net"
import { Effect, Schema, type Scope } from "effect"
import { explainEnd } from "./fsm/explain.ts"
import type { Negotiated } from "./fsm/negotiate.ts"
import type { MessageCounters, Runner } from "./runner.ts"
import { makeRunner } from "./runner.ts"
import { formatRouterId, parseRouterId } from "./session.ts"
import { adoptSocket } from "./transport.ts"
import type { BgpNotification } from "./wire/notification.ts"
import type { PathAttribute } from "./wire/path-attributes.ts"
import { type BgpUpdate, effectOf, endOfRibFamily } from "./wire/update.ts"

/** How a collector presents itself, and where it listens. */
export interface CollectorOptions {
  readonly host: string
  /** 0 lets the kernel choose: read `port` of the collector. */
  readonly port: number
  readonly localAsn: number
  readonly routerId: string
  readonly holdTimeSeconds: number
  readonly families: ReadonlyArray<Family>
  /** The only AS accepted; any unless given. */
  readonly peerAsn?: number
}

/** A route as a peer announced it. `attributes` are all of the UPDATE's, reachability included. */
export interface CollectedRoute {
  readonly prefix: Prefix
  readonly attributes: ReadonlyArray<PathAttribute>
}

/** One peer whose session is up. */
export interface CollectedPeer {
  readonly remoteAddress: string
  readonly asn: number
  readonly routerId: string
  readonly negotiated: Negotiated
  /** By the prefix's canonical text. */
  readonly routes: ReadonlyMap<string, CollectedRoute>
  /** The families whose End-of-RIB came. */
  readonly endOfRib: ReadonlySet<Family>
  readonly received: MessageCounters
  /** Ends the session with this NOTIFICATION, or without one by closing. */
  readonly disconnect: (answer: BgpNotification | undefined) => void
  /** Asks for all routes of the family again (RFC 2918). */
  readonly requestRefresh: (family: Family) => void
}

/** What a collector reports. */
export type CollectorEvent =
  | { readonly _tag: "PeerUp"; readonly peer: CollectedPeer }
  | { readonly _tag: "PeerDown"; readonly remoteAddress: string; readonly reason: string }
  | { readonly _tag: "PeerUpdate"; readonly peer: CollectedPeer; readonly update: BgpUpdate }

/** A listening BGP speaker that accepts any number of peers, announces nothing and keeps what it hears. */
export interface BgpCollector {
  readonly host: string
  readonly port: number
  /** The peers whose sessions are up now. */
  readonly peers: () => ReadonlyArray<CollectedPeer>
}

/** The collector's address and port cannot be listened on. */
export class ListenFailed extends Schema.TaggedError<ListenFailed>()("ListenFailed", {
  host: Schema.String,
  port: Schema.Int,
  cause: Schema.Defect()
}) {
  override get message() {
    return `cannot listen for BGP on ${this.host} port ${this.port}: ${String(this.cause)}`
  }
}

/** Listens until the scope closes; its sessions end with it. */
export const startCollector = (
  options: CollectorOptions,
  onEvent: (event: CollectorEvent) => void = () => {}
): Effect.Effect<BgpCollector, ListenFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const sessions = new Set<CollectorSession>()
    const server = createServer((socket) => acceptPeer(options, socket, { sessions, onEvent }))
    yield* Effect.acquireRelease(listen(server, options), () => close(server, sessions))
    const address = server.address()
    return {
      host: options.host,
      port: typeof address === "object" && address !== null ? address.port : options.port,
      peers: () => [...sessions].flatMap(({ peer }) => (peer === undefined ? [] : [peer]))
    }
  })

const listen = (server: Server, { host, port }: CollectorOptions): Effect.Effect<void, ListenFailed> =>
  Effect.callback<void, ListenFailed>((resume) => {
    const onError = (cause: Error) => resume(Effect.fail(new ListenFailed({ host, port, cause })))
    server.once("error", onError)
    server.listen({ host, port }, () => {
      server.off("error", onError)
      resume(Effect.void)
    })
  })

const close = (server: Server, sessions: ReadonlySet<CollectorSession>): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    for (const { runner } of [...sessions]) runner.input({ _tag: "Stop", notification: undefined })
    server.close(() => resume(Effect.void))
  })

interface CollectorSession {
  readonly runner: Runner
  peer: CollectedPeer | undefined
}

const acceptPeer = (
  options: CollectorOptions,
  socket: Socket,
  { sessions, onEvent }: { readonly sessions: Set<CollectorSession>; readonly onEvent: (event: CollectorEvent) => void }
): void => {
  const remoteAddress = socket.remoteAddress ?? ""
  const peerAsn: number | "any" = options.peerAsn ?? "any"
  const routes = new Map<string, CollectedRoute>()
  const endOfRib = new Set<Family>()
  const routerId = parseRouterId(options.routerId)
  const config = { ...options, peerAsn, routerId, connectRetryMs: 1_000, opens: "accept" } as const
  const runner = makeRunner(() => config, {
    dial: () => () => {},
    onDrain: () => {},
    onAction: (action) => {
      switch (action._tag) {
        case "SessionUp":
          session.peer = collectedPeer(action.negotiated, { remoteAddress, routes, endOfRib, runner })
          onEvent({ _tag: "PeerUp", peer: session.peer })
          return
        case "TakeUpdate":
          apply(action.update, routes, endOfRib)
          if (session.peer) onEvent({ _tag: "PeerUpdate", peer: session.peer, update: action.update })
          return
        case "SessionDown": {
          const identity = { name: remoteAddress, host: remoteAddress, localAsn: options.localAsn, peerAsn }
          session.peer = undefined
          sessions.delete(session)
          onEvent({ _tag: "PeerDown", remoteAddress, reason: explainEnd(identity, action.from, action.cause) })
          return
        }
        case "SendFamilyAgain": // there is nothing to send
      }
    }
  })
  const session: CollectorSession = { runner, peer: undefined }
  sessions.add(session)
  runner.input({ _tag: "Start" })
  runner.adopt((events) => adoptSocket(socket, events))
}

const collectedPeer = (
  negotiated: Negotiated,
  session: {
    readonly remoteAddress: string
    readonly routes: ReadonlyMap<string, CollectedRoute>
    readonly endOfRib: ReadonlySet<Family>
    readonly runner: Runner
  }
): CollectedPeer => ({
  remoteAddress: session.remoteAddress,
  asn: negotiated.peerAsn,
  routerId: formatRouterId(negotiated.peerRouterId),
  negotiated,
  routes: session.routes,
  endOfRib: session.endOfRib,
  get received() {
    return session.runner.counters().received
  },
  disconnect: (answer) => session.runner.input({ _tag: "Stop", notification: answer }),
  requestRefresh: (family) => session.runner.requestRefresh(family)
})

/** RFC 4271 §9: an UPDATE's withdrawals, then its announcements. */
const apply = (update: BgpUpdate, routes: Map<string, CollectedRoute>, endOfRib: Set<Family>): void => {
  const ended = endOfRibFamily(update)
  if (ended !== undefined) endOfRib.add(ended)
  const { announced, withdrawn } = effectOf(update)
  for (const prefix of withdrawn) routes.delete(formatPrefix(prefix))
  for (const prefix of announced) routes.set(formatPrefix(prefix), { prefix, attributes: update.attributes })
}
