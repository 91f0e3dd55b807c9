import { createServer, isIPv6, type Server, Socket, type SocketConstructorOpts } from "node:net"
import type { Family, IpAddress } from "@lowtide/net"
import { SocketFault } from "./fault.ts"
import { checked, faultOf, libc } from "./libc.ts"
import {
  bindToDevice,
  leastTtl,
  networkControl,
  onlyIpv6,
  reuseAddress,
  reusePort,
  sendTtl,
  setInt,
  setMd5Key,
  trafficClass
} from "./options.ts"
import { domainOf, parseScopedAddress, socketAddress } from "./socket-address.ts"

/** What Node's own sockets cannot be told. Everything is off unless given. */
export interface TcpOptions {
  /** The TTL or hop limit of what is sent, 1..255. */
  readonly ttl?: number
  /** What arrives with less is dropped (GTSM, RFC 5082), 1..255. */
  readonly ttlMin?: number
  /** The interface, or the VRF's device, that the connection is bound to. */
  readonly device?: string
  /** The TCP-MD5 key shared with each peer (RFC 2385): 1 to 80 octets. */
  readonly md5Keys?: ReadonlyArray<Md5Key>
}

export interface Md5Key {
  readonly peer: IpAddress
  readonly key: Uint8Array
}

/** Whether a connection needs more than Node's own sockets have. */
export const needsOptions = ({ ttl, ttlMin, device, md5Keys }: TcpOptions): boolean =>
  ttl !== undefined || ttlMin !== undefined || device !== undefined || (md5Keys?.length ?? 0) > 0

const stream = 1
const nonBlocking = 0o4000
const closeOnExec = 0o2000000

const openTcp = (family: Family, { ttl, ttlMin, device, md5Keys = [] }: TcpOptions): number => {
  const fd = checked(libc().socket(domainOf(family), stream | nonBlocking | closeOnExec, 0), "open a TCP socket")
  try {
    setInt(fd, reuseAddress, 1)
    if (family === 6) setInt(fd, onlyIpv6, 1)
    setInt(fd, trafficClass(family), networkControl)
    if (ttl !== undefined) setInt(fd, sendTtl(family), ttl)
    if (ttlMin !== undefined) setInt(fd, leastTtl(family), ttlMin)
    if (device !== undefined) bindToDevice(fd, device)
    for (const { peer, key } of md5Keys) setMd5Key(fd, peer, key)
    return fd
  } catch (cause) {
    libc().close(fd)
    throw cause
  }
}

/**
 * A TCP socket with its options set, on its way to be connected. (That Node connects a descriptor as it is, and
 * `manualStart`, are not in its documentation; a test holds them.) Throws `SocketFault` when the kernel refuses an option,
 * and what Node throws, such as of a port above 65535; then nothing is left open.
 */
export const connectTcp = (
  to: { readonly host: string; readonly port: number; readonly localAddress?: string },
  options: TcpOptions
): Socket => {
  const fd = openTcp(isIPv6(to.host.replace(/%.*$/, "")) ? 6 : 4, options)
  const socket = new Socket({ fd, readable: true, writable: true, manualStart: true } as SocketConstructorOpts)
  try {
    return socket.connect(to)
  } catch (cause) {
    socket.destroy()
    throw cause
  }
}

/**
 * Sets TTLs and keys of a connection that was accepted: a listener's are for all peers alike. Throws `SocketFault`. (The
 * descriptor of a handle is not in Node's documentation; a test holds it.)
 */
export const setOptions = (socket: Socket, { ttl, ttlMin, md5Keys = [] }: Omit<TcpOptions, "device">): void => {
  const fd = (socket as unknown as { readonly _handle?: { readonly fd?: number } })._handle?.fd ?? -1
  if (fd < 0) throw new SocketFault({ operation: "set the options of a connection", detail: "it is closed" })
  const family: Family = socket.localFamily === "IPv6" ? 6 : 4
  if (ttl !== undefined) setInt(fd, sendTtl(family), ttl)
  if (ttlMin !== undefined) setInt(fd, leastTtl(family), ttlMin)
  for (const { peer, key } of md5Keys) setMd5Key(fd, peer, key)
}

