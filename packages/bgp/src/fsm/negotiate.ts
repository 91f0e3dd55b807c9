import type { Family } from "@lowtide/net"
import { Result } from "effect"
import type { AttributeContext } from "../wire/attribute-codec.ts"
import { concatBytes } from "../wire/bytes.ts"
import { type Capability, encodeCapability, familiesOffered, multiProtocol } from "../wire/capability.ts"
import { notification, type WireFault, wireFault } from "../wire/notification.ts"
import { type BgpOpen, bgpVersion } from "../wire/open.ts"
import type { SessionConfig } from "./config.ts"

/** What both OPENs together decided. */
export interface Negotiated extends AttributeContext {
  readonly peerAsn: number
  readonly peerRouterId: number
  /** The smaller of both; 0: neither hold timer nor keepalives (RFC 4271 §4.2). */
  readonly holdTimeSeconds: number
  readonly keepaliveTimeSeconds: number
  /** The unicast families both sides offered. */
  readonly families: ReadonlyArray<Family>
  readonly peerCapabilities: ReadonlyArray<Capability>
}

/** The OPEN we send. */
export const ownOpen = (config: SessionConfig): BgpOpen => ({
  _tag: "Open",
  version: bgpVersion,
  asn: config.localAsn,
  holdTimeSeconds: config.holdTimeSeconds,
  routerId: config.routerId,
  capabilities: [
    ...config.families.map(multiProtocol),
    { _tag: "RouteRefresh" },
    { _tag: "FourOctetAs", asn: config.localAsn }
  ]
})

/** Judges the peer's OPEN (RFC 4271 §6.2) beyond what the decoder could; a refusal has the NOTIFICATION to send. */
export const negotiate = (config: SessionConfig, open: BgpOpen): Result.Result<Negotiated, WireFault> => {
  if (config.peerAsn !== "any" && open.asn !== config.peerAsn) {
    const reason = `its OPEN says AS ${open.asn}, our configuration expects AS ${config.peerAsn}`
    return Result.fail(wireFault(reason, "RFC 4271 §6.2", notification(2, 2)))
  }
  const isInternal = open.asn === config.localAsn
  if (isInternal && open.routerId === config.routerId) {
    const reason = "its BGP Identifier is the same as ours, and the peer is in our own AS"
    return Result.fail(wireFault(reason, "RFC 6286 §2.2", notification(2, 3)))
  }
  const offered = familiesOffered(open.capabilities)
  const families = config.families.filter((family) => offered.includes(family))
  if (families.length === 0) {
    const wanted = config.families.map((family) => `IPv${family}`).join(" and ")
    const data = concatBytes(config.families.map((family) => encodeCapability(multiProtocol(family))))
    const reason = `it offers no address family of ours (${wanted} unicast)`
    return Result.fail(wireFault(reason, "RFC 5492 §3", notification(2, 7, data)))
  }
  const holdTimeSeconds = Math.min(config.holdTimeSeconds, open.holdTimeSeconds)
  return Result.succeed({
    peerAsn: open.asn,
    peerRouterId: open.routerId,
    isInternal,
    fourOctetAs: open.capabilities.some(({ _tag }) => _tag === "FourOctetAs"),
    holdTimeSeconds,
    // RFC 4271 §4.4: a third of the hold time is the most that makes sense.
    keepaliveTimeSeconds: Math.min(config.keepaliveTimeSeconds ?? Number.POSITIVE_INFINITY, holdTimeSeconds / 3),
    families,
    peerCapabilities: open.capabilities
  })
}
