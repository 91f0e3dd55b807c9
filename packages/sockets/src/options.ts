import type { Family, IpAddress } from "@lowtide/net"
import { SocketFault } from "./fault.ts"
import { checked, faultOf, libc } from "./libc.ts"
import { socketAddress } from "./socket-address.ts"

/** `setsockopt` of an int. */
export const setInt = (fd: number, { level, option, name }: IntOption, value: number): void => {
  const octets = Buffer.alloc(4)
  octets.writeInt32LE(value)
  checked(libc().setsockopt(fd, level, option, octets, 4), `set ${name}`)
}

/** An option whose value is an int: its number in the kernel's headers, and its name there for messages. */
interface IntOption {
  readonly level: number
  readonly option: number
  readonly name: string
}

export const reuseAddress: IntOption = { level: 1, option: 2, name: "SO_REUSEADDR" }
export const reusePort: IntOption = { level: 1, option: 15, name: "SO_REUSEPORT" }
export const onlyIpv6: IntOption = { level: 41, option: 26, name: "IPV6_V6ONLY" }

/** The TTL or hop limit of what is sent, 1..255. */
export const sendTtl = (family: Family): IntOption =>
  family === 4 ? { level: 0, option: 2, name: "IP_TTL" } : { level: 41, option: 16, name: "IPV6_UNICAST_HOPS" }

/** What arrives with less is dropped by the kernel (RFC 5082 §3), 1..255. TCP only. */
export const leastTtl = (family: Family): IntOption =>
  family === 4 ? { level: 0, option: 21, name: "IP_MINTTL" } : { level: 41, option: 73, name: "IPV6_MINHOPCOUNT" }

/** The octet of precedence; CS6, network control, is 0xc0 (RFC 4594 §3.2). */
export const trafficClass = (family: Family): IntOption =>
  family === 4 ? { level: 0, option: 1, name: "IP_TOS" } : { level: 41, option: 67, name: "IPV6_TCLASS" }

export const networkControl = 0xc0

/** Sends and receives by one interface alone; a VRF's device puts the socket into the VRF. */
export const bindToDevice = (fd: number, device: string): void => {
  const name = Buffer.from(`${device}\0`)
  if (libc().setsockopt(fd, 1, 25, name, name.length) >= 0) return
  const meanings = { ENODEV: "there is no such device on this node" }
  throw faultOf(`bind to the interface "${device}" (SO_BINDTODEVICE)`, meanings)
}

/** The longest key that the kernel takes, in octets (`TCP_MD5SIG_MAXKEYLEN`). */
export const md5KeyBytesMax = 80

/**
 * Sets the key that segments from and to a peer are signed with (TCP-MD5, RFC 2385), or takes it away. The kernel then
 * drops what comes from that address unsigned or signed wrongly, without a word: the connection just does not come about.
 */
export const setMd5Key = (fd: number, peer: IpAddress, key: Uint8Array | undefined): void => {
  if (key !== undefined && (key.length === 0 || key.length > md5KeyBytesMax)) {
    const detail = `expected a password of 1 to ${md5KeyBytesMax} octets, found ${key.length}`
    throw new SocketFault({ operation: "set the TCP-MD5 key", detail })
  }
  // struct tcp_md5sig: the address in 128 octets, flags, prefix length, key length (16 bits), interface, key.
  const octets = Buffer.alloc(216)
  socketAddress({ address: peer, zone: undefined }, 0).copy(octets)
  octets.writeUInt16LE(key?.length ?? 0, 130)
  octets.set(key ?? [], 136)
  checked(libc().setsockopt(fd, 6, 14, octets, octets.length), "set the TCP-MD5 key (TCP_MD5SIG)")
  octets.fill(0)
}
