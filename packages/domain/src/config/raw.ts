/**
 * One Kubernetes object before it is understood: the parts that carry meaning, as its author wrote them. Files and a
 * cluster's own API give the same, and it is what the log keeps of a configuration object.
 */
export interface RawObject {
  readonly apiVersion: string
  readonly kind: string
  /** Empty where none is written; `objectKey` and the decoders then read `default` for kinds that have namespaces. */
  readonly namespace: string
  readonly name: string
  readonly labels?: unknown
  readonly annotations?: unknown
  readonly uid?: string
  /** RFC 3339, as the cluster wrote it. */
  readonly creationTimestamp?: string
  /** The same of a Service that is being deleted: it is there until its finalizers are done. */
  readonly deletionTimestamp?: string
  readonly spec?: unknown
  /** Read for Node and Service only. */
  readonly status?: unknown
  /** Of an EndpointSlice. */
  readonly endpoints?: unknown
}
