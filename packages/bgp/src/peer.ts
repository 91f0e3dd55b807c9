import type { Socket } from "node:net"
import type { Family, Prefix } from "@lowtide/net"
import type { Effect, Result } from "effect"
import type { GracefulRestart } from "./fsm/config.ts"
import type { PathFailure } from "./path-failure.ts"
import type { RouteChange } from "./route.ts"
import type { MessageCounters } from "./runner.ts"
import type { BgpRole } from "./wire/role.ts"

/** One BGP peer as configured. What of it can change while the peer runs says `changesSession`; for the rest, stop it and start another. */
export interface PeerOptions {
  /** What messages call the peer. */
  readonly name: string
  /** Its address, a link-local one with its zone; the session goes over the family of this address and may carry both. */
  readonly host: string
  /** Why `host` is no address yet, but the name of an interface, say: told at each attempt to connect. */
  readonly whyNoAddress?: () => string
  /** 179 unless the router was told otherwise. */
  readonly port: number
  /** The address to connect from; the kernel's choice unless given. */
  readonly localAddress?: string
  readonly localAsn: number
  /** `internal` is our own AS, `external` any other. */
  readonly peerAsn: number | "internal" | "external"
  /** Our BGP Identifier, written as an IPv4 address; not 0.0.0.0. */
  readonly routerId: string
  /** 0 (no keepalives, a dead peer is not noticed) or 3..65535; the smaller of both sides holds. */
  readonly holdTimeSeconds: number
  /**
   * The password shared with the peer (TCP-MD5, RFC 2385), 1 to 80 octets, or why there is none now. It is asked for at each
   * attempt to connect: a session that is up keeps the one it has.
   */
  readonly md5Key?: () => Result.Result<Uint8Array, string>
  /** The TTL or hop limit that our segments leave with, 1..255: 1 keeps a session on its link. The kernel's own unless given. */
  readonly ttl?: number
  /** Segments that arrive with less are dropped (GTSM, RFC 5082), 1..255. */
  readonly ttlMin?: number
  /** The interface, or the VRF's device, that the session is bound to. */
  readonly device?: string
  /** Has the peer keep our routes while a session is lost (RFC 4724, RFC 8538). */
  readonly gracefulRestart?: GracefulRestart
  /** What we are to the peer (RFC 9234). */
  readonly role?: BgpRole
  readonly isRoleStrict?: boolean
  /** More prefixes at a time from the peer end the session (Cease 6/1); they are never used, so any number is taken unless given. */
  readonly prefixesReceivedMax?: number
  /**
   * How long octets may wait for the peer to take them (RFC 9687), more than `holdTimeSeconds`; eight minutes or two hold
   * times unless given.
   */
  readonly sendHoldTimeSeconds?: number
  /** Whether we open connections; without it the peer's are awaited alone. True unless given. */
  readonly isDialled?: boolean
  /** A third of the agreed hold time unless this is shorter. */
  readonly keepaliveTimeSeconds?: number
  /** What back-off after failures grows from; 1 unless given. */
  readonly connectRetrySeconds?: number
  readonly families: ReadonlyArray<Family>
  /**
   * The next hop of announced routes, by family. Without one it is the session's own local address for that address's
   * family; IPv4 routes then have an IPv6 next hop where the peer agreed to that (RFC 8950). A route without any is not
   * sent, and `RoutesRefused` says so. On a link-local session our address there goes with an IPv6 next hop.
   */
  readonly nextHops?: { readonly 4?: string; readonly 6?: string }
}

/** The states of RFC 4271 §8.2.2. */
export type PeerState = "Idle" | "Connect" | "Active" | "OpenSent" | "OpenConfirm" | "Established"

/** A NOTIFICATION that went or came. `text` is an operator's, from RFC 9003. */
export interface NotificationReport {
  readonly code: number
  readonly subcode: number
  /** Code and name, such as `2/2 Bad Peer AS`. */
  readonly name: string
  readonly direction: "sent" | "received"
  readonly text?: string
}

/** A failure as it is remembered: when, and in words. Times of day are milliseconds since 1970. */
export interface PeerError {
  readonly atUnixMs: number
  readonly reason: string
  readonly notification?: NotificationReport
}

/** A peer at one moment. */
export interface PeerStatus {
  readonly state: PeerState
  readonly sinceUnixMs: number
  /** Of the session that is up. */
  readonly establishedAtUnixMs?: number
  readonly remoteAsn?: number
  /** What the peer says that it is to us (RFC 9234), and it fits; missing where it tells none. */
  readonly remoteRole?: BgpRole
  /** Who opened the connection that is meant. */
  readonly openedBy: "us" | "peer"
  /** How long the peer keeps our routes when the session is lost; 0: it drops them at once. */
  readonly keptForSeconds: number
  readonly remoteRouterId?: string
  /** As agreed; 0 means that no keepalives are sent. */
  readonly holdTimeSeconds?: number
  readonly families: ReadonlyArray<Family>
  readonly localAddress?: string
  /** What routes of a family have as next hop, while a session is up. */
  readonly nextHops?: { readonly 4?: string; readonly 6?: string }
  /** Since the peer was started, over all its sessions. */
  readonly messages: { readonly sent: MessageCounters; readonly received: MessageCounters }
  /** Prefixes the peer was sent and not told to drop; 0 while no session is up. */
  readonly prefixesSent: number
  /** Prefixes it is to have. */
  readonly prefixesWanted: number
  /** Prefixes that the peer announced to us, all sessions together: counted, never used. */
  readonly prefixesReceived: number
  /** UPDATEs with a fault that RFC 7606 lets a session survive: their routes, or an attribute of theirs, do not count. */
  readonly malformedUpdates: number
  readonly lastError: { readonly sent?: PeerError; readonly received?: PeerError; readonly local?: PeerError }
}

