import type { Family } from "@lowtide/net"
import type { BgpRole } from "../wire/role.ts"
import type { Opening } from "./collision.ts"

/** What the machine is told of one session. */
export interface SessionConfig {
  readonly localAsn: number
  /** `internal` is our own AS, `external` any other, `any` whatever the peer's OPEN says. */
  readonly peerAsn: ExpectedAsn
  /** Our BGP Identifier as an unsigned 32-bit number, not 0 (RFC 6286). */
  readonly routerId: number
  /** The hold time we propose: 0 (no keepalives at all) or 3..65535. */
  readonly holdTimeSeconds: number
  /** Keepalives at least this often; a third of the agreed hold time unless that is shorter. */
  readonly keepaliveTimeSeconds?: number | undefined
  /** The delay that back-off grows from: RFC 4271 §8.1.1, ConnectRetryTime. */
  readonly connectRetryMs: number
  /** The unicast families we offer. */
  readonly families: ReadonlyArray<Family>
  /** Offered where the session goes over IPv6: IPv4 routes with IPv6 next hops (RFC 8950). */
  readonly offersExtendedNextHop?: boolean
  /** Offered unless absent: the peer keeps our routes while a session is lost, for so long (RFC 4724). */
  readonly gracefulRestart?: GracefulRestart
  /** What we are to the peer (RFC 9234); a peer with a role that does not fit is refused. */
  readonly role?: BgpRole
  /** Whether a peer that tells no role is refused as well: "strict mode", RFC 9234 §4.2. */
  readonly isRoleStrict?: boolean
  /**
   * How long octets may wait for the peer to take them, more than the hold time; the longer of 8 minutes and two hold times
   * unless given (RFC 9687 §4.4, §6).
   */
  readonly sendHoldTimeSeconds?: number
  /** Who opens the TCP connection: we (`dial`), or the peer (`accept`, RFC 4271's PassiveTcpEstablishment). */
  readonly opens: Opening
}

/** Which AS a peer may be in. */
export type ExpectedAsn = number | "internal" | "external" | "any"

/** Our side of graceful restart: we restart, the peer helps. */
export interface GracefulRestart {
  /** How long the peer is to keep our routes after a session is lost: 1..4095. */
  readonly restartTimeSeconds: number
  /** This process is new, and what an earlier one announced may still be kept: RFC 4724 §3, the R bit. */
  readonly hasRestarted: boolean
  /**
   * What earlier announcements led to is still forwarded by this node: the F bit. True unless given; not so after the node
   * itself has booted, when the peer is to drop what it kept.
   */
  readonly forwardingPreserved?: boolean
}
