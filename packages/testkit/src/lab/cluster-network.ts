import { formatIpAddress, type IpAddress, parsePrefix } from "@lowtide/net"
import { Effect, Result } from "effect"
import { LabError } from "./lab-error.ts"
import { ipBatch, type Lab, type Sysctl } from "./namespaces.ts"

/** One host of a cluster's network: the full name of its namespace and its addresses on the cluster's bridge. */
export interface LabHost {
  readonly name: string
  readonly namespace: string
  readonly ipv4: string
  readonly ipv6: string
  /** Its address on the management network, over which it reaches the centre. */
  readonly management: string
}

/** The centre: NATS, Postgres, allocator and agents run in it. Every host of every cluster reaches it at `address`. */
export interface Centre {
  readonly namespace: string
  readonly address: string
  /** Joins a namespace to the management network and answers its address there. */
  readonly join: (namespace: string) => Effect.Effect<string, LabError>
}

/** What a cluster's network is made of. Subnets as `192.0.2.0/26` and `2001:db8:1::/64`; the router takes the first address of each. */
export interface ClusterNetworkPlan {
  readonly name: string
  readonly subnet4: string
  readonly subnet6: string
  /** Node names; the first has the addresses 192.0.2.11 and 2001:db8:1::11 of the subnets above, and so on. At most 50. */
  readonly nodes: ReadonlyArray<string>
}

/** A cluster's network: nodes and router on one bridge in the router's namespace, a client behind the router. */
export interface ClusterNetwork {
  readonly name: string
  readonly router: LabHost
  readonly nodes: ReadonlyArray<LabHost>
  /** The full name of the client's namespace; its default routes lead to the router. */
  readonly client: string
  /** Pulls a node's cable, or plugs it in again. The management network stays. */
  readonly setLink: (node: string, state: "up" | "down") => Effect.Effect<void, LabError>
}

/** Makes the centre's namespace with its management bridge, 10.255.0.1/24. One for a lab. */
export const makeCentre = Effect.fnUntraced(function* (lab: Lab) {
  const namespace = yield* lab.addNamespace("centre")
  const address = "10.255.0.1"
  yield* ipBatch(["link add mgmt0 type bridge", `address add ${address}/24 dev mgmt0`, "link set mgmt0 up"], namespace)
  let joined = 1
  const join = Effect.fnUntraced(function* (host: string) {
    joined += 1
    if (joined > 254) return yield* new LabError({ operation: `join ${host}`, detail: "10.255.0.0/24 is full" })
    const management = `10.255.0.${joined}`
    yield* ipBatch([`link add mgmt0 netns ${host} type veth peer name m${joined} netns ${namespace}`])
    yield* ipBatch([`link set m${joined} master mgmt0`, `link set m${joined} up`], namespace)
    yield* ipBatch([`address add ${management}/24 dev mgmt0`, "link set mgmt0 up"], host)
    return management
  })
  const centre: Centre = { namespace, address, join }
  return centre
})

