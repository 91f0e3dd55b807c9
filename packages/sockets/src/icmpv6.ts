import { addressFromBytes, formatIpAddress } from "@lowtide/net"
import { acceptFromLink } from "./datagram-filter.ts"
import { checked, faultOf, libc } from "./libc.ts"
import { bindToDevice, sendTtl, setInt } from "./options.ts"
import { domainOf, interfaceIndex, parseScopedAddress, socketAddress } from "./socket-address.ts"

/** An ICMPv6 message as it came: its octets from the type on; the kernel has checked its checksum. */
export interface Icmpv6Message {
  /** Without its zone, which is the socket's interface. */
  readonly source: string
  readonly octets: Uint8Array
}

/** A raw ICMPv6 socket of one interface. Nothing of it waits: look for messages from time to time. */
export interface Icmpv6Socket {
  /** The oldest message that was not received yet. Throws `SocketFault`, such as of an interface that is down. */
  readonly receive: () => Icmpv6Message | undefined
  /** Sends with a hop limit of 255, from our link-local address; the kernel writes the checksum. Throws `SocketFault`. */
  readonly send: (to: string, octets: Uint8Array) => void
  readonly close: () => void
}

/** How the socket is to be: what it hears, and which groups it joins. */
export interface Icmpv6Options {
  readonly device: string
  /** Types of messages; no other is heard. */
  readonly types: ReadonlyArray<number>
  /** Multicast addresses. */
  readonly groups: ReadonlyArray<string>
}

const raw = 3
const nonBlocking = 0o4000
const closeOnExec = 0o2000000
const icmpv6 = 58
const ipv6 = 41
const octetsMax = 1_500

/**
 * Opens a socket that hears what has passed no router (a hop limit of 255, RFC 4861 §6.1). Needs CAP_NET_RAW; throws
 * `SocketFault`, also where the interface is missing.
 */
export const openIcmpv6 = ({ device, types, groups }: Icmpv6Options): Icmpv6Socket => {
  const index = interfaceIndex(device)
  const opened = libc().socket(domainOf(6), raw | nonBlocking | closeOnExec, icmpv6)
  if (opened < 0)
    throw faultOf(`open a raw ICMPv6 socket on ${device}`, { EPERM: "it needs the capability CAP_NET_RAW" })
  const fd = opened
  try {
    acceptFromLink(fd, 6)
    // struct icmp6_filter: a bit that is set keeps its type out.
    const filter = Buffer.alloc(32, 0xff)
    for (const type of types) filter[type >> 3] = filter.readUInt8(type >> 3) & ~(1 << (type & 7))
    checked(libc().setsockopt(fd, icmpv6, 1, filter, filter.length), "choose types of messages (ICMP6_FILTER)")
    setInt(fd, sendTtl(6), 255)
    setInt(fd, { level: ipv6, option: 18, name: "IPV6_MULTICAST_HOPS" }, 255)
    setInt(fd, { level: ipv6, option: 17, name: "IPV6_MULTICAST_IF" }, index)
    setInt(fd, { level: ipv6, option: 19, name: "IPV6_MULTICAST_LOOP" }, 0)
    bindToDevice(fd, device)
    for (const group of groups) join(fd, group, index)
  } catch (cause) {
    libc().close(fd)
    throw cause
  }
  const buffer = Buffer.alloc(octetsMax)
  const from = Buffer.alloc(28)
  const fromLength = Buffer.alloc(4)
  return {
    receive: () => {
      fromLength.writeUInt32LE(from.length)
      const length = libc().recvfrom(fd, buffer, buffer.length, 0, from, fromLength)
      if (length >= 0) {
        const source = formatIpAddress(addressFromBytes(from.subarray(8, 24)))
        return { source, octets: Uint8Array.from(buffer.subarray(0, length)) }
      }
      const fault = faultOf(`receive ICMPv6 on ${device}`)
      if (fault.code === "EAGAIN" || fault.code === "EINTR") return undefined
      throw fault
    },
    send: (to, octets) => {
      const address = socketAddress({ address: parseScopedAddress(to).address, zone: device }, 0)
      const sent = libc().sendto(fd, octets, octets.length, 0, address, address.length)
      if (sent < 0) throw faultOf(`send ICMPv6 to ${to} on ${device}`)
    },
    close: () => void libc().close(fd)
  }
}

/** struct ipv6_mreq: the group and the interface. */
const join = (fd: number, group: string, index: number): void => {
  const request = Buffer.alloc(20)
  socketAddress(parseScopedAddress(group), 0).copy(request, 0, 8, 24)
  request.writeUInt32LE(index, 16)
  checked(libc().setsockopt(fd, ipv6, 20, request, request.length), `join ${group} (IPV6_JOIN_GROUP)`)
}
