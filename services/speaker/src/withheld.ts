import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs"
import { join } from "node:path"
import { formatPrefix, type Prefix, parseAddresses, parsePrefix, prefixCovers } from "@lowtide/net"
import { Result, Schema } from "effect"
import { checkedLine, readCheckedLine } from "./checked-line.ts"

/** What a person at the node took away, until somebody gives it back. */
const Order = Schema.Struct({
  /** Every route in it; null: every route of the node. */
  prefix: Schema.NullOr(Schema.String),
  reason: Schema.String,
  actor: Schema.String,
  /** RFC 3339, the node's clock. */
  since: Schema.String
})
export type WithheldOrder = typeof Order.Type

/** `revision` rises with each change: of two copies the newer counts. */
const Saved = Schema.Struct({ revision: Schema.Int, orders: Schema.Array(Order) })

/** What stands for orders that cannot be read: somebody wanted something away, and nobody knows what. */
const unreadableReason = "the record of what was withheld at this node cannot be read"

/** Where orders outlive the process: two copies, so that one that is damaged is no loss. */
export interface WithheldDisk {
  /** Each copy that there is, as it is, and what a person calls it. */
  readonly read: () => ReadonlyArray<WithheldCopy>
  /** Replaces both; throws when the disk refuses. */
  readonly write: (text: string) => void
}

/** `text` is missing where the copy cannot be read: then `fault` says why. */
export interface WithheldCopy {
  readonly name: string
  readonly text?: string
  readonly fault?: string
}

/**
 * What is withheld at this node by hand. It wins over whatever the centre says, and outlives the process: a change is on the
 * disk before it is answered. Where no copy can be read everything is withheld, since what a person took away must not come
 * back by an accident; a node that never had an order has no copies.
 */
export class Withheld {
  readonly #disk: WithheldDisk
  #revision = 0
  #orders: ReadonlyArray<WithheldOrder>
  #prefixes: ReadonlyArray<Prefix> = []
  readonly #faults: ReadonlyArray<string>
  readonly #isLost: boolean

  constructor(disk: WithheldDisk, nowText: string) {
    this.#disk = disk
    const copies = disk.read().map((copy) => ({ ...copy, saved: readSaved(copy.text) }))
    const whole = copies.flatMap(({ saved }) => saved ?? [])
    const newest = whole.sort((left, right) => right.revision - left.revision)[0]
    this.#revision = newest?.revision ?? 0
    this.#faults = copies.flatMap(({ name, fault = "it damaged", saved }) =>
      saved === undefined ? [`${name}: expected the record of what is withheld here, found ${fault}`] : []
    )
    this.#isLost = newest === undefined && copies.length > 0
    this.#orders = this.#isLost
      ? [{ prefix: null, reason: unreadableReason, actor: "speaker", since: nowText }]
      : (newest?.orders ?? [])
    this.#index()
  }

  get orders(): ReadonlyArray<WithheldOrder> {
    return this.#orders
  }

  /** What a process that begins has to say of it, a sentence each: nothing where nothing is withheld and no copy is damaged. */
  get atStart(): ReadonlyArray<string> {
    if (this.#isLost) {
      const first = "withdraw again at this node what `lowtide history` of it shows as withdrawn by hand"
      return [`${this.#faults.join("; ")}: every route of this node is withheld. Before the fix, ${first}`]
    }
    const repaired = this.#faults.map(
      (fault) => `${fault}; the other copy is whole, and the next order writes both anew`
    )
    const orders = this.#orders.map(
      ({ prefix, actor, since, reason }) =>
        `${prefix ?? "every route of this node"} is withheld by ${actor} since ${since}: ${reason}`
    )
    return [...repaired, ...orders]
  }

  get isEmpty(): boolean {
    return this.#orders.length === 0
  }

  /** Whether a route's prefix is kept from every peer. */
  holds(prefix: string): boolean {
    if (this.isEmpty) return false
    if (this.#orders.some((order) => order.prefix === null)) return true
    const parsed = Result.getOrUndefined(parsePrefix(prefix))
    return parsed !== undefined && this.#prefixes.some((held) => prefixCovers(held, parsed))
  }

  /** Withholds from now on, before anything is written; a prefix that is withheld already gets the new words. */
  add(order: WithheldOrder): void {
    const prefix = canonical(order.prefix)
    this.#set([...this.#orders.filter((held) => held.prefix !== prefix), { ...order, prefix }])
  }

  /** Gives back what was ordered with this very prefix, with null everything; false where nothing was. */
  remove(prefix: string | null): boolean {
    const wanted = canonical(prefix)
    const left = wanted === null ? [] : this.#orders.filter((held) => held.prefix !== wanted)
    if (left.length === this.#orders.length) return false
    this.#set(left)
    return true
  }

  /** Writes what is so now. False when the disk refuses: it holds until the process ends, and no longer. */
  save(): boolean {
    const revision = this.#revision + 1
    const text = JSON.stringify({ revision, orders: this.#orders })
    try {
      this.#disk.write(checkedLine(text))
      this.#revision = revision
      return true
    } catch {
      return false
    }
  }

  #set(orders: ReadonlyArray<WithheldOrder>): void {
    this.#orders = orders
    this.#index()
  }

  #index(): void {
    this.#prefixes = this.#orders.flatMap(({ prefix }) =>
      prefix === null ? [] : (Result.getOrUndefined(parsePrefix(prefix)) ?? [])
    )
  }
}

/** An address is the prefix that holds it alone; texts that are neither were refused before. */
const canonical = (text: string | null): string | null =>
  text === null ? null : Result.getOrElse(Result.map(parseAddresses(text), formatPrefix), () => text)

const decodeSaved = Schema.decodeUnknownResult(Schema.fromJsonString(Saved))

/** A copy whose checksum fits and that says what it should; undefined for a damaged one. */
const readSaved = (copy: string | undefined): typeof Saved.Type | undefined =>
  copy === undefined ? undefined : Result.getOrUndefined(decodeSaved(readCheckedLine(copy.trimEnd())))

/** Two files of the state folder. */
export const withheldFiles = (folder: string): WithheldDisk => {
  const paths = [join(folder, "withheld-0"), join(folder, "withheld-1")]
  return {
    read: () => paths.flatMap(readCopy),
    write: (text) => {
      for (const path of paths) writeWhole(folder, path, text)
    }
  }
}

/** A file that is there and cannot be read counts as a damaged copy. */
const readCopy = (name: string): ReadonlyArray<WithheldCopy> => {
  try {
    return [{ name, text: readFileSync(name, "utf8") }]
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    return code === "ENOENT" ? [] : [{ name, fault: message }]
  }
}

/** On the disk, name and all, when this returns. */
const writeWhole = (folder: string, path: string, text: string): void => {
  const draft = `${path}.new`
  const file = openSync(draft, "w", 0o600)
  try {
    writeSync(file, text)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(draft, path)
  const directory = openSync(folder, "r")
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}
