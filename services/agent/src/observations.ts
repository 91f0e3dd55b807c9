import {
  byAge,
  type Command,
  endpointTellings,
  type Finding,
  type LogEnd,
  networkTelling,
  type ObjectRef,
  type ObserveInventory,
  objectKey,
  objectTelling,
  type Phase,
  type RawObject
} from "@lowtide/domain"
import { wantsAddress } from "@lowtide/domain/allocation/wish"
import { isReadAnnotation } from "@lowtide/domain/config/service"
import { type ClusterChange, isComplete } from "@lowtide/kube"

/**
 * What the centre has been told of a cluster, by what it is about. Values are the texts of what was said, to tell a
 * change from a repetition.
 */
export type Told = ReadonlyMap<string, string>

/** One command, and what will have been told once it is answered: undefined where the thing is gone. */
export interface Telling {
  readonly about: string
  readonly text: string | undefined
  readonly command: Command
  /** Commands of a later phase rest on the ones before: a Service finds its pool there. */
  readonly phase: Phase
}

/** Everything that the centre has yet to be told, given what it was told before. Pure: the same cluster gives the same. */
export const tellings = (cluster: string, change: ClusterChange, told: Told): ReadonlyArray<Telling> => {
  const wanted = new Map([
    ...clusterTelling(cluster, change),
    ...objectTellings(cluster, change),
    ...endpointsOf(cluster, change),
    ...findingTellings(cluster, change)
  ])
  const news = [...wanted.values()].filter((telling) => told.get(telling.about) !== telling.text)
  // Addresses are of a network: a Service gets none before its cluster's is known.
  if (!wanted.has("cluster") && !told.has("cluster"))
    return news.filter(({ phase }) => phase !== "holders" && phase !== "services" && phase !== "endpoints")
  return [...news, ...goneTellings(cluster, change, told, wanted)]
}

type Tellings = ReadonlyArray<readonly [string, Telling]>

const telling = (about: string, phase: Telling["phase"], command: Command): readonly [string, Telling] => [
  about,
  { about, text: JSON.stringify(withoutStatus(command)), command, phase }
]

/** That a status changes, which follows from what the centre says, is no news to it. */
const withoutStatus = (command: Command): Command => {
  if (command._tag !== "ObserveService") return command
  const { statusAddresses: _, ...rest } = command
  return rest
}

/** The network is not told while the object that may name it cannot be read: it would move the cluster to another one. */
const clusterTelling = (cluster: string, change: ClusterChange): Tellings => {
  const isNamed = [...change.objects.values()].some(({ object }) => object._tag === "Cluster")
  if (!isNamed && (mayHold(change, clusterKind) || change.refused.some(({ kind }) => kind === "Cluster"))) return []
  return [telling("cluster", "cluster", networkTelling(cluster, change.objects.values()))]
}

