import { type Family, formatIpAddress, formatPrefix, type IpAddress, isLinkLocal, parseIpAddress } from "@lowtide/net"
import { Effect, Result, type Scope } from "effect"
import { AdjRibOut, type SendContext } from "./adj-rib-out.ts"
import { Connections } from "./connections.ts"
import type { Opening } from "./fsm/collision.ts"
import type { GracefulRestart, SessionConfig } from "./fsm/config.ts"
import { explainEnd, isStanding } from "./fsm/explain.ts"
import type { Action, EndCause } from "./fsm/machine.ts"
import type { Negotiated } from "./fsm/negotiate.ts"
import { ceaseOfFailedPath } from "./path-failure.ts"
import type { BgpPeer, NotificationReport, PeerError, PeerEvent, PeerOptions, PeerStatus, StopReason } from "./peer.ts"
import { changesSession } from "./peer-change.ts"
import { RouteWriter } from "./route-writer.ts"
import type { Runner } from "./runner.ts"
import { type SessionTap, type TappedSession, tappedEnd } from "./tap.ts"
import { type DialTarget, dialTcp, failSoon, type Transport, type TransportEvents } from "./transport.ts"
import {
  type BgpNotification,
  ceaseWithText,
  hardReset,
  isHardReset,
  notification,
  notificationName,
  notificationText,
  type WireFault,
  wireFault
} from "./wire/notification.ts"
import { marksRoutes } from "./wire/role.ts"
import { type BgpUpdate, effectOf } from "./wire/update.ts"

/**
 * Starts a peer and keeps its session up until the scope closes (the connection is then just closed: call `stop` first
 * to tell the peer). `onEvent` runs inside the session's turn, so it must be short and must not throw.
 */
export const startPeer = (
  options: PeerOptions,
  onEvent: (event: PeerEvent) => void,
  tap?: SessionTap
): Effect.Effect<BgpPeer, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => openPeer(options, onEvent, tap)),
    (peer) => peer.stop({ subcode: "none" })
  )

/** `connectRetrySeconds` unless it is given. */
const connectRetrySecondsDefault = 1

