import {
  type ClusterMemory,
  type Content,
  type Fleet,
  type IntentBook,
  isReserved,
  type PublishedSubject,
  publishedSubjects,
  resolveNode,
  resolveVip,
  settledAtOnce,
  unsaidIn,
  vipKey
} from "@lowtide/domain"
import type { Memory } from "./memory.ts"

/** What is left of publishing a cluster anew; nothing, where that is done or there never was any. */
export const republicationOf = (memory: Memory, cluster: string): Republication => {
  const { fleet, book, head, republications } = memory
  const known = republications.get(cluster)
  if (known !== undefined) return known
  const made = new Republication(fleet, fleet.cluster(cluster), book, head.incarnation)
  republications.set(cluster, made)
  return made
}

/** Messages, and as many that go, which one batch publishes anew beside what its Services lead to. */
export const republishedAtOnce = 1_000

/**
 * What is left to do of a cluster that is published anew: messages that have none of this incarnation yet, then those of
 * before that nothing is said of any more. Found once, from what is there, and so by whoever leads next as well; what
 * comes about meanwhile is published by its own events.
 */
export class Republication {
  readonly #fleet: Fleet
  readonly #book: IntentBook
  readonly #cluster: string
  readonly #incarnation: number
  readonly #services: ClusterMemory
  readonly #lacking: Array<PublishedSubject>
  /** Services that may have to be settled yet; where all are settled in the batch that begins it, none. */
  #unsettled: Array<string>
  /** Whether those that did not get anything were asked about once more. */
  #isLastPass = false
  #isSettled: boolean
  #outdated: Array<string> | undefined

  constructor(fleet: Fleet, cluster: ClusterMemory, book: IntentBook, incarnation: number) {
    this.#fleet = fleet
    this.#book = book
    this.#cluster = cluster.name
    this.#incarnation = incarnation
    this.#services = cluster
    this.#isSettled = cluster.services.size <= settledAtOnce
    const keys = this.#isSettled ? [] : [...cluster.services.keys()].sort()
    const holds = (key: string) => cluster.addressesOf.has(key)
    // Those that have addresses first, so that they keep them.
    this.#unsettled = [...keys.filter(holds), ...keys.filter((key) => !holds(key))]
    this.#lacking = [...publishedSubjects(fleet, cluster)].filter(({ key }) => this.#isLacking(key))
  }

  #isLacking(key: string): boolean {
    return this.#book.entries(this.#cluster).get(key)?.incarnation !== this.#incarnation
  }

  get #unsaid() {
    return unsaidIn(this.#fleet, (cluster) => this.#book.said(cluster, this.#incarnation))
  }

  /** Takes from the end what nothing will be said of. */
  #passOver(isLeftUnsaid = this.#unsaid): void {
    for (let last = this.#lacking.at(-1); last !== undefined; last = this.#lacking.at(-1)) {
      if (this.#book.said(this.#cluster, this.#incarnation).has(last.key)) return
      const content = contentOf(this.#fleet, this.#services, last)
      if (content === undefined || !isLeftUnsaid(content)) return
      this.#lacking.pop()
    }
  }

  /** The next Services to settle; none when all are. */
  takeUnsettled(): ReadonlyArray<string> {
    if (this.#unsettled.length === 0 && !this.#isSettled && !this.#isLastPass) {
      this.#unsettled = [...this.#services.unserved].sort()
      this.#isLastPass = true
    }
    const taken = this.#unsettled.splice(0, settledAtOnce)
    if (taken.length === 0) this.#isSettled = true
    return taken
  }

  /** The next messages, once every Service is settled: none is answered before that is known which will have an address. */
  takeLacking(): ReadonlyArray<PublishedSubject> {
    const taken: Array<PublishedSubject> = []
    if (!this.#isSettled) return taken
    const isLeftUnsaid = this.#unsaid
    while (taken.length < republishedAtOnce) {
      this.#passOver(isLeftUnsaid)
      const next = this.#lacking.pop()
      if (next === undefined) break
      if (this.#isLacking(next.key)) taken.push(next)
    }
    return taken
  }

  /** The keys of the next messages of before, once all others are published: whom a message obliged is told by the next. */
  takeOutdated(): ReadonlyArray<string> {
    this.#passOver()
    if (this.#lacking.length > 0) return []
    this.#outdated ??= [...this.#book.entries(this.#cluster).keys()].filter((key) => this.#isLacking(key))
    const taken = this.#outdated.splice(0, republishedAtOnce)
    return taken.filter((key) => this.#isLacking(key))
  }

  /** Messages that have none of this incarnation yet. */
  get lackingCount(): number {
    return this.#lacking.filter(({ key }) => this.#isLacking(key)).length
  }

  /** Whether nothing is left. */
  get isWhole(): boolean {
    this.#passOver()
    if (this.#lacking.length > 0) return false
    this.#outdated ??= [...this.#book.entries(this.#cluster).keys()].filter((key) => this.#isLacking(key))
    return this.#outdated.length === 0
  }
}

/** What is said of a VIP or a node of which nothing was said before. */
const contentOf = (fleet: Fleet, cluster: ClusterMemory, subject: PublishedSubject): Content | undefined => {
  switch (subject._tag) {
    case "Vip": {
      const vip = fleet.vips.get(subject.stream)
      return vip && resolveVip(fleet, cluster, vip, [])
    }
    case "Node": {
      const node = cluster.nodes.get(subject.stream.slice(subject.stream.indexOf("/") + 1))
      return node && resolveNode(fleet, cluster, node)
    }
    case "Service":
    case "Object":
      return undefined
  }
}

/** Streams of VIPs of which nothing is said since history was lost, lest it takes what nodes announce of them. */
export const unsaidVips = (
  { fleet, book, head }: Pick<Memory, "fleet" | "book" | "head">,
  cluster: ClusterMemory
): ReadonlyArray<string> => {
  const said = book.said(cluster.name, head.incarnation)
  const isLeftUnsaid = unsaidIn(fleet, () => said)
  return [...cluster.vips].filter((stream) => {
    const vip = fleet.vips.get(stream)
    if (vip === undefined || vip.obliged.length === 0 || isReserved(cluster, vip) || said.has(vipKey(vip.address)))
      return false
    return isLeftUnsaid(resolveVip(fleet, cluster, vip, []))
  })
}
