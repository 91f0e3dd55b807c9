import type { AdvertisedRoute, NodePeer } from "@lowtide/domain/announcing/intent"
import { assert, describe, it } from "vitest"
import { apply, begun, observe, raw, service } from "../../packages/domain/test/world.ts"
import { nodeName } from "../../services/speaker/test/hand-centre.ts"
import { hasRoute } from "./bgp-cases.ts"
import { eventually, linkAddresses, type RouterSetup, runText } from "./bgp-lab.ts"
import { startBird } from "./bgp-routers/bird.ts"
import { startFrr } from "./bgp-routers/frr.ts"
import { autonomousSystems, type LoneNode, loneBench, type NodeSetup } from "./explain-lab.ts"

/** Annotations without their prefix. */
type Settings = Readonly<Record<string, string>>

const annotated = (settings: Settings) => ({
  annotations: Object.fromEntries(Object.entries(settings).map(([name, text]) => [`lowtide.dev/${name}`, text]))
})

/** What a node of a cluster is told of a BGPPeer and a BGPAdvertisement with these annotations. */
const told = (ofPeer: Settings, ofRoute: Settings): { readonly peer: NodePeer; readonly route: AdvertisedRoute } => {
  const { node, router } = autonomousSystems
  const spec = { myASN: node, peerASN: router, peerAddress: linkAddresses.router[4], holdTime: "9s" }
  const world = begun(
    apply("east", raw("BGPPeer", "tor", spec, annotated(ofPeer))),
    apply("east", raw("BGPAdvertisement", "all", {}, annotated(ofRoute))),
    observe("east", service("web"))
  )
  const intent = world.message("east", "node.east-1")
  const vip = world.messages.findLast((message) => message._tag === "VipIntent")
  if (intent?._tag !== "NodeIntent" || vip === undefined) return assert.fail("nothing is told")
  const [peer] = intent.peers
  const [route] = vip.routes
  return { peer: peer ?? assert.fail("no peer"), route: route ?? assert.fail("no route") }
}

/** Segments that the kernel dropped for their TTL. */
const minTtlDrop = async (namespace: string): Promise<number> => {
  const counters = await runText("ip", ["netns", "exec", namespace, "cat", "/proc/net/netstat"])
  const [names = [], values = []] = counters
    .split("\n")
    .flatMap((line) => (line.startsWith("TcpExt: ") ? [line.split(" ")] : []))
  return Number(values[names.indexOf("TCPMinTTLDrop")])
}

const prefix = "198.51.100.1/32"

for (const [name, start] of [
  ["BIRD", startBird],
  ["FRR", startFrr]
] as const) {
  describe(`what annotations of configuration set, with ${name}`, () => {
    const { lab, closeAll, ...bench } = loneBench()
    const router = (setup?: Partial<RouterSetup>) => bench.router(start, setup)
    const node = async (
      ofPeer: Settings,
      ofRoute: Settings = {},
      more: Pick<NodeSetup, "admission"> = {}
    ): Promise<LoneNode> => {
      const { peer, route } = told(ofPeer, ofRoute)
      const { nodes: _nodes, prefix: _prefix, ...attributes } = route
      return bench.node({ peer: { ...peer, name: "tor-a" }, route: attributes, ...more })
    }

    it("med, as-path-prepend: the router has both with the route", async () => {
      const running = await router()
      await node({}, { med: "50", "as-path-prepend": "2" })
      const { med, asPath } = await hasRoute(running, 4, prefix)
      const own = autonomousSystems.node
      assert.deepStrictEqual([med, asPath], [50, [own, own, own]])
    })

    it("maximum-prefixes: what is within it is taken, and more ends the session, with the reason", async () => {
      const running = await router({ announces: ["203.0.113.0/25", "203.0.113.128/25"] })
      const enough = await node({ "maximum-prefixes": "3" }) // FRR tells us our own route as well
      await enough.explained("tor-a", /is Established /)
      await hasRoute(running, 4, prefix)
      await enough.close()
      const { explained } = await node({ "maximum-prefixes": "1" })
      await explained("tor-a", /it announced [23] prefixes, our configuration takes at most 1 .*NOTIFICATION 6\/1/)
      await eventually(
        () => running.routes(4),
        (found) => !found.has(prefix),
        "the session is over at the router"
      )
    })

    it("role, role-strict: roles that fit come up, others do not, and a router without one is refused", async () => {
      const provider = await router({ role: "provider", requiresRole: true })
      const customer = await node({ role: "customer", "role-strict": "true" })
      await hasRoute(provider, 4, prefix)
      await customer.close()
      const peer = await node({ role: "peer" })
      await peer.explained("tor-a", /2\/11 Role Mismatch/)
      await closeAll()
      await router()
      const strict = await node({ role: "customer", "role-strict": "true" })
      await strict.explained("tor-a", /it tells no role, and our configuration, as customer, insists on one/)
    })

    it("standby: what a router lost comes back as a worse path, or with none not at all, also after a restart", async () => {
      const own = autonomousSystems.node
      const equal = [own]
      const admission = { _tag: "Listed", nodes: [nodeName], candidates: [nodeName] } as const
      /** A node whose router has gone and come back. */
      const returned = async (ofPeer: Settings) => {
        const before = await router()
        const running = await node(ofPeer, {}, { admission })
        assert.deepStrictEqual((await hasRoute(before, 4, prefix)).asPath, equal)
        await before.kill()
        return { running, after: await router() }
      }
      const worse = await returned({})
      assert.deepStrictEqual((await hasRoute(worse.after, 4, prefix)).asPath, [own, own, own, own])
      await closeAll()
      const { running, after } = await returned({ standby: "none" })
      for (const again of [async () => {}, running.restart]) {
        await again()
        await running.explained("tor-a", /is Established .*it is to have no prefix, and has none/)
        await running.explained(prefix, /the node is standby for each of its peers, and they take none/)
        assert.isFalse((await after.routes(4)).has(prefix))
      }
    })

    it("ttl-security-hops: a router that asks for TTL 255 has it, and one that sends less is not heard", async () => {
      const strict = await router({ gtsm: true })
      await node({ "ttl-security-hops": "1" })
      await hasRoute(strict, 4, prefix)
      await closeAll()
      const lax = await router()
      const before = await minTtlDrop(lab().node.namespace)
      await node({ "ttl-security-hops": "1" })
      await eventually(
        () => minTtlDrop(lab().node.namespace),
        (dropped) => dropped > before,
        "the node's kernel drops what the router sends"
      )
      assert.isFalse(await lax.isUp())
    })
  })
}
