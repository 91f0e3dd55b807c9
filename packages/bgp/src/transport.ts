import { connect, type Socket } from "node:net"
import { connectTcp, needsOptions, type TcpOptions, takeUnread, unacknowledged } from "@lowtide/sockets"
import { Acknowledgements } from "./acknowledgements.ts"
import { noAnswer } from "./fsm/explain.ts"

/** The octets of one TCP connection, as a session wants them. */
export interface Transport {
  /** Our own address on the connection, without a zone; `undefined` once it is closed. */
  readonly localAddress: string | undefined
  readonly remoteAddress: string | undefined
  /** 0 once it is closed. */
  readonly localPort: number
  readonly remotePort: number
  /** Hands octets to the kernel; `onWritten` when it has taken them all (never, when the connection is lost first). */
  readonly write: (bytes: Uint8Array, onWritten?: () => void) => void
  /**
   * Runs once the peer's TCP has acknowledged all octets of which `onWritten` has run (never, when the connection is lost
   * first). Where the kernel does not tell, at once.
   */
  readonly onceAcknowledged: (run: () => void) => void
  /** Whether the kernel has not yet taken what was written before: wait for `onDrain`. */
  readonly isFull: () => boolean
  /** Ends the connection once everything written is out, at the latest after a second. */
  readonly close: () => void
  /** Runs once the connection is gone; at once when it already is. */
  readonly onceClosed: (run: () => void) => void
}

/** What a connection reports. After `onClosed` nothing more comes. */
export interface TransportEvents {
  readonly onConnected: (transport: Transport) => void
  /** The connection could not be made. */
  readonly onFailed: (reason: string) => void
  readonly onBytes: (bytes: Uint8Array) => void
  readonly onDrain: () => void
  readonly onClosed: (reason: string) => void
}

/** How long a closing connection may take to bring its last octets out. */
export const closeMsMax = 1_000

/** Whom to connect to. A link-local `host` has its zone: `fe80::1%eth0`. */
export interface DialTarget {
  readonly host: string
  readonly port: number
  readonly localAddress?: string | undefined
  readonly options: TcpOptions
}

/** Opens a TCP connection; the answer gives up the attempt, or nothing once it is connected. */
export const dialTcp = (target: DialTarget, events: TransportEvents): (() => void) => {
  let socket: Socket
  try {
    socket = beginToConnect(target)
  } catch (cause) {
    return failSoon(events, cause instanceof Error ? cause.message : String(cause))
  }
  let isConnected = false
  const onError = (error: NodeJS.ErrnoException) => {
    if (!isConnected) events.onFailed(errorText(error, target))
  }
  socket.once("error", onError)
  socket.once("connect", () => {
    isConnected = true
    socket.off("error", onError)
    events.onConnected(adoptSocket(socket, events))
  })
  return () => {
    if (isConnected) return
    socket.off("error", onError)
    socket.on("error", () => {})
    socket.destroy()
  }
}

/** Reports a failure after this turn, as one that comes from the network would; the answer keeps it back. */
export const failSoon = ({ onFailed }: TransportEvents, reason: string): (() => void) => {
  const failing = setImmediate(() => onFailed(reason))
  return () => clearImmediate(failing)
}

/** A socket on its way to be connected; the kernel may refuse one of its options. */
const beginToConnect = ({ host, port, localAddress, options }: DialTarget): Socket => {
  const to = { host, port, ...(localAddress === undefined ? {} : { localAddress }) }
  return needsOptions(options) ? connectTcp(to, options) : connect({ ...to, noDelay: true })
}

/** Makes a transport of a connected socket and begins to read from it. */
export const adoptSocket = (socket: Socket, events: Omit<TransportEvents, "onConnected" | "onFailed">): Transport => {
  let isClosing = false
  let reason = "closed by the peer"
  const acknowledgements = new Acknowledgements(() => unacknowledged(socket))
  socket.setNoDelay(true)
  const hear = (bytes: Uint8Array) => {
    if (!isClosing) events.onBytes(bytes) // read on while closing: a reset would lose our last message
  }
  /** What a peer said before it closed is its reason: a write may find the end before a read finds that. */
  const hearTheRest = () => {
    for (let bytes = takeUnread(socket); bytes !== undefined; bytes = takeUnread(socket)) hear(bytes)
  }
  socket.on("data", hear)
  socket.on("drain", events.onDrain)
  socket.on("error", (error: NodeJS.ErrnoException) => {
    reason = errorText(error, undefined)
  })
  socket.once("close", () => {
    if (!isClosing) events.onClosed(reason)
    isClosing = true
    acknowledgements.stop()
  })
  return {
    localAddress: withoutZone(socket.localAddress),
    remoteAddress: withoutZone(socket.remoteAddress),
    localPort: socket.localPort ?? 0,
    remotePort: socket.remotePort ?? 0,
    write: (bytes, onWritten) => {
      if (isClosing || !socket.writable) return
      socket.write(bytes, (error) => {
        if (error != null) return hearTheRest()
        acknowledgements.took(bytes.length)
        onWritten?.()
      })
    },
    onceAcknowledged: (run) => {
      if (!isClosing) acknowledgements.once(run)
    },
    isFull: () => socket.writableNeedDrain,
    close: () => {
      acknowledgements.stop()
      if (isClosing) return
      isClosing = true
      const timer = setTimeout(() => socket.destroy(), closeMsMax)
      socket.once("close", () => clearTimeout(timer))
      socket.end(() => socket.destroySoon())
    },
    onceClosed: (run) => {
      if (socket.closed) run()
      else socket.once("close", () => run())
    }
  }
}

/** A mapped IPv4 address (`::ffff:192.0.2.1`) as the IPv4 address it is, and no zone. */
const withoutZone = (address: string | undefined): string | undefined =>
  address?.replace(/%.*$/, "").replace(/^::ffff:(?=\d+\.)/, "")

/** What errno says, in the words of the person who looks for the cause. */
const errorText = (
  error: NodeJS.ErrnoException,
  target: { readonly port: number; readonly localAddress?: string | undefined } | undefined
): string => {
  switch (error.code) {
    case "ECONNREFUSED":
      return `connection refused: nothing listens on TCP port ${target?.port ?? "of the peer"} there`
    case "ETIMEDOUT":
      return noAnswer
    case "EHOSTUNREACH":
      return "no route to the host, or it does not answer on the link"
    case "ENETUNREACH":
      return "no route to its network"
    case "EADDRNOTAVAIL":
      return `our local address ${target?.localAddress ?? "for it"} is not on this node`
    case "ECONNRESET":
      return "reset by the peer"
    case "EPIPE":
      return "closed by the peer"
    default:
      return error.code === undefined ? error.message : `${error.code}: ${error.message}`
  }
}
