import type { BgpFlap, BgpRoute, BgpSession } from "@lowtide/api/bgp"
import type { Cell, Column } from "../table.ts"
import { ageCell, bfdCell } from "./standing.ts"

const asnText = (asn: number): string => (asn === 0 ? "" : String(asn))

const stateCell = ({ state }: BgpSession): Cell => ({
  text: state,
  tone: state === "Established" ? "good" : state === "Unknown" ? "faint" : "bad"
})

/** A NOTIFICATION by its name; what else ended a session by the first words of it. */
const errorCell = (error: BgpSession["lastErrors"]["sent"]): Cell => error?.notification ?? error?.reason ?? ""

/** Columns of `lowtide bgp peers`. LAST-SENT and LAST-RECEIVED: the last NOTIFICATION in each direction. */
export const sessionColumns = (nowMs: number): ReadonlyArray<Column<BgpSession>> => [
  { title: "CLUSTER", cell: ({ cluster }) => cluster },
  { title: "NODE", cell: ({ node }) => node },
  { title: "PEER", cell: ({ peer }) => peer },
  { title: "ADDRESS", cell: ({ peerAddress }) => peerAddress },
  { title: "PORT", cell: ({ peerPort }) => String(peerPort), isWide: true },
  { title: "LOCAL-AS", cell: ({ localAsn }) => asnText(localAsn) },
  { title: "PEER-AS", cell: ({ peerAsn }) => asnText(peerAsn) },
  { title: "STATE", cell: stateCell },
  { title: "SINCE", cell: ({ since }) => ageCell(since, nowMs) },
  { title: "UPTIME", cell: ({ establishedAt }) => ageCell(establishedAt, nowMs) },
  { title: "SENT", cell: sentCell },
  { title: "RECEIVED", cell: ({ prefixesReceived }) => (prefixesReceived === null ? "" : String(prefixesReceived)) },
  { title: "BFD", cell: ({ bfd }) => bfdCell(bfd) },
  { title: "LOCAL", cell: ({ localAddress }) => localAddress ?? "", isWide: true },
  { title: "HEARD", cell: ({ sync }) => sync, isWide: true },
  { title: "LAST-SENT", cell: ({ lastErrors }) => errorCell(lastErrors.sent) },
  { title: "LAST-RECEIVED", cell: ({ lastErrors }) => errorCell(lastErrors.received) },
  {
    title: "WHY",
    cell: ({ why }) => (why === null ? "" : (why.code ?? why.reason)),
    wideCell: ({ why }) => (why === null ? "" : [why.code, why.reason].filter((text) => text !== null).join(" "))
  }
]

/** Prefixes on the wire, and of how many where some are missing. */
function sentCell({ prefixesSent, prefixesWanted, state }: BgpSession): Cell {
  if (prefixesSent === prefixesWanted) return String(prefixesSent)
  return { text: `${prefixesSent}/${prefixesWanted}`, tone: state === "Established" ? "bad" : "faint" }
}

/** Why a route is there: the Services, the advertisements and the event. */
const whyCell = ({ vips }: BgpRoute): Cell => {
  const [first] = vips
  if (first === undefined) return ""
  const more = vips.length > 1 ? ` and ${vips.length - 1} more` : ""
  const event = first.event === null ? "" : ` #${first.event.seq}`
  return `${first.services.join(",") || "-"} by ${first.advertisements.join(",")}${event}${more}`
}

const confirmedCell = ({ confirmed }: BgpRoute): Cell => {
  switch (confirmed.by) {
    case "bmp":
      return { text: `bmp ${confirmed.router}`, tone: "good" }
    case "written":
      return "written"
    case null:
      return { text: `- (${confirmed.reason})`, tone: "bad" }
  }
}

/** Columns of `lowtide bgp routes`. INTENT-AGE: since what the node holds last agreed with the centre. */
export const routeColumns = (nowMs: number): ReadonlyArray<Column<BgpRoute>> => [
  { title: "CLUSTER", cell: ({ cluster }) => cluster },
  { title: "NODE", cell: ({ node }) => node },
  { title: "PEER", cell: ({ peer }) => peer },
  { title: "PREFIX", cell: ({ prefix }) => prefix },
  { title: "AS", cell: ({ isStandby }) => (isStandby ? "standby" : "equal") },
  { title: "NEXT-HOP", cell: ({ nextHop }) => nextHop ?? "" },
  { title: "AS-PATH", cell: ({ asPath }) => asPath.join(" ") },
  { title: "LOCAL-PREF", cell: ({ localPref }) => (localPref === null ? "" : String(localPref)) },
  { title: "MED", cell: ({ med }) => (med === null ? "" : String(med)) },
  { title: "COMMUNITIES", cell: ({ communities }) => communities.join(" ") },
  { title: "LARGE", cell: ({ largeCommunities }) => largeCommunities.join(" ") },
  { title: "SINCE", cell: ({ since }) => ageCell(since, nowMs) },
  { title: "INTENT-AGE", cell: ({ intentAgreedAt }) => ageCell(intentAgreedAt, nowMs) },
  { title: "CONFIRMED-BY", cell: confirmedCell },
  { title: "WHY", cell: whyCell },
  { title: "CAUSE", cell: causeCell, isWide: true }
]

function causeCell({ vips: [first] }: BgpRoute): Cell {
  const event = first?.event
  return event == null || event.type === null ? "" : `${event.type} (${event.reason}) by ${event.actor}`
}

/** Columns of `lowtide bgp flaps`. */
export const flapColumns = (nowMs: number): ReadonlyArray<Column<BgpFlap>> => [
  { title: "CLUSTER", cell: ({ cluster }) => cluster },
  { title: "NODE", cell: ({ node }) => node },
  { title: "WHAT", cell: ({ kind }) => kind },
  { title: "NAME", cell: ({ name }) => name },
  { title: "DOWNS", cell: ({ downs }) => String(downs) },
  { title: "UPS", cell: ({ ups }) => String(ups) },
  { title: "NOW", cell: ({ last }) => ({ text: last, tone: last === "up" ? "good" : "bad" }) },
  { title: "LAST", cell: ({ lastAt }) => ageCell(lastAt, nowMs) },
  { title: "FIRST", cell: ({ firstAt }) => ageCell(firstAt, nowMs), isWide: true },
  {
    title: "WHY",
    cell: ({ reasons: [first] }) => (first === undefined ? "" : reasonText(first)),
    wideCell: ({ reasons }) => reasons.map(reasonText).join("; ")
  }
]

const reasonText = ({ code, reason, count }: BgpFlap["reasons"][number]): string =>
  `${count} x ${code === null ? "" : `${code} `}${reason}`
