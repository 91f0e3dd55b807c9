import { hash } from "node:crypto"
import { SetDigest } from "@lowtide/bus/digest"
import type { Envelope, KeyRing } from "@lowtide/bus/envelope"
import {
  type ClusterHead,
  compareStamps,
  type NodeIntent,
  type NumberedMessage,
  type Stamp,
  type VipIntent
} from "@lowtide/domain/announcing/intent"
import type { Refusal, TrustedMessage } from "./trust.ts"

/** A message in effect at this node, with the text that was signed. */
export interface Held<Message extends NumberedMessage> {
  /** Its subject key. */
  readonly key: string
  readonly message: Message
  readonly envelope: string
  /** Who signed it. */
  readonly keyId: string
}

/** What became of one message. */
export type Acceptance =
  /** It is in effect now, where it concerns this node; `isOurs` says whether it does. */
  | { readonly _tag: "Accepted"; readonly isOurs: boolean }
  /** It is the one held, or a head as old as the one held. */
  | { readonly _tag: "Repeated" }
  /** Older, or not allowed here. `isSeen`: it counts towards the cluster's set all the same. */
  | { readonly _tag: "Refused"; readonly refusal: Refusal; readonly isSeen: boolean }

interface Seen {
  readonly cseq: number
  readonly stamp: Stamp
  readonly fingerprint: string
}

/**
 * Everything this node knows of its cluster's messages: of each the number and stamp, which is what heads are compared
 * with, and in full those that it acts on. It grows and changes by newer stamps alone; nothing is ever taken away because
 * it was missing somewhere.
 */
export class HeldState {
  readonly #node: string
  readonly #seen = new Map<string, Seen>()
  readonly #vips = new Map<string, Held<VipIntent>>()
  /** Keys of VIPs whose newest message is not in effect because of whom this node believed: it may come again. */
  readonly #withheld = new Set<string>()
  /** Of the newest incarnation alone: what a new one does not speak of stays in effect, and is no part of its set. */
  #digest = new SetDigest()
  #newestText: { readonly stamp: Stamp; readonly envelope: string } | undefined
  #nodeIntent: Held<NodeIntent> | undefined
  #head: { readonly message: ClusterHead; readonly envelope: string } | undefined
  #newest: { readonly incarnation: number; readonly cseq: number } = { incarnation: 0, cseq: 0 }

  constructor(node: string) {
    this.#node = node
  }

  /** By subject key. */
  get vips(): ReadonlyMap<string, Held<VipIntent>> {
    return this.#vips
  }

  get nodeIntent(): Held<NodeIntent> | undefined {
    return this.#nodeIntent
  }

  /** The newest head that was accepted. */
  get head(): { readonly message: ClusterHead; readonly envelope: string } | undefined {
    return this.#head
  }

  /** The highest number seen, in the newest incarnation seen. */
  get newest(): { readonly incarnation: number; readonly cseq: number } {
    return this.#newest
  }

  /** The stamp of the message with the highest number. */
  get newestStamp(): Stamp | undefined {
    return this.#newestText?.stamp
  }

  /**
   * The text by which the centre itself says how far it had come: the head, or the message with the highest number where its
   * head has yet to come, or was not on the disk before this process began.
   */
  get proof(): string | undefined {
    const head = this.#head
    const newest = this.#newestText
    if (newest === undefined || newest.envelope.length > proofLengthMax) return head?.envelope
    return head !== undefined && compareStamps(head.message.stamp, newest.stamp) >= 0 ? head.envelope : newest.envelope
  }

