import type { Bus } from "@lowtide/bus/connection"
import { type KeyRing, open } from "@lowtide/bus/envelope"
import { followState, type StateText } from "@lowtide/bus/follow-state"
import type { WireReport } from "@lowtide/bus/status"
import { publishAll } from "@lowtide/bus/streams"
import { headKey, wireSubject } from "@lowtide/bus/subjects"
import {
  compareStamps,
  messageKey,
  type ObjectFindings,
  type ServiceAnswer,
  type Stamp,
  StateMessage
} from "@lowtide/domain"
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
    const newest = new Map<string, Stamp>()
    yield* followState(cluster, resync).pipe(
      Stream.runForEach((item) =>
        Effect.forEach(
          item._tag === "Snapshot" ? item.items : [item.item],
          (text) => take(cluster, keys, folder, newest, text),
          {
            discard: true
          }
        )
      )
    )
  })

const decodeMessage = Schema.decodeUnknownOption(Schema.fromJsonString(StateMessage))

const take = Effect.fnUntraced(function* (
  cluster: string,
  keys: KeyRing,
  folder: string,
  newest: Map<string, Stamp>,
  { key, envelope }: StateText
) {
  if (key === headKey || !(key.startsWith("svc.") || key.startsWith("obj."))) return
  const payload = open(keys, envelope)
  if (Result.isFailure(payload)) {
    return yield* Effect.logError(`LT0401 ${key}: ${payload.failure.message}; it is ignored`)
  }
  const message = Option.getOrUndefined(decodeMessage(payload.success))
  const isOurs =
    (message?._tag === "ServiceAnswer" || message?._tag === "ObjectFindings") &&
    message.cluster === cluster &&
    messageKey(message) === key
  if (!isOurs) return yield* Effect.logError(`LT0404 ${key}: not a status for cluster ${cluster}; it is ignored`)
  const held = newest.get(key)
  if (held !== undefined && compareStamps(message.stamp, held) <= 0) return
  newest.set(key, message.stamp)
  const written = yield* writeStatus(
    folder,
    message._tag === "ServiceAnswer" ? serviceStatus(message) : objectStatus(message)
  ).pipe(Effect.catch((error: StatusUnwritable) => Effect.as(Effect.logError(error.message), false)))
  if (written && message._tag === "ServiceAnswer") yield* reportWritten(cluster, message)
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
const reportWritten = Effect.fnUntraced(function* (cluster: string, { namespace, name, stamp }: ServiceAnswer) {
  const report: WireReport = {
    _tag: "WireReport",
    cluster,
    node: reporter,
    entries: [{ _tag: "StatusWritten", namespace, name, stamp, at: new Date().toISOString() }]
  }
  yield* Effect.ignore(publishAll([{ subject: wireSubject(cluster, reporter), text: JSON.stringify(report) }]))
})