const openPeer = (initial: PeerOptions, onEvent: (event: PeerEvent) => void, tap: SessionTap | undefined): BgpPeer => {
  checkSendHoldTime(initial)
  let options = initial
  const rib = new AdjRibOut()
  const memory = new SessionMemory()
  let { gracefulRestart } = options
  let agreedLast: Negotiated | undefined
  const connections: Connections = new Connections(
    {
      config: (opens) => sessionConfig(options, { opens, gracefulRestart }),
      dial: (events) =>
        dial(options, {
          ...events,
          onConnected: (transport) => {
            events.onConnected(transport)
            // Our OPEN is on its way; while the peer answers, its table is made ready.
            const isFirst = connections.leading()?.runner.state()._tag === "OpenSent"
            if (isFirst) writer.prepare(sendContext(options, agreedLast ?? expected(options), transport.localAddress))
          }
        }),
      onAction: (action, connection) => onAction(action, connection.runner),
      onDrain: () => writer.pump()
    },
    { isDialled: options.isDialled ?? true }
  )
  const writer = new RouteWriter(rib, {
    write: (chunk, onWritten) => {
      if (chunk.kind === undefined) tap?.onUpdates(chunk.bytes)
      connections.established()?.writeUpdates(chunk, onWritten)
    },
    isFull: () => connections.established()?.transport()?.isFull() ?? true,
    onRefused: (refusal) => onEvent({ _tag: "RoutesRefused", ...refusal }),
    onWritten: ({ tokens, announced, withdrawn, isTable }) => {
      if (isTable) onEvent({ _tag: "TableWritten", announced })
      for (const token of tokens) onEvent({ _tag: "RoutesWritten", token, announced, withdrawn })
      const last = tokens.at(-1)
      if (last === undefined) return
      connections
        .established()
        ?.transport()
        ?.onceAcknowledged(() => onEvent({ _tag: "RoutesAcknowledged", token: last }))
    }
  })

  const onAction = (action: Exclude<Action, { readonly _tag: "Send" | "CloseTcp" | "DialTcp" }>, runner: Runner) => {
    switch (action._tag) {
      case "SessionUp": {
        const { negotiated } = action
        memory.up(negotiated)
        agreedLast = negotiated
        // Who has been up has told its routes: when that session is lost neither process nor node has restarted.
        gracefulRestart &&= { restartTimeSeconds: gracefulRestart.restartTimeSeconds, hasRestarted: false }
        onEvent({
          _tag: "SessionEstablished",
          remoteRouterId: formatRouterId(negotiated.peerRouterId),
          remoteAsn: negotiated.peerAsn,
          holdTimeSeconds: negotiated.holdTimeSeconds,
          keptForSeconds: negotiated.keptForSeconds,
          families: negotiated.families
        })
        const session = tap && tapped(runner, negotiated, { rib, writer })
        if (session !== undefined) tap?.onUp(session)
        writer.begin(sendContext(options, negotiated, runner.transport()?.localAddress))
        return
      }
      case "SessionDown": {
        const reason = explainEnd(options, action.from, action.cause, memory.standing)
        const report = reportOf(action.cause)
        const told = report ?? standingReport(action.cause, memory.standing)
        const keptForSeconds = memory.keptForSeconds(report)
        memory.down(action.cause, { atUnixMs: Date.now(), reason, ...(report && { notification: report }) })
        if (action.from !== "Connect" && action.from !== "Idle") writer.end()
        if (action.from === "Established") tap?.onDown(tappedEnd(action.cause))
        const ended = {
          ...{ reason, retryInMs: connections.retryInMs() },
          ...(told && { notification: told }),
          ...(action.cause._tag === "Stopped" && { isStopped: true as const })
        }
        const failed = action.cause._tag === "PathFailed" && { isPathFailure: true as const }
        onEvent(
          action.from === "Established"
            ? { _tag: "SessionEnded", ...ended, ...failed, keptForSeconds }
            : { _tag: "ConnectFailed", ...ended }
        )
        return
      }
      case "TakeUpdate": {
        const excess = memory.take(action.update, options.prefixesReceivedMax)
        if (excess !== undefined) runner.input({ _tag: "FaultFound", fault: excess })
        return
      }
      case "SendFamilyAgain":
        writer.sendAgain(action.family, action.isMarked)
    }
  }

  connections.start()
  return {
    get options() {
      return options
    },
    adjust: (wanted) => {
      checkSendHoldTime(wanted)
      const kept = Object.fromEntries(changesSession(options, wanted).map((option) => [option, options[option]]))
      options = { ...wanted, ...kept }
      const established = connections.established()
      if (established === undefined || agreedLast === undefined) return false
      const excess = memory.excess(options.prefixesReceivedMax)
      if (excess !== undefined) {
        established.input({ _tag: "FaultFound", fault: excess })
        return false
      }
      return writer.change(sendContext(options, agreedLast, established.transport()?.localAddress))
    },
    change: (changes, token) => {
      rib.change(changes)
      writer.changed(token)
    },
    accept: (socket) => connections.accept(socket),
    status: (): PeerStatus => {
      const leading = connections.leading()
      const isUp = leading?.runner.state()._tag === "Established"
      return {
        state: leading?.runner.state()._tag ?? "Active",
        sinceUnixMs: leading?.runner.stateSinceUnixMs() ?? memory.startedAtUnixMs,
        openedBy: (leading?.opens ?? "accept") === "dial" ? "us" : "peer",
        ...memory.report(),
        ...localAddressOf(leading?.runner.transport()?.localAddress),
        ...(isUp &&
          agreedLast &&
          nextHopsOf(sendContext(options, agreedLast, leading?.runner.transport()?.localAddress))),
        messages: connections.counters(),
        prefixesSent: isUp ? rib.sent : 0,
        prefixesWanted: rib.wanted
      }
    },
    isSent: (prefix) => connections.established() !== undefined && rib.isSent(prefix),
    isPending: (prefix) => connections.established() !== undefined && writer.isPending(prefix),
    pathFailed: (failure) => {
      const cease = memory.session === undefined ? undefined : ceaseOfFailedPath(memory.session.negotiated, failure)
      connections.established()?.input({ _tag: "PathFailed", reason: failure.reason, notification: cease })
    },
    stop: (reason) =>
      Effect.suspend(() => {
        const transports = connections.open()
        connections.stop(ceaseOf(reason, memory.keepsAfterNotification))
        return Effect.forEach(transports, closed, { concurrency: "unbounded", discard: true })
      })
  }
}

