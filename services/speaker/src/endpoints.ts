import type { ServiceHealth } from "@lowtide/domain/announcing/node-routes"
import type { ClusterObject } from "@lowtide/domain/config/cluster-object"
import { canServe, type EndpointSliceObject } from "@lowtide/domain/config/endpoint-slice"

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
 * the process began, and keeps that for every Service until slices were read that say otherwise, or everything was read.
 */
export class EndpointView {
  readonly #node: string
  /** Slices by Service, then by name. */
  readonly #slices = new Map<string, Map<string, EndpointSliceObject>>()
  /** By the slice's `namespace/name`. */
  readonly #serviceOfSlice = new Map<string, string>()
  readonly #health: Map<string, ServiceHealth>
  #isComplete = false

  constructor(node: string, remembered: Iterable<readonly [string, ServiceHealth]> = []) {
    this.#node = node
    this.#health = new Map(remembered)
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
      const service = serviceOf(slice)
      this.#slices.get(service)?.delete(slice.name)
      this.#serviceOfSlice.delete(`${slice.namespace}/${slice.name}`)
      touched.add(service)
    }
    for (const slice of change.put) {
      for (const service of this.#put(slice)) touched.add(service)
    }
    if (change.isComplete && !this.#isComplete) {
      this.#isComplete = true
      for (const service of this.#health.keys()) touched.add(service)
    }
    const changed = new Map<string, ServiceHealth>()
    for (const service of touched) {
      const before = this.health(service)
      const now = this.#judge(service)
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
    if (before !== undefined && before !== service) this.#slices.get(before)?.delete(slice.name)
    this.#serviceOfSlice.set(id, service)
    const slices = this.#slices.get(service) ?? new Map<string, EndpointSliceObject>()
    slices.set(slice.name, slice)
    this.#slices.set(service, slices)
    return before === undefined || before === service ? [service] : [service, before]
  }

  #judge(service: string): ServiceHealth {
    let health = noEndpoints
    for (const slice of this.#slices.get(service)?.values() ?? []) {
      for (const endpoint of slice.endpoints) {
        if (!canServe(endpoint)) continue
        const servesHere = health.servesHere || endpoint.nodeName === this.#node
        health = { servesHere, servesAnywhere: true }
      }
    }
    return health
  }
}

const serviceOf = (slice: EndpointSliceObject): string => `${slice.namespace}/${slice.service}`

/** The slices among what a source of cluster objects saw. */
export const sliceChange = (change: {
  readonly put: ReadonlyArray<{ readonly object: ClusterObject }>
  readonly deleted: ReadonlyArray<{ readonly object: ClusterObject }>
  readonly isComplete: boolean
}): SliceChange => ({
  put: slicesOf(change.put),
  deleted: slicesOf(change.deleted),
  isComplete: change.isComplete
})

const slicesOf = (objects: ReadonlyArray<{ readonly object: ClusterObject }>): ReadonlyArray<EndpointSliceObject> =>
  objects.flatMap(({ object }) => (object._tag === "EndpointSlice" ? object.value : []))
