/**
 * BMP: what routers tell of their BGP sessions and tables.
 *
 * - `wire/` turns messages into octets and back (pure). UPDATEs and OPENs inside are left to packages/bgp.
 * - `view/` makes of messages what a router has: sessions, tables, since when, what went (pure). `evidenceOf` answers for one
 *   route of one node.
 * - `startStation` listens for routers and keeps a view of each.
 * - `startExporter` reports our own sessions, and what they send, to stations.
 *
 * Standards: RFC 7854 (version 3), 8671 (Adj-RIB-Out), 9069 (Loc-RIB). `docs/rfcs.md` has them section by section.
 */

export { type BmpExporter, type ExporterEvent, type ExporterOptions, startExporter } from "./exporter.ts"
export {
  type BmpStation,
  type ReportingRouter,
  type StationEvent,
  StationListenFailed,
  type StationOptions,
  startStation
} from "./station.ts"
export { evidenceIn, evidenceOf, type RouteEvidence, type SessionEnds, sessionOf } from "./view/evidence.ts"
export { type ReportedPeer, RouterView, type ViewChange, type ViewLimits } from "./view/router-view.ts"
export { type BmpFault, formatBmpFault } from "./wire/fault.ts"
export { type BmpFraming, takeBmpFrame } from "./wire/frame.ts"
export { type BmpMessage, decodeBmp, encodeBmp, type KnownBmpMessage } from "./wire/message.ts"
export type { PeerHeader, RibView } from "./wire/peer-header.ts"
