import type { RawObject } from "./raw.ts"
import type { Fields, ObjectReader } from "./reader.ts"

/** One endpoint of a slice. A condition that is absent is unknown. */
export interface Endpoint {
  /** As written in the slice. */
  readonly addresses: ReadonlyArray<string>
  readonly nodeName?: string
  readonly ready?: boolean
  readonly serving?: boolean
  readonly terminating?: boolean
}

/** What Lowtide reads of an EndpointSlice (discovery.k8s.io/v1). */
export interface EndpointSliceObject {
  readonly namespace: string
  readonly name: string
  /** The label `kubernetes.io/service-name`; empty for a slice that belongs to no Service. */
  readonly service: string
  readonly endpoints: ReadonlyArray<Endpoint>
}

/** Whether traffic may be sent to the endpoint: ready, not known to be unready, or serving while it terminates. */
export const canServe = (endpoint: Endpoint): boolean => endpoint.ready !== false || endpoint.serving === true

/** The nodes with an endpoint that can serve, sorted; endpoints without a node count for none. */
export const servingNodes = (slices: Iterable<EndpointSliceObject>): ReadonlyArray<string> => {
  const nodes = new Set<string>()
  for (const slice of slices) {
    for (const endpoint of slice.endpoints) {
      if (endpoint.nodeName !== undefined && canServe(endpoint)) nodes.add(endpoint.nodeName)
    }
  }
  return [...nodes].sort()
}

/** Reads an EndpointSlice of discovery.k8s.io/v1. */
export const readEndpointSlice = (reader: ObjectReader, raw: RawObject): EndpointSliceObject => {
  const labels = reader.fields("metadata", { labels: raw.labels }).texts("labels")
  return {
    namespace: raw.namespace,
    name: raw.name,
    service: labels["kubernetes.io/service-name"] ?? "",
    endpoints: reader.fields("", { endpoints: raw.endpoints }).mappings("endpoints").map(readEndpoint)
  }
}

const readEndpoint = (fields: Fields): Endpoint => {
  const conditions = fields.nested("conditions")
  const nodeName = fields.string("nodeName")
  const ready = conditions.boolean("ready")
  const serving = conditions.boolean("serving")
  const terminating = conditions.boolean("terminating")
  return {
    addresses: fields.strings("addresses"),
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(ready === undefined ? {} : { ready }),
    ...(serving === undefined ? {} : { serving }),
    ...(terminating === undefined ? {} : { terminating })
  }
}
