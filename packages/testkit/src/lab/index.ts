/**
 * A lab of real routers: network namespaces, processes in them, BIRD, FRR and GoBGP, clients and servers.
 *
 * `makeLab` and `makeFleetNetwork` make the wires, `startBird`, `startFrr` and `startGobgp` the routers, `startProcess`
 * anything else, `startServiceEndpoint` and `tcpRequest` the traffic. Each is an Effect that needs a Scope: what was made
 * is gone when the scope closes, however far it got. `cleanStale` removes what a killed owner left behind.
 * BIRD and GoBGP and every process also run without namespaces, over loopback addresses and high ports, as any user.
 */
export * from "./bird.ts"
export * from "./cluster-network.ts"
export * from "./execute.ts"
export * from "./frr.ts"
export * from "./gobgp.ts"
export * from "./kernel-routes.ts"
export * from "./lab-error.ts"
export {
  type Capability,
  capability,
  cleanStale,
  ipBatch,
  type Lab,
  makeLab,
  namespacesOf,
  type Sysctl,
  setSysctls
} from "./namespaces.ts"
export * from "./processes.ts"
export * from "./relay.ts"
export {
  bestNextHops,
  type Router,
  type RouterNeighbor,
  type RouterPath,
  type RouterRoute,
  type RouterSession,
  type SessionFamily,
  type UpdateCount
} from "./router.ts"
export * from "./service-endpoint.ts"
export * from "./wait.ts"
