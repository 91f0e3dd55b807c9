import {
  type BgpFlapList,
  type BgpRouteList,
  type BgpSessionList,
  bgpFlapsQuery,
  bgpItemsMax,
  bgpPeersQuery,
  bgpRoutesQuery,
  flapWindowMs
} from "@lowtide/api/bgp"
import { NodeOrder, type NodeOrderAnswer, type NodeTruth } from "@lowtide/api/node-truth"
import { firstRoutes, routeViews, sessionViews } from "@lowtide/domain/announcing/bgp-view"
import { flapsOf } from "@lowtide/domain/announcing/flaps"
import { asksAbout, type Narrowing } from "@lowtide/domain/announcing/narrowing"
import { didYouMean } from "@lowtide/domain/words"
import { formatPrefix, parseAddresses, parsePrefix, prefixCovers } from "@lowtide/net"
import { Result, Schema } from "effect"
import type { Speaker } from "../speaker.ts"
import type { Withheld } from "../withheld.ts"

/** What is answered instead, as a problem (RFC 9457); `field` is the parameter at fault. */
export interface Problem {
  readonly kind: "invalid-query" | "not-found"
  readonly field: string
  readonly detail: string
}

/** What answering needs. Times are milliseconds. */
export interface ControlPort {
  readonly speaker: Speaker
  readonly withheld: Withheld
  /** Ids of the keys that are trusted now. */
  readonly trustedKeys: () => ReadonlyArray<string>
  readonly startedAtUnixMs: number
  readonly unixMs: () => number
  readonly wait: (ms: number) => Promise<void>
}

type Answer<A> = Result.Result<A, Problem>

/** A request's parameters, by name. */
type Parameters = Readonly<Record<string, string>>

const read = <Fields extends Schema.Struct.Fields>(fields: Fields, given: Parameters) => {
  const schema = Schema.Struct(fields) as unknown as Schema.Codec<Schema.Struct.Type<Fields>, unknown>
  return Result.mapError(Schema.decodeUnknownResult(schema)(given), ({ message }): Problem => {
    const [first = ""] = message.split("\n", 1)
    const field = /\["([^"]+)"\]/.exec(message)?.[1] ?? ""
    return { kind: "invalid-query", field, detail: field === "" ? first : `${field}: ${first}` }
  })
}

/** How much of the log a node's answer knows: the newest event that it was told of, and its own clock. */
const readingOf = ({ speaker, unixMs }: ControlPort) => ({
  position: speaker.view.truth().stamp?.seq ?? 0,
  asOf: new Date(unixMs()).toISOString(),
  reportsSince: null
})

/** A node knows itself, and no time but the present. */
const judgeNarrowing = (port: ControlPort, asked: Narrowing & { readonly at?: string }): Answer<void> => {
  const { cluster, node } = port.speaker.view.facts()
  if (asked.at !== undefined) {
    return Result.fail({
      kind: "invalid-query",
      field: "at",
      detail: "at: expected none of a node, which knows the present alone"
    })
  }
  for (const [field, found, expected] of [
    ["cluster", asked.cluster, cluster],
    ["node", asked.node, node]
  ] as const) {
    if (found !== undefined && found !== expected) {
      return Result.fail({
        kind: "not-found",
        field,
        detail: `${field}: expected ${expected}, whose speaker this is, found ${JSON.stringify(found)}`
      })
    }
  }
  return Result.succeed(undefined)
}

/** What is wrong with the name of a peer that the node was told of no session with. */
const judgePeer = (port: ControlPort, { peer }: Narrowing): Answer<void> => {
  const known = (port.speaker.view.facts().intent?.peers ?? []).map(({ name }) => name)
  if (peer === undefined || known.includes(peer)) return Result.succeed(undefined)
  const detail = `peer: expected one of [${known.sort().join(", ")}], found ${JSON.stringify(peer)}${didYouMean(peer, known)}`
  return Result.fail({ kind: "not-found", field: "peer", detail })
}

const judgeAsked = (port: ControlPort, asked: Narrowing & { readonly at?: string }): Answer<void> =>
  Result.flatMap(judgeNarrowing(port, asked), () => judgePeer(port, asked))

const ofPeer = (asked: Narrowing) => (peer: string) => asked.peer === undefined || asked.peer === peer

export const answerPeers = (port: ControlPort, given: Parameters): Answer<BgpSessionList> =>
  Result.flatMap(read(bgpPeersQuery, given), (asked) =>
    Result.map(judgeAsked(port, asked), () => ({
      ...readingOf(port),
      items: sessionViews(port.speaker.view.facts()).filter(({ peer }) => ofPeer(asked)(peer))
    }))
  )

export const answerRoutes = (port: ControlPort, given: Parameters): Answer<BgpRouteList> =>
  Result.flatMap(read(bgpRoutesQuery, given), (asked) =>
    Result.map(judgeAsked(port, asked), () => {
      const facts = port.speaker.view.facts()
      const { cluster, node } = facts
      const isAsked = asksAbout(asked)
      const routes = routeViews(facts, (peer, prefix) => ofPeer(asked)(peer) && isAsked(prefix))
      const unannounced = port.speaker.view
        .unannounced()
        .filter(({ vip }) => vip.routes.some(({ prefix }) => isAsked(prefix)))
        .map(({ vip: { network, address }, why }) => ({ cluster, node, network, address, why }))
      return {
        ...readingOf(port),
        ...firstRoutes(routes, bgpItemsMax),
        unannounced: asked.prefix === undefined ? [] : unannounced
      }
    })
  )

