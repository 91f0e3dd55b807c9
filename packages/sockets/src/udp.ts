import { acceptFrom, type Sender } from "./datagram-filter.ts"
import { checked, libc } from "./libc.ts"
import { bindToDevice, networkControl, onlyIpv6, reuseAddress, sendTtl, setInt, trafficClass } from "./options.ts"
import { domainOf, parseScopedAddress, socketAddress } from "./socket-address.ts"

/** A UDP socket to be. `localAddress` may carry a zone; `0.0.0.0` and `::` are every address. */
export interface UdpOptions {
  readonly localAddress: string
  /** 0: the kernel's choice. */
  readonly localPort: number
  /** The TTL or hop limit of what is sent, 1..255. */
  readonly ttl: number
  /** Who is heard, see `acceptFrom`, which may change it later; everybody unless given. */
  readonly senders?: ReadonlyArray<Sender>
  readonly device?: string
  /** Whether others may listen on the same port, each on addresses of their own. */
  readonly isShared?: boolean
}

const datagram = 2
const nonBlocking = 0o4000
const closeOnExec = 0o2000000

/**
 * Opens and binds a UDP socket; the answer is its descriptor, for `dgram.createSocket(…).bind({ fd })`, whose owner then
 * closes it. The filter is there before the socket is bound, so nothing gets past it. Throws `SocketFault`.
 */
export const openUdp = (options: UdpOptions): number => {
  const at = parseScopedAddress(options.localAddress)
  const { family } = at.address
  const fd = checked(libc().socket(domainOf(family), datagram | nonBlocking | closeOnExec, 0), "open a UDP socket")
  try {
    if (options.isShared === true) setInt(fd, reuseAddress, 1)
    if (family === 6) setInt(fd, onlyIpv6, 1)
    setInt(fd, trafficClass(family), networkControl)
    setInt(fd, sendTtl(family), options.ttl)
    if (options.senders !== undefined) acceptFrom(fd, family, options.senders)
    if (options.device !== undefined) bindToDevice(fd, options.device)
    const octets = socketAddress(at, options.localPort)
    const where = `bind ${options.localAddress} UDP port ${options.localPort}`
    checked(libc().bind(fd, octets, octets.length), where)
    return fd
  } catch (cause) {
    libc().close(fd)
    throw cause
  }
}
