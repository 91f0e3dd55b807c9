/** What a NOTIFICATION says of who is to do what; `peer` is the router, `we` this node. */
interface Meaning {
  readonly sent: string
  readonly received: string
}

/**
 * NOTIFICATIONs for the person who runs either side, by `code/subcode`: RFC 4271 §4.5 and §6, Cease of RFC 4486 and 9003,
 * 5492, 6608, 7313, 8538, 9234, 9384 and 9687.
 */
const meanings: Readonly<Record<string, Meaning>> = {
  "1/1": {
    sent: "what it sent is not BGP",
    received: "what we sent did not look like BGP to it: something between changes octets"
  },
  "1/2": {
    sent: "it sent a message of a length that cannot be",
    received: "a message of ours had a length that it does not take"
  },
  "1/3": {
    sent: "it sent a message of a type that nobody knows",
    received: "it does not know the type of a message of ours"
  },
  "2/1": { sent: "it speaks another version of BGP", received: "it does not speak BGP version 4" },
  "2/2": {
    sent: "it is in another AS than spec.peerASN of the BGPPeer says",
    received: "it has this node as a neighbour of another AS: compare its remote-as with spec.myASN of the BGPPeer"
  },
  "2/3": {
    sent: "its router id is none, or is ours",
    received: "it does not take our router id: is another node's the same?"
  },
  "2/4": { sent: "its OPEN has a parameter that cannot be read", received: "it does not know a parameter of our OPEN" },
  "2/6": { sent: "its hold time of one or two seconds cannot be", received: "it does not take our hold time" },
  "2/7": {
    sent: "it lacks a capability that we ask for",
    received: "it asks for a capability or an address family that we do not offer"
  },
  "2/11": {
    sent: "its role does not fit ours",
    received:
      "our role does not fit its own, or it insists on one (strict mode) and the BGPPeer has none: its annotation lowtide.dev/role says it"
  },
  "4/0": {
    sent: "nothing came from it for the hold time: it is down, too busy, or the path from it is broken",
    received: "nothing of ours came to it for the hold time: this node was too busy, or the path to it is broken"
  },
  "5/0": {
    sent: "its message did not fit the state of the session",
    received: "a message of ours did not fit the state of its session"
  },
  "6/0": {
    sent: "we ended it",
    received: "it ended the session and does not say why: BIRD does so when its BFD loses this node"
  },
  "6/1": {
    sent: "it announced more prefixes than we take",
    received: "we announce more prefixes than it takes: raise its limit or announce less, and clear the session there"
  },
  "6/2": { sent: "we were stopped on purpose", received: "somebody has shut the neighbour down at it" },
  "6/3": {
    sent: "the BGPPeer is gone, or is not for this node",
    received: "this node was taken out of its configuration"
  },
  "6/4": {
    sent: "we began the session anew on purpose",
    received: "somebody has cleared the session at it; it comes back by itself"
  },
  "6/5": {
    sent: "we do not take the connection",
    received: "it does not take a connection from this address: it has no such neighbour, or has disabled it"
  },
  "6/6": { sent: "our configuration changed", received: "its configuration changed; it comes back by itself" },
  "6/7": {
    sent: "both sides had opened a connection, and the other one stays",
    received: "both sides had opened a connection, and the other one stays"
  },
  "6/8": { sent: "this node is out of memory or the like", received: "it is out of memory or the like" },
  "6/9": {
    sent: "we left for good, so that it drops our routes at once",
    received: "it ended the session for good, and drops our routes at once"
  },
  "6/10": { sent: "BFD says that the path is broken", received: "its BFD says that the path to us is broken" },
  "8/0": {
    sent: "it took no octets of ours for the send hold time: it does not read",
    received: "it could not send to us for its send hold time: this node does not read"
  }
}

const byCode: Readonly<Record<string, Meaning>> = {
  "1": { sent: "what it sent is not BGP", received: "what we sent did not look like BGP to it" },
  "2": { sent: "its OPEN is not acceptable", received: "it does not accept our OPEN" },
  "3": {
    sent: "an UPDATE of its cannot be read",
    received: "it could not read an UPDATE of ours: please report it, with a capture"
  },
  "5": {
    sent: "its message did not fit the state of the session",
    received: "a message of ours did not fit the state of its session"
  },
  "6": { sent: "we ended it", received: "it ended the session" },
  "7": { sent: "its ROUTE-REFRESH cannot be read", received: "it could not read a ROUTE-REFRESH of ours" }
}

/** The meaning of a NOTIFICATION as it is named, such as `2/2 Bad Peer AS`; undefined where nothing is known of its code. */
export const notificationMeaning = (name: string, direction: "sent" | "received"): string | undefined => {
  const [, code = "", subcode = ""] = /^(\d+)\/(\d+)/.exec(name) ?? []
  return (meanings[`${code}/${subcode}`] ?? byCode[code])?.[direction]
}
