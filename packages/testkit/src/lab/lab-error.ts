import { Data } from "effect"

/** A part of the lab could not be made, started or read. `operation` is what was tried, `detail` what was found. */
export class LabError extends Data.TaggedError("LabError")<{ readonly operation: string; readonly detail: string }> {
  override get message() {
    return `${this.operation}: ${this.detail}`
  }
}
