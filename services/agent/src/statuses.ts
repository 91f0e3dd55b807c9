import type { Bus } from "@lowtide/bus/connection"
import { type KeyRing, open } from "@lowtide/bus/envelope"
import { followState, type StateText } from "@lowtide/bus/follow-state"
import type { WireReport } from "@lowtide/bus/status"
import { publishAll } from "@lowtide/bus/streams"
import { rollCallKey, wireSubject } from "@lowtide/bus/subjects"
import { compareStamps, messageKey, type ObjectFindings, type ServiceAnswer, StateMessage } from "@lowtide/domain"
import { type ObjectStatus, removeStatus, type StatusUnwritable, writeStatus } from "@lowtide/kube"
import { Effect, Option, Queue, Result, Schema, Stream } from "effect"

/** The name under which an agent reports what it did; nodes have names of their own. */
const reporter = "agent"

/**
 * Writes what the centre answers into the statuses of Services and configuration objects, for ever. Only signed messages
 * of the own cluster count, and never an older one after a newer.
 */
export const writeStatuses = (
  cluster: string,
  keys: KeyRing,
  folder: string,
  onRollCall: (recovery: string) => Effect.Effect<void> = () => Effect.void,
  /** Succeeds each time `keys` has others in it, and never fails. */
  keysChanged: Stream.Stream<unknown> = Stream.empty
): Effect.Effect<void, never, Bus> =>
  Effect.gen(function* () {
    const resync = yield* Queue.sliding<void>(1)
    const held = new Map<string, Held>()
    yield* keysChanged.pipe(
      Stream.runForEach(() => Queue.offer(resync, undefined)),
      Effect.forkChild
    )
    yield* followState(cluster, resync).pipe(
      Stream.runForEach((item) =>
        Effect.gen(function* () {
          const texts = item._tag === "Snapshot" ? item.items : [item.item]
          for (const call of texts.filter(({ key }) => key === rollCallKey)) {
            const recovery = readRollCall(cluster, keys, call)
            if (recovery !== undefined) yield* onRollCall(recovery)
          }
          const messages = yield* Effect.forEach(texts, (text) => readMessage(cluster, keys, text))
          const changed = new Set<Held>()
          for (const message of newestOf(messages.flatMap((message) => message ?? []))) take(held, changed, message)
          for (const object of changed) yield* write(folder, object)
        })
      )
    )
  })

type StatusMessage = ServiceAnswer | ObjectFindings

/** What is said of one object: its addresses, if it is a Service, and what is wrong with it. One status is made of both. */
interface Held {
  answer: ServiceAnswer | undefined
  findings: ObjectFindings | undefined
}

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

/** The recovery that a roll call which is to be believed is part of. */
const readRollCall = (cluster: string, keys: KeyRing, { envelope }: StateText): string | undefined => {
  const payload = open(keys, envelope)
  const message = Result.isSuccess(payload) ? Option.getOrUndefined(decodeMessage(payload.success)) : undefined
  if (message?._tag !== "RollCall" || message.cluster !== cluster) return undefined
  if (message.nodes !== undefined) return undefined // nodes are asked, and nobody else
  return `${message.stamp.incarnation} ${message.begun ?? ""}`
}

/** The object that a status is of: a Service by its name, since one may follow another under it. */
const objectOf = (message: StatusMessage): string =>
  message._tag === "ServiceAnswer"
    ? `Service/${message.namespace}/${message.name}`
    : `${message.object.kind}/${message.object.namespace}/${message.object.name}`

/** Of two messages of one event the later one counts: a Service may take the place of another by it. */
const isNewer = (message: StatusMessage, held: StatusMessage | undefined): boolean =>
  held === undefined || (compareStamps(message.stamp, held.stamp) || message.cseq - held.cseq) > 0

