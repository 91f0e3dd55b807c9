import { readFileSync } from "node:fs"
import { addressToBytes, type Family, type IpAddress, parseIpAddress } from "@lowtide/net"
import { Result } from "effect"
import { SocketFault } from "./fault.ts"

/** The kernel's numbers of the two families. */
export const domainOf = (family: Family): 2 | 10 => (family === 4 ? 2 : 10)

/** An address as people write it for a socket: a link-local one with its zone, `fe80::1%eth0`. */
export interface ScopedAddress {
  readonly address: IpAddress
  /** The name of the interface, of a link-local address. */
  readonly zone: string | undefined
}

/** Reads `192.0.2.1`, `2001:db8::1` or `fe80::1%eth0`; throws `SocketFault` on anything else. */
export const parseScopedAddress = (text: string): ScopedAddress => {
  const [host = "", zone] = text.split("%", 2)
  const address = Result.getOrUndefined(parseIpAddress(host))
  if (address === undefined || (zone !== undefined && address.family === 4)) {
    throw new SocketFault({ operation: "read an address", detail: `expected one like fe80::1%eth0, found "${text}"` })
  }
  return { address, zone }
}

/** A `struct sockaddr_in` or `sockaddr_in6` (ip(7), ipv6(7)), little-endian hosts. */
export const socketAddress = ({ address, zone }: ScopedAddress, port: number): Buffer => {
  const octets = Buffer.alloc(address.family === 4 ? 16 : 28)
  octets.writeUInt16LE(domainOf(address.family), 0)
  octets.writeUInt16BE(port, 2)
  octets.set(addressToBytes(address), address.family === 4 ? 4 : 8)
  if (zone !== undefined) octets.writeUInt32LE(interfaceIndex(zone), 24)
  return octets
}

/** The number of a network interface; throws `SocketFault` when there is none of that name. */
export const interfaceIndex = (name: string): number => {
  try {
    if (!/^[^/]+$/.test(name)) throw new Error("not a name")
    return Number(readFileSync(`/sys/class/net/${name}/ifindex`, "utf8"))
  } catch {
    throw new SocketFault({
      operation: `find the interface "${name}"`,
      detail: "there is none of that name on this node"
    })
  }
}
