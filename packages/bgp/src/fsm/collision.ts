import type { State } from "./machine.ts"
import type { Negotiated } from "./negotiate.ts"

/** Who opened a connection: we dialled, or the peer did and we accepted. */
export type Opening = "dial" | "accept"

/** A BGP speaker as collisions see it. */
export interface Speaker {
  readonly routerId: number
  readonly asn: number
}

/** What becomes of two connections with one peer when one of them has the peer's OPEN. */
export type Collision = "none" | "drop-this" | "drop-other"

/**
 * RFC 4271 §6.8, when an OPEN that we accept has come on one connection and there is another. Of two whose OPENs are both there the one
 * that the speaker with the higher identifier opened stays (on a tie the higher AS number, RFC 6286 §2.3). A session that
 * is up stays, unless its peer said that it restarts gracefully and has connected anew: then it has restarted, and the old
 * connection is a dead one (RFC 4724 §5). A peer that only helps others restart lists no family and does not say so.
 */
export const judgeCollision = (
  { opens, own, peer }: { readonly opens: Opening; readonly own: Speaker; readonly peer: Speaker },
  other: { readonly opens: Opening; readonly state: State }
): Collision => {
  const { state } = other
  switch (state._tag) {
    case "Established":
      return opens === "accept" && restartsGracefully(state.negotiated) ? "drop-other" : "drop-this"
    case "OpenConfirm":
      if (opens === other.opens) return "drop-other" // it gave the earlier one up, or would not have opened another
      return staysDialled(own, peer) === (opens === "dial") ? "drop-other" : "drop-this"
    case "Idle":
    case "Connect":
    case "Active":
    case "OpenSent":
      return "none"
  }
}

const restartsGracefully = ({ peerCapabilities }: Negotiated): boolean =>
  peerCapabilities.some((capability) => capability._tag === "GracefulRestart" && capability.families.length > 0)

/** Whether the connection that we opened is the one to stay. */
const staysDialled = (own: Speaker, peer: Speaker): boolean =>
  own.routerId === peer.routerId ? own.asn > peer.asn : own.routerId > peer.routerId
