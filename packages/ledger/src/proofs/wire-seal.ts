import { readEvent } from "@lowtide/domain"
import { Option, Result, Schema } from "effect"
import type { StoredWire } from "../wire.ts"
import type { EventRecord } from "./event-record.ts"
import { hashLeaf, netstring, sha256Hex } from "./leaf.ts"
import { Frontier } from "./merkle.ts"
import { hasStrayKey } from "./stray-keys.ts"

const Text = Schema.String

/** A row of the wire journal as exports carry it, one JSON object a line. */
const WireRecord = Schema.Struct({
  id: Schema.Int,
  recordedAt: Text,
  cluster: Text,
  network: Schema.optionalKey(Text),
  address: Schema.optionalKey(Text),
  stampIncarnation: Schema.optionalKey(Schema.Int),
  stampEpoch: Schema.optionalKey(Schema.Int),
  stampSeq: Schema.optionalKey(Schema.Int),
  kind: Text,
  node: Schema.optionalKey(Text),
  peer: Schema.optionalKey(Text),
  detail: Text
})

/** The columns of an export of the wire journal, in their order. */
export const wireRecordKeys = Object.keys(WireRecord.fields) as ReadonlyArray<keyof typeof WireRecord.Type>

const decode = Schema.decodeUnknownOption(Schema.fromJsonString(WireRecord))

/** Reads a line of an export of the wire journal. */
export const readWireRecord = (line: string): StoredWire | undefined => Option.getOrUndefined(decode(line))

/** The leaf of a row in the tree of its seal: docs/reference/ledger-proofs.md. */
export const wireLeaf = (row: StoredWire): Uint8Array =>
  hashLeaf(wireRecordKeys.map((key) => netstring(key === "detail" ? sha256Hex(row.detail) : row[key])).join(""))

/** What a seal says of a stretch of the wire journal. */
export interface WireSeal {
  readonly sinceId: number
  readonly untilId: number
  readonly count: number
  readonly root: string
}

/** Gathers rows, in the order of their ids, for one seal. */
export class WireStretch {
  readonly #tree = new Frontier()

  add(row: StoredWire): void {
    this.#tree.append(wireLeaf(row))
  }

  get count(): number {
    return this.#tree.size
  }

  root(): string {
    return Buffer.from(this.#tree.root()).toString("hex")
  }
}

/** The seal that an event is, if it is one. */
export const sealIn = (event: EventRecord): WireSeal | undefined => {
  const change = event.type === "WireJournalSealed" ? Result.getOrUndefined(readEvent(event)) : undefined
  return change?.after?._tag === "WireSeal" ? change.after : undefined
}

const decodeDrop = Schema.decodeUnknownOption(
  Schema.fromJsonString(Schema.Struct({ after: Schema.Struct({ untilId: Schema.Int }) }))
)

/** Up to which row an event says that old ones were removed, if it is such an event. */
export const dropIn = (event: EventRecord): number | undefined =>
  event.type === "WireRowsDropped" ? Option.getOrUndefined(decodeDrop(event.data))?.after.untilId : undefined

/** What became of the rows under the seals. */
export interface WireVerdict {
  readonly isIntact: boolean
  readonly sealsFitting: number
  /** Seals whose rows are older than what is kept: the log says that they were removed. */
  readonly sealsWithoutRows: number
  /** Rows that no seal covers yet. */
  readonly rowsUnsealed: number
  /** Rows from before the first seal that was read: the seals over them are in events that were not. */
  readonly rowsBefore: number
  readonly faults: ReadonlyArray<string>
}

/** Compares an export of the wire journal, row by row, with the seals of the log. */
export class WireVerifier {
  readonly #seals: ReadonlyArray<WireSeal>
  readonly #droppedUntilId: number
  #at = 0
  #stretch = new WireStretch()
  #lastId = 0
  #fitting = 0
  #withoutRows = 0
  #unsealed = 0
  #before = 0
  readonly #faults: Array<string> = []

  /** `droppedUntilId`: up to which row the log says that old ones were removed. */
  constructor(seals: ReadonlyArray<WireSeal>, droppedUntilId = 0) {
    this.#seals = seals
    this.#droppedUntilId = droppedUntilId
  }

  add(line: string): void {
    if (line.trim() === "") return
    const row = readWireRecord(line)
    if (row === undefined) return this.#fault(`after row ${this.#lastId}: expected a row of the journal, found none`)
    if (hasStrayKey(line, row)) this.#fault(`row ${row.id} has a field that no row has, or one twice`)
    if (row.id <= this.#lastId) this.#fault(`row ${row.id} stands after row ${this.#lastId}`)
    this.#lastId = row.id
    for (let past = this.#seals[this.#at]; past !== undefined && row.id > past.untilId; past = this.#seals[this.#at]) {
      this.#close(past)
    }
    const seal = this.#seals[this.#at]
    if (seal === undefined) this.#unsealed += 1
    else if (row.id < seal.sinceId) this.#before += 1
    else this.#stretch.add(row)
  }

  finish(): WireVerdict {
    for (const seal of this.#seals.slice(this.#at)) this.#close(seal)
    return {
      isIntact: this.#faults.length === 0,
      sealsFitting: this.#fitting,
      sealsWithoutRows: this.#withoutRows,
      rowsUnsealed: this.#unsealed,
      rowsBefore: this.#before,
      faults: this.#faults
    }
  }

  #close(seal: WireSeal): void {
    const found = this.#stretch
    this.#stretch = new WireStretch()
    this.#at += 1
    if (found.count === seal.count && found.root() === seal.root) this.#fitting += 1
    else if (seal.untilId <= this.#droppedUntilId) this.#withoutRows += 1
    else if (found.count === 0) {
      this.#fault(`rows ${seal.sinceId} to ${seal.untilId} are gone, and the log does not say that they were removed`)
    } else {
      this.#fault(
        `rows ${seal.sinceId} to ${seal.untilId} were changed: expected ${seal.count} with root ${seal.root}, ` +
          `found ${found.count} with root ${found.root()}`
      )
    }
  }

  #fault(what: string): void {
    if (this.#faults.length < 20) this.#faults.push(`wire journal: ${what}`)
  }
}
