import type { PeerEvent } from "@lowtide/bgp/peer"
import type { FindingCode } from "@lowtide/domain/config/codes"
import { noNeighbor } from "./unnumbered/neighbors.ts"

/** What ended or prevented a session, or keeps routes from it. */
export interface SessionFault {
  /** Absent where nothing is wrong with the configuration or the path, such as after an orderly stop. */
  readonly code: FindingCode | undefined
  readonly message: string
}

/** The fault that an event speaks of; undefined for an event that is none. */
export const sessionFault = (
  peer: string,
  event: PeerEvent,
  /** Families that the session that is up agreed to. */
  families: ReadonlyArray<number>
): SessionFault | undefined => {
  switch (event._tag) {
    case "ConnectFailed":
    case "SessionEnded":
      return { code: endCode(event), message: event.reason }
    case "RoutesRefused":
      return {
        code: families.includes(event.family) ? whyRefused(event.reason) : "LT0306",
        message: `peer ${peer}: ${event.routes} IPv${event.family} routes are not announced: ${event.reason}`
      }
    case "SessionEstablished":
    case "TableWritten":
    case "RoutesWritten":
    case "RoutesAcknowledged":
      return undefined
  }
}

/** RFC 4271 §4.5: code 2 is an OPEN message error, 4 a hold timer that expired. */
const endCode = (
  event: Extract<PeerEvent, { readonly _tag: "ConnectFailed" | "SessionEnded" }>
): FindingCode | undefined => {
  const { notification, reason, isStopped } = event
  if (event._tag === "SessionEnded" && event.isPathFailure === true) return "LT0311"
  if (isStopped === true) return undefined
  if (notification === undefined) {
    if (reason.includes("its password ")) return "LT0308"
    return reason.includes(noNeighbor) ? "LT0314" : "LT0301"
  }
  if (notification.direction === "received") return "LT0302"
  if (notification.code === 4) return "LT0304"
  return notification.code === 2 ? "LT0305" : undefined
}

/** The next hop is missing, or the attributes, which grow by their communities alone, fit no message. */
const whyRefused = (reason: string): FindingCode => (reason.includes("next hop") ? "LT0303" : "LT0145")
