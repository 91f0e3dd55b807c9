import type { Command, ServiceObject } from "@lowtide/domain"

/** A configuration object as an agent tells it. */
const manifest = (kind: string, name: string, spec: unknown): Command => ({
  _tag: "ApplyManifest",
  cluster: "east",
  manifest: {
    apiVersion: kind === "BGPPeer" ? "metallb.io/v1beta2" : "metallb.io/v1beta1",
    kind,
    namespace: "metallb-system",
    name,
    spec
  }
})

/** A cluster with one node that announces what it gives out. */
export const announcing: ReadonlyArray<Command> = [
  { _tag: "RegisterCluster", cluster: "east", network: "default" },
  {
    _tag: "ObserveNode",
    cluster: "east",
    node: { name: "n1", labels: {}, networkUnavailable: false, addresses: ["10.1.0.11"] }
  },
  manifest("IPAddressPool", "public", { addresses: ["198.18.0.0/16"] }),
  manifest("BGPPeer", "tor", { myASN: 64496, peerASN: 64500, peerAddress: "10.1.0.1" }),
  manifest("BGPAdvertisement", "all", {})
]

export const service = (name: string, more: Partial<ServiceObject> = {}): Command => ({
  _tag: "ObserveService",
  cluster: "east",
  service: {
    namespace: "shop",
    name,
    uid: `uid-${name}`,
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
  }
})
