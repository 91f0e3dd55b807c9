import type { StateItem, StateText } from "@lowtide/bus/follow-state"
import { headKey } from "@lowtide/bus/subjects"
import type { ClusterHead, NodeIntent, RollCall, VipIntent } from "@lowtide/domain/announcing/intent"
import { Result } from "effect"
import type { Kept, Proposed } from "./brake.ts"
import type { HeldState } from "./held-state.ts"
import type { SavedRecord } from "./journal-record.ts"
import { messageRecord } from "./saved-state.ts"
import type { StandingRefusals } from "./standing-refusals.ts"
import { nextSyncDeadlineMs, onHead, onIncarnation, onLive, onTick, type Sync, startSync } from "./sync.ts"
import { type Judged, judgeMessage, type judgeMessages, type Refusal, type Trust } from "./trust.ts"

/** A VIP's message on its way to the wire; times in milliseconds since 1970. */
export interface AcceptedVip {
  readonly message: VipIntent
  readonly receivedAtMs: number
  readonly savedAtMs: number
}

/** What is in effect now, after it was saved. */
export interface Accepted {
  readonly vips: ReadonlyArray<AcceptedVip>
  readonly node: NodeIntent | undefined
}

/** What the intake asks of its owner. */
export interface IntakePort {
  /** Answers when the disk has the records; tries for as long as it takes. */
  readonly save: (records: ReadonlyArray<SavedRecord>) => Promise<void>
  /** Records that have to be on the disk before a node intent takes effect. */
  readonly recordsFor: (node: NodeIntent) => ReadonlyArray<SavedRecord>
  /** Which messages are held back now, and what stays in effect instead. */
  readonly brake: (proposed: ReadonlyArray<Proposed>) => ReadonlyMap<string, Kept>
  /** What stays in effect under a key of which the newest message is held back. */
  readonly inEffect: (key: string) => Kept["inEffect"] | undefined
  readonly onAccepted: (accepted: Accepted) => void
  readonly onRefused: (refusal: Refusal) => void
  /** What is refused now. */
  readonly standing: Pick<StandingRefusals, "note" | "taken" | "agreed" | "saidAnew" | "forget">
  /** Which messages are to be believed. */
  readonly judge: typeof judgeMessages
  /** The centre asks what this node holds. */
  readonly onRollCall: (call: RollCall) => void
  /** What is held, saved and handed on agrees with a head, after a time in which it did not; or no longer does. */
  readonly onSync: (state: Sync["state"]) => void
  readonly monotonicMs: () => number
  readonly unixMs: () => number
  /** 0 to below 1. */
  readonly random: () => number
}

/** Messages that are judged and saved together. */
const judgedAtOnceMax = 250

/** Messages that may wait for the disk, and for their turn. */
const waitingMax = 100_000

interface Waiting extends StateText {
  readonly isLive: boolean
  readonly receivedAtMs: number
}

/** What was found of messages by one trust. */
interface JudgedBatch {
  readonly texts: ReadonlyArray<Waiting>
  readonly trust: Trust
  readonly judged: ReadonlyArray<{ readonly text: Waiting; readonly judged: Judged }>
}

/** Judges what comes from NATS, saves what is to take effect, hands it on, and knows when something is missing. */
export class Intake {
  #trust: Trust
  readonly #held: HeldState
  readonly #port: IntakePort
  #waiting: Array<Waiting> = []
  #isRunning = false
  #sync: Sync
  /** What the owner was last told. */
  #toldState: Sync["state"]
  /** What was complete before the messages that are being judged and saved; undefined when none are. */
  #completeBefore: number | undefined
  /** The head's text that the disk has. */
  #savedHead: string | undefined

  constructor(trust: Trust, held: HeldState, port: IntakePort) {
    this.#trust = trust
    this.#held = held
    this.#port = port
    this.#sync = startSync(port.monotonicMs())
    this.#toldState = this.#sync.state
    this.#savedHead = held.head?.envelope
  }

  get sync(): Sync {
    return this.#sync
  }

