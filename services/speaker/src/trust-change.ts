import type { VipIntent } from "@lowtide/domain/announcing/intent"
import { vipKey } from "@lowtide/domain/announcing/subject"
import { formatPrefix } from "@lowtide/net"
import { Result } from "effect"
import type { Brake } from "./brake.ts"
import type { HeldState } from "./held-state.ts"
import type { Accepted, Intake } from "./intake.ts"
import type { RefusalLog } from "./refusals.ts"
import type { SpeakerPort } from "./speaker-port.ts"
import { judgeMessage, type Trust } from "./trust.ts"

/** What a change of trust reads and changes. */
export interface TrustChangePort extends Pick<SpeakerPort, "say" | "resync" | "monotonicMs" | "unixMs"> {
  readonly intake: Intake
  readonly brake: Brake
  readonly held: HeldState
  readonly refusals: RefusalLog
  /** Takes effect with the next turn. */
  readonly change: (accepted: Accepted) => void
  /** Something of the status is another now. */
  readonly changed: () => void
}

/** What a key signed that is believed no more stays in effect for so long at most while NATS does not answer, milliseconds. */
const readAnewMsMax = 10_000

/** Other keys, or other prefixes, while a speaker runs (L3). */
export class TrustChange {
  readonly #port: TrustChangePort
  /** When keys were taken away by which something is in effect still, monotonic. */
  #rejudgeSinceMs: number | undefined

  constructor(port: TrustChangePort) {
    this.#port = port
  }

  /**
   * Believes them from now on. What is not signed or allowed any more is withdrawn: at once, or, where only keys went, when
   * what the centre says now is read, which may say the same by another key. What was refused before is read again. Sessions
   * stay as they are.
   */
  take(trust: Trust): void {
    const { held, intake } = this.#port
    const allowed = prefixTexts(trust)
    const isSameAllowed = allowed === prefixTexts(intake.trust)
    const unsigned = isSameAllowed ? held.countSignedByOthers(trust.intentKeys) : 0
    const rest =
      unsigned === 0 ? "" : `; ${unsigned} VIPs are signed by none of these: what the centre says now is read first`
    const keys = [...trust.intentKeys.keys()].join(", ")
    this.#port.say("info", `trust is read anew: keys [${keys}], prefixes [${allowed}]${rest}`)
    if (unsigned === 0) return this.#rejudge(trust)
    intake.believe(trust)
    this.#rejudgeSinceMs ??= this.#port.monotonicMs()
    this.#port.resync()
  }

  /** A key was taken away: a head that agrees since shows that what is held is what the centre says now. */
  tick(): void {
    const sinceMs = this.#rejudgeSinceMs
    if (sinceMs === undefined) return
    const { sync, trust } = this.#port.intake
    const isRead = sync.state === "live" && sync.agreedAtMs > sinceMs
    if (isRead || this.#port.monotonicMs() - sinceMs >= readAnewMsMax) this.#rejudge(trust)
  }

  #rejudge(trust: Trust): void {
    this.#rejudgeSinceMs = undefined
    const gone = this.#port.intake.takeTrust(trust)
    const nowMs = this.#port.unixMs()
    this.#dropDistrusted(trust, gone)
    for (const message of gone) {
      const withdrawn = { message: { ...message, state: "withdrawn" }, receivedAtMs: nowMs, savedAtMs: nowMs } as const
      this.#port.change({ vips: [withdrawn], node: undefined })
    }
    if (gone.length > 0) this.#port.say("warning", `by that trust ${gone.length} VIPs may not be announced any more`)
    this.#port.changed()
    // A rotation that goes well changes nothing: then a whole fleet need not read everything again at once.
    if (gone.length > 0 || this.#port.refusals.counts.size > 0) this.#port.resync()
  }

  /** What the brake keeps in effect has to be believed as well; else what waits is in effect, if that is. */
  #dropDistrusted(trust: Trust, gone: ReadonlyArray<VipIntent>): void {
    const { brake, change } = this.#port
    for (const { address } of gone) brake.drop(vipKey(address))
    const nowMs = this.#port.unixMs()
    for (const [key, { inEffect, pending }] of [...brake.kept]) {
      const judged = judgeMessage(trust, key, inEffect.envelope)
      if (Result.isSuccess(judged) && judged.success.notAllowed === undefined) continue
      brake.drop(key)
      if (pending._tag === "NodeIntent") change({ vips: [], node: pending })
      else change({ vips: [{ message: pending, receivedAtMs: nowMs, savedAtMs: nowMs }], node: undefined })
    }
  }
}

const prefixTexts = ({ allowedPrefixes }: Trust): string => allowedPrefixes.map(formatPrefix).join(", ")
