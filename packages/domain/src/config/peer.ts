import type { LabelSelector } from "./selectors.ts"

/** A BGPPeer: one session from every selected node. Times are whole seconds, as on the wire. */
export interface Peer {
  readonly name: string
  readonly namespace: string
  readonly myAsn: number
  readonly peerAsn: number
  /** Canonical text. */
  readonly peerAddress: string
  /** 1..65535, 179 unless written. */
  readonly peerPort: number
  /** Canonical text, of the family of `peerAddress`. */
  readonly sourceAddress?: string
  /** 0 (no hold timer) or 3..65535; 90 unless written (RFC 4271 §10). */
  readonly holdTimeSeconds: number
  /** At most the hold time; a third of the negotiated hold time when absent. */
  readonly keepaliveTimeSeconds?: number
  /** How long to wait between attempts to connect. */
  readonly connectTimeSeconds?: number
  /** A dotted quad, never 0.0.0.0. */
  readonly routerId?: string
  /** Empty: every node. */
  readonly nodeSelectors: ReadonlyArray<LabelSelector>
  readonly ebgpMultiHop: boolean
  /** Kept, without effect: see finding LT0131. */
  readonly bfdProfile?: string
  /** Kept, without effect: see finding LT0132. */
  readonly enableGracefulRestart?: boolean
}