  /** Everything in effect up to this number was saved and handed on. */
  get completeCseq(): number {
    return Math.min(this.#sync.completeCseq, this.#completeBefore ?? Number.POSITIVE_INFINITY)
  }

  /** Takes a snapshot or a live message; it is judged and saved in the background, in order. */
  take(item: StateItem): void {
    const receivedAtMs = this.#port.unixMs()
    if (item._tag === "Live") {
      // One for which there is no room shows as a gap, and everything is read again.
      if (this.#waiting.length < waitingMax) this.#waiting.push({ ...item.item, isLive: true, receivedAtMs })
    } else {
      // The head last: it is compared with what the rest amounts to.
      const heads = item.items.filter(({ key }) => key === headKey)
      const others = item.items.filter(({ key }) => key !== headKey)
      for (const text of [...others, ...heads]) this.#waiting.push({ ...text, isLive: false, receivedAtMs })
    }
    if (this.#isRunning) return
    this.#isRunning = true
    setImmediate(() => this.#run())
  }

  get trust(): Trust {
    return this.#trust
  }

  /** Judges what comes by another trust from now on. What is held stays. */
  believe(trust: Trust): void {
    this.#trust = trust
  }

  /** The same, and judges what is held as well. Answers the VIPs that may not be announced any more. */
  takeTrust(trust: Trust): ReadonlyArray<VipIntent> {
    this.believe(trust)
    this.#port.standing.forget()
    return this.#held.rejudge((key, envelope) => {
      const judged = judgeMessage(trust, key, envelope)
      const refusal = Result.isFailure(judged) ? judged.failure : judged.success.notAllowed
      if (refusal !== undefined) this.#refuse(refusal)
      return refusal === undefined
    })
  }

  /** Whether everything has to be read again now. */
  tick(): boolean {
    const before = this.#sync
    const { sync, resync } = onTick(before, this.#at())
    this.#sync = sync
    if (this.#completeBefore === undefined) this.#tellSync()
    return resync
  }

  /** When `tick` has next something to do, by the monotonic clock. */
  get nextDeadlineMs(): number {
    return nextSyncDeadlineMs(this.#sync)
  }

  async #run(): Promise<void> {
    for (let next = this.#judgeNext(); next !== undefined; next ??= this.#judgeNext()) {
      const batch = await next
      if (batch.trust !== this.#trust) {
        next = this.#judge(batch.texts)
        continue
      }
      this.#completeBefore = this.#sync.completeCseq
      const accepted = batch.judged.flatMap(({ text, judged }) => this.#accept(text, judged))
      next = this.#judgeNext() // while the disk is at work
      if (accepted.length > 0) await this.#saveAndHandOn(accepted)
      this.#completeBefore = undefined
      this.#tellSync()
      await new Promise(setImmediate)
    }
    this.#isRunning = false
  }

  #judgeNext(): Promise<JudgedBatch> | undefined {
    return this.#waiting.length === 0 ? undefined : this.#judge(this.#waiting.splice(0, judgedAtOnceMax))
  }

  /** What is known by this very text is not judged again, unless something else may have come under its key just before. */
  async #judge(texts: ReadonlyArray<Waiting>): Promise<JudgedBatch> {
    const trust = this.#trust
    const before = new Set<string>()
    const unknown = texts.filter(({ key, envelope }) => {
      const isFirst = !before.has(key)
      before.add(key)
      return !isFirst || !this.#held.isKnown(key, envelope)
    })
    return { texts, trust, judged: await this.#port.judge(trust, unknown) }
  }

  async #saveAndHandOn(accepted: ReadonlyArray<AcceptedText>): Promise<void> {
    const kept = this.#port.brake(accepted)
    await this.#port.save([
      ...accepted.flatMap((text) => [
        ...(text.message._tag === "NodeIntent" && !kept.has(text.key) ? this.#port.recordsFor(text.message) : []),
        messageRecord(text, kept.get(text.key))
      ]),
      ...this.#headRecords()
    ])
    const passed = this.#stillPassed(accepted.filter(({ key }) => !kept.has(key)))
    const savedAtMs = this.#port.unixMs()
    this.#port.onAccepted({
      // Whom to believe may have changed while the disk was waited for.
      vips: passed.flatMap(({ key, message, receivedAtMs }) =>
        message._tag === "VipIntent" && !this.#held.isWithheld(key) ? { message, receivedAtMs, savedAtMs } : []
      ),
      node: passed.findLast(({ message }) => message._tag === "NodeIntent")?.message as NodeIntent | undefined
    })
  }

