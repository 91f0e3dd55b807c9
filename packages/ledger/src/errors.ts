import { Data } from "effect"

/** A position in the log as a writer believes it, or as the database has it. */
export interface HeadPosition {
  readonly epoch: number
  readonly seq: number
}

/**
 * The head of the log is not where the writer expected it: another allocator leads (another epoch), or this batch was
 * already stored (same epoch, higher seq). Nothing was written. The process that meets this ends.
 */
export class Fenced extends Data.TaggedError("Fenced")<{
  readonly expected: HeadPosition
  readonly found: HeadPosition
}> {
  override get message() {
    return `LT0503 fenced: the ledger's head was expected at epoch ${this.expected.epoch} seq ${this.expected.seq}, and is at epoch ${this.found.epoch} seq ${this.found.seq}; nothing was written. Fix: nothing, when another is meant to lead (\`lowtide get allocators\`)`
  }
}

/**
 * The database did not answer, or answered with an error. After `append` the outcome is unknown: drop the memory,
 * fail the waiters as retriable, load again. `code` is the SQLSTATE or the socket's error code, where there is one.
 */
export class Unavailable extends Data.TaggedError("Unavailable")<{
  readonly operation: string
  readonly code?: string | undefined
  readonly cause: unknown
}> {
  override get message() {
    const found = this.cause instanceof Error ? this.cause.message : String(this.cause)
    return `ledger ${this.operation}: expected an answer from the database, found ${found}${this.code === undefined ? "" : ` (${this.code})`}`
  }

  /** Whether it may pass by itself: no connection, or a server that starts, ends or is short of something. */
  get isOutage(): boolean {
    return !/^(\d[0-9A-Z]{4}|XX\d{3})$/.test(this.code ?? "") || /^(08|40|53|57P)/.test(this.code ?? "")
  }

  /** SQLSTATE class 22, a value that is none, and 54, one that is too large. Nothing was written, nor will it be the next time. */
  get isUnstorable(): boolean {
    return /^(22|54)...$/.test(this.code ?? "")
  }
}

/**
 * The stored state is not the one the batch was decided on, or the batch would give one VIP two open history rows.
 * Nothing was written. This is a defect of ours, never a race: the leader stops and raises an alarm; it does not retry.
 */
export class ProjectionConflict extends Data.TaggedError("ProjectionConflict")<{
  readonly detail: string
}> {
  override get message() {
    return `ledger state differs from the decider's: ${this.detail}; nothing was written`
  }
}
