import { assert, describe, it } from "@effect/vitest"
import {
  affectedContents,
  type Command,
  decide,
  excludeLabel,
  Fleet,
  healthOn,
  IntentBook,
  messageKey,
  type NodeIntent,
  type NumberedMessage,
  nodeRoutes,
  phases,
  preview,
  type ServiceAnswer,
  slicesByService,
  type VipIntent
} from "@lowtide/domain"
import { Arbitrary, Result, Schema } from "effect"
import { tellings } from "../src/observations.ts"
import { lookAt } from "./looks.ts"

const manifest = (kind: string, name: string, rest: object): string => {
  const isMetallb = /^(IPAddressPool|BGP)/.test(kind)
  const version = kind === "BGPPeer" ? "metallb.io/v1beta2" : isMetallb ? "metallb.io/v1beta1" : "v1"
  const { metadata = {}, ...more } = rest as { readonly metadata?: object }
  const namespace = isMetallb ? { namespace: "metallb-system" } : kind === "Service" ? { namespace: "shop" } : {}
  return JSON.stringify({ apiVersion: version, kind, metadata: { name, ...namespace, ...metadata }, ...more })
}

const oneOf = <const Texts extends ReadonlyArray<string>>(...texts: Texts) => Arbitrary.schema(Schema.Literals(texts))
const flag = Arbitrary.schema(Schema.Boolean)
const tier = oneOf("front", "back")
/** A selector of one tier, or none. */
const selectors = Arbitrary.map(oneOf("", "front", "back"), (value) =>
  value === "" ? undefined : [{ matchLabels: { tier: value } }]
)
/** The field, unless it is empty. */
const field = (name: string, value: unknown): object => (value === "" || value === undefined ? {} : { [name]: value })

const pool = (index: number) =>
  Arbitrary.map(
    Arbitrary.all({
      autoAssign: flag,
      avoidBuggyIPs: flag,
      serviceSelectors: selectors,
      team: oneOf("", "", "a", "b"),
      priority: oneOf("", "0", "5"),
      isDual: flag
    }),
    ({ serviceSelectors, isDual, team, priority, ...spec }) => {
      const allocation = {
        ...field("priority", priority && Number(priority)),
        ...field("namespaceSelectors", team && [{ matchLabels: { team } }]),
        ...field("serviceSelectors", serviceSelectors)
      }
      const range = ["192.0.2.0/30", "192.0.2.252-192.0.3.1", "198.51.100.0/31"][index] ?? ""
      return manifest("IPAddressPool", `p${index}`, {
        spec: {
          ...spec,
          addresses: isDual ? [range, `2001:db8:${index}::/127`] : [range],
          ...field("serviceAllocation", Object.keys(allocation).length === 0 ? undefined : allocation)
        }
      })
    }
  )

const service = (index: number) =>
  Arbitrary.map(
    Arbitrary.all({
      tier,
      policy: oneOf("SingleStack", "PreferDualStack", "RequireDualStack"),
      traffic: oneOf("Cluster", "Local"),
      key: oneOf("", "a", "b"),
      pool: oneOf("", "", "p0", "p1", "p9"),
      requested: oneOf("", "", "192.0.2.1", "192.0.2.255", "203.0.113.9"),
      port: oneOf("80", "443"),
      family: oneOf("", "IPv4", "IPv6"),
      served: oneOf("", "", "", "lowtide.dev/bgp", "example.com/another"),
      day: oneOf("", "01", "02"),
      status: oneOf("", "192.0.2.0", "192.0.2.3", "198.51.100.1")
    }),
    ({ tier, policy, traffic, key, pool, requested, port, family, served, day, status }) =>
      manifest("Service", `s${index}`, {
        metadata: {
          labels: { tier },
          ...field("creationTimestamp", day && `2026-01-${day}T00:00:00Z`),
          annotations: {
            ...field("metallb.io/allow-shared-ip", key),
            ...field("metallb.io/address-pool", pool),
            ...field("metallb.universe.tf/loadBalancerIPs", requested)
          }
        },
        spec: {
          type: "LoadBalancer",
          ...field("loadBalancerClass", served),
          ...field("ipFamilies", family && [family]),
          ipFamilyPolicy: policy,
          externalTrafficPolicy: traffic,
          ports: [{ port: Number(port) }]
        },
        status: { loadBalancer: { ingress: status === "" ? [] : [{ ip: status }] } }
      })
  )

const slice = (index: number) =>
  Arbitrary.map(Arbitrary.all([flag, flag]), (serves) =>
    JSON.stringify({
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { name: `s${index}-1`, namespace: "shop", labels: { "kubernetes.io/service-name": `s${index}` } },
      addressType: "IPv4",
      endpoints: serves.flatMap((isThere, node) => (isThere ? [{ addresses: ["10.2.0.1"], nodeName: `n${node}` }] : []))
    })
  )

