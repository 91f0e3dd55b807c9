import { decodeObject, type ObjectRef, objectKey, parseManifests, rawRef } from "@lowtide/domain"
import type { ClusterChange, FaultyManifest, ObservedObject } from "@lowtide/kube"
import { assert } from "vitest"

/** Objects of a small cluster. */
export const texts = {
  network: "{ apiVersion: lowtide.dev/v1alpha1, kind: Cluster, metadata: { name: east }, spec: { network: inner } }",
  namespace: "{ apiVersion: v1, kind: Namespace, metadata: { name: shop } }",
  node: "{ apiVersion: v1, kind: Node, metadata: { name: n1 } }",
  pool: "{ apiVersion: metallb.io/v1beta1, kind: IPAddressPool, metadata: { name: public, namespace: metallb-system }, spec: { addresses: [192.0.2.0/28] } }",
  service:
    "{ apiVersion: v1, kind: Service, metadata: { name: web, namespace: shop }, spec: { type: LoadBalancer, ports: [{ port: 80 }] } }",
  slice: sliceOf(["n1", "n2"])
}

/** The EndpointSlice of the Service, with endpoints on these nodes. */
export function sliceOf(nodes: ReadonlyArray<string>): string {
  const endpoints = nodes.map((nodeName) => ({ addresses: ["10.2.0.1"], conditions: { ready: true }, nodeName }))
  return JSON.stringify({
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "web-1", namespace: "shop", labels: { "kubernetes.io/service-name": "web" } },
    addressType: "IPv4",
    endpoints
  })
}

/** An object that has errors, as a source reads it. */
export const faulty = (text: string): FaultyManifest => {
  const [manifest] = parseManifests(text, { file: "a.yaml" }).manifests
  const { faulty: object, findings } = decodeObject(manifest!.object)
  assert.isDefined(object, JSON.stringify(findings))
  const ref = rawRef(manifest!.object)
  return { key: objectKey(ref), ref, raw: manifest!.object, object: object!, findings }
}

const observed = (text: string): ObservedObject => {
  const [manifest] = parseManifests(text, { file: "a.yaml" }).manifests
  const { object, findings } = decodeObject(manifest!.object)
  assert.isDefined(object, JSON.stringify(findings))
  const { kind, namespace, name } = manifest!.object
  const ref: ObjectRef = { kind, ...(namespace === "" ? {} : { namespace }), name }
  return { key: objectKey(ref), ref, raw: manifest!.object, object: object! }
}

/** One look of a source: these objects and nothing else. */
export const lookAt = (manifests: ReadonlyArray<string>, more: Partial<ClusterChange> = {}): ClusterChange => ({
  objects: new Map(manifests.map(observed).map((object) => [object.key, object])),
  refused: [],
  faulty: [],
  unreadTexts: [],
  put: [],
  deleted: [],
  findings: [],
  changedAtMs: 0,
  readAtMs: 0,
  ...more
})
