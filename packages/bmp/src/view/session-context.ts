import type { AttributeContext } from "@lowtide/bgp/wire/attribute-codec"
import { readU16 } from "@lowtide/bgp/wire/bytes"
import { afiOf, safiUnicast } from "@lowtide/bgp/wire/family"
import { decodeBody, extendedMessageBytesMax, takeFrame } from "@lowtide/bgp/wire/message"
import type { BgpOpen } from "@lowtide/bgp/wire/open"
import type { Family } from "@lowtide/net"
import { Result } from "effect"
import type { PeerUp } from "../wire/message.ts"
import type { PeerHeader } from "../wire/peer-header.ts"

/** What two OPENs agreed that a reader of the session's UPDATEs has to know: families whose prefixes have path identifiers. */
export interface SessionTerms {
  /** In what the router has from the peer (RFC 7911 §4). */
  readonly addPathIn: ReadonlySet<Family>
  /** In what it sends to the peer. */
  readonly addPathOut: ReadonlySet<Family>
}

/** Of a peer whose OPENs were not told. */
export const noTerms: SessionTerms = { addPathIn: new Set(), addPathOut: new Set() }

/** ADD-PATH: RFC 7911 §4, capability 69; bit 1 of the last octet: willing to receive, bit 2: able to send. */
const addPathCode = 69
const mayReceive = 1
const maySend = 2

/** What the OPENs of a Peer Up agreed. One that cannot be read agrees to nothing. */
export const termsOf = ({ sentOpen, receivedOpen }: Pick<PeerUp, "sentOpen" | "receivedOpen">): SessionTerms => {
  const [own, peers] = [addPathOf(sentOpen), addPathOf(receivedOpen)]
  const agreed = (receiver: ReadonlyMap<Family, number>, sender: ReadonlyMap<Family, number>) =>
    new Set(
      ([4, 6] as const).filter(
        (family) => ((receiver.get(family) ?? 0) & mayReceive) !== 0 && ((sender.get(family) ?? 0) & maySend) !== 0
      )
    )
  return { addPathIn: agreed(own, peers), addPathOut: agreed(peers, own) }
}

/** The OPEN, if it can be read. */
export const readOpen = (bytes: Uint8Array): BgpOpen | undefined => {
  const frame = takeFrame(bytes, 0)
  if (frame._tag !== "Frame") return undefined
  const decoded = decodeBody(frame, { fourOctetAs: true, isInternal: false })
  return Result.isSuccess(decoded) && decoded.success._tag === "Open" ? decoded.success : undefined
}

const addPathOf = (bytes: Uint8Array): ReadonlyMap<Family, number> => {
  const found = new Map<Family, number>()
  for (const capability of readOpen(bytes)?.capabilities ?? []) {
    if (capability._tag !== "UnknownCapability" || capability.code !== addPathCode) continue
    const { value } = capability
    for (let at = 0; at + 4 <= value.length; at += 4) {
      for (const family of [4, 6] as const) {
        const isOf = readU16(value, at) === afiOf(family) && value[at + 2] === safiUnicast
        if (isOf) found.set(family, value[at + 3]!)
      }
    }
  }
  return found
}

/**
 * How the octets of an UPDATE are read. LOCAL_PREF is no matter here, so the peer counts as external: from an internal one a
 * missing LOCAL_PREF would be a fault, and before policy it may be missing.
 */
export const updateContext = (peer: PeerHeader, terms: SessionTerms, body: Uint8Array): AttributeContext => {
  const addPath = peer.view.startsWith("adj-rib-out") ? terms.addPathOut : terms.addPathIn
  return {
    fourOctetAs: !peer.legacyAsPath,
    isInternal: false,
    extendedNextHop: true,
    messageBytesMax: extendedMessageBytesMax,
    addPath: addPath.has(familyIn(body))
  }
}

/** IPv4 where the UPDATE has routes outside of its multiprotocol attributes: both kinds of prefixes are read in one way. */
const familyIn = (body: Uint8Array): Family => {
  if (body.length < 4) return 4
  const withdrawn = readU16(body, 0)
  if (withdrawn > 0 || body.length < 4 + withdrawn) return 4
  return body.length > 4 + readU16(body, 2) ? 4 : 6
}
