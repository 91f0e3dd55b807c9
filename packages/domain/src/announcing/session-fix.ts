import { codes, type FindingCode } from "../config/codes.ts"

/** What to do about a router that refuses a session or ended one, by the NOTIFICATION that it sent. */
const fixes: Readonly<Record<string, string>> = {
  "2/2": "Correct spec.myASN of the BGPPeer, or the AS that the router has for this node as its neighbour",
  "2/3": "Give the node a router id that no other speaker has (spec.routerID of the BGPPeer)",
  "2/6": "Correct spec.holdTime of the BGPPeer, or the least hold time that the router takes",
  "2/7": "Look in the router's log for the capability that it asks for, and take that demand away there",
  "2/11":
    "Give the BGPPeer, by its annotation lowtide.dev/role, the counterpart of the router's role (provider and customer, rs and rs-client, peer and peer), or change it at the router",
  "4/0": "Check whether the node is out of processor time, and the path from it to the router",
  "6/0": "Look in the router's log why it ended the session, and whether its BFD has lost this node",
  "6/1": "Raise the router's limit of prefixes for this node, or announce less, and then clear the session there",
  "6/2": "Ask who shut the neighbour down at the router; it comes back once it is enabled there",
  "6/3": "Make this node's address a neighbour at the router again",
  "6/4": "Nothing: it comes back by itself",
  "6/5": "Make this node's address a neighbour at the router, or enable the one that is there",
  "6/6": "Nothing: it comes back by itself; if it does not, compare what was changed at the router with the BGPPeer",
  "6/7": "Nothing: the other connection stays",
  "6/8": "See what the router lacks: memory, or room in its tables",
  "6/9": "Look in the router's log for who ended the session, and why",
  "6/10": "Check the path between the node and the router, and BFD at both ends",
  "8/0": "Check whether the node is out of processor time, and the path from the router to it"
}

/** What to do where no session was refused, by what was found: the words of the peer's transport and of `explainEnd`. */
const reasonFixes: ReadonlyArray<readonly [found: RegExp, fix: string]> = [
  [
    /our local address .* is not on this node/,
    "Correct spec.sourceAddress of the BGPPeer, or give the node that address"
  ],
  [/no such device on this node/, "Correct spec.vrf of the BGPPeer, or make the device on the node"],
  [
    /nothing listens on TCP port/,
    "See that BGP runs at the router, at spec.peerAddress and spec.peerPort of the BGPPeer"
  ],
  [/no route to its network/, "Give the node a route to the router, or correct spec.peerAddress of the BGPPeer"],
  [
    /closed it before the session was up/,
    "Make this node's address a neighbour at the router; if it is one, the router's log says why it closes the connection"
  ],
  [
    /no answer to the TCP connection request/,
    "Compare the passwords and the TTL security of both ends, spec.peerAddress and spec.peerPort of the BGPPeer, and see that the router is up and no firewall drops TCP"
  ]
]

/**
 * What to do about a session with this code. More than the code says what was found: the NOTIFICATION with which the router refuses it
 * (of a Hard Reset the one within, of its text nothing), or what came of the connection.
 */
export const sessionFix = (code: FindingCode, reason: string): string => {
  const [, outer = "", within = outer] = /NOTIFICATION (\d+\/\d+)[^(";]*(?:\((\d+\/\d+))?/.exec(reason) ?? []
  const special =
    code === "LT0302"
      ? fixes[within]
      : code === "LT0301"
        ? reasonFixes.find(([found]) => found.test(reason))?.[1]
        : undefined
  return special ?? codes[code].fix
}
