import { type Family, type IpAddress, parseIpAddress } from "@lowtide/net"
import { Result } from "effect"

/** The address that a canonical text stands for, of an object or a state, which was checked when it was read. */
export const toAddress = (canonical: string): IpAddress => Result.getOrThrow(parseIpAddress(canonical))

/** The IP version of an address that is a canonical text. */
export const familyOf = (canonical: string): Family => toAddress(canonical).family