/** The session as a tap sees it; undefined where its connection is gone already. */
const tapped = (
  runner: Runner,
  { peerAsn, peerRouterId, fourOctetAs }: Negotiated,
  { rib, writer }: { readonly rib: AdjRibOut; readonly writer: RouteWriter }
): TappedSession | undefined => {
  const transport = runner.transport()
  const opens = runner.opens()
  const { localAddress, remoteAddress } = transport ?? {}
  if (opens === undefined || transport === undefined || localAddress === undefined || remoteAddress === undefined)
    return
  const { localPort, remotePort } = transport
  return {
    ...{ localAddress, remoteAddress, localPort, remotePort, peerAsn, peerRouterId },
    legacyAsPath: !fourOctetAs,
    sentOpen: opens.sent,
    receivedOpen: opens.received,
    prefixesSent: () => rib.sent,
    table: function* () {
      for (const { bytes } of writer.sentTable()) yield bytes
    }
  }
}

const closed = (transport: Transport): Effect.Effect<void> =>
  Effect.callback<void>((resume) => transport.onceClosed(() => resume(Effect.void)))

/** Options as the machine takes them; a router id that is not one is a defect of the caller. */
const sessionConfig = (
  options: PeerOptions,
  { opens, gracefulRestart }: { readonly opens: Opening; readonly gracefulRestart: GracefulRestart | undefined }
): SessionConfig => ({
  localAsn: options.localAsn,
  peerAsn: options.peerAsn,
  routerId: parseRouterId(options.routerId),
  holdTimeSeconds: options.holdTimeSeconds,
  keepaliveTimeSeconds: options.keepaliveTimeSeconds,
  connectRetryMs: (options.connectRetrySeconds ?? connectRetrySecondsDefault) * 1000,
  families: options.families,
  offersExtendedNextHop: options.host.includes(":"),
  ...(gracefulRestart && { gracefulRestart }),
  ...(options.role !== undefined && { role: options.role, isRoleStrict: options.isRoleStrict ?? false }),
  ...(options.sendHoldTimeSeconds !== undefined && { sendHoldTimeSeconds: options.sendHoldTimeSeconds }),
  opens
})

/** RFC 9687 §4.4: the send hold time is above the hold time. Anything else is a defect of the caller. */
const checkSendHoldTime = ({ name, holdTimeSeconds, sendHoldTimeSeconds }: PeerOptions): void => {
  if (sendHoldTimeSeconds === undefined || sendHoldTimeSeconds > holdTimeSeconds) return
  throw new RangeError(
    `peer ${name}: expected a send hold time above its hold time of ${holdTimeSeconds} s, found ${sendHoldTimeSeconds} s`
  )
}

/** Connects as the options say; not at all with a password that is not there, or to a name, which has no key of its own. */
const dial = (options: PeerOptions, events: TransportEvents): (() => void) => {
  const { host, port, localAddress, ttl, ttlMin, device, md5Key } = options
  const peer = Result.getOrUndefined(parseIpAddress(host.replace(/%.*$/, "")))
  if (peer === undefined) {
    const reason = options.whyNoAddress?.() ?? `expected an IPv4 or IPv6 address, found ${JSON.stringify(host)}`
    return failSoon(events, reason)
  }
  const key = md5Key?.()
  if (key !== undefined && Result.isFailure(key)) return failSoon(events, key.failure)
  const target: DialTarget = {
    host,
    port,
    localAddress,
    options: {
      ...(ttl !== undefined && { ttl }),
      ...(ttlMin !== undefined && { ttlMin }),
      ...(device !== undefined && { device }),
      ...(key !== undefined && { md5Keys: [{ peer, key: key.success }] })
    }
  }
  return dialTcp(target, events)
}

