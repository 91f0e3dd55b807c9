import { type Family, formatIpAddress, type IpAddress, parseIpAddress } from "@lowtide/net"
import { Effect, Result, type Scope } from "effect"
import { AdjRibOut, type SendContext } from "./adj-rib-out.ts"
import type { SessionConfig } from "./fsm/config.ts"
import { explainEnd } from "./fsm/explain.ts"
import type { Action, EndCause } from "./fsm/machine.ts"
import type { Negotiated } from "./fsm/negotiate.ts"
import type { BgpPeer, NotificationReport, PeerError, PeerEvent, PeerOptions, PeerStatus, StopReason } from "./peer.ts"
import { RouteWriter } from "./route-writer.ts"
import { makeRunner } from "./runner.ts"
import { dialTcp } from "./transport.ts"
import {
  type BgpNotification,
  ceaseWithText,
  hardReset,
  notification,
  notificationName,
  notificationText
} from "./wire/notification.ts"
import { effectOf } from "./wire/update.ts"

/**
 * Starts a peer and keeps its session up until the scope closes (the connection is then just closed: call `stop` first
 * to tell the peer). `onEvent` runs inside the session's turn, so it must be short and must not throw.
 */
export const startPeer = (
  options: PeerOptions,
  onEvent: (event: PeerEvent) => void
): Effect.Effect<BgpPeer, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => openPeer(options, onEvent)),
    (peer) => peer.stop({ subcode: "none" })
  )

/** `connectRetrySeconds` unless it is given. */
const connectRetrySecondsDefault = 1

const openPeer = (options: PeerOptions, onEvent: (event: PeerEvent) => void): BgpPeer => {
  const config = sessionConfig(options)
  const rib = new AdjRibOut()
  const memory = new SessionMemory()
  const runner = makeRunner(config, {
    dial: (events) =>
      dialTcp(options, {
        ...events,
        onConnected: (transport) => {
          events.onConnected(transport)
          // Our OPEN is on its way; while the peer answers, its table is made ready.
          if (runner.state()._tag === "OpenSent") writer.prepare(expectedContext(options, transport.localAddress))
        }
      }),
    onAction: (action) => onAction(action),
    onDrain: () => writer.pump()
  })
  const writer = new RouteWriter(rib, {
    write: runner.writeUpdates,
    isFull: () => runner.transport()?.isFull() ?? true,
    onRefused: (refusal) => onEvent({ _tag: "RoutesRefused", ...refusal }),
    onWritten: ({ tokens, announced, withdrawn, isTable }) => {
      if (isTable) onEvent({ _tag: "TableWritten", announced })
      for (const token of tokens) onEvent({ _tag: "RoutesWritten", token, announced, withdrawn })
    }
  })

  const onAction = (action: Exclude<Action, { readonly _tag: "Send" | "CloseTcp" | "DialTcp" }>): void => {
    switch (action._tag) {
      case "SessionUp": {
        const { negotiated } = action
        memory.up(negotiated)
        onEvent({
          _tag: "SessionEstablished",
          remoteRouterId: formatRouterId(negotiated.peerRouterId),
          holdTimeSeconds: negotiated.holdTimeSeconds,
          families: negotiated.families
        })
        writer.begin(sendContext(options, negotiated, runner.transport()?.localAddress))
        return
      }
      case "SessionDown": {
        const reason = explainEnd(options, action.from, action.cause)
        const report = reportOf(action.cause)
        memory.down(action.cause, { atUnixMs: Date.now(), reason, ...(report && { notification: report }) })
        if (action.from !== "Connect" && action.from !== "Idle") writer.end()
        onEvent({
          _tag: action.from === "Established" ? "SessionEnded" : "ConnectFailed",
          reason,
          ...(report && { notification: report }),
          retryInMs: action.retryInMs === Number.POSITIVE_INFINITY ? undefined : action.retryInMs
        })
        return
      }
      case "TakeUpdate":
        memory.prefixesReceived += effectOf(action.update).announced.length
        if (action.update.faults.length > 0) memory.malformedUpdates++
        return
      case "SendFamilyAgain":
        rib.sendAgain(action.family)
        writer.changed()
    }
  }

  runner.input({ _tag: "Start" })
  return {
    options,
    change: (changes, token) => {
      rib.change(changes)
      writer.changed(token)
    },
    status: (): PeerStatus => ({
      state: runner.state()._tag,
      sinceUnixMs: runner.stateSinceUnixMs(),
      ...memory.report(),
      ...localAddressOf(runner.transport()?.localAddress),
      messages: runner.counters(),
      prefixesSent: runner.state()._tag === "Established" ? rib.sent : 0,
      prefixesWanted: rib.wanted
    }),
    isSent: (prefix) => runner.state()._tag === "Established" && rib.isSent(prefix),
    isPending: (prefix) => runner.state()._tag === "Established" && rib.isPending(prefix),
    stop: (reason) =>
      Effect.callback<void>((resume) => {
        const transport = runner.transport()
        runner.input({ _tag: "Stop", notification: ceaseOf(reason) })
        if (transport === undefined) resume(Effect.void)
        else transport.onceClosed(() => resume(Effect.void))
      })
  }
}

