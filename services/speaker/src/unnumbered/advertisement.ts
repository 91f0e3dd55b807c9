/** Types of ICMPv6 messages, RFC 4861 §4.1 and §4.2. */
export const routerSolicitationType = 133
export const routerAdvertisementType = 134

/** All nodes and all routers of a link, RFC 4291 §2.7.1. */
export const allNodes = "ff02::1"
export const allRouters = "ff02::2"

/**
 * A Router Advertisement that says that we are there and nothing else (RFC 4861 §4.2): a router lifetime of 0, so that nobody takes
 * us for a default router, and nothing specified of the rest. 16 octets; the checksum is the kernel's to write.
 */
export const routerAdvertisement = (): Uint8Array => {
  const octets = new Uint8Array(16)
  octets[0] = routerAdvertisementType
  return octets
}

/** A Router Solicitation without options (RFC 4861 §4.1): 8 octets. */
export const routerSolicitation = (): Uint8Array => {
  const octets = new Uint8Array(8)
  octets[0] = routerSolicitationType
  return octets
}

/** What a message says to us: somebody is a router here, or asks who is. */
export type Heard = "advertisement" | "solicitation"

/**
 * Judges a message as RFC 4861 §6.1.1 and §6.1.2 ask; undefined: it is to be ignored. Hop limit and checksum were seen to by
 * the kernel. A solicitation may come from the unspecified address, without a source link-layer address then.
 */
export const hearMessage = (source: string, octets: Uint8Array): Heard | undefined => {
  const [type, code] = octets
  if (code !== 0) return undefined
  if (type === routerAdvertisementType && octets.length >= 16 && isLinkLocal(source)) {
    return optionTypes(octets, 16) === undefined ? undefined : "advertisement"
  }
  if (type === routerSolicitationType && octets.length >= 8) {
    const options = optionTypes(octets, 8)
    const isFine = options !== undefined && !(source === "::" && options.includes(sourceLinkLayerAddress))
    return isFine ? "solicitation" : undefined
  }
  return undefined
}

/** fe80::/10 of a canonical text. */
const isLinkLocal = (address: string): boolean => /^fe[89ab][0-9a-f]:/.test(address)

const sourceLinkLayerAddress = 1

/** RFC 4861 §4.6: every option says its length in units of eight octets, and none is 0. Undefined where that is not so. */
const optionTypes = (octets: Uint8Array, from: number): ReadonlyArray<number> | undefined => {
  const types: Array<number> = []
  for (let offset = from; offset < octets.length; ) {
    const [type = 0, length = 0] = octets.subarray(offset, offset + 2)
    if (length === 0 || offset + length * 8 > octets.length) return undefined
    types.push(type)
    offset += length * 8
  }
  return types
}
