import { formatCommunity, formatIpAddress, formatPrefix } from "@lowtide/net"
import { formatAsPath } from "./as-path.ts"
import { attributeCode, attributeName } from "./attribute-list.ts"
import { toHex } from "./bytes.ts"
import { type Capability, capabilityCodecs, restartFlags } from "./capability.ts"
import { familyOf } from "./family.ts"
import type { BgpMessage } from "./message.ts"
import type { NlriPrefix } from "./nlri.ts"
import { hardResetReason, isHardReset, notificationName, notificationText } from "./notification.ts"
import type { PathAttribute } from "./path-attributes.ts"
import { roleOf } from "./role.ts"
import { endOfRibFamily, findAttribute, truePath } from "./update.ts"

/** What a message says, as JSON: names and texts as people write them, numbers where the RFC has numbers. */
export type MessageFields = Readonly<Record<string, unknown>>

/** The fields of a message. */
export const messageFields = (message: BgpMessage): MessageFields => {
  switch (message._tag) {
    case "Open": {
      const { version, asn, holdTimeSeconds, routerId, capabilities } = message
      return { version, asn, holdTimeSeconds, routerId: dotted(routerId), capabilities: capabilities.map(capability) }
    }
    case "Update": {
      const ended = endOfRibFamily(message)
      return {
        ...(ended !== undefined && { endOfRib: `ipv${ended} unicast` }),
        withdrawn: message.withdrawn.map(prefix),
        attributes: message.attributes.map(attribute),
        nlri: message.nlri.map(prefix),
        // What AS_PATH and AS4_PATH say together.
        ...(findAttribute(message.attributes, "As4Path") !== undefined && {
          truePath: formatAsPath(truePath(message.attributes))
        })
      }
    }
    case "Notification": {
      const { code, subcode, data } = message
      const text = notificationText(message)
      const within = isHardReset(message) ? hardResetReason(message) : undefined
      return {
        code,
        subcode,
        name: notificationName(message),
        ...(within !== undefined && {
          hardReset: { code: within.code, subcode: within.subcode, name: notificationName(within) }
        }),
        ...(text !== undefined && { text }),
        data: toHex(data)
      }
    }
    case "Keepalive":
      return {}
    case "RouteRefresh": {
      const { afi, safi, subtype } = message
      return { ...family(afi, safi), subtype, name: ["request", "beginning", "end"][subtype] ?? "unknown" }
    }
  }
}

const dotted = (number: number): string => formatIpAddress({ family: 4, value: BigInt(number) })

const family = (afi: number, safi: number) => {
  const known = familyOf(afi, safi)
  return { afi, safi, ...(known !== undefined && { family: `ipv${known} unicast` }) }
}

/** A prefix; with its path identifier where it has one. */
const prefix = (found: NlriPrefix): unknown =>
  found.pathId === undefined ? formatPrefix(found) : { prefix: formatPrefix(found), pathId: found.pathId }

/** Capabilities that routers send and that are not read here, by IANA's number. */
const unreadCapabilities: Readonly<Record<number, string>> = {
  3: "outbound route filtering", // RFC 5291
  7: "BGPsec", // RFC 8205
  67: "dynamic capability",
  68: "multisession",
  69: "add-path", // RFC 7911
  71: "long-lived graceful restart", // RFC 9494
  73: "FQDN",
  75: "software version",
  128: "route refresh, before RFC 2918"
}

const capability = (found: Capability): MessageFields => {
  if (found._tag === "UnknownCapability") {
    return { code: found.code, name: unreadCapabilities[found.code] ?? `type ${found.code}`, value: toHex(found.value) }
  }
  const { code, name } = capabilityCodecs[found._tag]
  return { code, name, ...capabilityValue(found) }
}

const capabilityValue = (found: Exclude<Capability, { readonly _tag: "UnknownCapability" }>): MessageFields => {
  switch (found._tag) {
    case "MultiProtocol":
      return family(found.afi, found.safi)
    case "ExtendedNextHop":
      return { encodings: found.encodings }
    case "Role":
      return { role: roleOf(found.code) ?? found.code }
    case "GracefulRestart":
      return {
        restartTimeSeconds: found.restartTimeSeconds,
        restarted: (found.flags & restartFlags.restarted) !== 0,
        notification: (found.flags & restartFlags.notification) !== 0,
        families: found.families.map(({ afi, safi, flags }) => ({
          ...family(afi, safi),
          forwardingPreserved: (flags & restartFlags.forwardingPreserved) !== 0
        }))
      }
    case "FourOctetAs":
      return { asn: found.asn }
    case "RouteRefresh":
    case "ExtendedMessage":
    case "EnhancedRouteRefresh":
      return {}
  }
}

const attribute = (found: PathAttribute): MessageFields => {
  const code = attributeCode(found)
  return { code, name: attributeName(code), ...attributeValue(found) }
}

const attributeValue = (found: PathAttribute): MessageFields => {
  switch (found._tag) {
    case "Origin":
    case "MultiExitDisc":
    case "LocalPref":
      return { value: found.value }
    case "AsPath":
    case "As4Path":
      return { path: formatAsPath(found.segments), segments: found.segments }
    case "NextHop":
      return { address: formatIpAddress(found.address) }
    case "AtomicAggregate":
      return {}
    case "Aggregator":
    case "As4Aggregator":
      return { asn: found.asn, address: formatIpAddress(found.address) }
    case "Communities":
      return { values: found.values.map((value) => formatCommunity({ _tag: "StandardCommunity", value })) }
    case "LargeCommunities":
      return { values: found.values.map((parts) => formatCommunity({ _tag: "LargeCommunity", ...parts })) }
    case "ExtendedCommunities":
      return { values: found.values.map((value) => value.toString(16).padStart(16, "0")) }
    case "Ipv6ExtendedCommunities":
      return { values: found.values.map(toHex) }
    case "OriginatorId":
      return { routerId: dotted(found.routerId) }
    case "ClusterList":
      return { ids: found.ids.map(dotted) }
    case "OnlyToCustomer":
      return { asn: found.asn }
    case "MpReachNlri":
      return found.family === "other"
        ? { ...family(found.afi, found.safi), rest: toHex(found.rest) }
        : {
            family: `ipv${found.family} unicast`,
            nextHop: formatIpAddress(found.nextHop),
            ...(found.linkLocalNextHop !== undefined && { linkLocalNextHop: formatIpAddress(found.linkLocalNextHop) }),
            nlri: found.nlri.map(prefix)
          }
    case "MpUnreachNlri":
      return found.family === "other"
        ? { ...family(found.afi, found.safi), rest: toHex(found.rest) }
        : { family: `ipv${found.family} unicast`, withdrawn: found.withdrawn.map(prefix) }
    case "UnknownAttribute":
      return { flags: found.flags, value: toHex(found.value) }
  }
}
