/** One BGP session of this node's life, configured now or removed since, as far as withdrawals go. */
export interface SessionTrace {
  readonly isUp: boolean
  /** Everything decided up to this turn has reached the router (while the session was up): its TCP has acknowledged it. */
  readonly acknowledgedTurn: number
  /** When it was last up, else when the process began: from then on its router may still believe what it heard before. */
  readonly downSinceMs: number
  /** After this much silence the router has dropped what it heard; infinite for a session without a hold timer. */
  readonly holdTimeMs: number
}

/** Tombstones that were applied and saved in one turn; `cseq` is the lowest number among them. */
export interface PendingTombstones {
  readonly turn: number
  readonly cseq: number
}

/** What can be said about withdrawals now. */
export interface Confirmation {
  /** Everything up to this message that says "withdrawn" is withdrawn: by what routers have, or by the passing of hold times. */
  readonly confirmedCseq: number
  /** What is not confirmed yet. */
  readonly pending: ReadonlyArray<PendingTombstones>
  /** When a hold time passes that may change the answer; infinite when none will. */
  readonly nextDeadlineMs: number
}

/**
 * The promise that an address may be given to another after: the router of a session that is up has what it was told, and a
 * session that is not has been down for its hold time. What the kernel has taken and the router has not acknowledged may be lost
 * with the link, and the router would go on believing what it had for its hold time. `completeCseq` bounds the answer: beyond it a tombstone may be missing.
 */
export const confirm = (facts: {
  readonly completeCseq: number
  readonly pending: ReadonlyArray<PendingTombstones>
  readonly sessions: Iterable<SessionTrace>
  readonly nowMs: number
}): Confirmation => {
  const sessions = [...facts.sessions]
  const pending = facts.pending.filter(
    ({ turn }) => !sessions.every((session) => hasDropped(session, turn, facts.nowMs))
  )
  const unconfirmed = Math.min(...pending.map(({ cseq }) => cseq))
  const deadlines = sessions
    .filter(({ isUp }) => !isUp)
    .map(({ downSinceMs, holdTimeMs }) => downSinceMs + holdTimeMs)
    .filter((deadlineMs) => deadlineMs > facts.nowMs)
  return {
    confirmedCseq: Math.max(0, Math.min(facts.completeCseq, unconfirmed - 1)),
    pending,
    nextDeadlineMs: pending.length === 0 ? Number.POSITIVE_INFINITY : Math.min(...deadlines, Number.POSITIVE_INFINITY)
  }
}

const hasDropped = ({ isUp, acknowledgedTurn, downSinceMs, holdTimeMs }: SessionTrace, turn: number, nowMs: number) =>
  isUp ? acknowledgedTurn >= turn : nowMs - downSinceMs >= holdTimeMs
