import type { ClusterHead } from "@lowtide/domain/announcing/intent"

/** A set without a head that agrees with it for this long is stale, and is read again. */
export const headAgeMsMax = 60_000

/** A resync is put off by up to this much, so that a fleet that lost its server does not ask it all at once. */
export const resyncJitterMs = 2_000

/** The longest wait between resyncs that bring no agreement. */
export const resyncBackOffMsMax = 60_000

/** What is compared with a head. */
export interface SetView {
  readonly digest: string
  readonly count: number
  readonly newest: { readonly incarnation: number; readonly cseq: number }
}

/**
 * Whether a node holds all that its centre speaks of, and when it has to read everything again (`reference`: bootstrap and
 * gap repair of the intents' protocol). Times are milliseconds of a clock that never goes back.
 */
export interface Sync {
  readonly state: "live" | "stale"
  /** Everything in effect up to this number is held: from a head that agreed, then message by message without a gap. */
  readonly completeCseq: number
  /** When a head last agreed, else when the process began. */
  readonly agreedAtMs: number
  /** When to read everything again. */
  readonly resyncAtMs: number
  /** Resyncs that were asked for since a head last agreed. */
  readonly resyncs: number
}

/** A process that has just begun: stale, and about to read everything anyway. */
export const startSync = (nowMs: number): Sync => ({
  state: "stale",
  completeCseq: 0,
  agreedAtMs: nowMs,
  resyncAtMs: nowMs + headAgeMsMax,
  resyncs: 0
})

/** `jitter`: 0 to below 1. */
interface At {
  readonly nowMs: number
  readonly jitter: number
}

/** A head was accepted, or repeated. A set that is ahead of it is in the middle of a batch, and waits for the next. */
export const onHead = (sync: Sync, head: ClusterHead, set: SetView, at: At): Sync => {
  if (head.digest === set.digest && head.count === set.count) {
    return {
      state: "live",
      completeCseq: head.cseq,
      agreedAtMs: at.nowMs,
      resyncAtMs: at.nowMs + headAgeMsMax + at.jitter * resyncJitterMs,
      resyncs: 0
    }
  }
  const isAhead = set.newest.incarnation === head.stamp.incarnation && set.newest.cseq > head.cseq
  return isAhead ? sync : askAgain({ ...sync, state: "stale" }, at)
}

/**
 * A live message was seen that is newer than all before it. One that does not follow the last one seen shows that
 * something was lost on the way.
 */
export const onLive = (
  sync: Sync,
  message: { readonly cseq: number; readonly prevCseq: number },
  lastCseq: number,
  at: At
): Sync => {
  if (message.prevCseq !== lastCseq) return askAgain({ ...sync, state: "stale" }, at)
  return message.prevCseq === sync.completeCseq ? { ...sync, completeCseq: message.cseq } : sync
}

/** A newer incarnation speaks, which numbers anew: what is held up to a number of the one before says nothing of its messages. */
export const onIncarnation = (sync: Sync): Sync => ({ ...sync, completeCseq: 0 })

/** Time passed. `resync` is true when everything is to be read again now. */
export const onTick = (sync: Sync, at: At): { readonly sync: Sync; readonly resync: boolean } => {
  const isOld = at.nowMs - sync.agreedAtMs >= headAgeMsMax
  const current: Sync = isOld && sync.state === "live" ? { ...sync, state: "stale" } : sync
  if (at.nowMs < current.resyncAtMs) return { sync: current, resync: false }
  const resyncs = current.resyncs + 1
  const resyncAtMs = at.nowMs + resyncBackOffMsMax + at.jitter * resyncJitterMs
  return { sync: { ...current, resyncs, resyncAtMs }, resync: true }
}

/** When `onTick` has next something to do. */
export const nextSyncDeadlineMs = (sync: Sync): number =>
  sync.state === "live" ? Math.min(sync.resyncAtMs, sync.agreedAtMs + headAgeMsMax) : sync.resyncAtMs

/** Reads again soon: at once save the jitter, and ever later while it does not help. */
const askAgain = (sync: Sync, { nowMs, jitter }: At): Sync => {
  const backOffMs = sync.resyncs === 0 ? 0 : Math.min(1_000 * 2 ** (sync.resyncs - 1), resyncBackOffMsMax)
  return { ...sync, resyncAtMs: Math.min(sync.resyncAtMs, nowMs + backOffMs + jitter * resyncJitterMs) }
}
