import { codes } from "../config/codes.ts"
import { listText, plural } from "../words.ts"
import type { RouteView, SessionError, SessionView, WithheldOrders } from "./bgp-view.ts"
import type { FlapView } from "./flaps.ts"
import { notificationMeaning } from "./notification-meaning.ts"

/** `10 minutes ago` and the like, of a moment. */
export type AgoText = (instant: string) => string

/** What an on-call operator needs of one session, in sentences: how it is, why, what the last word of either side means, what to do. */
export const explainSession = (
  session: SessionView,
  flaps: ReadonlyArray<FlapView>,
  ago: AgoText
): ReadonlyArray<string> => {
  const { node, peer, peerAddress, peerPort, peerAsn, localAsn, state, since, why, lastErrors } = session
  const port = peerPort === 179 ? "" : ` port ${peerPort}`
  const who = `Session of node ${session.cluster}/${node} (AS ${localAsn}) with ${peer} (${peerAddress}${port}, AS ${peerAsn === 0 ? "any" : peerAsn})`
  const forText = since === null ? "" : ` (entered ${ago(since)})`
  const sentences =
    why === null
      ? [`${who} is Established${forText}: ${prefixText(session)}.`]
      : [
          `${who} is not established: ${state}${forText}${stateTexts[state] ?? ""}.`,
          `${capital(endless(why.reason))}${why.code === null ? "" : ` (${why.code})`}.`
        ]
  if (session.withheld !== undefined) sentences.push(withheldText(session.withheld, ago))
  if (session.evidence.length > 0) {
    const before =
      why === null ? "The one before ended with nothing heard on it, and this one may as well. When it did, the" : "The"
    sentences.push(`${before} node looked: ${session.evidence.map(endless).join("; ")}.`)
  }
  if (session.bfd !== null) sentences.push(...bfdTexts(session, session.bfd))
  for (const direction of ["received", "sent"] as const) {
    const error = lastErrors[direction]
    if (error !== null) sentences.push(errorSentence(error, direction, ago))
  }
  const flap = flaps.find(
    (each) => each.kind === "session" && each.name === peer && each.node === node && each.cluster === session.cluster
  )
  if (flap !== undefined) sentences.push(flapSentence(flap, ago))
  if (why?.fix != null) sentences.push(`What to do: ${endless(why.fix)}.`)
  return sentences
}

/** What a session waits for in a state (RFC 4271 §8.2.2), where a router that hangs would keep it. */
const stateTexts: Readonly<Record<string, string>> = {
  Connect: ": TCP to it is being opened",
  OpenSent: ": TCP is up, and its OPEN has not come; a BGP process that hangs does so, while its kernel answers",
  OpenConfirm: ": OPENs are exchanged, and its KEEPALIVE has not come"
}

/** BFD guards what is up, and whoever is on call must see where it does not. */
const bfdTexts = ({ state, bfdFault }: SessionView, bfd: string): ReadonlyArray<string> => {
  const unguarded = state === "Established" ? ", and only the hold time guards it" : ""
  if (bfdFault !== undefined) {
    const { code, message } = bfdFault
    const fix = code in codes ? [`What to do: ${endless(codes[code as keyof typeof codes].fix)}.`] : []
    return [`BFD is not run with it: ${endless(message)} (${code})${unguarded}.`, ...fix]
  }
  switch (bfd) {
    case "Up":
      return ["BFD with it is Up."]
    case "AdminDown":
      return [`BFD with it is out of use at this end (AdminDown)${unguarded}.`]
    case "Unknown":
      return [
        unguarded === ""
          ? "BFD is not run with it yet: it begins once TCP has reached the peer."
          : `BFD is not run with it yet: it is being set up${unguarded}.`
      ]
    default:
      return [
        unguarded === ""
          ? `BFD with it is ${bfd}.`
          : `BFD with it is ${bfd}${unguarded}: see at the router that BFD is set up with this node, over as many hops, and that nothing on the way drops UDP port 3784 (4784 over several hops).`
      ]
  }
}

const prefixText = ({ prefixesSent, prefixesWanted, withheld }: SessionView): string => {
  if (prefixesSent === 0 && prefixesWanted === 0) {
    return withheld === undefined
      ? "it is to have no prefix, and has none"
      : "it has no prefix, and is to have none now"
  }
  return prefixesSent === prefixesWanted
    ? `it has all ${plural(prefixesSent, "prefix", "prefixes")} that it is to have`
    : `it has ${prefixesSent} of the ${plural(prefixesWanted, "prefix", "prefixes")} that it is to have`
}

/** Orders that a sentence names; of more it has their number. */
const ordersMax = 3

/** Whoever finds routes missing must see that a person took them away, and not look for a fault. */
const withheldText = ({ count, orders }: WithheldOrders, ago: AgoText): string => {
  const named = orders
    .slice(0, ordersMax)
    .map(
      ({ prefix, actor, since, reason }) =>
        `${prefix ?? "every route"}, by ${actor} ${ago(since)} (${since}): ${endless(reason)}`
    )
  const more = count > named.length ? `; and ${count - named.length} more` : ""
  return `Withheld by hand at the node (LT0408): ${named.join("; ")}${more}. To give back: \`lowtide node restore\` there.`
}

const errorSentence = (
  { at, notification, reason }: SessionError,
  direction: "sent" | "received",
  ago: AgoText
): string => {
  const by = direction === "sent" ? "we sent it" : "it sent us"
  if (notification === null)
    return `The last time ${direction === "sent" ? "we" : "it"} ended it, ${ago(at)}: ${endless(reason)}.`
  const meaning = notificationMeaning(notification, direction)
  const text = / with the text ("(?:[^"\\]|\\.)*")/.exec(reason)?.[1]
  const said = text === undefined ? "" : `, with the text ${text}`
  return `The last NOTIFICATION that ${by} (${ago(at)}) was ${notification}${said}${meaning === undefined ? "" : `: ${meaning}`}.`
}

