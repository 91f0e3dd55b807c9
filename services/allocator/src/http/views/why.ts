import type { Reading } from "@lowtide/api/reading"
import type { WhyAnswer } from "@lowtide/api/why"
import { addressesOf, type ClusterMemory, type Fleet, type ServiceState } from "@lowtide/domain"
import { explainPools } from "@lowtide/domain/allocation/explain"
import { wantsAddress } from "@lowtide/domain/allocation/wish"
import { listText } from "@lowtide/domain/words"
import type { StoredEvent } from "@lowtide/ledger"
import { findingsOn, isLeaving } from "./findings.ts"
import { heldReason, poolText } from "./reasons.ts"

/** Everything that the answer is made from. */
export interface WhyFacts {
  readonly fleet: Fleet
  /** By its name: the fleet of an earlier time need not know it. */
  readonly cluster: string
  readonly namespace: string
  readonly name: string
  readonly at: string | null
  /** Events up to then that gave the Service an address or refused it, of each kind the newest first. */
  readonly events: ReadonlyArray<StoredEvent>
}

/** Why a Service has the addresses that it has, or none. */
export const whyAnswer = (facts: WhyFacts, reading: Reading): WhyAnswer => {
  const { fleet, namespace, name, at } = facts
  // To look is not to make one: a past fleet is kept for the next question.
  const cluster = fleet.clusters.get(facts.cluster)
  const state = cluster?.services.get(`${namespace}/${name}`)
  const named = { ...reading, cluster: facts.cluster, namespace, name, at }
  const subject = `Service ${facts.cluster} ${namespace}/${name}`
  const was = at === null ? "is" : "was"
  const then = at === null ? "" : ` at ${at}`
  const nothing = { ...named, addresses: [], refusal: null, pools: [] }
  if (cluster === undefined || state === undefined) {
    const [finding] = cluster === undefined ? [] : findingsOn(cluster, { kind: "Service", namespace, name })
    return finding === undefined
      ? { ...nothing, standing: "absent", sentence: `${subject} ${was} not there${then}.` }
      : {
          ...nothing,
          standing: "invalid",
          sentence: `${subject} ${was} not understood${then}: ${finding.code} ${finding.message}. Fix: ${finding.fix}.`
        }
  }
  const addresses = addressesHeld(facts, cluster, state)
  const held = addresses.map(sayAddress).join("; ")
  const warnings = findingsOn(cluster, { kind: "Service", namespace, name })
    .map(({ code, message, fix }) => ` ${code} ${message}. Fix: ${fix}.`)
    .join("")
  if (!wantsAddress(state.service, cluster) && state.refusal === null) {
    const why = `it ${was} of type ${state.service.type}${state.service.loadBalancerClass === undefined ? "" : ` and class ${state.service.loadBalancerClass}`}`
    return {
      ...nothing,
      addresses,
      standing: "unasked",
      sentence: `${subject} wanted no address of Lowtide${then}: ${why}.`
    }
  }
  const pools = poolsOf(fleet, cluster, state)
  if (state.refusal === null) {
    const sentence =
      held === ""
        ? `${subject} had no address yet${then}.`
        : `${subject}${then} ${at === null ? "has" : "had"} ${held}.${sharedText(fleet, cluster, addresses)}`
    return { ...named, addresses, refusal: null, pools, standing: "served", sentence: `${sentence}${warnings}` }
  }
  const { code, message, expected, found, fix } = state.refusal
  const event = facts.events.find(({ type }) => type === "AssignmentRefused")
  const refusal = { code, message, expected, found, fix, since: event?.recordedAt ?? null, seq: event?.seq ?? null }
  const kept = held === "" ? "" : ` It ${at === null ? "keeps" : "kept"} ${held}.`
  const passed = pools.filter(({ verdict }) => verdict !== "holds").map(({ pool, why }) => `${pool} ${why}`)
  // What a Service asks for by name, the message speaks of; the other pools are in the answer.
  const looked = passed.length === 0 || !isAboutPools.has(code) ? "" : ` Of the pools, ${passed.join("; ")}.`
  const by = event === undefined ? "" : ` since ${event.recordedAt} (event ${event.seq} by ${event.actor})`
  return {
    ...named,
    addresses,
    refusal,
    pools,
    standing: "refused",
    sentence: `${subject} ${was} refused${then}${by}: ${code} ${message}.${looked}${kept} Fix: ${fix}.${warnings}`
  }
}

/** No pool had an address for it, or none serves it. */
const isAboutPools: ReadonlySet<string> = new Set(["LT0201", "LT0205", "LT0208"])

const addressesHeld = (
  { fleet, events }: WhyFacts,
  cluster: ClusterMemory,
  state: ServiceState
): WhyAnswer["addresses"] =>
  addressesOf(cluster, state).map((address) => {
    const given = events.filter((event) => event.type !== "AssignmentRefused" && event.address === address)
    const event = given.reduce<StoredEvent | undefined>(
      (last, one) => (one.seq > (last?.seq ?? 0) ? one : last),
      undefined
    )
    return {
      address,
      pool: fleet.vip(cluster.network, address, cluster.name)?.pool ?? "",
      leaving: isLeaving(cluster, state, address),
      reason: event?.reasonCode ?? null,
      since: event?.recordedAt ?? null,
      seq: event?.seq ?? null
    }
  })

/** Which object has an address be had by Services of several clusters, and who they are. */
const sharedText = (fleet: Fleet, { network }: ClusterMemory, addresses: WhyAnswer["addresses"]): string => {
  const shared = fleet.network(network).shared
  const objects = new Set(addresses.flatMap(({ address, leaving }) => (leaving ? [] : (shared.get(address) ?? []))))
  return [...objects]
    .map(({ shared: { name, addresses, members } }) => {
      const named = members.map((each) => `${each.cluster} ${each.namespace}/${each.name} (priority ${each.priority})`)
      return ` SharedAddress ${name} gives ${listText(addresses)} to ${listText(named)}.`
    })
    .join("")
}

const sayAddress = ({ address, pool, leaving, reason, since, seq }: WhyAnswer["addresses"][number]): string => {
  if (leaving) return `${address} of ${poolText(pool)} until nodes announce what takes its place`
  const because = reason === null ? "" : ` since ${since}, because ${heldReason(reason)} (event ${seq})`
  return `${address} of ${poolText(pool)}${because}`
}

/** Pools in effect, and those that errors keep out of effect. */
const poolsOf = (fleet: Fleet, cluster: ClusterMemory, { service }: ServiceState): WhyAnswer["pools"] => {
  const inEffect = explainPools(fleet, cluster, service)
  const invalid = [...cluster.findings.values()].flatMap(({ object, findings }) => {
    const error = findings.find(({ severity }) => severity === "error")
    if (object.kind !== "IPAddressPool" || error === undefined) return []
    if (inEffect.some(({ pool }) => pool === object.name)) return []
    return { pool: object.name, verdict: "invalid" as const, why: `is not in effect (${error.code})` }
  })
  return [...inEffect, ...invalid]
}