export const answerFlaps = (port: ControlPort, given: Parameters): Answer<BgpFlapList> =>
  Result.flatMap(read(bgpFlapsQuery, given), (asked) =>
    Result.flatMap(judgeNarrowing(port, asked), () => {
      const { changes, forgottenUntil } = port.speaker.view.memory
      const until = new Date(port.unixMs()).toISOString()
      const since = new Date(asked.since ?? Date.parse(until) - flapWindowMs).toISOString()
      const kept = forgottenUntil ?? new Date(port.startedAtUnixMs).toISOString()
      const within = changes.filter(
        ({ at, of }) =>
          at >= since && at <= until && (asked.peer === undefined || (of.kind === "session" && of.peer === asked.peer))
      )
      const { position, asOf } = readingOf(port)
      const items = flapsOf(within).slice(0, bgpItemsMax)
      // There may have been sessions with a peer that the node has no more.
      return Result.map(within.length > 0 ? Result.succeed(undefined) : judgePeer(port, asked), () => ({
        position,
        asOf,
        since: since > kept ? since : kept,
        until,
        items
      }))
    })
  )

export const answerTruth = (port: ControlPort): NodeTruth => ({
  ...port.speaker.view.truth(),
  startedAt: new Date(port.startedAtUnixMs).toISOString(),
  trustedKeys: port.trustedKeys()
})

const decodeOrder = Schema.decodeUnknownResult(Schema.fromJsonString(NodeOrder))

/** How long an order waits for routers to take it, milliseconds: its answer says which did not. */
const toldMsMax = 2_000
const toldEveryMs = 10

/** Carries out an order; what it changes is on its way before anything is written or waited for. */
export const carryOut = async (
  port: ControlPort,
  kind: "withdraw" | "restore",
  { body, actor }: { readonly body: string; readonly actor: string }
): Promise<Answer<NodeOrderAnswer>> => {
  const decoded = decodeOrder(body)
  if (Result.isFailure(decoded)) {
    const [detail = ""] = decoded.failure.message.split("\n", 1)
    return Result.fail({ kind: "invalid-query", field: "", detail })
  }
  const { speaker, withheld, unixMs } = port
  const { reason } = decoded.success
  const prefix = decoded.success.prefix === null ? null : canonical(decoded.success.prefix)
  if (kind === "withdraw") withheld.add({ prefix, reason, actor, since: new Date(unixMs()).toISOString() })
  else if (!withheld.remove(prefix) && !(prefix === null && speaker.breakGlass.mayVouch)) {
    return prefix === null && speaker.view.isQuiet ? lostState : notWithheld(withheld, prefix)
  }
  const { turn, prefixes, peers } = speaker.breakGlass.order({ order: kind, reason, actor }, prefix === null)
  const isSaved = withheld.save()
  const stateOf = (peer: string) => speaker.breakGlass.toldState(peer, turn)
  for (
    let waitedMs = 0;
    waitedMs < toldMsMax && peers.some((peer) => stateOf(peer) === "waiting");
    waitedMs += toldEveryMs
  ) {
    await port.wait(toldEveryMs)
  }
  return Result.succeed({
    prefixes,
    peers: peers.map((peer) => ({ peer, state: stateOf(peer) })),
    aggregates: kind === "withdraw" && prefix !== null ? aggregatesOf(speaker, prefix) : [],
    isSaved,
    withheld: withheld.orders
  })
}

const canonical = (text: string): string => Result.getOrElse(Result.map(parseAddresses(text), formatPrefix), () => text)

/** What nobody at the node knows nobody there can vouch for. */
const lostState: Answer<never> = Result.fail({
  kind: "not-found",
  field: "prefix",
  detail:
    "prefix: expected something that is withheld, or old state to vouch for, found state of which the disk has lost some (LT0409): it waits for the centre"
})

const notWithheld = ({ orders }: Withheld, prefix: string | null): Answer<never> => {
  const known = orders.map((order) => order.prefix ?? "--all")
  const what = prefix === null ? "--all" : prefix
  const expected =
    known.length === 0 ? "something that is withheld, and nothing is" : `one of [${known.join(", ")}], or --all`
  return Result.fail({ kind: "not-found", field: "prefix", detail: `prefix: expected ${expected}, found ${what}` })
}

/** What holds the prefix and is announced on. */
const aggregatesOf = (speaker: Speaker, text: string): ReadonlyArray<string> => {
  const asked = Result.getOrUndefined(parsePrefix(text))
  if (asked === undefined) return []
  const facts = speaker.view.facts()
  if (facts.quiet !== undefined) return []
  const wanted = new Set((facts.intent?.peers ?? []).flatMap(({ name }) => [...facts.wanted(name).keys()]))
  return [...wanted].filter((prefix) => {
    const held = Result.getOrUndefined(parsePrefix(prefix))
    return held !== undefined && held.lengthBits < asked.lengthBits && prefixCovers(held, asked)
  })
}
