import type { Family } from "@lowtide/net"

/** What the machine is told of one session; it never changes while the machine lives. */
export interface SessionConfig {
  readonly localAsn: number
  /** `any`: whatever the peer's OPEN says, for a collector. */
  readonly peerAsn: number | "any"
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
  /** Who opens the TCP connection: we (`dial`), or the peer (`accept`, RFC 4271's PassiveTcpEstablishment). */
  readonly role: "dial" | "accept"
}
