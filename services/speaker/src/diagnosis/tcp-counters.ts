import { readFileSync } from "node:fs"

/** Segments that the kernel dropped without a word to anybody, since the network namespace began (`TcpExt` of netstat). */
export interface TcpCounters {
  /** A key was expected, and the segment had no signature: RFC 2385. */
  readonly md5NotFound: number
  /** It had a signature, and no key was expected. */
  readonly md5Unexpected: number
  /** It was signed with another key. */
  readonly md5Failure: number
  /** It came with a lower TTL than is asked for: RFC 5082. */
  readonly minTtlDrop: number
}

const names: Readonly<Record<keyof TcpCounters, string>> = {
  md5NotFound: "TCPMD5NotFound",
  md5Unexpected: "TCPMD5Unexpected",
  md5Failure: "TCPMD5Failure",
  minTtlDrop: "TCPMinTTLDrop"
}

/** The counters of this process's network namespace; undefined where there is no /proc. */
export const readTcpCounters = (): TcpCounters | undefined => {
  try {
    return parseTcpCounters(readFileSync("/proc/self/net/netstat", "utf8"))
  } catch {
    return undefined
  }
}

/** Two lines of one prefix: the names, and below them the values. A kernel that does not count something has 0 of it. */
export const parseTcpCounters = (text: string): TcpCounters => {
  const [heads = [], values = []] = text
    .split("\n")
    .filter((line) => line.startsWith("TcpExt:"))
    .map((line) => line.split(" ").slice(1))
  const value = (name: string): number => {
    const index = heads.indexOf(name)
    return index < 0 ? 0 : Number(values[index] ?? 0)
  }
  return {
    md5NotFound: value(names.md5NotFound),
    md5Unexpected: value(names.md5Unexpected),
    md5Failure: value(names.md5Failure),
    minTtlDrop: value(names.minTtlDrop)
  }
}

/** By how much each has risen. */
export const risenSince = (before: TcpCounters, now: TcpCounters): TcpCounters => ({
  md5NotFound: now.md5NotFound - before.md5NotFound,
  md5Unexpected: now.md5Unexpected - before.md5Unexpected,
  md5Failure: now.md5Failure - before.md5Failure,
  minTtlDrop: now.minTtlDrop - before.minTtlDrop
})
