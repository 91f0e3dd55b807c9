import { type Bus, connectionLost } from "@lowtide/bus/connection"
import { Envelope, type KeyRing, open, type SigningKey, seal } from "@lowtide/bus/envelope"
import { publishAll } from "@lowtide/bus/streams"
import { stateSubject } from "@lowtide/bus/subjects"
import { plural } from "@lowtide/domain/words"
import { Ledger, type NewSignature } from "@lowtide/ledger"
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

/** Messages signed at a time: so many keep the event loop for some hundredths of a second. */
const signedAtOnce = 250

/** How long NATS may take to store what is under way, milliseconds; what is published waits as long. */
const patienceMs = 10_000

/**
 * Gives what a retired key has signed the signature of this leader's key: the same text, stamp and number (ADR 80). Nodes
 * refuse it until then. A text that the retired key did not sign, though it says so, is left as it is. Costs one count where there is
 * nothing to do, and the messages concerned where there is.
 */
export const signAnew = (parts: SignAnewParts): Effect.Effect<void, never, Ledger | Bus> =>
  Effect.gen(function* () {
    const ledger = yield* Ledger
    const { keys, key, isMuted, publisher } = parts
    const signers = yield* ledger.signedBy
    const retired = [...signers.keys()].filter((id) => keys.retired.has(id) && id !== key.keyId).sort()
    if (retired.length === 0) return
    let count = 0
    for (const { cluster, begunCseq = 0 } of yield* ledger.intentHeads) {
      if (isMuted(cluster)) continue
      // What is of an earlier incarnation is not in effect, and is said anew.
      for (let sinceCseq = begunCseq; ; ) {
        const page = { cluster, sinceCseq, limit: signedAtOnce }
        const texts = yield* ledger.intentsSignedBy(retired, page)
        const [last] = texts.slice(-1)
        if (last === undefined) break
        sinceCseq = last.cseq
        count += yield* publisher.apart(signPage(parts, retired, page))
      }
    }
    const heads = (yield* ledger.intentHeads).flatMap(({ cluster, envelope }) =>
      isMuted(cluster) ? [] : resigned(parts, retired, { cluster, subject: null, envelope })
    )
    yield* ledger.signAnew(parts.epoch, heads)
    publisher.publishAnew() // a head is sent in any case, behind what the stream lacks
    if (count + heads.length > 0) {
      yield* Effect.logInfo(
        `${plural(count + heads.length, "message")} signed by [${retired.join(", ")}], which nodes believe no more, are signed anew by ${key.keyId}`
      )
    }
  }).pipe(
    Effect.tapError((error) => Effect.logWarning(`what retired keys signed is not signed anew yet: ${error.message}`)),
    Effect.retry(Schedule.spaced("2 seconds")),
    Effect.orDie
  )

/** Read again while nothing else is published, so that no newer message is replaced; NATS first, as the ledger tells what is left to do. */
const signPage = (
  parts: SignAnewParts,
  retired: ReadonlyArray<string>,
  page: { readonly cluster: string; readonly sinceCseq: number; readonly limit: number }
) =>
  Effect.gen(function* () {
    const ledger = yield* Ledger
    const texts = yield* ledger.intentsSignedBy(retired, page)
    const signatures = texts.flatMap((text) => resigned(parts, retired, text))
    yield* publishAll(
      signatures.map(({ cluster, subject, envelope }) => ({
        subject: stateSubject(cluster, subject ?? ""),
        text: envelope
      })),
      { patienceMs }
    ).pipe(Effect.raceFirst(connectionLost("sign anew")))
    yield* ledger.signAnew(parts.epoch, signatures)
    return signatures.length
  })

const decodeEnvelope = Schema.decodeUnknownOption(Schema.fromJsonString(Envelope))

const resigned = (
  { key, keys }: SignAnewParts,
  retired: ReadonlyArray<string>,
  {
    cluster,
    subject,
    envelope
  }: { readonly cluster: string; readonly subject: string | null; readonly envelope: string }
): ReadonlyArray<NewSignature> => {
  const signer = Option.getOrUndefined(decodeEnvelope(envelope))?.keyId
  if (signer === undefined || !retired.includes(signer)) return []
  const opened = open(keys.others, envelope)
  if (Result.isFailure(opened)) return []
  return [{ cluster, subject, former: envelope, envelope: seal(key, opened.success) }]
}