/** Makes a cluster's network and joins its router and nodes to the centre. */
export const makeClusterNetwork = Effect.fnUntraced(function* (lab: Lab, centre: Centre, plan: ClusterNetworkPlan) {
  const addresses = yield* addressesOf(plan)
  const namespace = yield* lab.addNamespace(`${plan.name}-router`, routerSettings)
  yield* ipBatch(
    [
      "link add br0 type bridge",
      `address add ${addresses.router.ipv4}/${addresses.length4} dev br0`,
      `address add ${addresses.router.ipv6}/${addresses.length6} dev br0 nodad`,
      "link set br0 up"
    ],
    namespace
  )
  const router: LabHost = {
    name: "router",
    namespace,
    ...addresses.router,
    management: yield* centre.join(namespace)
  }
  const nodes: Array<LabHost> = []
  for (const [index, name] of plan.nodes.entries()) {
    const node = yield* lab.addNamespace(`${plan.name}-${name}`)
    const own = addresses.node(index)
    yield* ipBatch([`link add eth0 netns ${node} type veth peer name p${index} netns ${namespace}`])
    yield* ipBatch([`link set p${index} master br0`, `link set p${index} up`], namespace)
    yield* ipBatch(
      [
        `address add ${own.ipv4}/${addresses.length4} dev eth0`,
        `address add ${own.ipv6}/${addresses.length6} dev eth0 nodad`,
        "link set eth0 up",
        `route add default via ${router.ipv4}`,
        `route add default via ${router.ipv6}`
      ],
      node
    )
    nodes.push({ name, namespace: node, ...own, management: yield* centre.join(node) })
  }
  const client = yield* addClient(lab, plan, namespace)
  const setLink = Effect.fnUntraced(function* (node: string, state: "up" | "down") {
    const index = plan.nodes.indexOf(node)
    if (index < 0) return yield* new LabError({ operation: `set link ${state}`, detail: `no node is called ${node}` })
    yield* ipBatch([`link set p${index} ${state}`], namespace)
  })
  const network: ClusterNetwork = { name: plan.name, router, nodes, client, setLink }
  return network
})

/** Makes the usual shape at once: the centre and the given clusters. */
export const makeFleetNetwork = (
  lab: Lab,
  plans: ReadonlyArray<ClusterNetworkPlan>
): Effect.Effect<{ readonly centre: Centre; readonly clusters: ReadonlyArray<ClusterNetwork> }, LabError> =>
  Effect.gen(function* () {
    const centre = yield* makeCentre(lab)
    const clusters = yield* Effect.forEach(plans, (plan) => makeClusterNetwork(lab, centre, plan))
    return { centre, clusters }
  })

/**
 * A router forwards both families. It spreads flows by the 5-tuple through policy 3: policy 1 would take the hash of the
 * sender's own socket, which is in the same kernel here and which a retransmission changes.
 */
const routerSettings: ReadonlyArray<Sysctl> = [
  ["ipv4/ip_forward", 1],
  ["ipv6/conf/all/forwarding", 1],
  ["ipv4/fib_multipath_hash_policy", 3],
  ["ipv4/fib_multipath_hash_fields", 0x37],
  ["ipv6/fib_multipath_hash_policy", 3],
  ["ipv6/fib_multipath_hash_fields", 0x37]
]

const addClient = Effect.fnUntraced(function* (lab: Lab, plan: ClusterNetworkPlan, router: string) {
  const client = yield* lab.addNamespace(`${plan.name}-client`)
  yield* ipBatch([`link add eth0 netns ${client} type veth peer name up0 netns ${router}`])
  yield* ipBatch(
    ["address add 10.254.0.1/30 dev up0", "address add 2001:db8:fffe::1/64 dev up0 nodad", "link set up0 up"],
    router
  )
  yield* ipBatch(
    [
      "address add 10.254.0.2/30 dev eth0",
      "address add 2001:db8:fffe::2/64 dev eth0 nodad",
      "link set eth0 up",
      "route add default via 10.254.0.1",
      "route add default via 2001:db8:fffe::1"
    ],
    client
  )
  return client
})

const addressesOf = Effect.fnUntraced(function* (plan: ClusterNetworkPlan) {
  const read = (text: string) =>
    Result.match(parsePrefix(text), {
      onFailure: (detail) => Effect.fail(new LabError({ operation: `read a subnet of cluster ${plan.name}`, detail })),
      onSuccess: Effect.succeed
    })
  const subnet4 = yield* read(plan.subnet4)
  const subnet6 = yield* read(plan.subnet6)
  const nth = (base: IpAddress, offset: number) =>
    formatIpAddress({ family: base.family, value: base.value + BigInt(offset) })
  return {
    length4: subnet4.lengthBits,
    length6: subnet6.lengthBits,
    router: { ipv4: nth(subnet4.address, 1), ipv6: nth(subnet6.address, 1) },
    node: (index: number) => ({ ipv4: nth(subnet4.address, 11 + index), ipv6: nth(subnet6.address, 0x11 + index) })
  }
})
