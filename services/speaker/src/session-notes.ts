import type { PeerEvent } from "@lowtide/bgp/peer"
import type { WireEntry } from "@lowtide/bus/status"
import { sessionFix } from "@lowtide/domain/announcing/session-fix"
import { codes, type FindingCode } from "@lowtide/domain/config/codes"
import { type SessionFault, sessionFault } from "./session-fault.ts"

/** A fault that goes on, such as a peer that stays unreachable, is told again after this long. */
export const faultRepeatMs = 300_000

/** Distinct faults of a session that are remembered; past it they are told anew. */
const toldMax = 100

/** What an event is worth: a line for the operator, and entries for the wire journal. */
export interface SessionNote {
  readonly line: { readonly severity: "info" | "warning" | "error"; readonly text: string } | undefined
  readonly entries: ReadonlyArray<WireEntry>
}

interface Memory {
  families: ReadonlyArray<number>
  lastFault: SessionFault | undefined
  /** What was told since the session was last up, and when. */
  readonly told: Map<string, number>
}

const nothing: SessionNote = { line: undefined, entries: [] }

/** Tells each session's changes once: a peer that is tried every few seconds is not news every few seconds. */
export class SessionNotes {
  readonly #peers = new Map<string, Memory>()

  /** What last ended or prevented the peer's session. */
  lastFault(peer: string): SessionFault | undefined {
    return this.#peers.get(peer)?.lastFault
  }

  /** `nowUnixMs` is the time of day. */
  note(peer: string, event: PeerEvent, nowUnixMs: number): SessionNote {
    const memory = this.#memory(peer)
    if (event._tag === "SessionEstablished") return this.#established(peer, memory, event, nowUnixMs)
    const fault = sessionFault(peer, event, memory.families)
    if (fault === undefined) return nothing
    memory.lastFault = fault
    const id = `${event._tag} ${fault.code ?? ""} ${fault.message}`
    const toldAtMs = memory.told.get(id)
    if (event._tag !== "SessionEnded" && toldAtMs !== undefined && nowUnixMs - toldAtMs < faultRepeatMs) return nothing
    if (memory.told.size >= toldMax) memory.told.clear()
    memory.told.set(id, nowUnixMs)
    return {
      line: lineOf(fault),
      entries: [entry(peer, event._tag === "SessionEnded" ? "down" : "refused", fault, nowUnixMs)]
    }
  }

  #established(
    peer: string,
    memory: Memory,
    { families, holdTimeSeconds, remoteRouterId }: Extract<PeerEvent, { readonly _tag: "SessionEstablished" }>,
    nowUnixMs: number
  ): SessionNote {
    memory.families = families
    memory.told.clear()
    const what = `hold time ${holdTimeSeconds} s, ${families.map((family) => `IPv${family}`).join(" and ")}`
    const message = `session with peer ${peer} (router id ${remoteRouterId}) is up: ${what}`
    return {
      line: { severity: "info", text: message },
      entries: [entry(peer, "up", { code: undefined, message }, nowUnixMs)]
    }
  }

  #memory(peer: string): Memory {
    let memory = this.#peers.get(peer)
    if (memory === undefined) {
      memory = { families: [], lastFault: undefined, told: new Map() }
      this.#peers.set(peer, memory)
    }
    return memory
  }
}

const lineOf = ({ code, message }: SessionFault): SessionNote["line"] =>
  code === undefined
    ? { severity: "info", text: message }
    : {
        severity: severityOf(code),
        text: `${code} ${message}. Fix: ${sessionFix(code, message)}`
      }

const severityOf = (code: FindingCode): "warning" | "error" =>
  codes[code].severity === "warning" ? "warning" : "error"

const entry = (
  peer: string,
  change: "up" | "down" | "refused",
  { code, message }: SessionFault,
  atUnixMs: number
): WireEntry => ({
  _tag: "Session",
  peer,
  change,
  at: new Date(atUnixMs).toISOString(),
  code: code ?? null,
  detail: message
})
