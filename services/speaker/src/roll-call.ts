import type { NodeStatus } from "@lowtide/bus/status"
import type { HeldState } from "./held-state.ts"
import { heldParts } from "./status.ts"

type Part = NonNullable<NodeStatus["held"]>

/** The answer to a roll call, told in parts. */
export class RollCallAnswer {
  #parts: Array<Part> = []

  /** A call is repeated until the centre has its answer, which may be lost: it is given again, not twice at once. */
  begin(held: HeldState, incarnation: number): void {
    if (!this.isUnderWay) this.#parts = heldParts(held, incarnation)
  }

  get isUnderWay(): boolean {
    return this.#parts.length > 0
  }

  /** What is still to be told, and from then on is. */
  take(): Part | undefined {
    return this.#parts.shift()
  }
}
