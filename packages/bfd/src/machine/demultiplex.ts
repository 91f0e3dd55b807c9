import type { ControlPacket } from "../packet/control-packet.ts"
import type { Discard } from "../packet/decode.ts"

/**
 * Where a session runs, which is also where its packets must come from: at most one session has each. `hops` is the kind
 * of port the packet came to (RFC 5881 §4, RFC 5883 §5); `device` the interface that the session is bound to.
 */
export interface Path {
  readonly hops: "single" | "multi"
  readonly localAddress: string
  readonly peerAddress: string
  readonly device?: string | undefined
}

/** A path as one word. */
export const pathKey = ({ hops, localAddress, peerAddress, device = "" }: Path): string =>
  [hops, localAddress, peerAddress, device].join(" ")

/** The sessions by both names that packets call them. */
export interface SessionIndex<Session> {
  readonly byDiscriminator: ReadonlyMap<number, Session>
  readonly byPath: ReadonlyMap<string, Session>
}

/**
 * The session that a packet is for, RFC 5880 §6.8.6: by Your Discriminator, or as long as the peer does not know ours by
 * where the packet came from. Deviation (ADR 71): a packet that names a session has to come by that session's path as well.
 */
export const selectSession = <Session extends { readonly path: Path }>(
  { byDiscriminator, byPath }: SessionIndex<Session>,
  { yourDiscriminator }: ControlPacket,
  came: Path
): Session | Discard => {
  if (yourDiscriminator === 0) {
    return (
      byPath.get(pathKey(came)) ?? {
        _tag: "Discard",
        reason: "unknown-peer",
        detail: `no session from ${came.localAddress} to ${came.peerAddress}, ${came.hops} hop`
      }
    )
  }
  const session = byDiscriminator.get(yourDiscriminator)
  if (session === undefined) {
    const detail = `no session has the discriminator ${yourDiscriminator}`
    return { _tag: "Discard", reason: "unknown-discriminator", detail }
  }
  if (pathKey(session.path) !== pathKey(came)) {
    const detail = `the session ${yourDiscriminator} is with ${session.path.peerAddress}, not ${came.peerAddress}`
    return { _tag: "Discard", reason: "other-path", detail }
  }
  return session
}
