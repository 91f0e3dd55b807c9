import {
  DiscardPolicy,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
  type PubAck,
  RetentionPolicy,
  StorageType,
  type StoredMsg
} from "@nats-io/jetstream"
import { Effect } from "effect"
import { Bus, BusUnavailable, busCall } from "./connection.ts"
import { auditStream, stateStream, statusStream, wireStream } from "./subjects.ts"

/** How long wire reports wait for an allocator that is away, and how much room they have. */
const wireRetention = { maxAgeHours: 24, maxBytes: 1024 ** 3 } as const

/** About a million signed checkpoints: years of them. */
const auditBytesMax = 512 * 1024 ** 2

const nanosecondsPerHour = 3_600_000_000_000

/** Makes the streams that are missing, as an empty or wiped server needs. Streams that are there are left as they are. */
export const ensureStreams: Effect.Effect<ReadonlyArray<string>, BusUnavailable, Bus> = Effect.gen(function* () {
  const connection = yield* (yield* Bus).connection
  const manager = yield* busCall("open JetStream", () => jetstreamManager(connection))
  const present = yield* busCall("list streams", async () => {
    const names: Array<string> = []
    for await (const name of manager.streams.names()) names.push(name)
    return names
  })
  const wanted = [
    {
      name: stateStream,
      subjects: ["lt.v1.state.>"],
      storage: StorageType.File,
      max_msgs_per_subject: 1,
      allow_direct: true,
      republish: { src: "lt.v1.state.>", dest: "lt.live.v1.state.>" }
    },
    {
      name: statusStream,
      subjects: ["lt.v1.status.>"],
      storage: StorageType.File,
      max_msgs_per_subject: 1,
      allow_direct: true
    },
    {
      name: wireStream,
      subjects: ["lt.v1.wire.>"],
      storage: StorageType.File,
      retention: RetentionPolicy.Limits,
      discard: DiscardPolicy.Old,
      max_age: wireRetention.maxAgeHours * nanosecondsPerHour,
      max_bytes: wireRetention.maxBytes
    },
    {
      name: auditStream,
      subjects: ["lt.v1.audit.>"],
      storage: StorageType.File,
      retention: RetentionPolicy.Limits,
      discard: DiscardPolicy.Old,
      max_bytes: auditBytesMax,
      deny_delete: true, // who may write here may not take back
      deny_purge: true
    }
  ]
  const missing = wanted.filter((stream) => !present.includes(stream.name))
  for (const stream of missing) {
    yield* busCall(`create stream ${stream.name}`, () => manager.streams.add(stream))
  }
  return missing.map((stream) => stream.name)
})

/** One message for a stream: the whole subject and its text. */
export interface Publication {
  readonly subject: string
  readonly text: string
}

/** Publishes in flight at once that each wait for their own acknowledgement. */
const publishWindow = 64

/** How messages are stored. */
export interface PublishOptions {
  /** How long the server may take to store what is under way, milliseconds; 2 s without. */
  readonly patienceMs?: number
  /** How many of the messages, from the first on, are known to be stored by now; told of many at once alone. */
  readonly onStored?: (count: number) => void
}

/** Of many messages, so many are acknowledged together: waiting for each one's own is what they would cost most. */
const storedTogether = 256

/**
 * Stores the messages, all of one stream, keeping their order, and answers when the server has acknowledged all. A failure
 * says nothing about the ones that `onStored` was not told of; repeating is harmless. A connection's messages are stored one after another, and
 * an acknowledgement names its message's place: where it is n places after the one before, n messages are stored (ADR 38).
 */
export const publishAll = (
  publications: ReadonlyArray<Publication>,
  { patienceMs = ackTimeoutMs, onStored = () => undefined }: PublishOptions = {}
): Effect.Effect<void, BusUnavailable, Bus> =>
  Effect.gen(function* () {
    const connection = yield* (yield* Bus).connection
    const stream = jetstream(connection)
    const store = ({ subject, text }: Publication) => stream.publish(subject, text, { timeout: patienceMs })
    if (publications.length <= publishWindow) {
      return yield* busCall("publish", () => Promise.all(publications.map(store)))
    }
    // Whoever leads no more, or has lost the connection, sends no further lots.
    yield* busCall("publish", async (signal) => {
      const [first, ...rest] = publications as readonly [Publication, ...ReadonlyArray<Publication>]
      let place = (await store(first)).seq
      let storedCount = 1
      const stored = async (count: number, acknowledged: Promise<PubAck>) => {
        const { seq } = await acknowledged
        if (seq - place < count) throw new Error(`expected ${count} messages to be stored, found ${seq - place}`)
        place = seq
        storedCount += count
        onStored(storedCount)
      }
      // While one lot is waited for, the next is under way.
      let before: Promise<void> = Promise.resolve()
      for (let start = 0; start < rest.length && !signal.aborted; start += storedTogether) {
        const lot = rest.slice(start, start + storedTogether)
        for (const { subject, text } of lot.slice(0, -1)) connection.publish(subject, text)
        const acknowledged = store(lot.at(-1) as Publication)
        acknowledged.catch(() => undefined) // told when its turn has come
        await before
        before = stored(lot.length, acknowledged)
        before.catch(() => undefined)
      }
      await before
    })
  }).pipe(Effect.asVoid)

