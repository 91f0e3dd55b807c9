import { DiscardPolicy, jetstream, jetstreamManager, RetentionPolicy, StorageType } from "@nats-io/jetstream"
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

/** Publishes in flight at once; more gains nothing (one connection, one server). */
const publishWindow = 64

/**
 * Stores the messages, keeping the order of any one subject, and answers when the server has acknowledged all. A failure
 * says nothing about the ones before it; repeating is harmless.
 */
export const publishAll = (publications: ReadonlyArray<Publication>): Effect.Effect<void, BusUnavailable, Bus> =>
  Effect.gen(function* () {
    const connection = yield* (yield* Bus).connection
    const stream = jetstream(connection)
    for (let start = 0; start < publications.length; start += publishWindow) {
      const window = publications.slice(start, start + publishWindow)
      yield* busCall("publish", () =>
        Promise.all(window.map(({ subject, text }) => stream.publish(subject, text, { timeout: 2_000 })))
      )
    }
  })

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
    const message = yield* busCall(`read ${subject}`, () =>
      manager.streams
        .getMessage(stream, { last_by_subj: subject })
        .catch((error: { readonly status?: number; readonly code?: number }) => {
          if (error.code === 10037 || error.status === 404) return null // no message found
          throw error
        })
    )
    return message === null ? undefined : { text: message.string(), storedAt: message.time }
  })
