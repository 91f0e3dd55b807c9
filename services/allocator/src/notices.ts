import type { DomainEvent, Finding, StreamState } from "@lowtide/domain"

/** One line of the allocator's log about something that it found wrong. */
export interface Notice {
  readonly severity: Finding["severity"]
  readonly text: string
}

/**
 * What committed events newly say is wrong: a finding of the centre's own, or a refusal, that its stream did not have
 * before. What an agent found is on the agent's log. Nothing is said again at a restart, since only events are looked at.
 */
export const noticesOf = (events: ReadonlyArray<DomainEvent>): ReadonlyArray<Notice> =>
  events.flatMap(({ before, after, about }) => {
    const known = new Set(faultsOf(before).map(({ message }) => message))
    return faultsOf(after)
      .filter(({ message }) => !known.has(message))
      .map(({ severity, code, message, fix }) => ({
        severity,
        text: `${code} cluster ${about.cluster}: ${message}. Fix: ${fix}`
      }))
  })

const faultsOf = (state: StreamState | null): ReadonlyArray<Finding> => {
  if (state?._tag === "Findings") return state.findings.slice(state.reportedCount)
  return state?._tag === "Service" && state.refusal !== null ? [state.refusal] : []
}