/** How long the server may take to store what is under way, unless it is given longer. */
const ackTimeoutMs = 2_000

/** A text that is to come in the place of another one. */
export interface Replacement extends Publication {
  /** Whether it is to come in the place of what the stream has. */
  readonly replaces: (stored: string) => boolean
}

/**
 * Stores each text in the place of the newest of its subject, all at once; what it does not replace, and what is stored meanwhile,
 * stays, and the rest does not mind.
 */
export const replaceStored = (
  stream: string,
  replacements: ReadonlyArray<Replacement>
): Effect.Effect<void, BusUnavailable, Bus> =>
  Effect.gen(function* () {
    const connection = yield* (yield* Bus).connection
    const manager = yield* busCall("open JetStream", () => jetstreamManager(connection))
    const jetStream = jetstream(connection)
    const replace = async ({ subject, replaces, text }: Replacement) => {
      const stored = await lastOf(manager, stream, subject)
      if (stored === null || !replaces(stored.string())) return
      const expect = { lastSubjectSequence: stored.seq }
      await jetStream
        .publish(subject, text, { timeout: ackTimeoutMs, expect })
        .catch((error: { readonly code?: number }) => {
          if (error.code !== 10071) throw error // wrong last sequence: it is another by now
        })
    }
    yield* busCall("replace", () => Promise.all(replacements.map(replace)))
  }).pipe(Effect.asVoid)

/** How many subjects have a stored message under a filter. */
export const countStored = (stream: string, filter: string): Effect.Effect<number, BusUnavailable, Bus> =>
  Effect.gen(function* () {
    const connection = yield* (yield* Bus).connection
    const manager = yield* busCall("open JetStream", () => jetstreamManager(connection))
    const { state } = yield* busCall(`count ${filter}`, () => manager.streams.info(stream, { subjects_filter: filter }))
    return Object.keys(state.subjects ?? {}).length
  })

/** Takes what is stored under a filter out of a stream. */
export const purgeStored = (stream: string, filter: string): Effect.Effect<void, BusUnavailable, Bus> =>
  Effect.gen(function* () {
    const connection = yield* (yield* Bus).connection
    const manager = yield* busCall("open JetStream", () => jetstreamManager(connection))
    yield* busCall(`purge ${filter}`, () => manager.streams.purge(stream, { filter }))
  })

/** A reader who has never been connected is not kept waiting longer. */
const firstConnectionTimeoutMs = 2_000

/** The newest stored text of one subject and when the server stored it; undefined when there is none. */
export const readLast = (
  stream: string,
  subject: string
): Effect.Effect<{ readonly text: string; readonly storedAt: Date } | undefined, BusUnavailable, Bus> =>
  Effect.gen(function* () {
    const connection = yield* (yield* Bus).connection.pipe(
      Effect.timeoutOrElse({
        duration: firstConnectionTimeoutMs,
        orElse: () => Effect.fail(new BusUnavailable({ operation: "connect", cause: new Error("no connection yet") }))
      })
    )
    const manager = yield* busCall("open JetStream", () => jetstreamManager(connection))
    const message = yield* busCall(`read ${subject}`, () => lastOf(manager, stream, subject))
    return message === null ? undefined : { text: message.string(), storedAt: message.time }
  })

/** The newest stored message of a subject, null when there is none. */
const lastOf = (manager: JetStreamManager, stream: string, subject: string): Promise<StoredMsg | null> =>
  manager.streams
    .getMessage(stream, { last_by_subj: subject })
    .catch((error: { readonly status?: number; readonly code?: number }) => {
      if (error.code === 10037 || error.status === 404) return null // no message found
      throw error
    })
