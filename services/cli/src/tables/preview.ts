import type { ClusterPreview, PreviewedService, Verdict } from "@lowtide/domain"
import { inPrefixOrder } from "@lowtide/net"
import type { Cell, Column } from "../table.ts"

/** Services of a preview: what each would get, and who would announce it. */
export const previewServiceColumns: ReadonlyArray<Column<PreviewedService>> = [
  { title: "SERVICE", cell: ({ namespace, name }) => `${namespace}/${name}` },
  {
    title: "ADDRESSES",
    cell: ({ addresses }) => (addresses.length === 0 ? { text: "none", tone: "bad" } : addresses.join(" "))
  },
  { title: "POOL", cell: ({ pool }) => pool ?? "" },
  { title: "NODES", cell: nodesCell },
  {
    title: "WHY",
    cell: ({ reason, refusal }) =>
      refusal === null ? reason : { text: shortReason(reason, refusal.code), tone: "bad" }
  }
]

/** The refusal in full stands among the findings. */
const shortReason = (reason: string, code: string): string => reason.slice(0, reason.indexOf(code) + code.length)

/** `3/3`, or how many of how many and what keeps the others. */
function nodesCell({ addresses, verdicts }: PreviewedService): Cell {
  if (addresses.length === 0) return ""
  const all = [...verdicts]
  const others = all.filter(([, { _tag }]) => _tag !== "Announced")
  const count = `${all.length - others.length}/${all.length}`
  if (others.length === 0) return { text: count, tone: all.length === 0 ? "bad" : "good" }
  const byWords = new Map<string, Array<string>>()
  for (const [node, verdict] of others) {
    const words = verdictWords(verdict)
    const nodes = byWords.get(words)
    if (nodes === undefined) byWords.set(words, [node])
    else nodes.push(node)
  }
  const why = [...byWords].map(([words, nodes]) =>
    nodes.length === all.length ? words : `${nodes.sort().join(" ")}: ${words}`
  )
  return { text: `${count} (${why.join("; ")})`, tone: others.length === all.length ? "bad" : "warning" }
}

const verdictWords = (verdict: Verdict): string => {
  switch (verdict._tag) {
    case "Announced":
      return "announced"
    case "Standby":
      return "standby"
    case "Withdrawn":
      return "withdrawn"
    case "NotCandidate":
      return "no advertisement to a peer"
    case "Excluded":
      return verdict.why === "label" ? "excluded by label" : "network unavailable"
    case "NoLocalEndpoint":
      return "no endpoint on the node"
    case "NoEndpoint":
      return "no endpoint"
    case "NoPeer":
      return "no peer"
    case "NoStandby":
      return "no peer that takes standby"
    case "Withheld":
      return "withheld at the node"
  }
}

/** One prefix as one peer would see it: from which nodes, with which attributes. */
interface PreviewedRoute {
  readonly prefix: string
  readonly peer: string
  readonly asn: number
  readonly nodes: ReadonlyArray<string>
  readonly localPref: number | null
  readonly communities: ReadonlyArray<string>
  readonly med: number | null
  readonly asPathPrepend: number
}

/** Routes by prefix and peer; the nodes that announce one alike are its equal-cost set at the router. */
export const previewRoutes = ({ nodes }: Pick<ClusterPreview, "nodes">): ReadonlyArray<PreviewedRoute> => {
  const routes = new Map<string, PreviewedRoute & { readonly nodes: Array<string> }>()
  for (const node of nodes) {
    for (const { name, address, asn, announcements } of node.peers) {
      for (const { prefix, localPref, communities, largeCommunities, med = null, asPathPrepend = 0 } of announcements) {
        const all = [...communities, ...largeCommunities]
        const key = JSON.stringify([prefix, name, localPref, all, med, asPathPrepend])
        const peer = address === "" ? name : `${name} ${address}`
        const route = routes.get(key) ?? {
          prefix,
          peer,
          asn,
          localPref,
          communities: all,
          med,
          asPathPrepend,
          nodes: []
        }
        route.nodes.push(node.name)
        routes.set(key, route)
      }
    }
  }
  return inPrefixOrder(routes.values())
}

/** Routes of a preview; MED, and PREPEND, how often the own AS is named once more, where some route has it. */
export const previewRouteColumns = (routes: ReadonlyArray<PreviewedRoute>): ReadonlyArray<Column<PreviewedRoute>> => [
  { title: "PREFIX", cell: ({ prefix }) => prefix },
  { title: "PEER", cell: ({ peer }) => peer },
  { title: "PEER-AS", cell: ({ asn }) => (asn === 0 ? "external" : String(asn)) },
  { title: "FROM", cell: ({ nodes }) => nodes.join(" ") },
  { title: "LOCAL-PREF", cell: ({ localPref }) => (localPref === null ? "" : String(localPref)) },
  ...(routes.some(({ med }) => med !== null)
    ? [{ title: "MED", cell: ({ med }: PreviewedRoute) => (med === null ? "" : String(med)) }]
    : []),
  ...(routes.some(({ asPathPrepend }) => asPathPrepend > 0)
    ? [{ title: "PREPEND", cell: ({ asPathPrepend }: PreviewedRoute) => String(asPathPrepend || "") }]
    : []),
  { title: "COMMUNITIES", cell: ({ communities }) => communities.join(" ") }
]
