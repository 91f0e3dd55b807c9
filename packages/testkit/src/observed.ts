import type { NodeObject, RawObject, ServiceObject } from "@lowtide/domain"

/** A Service of namespace shop that is to have one IPv4 address. */
export const serviceObject = (name: string, more: Partial<ServiceObject> = {}): ServiceObject => ({
  namespace: "shop",
  name,
  uid: `uid-${more.namespace ?? "shop"}-${name}`,
  labels: {},
  annotations: {},
  type: "LoadBalancer",
  requestedAddresses: [],
  ipFamilies: ["IPv4"],
  ipFamilyPolicy: "SingleStack",
  clusterIPs: [],
  externalTrafficPolicy: "Cluster",
  ports: [{ protocol: "TCP", port: 80, name: "" }],
  selector: { app: name },
  ...more
})

export const nodeObject = (name: string, more: Partial<NodeObject> = {}): NodeObject => ({
  name,
  labels: {},
  networkUnavailable: false,
  addresses: ["10.1.0.11"],
  ...more
})

/** A configuration object of MetalLB's, before it is understood. */
export const manifestObject = (
  kind: string,
  name: string,
  spec: unknown,
  more: Partial<RawObject> = {}
): RawObject => ({
  apiVersion: kind === "BGPPeer" ? "metallb.io/v1beta2" : "metallb.io/v1beta1",
  kind,
  namespace: "metallb-system",
  name,
  spec,
  ...more
})
