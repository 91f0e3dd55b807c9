import type { Command, ServiceObject } from "@lowtide/domain"
import { manifestObject, nodeObject, serviceObject } from "@lowtide/testkit/observed"

/** A configuration object as an agent tells it. */
const manifest = (kind: string, name: string, spec: unknown): Command => ({
  _tag: "ApplyManifest",
  cluster: "east",
  manifest: manifestObject(kind, name, spec)
})

/** A cluster with one node that announces what it gives out. */
export const announcing: ReadonlyArray<Command> = [
  { _tag: "RegisterCluster", cluster: "east", network: "default" },
  { _tag: "ObserveNode", cluster: "east", node: nodeObject("n1") },
  manifest("IPAddressPool", "public", { addresses: ["198.18.0.0/16"] }),
  manifest("BGPPeer", "tor", { myASN: 64496, peerASN: 64500, peerAddress: "10.1.0.1" }),
  manifest("BGPAdvertisement", "all", {})
]

export const service = (name: string, more: Partial<ServiceObject> = {}): Command => ({
  _tag: "ObserveService",
  cluster: "east",
  service: serviceObject(name, { uid: `uid-${name}`, ...more })
})