/** What a peer reports. Each event is given on the turn in which it happened. */
export type PeerEvent =
  | {
      readonly _tag: "SessionEstablished"
      readonly remoteRouterId: string
      readonly remoteAsn: number
      readonly holdTimeSeconds: number
      /** How long the peer keeps our routes when the session is lost (RFC 4724); 0: it drops them at once. */
      readonly keptForSeconds: number
      readonly families: ReadonlyArray<Family>
    }
  | {
      readonly _tag: "SessionEnded"
      readonly reason: string
      readonly notification?: NotificationReport
      /** Something beside the session, such as BFD, has found that the peer can no longer be reached. */
      readonly isPathFailure?: true
      /** It was ended by `stop`. */
      readonly isStopped?: true
      /** `undefined`: it was stopped, or the peer is to connect. */
      readonly retryInMs: number | undefined
      /** How long the peer keeps our routes from now on; 0: it has dropped them (RFC 4724 §4.2, RFC 8538 §4). */
      readonly keptForSeconds: number
    }
  /** An attempt that did not lead to a session: no connection, or a refusal. */
  | {
      readonly _tag: "ConnectFailed"
      readonly reason: string
      /** What ended the attempt; of a connection that the peer closed in silence what it said before, and keeps to since. */
      readonly notification?: NotificationReport
      /** It was ended by `stop`. */
      readonly isStopped?: true
      /** `undefined`: it was stopped, or the peer is to connect. */
      readonly retryInMs: number | undefined
    }
  /** After a session came up: the kernel has taken the whole table and the End-of-RIB markers. */
  | { readonly _tag: "TableWritten"; readonly announced: number }
  /**
   * The kernel has taken all octets that the change with this token needed. The counts are those of the whole batch
   * of writes that the change was part of.
   */
  | {
      readonly _tag: "RoutesWritten"
      readonly token: number
      readonly announced: number
      readonly withdrawn: number
    }
  /** The peer's TCP has acknowledged all octets of the change with this token: they are lost no more, though the link be. */
  | { readonly _tag: "RoutesAcknowledged"; readonly token: number }
  /** Wanted routes that this session cannot carry; they are sent when a later session can. */
  | { readonly _tag: "RoutesRefused"; readonly family: Family; readonly routes: number; readonly reason: string }

/**
 * Why a session is stopped. `none` closes the TCP connection without a word, so that a peer that keeps our routes over a
 * restart keeps them; after `peer-de-configured` and `hard-reset` none does.
 */
export interface StopReason {
  readonly subcode: "administrative-shutdown" | "administrative-reset" | "peer-de-configured" | "hard-reset" | "none"
  /** Goes to the peer's operator with a shutdown or a reset (RFC 9003): at most 255 octets of UTF-8. */
  readonly text?: string
}

/** A running peer. */
export interface BgpPeer {
  /** As they are now. */
  readonly options: PeerOptions
  /**
   * Takes other options up without ending the session: those that `changesSession` names stay as they were. Next hops that
   * changed are told at once, with every route: answers whether they are. A route may have one now that had none, or none any more.
   */
  readonly adjust: (options: PeerOptions) => boolean
  /**
   * Changes what the peer is to have; of several changes of a route the last counts. Changes of one event-loop turn
   * are sent together at the end of that turn. `token` comes back in `RoutesWritten`, and then, unless the session ends before
   * that, in `RoutesAcknowledged`, which those of later tokens may stand for; one given while no session is up
   * comes back when the next session's table and every change before the token were written: the table alone may be
   * older. Of more than 65,536 waiting tokens the oldest are dropped.
   */
  readonly change: (changes: ReadonlyArray<RouteChange>, token?: number) => void
  /**
   * Takes a connection that the peer opened, and answers true; or leaves it to the caller, who closes it. Of two
   * connections one stays (RFC 4271 §6.8).
   */
  readonly accept: (socket: Socket) => boolean
  readonly status: () => PeerStatus
  /** Whether the peer was sent a route to the prefix on the session that is up, and not told to drop it. */
  readonly isSent: (prefix: Prefix) => boolean
  /** Whether the session is up and its kernel has yet to take what tells of a route, since the peer reads too slowly. */
  readonly isPending: (prefix: Prefix) => boolean
  /** Ends the session that is up at once, and tries again as after any loss (RFC 5882 §4.2); otherwise nothing happens. */
  readonly pathFailed: (failure: PathFailure) => void
  /** Ends the session for good and waits, a second at most, until the peer was told. */
  readonly stop: (reason: StopReason) => Effect.Effect<void>
}
