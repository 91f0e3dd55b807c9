import type { ToldFacts } from "./bgp-view.ts"
import { isOnTheWire } from "./node-routes.ts"

/** One time that a session or a VIP went up or down at a node. */
export interface Change {
  readonly cluster: string
  readonly node: string
  readonly of: { readonly kind: "session"; readonly peer: string } | { readonly kind: "vip"; readonly address: string }
  readonly change: "up" | "down"
  /** RFC 3339, the node's clock. */
  readonly at: string
  readonly code: string | null
  readonly reason: string
}

/** How often something went up and down, and why. */
export interface FlapView {
  readonly cluster: string
  readonly node: string
  readonly kind: "session" | "vip"
  /** The peer of a session, or the address. */
  readonly name: string
  readonly ups: number
  readonly downs: number
  readonly firstAt: string
  readonly lastAt: string
  readonly last: "up" | "down"
  /** Why it went down, the most frequent first. */
  readonly reasons: ReadonlyArray<{ readonly code: string | null; readonly reason: string; readonly count: number }>
}

/** Reasons that are told of one flapping thing. */
const reasonsMax = 5

/** What went down at all, the most often first; what never went down is no flap. */
export const flapsOf = (changes: Iterable<Change>): ReadonlyArray<FlapView> => {
  const byThing = new Map<string, Array<Change>>()
  for (const change of changes) {
    const key = `${change.cluster}/${change.node} ${change.of.kind} ${nameOf(change)}`
    const found = byThing.get(key)
    if (found === undefined) byThing.set(key, [change])
    else found.push(change)
  }
  return [...byThing.values()]
    .map(flapOf)
    .filter(({ downs }) => downs > 0)
    .sort((left, right) => right.downs - left.downs || right.ups - left.ups || (left.lastAt < right.lastAt ? 1 : -1))
}

const nameOf = ({ of }: Change): string => (of.kind === "session" ? of.peer : of.address)

const flapOf = (unsorted: ReadonlyArray<Change>): FlapView => {
  const sorted = [...unsorted].sort((left, right) => (left.at < right.at ? -1 : left.at > right.at ? 1 : 0))
  // What is up and is announced anew, with other attributes, has not come up.
  const changes = sorted.filter(({ change }, index) => change !== sorted[index - 1]?.change)
  const [first, last] = [changes[0]!, changes.at(-1)!]
  const downs = changes.filter(({ change }) => change === "down")
  const reasons = new Map<string, { code: string | null; reason: string; count: number }>()
  for (const { code, reason } of downs) {
    const counted = reasons.get(`${code} ${reason}`) ?? { code, reason, count: 0 }
    counted.count++
    reasons.set(`${code} ${reason}`, counted)
  }
  return {
    cluster: first.cluster,
    node: first.node,
    kind: first.of.kind,
    name: nameOf(first),
    ups: changes.length - downs.length,
    downs: downs.length,
    firstAt: first.at,
    lastAt: last.at,
    last: last.change,
    reasons: [...reasons.values()].sort((left, right) => right.count - left.count).slice(0, reasonsMax)
  }
}

/** What the wire journal, or a node's own memory of it, has of a session; a refusal is neither up nor down. */
export const sessionChange = (
  of: { readonly cluster: string; readonly node: string; readonly peer: string },
  said: { readonly change: string; readonly at: string; readonly code: string | null; readonly detail: string }
): ReadonlyArray<Change> => {
  if (said.change !== "up" && said.change !== "down") return []
  const { cluster, node, peer } = of
  const { change, at, code, detail } = said
  return [{ cluster, node, of: { kind: "session", peer }, change, at, code, reason: detail }]
}

/**
 * The same of a VIP, by what a turn told the node's peers: down where it was withdrawn from one. What a session that came
 * up was told is the session's change, and not the VIP's.
 */
export const vipChange = (
  of: { readonly cluster: string; readonly node: string; readonly address: string },
  said: {
    readonly verdict: string
    readonly trigger: string
    readonly byHand?: { readonly order: string; readonly reason: string; readonly actor: string }
    readonly peers: ReadonlyArray<{ readonly action: string; readonly writtenAt: string }>
  }
): ReadonlyArray<Change> => {
  if (said.trigger === "session") return []
  const { cluster, node, address } = of
  const withdrawn = said.peers.filter(({ action }) => action === "withdrawn")
  const told = withdrawn.length > 0 ? withdrawn : said.peers.filter(({ action }) => action === "announced")
  const at = told.map(({ writtenAt }) => writtenAt).sort()[0]
  if (at === undefined) return []
  const change = withdrawn.length > 0 ? "down" : "up"
  return [
    {
      cluster,
      node,
      of: { kind: "vip", address },
      change,
      at,
      code: null,
      reason: reasonOf(said)
    }
  ]
}

const reasonOf = ({ byHand, ...said }: Parameters<typeof vipChange>[1]): string =>
  byHand === undefined
    ? `${said.verdict}, ${triggerText(said)}`
    : `${byHand.order} by hand (${byHand.actor}): ${byHand.reason}`

/** What made a node judge a VIP anew, as the end of a sentence: `by the centre's intent`, `as its endpoints were lost`. */
export const triggerText = ({ verdict, trigger }: { readonly verdict: string; readonly trigger: string }): string => {
  switch (trigger) {
    case "intent":
      return "by the centre's intent"
    case "endpoints":
      if (isOnTheWire({ _tag: verdict })) return "as its endpoints came up"
      return `as its endpoints ${verdict.endsWith("Endpoint") ? "were lost" : "changed"}`
    case "session":
      return "as the session came up"
    default:
      return `by what this release does not know (${trigger})`
  }
}

/** What was told ends with its session; a session that came up later begins with nothing. */
export const standing = (
  action: "announced" | "withdrawn",
  writtenAt: string,
  session: { readonly change: string; readonly at: string } | undefined
): ToldFacts => {
  if (action === "withdrawn" || session === undefined || session.at <= writtenAt) {
    return { state: action, since: writtenAt }
  }
  return { state: session.change === "down" ? "lost" : "unknown", since: session.at }
}
