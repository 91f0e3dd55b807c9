import type { Severity } from "./finding.ts"

/** What one code stands for. `docs/reference/codes.md` is generated from these. */
export interface CodeEntry {
  readonly severity: Severity
  /** What is so, in a few words. */
  readonly title: string
  /** How it comes about, and what follows from it. */
  readonly cause: string
  /** What to do; a finding may say it more exactly. */
  readonly fix: string
}

const error = (title: string, cause: string, fix: string): CodeEntry => ({ severity: "error", title, cause, fix })
const warning = (title: string, cause: string, fix: string): CodeEntry => ({ severity: "warning", title, cause, fix })

/**
 * Every code there is. A code keeps its meaning for good: it is never reused, and what it says to do may only become
 * better. LT01 configuration, LT02 giving out addresses, LT03 BGP, LT04 intents, LT05 the control plane, LT06 people's orders.
 */
export const codes = {
  LT0101: error(
    "the document does not parse",
    "A YAML or JSON document is malformed, not UTF-8, repeats a key, is nested deeper than 200 levels, or has aliases that expand to more than 400,000 nodes. The other documents of the file are read all the same; objects read from the file before stay in effect until it parses again.",
    "Correct the syntax at the line named"
  ),
  LT0102: error(
    "the object is not a Kubernetes object",
    "A document lacks apiVersion, kind or metadata.name, or is not a mapping, so it cannot be told what it configures.",
    "Give it apiVersion, kind and metadata.name"
  ),
  LT0103: error(
    "unknown apiVersion of a kind that is read",
    "The kind is known, but not in this version. The object is not read: fields of another version may mean something else.",
    "Write the object in the version expected"
  ),
  LT0104: warning(
    "unknown field",
    "The field is not one of this kind: most often a spelling or indentation error, or a field of a newer version. It has no effect; the rest of the object has.",
    "Correct the name or remove the field"
  ),
  LT0105: error("wrong type", "The value is of another type than the field's.", "Write the value as the type expected"),
  LT0106: error("required field missing", "The object cannot take effect without this field.", "Add the field"),
  LT0107: error(
    "unknown value",
    "The field takes one of a few words and this is none of them.",
    "Use one of the values expected"
  ),
  LT0108: error(
    "number out of range",
    "The number lies outside what the field allows.",
    "Use a number in the range expected"
  ),
  LT0109: error(
    "not an IP address",
    "The text is no IPv4 or IPv6 address, or none that can stand there, such as one of multicast for a router.",
    "Write one address, without a prefix length, a zone or zeros in front"
  ),
  LT0110: error(
    "not an address range",
    "The entry is neither a prefix nor a range of one IP version from the lower to the higher address.",
    "Write a prefix such as 192.0.2.0/24 or a range such as 192.0.2.10-192.0.2.40"
  ),
  LT0111: error(
    "not an AS number",
    "AS numbers are 1 to 4294967295; 0 is reserved (RFC 7607).",
    "Write a number in 1..4294967295"
  ),
  LT0112: error(
    "not a community",
    "The text is neither a standard community, a large community nor a well-known name.",
    "Write 64496:100, or large:64496:1:2"
  ),
  LT0113: error(
    "not a label selector",
    "A requirement of the selector is malformed, such as In without values or Exists with some.",
    "Write matchLabels, or matchExpressions with operator In, NotIn, Exists or DoesNotExist"
  ),
  LT0114: error("duplicate entry", "The list has the same entry twice.", "Remove one of the two"),
  LT0115: error(
    "fields that exclude each other",
    "Both fields are set and only one may be.",
    "Remove one of the two fields"
  ),
  LT0116: error(
    "keepalive time longer than hold time",
    "The peer would end the session before the next keepalive (RFC 4271 §10 suggests a third of the hold time).",
    "Make keepaliveTime at most holdTime, best a third of it"
  ),
  LT0117: error(
    "setting of external peers on an internal one",
    "The peer is in our own AS: an internal session has no hop limit that ebgpMultiHop could lift, and no role (RFC 9234).",
    "Remove the setting, or correct the AS numbers"
  ),
  LT0118: error(
    "serviceSelectors with an aggregate",
    "A route of an aggregate belongs to many Services, so it cannot be for some of them only.",
    "Use aggregationLength 32 and aggregationLengthV6 128, or remove serviceSelectors"
  ),
  LT0119: error(
    "more than one requested address of an IP version",
    "A Service has at most one address of each IP version.",
    "Ask for one IPv4 address, one IPv6 address, or one of each"
  ),
  LT0120: error(
    "ranges of one pool overlap",
    "Two entries of spec.addresses have addresses in common.",
    "Make the ranges disjoint"
  ),
  LT0121: error(
    "pools overlap",
    "Two pools of one cluster, or two of the fleet's pools in one network, have addresses in common. An AddressPool that overlaps another is refused. In a cluster the older pool stays in effect (by creationTimestamp, else by name), the other is refused as a whole. The same range in pools of different clusters of one network is no fault: each address is still given once.",
    "Make the pools disjoint"
  ),
  LT0122: error(
    "object defined twice",
    "Two manifests have the same kind, namespace and name. The first in order of file, then of place in the file, stays in effect.",
    "Remove or rename one of the two"
  ),
  LT0123: error(
    "two peers with one address on a node",
    "A node holds one session to an address and port. The older peer stays in effect, the other is refused.",
    "Remove one, or give the two nodeSelectors that no node satisfies both of"
  ),
  LT0124: error(
    "unknown pool",
    "spec.ipAddressPools names a pool that does not exist or is refused. The other pools of the advertisement are announced.",
    "Create the pool, correct the name, or mend the pool where its own finding refuses it"
  ),
  LT0125: error(
    "unknown peer",
    "spec.peers names a peer that does not exist or is refused. The other peers of the advertisement are served.",
    "Create the peer, correct the name, or mend the peer where its own finding refuses it"
  ),
  LT0126: error(
    "unknown community alias",
    "No Community object that is in effect defines the name. The advertisement is refused: a route without a community that should limit it may travel too far.",
    "Define the name in a Community object, mend the object where its own finding refuses it, or write the community itself"
  ),
  LT0127: error(
    "community alias defined twice",
    "Two Community objects give one name different values. The older object's value is used.",
    "Keep the name in one object only"
  ),
  LT0128: error(
    "two preferences for one route",
    "Two advertisements of one pool, aggregation length, node and peer ask for different localPref, MED or AS path. The older stays in effect, the other is refused.",
    "Give both the same, or make pools, nodes or peers disjoint"
  ),
  LT0129: error(
    "aggregate wider than the pool",
    "A range of the pool does not fill a single block of the aggregation length, so the aggregate would announce addresses that are not the pool's.",
    "Use an aggregation length that the range fills"
  ),
  LT0134: warning("field without effect", "The field is known and read, but changes nothing here.", "Remove the field"),
  LT0135: warning(
    "unknown BFD profile",
    "spec.bfdProfile names a profile that does not exist or is refused. The session is held without BFD: a dead peer is noticed by the hold timer.",
    "Create the BFDProfile, correct the name, or mend the profile where its own finding refuses it"
  ),
  LT0136: warning("deprecated form", "The older spelling is still read.", "Use the newer spelling"),
  LT0137: warning(
    "the file is empty",
    "The file had objects and now has none at all, which is how an editor's write begins. Its objects stay in effect.",
    "Write the file again, or delete it to delete its objects"
  ),
  LT0138: error(
    "the folder is gone",
    "The folder of manifests cannot be read. Everything read from it before stays in effect.",
    "Bring the folder back; delete files in it to delete objects"
  ),
  LT0139: warning(
    "last good version stays in effect",
    "The object was changed into one with errors. What it said before stays in effect until they are corrected or the object is deleted.",
    "Correct the errors reported for the object"
  ),
  LT0140: error(
    "the file cannot be read",
    "The file exists but could not be read or is larger than the bound. Objects read from it before stay in effect.",
    "Check its permissions and size"
  ),
  LT0141: error(
    "not a name",
    "Names of objects are what Kubernetes allows: letters, digits, dashes and dots, at most 253 characters; names of network devices what Linux allows.",
    "Use a valid name"
  ),
  LT0142: warning(
    "change not carried out",
    "The object was changed, or deleted, so that it or others that are in effect would become invalid, and their routes would go. It stays as it was until it can be changed so, which then happens by itself.",
    "Correct the change, apply what it needs, or change the objects that rest on it"
  ),
  LT0143: error(
    "two peers meet on a node",
    "Both peers select the node and ask for a session to one address and port, of which a node holds one. The older peer has it there; the other has none there, and goes on elsewhere.",
    "Make their nodeSelectors disjoint, or delete one of them"
  ),
  LT0144: error(
    "object too large",
    "One object of this size cannot be carried to the centre. It is not read; what it said before stays in effect.",
    "Make it smaller: Kubernetes itself takes no annotations beyond 256 KiB, and labels are short"
  ),
  LT0145: error(
    "too many communities",
    "A route carries its communities in one BGP message of 4096 octets, beside those of other Advertisements of the same prefix.",
    "Keep to the communities that routers act on"
  ),
  LT0146: warning(
    "localPref 0 is none",
    "MetalLB's field takes 0 for not written, and its FRR backends leave the route the 100 that routers assume. Lowtide announces it with 100 as well; MetalLB's native backend sends 0.",
    "Remove localPref, or write a preference of 1 or more"
  ),
  LT0150: error(
    "two router ids on a node",
    "FRR has one router id a node, and two peers that meet on one name different ones. The older peer stays in effect, the other is refused.",
    "Give the peers one routerID, or nodeSelectors that no node satisfies both of"
  ),
  LT0151: error(
    "two AS numbers on a node",
    "FRR has one router a VRF and node, and two peers that meet there have different myASN. The older peer stays in effect, the other is refused.",
    "Give the peers one myASN, show the router another by localASN, put one of them into a VRF of its own, or give them nodeSelectors that no node satisfies both of"
  ),
  LT0152: error(
    "BFD echo with IPv6 routes",
    "FRR runs BFD's echo function over IPv4 only, and IPv6 addresses are advertised to the peer. The peer is refused.",
    "Set echoMode of the profile to false, or advertise IPv4 pools only to this peer"
  ),
  LT0153: warning(
    "kind not read",
    "The object is of a group whose kinds Lowtide reads, but of no kind that it knows: most often a spelling error, or a kind that has no counterpart here. It has no effect.",
    "Correct the kind, or remove the object"
  ),
  LT0154: warning(
    "two preferences for a Service's route",
    "Two advertisements, one of them with serviceSelectors, cover the Service's address on one node and peer and ask for different localPref, MED or AS path. The route is announced with what routers prefer: the higher localPref, the lower MED, the shorter path.",
    "Give both the same, or make their Services, nodes or peers disjoint"
  ),
  LT0155: warning(
    "addresses that no router takes",
    "The pool has addresses to which there are no routes: unspecified, loopback, link-local, multicast or broadcast ones. They are given out as the others are, and routers pass over what is announced of them. An AddressPool of the fleet with such addresses is refused.",
    "Take them out of spec.addresses"
  ),
  LT0160: error(
    "name of a pool of the fleet",
    "An AddressPool of the fleet has the name of a pool that the cluster has of its own. In that cluster the one that was there first is meant by it; a new one is refused.",
    "Rename one of the two"
  ),
  LT0161: warning(
    "pool beyond the allowed prefixes",
    "The pool selects a cluster that may not announce all of its addresses. That cluster is given the others only.",
    "Add the prefix to the cluster's allowedPrefixes, or leave the range out of the pool"
  ),
  LT0162: warning(
    "pool that selects no cluster",
    "No cluster of the pool's network has labels that its clusterSelector asks for, so nobody draws from it. An empty selector selects none.",
    "Correct the selector, the labels of the Cluster or the network; lowtide.dev/cluster is a label that every cluster has"
  ),
  LT0163: warning(
    "addresses that the cluster may not announce",
    "A pool of the cluster has addresses outside of spec.allowedPrefixes of its Cluster. A Service that is given one of them is not reachable there: every speaker refuses to announce it (LT0402).",
    "Take the range out of spec.addresses of the pool, or add the prefix to spec.allowedPrefixes of the Cluster and sign it for the nodes (`lowtide cluster allow`)"
  ),
  LT0201: error(
    "pool exhausted",
    "No pool that the Service may use has a free address of an IP version that it wants. What it has it keeps, announced; without any it is not reachable. It gets an address by itself as soon as one is free.",
    "Add a range to spec.addresses of a pool that it may use, or delete Services that hold addresses of one"
  ),
  LT0202: error(
    "requested address in no pool",
    "An address that is asked for (by metallb.io/loadBalancerIPs or spec.loadBalancerIP of a Service, by a Reservation, by a SharedAddress) is in no pool of the cluster, or not in the pool that is named beside it. Nothing is given in its place. What the Service has it keeps, announced; without any it is not reachable.",
    "Ask for an address of a pool (`lowtide get pools`), or add it to spec.addresses of one"
  ),
  LT0203: error(
    "requested address held by another",
    "The address that is asked for belongs to another Service or a reservation, perhaps in another cluster of the network, which keeps it. What the Service that asks has it keeps, announced; without any it is not reachable.",
    "See who has it with `lowtide who ADDRESS`; ask for another address, or release it there first"
  ),
  LT0204: error(
    "sharing refused",
    "Services share an address only with the same sharing key (metallb.io/allow-shared-ip), without a common protocol and port, and with the same spec.externalTrafficPolicy, under Local with the same selector as well. This one does not get the address that another has. What it has it keeps, announced; without any it is not reachable.",
    "Make the sharing keys equal, the ports distinct and the traffic policies the same (under Local the selectors as well), or ask for another address"
  ),
  LT0205: error(
    "pool not allowed for the Service",
    "The pool that the Service names, or that has the address that it asks for, leaves out the Service's namespace or labels by its spec.serviceAllocation. What it has it keeps, announced; without any it is not reachable.",
    "Ask for another pool, or widen spec.serviceAllocation of this one"
  ),
  LT0206: error(
    "unknown pool named",
    "metallb.io/address-pool of the Service, or spec.pool of a Reservation, names a pool that the cluster does not have, or that is refused for a fault of its own. No other pool is taken in its place. What it has it keeps, announced; without any it is not reachable.",
    "Correct the name (`lowtide get pools`), create the pool, or mend what `lowtide get findings` says of it"
  ),
  LT0207: error(
    "IP versions do not match",
    "The addresses that the Service asks for are not one of each IP version that it has by spec.clusterIPs, or are of two pools; or it requires two IP versions and its cluster gave it one. What it has it keeps, announced; without any it is not reachable.",
    "Ask for one address of each IP version in spec.clusterIPs of the Service, all of one pool, or for none; let spec.ipFamilyPolicy require no more than the cluster gives"
  ),
  LT0208: error(
    "no pool for the Service",
    "No pool gives this Service an address unless it is asked by name: each has spec.autoAssign: false, or leaves out its namespace or labels by spec.serviceAllocation, or there is none. The Service has no address and is not reachable.",
    "Create a pool for it, or let one admit it with spec.autoAssign: true, or name a pool by metallb.io/address-pool"
  ),
  LT0209: error(
    "requested address not free yet",
    "The address that is asked for was another's and rests: a node has yet to confirm that it withdrew it, or its quarantine is not over. What it has it keeps, announced; without any it is not reachable. The Service gets it by itself as soon as it is free.",
    "Wait (`lowtide get vips` names the nodes that have yet to confirm), or ask for another address"
  ),
  LT0210: error(
    "requested address is avoided",
    "The pool has spec.avoidBuggyIPs and the address that is asked for ends in .0 or .255. What it has it keeps, announced; without any it is not reachable.",
    "Ask for another address, or set spec.avoidBuggyIPs of the pool to false"
  ),
  LT0211: warning(
    "pool deleted while in use",
    "The pool was deleted while Services hold addresses of it. They keep them and their routes; the pool gives out nothing more, also not by name, and is gone when the last of its addresses is released.",
    "Let the Services named ask for another pool or delete them, or apply the pool again to keep it"
  ),
  LT0212: error(
    "network cannot change now",
    "A cluster was given another network while it has addresses of its own. They are unique in their network only, so it stays there, and all of them stay announced.",
    "Set spec.network of the Cluster back, or delete the cluster's Services of type LoadBalancer first and apply the Cluster again"
  ),
  LT0213: error(
    "quota used up",
    "The Services of the cluster, or of the namespace, have as many addresses as a quota allows, and this one wants one more. What it has it keeps, announced; without any it is not reachable. It gets an address by itself as soon as there is room.",
    "Delete a Service there, or raise spec.addresses of the Quota; `lowtide get quotas` shows who waits"
  ),

  LT0214: warning(
    "class no longer served",
    "The Service has an address, and its cluster has another loadBalancerClass served by now. That takes nothing from it: it keeps its addresses and stays announced, and gets no others. They are released when it is deleted or is of another type or class.",
    "To go on serving it, write its class as spec.loadBalancerClass of the Cluster again; to let it go, delete it or change its type"
  ),
  LT0215: warning(
    "addresses in use that the pool has no more",
    "The pool was made smaller, and Services hold addresses that it does not have any more. They keep them and their routes for as long as they want them; nobody else gets one, also not by name. Under deletionPolicy Retain an AddressPool is not made smaller in this way at all.",
    "Let the Services named ask for other addresses or delete them, or give the pool its addresses back"
  ),
  LT0220: error(
    "addresses are in use",
    "The change, or the deletion, of a pool would take addresses out of it that Services hold or reservations keep; or that of a shared address would leave two clusters with it that one alone may have. The object stays as it was, and everything stays announced.",
    "Move who has them first, or set spec.deletionPolicy: Retire to let them keep what they have until they leave"
  ),
  LT0221: warning(
    "move that cannot end",
    "The Service has another address by now that no node may announce. The address that it had before stays announced, so that nothing is lost; at the new one it is not reachable.",
    "Let a BGPAdvertisement cover the new pool for some node, and spec.allowedPrefixes of the Cluster its addresses; or let the Service ask for its old address again"
  ),
  LT0301: error(
    "peer unreachable",
    "No TCP connection to the peer could be made, or the one that there was broke off. The node announces nothing to this peer until the session is up again; it is tried again by itself.",
    "Check spec.peerAddress and spec.peerPort of the BGPPeer, the route and the firewalls to it, and that the peer expects this node"
  ),
  LT0302: error(
    "peer refused the session",
    "The peer ended the session with a NOTIFICATION, which is told as what was found; one that ended it for too many prefixes or because somebody shut the neighbour down closes connections in silence after that, and is told by what it said. The node announces nothing to this peer until the session is up again; it is tried again by itself.",
    "Compare spec.myASN, spec.peerASN and the node's address with the peer's configuration; the peer's own log says why"
  ),
  LT0303: warning(
    "no next hop for the IP version",
    "The node has no address of the routes' IP version to give as next hop, so they are not announced to this peer. The other IP version is.",
    "Give the Node an InternalIP of that IP version, peer over it, or set LOWTIDE_NEXT_HOP_IPV4 or LOWTIDE_NEXT_HOP_IPV6 of the speaker"
  ),
  LT0304: warning(
    "hold timer expired",
    "Nothing was heard from the peer for the hold time, so the session ended, and the peer's routes through this node with it once it notices. It is tried again by itself.",
    "Check the peer, the path to it, and whether the node is out of processor time"
  ),
  LT0305: error(
    "peer's OPEN not acceptable",
    "The peer presents another AS number, router id or version than it must, so there is no session and nothing is announced to it. It is tried again by itself.",
    "Correct spec.peerASN of the BGPPeer, or the AS number or router id at the peer"
  ),
  LT0306: warning(
    "IP version not negotiated",
    "The peer does not take routes of this IP version, so they are not announced to it. The other IP version is.",
    "Activate the address family for this session on the peer"
  ),
  LT0307: warning(
    "speaker silent",
    "The node's speaker tells its status every 20 s at least and has not for 45 s: it has ended or hangs, or is cut off from NATS. What it said last is no longer shown. A speaker that is only cut off keeps its sessions and announces on; of one that has ended the routers keep what they are set to keep.",
    "Look at the speaker's process and its connection to NATS; what its routers still have is theirs to say. Of a node that never comes back: `lowtide node retire CLUSTER/NODE`"
  ),
  LT0308: error(
    "password not on the node",
    "The peer asks for a password (TCP-MD5) that the node's speaker cannot read, so it does not connect, rather than connect without one. The node announces nothing to this peer until the password is there; it is looked for at each attempt.",
    "Put the Secret's password where LOWTIDE_SECRETS_DIR of the speaker points, as NAMESPACE/NAME/password, or correct spec.passwordSecret"
  ),
  LT0309: warning(
    "routes not all sent",
    "A session is up and its router has not been told of all that it is to have: it does not read, or not as fast as routes change, or it did not take up their IP version. No address that the session has yet to be told of is given to another.",
    "See that the router reads its BGP session and has time to; of an IP version that it did not take up: LT0306"
  ),
  LT0310: error(
    "peers cannot connect to the node",
    "The speaker is to listen for its peers (LOWTIDE_BGP_LISTEN) and cannot, or cannot tell two of them from each other. It still opens its sessions itself, and tries again by itself to listen; a peer that only waits for connections is served as before, one that only connects has no session.",
    "Give the speaker CAP_NET_BIND_SERVICE for a port below 1024, see that nothing else listens there and that address and interface are on the node; give two sessions with one router a spec.sourceAddress each"
  ),
  LT0311: warning(
    "BFD lost the peer",
    "BFD was up with the peer and then heard nothing from it for the detection time, or heard that the peer does not hear this node, so the BGP session was ended at once (RFC 5882). It is tried again by itself; nothing is announced to this peer until then.",
    "Check the link and the path to the peer, and whether the peer, or this node, is out of processor time"
  ),
  LT0312: error(
    "BFD process away",
    "Peers of this node are to be watched by BFD, and the node's BFD process does not answer the speaker: it does not run, or it hangs. No session is taken down for it: a dead peer is noticed by the hold timer, and the speaker connects again by itself.",
    "See that the node's BFD process runs beside the speaker, is not stopped (state T), and makes its socket where LOWTIDE_BFD_SOCKET of the speaker points; its log says why it does not"
  ),
  LT0313: error(
    "BFD session not possible",
    "The node's BFD process does not take the session that the peer's profile asks for. The BGP session is held without BFD: a dead peer is noticed by the hold timer. It is tried again by itself.",
    "Do what the process says it expects: most often the node has not the source address, or not the VRF's device"
  ),
  LT0314: error(
    "neighbour on the interface not known",
    "The peer is the router on an interface (unnumbered), which is known by its Router Advertisements, and nobody advertises itself there, or more than one does, or the speaker may not hear it. There is no session until exactly one router is heard; one that is up stays.",
    "See that the interface is up and the router sends Router Advertisements on it (FRR: `neighbor IFACE interface`), that no other router is on the segment, and that the speaker has CAP_NET_RAW; or name the peer by spec.peerAddress"
  ),

  LT0401: error(
    "bad signature",
    "A message is not signed by a key that the node, or the agent, trusts. It is ignored, and what was in effect before stays announced; changes do not arrive.",
    "See with `lowtide key list --in-use` whether the allocator's key (LOWTIDE_SIGNING_KEY_ID) is in the cluster's trust file; docs/guides/rotate-signing-keys.md has the order of things"
  ),
  LT0402: error(
    "prefix not allowed",
    "An intent names a prefix outside of the allowed prefixes that are signed for the cluster. It is ignored: the node does not announce the VIP, or goes on as before.",
    "Take the address out of the pool, or allow its prefix with `lowtide cluster allow` and bring the new file to the nodes"
  ),
  LT0403: warning(
    "stale stamp",
    "An intent is older than the one in effect, such as one that was long under way. It is ignored; what is announced stays.",
    "Nothing, unless it is repeated: then see with `lowtide get allocators` whether more than one leads"
  ),
  LT0404: error(
    "malformed message",
    "A message cannot be decoded. It is ignored, and what was in effect before stays.",
    "Bring speaker, agent and allocator to one release; `lowtide fleet version` says which one each has"
  ),

  LT0405: error(
    "trust not read anew",
    "The trust file or the allowed prefixes of a node changed to something that is not valid. What they said before stays in effect, and so does what is announced.",
    "Write both files by `lowtide cluster add` and `lowtide cluster allow`, for this cluster and signed by its install key"
  ),
  LT0406: error(
    "withdrawals held by the speaker's brake",
    "Within a minute the centre told a node to withdraw more than 30 % of its prefixes, and ten or more, without saying that this was ordered. The node keeps announcing what was in effect before, and confirms nothing of what it holds back, so that those addresses go to nobody else. What health withdraws is never held.",
    "Find out who or what wanted it (`lowtide history --cluster C`). If it is right: `lowtide brake release --cluster C --reason R`. If not: put back what was deleted or changed, and the announcements are as they were"
  ),
  LT0407: warning(
    "intents stale",
    "For a minute the node has not heard from the centre that what it holds is all there is, so it may lack changes. It announces on by what it holds, confirms no withdrawal beyond it, and reads everything again by itself.",
    "See that NATS and a leading allocator are up, that the node's user may read the cluster's subjects, and in the speaker's log what it refuses"
  ),

  LT0408: warning(
    "routes withheld by hand at a node",
    "A person at the node took routes away with `lowtide node withdraw`. The node keeps them away over restarts, whatever the centre says; the addresses stay with their Services, and other nodes announce them. Where nobody can read what was taken away, everything is.",
    "Once the reason is gone: `lowtide node restore PREFIX --reason R` at the node, or `--all`; `lowtide node status` there says what is withheld, by whom and why"
  ),
  LT0409: error(
    "a node announces nothing before the centre has spoken",
    "The node booted, and what its disk has is older than a day; or its disk cannot say how old that is; or some of what was in effect is lost from its disk. What it knows may be another's by now, so it announces none of it until NATS brings a head of the centre that agrees. Nodes whose state is whole and fresh announce on; where none of a cluster has that, as after a long power cut, nobody announces its addresses.",
    "See that NATS and a leading allocator are up, and that the node reaches NATS; with the centre away, a person who knows that its addresses are still this cluster's says so at the node: `lowtide node restore --all --reason R`, which old state heeds and lost state does not"
  ),

  LT0501: error(
    "database unavailable",
    "PostgreSQL does not answer the allocator. Nothing is assigned or released, and agents ask again by themselves; no route changes, and lost endpoints are withdrawn all the same.",
    "See that the database is up, and that DATABASE_URL of the allocator reaches it; the allocator goes on by itself"
  ),
  LT0502: error(
    "NATS unavailable",
    "NATS cannot be reached from this process. Changes wait; no route changes, and lost endpoints are withdrawn all the same.",
    "See that nats-server is up, and that LOWTIDE_NATS_URL of this process reaches it; it goes on by itself"
  ),
  LT0503: error(
    "fenced",
    "Another allocator has begun to lead. This one wrote nothing and ends; started again, it follows. No route changes.",
    "Nothing, when another allocator is meant to lead (`lowtide get allocators`)"
  ),
  LT0504: error(
    "an empty report is not believed",
    "A cluster reports that it has none of the objects of a kind that it had, Advertisements for one. Absence never withdraws: nothing of that kind is deleted, and what it has stays announced.",
    "Check the agent's folder (LOWTIDE_MANIFESTS); if they are to go, have one there again and delete it while the agent runs"
  ),
  LT0505: error(
    "the database has lost history",
    "NATS, or a speaker, holds messages that are newer than the ledger's newest, or of events that the ledger has otherwise; or a signed checkpoint covers more events than it has. A new incarnation begins by recovering: nothing is given, taken or published before it has merged what others remember; speakers keep what they have.",
    "Wait for those that `lowtide recover` names, if any; restore the missing events instead if they exist (docs/guides/recover-from-lost-history.md)"
  ),
  LT0506: error(
    "a command met a defect",
    "Deciding a command broke an invariant of the allocator. Nothing of it was stored: the object that it is about stays as it was, with its routes, and all others go on.",
    "Report it with the allocator's log; change the object to go on"
  ),
  LT0507: error(
    "malformed command",
    "A command cannot be decoded. It is refused: what it was to tell is not known to the centre, and everything announced stays.",
    "Bring the agent and the allocator to one release; `lowtide fleet version` says which one each has"
  ),
  LT0509: error(
    "command too large",
    "What the agent has to tell is larger than one message of the NATS server may be. It is not told, and what it is about stays as it was; everything else is told.",
    "Raise max_payload of nats-server; 8 MiB is enough for a cluster of 200,000 Services"
  ),
  LT0508: error(
    "a command about another cluster",
    "An agent speaks of a cluster other than the one whose subject it uses. It is refused, and no cluster changes.",
    "Correct LOWTIDE_CLUSTER of that agent"
  ),

  LT0510: warning(
    "a report that cannot be kept",
    "What a speaker or agent reported cannot be read, speaks of another node than its subject, or holds what the database cannot store. It is passed over: in the wire journal a row stands for it, and all others are there, so `who`, `history` and `trace` know less of that node than was so. What is announced is as it was. Shown at the node for an hour after the last one.",
    "See the reasons in `lowtide history node/CLUSTER/NODE`, and which releases run in `lowtide fleet version`; bring that node's speaker, or the cluster's agent, to the allocator's release"
  ),

  LT0511: error(
    "a node's stamp is not proven",
    "A node's status says that it holds what the log does not have, and shows nothing for it that the centre signed: no proof, an older one, one of another cluster, or one signed by a key that this allocator does not know. It is not believed, and nothing is changed by it. Shown until the log has come to it, and else for an hour after the last one.",
    "If the database was restored or replaced, and keys were rotated before, name them by LOWTIDE_TRUST_FILE of the allocators, or order `lowtide recover --reason WHY`, which believes everybody once. Else somebody speaks in that node's name: exchange the seeds of its cluster with `lowtide cluster rotate`"
  ),
  LT0512: error(
    "no allocator leads",
    "None of the allocators that are asked for their metrics leads. Nothing is assigned or released, and agents ask again by themselves; no route changes, and lost endpoints are withdrawn all the same.",
    "See that an allocator runs and that its database answers; its log says why it does not lead (`lowtide get allocators`)"
  ),

  LT0520: warning(
    "recovering lost history",
    "The log has lost history. What speakers hold and what statuses say is being merged; until then nothing is given, taken or withdrawn, and the command is to be sent again. Routes stay as they were.",
    "Wait, or see who is waited for with `lowtide recover`, and go on without them with `lowtide recover --finish --reason WHY`"
  ),
  LT0521: warning(
    "address reserved by a recovery",
    "Speakers hold this VIP, or a status names it, and the log had lost it. It is kept for the Service that is to come back; its routes stay as they are.",
    "Create the Service again, or let the address go with `lowtide recover --release ADDRESS --reason WHY`"
  ),
  LT0522: error(
    "an address is held by two",
    "After a loss of history two clusters hold a VIP, and no SharedAddress names both: each announced it when it was asked, or a node that was not heard in time holds it from before and another cluster was given it since. Both go on announcing: nobody can tell which of the two is wanted.",
    "Apply the SharedAddress again where it is to be shared; else have one of the two Services ask for another address. What a node holds is reserved then, and can be let go with `lowtide recover --release ADDRESS --reason WHY`"
  ),
  LT0530: error(
    "the ledger contradicts a signed checkpoint",
    "The events in the database are not those that a checkpoint outside of it was signed over: they were changed behind the ledger's back, or some of them were taken out. Nothing is decided and nothing is published; speakers keep what they have.",
    "Run `lowtide audit verify` on an export to find the first event that does not fit; put it back as it was, or restore a backup from before the change"
  ),
  LT0531: warning(
    "a checkpoint could not be written",
    "A signed checkpoint did not reach one of its places outside the database. It is tried again each second; what is changed in the log meanwhile is not proved there. No route changes by it.",
    "Make the folder LOWTIDE_CHECKPOINT_DIR writable and give it room; see that NATS is up"
  ),
  LT0532: warning(
    "no checkpoints are signed",
    "The allocator has no key and folder for checkpoints, so a change of the log behind its back cannot be told from the truth. Everything else is as ever.",
    "Set LOWTIDE_CHECKPOINT_KEY_FILE, LOWTIDE_CHECKPOINT_KEY_ID and LOWTIDE_CHECKPOINT_DIR"
  ),
  LT0533: error(
    "the current state is not what the log says",
    "A comparison of the database's tables with its log found a row that does not follow from the events: it was changed behind the ledger's back, or by a fault of ours. While the state of a stream differs, nothing is decided and nothing is published; speakers keep what they have. A difference in the history of addresses, in signed messages or in the log itself is told and stops nothing.",
    "See `lowtide ledger status`; find out who wrote to the database, then make the table anew from the log with `lowtide ledger rebuild state --confirm` (or history)"
  ),
  LT0534: error(
    "the ledger has no place for events",
    "The partitions that the next events need are missing, or cannot be made ahead. While one is there events are written; without, every command is answered with this, and nothing is lost. No route changes.",
    "See in the allocator's log what the database answers: give the allocator's role its rights again by starting it with LOWTIDE_MIGRATION_DATABASE_URL, attach a partition that was detached, make room on the disk"
  ),
  LT0535: error(
    "events are in an archive",
    "What is asked about stands on events that were archived and dropped from the database. No answer is given rather than a part of it.",
    "Ask about a later time, or load the segment back with `lowtide ledger restore-segment FILE`"
  ),
  LT0536: error(
    "a segment is not archived as it is",
    "What was to be recorded of a segment of the ledger is not what the database has, or comes out of its turn. Nothing was changed.",
    "Run `lowtide ledger archive` again; drop segments one after the other, the oldest first, and restore them the newest first"
  ),
  LT0540: error(
    "the log holds what this release does not know",
    "An event's type, or the version of its payload, is of a newer release. Deciding on the part that is understood could give an address twice: this allocator does not lead, and answers no question about it. Nothing is lost, no route changes, and an allocator of the newer release leads meanwhile.",
    "Upgrade this allocator to the release that wrote it, or a newer one"
  ),
  LT0541: error(
    "an event or a state is not what its version says",
    "What is stored is of a type and version that this release knows, and yet lacks something, or has it in another form: it was changed behind the ledger's back, or a release had a defect. Nothing is decided on it; speakers keep what they have.",
    "Run `lowtide audit verify` on an export; where the log is as it was signed, report the event, else restore a backup from before the change"
  ),
  LT0542: error(
    "the fleet's version is newer than this release",
    "What the fleet writes and sends was raised to a version that this release does not know. This allocator does not lead and answers nothing; another one leads meanwhile, and no route changes.",
    "Upgrade this process; once a version is finalised, no older release can be gone back to"
  ),
  LT0543: error(
    "not before the fleet's version is finalised",
    "This came with a newer release and is off until all processes of the fleet have that release, so that the one before can be gone back to. Nothing was changed.",
    "Upgrade what `lowtide fleet version` names, then run `lowtide fleet finalise --reason WHY`"
  ),
  LT0544: error(
    "a process holds the fleet's version back",
    "A process that is alive is older than the version that was to be finalised, or was not heard from since this allocator leads: it could not read what it would be sent. Nothing was changed.",
    "Upgrade or stop the processes named, wait until they are heard from, and finalise again"
  ),
  LT0550: warning(
    "a router's report cannot be used",
    "A router that reports by BMP sent what cannot be read, stopped in the middle of a message, or told more than is kept. The connection ended, or the table is known in part: that a route is not in it says nothing then. No route changes by it.",
    "Compare the octet and what was expected there with the router's release; narrow what it reports, or raise LOWTIDE_BMP_ROUTES_MAX or set LOWTIDE_BMP_PREFIXES of the allocator"
  ),
  LT0551: error(
    "a router lacks what nodes announce",
    "Nodes announce routes on sessions that are up, and the router that they go to reports by BMP that it does not have them: a filter, a limit on prefixes or a fault there. Traffic does not come by these nodes. Nothing is changed by the report.",
    "`lowtide get evidence` names node, peer and prefix; look at the router's import policy and limits for that neighbour"
  ),
  LT0552: error(
    "a router keeps what was withdrawn",
    "Every node has confirmed that it withdrew an address, and a router reports by BMP that it has a route to it from one of them. The address becomes free when its quarantine is over all the same: a report decides nothing.",
    "`lowtide get evidence` names node, peer and prefix; clear that neighbour's routes at the router, and find out why it kept them (graceful restart, a stuck session)"
  ),
  LT0553: warning(
    "a router reports no more",
    "A router that reported by BMP within the last hour does not report to this allocator any more. What it has is not known; no route changes by it.",
    "`lowtide get evidence -o json` has the routers that were lost, when and why; look at the router's BMP session, and at what is between the two"
  ),
  LT0601: error(
    "not authenticated",
    "The allocator has a tokens file, and the request has no token, or one that the file does not have. Nothing was answered or changed.",
    "Give the token with --token-file FILE or LOWTIDE_TOKEN; `lowtide token new` makes one"
  ),
  LT0602: error(
    "role missing",
    "The token's roles do not allow this, or not for this cluster or pool. Nothing was changed.",
    "Use a token that has the role named, or have the role added in the tokens file"
  ),
  LT0603: error(
    "a named person is needed",
    "Only a person whom a token names may do this: somebody has to answer for it. A machine's token will not do, nor will an allocator without a tokens file.",
    "Use the token of a person; without a tokens file, set LOWTIDE_TOKENS_FILE first"
  ),
  LT0604: error(
    "not known",
    "The order, or the object, names a cluster, a node, an address or an order that the log does not know. Nothing was changed.",
    "Correct the name; `lowtide get` lists what there is"
  ),
  LT0605: error(
    "node is still there",
    "A node is retired when it will never announce again. This one has its Node object, or its speaker was heard from just now, so it may announce.",
    "Delete the Node object and stop the node's speaker first; one that runs confirms its withdrawals by itself"
  ),
  LT0606: error(
    "address is not being withdrawn",
    "Only an address that was released, and that some node has yet to confirm, can be released by force. Nothing was changed.",
    "If a Service holds it: delete the Service, or its type LoadBalancer. If it rests, wait: it is free by itself (`lowtide who ADDRESS`)"
  ),
  LT0608: error(
    "an order is not approved by who gave it",
    "Withdrawals beyond the budget take a second person: whoever ordered them does not approve them. Nothing was changed; what they are about stays announced.",
    "Have another person approve it"
  ),
  LT0609: error(
    "the order is another by now",
    "More withdrawals have joined the order since it was looked at. What is approved is what was seen, so nothing was changed, and what the order is about stays announced.",
    "Look again (`lowtide get approvals`), and approve it as it is"
  ),
  LT0610: error(
    "tokens not read anew",
    "The tokens file of an allocator changed to something that is not valid, or cannot be read. The tokens that it named before stay good, those that were to go included.",
    "Correct the file; `lowtide token new` writes lines that are right"
  ),
  LT0611: error(
    "certificate not read anew",
    "The files of the API's certificate changed to something that is not valid: no certificate, no key, or not that certificate's. The one before stays in use, and ends when it ends.",
    "Write a certificate and its key to LOWTIDE_HTTP_CERT_FILE and LOWTIDE_HTTP_KEY_FILE again, both of one pair; no restart is needed"
  ),
  LT0612: warning(
    "certificate about to end",
    "The certificate of the API ends within a week. From then on no client believes the server.",
    "Write a new certificate and its key to LOWTIDE_HTTP_CERT_FILE and LOWTIDE_HTTP_KEY_FILE; no restart is needed"
  ),
  LT0620: warning(
    "withdrawals wait for a second person",
    "More addresses were released on command than the budget allows without a second person. The others stay announced, for the Services that had them, until a person approves the order or the Services come back.",
    "See what is meant to go, and who ordered it, with `lowtide get approvals -o wide`; then `lowtide approve ID --reason R` by a second person, or `lowtide reject ID --reason R`"
  ),
  LT0621: warning(
    "a change of configuration waits for a second person",
    "An object was changed or deleted, and more addresses would have no route by it than may be withdrawn on command without a second person. The new version is recorded, but routes go on by the one before, until somebody approves the order, or the change takes nothing any more: another object covers the same, or what was there is put back.",
    "See who changed it, and how many addresses it is about, with `lowtide get approvals -o wide`; then have a second person approve the order, or put the object back as it was"
  )
} as const satisfies Readonly<Record<`LT${number}`, CodeEntry>>

/** A stable code, `LT` and four digits. */
export type FindingCode = keyof typeof codes

/** Whether this release knows the code: another one may have written it. */
export const isFindingCode = (code: string | null): code is FindingCode => code !== null && Object.hasOwn(codes, code)