/** Options as the machine takes them; a router id that is not one is a defect of the caller. */
const sessionConfig = (options: PeerOptions): SessionConfig => ({
  localAsn: options.localAsn,
  peerAsn: options.peerAsn,
  routerId: parseRouterId(options.routerId),
  holdTimeSeconds: options.holdTimeSeconds,
  keepaliveTimeSeconds: options.keepaliveTimeSeconds,
  connectRetryMs: (options.connectRetrySeconds ?? connectRetrySecondsDefault) * 1000,
  families: options.families,
  role: "dial"
})

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

/** The session as it will be with a peer that is configured as we are and knows four-octet AS numbers. */
const expectedContext = (options: PeerOptions, localAddress: string | undefined): SendContext => {
  const isInternal = options.localAsn === options.peerAsn
  return sendContext(options, { isInternal, fourOctetAs: true, families: options.families }, localAddress)
}

const sendContext = (
  options: PeerOptions,
  negotiated: Pick<Negotiated, "isInternal" | "fourOctetAs" | "families">,
  localAddress: string | undefined
): SendContext => ({
  localAsn: options.localAsn,
  isInternal: negotiated.isInternal,
  fourOctetAs: negotiated.fourOctetAs,
  families: negotiated.families,
  nextHops: {
    ...nextHop(4, options.nextHops?.[4], localAddress),
    ...nextHop(6, options.nextHops?.[6], localAddress)
  }
})

const linkLocal = (address: IpAddress): boolean => address.family === 6 && address.value >> 118n === 0x3fan

/** The configured next hop, or our own address where it is of the family and reaches beyond the link. */
const nextHop = (family: Family, configured: string | undefined, localAddress: string | undefined) => {
  const address = Result.getOrUndefined(parseIpAddress(configured ?? localAddress ?? ""))
  if (address?.family !== family) return {}
  return configured === undefined && linkLocal(address) ? {} : { [family]: address }
}

const ceaseOf = ({ subcode, text }: StopReason): BgpNotification | undefined => {
  switch (subcode) {
    case "administrative-shutdown":
      return ceaseWithText(2, text)
    case "peer-de-configured":
      return notification(6, 3)
    case "hard-reset":
      return hardReset(ceaseWithText(2, text))
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

/** What a peer remembers for its status. */
class SessionMemory {
  prefixesReceived = 0
  malformedUpdates = 0
  private session: { readonly negotiated: Negotiated; readonly atUnixMs: number } | undefined
  private lastError: PeerStatus["lastError"] = {}

  up(negotiated: Negotiated): void {
    this.session = { negotiated, atUnixMs: Date.now() }
  }

  down(cause: EndCause, error: PeerError): void {
    this.session = undefined
    const side =
      cause._tag === "NotificationReceived"
        ? "received"
        : cause._tag === "NotificationSent" || cause._tag === "Stopped"
          ? "sent"
          : "local"
    this.lastError = { ...this.lastError, [side]: error }
  }

  report() {
    const { session } = this
    return {
      ...(session && {
        establishedAtUnixMs: session.atUnixMs,
        remoteRouterId: formatRouterId(session.negotiated.peerRouterId),
        holdTimeSeconds: session.negotiated.holdTimeSeconds
      }),
      families: session?.negotiated.families ?? [],
      prefixesReceived: this.prefixesReceived,
      malformedUpdates: this.malformedUpdates,
      lastError: this.lastError
    }
  }
}
