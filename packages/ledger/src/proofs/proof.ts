import { Option, Result, Schema } from "effect"
import { type CheckpointKeys, openCheckpoint, type SignedCheckpoint } from "./checkpoint.ts"
import { EventRecord } from "./event-record.ts"
import { leafHash } from "./leaf.ts"
import { areEqual, isConsistent, rootOfInclusion } from "./merkle.ts"
import { hasStrayKey } from "./stray-keys.ts"

/** What a file is that holds a proof. */
export const proofKind = "lowtide.dev/proof/v1"

const Hash = Schema.String.pipe(
  Schema.check(Schema.isPattern(/^[0-9a-f]{64}$/, { message: "expected 64 hexadecimal digits" }))
)

/** All that it takes to see that an event is in the log, without the log: docs/reference/ledger-proofs.md. */
export const Proof = Schema.Struct({
  kind: Schema.Literals([proofKind]),
  event: EventRecord,
  inclusion: Schema.Array(Hash).annotate({ description: "From the event's leaf to the checkpoint's root (RFC 6962)" }),
  checkpoint: Schema.String.annotate({ description: "Signed note (C2SP tlog-checkpoint) over at least the event" }),
  consistency: Schema.optionalKey(
    Schema.Struct({
      checkpoint: Schema.String.annotate({ description: "An older signed note" }),
      path: Schema.Array(Hash).annotate({ description: "Its tree is the beginning of the newer one (RFC 6962)" })
    })
  )
}).annotate({ identifier: "Proof" })
export type Proof = typeof Proof.Type

/** What a proof shows, or why it shows nothing. */
export type ProofVerdict =
  | {
      readonly isProved: true
      readonly event: EventRecord
      readonly checkpoint: SignedCheckpoint
      /** The older checkpoint that the newer one goes on from. */
      readonly older: SignedCheckpoint | undefined
    }
  | { readonly isProved: false; readonly event: EventRecord | undefined; readonly why: string }

const decode = Schema.decodeUnknownOption(Schema.fromJsonString(Proof))

/** Reads a proof file; undefined when it is none. */
export const readProof = (text: string): Proof | undefined => Option.getOrUndefined(decode(text))

/** Checks a proof file against public keys, and nothing else; undefined when it is none. */
export const verifyProofText = (text: string, keys: CheckpointKeys): ProofVerdict | undefined => {
  const proof = readProof(text)
  if (proof === undefined || !hasStrayKey(text, proof)) return proof && verifyProof(proof, keys)
  const why = "the file says more than it proves: it has a field that no proof has, or one twice"
  return { isProved: false, event: proof.event, why }
}

/** Checks what was read of a proof file. */
export const verifyProof = (proof: Proof, keys: CheckpointKeys): ProofVerdict => {
  const { event } = proof
  const fails = (why: string): ProofVerdict => ({ isProved: false, event, why })
  const opened = openCheckpoint(keys, proof.checkpoint)
  if (Result.isFailure(opened)) return fails(`the checkpoint is not to be believed: ${opened.failure}`)
  const checkpoint = opened.success
  if (event.seq < 1 || event.seq > checkpoint.size) {
    return fails(`expected an event of the first ${checkpoint.size}, found seq ${event.seq}`)
  }
  const leaf = leafHash(event)
  if (Buffer.from(leaf).toString("hex") !== event.leafHash) {
    return fails(`the event does not have the leaf ${event.leafHash} that it names`)
  }
  const root = rootOfInclusion({
    index: event.seq - 1,
    size: checkpoint.size,
    leaf,
    path: octetsOf(proof.inclusion)
  })
  if (root === undefined || !areEqual(root, checkpoint.root)) {
    return fails(`the event does not lead to root ${Buffer.from(checkpoint.root).toString("base64")} of the checkpoint`)
  }
  if (proof.consistency === undefined) return { isProved: true, event, checkpoint, older: undefined }
  const older = openCheckpoint(keys, proof.consistency.checkpoint)
  if (Result.isFailure(older)) return fails(`the older checkpoint is not to be believed: ${older.failure}`)
  const isPrefix = isConsistent({
    first: older.success.size,
    second: checkpoint.size,
    firstRoot: older.success.root,
    secondRoot: checkpoint.root,
    path: octetsOf(proof.consistency.path)
  })
  return isPrefix && older.success.origin === checkpoint.origin
    ? { isProved: true, event, checkpoint, older: older.success }
    : fails(`the log of ${checkpoint.size} events does not go on from the checkpoint over ${older.success.size}`)
}

const octetsOf = (hashes: ReadonlyArray<string>): ReadonlyArray<Uint8Array> =>
  hashes.map((hash) => Buffer.from(hash, "hex"))
