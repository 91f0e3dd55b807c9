import { codes, isFindingCode } from "@lowtide/domain"
import { triggerText } from "@lowtide/domain/announcing/flaps"
import { isOnTheWire } from "@lowtide/domain/announcing/node-routes"
import { sessionFix } from "@lowtide/domain/announcing/session-fix"
import { listText, plural } from "@lowtide/domain/words"
import type { StoredWire } from "@lowtide/ledger"
import { Option, Schema } from "effect"
import type { Described } from "./describe.ts"

/** What one node did about one VIP. */
export const AppliedEntry = Schema.Struct({
  node: Schema.String,
  verdict: Schema.String,
  trigger: Schema.String,
  receivedAt: Schema.NullOr(Schema.String),
  savedAt: Schema.NullOr(Schema.String),
  byHand: Schema.optionalKey(Schema.Struct({ order: Schema.String, reason: Schema.String, actor: Schema.String })),
  peers: Schema.Array(
    Schema.Struct({
      ...{ peer: Schema.String, action: Schema.String, writtenAt: Schema.String },
      standby: Schema.optionalKey(Schema.Boolean)
    })
  )
})
export type AppliedEntry = typeof AppliedEntry.Type

const AppliedDetail = Schema.Struct({ entries: Schema.Array(AppliedEntry) })
const SessionDetail = Schema.Struct({
  change: Schema.String,
  at: Schema.String,
  code: Schema.NullOr(Schema.String),
  detail: Schema.String
})
/** What became of a session. */
export type SessionChange = typeof SessionDetail.Type

const StatusDetail = Schema.Struct({ namespace: Schema.String, name: Schema.String, at: Schema.String })

const reader = <Type>(schema: Schema.Codec<Type, unknown>) => {
  const decode = Schema.decodeUnknownOption(Schema.fromJsonString(schema))
  return (row: StoredWire): Type | undefined => Option.getOrUndefined(decode(row.detail))
}

const readApplied = reader(AppliedDetail)
const readSession = reader(SessionDetail)

/** What nodes did about a VIP, of a row of kind `applied`; empty for another row. */
export const appliedOf = (row: StoredWire): ReadonlyArray<AppliedEntry> =>
  row.kind === "applied" ? (readApplied(row)?.entries ?? []) : []

/** What became of a session, of a row of kind `session`; undefined for another row. */
export const sessionOf = (row: StoredWire): SessionChange | undefined =>
  row.kind === "session" ? readSession(row) : undefined

const RouterDetail = Schema.Struct({
  router: Schema.String,
  change: Schema.String,
  at: Schema.String,
  reason: Schema.optionalKey(Schema.String)
})
const readRouter = reader(RouterDetail)

/** Which router said what of the session, or of the address, of a row of kind `router`; undefined for another row. */
export const routerOf = (row: StoredWire): typeof RouterDetail.Type | undefined =>
  row.kind === "router" ? readRouter(row) : undefined

const UnreadDetail = Schema.Struct({ count: Schema.Int, why: Schema.String })
const readUnread = reader(UnreadDetail)

/** How many reports of a node could not be read, and why, of a row that stands for them; undefined for another row. */
export const unreadOf = (row: StoredWire): typeof UnreadDetail.Type | undefined =>
  row.kind === "unread" ? readUnread(row) : undefined

/** Which Service's status was written and when, of a row of kind `status-written`. */
export const statusWrittenOf = reader(StatusDetail)

