import { type BgpNotification, innermost, notificationName, notificationText } from "../wire/notification.ts"
import type { ExpectedAsn } from "./config.ts"
import type { EndCause, State } from "./machine.ts"

/** What an explanation names: the peer as its configuration calls it, and both AS numbers. */
export interface PeerIdentity {
  readonly name: string
  readonly host: string
  readonly localAsn: number
  readonly peerAsn: ExpectedAsn
  /** There, if segments are signed with a password. */
  readonly md5Key?: unknown
  /** What segments leave with; 1 reaches the link alone. */
  readonly ttl?: number
}

/** One sentence on why a session ended or did not come to be, for the person who runs either side. */
export const explainEnd = (
  peer: PeerIdentity,
  from: State["_tag"],
  cause: EndCause,
  /** What the peer said when it last ended a session, where it keeps to that until somebody changes something there. */
  standing?: BgpNotification
): string => {
  const who = `peer ${peer.name} (${peer.host})`
  const isUp = from === "Established"
  switch (cause._tag) {
    case "ConnectFailed":
      return `${who} cannot be reached: ${cause.reason}${silenceHint(peer, cause.reason)}`
    case "ConnectionClosed":
      if (isUp) return `session with ${who} ended: the TCP connection was lost (${cause.reason})`
      return standing !== undefined
        ? `${who} takes no session (it closes the TCP connection: ${cause.reason}) since ${receivedText(peer, standing)}`
        : `${who} took the TCP connection but closed it before the session was up (${cause.reason}); ${closedHint}`
    case "NotificationSent":
      return `session with ${who} ${isUp ? "ended" : "not opened"}: ${cause.reason}; NOTIFICATION ${notificationName(cause.notification)} sent by us`
    case "NotificationReceived": {
      const what = isUp ? "ended the session" : "refused the session"
      return `${who} ${what}: ${receivedText(peer, cause.notification)}`
    }
    case "PathFailed": {
      const told = cause.notification
      const how =
        told === undefined
          ? "the connection is closed without a NOTIFICATION, so that the peer keeps our routes for the restart time"
          : `NOTIFICATION ${notificationName(told)} sent by us`
      return `session with ${who} ended: ${cause.reason}; ${how}`
    }
    case "Stopped":
      return `session with ${who} stopped by us${cause.notification === undefined ? "" : `: ${notificationName(cause.notification)}`}`
  }
}

/** What came, with the text of whoever runs the peer and what it mostly comes of. */
const receivedText = (peer: PeerIdentity, found: BgpNotification): string => {
  const within = innermost(found)
  const hint = refusalHint(peer, within)
  const text = notificationText(found)
  const said = text === undefined ? "" : ` with the text ${JSON.stringify(text)}`
  const name = notificationName(found) + (within === found ? "" : ` (${notificationName(within)})`)
  return `NOTIFICATION ${name} sent by the peer${said}${hint === undefined ? "" : `; ${hint}`}`
}

/**
 * Whether a peer that sends it takes no session from us until somebody changes something at it: routers then close our
 * connections, or reset them, without a word.
 */
export const isStanding = (found: BgpNotification): boolean => {
  const { code, subcode } = innermost(found)
  return code === 6 && (subcode === 1 || subcode === 2 || subcode === 3 || subcode === 5)
}

/** A kernel says nothing of segments that are signed wrongly, or not, and a router nothing of those whose TTL is used up. */
const silenceHint = ({ md5Key, ttl }: PeerIdentity, reason: string): string => {
  if (!reason.startsWith(noAnswer)) return ""
  const aboutPassword =
    md5Key === undefined
      ? "; a router that asks for a password does not answer without one"
      : "; a password is set for it: a router with another one, or none, does not answer"
  const aboutTtl = "; with TTL 1 it is reached on our own link alone: one further away needs ebgpMultiHop"
  return ttl === 1 ? aboutPassword + aboutTtl : aboutPassword
}

/** What a connection attempt comes to when nothing comes back. */
export const noAnswer = "no answer to the TCP connection request"

const closedHint = "most often it has no neighbour configured with our address"

/** What to look at, for refusals that have one usual cause. */
const refusalHint = (peer: PeerIdentity, { code, subcode }: BgpNotification): string | undefined => {
  switch (`${code}/${subcode}`) {
    case "2/2":
      return `it expects another ASN than our ${peer.localAsn}`
    case "2/3":
      return "it does not accept our router id, perhaps because another speaker has the same"
    case "2/6":
      return "it does not accept our hold time"
    case "2/11":
      return "the BGP roles of both sides do not fit: a provider's neighbour is a customer, a peer's a peer"
    case "2/7":
      return "it asks for a capability or an address family that we do not offer"
    case "4/0":
      return "it heard nothing from us for the hold time"
    case "6/1":
      return "it accepts fewer prefixes than we announce: raise its limit, or announce less"
    case "8/0":
      return "it could not send us anything for its send hold time: this node did not read"
    case "6/3":
      return "it no longer has us as a neighbour"
    case "6/5":
      return "it has no neighbour configured with our address, or the neighbour is disabled"
    case "6/10":
      return "its BFD session with us went down: it counts the path as broken"
    default:
      return undefined
  }
}
