import { healthOn, type ServiceHealth } from "@lowtide/domain/announcing/node-routes"
import type { ClusterObject } from "@lowtide/domain/config/cluster-object"
import type { EndpointSliceObject } from "@lowtide/domain/config/endpoint-slice"
import { type ClusterChange, isComplete } from "@lowtide/kube/cluster-source"

/** A change of what the cluster's EndpointSlices say, as its source tells it. */
export interface SliceChange {
  readonly put: ReadonlyArray<EndpointSliceObject>
  readonly deleted: ReadonlyArray<EndpointSliceObject>
  /** Whether a Service of which no slice was ever read is known to have none. */
  readonly isComplete: boolean
}

/** No endpoint anywhere. */
export const noEndpoints: ServiceHealth = { servesHere: false, servesAnywhere: false }

/**
 * Which Services have endpoints that can serve, here and anywhere in the cluster. It begins with what was last known before
 * the process began, and keeps that until everything was read, since a slice that cannot be read says nothing. What a slice
 * said that this process did read, and says no more, is lost at once all the same.
 */
export class EndpointView {
  readonly #node: string
  /** Slices by Service, then by name. */
  readonly #slices = new Map<string, Map<string, EndpointSliceObject>>()
  /** By the slice's `namespace/name`. */
  readonly #serviceOfSlice = new Map<string, string>()
  readonly #health: Map<string, ServiceHealth>
  /** What an earlier process knew and this one has not read otherwise; empty once everything was read. */
  readonly #remembered: Map<string, ServiceHealth>
  #isComplete = false

  constructor(node: string, remembered: Iterable<readonly [string, ServiceHealth]> = []) {
    this.#node = node
    this.#health = new Map(remembered)
    this.#remembered = new Map(this.#health)
  }

  /** `service` is `namespace/name`. */
  health(service: string): ServiceHealth {
    return this.#health.get(service) ?? noEndpoints
  }

  /** By `namespace/name`; Services without endpoints are left out. */
  get known(): ReadonlyMap<string, ServiceHealth> {
    return this.#health
  }

  /** Takes a change and answers the Services whose health it changed. */
  apply(change: SliceChange): ReadonlyMap<string, ServiceHealth> {
    const touched = new Set<string>()
    // Deletions first: a slice that moved to another Service is in both lists.
    for (const slice of change.deleted) {
      this.#serviceOfSlice.delete(`${slice.namespace}/${slice.name}`)
      touched.add(this.#take(serviceOf(slice), slice.name, undefined))
    }
    for (const slice of change.put) for (const service of this.#put(slice)) touched.add(service)
    if (change.isComplete && !this.#isComplete) {
      this.#isComplete = true
      this.#remembered.clear()
      for (const service of this.#health.keys()) touched.add(service)
    }
    const changed = new Map<string, ServiceHealth>()
    for (const service of touched) {
      const before = this.health(service)
      const now = this.#sum(service)
      if (before.servesHere === now.servesHere && before.servesAnywhere === now.servesAnywhere) continue
      if (now.servesAnywhere) this.#health.set(service, now)
      else this.#health.delete(service)
      changed.set(service, now)
    }
    return changed
  }

  /** The Services concerned: the slice's own, and the one it belonged to before. */
  #put(slice: EndpointSliceObject): ReadonlyArray<string> {
    const service = serviceOf(slice)
    const id = `${slice.namespace}/${slice.name}`
    const before = this.#serviceOfSlice.get(id)
    if (before !== undefined && before !== service) this.#take(before, slice.name, undefined)
    this.#take(service, slice.name, slice)
    this.#serviceOfSlice.set(id, service)
    return before === undefined || before === service ? [service] : [service, before]
  }

  /** Replaces one slice of a Service, whose name it answers; undefined: it is gone. */
  #take(service: string, name: string, slice: EndpointSliceObject | undefined): string {
    const slices = this.#slices.get(service) ?? new Map<string, EndpointSliceObject>()
    const before = this.#judge(slices.get(name))
    const now = this.#judge(slice)
    if (slice === undefined) slices.delete(name)
    else slices.set(name, slice)
    if (slices.size === 0) this.#slices.delete(service)
    else this.#slices.set(service, slices)
    const remembered = this.#remembered.get(service)
    if (remembered !== undefined) this.#remembered.set(service, without(remembered, before, now))
    return service
  }

  /** What is read of a Service, or remembered. */
  #sum(service: string): ServiceHealth {
    const slices = this.#slices.get(service)?.values() ?? []
    return [...slices].map((slice) => this.#judge(slice)).reduce(either, this.#remembered.get(service) ?? noEndpoints)
  }

  #judge(slice: EndpointSliceObject | undefined): ServiceHealth {
    return healthOn(this.#node, slice === undefined ? [] : [slice])
  }
}

const either = (left: ServiceHealth, right: ServiceHealth): ServiceHealth => ({
  servesHere: left.servesHere || right.servesHere,
  servesAnywhere: left.servesAnywhere || right.servesAnywhere
})

/** What was remembered, less what a slice said `before` and does not say `now`: that is where it was remembered from. */
const without = (remembered: ServiceHealth, before: ServiceHealth, now: ServiceHealth): ServiceHealth => {
  const servesHere = remembered.servesHere && !(before.servesHere && !now.servesHere)
  const isLost = before.servesAnywhere && !now.servesAnywhere
  return { servesHere, servesAnywhere: servesHere || (remembered.servesAnywhere && !isLost) }
}

const serviceOf = (slice: EndpointSliceObject): string => `${slice.namespace}/${slice.service}`

/** The slices among what a source of cluster objects saw. */
export const sliceChange = (change: Pick<ClusterChange, "put" | "deleted" | "unreadTexts">): SliceChange => ({
  put: slicesOf(change.put),
  deleted: slicesOf(change.deleted),
  isComplete: isComplete(change)
})

const slicesOf = (objects: ReadonlyArray<{ readonly object: ClusterObject }>): ReadonlyArray<EndpointSliceObject> =>
  objects.flatMap(({ object }) => (object._tag === "EndpointSlice" ? object.value : []))
