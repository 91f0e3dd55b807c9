import { AmbiguousProblem, NotFoundProblem } from "@lowtide/api/problems"
import type { TraceAnswer } from "@lowtide/api/trace"
import { type Bus, Envelope, readLast, stateStream, stateSubject } from "@lowtide/bus"
import { messageKey, ServiceAnswer, VipIntent, vipKey } from "@lowtide/domain"
import { Ledger, type StoredEvent } from "@lowtide/ledger"
import { Effect, Option, Schema } from "effect"
import { Centre } from "../centre.ts"
import { orUnavailable } from "./asking.ts"
import { momentOf, readAt } from "./past.ts"
import { likelyServices, type ServiceAsked, unknownService } from "./views/clusters.ts"
import { readingOf } from "./views/reading.ts"
import { type Publication, traceAnswer } from "./views/trace.ts"

/** Events of a Service that are looked through for its newest change. */
const eventsMax = 200

/** Rows of the wire journal that are looked through for one VIP, and for statuses written. */
const wireMax = 200

/** How long NATS may take before the trace does without it. */
const natsTimeout = "1 second"

/** What a Service is to have or has; where its endpoints are is no change that is sent anywhere. */
const changes: ReadonlySet<string> = new Set([
  "ServiceObserved",
  "ServiceGone",
  "AssignmentRefused",
  "RefusalCleared",
  "VipAssigned",
  "VipHoldersChanged",
  "VipReleased"
])

/** A Service by its full name. */
export interface ServiceName {
  readonly cluster: string
  readonly namespace: string
  readonly name: string
}

/** How far the newest change of a Service has come, or had by then; the only cluster that has such a Service is meant. */
export const askTrace = Effect.fnUntraced(function* (query: Omit<ServiceName, "cluster"> & { readonly at?: string }) {
  const cluster = yield* clusterOfService(query)
  return yield* askTraceIn({ ...query, cluster })
})

/** How far the newest change of a Service of one cluster has come, or what was the newest at that moment had by then. */
export const askTraceIn = Effect.fnUntraced(function* (query: ServiceName & { readonly at?: string }) {
  const { cluster, namespace, name } = query
  const ledger = yield* Ledger
  const moment = query.at === undefined ? undefined : yield* momentOf(query.at, "at")
  const newest = yield* orUnavailable(
    ledger.events({
      ...{ cluster, namespace, service: name, untilSeq: moment?.position },
      ...{ limit: eventsMax, order: "desc" }
    })
  )
  const events = changeIn(newest)
  if (events.length === 0) {
    return yield* new NotFoundProblem({ detail: yield* unknownDetail({ cluster, namespace, name }, moment?.at) })
  }
  const { reading, held, network } = yield* readAt(moment, (view) => {
    const memory = view.fleet.clusters.get(cluster)
    return {
      reading: readingOf(view),
      held: memory?.addressesOf.get(`${namespace}/${name}`) ?? [],
      network: memory?.network ?? "default"
    }
  })
  const changed = events.flatMap(({ address }) => address ?? [])
  const addresses = [...new Set(changed.length > 0 ? changed : held)]
  const vips = yield* Effect.forEach(addresses, (address) =>
    Effect.map(readMessage(cluster, vipKey(address), decodeIntent), (published) => ({ address, published }))
  )
  const uid = events.findLast(({ serviceUid }) => serviceUid !== undefined)?.serviceUid
  const answered =
    uid === undefined
      ? undefined
      : yield* readMessage(cluster, messageKey({ _tag: "ServiceAnswer", uid }), decodeAnswer)
  const read = { untilAt: moment?.at, limit: wireMax, order: "desc" } as const
  const wire = yield* Effect.forEach(
    [...addresses.map((address) => ({ network, address, kind: "applied" })), { cluster, kind: "status-written" }],
    (filter) => orUnavailable(ledger.wire({ ...filter, ...read }))
  )
  const answer: TraceAnswer = traceAnswer(
    { cluster, namespace, name, at: moment?.at ?? null, events, vips, answer: answered, wire: wire.flat() },
    reading
  )
  return answer
})

/** The newest change with all that its command led to for this Service, oldest first. */
const changeIn = (newestFirst: ReadonlyArray<StoredEvent>): ReadonlyArray<StoredEvent> => {
  const correlationId = newestFirst.find(({ type }) => changes.has(type))?.correlationId
  return newestFirst.filter((event) => event.correlationId === correlationId && changes.has(event.type)).toReversed()
}

/** The only cluster that has, or had, such a Service; a name that fits several is not guessed. */
export const clusterOfService = Effect.fnUntraced(function* ({
  namespace,
  name,
  at
}: Omit<ServiceName, "cluster"> & { readonly at?: string }) {
  const ledger = yield* Ledger
  const moment = at === undefined ? undefined : yield* momentOf(at, "at")
  const present = yield* readAt(moment, ({ fleet }) =>
    [...fleet.clusters.values()].filter(({ services }) => services.has(`${namespace}/${name}`)).map(({ name }) => name)
  )
  const past = yield* orUnavailable(
    ledger.events({ namespace, service: name, untilSeq: moment?.position, limit: eventsMax, order: "desc" })
  )
  const clusters = present.length > 0 ? present : past.flatMap(({ cluster }) => cluster ?? [])
  const candidates = [...new Set(clusters)].sort()
  const [cluster, ...others] = candidates
  if (cluster === undefined) {
    return yield* new NotFoundProblem({ detail: yield* unknownDetail({ namespace, name }, moment?.at) })
  }
  if (others.length > 0) {
    return yield* new AmbiguousProblem({
      detail: `service ${namespace}/${name} is in several clusters: name one`,
      candidates: candidates.map((cluster) => `${cluster}/${namespace}/${name}`)
    })
  }
  return cluster
})

/** What is said of a Service that nobody knows. Commits wait while the fleet is read: names are compared after it. */
export const unknownDetail = Effect.fnUntraced(function* (asked: ServiceAsked, at?: string) {
  const centre = yield* Centre
  return unknownService(asked, yield* orUnavailable(centre.read((view) => likelyServices(view, asked))), at)
})

const decodeEnvelope = Schema.decodeUnknownOption(Schema.fromJsonString(Envelope))
const decodeIntent = Schema.decodeUnknownOption(Schema.fromJsonString(VipIntent))
const decodeAnswer = Schema.decodeUnknownOption(Schema.fromJsonString(ServiceAnswer))

/** What NATS holds under a key of the cluster. A trace goes on without NATS. */
const readMessage = <Message>(
  cluster: string,
  key: string,
  decode: (payload: string) => Option.Option<Message>
): Effect.Effect<Publication<Message>, never, Bus> =>
  readLast(stateStream, stateSubject(cluster, key)).pipe(
    Effect.timeout(natsTimeout),
    Effect.map((stored): Publication<Message> => {
      if (stored === undefined) return { _tag: "Absent" }
      return Option.match(
        Option.flatMap(decodeEnvelope(stored.text), ({ payload }) => decode(payload)),
        {
          onNone: () => ({ _tag: "Unanswered", why: "what NATS holds cannot be read" }),
          onSome: (message) => ({ _tag: "Stored", message, storedAt: new Date(stored.storedAt).toISOString() })
        }
      )
    }),
    Effect.catch((error) => Effect.succeed<Publication<Message>>({ _tag: "Unanswered", why: whyOf(error) }))
  )

const whyOf = (error: { readonly _tag: string; readonly message: string }): string =>
  error._tag === "TimeoutError" ? "NATS did not answer within a second" : error.message