/** A row of the wire journal in words; `node` keeps what other nodes did out of it. Undefined when nothing is left. */
export const describeWire = (row: StoredWire, node: string | undefined): Described | undefined => {
  switch (row.kind) {
    case "applied":
      return describeApplied(row, node)
    case "session": {
      const session = readSession(row)
      const what = `session of ${row.node ?? "?"} with ${row.peer ?? "?"} ${changeWords(session?.change)}`
      const { code = null, detail = "" } = session ?? {}
      return {
        what: detail === "" ? what : `${what}: ${detail}`,
        code,
        fix: isFindingCode(code) ? sessionFix(code, detail) : null
      }
    }
    case "status-written": {
      const written = statusWrittenOf(row)
      return plain(`status of Service ${written?.namespace ?? "?"}/${written?.name ?? "?"} was written`)
    }
    case "unread": {
      const unread = unreadOf(row)
      const reports = plural(
        unread?.count ?? 1,
        "report of what it told its routers is",
        "reports of what it told its routers are"
      )
      const what = `${reports} missing of ${row.node ?? "?"}: ${unread?.why ?? "they could not be read"}`
      return { what, code: "LT0510", fix: codes.LT0510.fix }
    }
    case "router": {
      const { router = "?", change = "", reason = "" } = readRouter(row) ?? {}
      const session = `the session of ${row.node ?? "?"} with ${row.peer ?? "?"}`
      switch (change) {
        case "has":
          return plain(`router ${router} has ${row.address ?? "?"} by ${session}`)
        case "let-go":
          return plain(`router ${router} let ${row.address ?? "?"} go from ${session}`)
        case "silent":
          return plain(`router ${router} reports no more of ${session}: ${reason}`)
        default:
          return plain(
            `router ${router} says of ${session}: ${change === "session-up" ? "up" : "down"}${reason === "" ? "" : `, ${reason}`}`
          )
      }
    }
    default:
      return plain(`${row.kind}${row.node === undefined ? "" : ` on ${row.node}`}`)
  }
}

const plain = (what: string): Described => ({ what, code: null, fix: null })

const changeWords = (change: string | undefined): string => {
  if (change === "up") return "came up"
  return change === "down" ? "went down" : (change ?? "changed")
}

const describeApplied = (row: StoredWire, node: string | undefined): Described | undefined => {
  const entries = appliedOf(row).filter((entry) => node === undefined || entry.node === node)
  if (entries.length === 0) return undefined
  const nodesOf = new Map<string, Array<string>>()
  for (const entry of entries) {
    const what = describeEntry(row.address ?? "?", entry)
    nodesOf.set(what, [...(nodesOf.get(what) ?? []), entry.node])
  }
  return plain([...nodesOf].map(([what, nodes]) => `on ${listText(nodes.sort(), nodesMax)}: ${what}`).join("; "))
}

/** Nodes that are named of those that did the same; the rest are counted. */
const nodesMax = 10

/** No colon follows the address: one of IPv6 may end in two. */
const describeEntry = (address: string, entry: AppliedEntry): string => {
  const { verdict, byHand, peers } = entry
  const told = toldWords(peers)
  const why =
    byHand === undefined
      ? `, ${triggerText(entry)}`
      : ` by hand: ${byHand.order} by ${byHand.actor} at the node (${byHand.reason})`
  const kept = isOnTheWire({ _tag: verdict }) ? peers.filter(({ action }) => action === "unchanged") : []
  const nothing =
    kept.length === 0
      ? `told to no peer (${verdict})`
      : `announced to ${kept.map(({ peer }) => peer).join(", ")} as before`
  return `${address} ${told === "" ? nothing : told}${why}`
}

/** What is told of a node that is standby for the peer. */
const standbyAs: Readonly<Record<string, string>> = { announced: "standby", withdrawn: "kept" }

const toldAs: Readonly<Record<string, string>> = {
  announced: "announced to",
  standby: "announced as standby to",
  withdrawn: "withdrawn from",
  kept: "kept as standby from",
  refused: "not carried by the session with"
}

/** `announced to tor-a, tor-b, withdrawn from tor-c`; empty when no peer was told anything new. */
export const toldWords = (peers: AppliedEntry["peers"]): string => {
  const byAction = new Map<string, Array<string>>()
  for (const { peer, action, standby } of peers) {
    const told = standby === true ? (standbyAs[action] ?? action) : action
    if (told !== "unchanged") byAction.set(told, [...(byAction.get(told) ?? []), peer])
  }
  return [...byAction].map(([action, names]) => `${toldAs[action] ?? `${action} to`} ${names.join(", ")}`).join(", ")
}
