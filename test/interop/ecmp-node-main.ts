/**
 * A node of the ECMP lab: it decides by the product's own rule what its peer is to have of one VIP, in both families, and tells
 * it by the native speaker; clients of the VIP read its name, then have an echo. Reads a JSON object a line:
 *   {"session":{"router":A,"routerAsn":N,"localAsn":N}}   another peer than before
 *   {"admission":{…},"serves":true}                       who announces as an equal, and whether this node has an endpoint
 *
 * Run as `node ecmp-node-main.ts NAME IPV4 IPV6 VIP4 VIP6 PORT`.
 */
import { createServer } from "node:net"
import { createInterface } from "node:readline"
import { type BgpPeer, startPeer } from "@lowtide/bgp"
import type { Admission, NodeIntent, VipIntent } from "@lowtide/domain/announcing/intent"
import { nodeRoutes } from "@lowtide/domain/announcing/node-routes"
import { RouteTranslator } from "@lowtide/speaker/announce"
import { Effect, Exit, Scope } from "effect"

const [name = "", ipv4 = "", ipv6 = "", vip4 = "", vip6 = "", port = ""] = process.argv.slice(2)

interface Line {
  readonly session?: { readonly router: string; readonly routerAsn: number; readonly localAsn: number }
  readonly admission?: Admission
  readonly serves?: boolean
}

const stamp = { incarnation: 1, epoch: 1, seq: 1 }
const cause = { seq: 1, type: "VipAssigned", reason: "pool-selected", actor: "test" }
const common = { stamp, cseq: 1, prevCseq: 0, cluster: "east", cause }
const peerName = "router"

const intentOf = (address: string, prefix: string, admission: Admission): VipIntent => ({
  _tag: "VipIntent",
  ...common,
  network: "default",
  address,
  state: "announced",
  services: [{ namespace: "shop", name: "web", uid: "uid-web", trafficPolicy: "Local" }],
  admission,
  routes: [
    {
      advertisement: "all",
      prefix,
      peers: [peerName],
      nodes: admission.candidates,
      localPref: null,
      communities: []
    }
  ],
  obliged: admission.candidates
})

const nodeIntent: NodeIntent = {
  _tag: "NodeIntent",
  ...common,
  node: name,
  peers: [
    {
      name: peerName,
      peerAddress: "192.0.2.1",
      peerPort: 179,
      peerAsn: 64512,
      myAsn: 64500,
      routerId: null,
      sourceAddress: null,
      holdTimeSeconds: 90,
      keepaliveTimeSeconds: null,
      connectTimeSeconds: null
    }
  ],
  addresses: [],
  excluded: null
}

const translator = new RouteTranslator()
const prefixes = [`${vip4}/32`, `${vip6}/128`]
let wanted: ReturnType<RouteTranslator["changes"]> = []
let current: { readonly peer: BgpPeer; readonly scope: Scope.Closeable } | undefined

const decide = (admission: Admission, serves: boolean): void => {
  const intents = [intentOf(vip4, prefixes[0]!, admission), intentOf(vip6, prefixes[1]!, admission)]
  const health = () => ({ servesHere: serves, servesAnywhere: true })
  const routes = nodeRoutes(nodeIntent, intents, health).byPeer.get(peerName)
  wanted = translator.changes(prefixes.map((prefix) => [prefix, routes?.get(prefix)]))
  current?.peer.change(wanted)
}

const open = async ({ router, routerAsn, localAsn }: NonNullable<Line["session"]>): Promise<void> => {
  if (current !== undefined) await Effect.runPromise(Scope.close(current.scope, Exit.void))
  const scope = await Effect.runPromise(Scope.make())
  const peer = await Effect.runPromise(
    startPeer(
      {
        name: peerName,
        host: router,
        port: 179,
        localAsn,
        peerAsn: routerAsn,
        routerId: ipv4,
        holdTimeSeconds: 90,
        connectRetrySeconds: 0.2,
        families: [4, 6],
        nextHops: { 4: ipv4, 6: ipv6 }
      },
      () => {}
    ).pipe(Scope.provide(scope))
  )
  peer.change(wanted)
  current = { peer, scope }
}

const server = createServer((socket) => {
  socket.on("error", () => socket.destroy()) // the client went away
  socket.write(`${name}\n`)
  socket.pipe(socket)
})
server.listen({ port: Number(port), host: "::" }, () => process.stdout.write("ready\n"))

for await (const text of createInterface({ input: process.stdin })) {
  const line = JSON.parse(text) as Line
  if (line.admission !== undefined) decide(line.admission, line.serves ?? true)
  if (line.session !== undefined) await open(line.session)
}
process.exit(0)
