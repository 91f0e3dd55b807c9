import type { Cause, MassWithdraw, NumberedMessage, Stamp } from "./intent.ts"
import type { Content } from "./resolve.ts"
import { messageKey } from "./subject.ts"

/** The message in effect for one subject. */
export interface BookEntry {
  readonly cseq: number
  /** Under which it was published. */
  readonly incarnation: number
  /** What it says, as text or as the digest of that, to tell a change from a repetition. */
  readonly content: string
  /** Nodes that it obliges to confirm; empty for messages that are not of a VIP. */
  readonly obliged: ReadonlyArray<string>
  /** Whether it tells nodes to withdraw a VIP. */
  readonly withdraws: boolean
}

/** Every message in effect, by cluster and subject key; numbers new ones. Belongs to the one writer, as the fleet does. */
export class IntentBook {
  readonly #clusters = new Map<string, ClusterBook>()
  readonly #digest: (text: string) => string

  /** By their digest, messages take a fraction of the room; two that differ must have two. */
  constructor(digest: (text: string) => string = (text) => text) {
    this.#digest = digest
  }

  /** What the cluster's next message follows. */
  cseq(cluster: string): number {
    this.#entries(cluster)
    return this.#clusters.get(cluster)?.cseq ?? 0
  }

  entries(cluster: string): ReadonlyMap<string, BookEntry> {
    return this.#entries(cluster) ?? new Map()
  }

  /**
   * What something is said of, by key. A tombstone from before a loss of history is none of these: what has the address now was
   * given it since, and nobody knows any more what was said of that.
   */
  said(cluster: string, incarnation: number): Pick<ReadonlySet<string>, "has"> {
    const entries = this.entries(cluster)
    return {
      has: (key) => {
        const entry = entries.get(key)
        return entry !== undefined && (entry.incarnation === incarnation || !entry.withdraws)
      }
    }
  }

  obligedOf(cluster: string, key: string): ReadonlyArray<string> {
    return this.#entries(cluster)?.get(key)?.obliged ?? []
  }

  /**
   * Stored messages of a cluster, as loaded at start. They are entered when it is first asked about, and each is read when
   * something is to be compared with it, which for most is never.
   */
  restore(cluster: string, messages: Iterable<StoredMessage>): void {
    this.#book(cluster).stored.push(messages[Symbol.iterator]())
  }

  /** Raises a cluster's number to that of its stored head. */
  restoreCseq(cluster: string, cseq: number): void {
    const book = this.#book(cluster)
    book.cseq = Math.max(book.cseq, cseq)
  }

  /**
   * The message with its number, or undefined when the one in effect says the same and is not ordered to be said again. It is by
   * the one order where it says something new, and by the other where it does not.
   */
  number(
    content: Content,
    stamp: Stamp,
    cause: Cause,
    ofNew?: MassWithdraw,
    again?: MassWithdraw
  ): NumberedMessage | undefined {
    const book = this.#book(content.cluster)
    const key = messageKey(content)
    const digest = this.#digest(JSON.stringify(content))
    const entries = this.#enter(book)
    const before = entries.get(key)
    const isNew = before?.incarnation !== stamp.incarnation || before.content !== digest
    const massWithdraw = isNew ? ofNew : again
    if (!isNew && massWithdraw === undefined) return undefined
    const { _tag, ...rest } = content
    const why = massWithdraw === undefined ? { cause } : { massWithdraw, cause }
    const numbered = { _tag, stamp, cseq: book.cseq + 1, prevCseq: book.cseq, ...rest, ...why } as NumberedMessage
    book.cseq = numbered.cseq
    entries.set(key, { cseq: numbered.cseq, incarnation: stamp.incarnation, ...summaryOf(numbered, digest) })
    return numbered
  }

  /** Forgets a message of an earlier incarnation. */
  remove(cluster: string, key: string): void {
    this.#entries(cluster)?.delete(key)
  }

  #entries(cluster: string): Map<string, BookEntry> | undefined {
    const book = this.#clusters.get(cluster)
    return book && this.#enter(book)
  }

  /** Enters up to so many of a cluster's stored messages before anybody asks. Answers whether any are left. */
  enterSome(cluster: string, messages: number): boolean {
    const book = this.#clusters.get(cluster)
    return book !== undefined && this.#enterSome(book, messages)
  }

  #enter(book: ClusterBook): Map<string, BookEntry> {
    this.#enterSome(book, Number.POSITIVE_INFINITY)
    return book.entries
  }

  #enterSome(book: ClusterBook, messages: number): boolean {
    for (let entered = 0; book.stored.length > 0; entered++) {
      if (entered === messages) return true
      const next = book.stored[0]?.next()
      if (next?.done !== false) {
        book.stored.shift()
        continue
      }
      const entry = new StoredEntry(next.value, this.#digest)
      book.cseq = Math.max(book.cseq, entry.cseq)
      book.entries.set(next.value.key, entry)
    }
    return false
  }

  #book(cluster: string): ClusterBook {
    let book = this.#clusters.get(cluster)
    if (book === undefined) {
      book = { cseq: 0, entries: new Map(), stored: [] }
      this.#clusters.set(cluster, book)
    }
    return book
  }
}

interface ClusterBook {
  cseq: number
  readonly entries: Map<string, BookEntry>
  /** Not entered yet. */
  readonly stored: Array<Iterator<StoredMessage>>
}

/** A message as the database has it. */
export interface StoredMessage {
  /** Its subject key. */
  readonly key: string
  readonly cseq: number
  readonly incarnation: number
  /** The summary that was kept of it or, where there is none, the message. */
  readonly read: () => MessageSummary | NumberedMessage
}

/** All that the book keeps of a message beside its number. */
export type MessageSummary = Pick<BookEntry, "content" | "obliged" | "withdraws">

/** The summary of a message; `digest` as the book's that kept it. */
export const summaryOfMessage = (message: NumberedMessage, digest: (text: string) => string): MessageSummary =>
  summaryOf(message, digest(JSON.stringify(contentOf(message))))

const summaryOf = (message: Content | NumberedMessage, content: string): MessageSummary => ({
  content,
  obliged: message._tag === "VipIntent" ? message.obliged : [],
  withdraws: message._tag === "VipIntent" && message.state === "withdrawn"
})

class StoredEntry implements BookEntry {
  readonly cseq: number
  readonly incarnation: number
  readonly #digest: (text: string) => string
  #stored: StoredMessage | undefined
  #summary: MessageSummary | undefined

  constructor(stored: StoredMessage, digest: (text: string) => string) {
    this.cseq = stored.cseq
    this.incarnation = stored.incarnation
    this.#stored = stored
    this.#digest = digest
  }

  get content(): string {
    return this.#whole.content
  }

  get obliged(): ReadonlyArray<string> {
    return this.#whole.obliged
  }

  get withdraws(): boolean {
    return this.#whole.withdraws
  }

  get #whole(): MessageSummary {
    if (this.#stored !== undefined) {
      const read = this.#stored.read()
      this.#summary = "_tag" in read ? summaryOfMessage(read, this.#digest) : read
      this.#stored = undefined // its text is not needed twice
    }
    return this.#summary as MessageSummary
  }
}

/** What a message says, without its number, its cause and its order; `_tag` first, as `Content` is written. */
const contentOf = ({
  stamp: _stamp,
  cseq: _cseq,
  prevCseq: _prev,
  cause: _cause,
  ...rest
}: NumberedMessage): Content => {
  if (rest._tag !== "VipIntent" && rest._tag !== "NodeIntent") return rest
  const { massWithdraw: _mass, ...content } = rest
  return content
}