/** A listening socket whose keys may change while it listens. */
export interface TcpListener {
  readonly server: Server
  /** Sets a peer's TCP-MD5 key for connections to come, or takes it away. Those that are up keep theirs. Nothing once it is closed. */
  readonly setKey: (peer: IpAddress, key: Uint8Array | undefined) => void
  /** Whether sockets of the same user may begin to listen on the same address and port, each bound to a device of its own. */
  readonly setShared: (isShared: boolean) => void
  /** Stops listening; connections that were taken stay. */
  readonly close: () => void
}

/** What a listening socket may be told besides. */
export interface ListenOptions extends TcpOptions {
  /** Whether another socket may listen on the same address and port, bound to another `device` or to none: see `setShared`. */
  readonly isShared?: boolean
}

/** Connections that wait to be accepted; the kernel takes no more than `net.core.somaxconn`. */
const backlog = 511

/**
 * Listens with options that every connection inherits. `host` may carry a zone. Throws `SocketFault`: `EADDRINUSE`, `EACCES`
 * (a port below 1024 without CAP_NET_BIND_SERVICE), `EADDRNOTAVAIL`, or what refuses an option.
 */
export const listenTcp = (
  target: { readonly host: string; readonly port: number },
  options: ListenOptions,
  onConnection: (socket: Socket) => void
): TcpListener => {
  const at = parseScopedAddress(target.host)
  const fd = openTcp(at.address.family, options)
  try {
    if (options.isShared === true) setInt(fd, reusePort, 1)
    const octets = socketAddress(at, target.port)
    // Node listens on a descriptor that listens already, and would tell a refusal later only.
    const isRefused = libc().bind(fd, octets, octets.length) < 0 || libc().listen(fd, backlog) < 0
    if (isRefused) throw faultOf(`listen on ${target.host} TCP port ${target.port}`, whyNot)
    // Of sockets that are shared the kernel takes the first that fits; of others that which is bound to the device.
    if (options.isShared === true) setInt(fd, reusePort, 0)
  } catch (cause) {
    libc().close(fd)
    throw cause
  }
  const server = createServer({ noDelay: true }, onConnection)
  server.on("error", () => {}) // a connection that could not be accepted: Node has closed it, or it waits
  server.listen({ fd })
  return {
    server,
    setKey: (peer, key) => {
      // Once it is closed the number of its descriptor may be another socket's.
      if (server.listening) setMd5Key(fd, peer, key)
    },
    setShared: (isShared) => {
      if (server.listening) setInt(fd, reusePort, isShared ? 1 : 0)
    },
    close: () => server.close()
  }
}

/** What a refusal to listen means. */
const whyNot: Readonly<Record<string, string>> = {
  EACCES: "a port below 1024 needs the capability CAP_NET_BIND_SERVICE",
  EADDRINUSE: "another socket listens there",
  EADDRNOTAVAIL: "the address is not on this node"
}

/** What the kernel can do about TCP-AO (RFC 5925): Linux has had it since 6.7, where it was built with it. */
export const hasTcpAo = (): boolean => {
  const fd = checked(libc().socket(domainOf(4), stream | closeOnExec, 0), "open a TCP socket")
  try {
    const length = Buffer.alloc(4)
    const info = Buffer.alloc(64) // struct tcp_ao_info_opt
    length.writeUInt32LE(info.length)
    if (libc().getsockopt(fd, 6, 40, info, length) >= 0) return true // TCP_AO_INFO
    return libc().errno() !== 92 // ENOPROTOOPT: the option is unknown; any other error comes from code that knows it
  } finally {
    libc().close(fd)
  }
}
