import { createSocket, type Socket } from "node:dgram"
import { acceptFrom, interfaceIndex, openUdp, type Sender, SocketFault } from "@lowtide/sockets"
import { type Path, pathKey } from "./machine/demultiplex.ts"
import { readAddress } from "./session-options.ts"

/** Where Control packets go: RFC 5881 §4, RFC 5883 §5. */
export const bfdPorts = { single: 3784, multi: 4784 } as const

/** Where they come from: RFC 5881 §4. */
export const sourcePorts = { first: 49_152, last: 65_535 } as const

/** RFC 5881 §5: what has passed a router arrives with less. */
const ttlMax = 255

/** How often a free source port is looked for. */
const attemptsMax = 64

/** The sockets of one session. */
export interface Port {
  /** The source port of everything that it sends, RFC 5881 §4. */
  readonly sourcePort: number
  /** Hands a packet to the kernel; `onFailure` is told errno's name. */
  readonly send: (octets: Uint8Array, onFailure: (code: string) => void) => void
  /** The least TTL is another one from now on. Throws `SocketFault`: ENOMEM. */
  readonly accept: (minimumTtl: number) => void
  /** Opens other sockets when the session's interface is another one of the same name; the source port stays. */
  readonly renew: () => void
  readonly close: () => void
}

/** All sockets of the process: those that hear are shared by the sessions of one address, interface and kind. */
export interface Ports {
  /** Throws `SocketFault`: EADDRNOTAVAIL (not our address), EADDRINUSE (another BFD of this node has the port), ENODEV, EACCES. */
  readonly open: (path: Path, minimumTtl: number) => Port
}

interface Ear {
  readonly socket: Socket
  readonly fd: number
  readonly senders: Map<string, Sender>
}

/** `onDatagram` gets whatever the kernel lets through, with the path that it came by. */
export const makePorts = (onDatagram: (octets: Uint8Array, came: Path) => void): Ports => {
  const ears = new Map<string, Ear>()
  const usedSourcePorts = new Set<number>()

  const hear = (path: Path, sender: Sender) => {
    const { hops, localAddress, device } = path
    const key = earKey(path)
    const ear =
      ears.get(key) ??
      listen({ hops, localAddress, device }, (octets, peerAddress) =>
        onDatagram(octets, { hops, localAddress, peerAddress, device })
      )
    ears.set(key, ear)
    const update = () => acceptFrom(ear.fd, sender.address.family, [...ear.senders.values()])
    const leave = () => {
      ear.senders.delete(path.peerAddress)
      if (ear.senders.size > 0) return ifTheKernelCan(update) // else it is heard still, and its packets are discarded
      ear.socket.close()
      ears.delete(key)
    }
    const accept = (ttlMin: number) => {
      ear.senders.set(path.peerAddress, { ...sender, ttlMin })
      update()
    }
    try {
      accept(sender.ttlMin)
    } catch (cause) {
      leave()
      throw cause
    }
    return { accept, leave }
  }

  /** Both sockets of a session. */
  const openBoth = (path: Path, ttlMin: number, before: number | undefined): OpenSockets => {
    const peer = readAddress(path.peerAddress)
    if (peer === undefined)
      throw new SocketFault({ operation: "open a session", detail: `${path.peerAddress} is no address` })
    const ear = hear(path, { address: peer.address, ttlMin })
    try {
      return { ...ear, ...openMouth(path, usedSourcePorts, before), key: earKey(path) }
    } catch (cause) {
      ear.leave()
      throw cause
    }
  }

  return {
    open: (path, minimumTtl) => {
      const leastTtl = (least: number) => (path.hops === "single" ? ttlMax : least)
      let ttlMin = leastTtl(minimumTtl)
      let open: OpenSockets | undefined = openBoth(path, ttlMin, undefined)
      let { sourcePort } = open
      const close = () => {
        open?.socket.close()
        open?.leave()
        open = undefined
        usedSourcePorts.delete(sourcePort)
      }
      return {
        get sourcePort() {
          return sourcePort
        },
        send: (octets, onFailure) => {
          if (open === undefined) return onFailure("ENODEV")
          open.socket.send(octets, bfdPorts[path.hops], path.peerAddress, (error: NodeJS.ErrnoException | null) => {
            if (error !== null) onFailure(error.code ?? error.message)
          })
        },
        accept: (least) => {
          ttlMin = leastTtl(least)
          open?.accept(ttlMin)
        },
        renew: () =>
          ifTheKernelCan(() => {
            if (open?.key === earKey(path)) return
            close()
            open = openBoth(path, ttlMin, sourcePort) // when the interface is not there, or not ready: the next time
            sourcePort = open.sourcePort // another, when somebody took the one of before
          }),
        close
      }
    }
  }
}

/** Does what may be left undone when the kernel refuses. */
const ifTheKernelCan = (attempt: () => void): void => {
  try {
    attempt()
  } catch (cause) {
    if (!(cause instanceof SocketFault)) throw cause
  }
}

interface OpenSockets {
  readonly socket: Socket
  readonly sourcePort: number
  /** Which interfaces they belong to, see `earKey`. */
  readonly key: string
  readonly accept: (ttlMin: number) => void
  readonly leave: () => void
}

/** A socket belongs to an interface by its number: one that is made anew under the same name has another, and needs another. */
const earKey = (path: Path): string => {
  const interfaces = [path.device, readAddress(path.localAddress)?.zone].filter((name) => name !== undefined)
  return [pathKey({ ...path, peerAddress: "" }), ...interfaces.map(interfaceIndex)].join(" ")
}

const listen = (
  { hops, localAddress, device }: Omit<Path, "peerAddress">,
  onDatagram: (octets: Uint8Array, peerAddress: string) => void
): Ear => {
  const localPort = bfdPorts[hops]
  const fd = openUdp({ localAddress, localPort, ttl: ttlMax, senders: [], ...(device === undefined ? {} : { device }) })
  const socket = adopt(fd, localAddress)
  socket.on("message", (octets, { address }) => onDatagram(octets, address))
  return { socket, fd, senders: new Map() }
}

/** A socket that only sends: one for each session, since each has a source port of its own. */
const openMouth = ({ localAddress, device }: Path, used: Set<number>, before: number | undefined) => {
  const options = { localAddress, ttl: ttlMax, senders: [], ...(device === undefined ? {} : { device }) }
  for (let attempt = 1; ; attempt++) {
    const { first, last } = sourcePorts
    const isSame = attempt === 1 && before !== undefined
    const sourcePort = isSame ? before : first + Math.floor(Math.random() * (last - first + 1))
    if (used.has(sourcePort)) continue
    try {
      const socket = adopt(openUdp({ ...options, localPort: sourcePort }), localAddress)
      used.add(sourcePort)
      return { socket, sourcePort }
    } catch (cause) {
      const isTaken = cause instanceof SocketFault && cause.code === "EADDRINUSE"
      if (!isTaken || attempt === attemptsMax) throw cause
    }
  }
}

/** Gives a descriptor to Node. Addresses are never names, so nothing is looked up. */
const adopt = (fd: number, localAddress: string): Socket => {
  const family = localAddress.includes(":") ? 6 : 4
  const socket = createSocket({ type: `udp${family}`, lookup: (host, _options, done) => done(null, host, family) })
  socket.on("error", () => undefined) // a datagram that could not be sent or read; the session goes by what comes
  return socket.bind({ fd })
}
