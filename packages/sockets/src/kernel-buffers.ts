import type { Socket } from "node:net"
import { libc } from "./libc.ts"

/** tcp(7): the octets of a connection that the kernel has taken and the peer's has not acknowledged. */
const siocOutq = 0x5411

let isTold = true

/**
 * How many octets of a connection the kernel has taken and the peer's TCP has not acknowledged. Undefined where that cannot
 * be told: the socket is closed, or this is not Linux with the C library at hand.
 */
export const unacknowledged = (socket: Socket): number | undefined => {
  const fd = descriptorOf(socket)
  if (!isTold || fd === undefined) return undefined
  try {
    const count = Buffer.alloc(4)
    return libc().ioctl(fd, siocOutq, count) < 0 ? undefined : count.readInt32LE(0)
  } catch {
    isTold = false // nor will it be the next time
    return undefined
  }
}

/** Octets that are taken at once. */
const unreadBytesMax = 65_536

/** recv(2): answer at once. */
const dontWait = 0x40

/**
 * Takes from the kernel what came on a connection and was not read yet. Linux keeps it when the
 * connection is reset, but Node destroys a socket whose write fails, and what its peer said last is lost. Undefined where
 * there is nothing, or it cannot be told: the socket is closed, or this is not Linux with the C library at hand.
 */
export const takeUnread = (socket: Socket): Uint8Array | undefined => {
  const fd = descriptorOf(socket)
  if (fd === undefined) return undefined
  try {
    const bytes = Buffer.alloc(unreadBytesMax)
    const length = libc().recvfrom(fd, bytes, bytes.length, dontWait, null, null)
    return length > 0 ? bytes.subarray(0, length) : undefined
  } catch {
    return undefined
  }
}

/** Node's own, which it does not document: see the test. */
const descriptorOf = (socket: Socket): number | undefined => {
  const { _handle: handle } = socket as { readonly _handle?: { readonly fd?: unknown } | null }
  return typeof handle?.fd === "number" && handle.fd >= 0 ? handle.fd : undefined
}
