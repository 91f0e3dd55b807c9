import type { Bus } from "@lowtide/bus/connection"
import { type KeyRing, open } from "@lowtide/bus/envelope"
import { followState, type StateText } from "@lowtide/bus/follow-state"
import type { WireReport } from "@lowtide/bus/status"
import { publishAll } from "@lowtide/bus/streams"
import { wireSubject } from "@lowtide/bus/subjects"
import { compareStamps, messageKey, type ObjectFindings, type ServiceAnswer, StateMessage } from "@lowtide/domain"
import { type ObjectStatus, type StatusUnwritable, writeStatus } from "@lowtide/kube"
import { Effect, Option, Queue, Result, Schema, Stream } from "effect"

/** The name under which an agent reports what it did; nodes have names of their own. */
const reporter = "agent"

/**
 * Writes what the centre answers into the statuses of Services and configuration objects, for ever. Only signed messages
 * of the own cluster count, and never an older one after a newer.
 */
export const writeStatuses = (cluster: string, keys: KeyRing, folder: string): Effect.Effect<void, never, Bus> =>
  Effect.gen(function* () {
    const resync = yield* Queue.sliding<void>(1)
    const written = new Map<string, Place>()
    yield* followState(cluster, resync).pipe(
      Stream.runForEach((item) =>
        Effect.gen(function* () {
          const texts = item._tag === "Snapshot" ? item.items : [item.item]
          const messages = yield* Effect.forEach(texts, (text) => readMessage(cluster, keys, text))
          for (const message of newestOf(messages.flatMap((message) => message ?? []))) {
            yield* write(folder, written, message)
          }
        })
      )
    )
  })

type StatusMessage = ServiceAnswer | ObjectFindings

/** Where a message stands among those of its cluster. */
type Place = Pick<StatusMessage, "stamp" | "cseq">

const decodeMessage = Schema.decodeUnknownOption(Schema.fromJsonString(StateMessage))

/** A status for an object of the cluster; undefined for any other message, and for one that is not to be believed. */
const readMessage = Effect.fnUntraced(function* (cluster: string, keys: KeyRing, { key, envelope }: StateText) {
  if (!key.startsWith("svc.") && !key.startsWith("obj.")) return undefined
  const payload = open(keys, envelope)
  if (Result.isFailure(payload)) {
    yield* Effect.logError(`LT0401 ${key}: ${payload.failure.message}; it is ignored`)
    return undefined
  }
  const message = Option.getOrUndefined(decodeMessage(payload.success))
  if (
    (message?._tag === "ServiceAnswer" || message?._tag === "ObjectFindings") &&
    message.cluster === cluster &&
    messageKey(message) === key
  ) {
    return message
  }
  yield* Effect.logError(`LT0404 ${key}: not a status for cluster ${cluster}; it is ignored`)
  return undefined
})

/** The object that a status is of: a Service by its name, since one may follow another under it. */
const objectOf = (message: StatusMessage): string =>
  message._tag === "ServiceAnswer"
    ? `Service/${message.namespace}/${message.name}`
    : `${message.object.kind}/${message.object.namespace}/${message.object.name}`

/** Of two messages of one event the later one counts: a Service may take the place of another by it. */
const isNewer = (message: Place, held: Place | undefined): boolean =>
  held === undefined || (compareStamps(message.stamp, held.stamp) || message.cseq - held.cseq) > 0

/** The newest message of each object, so that no status is written that is out of date already. */
const newestOf = (messages: ReadonlyArray<StatusMessage>): ReadonlyArray<StatusMessage> => {
  const newest = new Map<string, StatusMessage>()
  for (const message of messages) {
    const object = objectOf(message)
    if (isNewer(message, newest.get(object))) newest.set(object, message)
  }
  return [...newest.values()]
}

/** One that could not be written is written when it comes again. */
const write = Effect.fnUntraced(function* (folder: string, written: Map<string, Place>, message: StatusMessage) {
  if (!isNewer(message, written.get(objectOf(message)))) return
  const status = message._tag === "ServiceAnswer" ? serviceStatus(message) : objectStatus(message)
  yield* writeStatus(folder, status).pipe(
    Effect.tap((isChanged) => {
      written.set(objectOf(message), { stamp: message.stamp, cseq: message.cseq })
      return isChanged && message._tag === "ServiceAnswer" ? reportWritten(message) : Effect.void
    }),
    Effect.catch((error: StatusUnwritable) => Effect.logError(error.message))
  )
})

/** `status.loadBalancer.ingress` as Kubernetes has it, and a condition that says why there is none. */
const serviceStatus = ({ namespace, name, addresses, refusal, cause }: ServiceAnswer): ObjectStatus => ({
  apiVersion: "v1",
  kind: "Service",
  namespace,
  name,
  status: {
    loadBalancer: { ingress: addresses.map(({ address }) => ({ ip: address, ipMode: "VIP" })) },
    conditions: [
      refusal === null
        ? {
            type: "lowtide.dev/Assigned",
            status: addresses.length > 0 ? "True" : "False",
            reason: camel(cause.reason),
            message: ""
          }
        : {
            type: "lowtide.dev/Assigned",
            status: "False",
            reason: refusal.code,
            message: `${refusal.message}. Fix: ${refusal.fix}`
          }
    ]
  }
})

const objectStatus = ({ object, findings }: ObjectFindings): ObjectStatus => {
  const errors = findings.filter(({ severity }) => severity === "error")
  return {
    apiVersion:
      object.kind === "File" || object.kind === "Cluster" ? "lowtide.dev/v1alpha1" : apiVersionOf(object.kind),
    kind: object.kind,
    namespace: object.namespace,
    name: object.name,
    status: {
      conditions: [
        {
          type: "lowtide.dev/Accepted",
          status: errors.length === 0 ? "True" : "False",
          reason: errors[0]?.code ?? findings[0]?.code ?? "Accepted",
          message: findings.map(({ code, message, fix }) => `${code} ${message}. Fix: ${fix}`).join("\n")
        }
      ]
    }
  }
}

const apiVersionOf = (kind: string): string => {
  switch (kind) {
    case "BGPPeer":
      return "metallb.io/v1beta2"
    case "IPAddressPool":
    case "BGPAdvertisement":
    case "Community":
    case "BFDProfile":
      return "metallb.io/v1beta1"
    case "EndpointSlice":
      return "discovery.k8s.io/v1"
    default:
      return "v1"
  }
}

/** A condition's reason is one word in Kubernetes: `pool-selected` is `PoolSelected`. */
const camel = (reason: string): string =>
  reason
    .split("-")
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join("")

/** Lets `trace` show when the status was written. It is a courtesy: a server that is away is not waited for. */
const reportWritten = Effect.fnUntraced(function* ({ cluster, namespace, name, stamp }: ServiceAnswer) {
  const report: WireReport = {
    _tag: "WireReport",
    cluster,
    node: reporter,
    entries: [{ _tag: "StatusWritten", namespace, name, stamp, at: new Date().toISOString() }]
  }
  yield* Effect.ignore(publishAll([{ subject: wireSubject(cluster, reporter), text: JSON.stringify(report) }]))
})