  /** Endpoints that came back while the disk was waited for may have made much of what was little. */
  #stillPassed(passed: ReadonlyArray<AcceptedText>): ReadonlyArray<AcceptedText> {
    const kept = this.#port.brake(passed)
    if (kept.size === 0) return passed
    const late = passed.filter(({ key }) => kept.has(key))
    void this.#port.save(late.map((text) => messageRecord(text, kept.get(text.key))))
    return passed.filter(({ key }) => !kept.has(key))
  }

  /** The head goes to the disk with the batch after it: it costs nothing there, and tells the next process how far this one was. */
  #headRecords(): ReadonlyArray<SavedRecord> {
    const head = this.#held.head?.envelope
    if (head === undefined || head === this.#savedHead) return []
    this.#savedHead = head
    return [{ _tag: "Message", key: headKey, envelope: head }]
  }

  /** The message, when it is to be saved and to take effect here. */
  #accept(text: Waiting, judged: Judged): ReadonlyArray<AcceptedText> {
    const { key, envelope, isLive, receivedAtMs } = text
    if (Result.isFailure(judged)) {
      this.#refuse(judged.failure)
      return []
    }
    const { message } = judged.success
    if (message._tag === "RollCall") {
      this.#port.onRollCall(message)
      return []
    }
    const last = this.#held.newest
    if (message._tag !== "ClusterHead" && message.stamp.incarnation < last.incarnation) {
      // What a new incarnation does not speak of stays as it is held; nothing of an earlier one is begun.
      const expected = `expected incarnation ${last.incarnation}, found ${message.stamp.incarnation}`
      this.#refuse({ key, code: "LT0403", message: `${key}: ${expected}` })
      return []
    }
    const own = this.#held.nodeIntent
    const previous = this.#port.inEffect(key) ?? (own?.key === key ? own : this.#held.vips.get(key))
    const acceptance = this.#held.accept(judged.success)
    if (this.#held.newest.incarnation > last.incarnation) {
      this.#sync = onIncarnation(this.#sync)
      this.#completeBefore = 0
      this.#port.standing.saidAnew()
    }
    if (acceptance._tag === "Refused") this.#refuse(acceptance.refusal)
    else if (judged.success.notAllowed === undefined) this.#port.standing.taken(key)
    if (message._tag === "ClusterHead") {
      if (acceptance._tag !== "Refused") this.#compare(message)
      return []
    }
    const isSeen = acceptance._tag === "Accepted" || (acceptance._tag === "Refused" && acceptance.isSeen)
    const isNewer = message.stamp.incarnation > last.incarnation || message.cseq > last.cseq
    if (isLive && isSeen && isNewer) this.#sync = onLive(this.#sync, message, last.cseq, this.#at())
    const isOurs = acceptance._tag === "Accepted" && acceptance.isOurs
    return isOurs && (message._tag === "VipIntent" || message._tag === "NodeIntent")
      ? [{ key, envelope, message, previous, receivedAtMs }]
      : []
  }

  #compare(head: ClusterHead): void {
    const before = this.#sync
    this.#sync = onHead(before, head, this.#held, this.#at())
    if (this.#sync !== before && this.#sync.state === "live") this.#port.standing.agreed()
  }

  #refuse(refusal: Refusal): void {
    this.#port.standing.note(refusal, this.#port.unixMs())
    this.#port.onRefused(refusal)
  }

  /** Between batches: what a head vouches for may have come with it, and takes effect first. */
  #tellSync(): void {
    const { state } = this.#sync
    if (state === this.#toldState) return
    this.#toldState = state
    this.#port.onSync(state)
  }

  #at() {
    return { nowMs: this.#port.monotonicMs(), jitter: this.#port.random() }
  }
}

interface AcceptedText extends Proposed {
  readonly envelope: string
  readonly receivedAtMs: number
}