/** Reads a BGP Identifier written as an IPv4 address; throws on anything else, 0.0.0.0 included (RFC 6286 §2.1). */
export const parseRouterId = (text: string): number => {
  const address = Result.getOrUndefined(parseIpAddress(text))
  if (address?.family !== 4 || address.value === 0n) {
    throw new TypeError(`expected a router id like 192.0.2.1, found ${JSON.stringify(text)}`)
  }
  return Number(address.value)
}

/** A BGP Identifier as people write it. */
export const formatRouterId = (routerId: number): string => formatIpAddress({ family: 4, value: BigInt(routerId) })

const localAddressOf = (localAddress: string | undefined) => (localAddress === undefined ? {} : { localAddress })

const nextHopsOf = ({ nextHops }: SendContext): Pick<PeerStatus, "nextHops"> => ({
  nextHops: {
    ...(nextHops[4] && { 4: formatIpAddress(nextHops[4]) }),
    ...(nextHops[6] && { 6: formatIpAddress(nextHops[6]) })
  }
})

/** What a session depends on when it sends. */
type Agreed = Pick<Negotiated, "isInternal" | "fourOctetAs" | "families" | "extendedNextHop" | "messageBytesMax">

/**
 * What the first session with a peer most likely agrees: our families, and of the rest what routers do unless told otherwise
 * (BIRD takes no extended messages by default). Where it is otherwise the table is made anew, once.
 */
const expected = ({ localAsn, peerAsn, families }: PeerOptions): Agreed => ({
  isInternal: peerAsn === "internal" || localAsn === peerAsn,
  fourOctetAs: true,
  families,
  extendedNextHop: false
})

const sendContext = (options: PeerOptions, agreed: Agreed, localAddress: string | undefined): SendContext => {
  const own = Result.getOrUndefined(parseIpAddress(localAddress ?? ""))
  const ipv6 = nextHop(6, options.nextHops?.[6], own)
  const ipv4 = nextHop(4, options.nextHops?.[4], own) ?? (agreed.extendedNextHop ? ipv6 : undefined)
  return {
    localAsn: options.localAsn,
    isInternal: agreed.isInternal,
    fourOctetAs: agreed.fourOctetAs,
    families: agreed.families,
    ...(agreed.messageBytesMax !== undefined && { messageBytesMax: agreed.messageBytesMax }),
    nextHops: { ...(ipv4 && { 4: ipv4 }), ...(ipv6 && { 6: ipv6 }) },
    ...(own !== undefined && isLinkLocal(own) && { linkLocalNextHop: own }),
    ...(options.role !== undefined && !agreed.isInternal && marksRoutes(options.role) && { onlyToCustomer: true })
  }
}

/** The configured next hop, or our own address where it is of the family. */
const nextHop = (family: Family, configured: string | undefined, own: IpAddress | undefined): IpAddress | undefined => {
  const address = configured === undefined ? own : Result.getOrUndefined(parseIpAddress(configured))
  return address?.family === family ? address : undefined
}

/** A peer that would keep our routes after a NOTIFICATION drops them at a Hard Reset alone (RFC 8538 §3). */
const ceaseOf = ({ subcode, text }: StopReason, keepsAfterNotification: boolean): BgpNotification | undefined => {
  const dropped = (cease: BgpNotification) => (keepsAfterNotification ? hardReset(cease) : cease)
  switch (subcode) {
    case "administrative-shutdown":
      return ceaseWithText(2, text)
    case "administrative-reset": // the session comes back at once (RFC 4486 §4)
      return ceaseWithText(4, text)
    case "peer-de-configured":
      return dropped(notification(6, 3))
    case "hard-reset":
      return dropped(ceaseWithText(2, text))
    case "none":
      return undefined
  }
}

const reportOf = (cause: EndCause): NotificationReport | undefined => {
  if (cause._tag === "ConnectionClosed" || cause._tag === "ConnectFailed" || cause.notification === undefined) return
  const { code, subcode } = cause.notification
  const text = notificationText(cause.notification)
  const direction = cause._tag === "NotificationReceived" ? "received" : "sent"
  return { code, subcode, name: notificationName({ code, subcode }), direction, ...(text !== undefined && { text }) }
}

