/**
 * How often it went wrong in a row, by kind. A peer that does not answer costs one SYN to try, so it is tried again
 * soon; a peer that answers and then refuses costs both sides work and a line in a log, so it is left alone for longer.
 */
export interface BackOff {
  /** Dials in a row that gave no TCP connection. */
  readonly unreachable: number
  /** TCP connections in a row that gave no session which outlived its hold time. */
  readonly refused: number
}

/** Nothing went wrong yet. */
export const noBackOff: BackOff = { unreachable: 0, refused: 0 }

/** The longest wait before an unreachable peer is dialled again, unless ConnectRetryTime itself is longer. */
export const unreachableRetryMsMax = 10_000

/** The longest wait before a refusing peer is dialled again. */
export const refusedRetryMsMax = 120_000

/** What a failure was: no connection at all, or a connection without a lasting session. */
export type Failure = "unreachable" | "refused"

/** One more failure. A connection that was made clears the count of dials that made none. */
export const afterFailure = (backOff: BackOff, failure: Failure): BackOff =>
  failure === "unreachable"
    ? { ...backOff, unreachable: backOff.unreachable + 1 }
    : { unreachable: 0, refused: backOff.refused + 1 }

/**
 * How long to wait after the last failure: a quarter of ConnectRetryTime after the first, ConnectRetryTime after the
 * second, then twice as long each time up to a bound, all less up to a quarter (`jitter`, 0 to below 1: RFC 4271 §10).
 */
export const retryDelayMs = (
  backOff: BackOff,
  failure: Failure,
  { connectRetryMs, jitter }: { readonly connectRetryMs: number; readonly jitter: number }
): number => {
  const failures = backOff[failure]
  const bound = failure === "unreachable" ? Math.max(unreachableRetryMsMax, connectRetryMs) : refusedRetryMsMax
  const exponent = Math.min(failures - 2, 30) // beyond 2^30 the bound holds whatever the base
  const delay = failures <= 1 ? connectRetryMs / 4 : connectRetryMs * 2 ** exponent
  return jittered(Math.min(delay, Math.max(bound, connectRetryMs)), jitter)
}

/** Three quarters to all of a duration: RFC 4271 §10. */
export const jittered = (durationMs: number, jitter: number): number => durationMs * (1 - jitter / 4)
