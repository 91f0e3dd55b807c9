import { type Bus, connectionLost } from "@lowtide/bus/connection"
import { Envelope, type KeyRing, open, type SigningKey, seal } from "@lowtide/bus/envelope"
import { replaceStored } from "@lowtide/bus/streams"
import { stateStream, stateSubject } from "@lowtide/bus/subjects"
import { messageKey, StateMessage } from "@lowtide/domain"
import { plural } from "@lowtide/domain/words"
import { type IntentHeadRow, Ledger, type NewSignature, type SignedText } from "@lowtide/ledger"
import { Effect, Option, Result, Schedule, Schema } from "effect"
import type { Publisher } from "./publisher.ts"

/** The keys of a centre. */
export interface CentreKeys {
  /** Public halves by which it has signed, or will, its own not among them. */
  readonly others: KeyRing
  /** Those of them that nodes believe no more. */
  readonly retired: ReadonlySet<string>
}

/** Where no other key is known. */
export const noOtherKeys: CentreKeys = { others: new Map(), retired: new Set() }

/** What a leader signs anew by. */
export interface SignAnewParts {
  readonly epoch: number
  readonly key: SigningKey
  readonly keys: CentreKeys
  readonly publisher: Pick<Publisher, "apart" | "publishAnew">
  /** Clusters of which nothing is published now; all is said anew later. */
  readonly isMuted: (cluster: string) => boolean
}

/** Subjects that are listed at a time. */
const listedAtOnce = 10_000

/** Messages signed at a time: so many keep the event loop, and what is published waiting, for some hundredths of a second. */
const signedAtOnce = 64

/**
 * Gives what a retired key has signed the signature of this leader's key: the same text, stamp and number (ADR 80). Nodes
 * refuse it until then. A text that the retired key did not sign, though it says so, is left as it is, and so is one that says
 * another thing than its row. Costs one count where there is nothing to do, and the messages concerned where there is.
 */
export const signAnew = (parts: SignAnewParts): Effect.Effect<void, never, Ledger | Bus> =>
  Effect.suspend(() => {
    const { keys, key } = parts
    let count = 0
    const finish = Effect.gen(function* () {
      const retired = [...(yield* (yield* Ledger).signedBy).keys()]
        .filter((id) => keys.retired.has(id) && id !== key.keyId)
        .sort()
      if (retired.length === 0) return
      for (const head of yield* (yield* Ledger).intentHeads) {
        const signed = yield* signCluster(parts, retired, head)
        if (signed === undefined) return // another leads, and finds what is left
        count += signed
      }
      parts.publisher.publishAnew() // a head is sent in any case, behind what the stream lacks
      if (count === 0) return
      yield* Effect.logInfo(
        `${plural(count, "message")} signed by [${retired.join(", ")}], which nodes believe no more, are signed anew by ${key.keyId}`
      )
    })
    return finish.pipe(
      Effect.tapError((error) =>
        Effect.logWarning(`what retired keys signed is not signed anew yet: ${error.message}`)
      ),
      Effect.retry(Schedule.spaced("2 seconds")),
      Effect.orDie
    )
  })

/** Signs a cluster's messages and then its head; answers how many, and nothing once another allocator leads. */
const signCluster = (parts: SignAnewParts, retired: ReadonlyArray<string>, head: IntentHeadRow) =>
  Effect.gen(function* () {
    const { publisher, isMuted, epoch } = parts
    const { cluster, begunCseq = 0 } = head
    const ledger = yield* Ledger
    if (isMuted(cluster)) return 0
    let count = 0
    // What is of an earlier incarnation is not in effect, and is said anew.
    for (let sinceCseq = begunCseq; !isMuted(cluster); ) {
      const listed = yield* ledger.subjectsSignedBy(retired, { cluster, sinceCseq, limit: listedAtOnce })
      for (let start = 0; start < listed.length && !isMuted(cluster); start += signedAtOnce) {
        const subjects = listed.slice(start, start + signedAtOnce).map(({ subject }) => subject)
        const signed = yield* publisher.apart(signPage(parts, retired, { cluster, subjects }))
        if (signed === undefined) return undefined
        count += signed
      }
      if (listed.length < listedAtOnce) break
      sinceCseq = listed.at(-1)?.cseq ?? sinceCseq
    }
    const heads = resigned(parts, retired, { cluster, subject: null, envelope: head.envelope }, (text) =>
      isSaidBy(readMessage(text), head)
    )
    return (yield* ledger.signAnew(epoch, heads)) ? count + heads.length : undefined
  })

/**
 * NATS first, as the ledger tells what is left to do; what is newer in either by now stays. Nothing is published meanwhile, which
 * might be the former text.
 */
const signPage = (
  parts: SignAnewParts,
  retired: ReadonlyArray<string>,
  { cluster, subjects }: { readonly cluster: string; readonly subjects: ReadonlyArray<string> }
) =>
  Effect.gen(function* () {
    const ledger = yield* Ledger
    const signatures = (yield* ledger.signedTexts(cluster, subjects)).flatMap((row) =>
      resigned(parts, retired, row, (text) => isSaidIn(readMessage(text), row))
    )
    const replacements = signatures.map(({ subject, former, envelope }) => ({
      subject: stateSubject(cluster, subject ?? ""),
      // Also what another leader has signed anew and not noted yet.
      replaces: (stored: string) => stored !== envelope && payloadOf(stored) === payloadOf(former),
      text: envelope
    }))
    yield* replaceStored(stateStream, replacements).pipe(Effect.raceFirst(connectionLost("sign anew")))
    return (yield* ledger.signAnew(parts.epoch, signatures)) ? signatures.length : undefined
  })

const decodeEnvelope = Schema.decodeUnknownOption(Schema.fromJsonString(Envelope))
const decodeMessage = Schema.decodeUnknownOption(Schema.fromJsonString(StateMessage))

const payloadOf = (envelope: string): string | undefined => Option.getOrUndefined(decodeEnvelope(envelope))?.payload

const readMessage = (payload: string): StateMessage | undefined => Option.getOrUndefined(decodeMessage(payload))

/** Whether a message is the one of its row: an earlier one was good once, and says what is so no more. */
const isSaidIn = (message: StateMessage | undefined, { cluster, subject, cseq }: SignedText): boolean =>
  message !== undefined &&
  message._tag !== "ClusterHead" &&
  message._tag !== "RollCall" &&
  message.cluster === cluster &&
  message.cseq === cseq &&
  messageKey(message) === subject

const isSaidBy = (head: StateMessage | undefined, { cluster, cseq, digest, count }: IntentHeadRow): boolean =>
  head?._tag === "ClusterHead" &&
  head.cluster === cluster &&
  head.cseq === cseq &&
  head.digest === digest &&
  head.count === count

const resigned = (
  { key, keys }: SignAnewParts,
  retired: ReadonlyArray<string>,
  {
    cluster,
    subject,
    envelope
  }: { readonly cluster: string; readonly subject: string | null; readonly envelope: string },
  isRight: (payload: string) => boolean
): ReadonlyArray<NewSignature> => {
  const signer = Option.getOrUndefined(decodeEnvelope(envelope))?.keyId
  if (signer === undefined || !retired.includes(signer)) return []
  const opened = open(keys.others, envelope)
  if (Result.isFailure(opened) || !isRight(opened.success)) return []
  return [{ cluster, subject, former: envelope, envelope: seal(key, opened.success) }]
}