/** A peer that closes our connection in silence has mostly said before why it takes none. */
const standingReport = ({ _tag }: EndCause, said: BgpNotification | undefined): NotificationReport | undefined =>
  _tag === "ConnectionClosed" && said !== undefined
    ? reportOf({ _tag: "NotificationReceived", notification: said })
    : undefined

/** What a peer remembers for its status. */
class SessionMemory {
  readonly startedAtUnixMs = Date.now()
  private prefixesReceived = 0
  private malformedUpdates = 0
  /** What the peer has announced on the session that is up and not withdrawn; kept only where there is a limit. */
  private readonly received = new Set<string>()
  session: { readonly negotiated: Negotiated; readonly atUnixMs: number } | undefined
  private lastError: PeerStatus["lastError"] = {}
  /** What the peer said last, where it takes no session until somebody changes something there. */
  standing: BgpNotification | undefined

  up(negotiated: Negotiated): void {
    this.standing = undefined
    this.session = { negotiated, atUnixMs: Date.now() }
    this.received.clear()
  }

  /** Whether the peer of the session that is up keeps our routes also when a NOTIFICATION ends it. */
  get keepsAfterNotification(): boolean {
    return this.session?.negotiated.keptAfterNotification ?? false
  }

  /** How long the peer keeps our routes when the session that is up ends now, by this NOTIFICATION if any. */
  keptForSeconds(notification: Pick<NotificationReport, "code" | "subcode"> | undefined): number {
    const { keptForSeconds = 0, keptAfterNotification = false } = this.session?.negotiated ?? {}
    if (notification === undefined) return keptForSeconds
    return keptAfterNotification && !isHardReset(notification) ? keptForSeconds : 0
  }

  /** Counts what the peer announced; answers what to end the session with when it is too much (RFC 4486 §4). */
  take(update: BgpUpdate, prefixesMax: number | undefined): WireFault | undefined {
    const { announced, withdrawn } = effectOf(update)
    this.prefixesReceived += announced.length
    if (update.faults.length > 0) this.malformedUpdates++
    if (prefixesMax === undefined) return undefined
    for (const prefix of withdrawn) this.received.delete(formatPrefix(prefix))
    for (const prefix of announced) this.received.add(formatPrefix(prefix))
    return this.excess(prefixesMax)
  }

  /** What to end the session with where the peer has announced more than this, as far as was counted. */
  excess(prefixesMax: number | undefined): WireFault | undefined {
    if (prefixesMax === undefined || this.received.size <= prefixesMax) return undefined
    const reason = `it announced ${this.received.size} prefixes, our configuration takes at most ${prefixesMax}`
    return wireFault(reason, "RFC 4486 §4", notification(6, 1))
  }

  down(cause: EndCause, error: PeerError): void {
    this.session = undefined
    if (cause._tag === "NotificationReceived") {
      this.standing = isStanding(cause.notification) ? cause.notification : undefined
    } else if (cause._tag === "NotificationSent") this.standing = undefined
    const side =
      cause._tag === "NotificationReceived"
        ? "received"
        : cause._tag === "NotificationSent" || cause._tag === "Stopped" || cause._tag === "PathFailed"
          ? "sent"
          : "local"
    this.lastError = { ...this.lastError, [side]: error }
  }

  report() {
    const { session } = this
    return {
      ...(session && {
        establishedAtUnixMs: session.atUnixMs,
        remoteAsn: session.negotiated.peerAsn,
        ...(session.negotiated.peerRole !== undefined && { remoteRole: session.negotiated.peerRole }),
        remoteRouterId: formatRouterId(session.negotiated.peerRouterId),
        holdTimeSeconds: session.negotiated.holdTimeSeconds
      }),
      families: session?.negotiated.families ?? [],
      keptForSeconds: session?.negotiated.keptForSeconds ?? 0,
      prefixesReceived: this.prefixesReceived,
      malformedUpdates: this.malformedUpdates,
      lastError: this.lastError
    }
  }
}