/** How a manifest in YAML or JSON says that it is a Cluster; a policy of that name is none. */
const clusterKind = /\bkind["']?\s*:\s*["']?Cluster\b/

/** Whether something of which the words can be told may stand in a part of the source that could not be read. */
const mayHold = ({ unreadTexts }: ClusterChange, words: RegExp | string): boolean =>
  unreadTexts?.some((text) => (typeof words === "string" ? text.includes(words) : words.test(text))) ?? true

const objectTellings = (cluster: string, { objects }: ClusterChange): Tellings => {
  const served = networkTelling(cluster, objects.values())
  return [...objects.values()].sort(byAge).flatMap((observed) => {
    const told = objectTelling(cluster, observed, served)
    if (told === undefined) return []
    const [about, one] = telling(aboutObject(observed.ref), told.phase, told.command)
    // One that comes to be served is told of again, with what its status says that it has.
    const isServed = observed.object._tag === "Service" && wantsAddress(observed.object.value, served)
    return [[about, isServed ? { ...one, text: `served ${one.text}` } : one]]
  })
}

const aboutObject = (ref: ObjectRef): string => `object ${objectKey(ref)}`

const aboutService = (key: string): string => `object Service/${key}`

const endpointsOf = (cluster: string, { objects }: ClusterChange): Tellings =>
  endpointTellings(cluster, objects.values()).map((command) =>
    telling(`endpoints ${command.namespace}/${command.name}`, "endpoints", command)
  )

const configurationKinds: ReadonlySet<string> = new Set([
  "IPAddressPool",
  "BGPPeer",
  "BGPAdvertisement",
  "Community",
  "BFDProfile"
])

/**
 * What only the agent can find: errors, and that an older version stays in effect because of them. The centre finds by
 * itself what it can see, which is configuration without errors.
 */
const isAgents = (finding: Finding): boolean =>
  finding.severity === "error" || finding.code === "LT0139" || !configurationKinds.has(finding.object.kind)

const findingTellings = (cluster: string, { findings, faulty }: ClusterChange): Tellings => {
  const refused = new Map(faulty.flatMap((one) => judgedByCentre(one).map((raw) => [one.key, raw] as const)))
  const byObject = new Map<string, { readonly object: ObjectRef; readonly findings: Array<Finding> }>()
  for (const finding of findings.filter(isAgents)) {
    const entry = byObject.get(objectKey(finding.object))
    if (entry === undefined) byObject.set(objectKey(finding.object), { object: finding.object, findings: [finding] })
    else entry.findings.push(finding)
  }
  return [...byObject].map(([key, { object, findings }]) => {
    const raw = refused.get(key)
    return telling(`findings ${key}`, "configuration", {
      ...{ _tag: "ReportFindings", cluster, object, findings },
      ...(raw === undefined ? {} : { refused: raw })
    })
  })
}

/** What the centre says more of: configuration, and of a Service that wants addresses what it asks of the pools. */
const judgedByCentre = ({ ref, raw, object }: ClusterChange["faulty"][number]): ReadonlyArray<RawObject> => {
  if (configurationKinds.has(ref.kind)) return [raw]
  return object._tag === "Service" && object.value.type === "LoadBalancer" ? [ownPartsOf(raw)] : []
}

/** Without its status, and without annotations that are neither read nor a fault: they are others' business. */
const ownPartsOf = ({ status: _, ...raw }: RawObject): RawObject => {
  const { annotations } = raw
  if (typeof annotations !== "object" || annotations === null || Array.isArray(annotations)) return raw
  const own = Object.entries(annotations).filter(([name, text]) => isReadAnnotation(name) || typeof text !== "string")
  return { ...raw, annotations: Object.fromEntries(own) }
}

/**
 * What was told and is so no longer. An object counts as gone only when the source says that it is: not when a part of it
 * that cannot be read may hold the object, and not when the object is there and merely wrong.
 */
const goneTellings = (
  cluster: string,
  change: ClusterChange,
  told: Told,
  wanted: ReadonlyMap<string, Telling>
): ReadonlyArray<Telling> => {
  const kept = new Set(change.refused.map(aboutObject))
  return [...told.keys()].flatMap((about): ReadonlyArray<Telling> => {
    if (wanted.has(about)) return []
    const kind = about.slice(0, about.indexOf(" ")) // what follows may be a path, with spaces of its own
    const key = about.slice(kind.length + 1)
    const isGone = (object: string) => !kept.has(object) && !mayHold(change, object.slice(object.lastIndexOf("/") + 1))
    switch (kind) {
      case "findings": {
        const command: Command = { _tag: "ReportFindings", cluster, object: refOfKey(key), findings: [] }
        return [{ about, text: undefined, phase: "configuration", command }]
      }
      case "object": {
        if (!isGone(about)) return []
        const command = forget(cluster, refOfKey(key))
        const phase = command._tag === "ForgetService" ? "services" : "configuration"
        return [{ about, text: undefined, phase, command }]
      }
      case "endpoints": {
        // After its Service, which takes them along: said so that they are told anew when it comes back.
        if (!isGone(aboutService(key))) return []
        const [namespace = "", name = ""] = key.split("/")
        const command: Command = { _tag: "ObserveServingNodes", cluster, namespace, name, nodes: [] }
        return [{ about, text: undefined, phase: "endpoints", command }]
      }
      default:
        return []
    }
  })
}

const forget = (cluster: string, { kind, namespace, name }: ObjectRef): Command => {
  switch (kind) {
    case "Namespace":
      return { _tag: "ForgetNamespace", cluster, name }
    case "Node":
      return { _tag: "ForgetNode", cluster, name }
    case "Service":
      return { _tag: "ForgetService", cluster, namespace: namespace ?? "", name }
    default:
      return { _tag: "DeleteManifest", cluster, kind, ...(namespace === undefined ? {} : { namespace }), name }
  }
}

/** The reference that `objectKey` wrote; a file's path, which stands last, may hold `/`. */
const refOfKey = (key: string): ObjectRef => {
  const [kind = "", namespace = "", ...rest] = key.split("/")
  return { kind, ...(namespace === "" ? {} : { namespace }), name: rest.join("/") }
}

/** What was there once the centre had said how far its log goes, and has been there in each look since. */
export interface LaterLook {
  readonly end: LogEnd
  /** Undefined while that is not known. */
  readonly there: ObserveInventory | undefined
}

/**
 * A look at the source from nothing, taken when the log was known to go to `end`. What it lacks of an earlier one has gone
 * again: nobody need be told of it.
 */
export const lookedLater = (
  cluster: string,
  before: LaterLook | undefined,
  { end, change }: { readonly end: LogEnd; readonly change: ClusterChange | undefined }
): LaterLook => {
  const now = change === undefined ? undefined : inventory(cluster, change)
  if (before?.there === undefined) return { end, there: now }
  return now === undefined ? before : { end: before.end, there: common(before.there, now) }
}

/** What is known of how far the log goes, once that was heard as well: answers come in any order. */
export const further = (known: LogEnd | undefined, heard: LogEnd | undefined): LogEnd | undefined => {
  if (known === undefined || heard === undefined) return heard ?? known
  if (known.incarnation !== heard.incarnation) return known.incarnation > heard.incarnation ? known : heard
  return known.seq > heard.seq ? known : heard
}

/**
 * Everything that is there, for the centre to drop what went while nobody watched; undefined while that is not known. With a
 * later look it is as of then, unless that has something more: the centre may have been told of it by another agent.
 */
export const inventory = (cluster: string, change: ClusterChange, later?: LaterLook): ObserveInventory | undefined => {
  if (!isComplete(change)) return undefined
  const refs = [...[...change.objects.values()].map(({ ref }) => ref), ...change.refused]
  const namesOf = (kind: string) => refs.filter((ref) => ref.kind === kind)
  const whole: ObserveInventory = {
    _tag: "ObserveInventory",
    cluster,
    services: namesOf("Service").map(({ namespace, name }) => `${namespace}/${name}`),
    nodes: namesOf("Node").map(({ name }) => name),
    namespaces: namesOf("Namespace").map(({ name }) => name),
    manifests: refs.filter(({ kind }) => configurationKinds.has(kind)).map(objectKey),
    findings: [...new Set(change.findings.filter(isAgents).map((finding) => objectKey(finding.object)))]
  }
  if (later === undefined) return whole
  const { end, there } = later
  return there === undefined || hasMore(there, whole) ? undefined : { ...whole, asOf: end }
}

const hasMore = (later: ObserveInventory, earlier: ObserveInventory): boolean =>
  lists.some((list) => {
    const known = new Set(earlier[list])
    return later[list].some((name) => !known.has(name))
  })

const common = (one: ObserveInventory, other: ObserveInventory): ObserveInventory => {
  const both = lists.map((list) => {
    const names = new Set(other[list])
    return [list, one[list].filter((name) => names.has(name))] as const
  })
  return { ...one, ...Object.fromEntries(both) }
}

const lists = ["services", "nodes", "namespaces", "manifests"] as const