const flapSentence = ({ downs, ups, reasons }: FlapView, _ago: AgoText): string => {
  const why = reasons.map(
    ({ count, code, reason }) => `${count} x ${code === null ? "" : `${code} `}${endless(reason)}`
  )
  return `It went down ${plural(downs, "time")} and came up ${plural(ups, "time")} in the window: ${why.join("; ")}.`
}

/** What a verdict of a node means for the VIP that it does not announce. */
const verdictTexts: Readonly<Record<string, string>> = {
  Announced: "is to announce it, and none of its sessions can carry it",
  Withdrawn: "was told by the centre to withdraw it",
  NotCandidate: "is no candidate: no advertisement names the node, or none of its peers",
  Excluded: "is excluded: by its label, or its network is not ready",
  NoLocalEndpoint: "has no serving endpoint of the Service itself, which externalTrafficPolicy Local asks for",
  NoEndpoint: "sees no serving endpoint of the Service anywhere",
  NoPeer: "has none of the peers that the advertisement names",
  NoStandby: "is standby for each of its peers, and they take none (lowtide.dev/standby)",
  Withheld: "has it withheld by hand: `lowtide node status` there says by whom and why",
  RefusesSignature:
    "has taken nothing of it, and refuses what the centre says, since it does not believe who signed it (LT0401): `lowtide get findings` has its words and what to do",
  RefusesPrefix:
    "has taken nothing of it, and refuses prefixes that its cluster may not announce (LT0402), of which it may be one: `lowtide get findings` has its words and what to do",
  Unknown: "has reported nothing of it"
}

/** A verdict as a part of a sentence that begins with its node. */
export const verdictText = (verdict: string): string => verdictTexts[verdict] ?? `does not announce it (${verdict})`

/** What an on-call operator needs of one prefix, in sentences: who announces it to whom, for whom, what shows it, and who does not and why. */
export const explainRoutes = (
  asked: string,
  routes: ReadonlyArray<RouteView>,
  unannounced: ReadonlyArray<{
    readonly cluster: string
    readonly node: string
    readonly address: string
    readonly why: string
  }>,
  ago: AgoText,
  withdrawing: ReadonlyArray<{
    readonly cluster: string
    readonly address: string
    readonly services: ReadonlyArray<string>
    readonly awaiting: ReadonlyArray<string>
  }> = []
): ReadonlyArray<string> => {
  const sentences: Array<string> = []
  for (const prefix of new Set(routes.map((route) => route.prefix))) {
    const here = routes.filter((route) => route.prefix === prefix)
    const isOfSeveral = new Set(here.map(({ cluster }) => cluster)).size > 1
    const vips = new Map(
      here.flatMap(({ cluster, vips }) =>
        vips.map((vip) => [`${cluster} ${vip.network} ${vip.address}`, { ...vip, cluster }] as const)
      )
    )
    for (const { cluster, address, services, advertisements, event } of vips.values()) {
      const within = isOfSeveral ? ` in cluster ${cluster}` : ""
      const by =
        event === null
          ? ""
          : `, by event ${event.seq}${event.type === null ? "" : ` (${event.type}: ${event.reason}, by ${event.actor})`}`
      sentences.push(
        `${prefix} is announced for ${address}, which is of ${listText(services) || "no Service any more"}${within}, by advertisement ${listText(advertisements)}${by}.`
      )
    }
    for (const node of new Set(here.map((route) => `${route.cluster}/${route.node}`))) {
      const told = here.filter((route) => `${route.cluster}/${route.node}` === node)
      sentences.push(`${node} ${told.map((route) => toldText(route, ago)).join("; ")}.`)
    }
  }
  const reasons = new Map<string, Array<string>>()
  for (const { cluster, node, address, why } of unannounced) {
    const key = `${address} ${why}`
    reasons.set(key, [...(reasons.get(key) ?? []), `${cluster}/${node}`])
  }
  for (const [key, nodes] of reasons) {
    const [address = "", why = ""] = key.split(" ")
    sentences.push(
      `${listText(nodes, nodesMax)} ${nodes.length === 1 ? "does" : "do"} not announce ${address}: the node ${verdictText(why)}.`
    )
  }
  for (const { cluster, address, services, awaiting } of withdrawing) {
    const nodes = awaiting.map((node) => `${cluster}/${node}`)
    sentences.push(
      `${address}, which was of ${listText(services) || "nobody that is known"} in cluster ${cluster}, is being withdrawn: ${listText(nodes, nodesMax)} ${nodes.length === 1 ? "has" : "have"} yet to confirm it, and until then ${nodes.length === 1 ? "its" : "their"} routers may have it.`
    )
  }
  return sentences.length === 0 ? [`Nobody is to announce ${asked}, and nobody does.`] : sentences
}

/** Nodes that a sentence names; of more it has their number. */
const nodesMax = 8

const toldText = ({ peer, confirmed, since, isStandby, nextHop }: RouteView, ago: AgoText): string => {
  const as = isStandby ? " as standby" : ""
  const via = nextHop === null ? "" : ` with next hop ${nextHop}`
  switch (confirmed.by) {
    case "bmp":
      return `has told ${peer}${as}${via}, and router ${confirmed.router} shows that it has it (BMP, ${ago(confirmed.at)})`
    case "written":
      return `has told ${peer}${as}${via} (written ${ago(since ?? confirmed.at)}; the router does not say whether it took it)`
    case null:
      return `is to tell ${peer}${as}, and has not: ${confirmed.reason}`
  }
}

const endless = (text: string): string => text.replace(/\.$/, "")
const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)
