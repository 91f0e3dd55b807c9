import type { LinkAnswer, ProbeAnswer } from "./probe.ts"
import type { TcpCounters } from "./tcp-counters.ts"

/** What was found out about a session that does not come up. */
export interface Evidence {
  readonly hasPassword: boolean
  /** TTL that our segments leave with, if it is set: 1 keeps them on the link. */
  readonly ttl: number | undefined
  /** What the session itself came to: nothing came back, or the connection was there and nothing was said on it. */
  readonly end: "silent" | "unheard"
  /** The same connection without a password, where there is one. */
  readonly unsigned?: ProbeAnswer
  /** The same with the kernel's own TTL, where a smaller one is set. */
  readonly ordinaryTtl?: ProbeAnswer
  /** The same with TTL 255. */
  readonly fullTtl?: ProbeAnswer
  /** Whether the host itself says anything. */
  readonly host: ProbeAnswer
  readonly link: LinkAnswer
}

/** What asking otherwise shows, a sentence: what was seen, and what it means for whoever runs either side. */
export const judgeEvidence = (evidence: Evidence): ReadonlyArray<string> => {
  const probed = fromProbes(evidence)
  return probed.length > 0 ? probed : [fromPresence(evidence)]
}

/**
 * What the kernel dropped that could be this session's, a sentence each: it counts for all sessions of the node together. Told by
 * how much its counters have risen since the session last came up, or its speaker began.
 */
export const judgeDropped = (
  { md5NotFound, md5Unexpected, md5Failure, minTtlDrop }: TcpCounters,
  { peer, hasPassword }: { readonly peer: string; readonly hasPassword: boolean }
): ReadonlyArray<string> => {
  return [
    ...(hasPassword && md5Failure > 0
      ? [
          `this node's kernel, which counts for all its sessions together, dropped ${md5Failure} segments that were signed with another password than ours (TCPMD5Failure): the passwords of both sides differ`
        ]
      : []),
    ...(hasPassword && md5NotFound > 0
      ? [
          `this node's kernel, which counts for all its sessions together, dropped ${md5NotFound} segments without a signature, where a password is set (TCPMD5NotFound): the other side has none`
        ]
      : []),
    ...(!hasPassword && md5Unexpected > 0
      ? [
          `this node's kernel, which counts for all its sessions together, dropped ${md5Unexpected} signed segments, where no password is set (TCPMD5Unexpected): the other side has one, so ${peer} needs spec.password or spec.passwordSecret`
        ]
      : []),
    ...(minTtlDrop > 0
      ? [
          `this node's kernel, which counts for all its sessions together, dropped ${minTtlDrop} segments with a lower TTL than is asked for (TCPMinTTLDrop): the other side does not send with TTL 255, or is further away`
        ]
      : [])
  ]
}

const answers = (answer: ProbeAnswer | undefined): boolean => answer === "open" || answer === "refused"

/** One thing changed at a time, what is answered then is what was wrong. */
const fromProbes = ({ unsigned, ordinaryTtl, fullTtl, end, ttl }: Evidence): ReadonlyArray<string> => {
  if (answers(unsigned))
    return ["it answers a connection without a password: it has none for this node, and here one is set"]
  if (end === "silent" && ttl === 1 && answers(ordinaryTtl)) {
    return [
      "it answers segments that may travel further than our link: it is more than one hop away, which spec.ebgpMultiHop of the BGPPeer allows"
    ]
  }
  if (end === "silent" && answers(fullTtl)) {
    return [
      "it answers with TTL 255 alone: it asks for that (GTSM, `ttl-security`), which lowtide.dev/ttl-security-hops of the BGPPeer has us send"
    ]
  }
  if (end === "unheard") {
    return [
      "it takes the connection and what we say on it does not reach it: most often it asks for TTL 255 (GTSM, `ttl-security`), which lowtide.dev/ttl-security-hops of the BGPPeer has us send, or a filter in between lets no data through"
    ]
  }
  return []
}

/** Nothing is certain: whether the router is there at all, and what is left to look at. */
const fromPresence = ({ host, link, hasPassword, ttl }: Evidence): string => {
  const seen = answers(host)
    ? "it is there (it answers by ICMP)"
    : link === "known"
      ? "it is there (it answers on the link)"
      : undefined
  if (seen === undefined) {
    return link === "silent"
      ? "it does not answer on the link (no ARP reply): it is down, or on another link or VLAN"
      : "nothing of it answers, neither TCP nor ICMP: it is down, or the path to it is broken or filtered"
  }
  const rest = ttl === 1 ? ", or TTL 255 (GTSM)" : ""
  return hasPassword
    ? `${seen}, and answers no TCP segments, signed or not: it has another password for this node${rest}, or a filter drops them`
    : `${seen}, and answers no TCP segments without a signature: it has a password for this node${rest}, or a filter drops them`
}
