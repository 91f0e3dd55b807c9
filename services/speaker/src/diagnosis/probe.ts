import { createSocket } from "node:dgram"
import { readFileSync } from "node:fs"
import { connect, isIPv6, type Socket } from "node:net"
import { connectTcp, needsOptions, type TcpOptions } from "@lowtide/sockets"

/** What came of asking a router for something. `open`: it took the connection. `refused`: it is there, and nothing listens. */
export type ProbeAnswer = "open" | "refused" | "silent" | "unreachable"

/** How long an answer is waited for, milliseconds. */
const probeMsMax = 2_000

/** Opens a TCP connection and closes it at once: nothing is said on it. Never fails. */
export const probeTcp = (
  to: { readonly host: string; readonly port: number; readonly localAddress?: string },
  options: TcpOptions
): Promise<ProbeAnswer> =>
  new Promise((resolve) => {
    let socket: Socket
    try {
      socket = needsOptions(options) ? connectTcp(to, options) : connect(to)
    } catch {
      return resolve("unreachable")
    }
    const end = (answer: ProbeAnswer) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(answer)
    }
    const timer = setTimeout(() => end("silent"), probeMsMax)
    socket.once("connect", () => end("open"))
    socket.on("error", ({ code }: NodeJS.ErrnoException) =>
      end(code === "ECONNREFUSED" ? "refused" : code === "ETIMEDOUT" ? "silent" : "unreachable")
    )
  })

/** Sends one datagram to a port where nothing listens: a host that is there says so by ICMP (RFC 1122 §4.1.3.1). Never fails. */
export const probeHost = ({ host, port }: { readonly host: string; readonly port: number }): Promise<ProbeAnswer> =>
  new Promise((resolve) => {
    const socket = createSocket(isIPv6(host.replace(/%.*$/, "")) ? "udp6" : "udp4")
    let isOver = false
    const end = (answer: ProbeAnswer) => {
      if (isOver) return
      isOver = true
      clearTimeout(timer)
      clearInterval(repeat)
      socket.close()
      resolve(answer)
    }
    const fail = (error: NodeJS.ErrnoException | null | undefined) => {
      if (error != null) end(error.code === "ECONNREFUSED" ? "refused" : "unreachable")
    }
    // What ICMP said of one datagram comes with the next call; the host itself may have to be looked for on the link first.
    const repeat = setInterval(() => isConnected && socket.send("", fail), 100)
    const timer = setTimeout(() => end("silent"), probeMsMax)
    let isConnected = false
    socket.on("error", fail)
    // It is called with what failed as well, which its type does not say; so an interface that is down has no route.
    const onConnect = (error?: Error): void => {
      if (error === undefined) isConnected = true
      else fail(error)
    }
    try {
      socket.connect(port, host, onConnect)
    } catch {
      end("unreachable")
    }
  })

/** What the node's link knows of an address: `known` answered lately, `silent` does not answer; undefined: it is not on a link. */
export type LinkAnswer = "known" | "silent" | undefined

/** By the kernel's table of IPv4 neighbours. Of IPv6 there is no such file, and the answer is undefined. */
export const linkOf = (host: string): LinkAnswer => {
  try {
    return parseArp(readFileSync("/proc/self/net/arp", "utf8"), host)
  } catch {
    return undefined
  }
}

/** Columns of /proc/net/arp (proc(5)): address, type, flags, ...; flag 0x2 is a complete entry. */
export const parseArp = (text: string, host: string): LinkAnswer => {
  const row = text.split("\n").find((line) => line.split(/\s+/)[0] === host)
  if (row === undefined) return undefined
  return (Number(row.split(/\s+/)[2]) & 2) !== 0 ? "known" : "silent"
}
