import type { Family } from "@lowtide/net"
import { Result } from "effect"
import type { AttributeContext } from "../wire/attribute-codec.ts"
import { concatBytes } from "../wire/bytes.ts"
import { type Capability, encodeCapability, familiesOffered, multiProtocol, restartFlags } from "../wire/capability.ts"
import { afiOf, safiUnicast } from "../wire/family.ts"
import { extendedMessageBytesMax } from "../wire/message.ts"
import { notification, type WireFault, wireFault } from "../wire/notification.ts"
import { type BgpOpen, bgpVersion, rolesTold } from "../wire/open.ts"
import { type BgpRole, roleCode, roleMisfit, roleOf } from "../wire/role.ts"
import type { ExpectedAsn, SessionConfig } from "./config.ts"

/** What both OPENs together decided. */
export interface Negotiated extends AttributeContext {
  readonly peerAsn: number
  /** What it tells that it is to us (RFC 9234), on an external session. */
  readonly peerRole?: BgpRole
  readonly peerRouterId: number
  /** The smaller of both; 0: neither hold timer nor keepalives (RFC 4271 §4.2). */
  readonly holdTimeSeconds: number
  /** The unicast families both sides offered. */
  readonly families: ReadonlyArray<Family>
  /** IPv4 routes may have IPv6 next hops (RFC 8950). */
  readonly extendedNextHop: boolean
  /** A table that is sent again is marked where it begins and ends (RFC 7313). */
  readonly enhancedRefresh: boolean
  /** The peer keeps our routes for so long after the session is lost; 0: it drops them at once (RFC 4724). */
  readonly keptForSeconds: number
  /** It keeps them also when a NOTIFICATION ended the session, but for a Hard Reset (RFC 8538). */
  readonly keptAfterNotification: boolean
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
    ...extendedNextHop(config),
    { _tag: "ExtendedMessage" },
    ...(config.role === undefined ? [] : [{ _tag: "Role", code: roleCode(config.role) } as const]),
    ...gracefulRestart(config),
    { _tag: "FourOctetAs", asn: config.localAsn },
    { _tag: "EnhancedRouteRefresh" }
  ]
})

/** RFC 8950 §4: IPv4 unicast by IPv6. */
const ipv4ByIpv6 = { afi: afiOf(4), safi: safiUnicast, nextHopAfi: afiOf(6) }

const extendedNextHop = ({ offersExtendedNextHop, families }: SessionConfig): ReadonlyArray<Capability> =>
  offersExtendedNextHop === true && families.includes(4) ? [{ _tag: "ExtendedNextHop", encodings: [ipv4ByIpv6] }] : []

/**
 * What forwards is the node's kernel, which knows nothing of this process: its state outlives a restart of the process, but not
 * the node's, and which it was the owner knows. The F bit says it for each family.
 */
const gracefulRestart = ({ gracefulRestart, families }: SessionConfig): ReadonlyArray<Capability> => {
  if (gracefulRestart === undefined) return []
  const { restartTimeSeconds, hasRestarted, forwardingPreserved = true } = gracefulRestart
  return [
    {
      _tag: "GracefulRestart",
      flags: restartFlags.notification | (hasRestarted ? restartFlags.restarted : 0),
      restartTimeSeconds,
      families: families.map((family) => ({
        afi: afiOf(family),
        safi: safiUnicast,
        flags: forwardingPreserved ? restartFlags.forwardingPreserved : 0
      }))
    }
  ]
}

/** Of several the last counts, as RFC 4724 §3 has it for graceful restart. */
const capabilityOf = <Tag extends Capability["_tag"]>(
  { capabilities }: BgpOpen,
  tag: Tag
): Extract<Capability, { readonly _tag: Tag }> | undefined =>
  capabilities.findLast(
    (capability): capability is Extract<Capability, { readonly _tag: Tag }> => capability._tag === tag
  )

/** Judges the peer's OPEN (RFC 4271 §6.2) beyond what the decoder could; a refusal has the NOTIFICATION to send. */
export const negotiate = (config: SessionConfig, open: BgpOpen): Result.Result<Negotiated, WireFault> => {
  if (!isExpected(open.asn, config)) {
    const reason = `its OPEN says AS ${open.asn}, our configuration expects ${expectation(config)}`
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
  const mismatch = roleMismatch(config, open, isInternal)
  if (mismatch !== undefined) return Result.fail(wireFault(mismatch, "RFC 9234 §4.2", notification(2, 11)))
  const holdTimeSeconds = Math.min(config.holdTimeSeconds, open.holdTimeSeconds)
  const [role] = isInternal ? [] : rolesTold(open) // several are the same
  const peerRole = role === undefined ? undefined : roleOf(role)
  return Result.succeed({
    peerAsn: open.asn,
    ...(peerRole !== undefined && { peerRole }),
    peerRouterId: open.routerId,
    isInternal,
    fourOctetAs: open.capabilities.some(({ _tag }) => _tag === "FourOctetAs"),
    holdTimeSeconds,
    families,
    ...(capabilityOf(open, "ExtendedMessage") !== undefined && { messageBytesMax: extendedMessageBytesMax }),
    extendedNextHop: bothOfferExtendedNextHop(config, open),
    enhancedRefresh: capabilityOf(open, "EnhancedRouteRefresh") !== undefined,
    ...kept(config, open),
    peerCapabilities: open.capabilities
  })
}

const isExpected = (asn: number, { peerAsn, localAsn }: SessionConfig): boolean => {
  switch (peerAsn) {
    case "any":
      return true
    case "internal":
      return asn === localAsn
    case "external":
      return asn !== localAsn
    default:
      return asn === peerAsn
  }
}

const expectation = ({ peerAsn, localAsn }: { readonly peerAsn: ExpectedAsn; readonly localAsn: number }): string =>
  peerAsn === "internal"
    ? `our own AS ${localAsn}`
    : peerAsn === "external"
      ? `any AS but our own ${localAsn}`
      : `AS ${peerAsn}`

/** Why the roles do not fit; roles are of external sessions alone (RFC 9234 §3). */
const roleMismatch = (config: SessionConfig, open: BgpOpen, isInternal: boolean): string | undefined => {
  if (isInternal) return undefined
  const told = rolesTold(open)
  if (told.length === 0 && config.role !== undefined && config.isRoleStrict === true) {
    return `it tells no role, and our configuration, as ${config.role}, insists on one`
  }
  return roleMisfit(told, config.role)
}

const bothOfferExtendedNextHop = (config: SessionConfig, open: BgpOpen): boolean =>
  extendedNextHop(config).length > 0 &&
  open.capabilities
    .flatMap((capability) => (capability._tag === "ExtendedNextHop" ? capability.encodings : []))
    .some(
      ({ afi, safi, nextHopAfi }) =>
        afi === ipv4ByIpv6.afi && safi === ipv4ByIpv6.safi && nextHopAfi === ipv4ByIpv6.nextHopAfi
    )

/** Whether the peer helps: it says so by the capability alone, whatever families it lists for itself (RFC 4724 §3). */
const kept = ({ gracefulRestart }: SessionConfig, open: BgpOpen) => {
  const helper = capabilityOf(open, "GracefulRestart")
  return {
    keptForSeconds: helper === undefined ? 0 : (gracefulRestart?.restartTimeSeconds ?? 0),
    keptAfterNotification:
      gracefulRestart !== undefined && helper !== undefined && (helper.flags & restartFlags.notification) !== 0
  }
}