/** The newest message of each object and sort, so that no status is written that is out of date already. */
const newestOf = (messages: ReadonlyArray<StatusMessage>): ReadonlyArray<StatusMessage> => {
  const newest = new Map<string, StatusMessage>()
  for (const message of messages) {
    const key = `${message._tag} ${objectOf(message)}`
    if (isNewer(message, newest.get(key))) newest.set(key, message)
  }
  return [...newest.values()]
}

/** Notes a message that is news of its object. */
const take = (held: Map<string, Held>, changed: Set<Held>, message: StatusMessage): void => {
  const key = objectOf(message)
  const object = held.get(key) ?? { answer: undefined, findings: undefined }
  held.set(key, object)
  if (message._tag === "ServiceAnswer") {
    if (!isNewer(message, object.answer)) return
    object.answer = message
  } else {
    if (!isNewer(message, object.findings)) return
    object.findings = message
  }
  changed.add(object)
}

/** Writes what is held of an object. What could not be written is forgotten, and written when it comes again. */
const write = Effect.fnUntraced(function* (folder: string, object: Held) {
  const { answer, findings } = object
  if (answer === undefined && findings === undefined) return
  const isGone =
    (answer === undefined || answer.cause.type === "ServiceGone") && (findings === undefined || findings.gone === true)
  const { namespace, name } = answer ?? findings?.object ?? { namespace: "", name: "" }
  const ref = { kind: findings?.object.kind ?? "Service", namespace, name }
  const written = isGone ? removeStatus(folder, ref) : writeStatus(folder, statusOf(ref, object))
  yield* written.pipe(
    Effect.tap((isChanged) => (isChanged && answer !== undefined ? reportWritten(answer) : Effect.void)),
    Effect.catch((error: StatusUnwritable) =>
      Effect.sync(() => {
        object.answer = undefined
        object.findings = undefined
      }).pipe(Effect.andThen(Effect.logError(error.message)))
    )
  )
})

const statusOf = (
  object: Pick<ObjectStatus, "kind" | "namespace" | "name">,
  { answer, findings }: Held
): ObjectStatus => ({
  apiVersion: apiVersionOf(object.kind),
  ...object,
  ...(answer === undefined || answer.addresses.length === 0 ? {} : { annotations: poolAnnotation(answer) }),
  status: {
    ...(answer === undefined
      ? {}
      : { loadBalancer: { ingress: answer.addresses.map(({ address }) => ({ ip: address, ipMode: "VIP" })) } }),
    conditions: [
      ...(answer === undefined ? [] : [assignedCondition(answer)]),
      ...(findings === undefined || findings.gone === true ? [] : [acceptedCondition(findings)])
    ]
  }
})

/** The pool that the addresses are of, where MetalLB says it; of several pools each once, in the order of the addresses. */
const poolAnnotation = ({ addresses }: ServiceAnswer) => ({
  "metallb.io/ip-allocated-from-pool": [...new Set(addresses.map(({ pool }) => pool))].join(",")
})

/** Whether the Service has an address, and what it asks for and does not get. */
const assignedCondition = ({ addresses, refusal, cause }: ServiceAnswer) => ({
  type: "lowtide.dev/Assigned",
  status: addresses.length > 0 ? "True" : "False",
  reason: refusal === null ? camel(cause.reason) : refusal.code,
  message: refusal === null ? "" : `${refusal.message}. Fix: ${refusal.fix}`
})

/** Whether the object is in effect as it stands. */
const acceptedCondition = ({ findings }: ObjectFindings) => {
  const errors = findings.filter(({ severity }) => severity === "error")
  return {
    type: "lowtide.dev/Accepted",
    status: errors.length === 0 ? "True" : "False",
    reason: errors[0]?.code ?? findings[0]?.code ?? "Accepted",
    message: findings.map(({ code, message, fix }) => `${code} ${message}. Fix: ${fix}`).join("\n")
  }
}

const apiVersionOf = (kind: string): string => {
  switch (kind) {
    case "File":
    case "Cluster":
      return "lowtide.dev/v1alpha1"
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
