import type { Negotiated } from "./fsm/negotiate.ts"
import { type BgpNotification, hardReset, notification } from "./wire/notification.ts"

/** What was found of the path to a peer. */
export interface PathFailure {
  /** Who found it and what, in words. */
  readonly reason: string
  /** Whether the peer's restart may be all there is to it (RFC 5882 §4.3.2): a peer that keeps our routes then goes on to. */
  readonly mayBeRestart: boolean
}

/**
 * What the peer is told when BFD has lost the path, RFC 9384 §3. Where that is certain it is to drop our routes at once, for
 * which one that keeps them after a NOTIFICATION needs a Hard Reset (RFC 8538 §3). Where it may be the peer's restart alone, a
 * peer that keeps routes is told nothing that would have it drop them.
 */
export const ceaseOfFailedPath = (
  { keptForSeconds, keptAfterNotification }: Pick<Negotiated, "keptForSeconds" | "keptAfterNotification">,
  { mayBeRestart }: Pick<PathFailure, "mayBeRestart">
): BgpNotification | undefined => {
  const bfdDown = notification(6, 10)
  if (!mayBeRestart || keptForSeconds === 0) return keptAfterNotification ? hardReset(bfdDown) : bfdDown
  return keptAfterNotification ? bfdDown : undefined
}