  /** VIPs that are to be announced by a message of an earlier incarnation: the newest one has no word of them. */
  get formerCount(): number {
    let count = 0
    for (const { message } of this.#vips.values()) {
      if (message.state === "announced" && message.stamp.incarnation < this.#newest.incarnation) count += 1
    }
    return count
  }

  get digest(): string {
    return this.#digest.toString()
  }

  get count(): number {
    return this.#digest.count
  }

  /** How many VIPs are in effect by a key that is none of these. */
  countSignedByOthers(keys: KeyRing): number {
    let count = 0
    for (const { keyId } of this.#vips.values()) if (!keys.has(keyId)) count += 1
    return count
  }

  /** Whether this very text is what was last seen under the key, so that nothing of it needs checking again. */
  isKnown(key: string, envelope: string): boolean {
    const seen = this.#seen.get(key)
    return seen !== undefined && !this.#withheld.has(key) && seen.fingerprint === fingerprintOf(envelope)
  }

  /** Whether the VIP's message went out of effect and did not come again since. */
  isWithheld(key: string): boolean {
    return this.#withheld.has(key)
  }

  /**
   * Whom this node believes has changed: VIPs whose message `isGood` does not find good any more are held no longer, and
   * answered. They, and those that were refused before, are taken when the same message comes again and is good then.
   */
  rejudge(isGood: (key: string, envelope: string) => boolean): ReadonlyArray<VipIntent> {
    const gone = [...this.#vips.values()].filter(({ key, envelope }) => !isGood(key, envelope))
    for (const { key } of gone) this.#vips.delete(key)
    for (const [key, { fingerprint }] of this.#seen) {
      if (!key.startsWith(vipKeyStart)) continue
      const held = this.#vips.get(key)
      if (held === undefined || fingerprintOf(held.envelope) !== fingerprint) this.#withheld.add(key)
    }
    return gone.map(({ message }) => message)
  }

  /** Takes a message when its stamp is newer than that of the one held under its key. */
  accept({ key, envelope, message, notAllowed }: TrustedMessage): Acceptance {
    if (message._tag === "ClusterHead") return this.#acceptHead(message, envelope)
    if (message._tag === "RollCall") return { _tag: "Repeated" } // a question, which changes nothing
    const held = this.#seen.get(key)
    // One event may be told twice, under two numbers: then the number decides.
    const order = held === undefined ? 1 : compareStamps(message.stamp, held.stamp) || message.cseq - held.cseq
    if (held !== undefined && order < 0) return { ...older(key, message.stamp, held.stamp), isSeen: false }
    if (order === 0 && !this.#withheld.has(key) && !this.#isSignedAnew(key, envelope)) return { _tag: "Repeated" }
    this.#withheld.delete(key)
    this.#see(key, envelope, message)
    if (notAllowed !== undefined) return { _tag: "Refused", refusal: notAllowed, isSeen: true }
    return { _tag: "Accepted", isOurs: this.#apply(key, envelope, message) }
  }

  /** Whether what is held under the key says the very same by another's signature: the newer one may outlive the other's trust. */
  #isSignedAnew(key: string, envelope: string): boolean {
    const held = this.#nodeIntent?.key === key ? this.#nodeIntent : this.#vips.get(key)
    if (held === undefined || held.envelope === envelope) return false
    const { payload, keyId } = JSON.parse(envelope) as Envelope
    return keyId !== held.keyId && payload === (JSON.parse(held.envelope) as Envelope).payload
  }

  #see(key: string, envelope: string, { stamp, cseq }: NumberedMessage): void {
    const held = this.#seen.get(key)
    const { incarnation } = stamp
    if (incarnation > this.#newest.incarnation) {
      this.#digest = new SetDigest()
      this.#newest = { incarnation, cseq }
      this.#newestText = { stamp, envelope }
    } else if (incarnation === this.#newest.incarnation && cseq > this.#newest.cseq) {
      this.#newest = { incarnation, cseq }
      this.#newestText = { stamp, envelope }
    }
    if (incarnation === this.#newest.incarnation) {
      if (held?.stamp.incarnation === incarnation) this.#digest.remove(key, held.cseq)
      this.#digest.add(key, cseq)
    }
    this.#seen.set(key, { cseq, stamp, fingerprint: fingerprintOf(envelope) })
  }

  /** Whether the message is one that this node acts on. */
  #apply(key: string, envelope: string, message: NumberedMessage): boolean {
    switch (message._tag) {
      case "VipIntent":
        this.#vips.set(key, { key, message, envelope, keyId: signerOf(envelope) })
        return true
      case "NodeIntent":
        if (message.node !== this.#node) return false
        this.#nodeIntent = { key, message, envelope, keyId: signerOf(envelope) }
        return true
      case "ServiceAnswer":
      case "ObjectFindings":
        return false
    }
  }

  #acceptHead(message: ClusterHead, envelope: string): Acceptance {
    const held = this.#head?.message
    const order = held === undefined ? 1 : compareStamps(message.stamp, held.stamp) || message.cseq - held.cseq
    if (held !== undefined && order < 0) {
      const refused = older("head", message.stamp, held.stamp)
      const detail = `the centre went back: ${refused.refusal.message}`
      return { ...refused, refusal: { ...refused.refusal, message: detail }, isSeen: false }
    }
    this.#head = { message, envelope }
    return order === 0 ? { _tag: "Repeated" } : { _tag: "Accepted", isOurs: false }
  }
}

const older = (key: string, found: Stamp, held: Stamp) => ({
  _tag: "Refused" as const,
  refusal: {
    key,
    code: "LT0403" as const,
    message: `${key}: expected a stamp of ${formatStamp(held)} or newer, found ${formatStamp(found)}`
  }
})

/** `1/2/345`: incarnation, epoch and seq. */
export const formatStamp = ({ incarnation, epoch, seq }: Stamp): string => `${incarnation}/${epoch}/${seq}`

/**
 * A text longer than this does not go into a status, which has to fit into one message of NATS beside it: that of a VIP
 * with some five thousand nodes.
 */
const proofLengthMax = 500_000

/** How the keys of VIPs begin. */
const vipKeyStart = "adv."

/** Who signed a message that was judged when it came. */
export const signerOf = (envelope: string): string => (JSON.parse(envelope) as Envelope).keyId

const fingerprintOf = (envelope: string): string => hash("sha256", envelope, "base64")
