import { type ClusterObject, type Kind, objectKey, refOf } from "./cluster-object.ts"
import type { FindingCode } from "./codes.ts"
import { type Finding, finding } from "./finding.ts"
import { type JudgeOptions, judge } from "./judge.ts"
import { preferences } from "./judge-advertisements.ts"

/** An object with errors of its own: what could be read of it, and its findings. */
export interface FaultyObject {
  readonly object: ClusterObject
  readonly findings: ReadonlyArray<Finding>
}

/**
 * What is wrong with faulty objects beside the others, so that one look tells all: they have no effect, and nothing is said
 * of any other object by them. What rests on a field that could not be read is left unsaid, since it may be false.
 */
export const judgeFaulty = (
  objects: Iterable<ClusterObject>,
  faulty: ReadonlyArray<FaultyObject>,
  options: JudgeOptions = {}
): ReadonlyArray<Finding> => {
  const configuration = faulty.filter(({ object }) => isJudged(object._tag))
  if (configuration.length === 0) return []
  const byKey = new Map(configuration.map((each) => [keyOf(each.object), each]))
  const names = new Set(configuration.map(({ object }) => `${object._tag} ${object.value.name}`))
  const good = [...objects].filter((object) => !byKey.has(keyOf(object))) // a version before it may be in effect
  // The youngest of all, those of which least is known last: none of them is what another one is measured by.
  const late = configuration.map((each) => ({ ...each.object, createdAt: isInDoubt(each) ? "~~~" : "~~" }))
  const { findings } = judge([...good, ...late], {
    ...options,
    isFaulty: (kind, name) => names.has(`${kind} ${name}`)
  })
  return findings.flatMap((found) => {
    const subject = byKey.get(objectKey(found.object))
    return subject !== undefined && isSure(subject, found) ? [placed(subject, found)] : []
  })
}

/** Entries that could not be read are not counted: of such a list it is not known which entry is meant. */
const placed = (subject: FaultyObject, found: Finding): Finding => {
  const list = found.field.replace(/\[\d+\]$/, "")
  if (list === found.field || !errorsOf(subject).some(({ field }) => isWithin(field, list))) return found
  return finding(found.code, { ...found, field: list })
}

/** Of nodes only what they are is asked, which a faulty one does not say; Services and endpoints are not looked at. */
const isJudged = (kind: Kind): boolean =>
  kind !== "Node" && kind !== "Namespace" && kind !== "Service" && kind !== "EndpointSlice"

const keyOf = (object: ClusterObject): string => objectKey(refOf(object))

/** Codes that compare an object as a whole with another; every other one says something of one entry, which was read. */
const comparing: ReadonlySet<FindingCode> = new Set([
  ...(["LT0123", "LT0143", "LT0150", "LT0151", "LT0152"] as const), // peers
  ...(["LT0128", "LT0129"] as const) // advertisements
])

const ofSpec = (...names: ReadonlyArray<string>): ReadonlyArray<string> => names.map((name) => `spec.${name}`)

/** What of an object those codes compare. */
const compared: Partial<Readonly<Record<Kind, ReadonlyArray<string>>>> = {
  BGPPeer: ofSpec("myASN", "peerAddress", "interface", "peerPort", "vrf", "routerID", "nodeSelectors", "bfdProfile"),
  BGPAdvertisement: [
    ...ofSpec("aggregationLength", "aggregationLengthV6", "peers", "nodeSelectors"),
    ...ofSpec("ipAddressPools", "ipAddressPoolSelectors", "serviceSelectors"),
    ...preferences.map(({ field }) => field)
  ]
}

const isInDoubt = (subject: FaultyObject): boolean => {
  const fields = compared[subject.object._tag] ?? []
  return errorsOf(subject).some(({ field }) => field === "spec") || isInDoubtOf(subject, fields)
}

const isSure = (subject: FaultyObject, found: Finding): boolean => {
  if (comparing.has(found.code)) return !isInDoubt(subject)
  if (found.code === "LT0126") return !found.found.includes(":") // what has a colon was told to be no community
  return found.field.endsWith("]") || !errorsOf(subject).some(({ field }) => field === found.field)
}

/** Whether one of these fields, or a part of it, could not be read. */
export const isInDoubtOf = (subject: FaultyObject, fields: ReadonlyArray<string>): boolean =>
  errorsOf(subject).some(({ field }) => fields.some((name) => isWithin(field, name)))

const errorsOf = ({ findings }: FaultyObject): ReadonlyArray<Finding> =>
  findings.filter(({ severity }) => severity === "error")

/** `spec.peers[1]` is within `spec.peers`. */
const isWithin = (field: string, name: string): boolean =>
  field === name || field.startsWith(`${name}.`) || field.startsWith(`${name}[`)