const advertisement = (index: number) =>
  Arbitrary.map(
    Arbitrary.all({
      isAggregate: flag,
      localPref: oneOf("", "50", "200"),
      pool: oneOf("", "p0", "p1"),
      serviceSelectors: selectors
    }),
    ({ isAggregate, localPref, pool, serviceSelectors }) =>
      manifest("BGPAdvertisement", `a${index}`, {
        spec: {
          ...field("localPref", localPref && Number(localPref)),
          ...field("ipAddressPools", pool && [pool]),
          ...(serviceSelectors === undefined ? { aggregationLength: isAggregate ? 31 : 32 } : { serviceSelectors }),
          communities: [`64496:${index}`]
        }
      })
  )

const folder = Arbitrary.map(
  Arbitrary.all([
    Arbitrary.all([0, 1, 2].map(pool)),
    Arbitrary.all([0, 1].map(advertisement)),
    Arbitrary.all([0, 1, 2, 3, 4, 5].map(service)),
    Arbitrary.all([0, 1, 2, 3].map(slice)),
    Arbitrary.all({ team: oneOf("a", "b"), rack: oneOf("", "front", "back"), isExcluded: flag })
  ]),
  ([pools, advertisements, services, slices, { team, rack, isExcluded }]) => [
    ...[...pools, ...advertisements, ...services, ...slices],
    manifest("Namespace", "shop", { metadata: { labels: { team } } }),
    manifest("Node", "n0", { metadata: { labels: { rack: "front", ...(isExcluded ? { [excludeLabel]: "" } : {}) } } }),
    manifest("Node", "n1", { metadata: { labels: { rack: "back" } } }),
    manifest("BGPPeer", "outer", {
      spec: {
        ...{ myASN: 64496, peerASN: 64500, peerAddress: "10.1.0.1" },
        ...field("nodeSelectors", rack && [{ matchLabels: { rack } }])
      }
    }),
    manifest("BGPPeer", "inner", { spec: { myASN: 64496, peerASN: 64496, peerAddress: "10.1.0.2" } })
  ]
)

/** What the cluster is sent in the end, when an allocator decides what an agent tells, one command after another. */
const sent = (commands: ReadonlyArray<Command>): ReadonlyArray<NumberedMessage> => {
  const fleet = new Fleet()
  const book = new IntentBook()
  const newest = new Map<string, NumberedMessage>()
  for (const [seq, command] of commands.entries()) {
    const obligedOf = () => []
    const context = { nowMs: 0, obligedOf, hasConfirmed: () => true }
    const events = Result.getOrThrow(decide(fleet, command, context))
    for (const { content } of affectedContents(fleet, events, obligedOf)) {
      const cause = { seq, type: "", reason: "", actor: "" }
      const message = book.number(content, { incarnation: 1, epoch: 1, seq }, cause)
      if (message !== undefined) newest.set(messageKey(message), message)
    }
  }
  return [...newest.values()]
}

describe("a preview of a folder", () => {
  it.prop(
    "is what the agent's tellings come to, each Service's addresses and each node's routes",
    [folder],
    ([texts]) => {
      const look = lookAt(texts)
      const told = tellings("east", look, new Map())
      const messages = sent(
        phases.flatMap((phase) => told.filter((each) => each.phase === phase)).map((each) => each.command)
      )
      const [shown] = preview([{ name: "east", observations: [...look.objects.values()], findings: [] }])
      const answers = messages.filter((message): message is ServiceAnswer => message._tag === "ServiceAnswer")
      const intents = messages.filter((message): message is VipIntent => message._tag === "VipIntent")
      const slices = slicesByService(look.objects.values())
      assert.deepStrictEqual(
        shown?.services.map(({ name, addresses, refusal }) => [name, [...addresses].sort(), refusal?.code]).sort(),
        answers
          .map(({ name, addresses, refusal }) => [name, addresses.map(({ address }) => address).sort(), refusal?.code])
          .sort()
      )
      const routesOf = (node: NodeIntent) => {
        const { byPeer } = nodeRoutes(node, intents, ({ namespace, name }) =>
          healthOn(node.node, slices.get(`${namespace}/${name}`) ?? [])
        )
        return node.peers.flatMap(({ name }) =>
          [...(byPeer.get(name)?.values() ?? [])].map(
            ({ prefix, localPref, communities }) =>
              `${node.node} ${name} ${prefix} ${name === "inner" ? (localPref ?? 100) : null} ${communities}`
          )
        )
      }
      assert.deepStrictEqual(
        shown?.nodes
          .flatMap(({ name: node, peers }) =>
            peers.flatMap(({ name, announcements }) =>
              announcements.map(
                ({ prefix, localPref, communities }) => `${node} ${name} ${prefix} ${localPref} ${communities}`
              )
            )
          )
          .sort(),
        messages
          .filter((message): message is NodeIntent => message._tag === "NodeIntent")
          .flatMap(routesOf)
          .sort()
      )
    }
  )
})
