import { createHash, hash } from "node:crypto"
import type { NewEvent, StoredEvent } from "../event.ts"

/**
 * SHA-256 of what an event says, apart from its place: the columns in the order of docs/reference/ledger-proofs.md, the
 * payloads by their own hashes. The leader computes it before the write, so that it stands for what was decided.
 */
export const contentHash = (event: NewEvent): string =>
  sha256Hex(
    netstring(event.stream) +
      netstring(event.version) +
      netstring(event.type) +
      netstring(event.schema) +
      netstring(wholeMilliseconds(event.observedAt)) +
      netstring(event.network) +
      netstring(event.address) +
      netstring(event.pool) +
      netstring(event.cluster) +
      netstring(event.namespace) +
      netstring(event.service) +
      netstring(event.serviceUid) +
      netstring(event.actor) +
      netstring(event.actorKind) +
      netstring(event.commandId) +
      netstring(event.correlationId) +
      netstring(event.causationSeq) +
      netstring(event.reasonCode) +
      netstring(sha256Hex(event.data)) +
      netstring(sha256Hex(event.meta))
  )

/**
 * The event's leaf in the tree (RFC 6962 2.1: SHA-256 of 0x00 and the entry). The entry is the place, which only the
 * database knows when it commits, and the content's hash: the write statement computes the same.
 */
export const leafHash = (
  event: NewEvent & Pick<StoredEvent, "seq" | "epoch" | "commitSeq" | "eventId" | "recordedAt">
): Uint8Array =>
  hashLeaf(
    netstring(event.seq) +
      netstring(event.epoch) +
      netstring(event.commitSeq) +
      netstring(event.eventId) +
      netstring(event.recordedAt) +
      netstring(contentHash(event))
  )

/** RFC 6962 2.1: MTH of one entry. */
export const hashLeaf = (entry: string | Uint8Array): Uint8Array =>
  createHash("sha256").update(leafPrefix).update(entry).digest()

const leafPrefix = Uint8Array.of(0)

/** SHA-256 of a text's octets, in hexadecimal. */
export const sha256Hex = (text: string): string => hash("sha256", text)

/** The octets of a value behind their count, `5:hello,`; `-` for what is absent. No two lists of values share a text. */
export const netstring = (value: string | number | undefined): string => {
  if (value === undefined) return "-"
  const text = String(value)
  return `${Buffer.byteLength(text)}:${text},`
}

/** The reporter's clock as the log gives it back: whole milliseconds in UTC. What is no time stays, and fits no leaf. */
const wholeMilliseconds = (time: string | undefined): string | undefined =>
  time === undefined || Number.isNaN(Date.parse(time)) ? time : new Date(time).toISOString()
