import type { CheckpointList } from "@lowtide/api/audit"
import { InvalidQueryProblem, NotFoundProblem, UnavailableProblem } from "@lowtide/api/problems"
import { Ledger, type TreeDamaged, treeSource, type Unavailable } from "@lowtide/ledger"
import { toEventRecord } from "@lowtide/ledger/proofs/event-record"
import { consistencyPath, inclusionPath } from "@lowtide/ledger/proofs/merkle"
import { type Proof, proofKind } from "@lowtide/ledger/proofs/proof"
import { Effect } from "effect"
import { Centre } from "../centre.ts"
import { archivedEvents } from "./archived.ts"
import { orUnavailable } from "./asking.ts"
import { refuseUnlessLeader } from "./currency.ts"
import { readingOf } from "./views/reading.ts"

/** Checkpoints that one page has. */
const pageMax = 1_000

/** The signed checkpoints that the database keeps beside the log, the smallest first. */
export const askCheckpoints = Effect.fnUntraced(function* (query: {
  readonly since?: number
  readonly fresh?: "true"
}) {
  const centre = yield* Centre
  const ledger = yield* Ledger
  const reading = yield* orUnavailable(centre.read(readingOf))
  if (query.fresh !== undefined && reading.position > 0) yield* checkpointOver(reading.position)
  const found = yield* orUnavailable(
    ledger.signedCheckpoints({ sinceSize: query.since, limit: pageMax + 1, order: "asc" })
  )
  const items = found.slice(0, pageMax).map(({ incarnation, treeSize: size, note }) => ({ incarnation, size, note }))
  const answer: CheckpointList = { ...reading, items, next: found[pageMax]?.treeSize ?? null }
  return answer
})

/** The proof that an event is in the log, by a checkpoint over it, which is signed now where there is none yet. */
export const askProof = Effect.fnUntraced(function* (query: { readonly seq: number; readonly from?: number }) {
  const centre = yield* Centre
  const ledger = yield* Ledger
  const { position } = yield* orUnavailable(centre.read(readingOf))
  const [event] = yield* orUnavailable(
    ledger.events({ sinceSeq: query.seq, untilSeq: query.seq, limit: 1, order: "asc" })
  )
  const archived = event === undefined ? yield* archivedEvents : undefined
  if (archived !== undefined && query.seq <= archived.untilSeq) {
    const detail = `seq: LT0535 event ${query.seq} is in an archive, which proves it with \`lowtide audit prove ${query.seq} --archive FILE\`: ${archived.sentence}`
    return yield* new NotFoundProblem({ detail })
  }
  if (event === undefined || query.seq > position) {
    return yield* new NotFoundProblem({ detail: `seq: expected 1 to ${position}, found ${query.seq}` })
  }
  const checkpoint = yield* checkpointOver(query.seq)
  const size = checkpoint.treeSize
  const inclusion = yield* hashesOf(inclusionPath(treeSource(ledger), { index: query.seq - 1, size }))
  const proof: Proof = { kind: proofKind, event: toEventRecord(event), inclusion, checkpoint: checkpoint.note }
  if (query.from === undefined) return proof
  const older = yield* orUnavailable(ledger.signedCheckpoints({ sinceSize: query.from, limit: 1, order: "asc" }))
  const from = older[0]
  if (from?.treeSize !== query.from) {
    const detail = `from: expected the size of a signed checkpoint, found ${query.from}; the next larger is ${from?.treeSize ?? "none"}`
    return yield* new NotFoundProblem({ detail })
  }
  if (from.treeSize > size || from.incarnation !== checkpoint.incarnation) {
    const detail = `from: expected at most ${size}, the size of the checkpoint over the event, found ${query.from}`
    return yield* new InvalidQueryProblem({ field: "from", detail })
  }
  const isArchived = (yield* archivedEvents)?.untilSeq ?? 0
  if (from.treeSize <= isArchived) {
    const detail = `from: LT0535 expected a checkpoint over more than ${isArchived} events, which are archived, found ${query.from}`
    return yield* new InvalidQueryProblem({ field: "from", detail })
  }
  const path = yield* hashesOf(consistencyPath(treeSource(ledger), { first: from.treeSize, second: size }))
  const whole: Proof = { ...proof, consistency: { checkpoint: from.note, path } }
  return whole
})

/** The leader alone signs. */
const checkpointOver = Effect.fnUntraced(function* (size: number) {
  const centre = yield* Centre
  yield* refuseUnlessLeader(centre)
  const checkpoint = yield* orUnavailable(centre.checkpointOver(size))
  if (checkpoint !== undefined) return checkpoint
  const detail = "checkpoint: this allocator signs none: it has no key for them, or does not believe its ledger"
  return yield* new NotFoundProblem({ detail })
})

const hashesOf = (path: Effect.Effect<ReadonlyArray<Uint8Array>, Unavailable | TreeDamaged>) =>
  orUnavailable(path).pipe(
    Effect.map((hashes) => hashes.map((hash) => Buffer.from(hash).toString("hex"))),
    Effect.catchTag("TreeDamaged", ({ message }) =>
      Effect.fail(new UnavailableProblem({ detail: message, code: "LT0530" }))
    )
  )
