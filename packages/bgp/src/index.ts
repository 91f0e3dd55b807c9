/**
 * Lowtide's own BGP-4 speaker: it dials a router or lets it connect, tells it routes and keeps the session up.
 *
 * - `wire/` turns messages into octets and back (pure); what a receiver owes a malformed field stands in the same
 *   table as its codec. The packer fills UPDATEs as far as the session allows. `inspectMessage` judges one by hand.
 * - `fsm/` is RFC 4271's state machine as a pure function of state and input; time and jitter come in as numbers.
 * - `startPeer` is the shell: socket, timer, the Adj-RIB-Out and its difference to what was sent; `startListener` hands it
 *   the connections that its peer opens.
 * - `startCollector` is a listening counterpart that keeps what it hears, for places without a router and for tests.
 *
 * The speaker is send-only: what a peer announces is counted and never used.
 *
 * Standards: RFC 4271 (BGP-4), 4760 (multiprotocol), 5492 (capabilities), 6793 (four-octet AS), 2918 (route refresh),
 * 7313 (enhanced refresh), 4724 and 8538 (graceful restart, the restarting side), 7606 (malformed UPDATEs), 8654 (extended
 * messages), 8950 (IPv6 next hops), 9003 (shutdown text), 9384 (BFD Down), 9234 (roles), 9687 (send hold timer), 1997, 4360 and 8092
 * (communities), 2385 and 5082 (by packages/sockets). `docs/rfcs.md` has them section by section.
 */
export {
  type BgpCollector,
  type CollectedPeer,
  type CollectedRoute,
  type CollectorEvent,
  type CollectorOptions,
  ListenFailed,
  startCollector
} from "./collector.ts"
export { type BgpListener, type RefusedConnection, startListener } from "./listener.ts"
export type { PathFailure } from "./path-failure.ts"
export type {
  BgpPeer,
  NotificationReport,
  PeerError,
  PeerEvent,
  PeerOptions,
  PeerState,
  PeerStatus,
  StopReason
} from "./peer.ts"
export { attributeSetKey, localPrefDefault, type RouteAttributes, type RouteChange } from "./route.ts"
export { formatRouterId, parseRouterId, startPeer } from "./session.ts"
export type { SessionTap, TappedEnd, TappedSession } from "./tap.ts"
export { formatAsPath } from "./wire/as-path.ts"
export { type InspectAction, type InspectContext, type Inspection, inspectMessage } from "./wire/inspect.ts"
export { type BgpNotification, ceaseWithText, notification, notificationName } from "./wire/notification.ts"
export type { PathAttribute } from "./wire/path-attributes.ts"
export { findAttribute, truePath } from "./wire/update.ts"
