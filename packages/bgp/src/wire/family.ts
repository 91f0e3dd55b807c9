import type { Family } from "@lowtide/net"

/** Address Family Identifiers of the unicast families spoken here: RFC 4760 §3, IANA "Address Family Numbers". */
export const afiOf = (family: Family): 1 | 2 => (family === 4 ? 1 : 2)

/** The Subsequent Address Family Identifier of unicast. */
export const safiUnicast = 1

/** The family of an (AFI, SAFI) pair, if it is IPv4 or IPv6 unicast. */
export const familyOf = (afi: number, safi: number): Family | undefined =>
  safi !== safiUnicast ? undefined : afi === 1 ? 4 : afi === 2 ? 6 : undefined
