import type { StateItem } from "@lowtide/bus/follow-state"
import { headKey, keyOf, stateSubject } from "@lowtide/bus/subjects"
import type { Choices } from "./choices.ts"

/** Who follows a cluster's state: what has been sent to it and has not arrived yet, in order. */
export interface Follower {
  readonly cluster: string
  isConnected: boolean
  readonly inbox: Array<StateItem>
}

/**
 * The cable between the processes, as NATS is one: the last message of each subject is stored, live messages reach those
 * who are connected, in order, and some are lost; a server that was down comes back with or without its store.
 */
export class Cable {
  isUp = true
  readonly stored = new Map<string, string>()
  readonly followers = new Set<Follower>()
  /** The newest status of each node, as text. */
  readonly statuses = new Map<string, string>()
  /** By subject, what was stored before what is: it stays signed, and may be repeated. */
  readonly #earlier = new Map<string, string>()
  readonly #choices: Choices

  constructor(choices: Choices) {
    this.#choices = choices
  }

  /** False when the server is away: nothing is stored then. */
  publish(cluster: string, key: string, envelope: string): boolean {
    if (!this.isUp) return false
    const earlier = this.#earlier.get(stateSubject(cluster, key))
    this.#earlier.set(stateSubject(cluster, key), this.stored.get(stateSubject(cluster, key)) ?? envelope)
    this.stored.set(stateSubject(cluster, key), envelope)
    for (const follower of this.followers) {
      if (follower.cluster !== cluster || !follower.isConnected || this.#choices.oneIn(25)) continue
      follower.inbox.push({ _tag: "Live", item: { key, envelope } })
      if (this.#choices.oneIn(40)) follower.inbox.push({ _tag: "Live", item: { key, envelope } })
      // Somebody repeats what was said long before.
      if (earlier !== undefined && this.#choices.oneIn(15))
        follower.inbox.push({ _tag: "Live", item: { key, envelope: earlier } })
    }
    return true
  }

  /** What is stored of a cluster's head. */
  marker(cluster: string): string | undefined {
    return this.stored.get(stateSubject(cluster, headKey))
  }

  /** What is stored of all clusters under keys that begin so. */
  storedTexts(keyStart: string): ReadonlyArray<string> {
    return [...this.stored].flatMap(([subject, text]) => (keyOf(subject).startsWith(keyStart) ? [text] : []))
  }

  /** Takes out what is stored of a cluster; who has it keeps it. */
  purge(cluster: string): void {
    const prefix = stateSubject(cluster, "")
    for (const subject of [...this.stored.keys()]) if (subject.startsWith(prefix)) this.stored.delete(subject)
  }

  /** A live message that is not stored. */
  call(cluster: string, key: string, envelope: string): void {
    if (!this.isUp) return
    for (const follower of this.followers) {
      if (follower.cluster !== cluster || !follower.isConnected || this.#choices.oneIn(8)) continue
      follower.inbox.push({ _tag: "Live", item: { key, envelope } })
    }
  }

  /** The reading that follows a connection or a gap; it arrives behind what was sent before it. */
  snapshot(follower: Follower): void {
    if (!this.isUp || !follower.isConnected) return
    const prefix = stateSubject(follower.cluster, "")
    const items = [...this.stored]
      .filter(([subject]) => subject.startsWith(prefix))
      .map(([subject, envelope]) => ({ key: keyOf(subject), envelope }))
    follower.inbox.push({ _tag: "Snapshot", items })
  }

  down(): void {
    this.isUp = false
    for (const follower of this.followers) follower.isConnected = false
  }

  up(): void {
    this.isUp = true
    for (const follower of this.followers) this.connect(follower)
  }

  connect(follower: Follower): void {
    if (!this.isUp || follower.isConnected) return
    follower.isConnected = true
    this.snapshot(follower)
  }

  disconnect(follower: Follower): void {
    follower.isConnected = false
    follower.inbox.length = 0
  }

  wipe(): void {
    this.stored.clear()
    this.statuses.clear()
  }
}
