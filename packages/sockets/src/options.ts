import type { Family, IpAddress } from "@lowtide/net"
import { SocketFault } from "./fault.ts"
import { checked, libc } from "./libc.ts"
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
  checked(libc().setsockopt(fd, 1, 25, name, name.length), `bind to the interface "${device}" (SO_BINDTODEVICE)`)
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

/**
 * Lets through only what arrived with at least this TTL or hop limit, for a datagram socket: Node does not show the TTL of
 * a datagram, so the kernel looks (classic BPF, socket(7); `ancillary` offsets of linux/filter.h).
 */
export const acceptTtlFrom = (fd: number, family: Family, least: number): void => {
  const networkHeader = -0x10_0000 // SKF_NET_OFF
  const program = Buffer.concat([
    instruction(0x30, 0, 0, networkHeader + (family === 4 ? 8 : 7)), // load the octet
    instruction(0x35, 0, 1, least), // at least as high: the next; else one further
    instruction(0x06, 0, 0, 0xffff), // keep
    instruction(0x06, 0, 0, 0) // drop
  ])
  const filter = Buffer.alloc(16) // struct sock_fprog
  filter.writeUInt16LE(program.length / 8, 0)
  filter.writeBigUInt64LE(libc().addressOf(program), 8)
  checked(libc().setsockopt(fd, 1, 26, filter, filter.length), "attach a packet filter (SO_ATTACH_FILTER)")
  program.fill(0) // also keeps it from being collected before the call
}

const instruction = (code: number, ifTrue: number, ifFalse: number, value: number): Buffer => {
  const octets = Buffer.alloc(8)
  octets.writeUInt16LE(code, 0)
  octets.writeUInt8(ifTrue, 2)
  octets.writeUInt8(ifFalse, 3)
  octets.writeInt32LE(value | 0, 4)
  return octets
}
