import { isDeepStrictEqual } from "node:util"
import type { PeerOptions } from "./peer.ts"

/** When a changed option takes effect: at once, at the next connection, or only with another session in place of this one. */
type Effective = "at-once" | "next-connection" | "new-session"

/** By option. A new session is needed for what stands in the OPEN, and for who is on either end of the connection. */
const effective: { readonly [Option in keyof Required<PeerOptions>]: Effective } = {
  name: "new-session",
  host: "new-session",
  whyNoAddress: "next-connection",
  port: "new-session",
  localAddress: "new-session",
  localAsn: "new-session",
  peerAsn: "new-session",
  routerId: "new-session",
  holdTimeSeconds: "new-session",
  md5Key: "next-connection", // another key: this one's segments are signed as they were; with or without one: below
  ttl: "next-connection",
  ttlMin: "new-session", // segments from afar are not to get in any longer
  device: "new-session",
  gracefulRestart: "new-session",
  role: "new-session",
  isRoleStrict: "next-connection",
  prefixesReceivedMax: "at-once", // where there was one; without any nothing was counted: below
  sendHoldTimeSeconds: "at-once",
  isDialled: "new-session",
  keepaliveTimeSeconds: "at-once", // a matter of each side alone, which the OPEN does not tell (RFC 4271 §4.4)
  connectRetrySeconds: "at-once",
  families: "new-session",
  nextHops: "at-once" // every route is told anew, with no withdrawal between
}

const optionNames = Object.keys(effective) as ReadonlyArray<keyof PeerOptions>

/** The options for whose change the session has to end and begin anew; the order is that of `PeerOptions`. */
export const changesSession = (now: PeerOptions, wanted: PeerOptions): ReadonlyArray<keyof PeerOptions> =>
  optionNames.filter((option) => {
    if (option === "md5Key") return (now.md5Key === undefined) !== (wanted.md5Key === undefined)
    if (option === "prefixesReceivedMax") return now[option] === undefined && wanted[option] !== undefined
    return effective[option] === "new-session" && !isDeepStrictEqual(now[option], wanted[option])
  })
