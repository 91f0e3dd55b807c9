import { type Brake, brakeLimit, type Kept, type Proposed } from "./brake.ts"
import { formatFault } from "./fault-line.ts"
import type { SpeakerPort } from "./speaker-port.ts"
import type { Turns } from "./turns.ts"

/** What the brake is asked with, and who is told of it. */
export interface BrakeWatchPort extends Pick<SpeakerPort, "say" | "monotonicMs" | "unixMs"> {
  readonly brake: Brake
  readonly turns: () => Turns
  readonly isQuiet: () => boolean
  readonly changed: () => void
}

/** Asks the brake about what was accepted, and says what it holds back. */
export class BrakeWatch {
  readonly #port: BrakeWatchPort

  constructor(port: BrakeWatchPort) {
    this.#port = port
  }

  /** What of the messages is held back, by key. */
  judge(proposed: ReadonlyArray<Proposed>): ReadonlyMap<string, Kept> {
    const { brake, turns, isQuiet, changed, monotonicMs, unixMs } = this.#port
    if (isQuiet()) {
      // Nothing is announced, so nothing is taken away.
      for (const { key } of proposed) brake.drop(key)
      return new Map()
    }
    turns().run() // what was accepted before counts as it is by now
    const nowMs = monotonicMs()
    const before = brake.kept.size
    const kept = brake.judge(proposed, { nowMs, unixMs: unixMs() })
    if (brake.kept.size > before) this.#say(`${brake.kept.size - before} more messages`, "")
    if (kept.size > 0 || brake.kept.size !== before) changed()
    return kept
  }

  /** Says what an earlier process held back, if anything. */
  sayStill(): void {
    const { size } = this.#port.brake.kept
    if (size > 0) this.#say(`${size} messages`, "still ")
  }

  #say(what: string, still: string): void {
    const { of } = this.#port.brake.minute(this.#port.monotonicMs())
    const expected = `expected at most ${brakeLimit(of)} of ${of} prefixes to be withdrawn within a minute`
    const message = `brake: ${expected}, found more; ${what} ${still}wait, and what was in effect before stays`
    this.#port.say("error", formatFault({ code: "LT0406", message }))
  }
}
