/**
 * `fleet [CLUSTERS] [SERVICES]`, 40 and 2,000 unless given; the bar is for 160 and 10,000. So many Services are created at
 * once, spread over so many clusters, of which each has a node and the configuration that it takes. Every octet between agents
 * and NATS arrives 100 ms late, in either direction. How long until each cluster has received the addresses of all its
 * Services. The allocator, PostgreSQL and nats-server are processes of their own; the agents are the agents' code over a
 * connection each, all of them in this process, since so many processes on a few cores would measure the machine. The baseline is
 * one Service of one cluster on the same way. On a busy machine the processor times say more than the whole.
 */
import { reportCluster } from "@lowtide/agent/report"
import { Bus, followState, layerBus } from "@lowtide/bus"
import type { ServiceAnswer } from "@lowtide/domain"
import { type ClusterChange, ClusterSource } from "@lowtide/kube"
import { startTcpProxy } from "@lowtide/testkit/tcp-proxy"
import { Context, Deferred, Effect, Layer, Predicate, Queue, Stream, SubscriptionRef } from "effect"
import { lookAt } from "../../services/agent/test/looks.ts"
import { leads, makeCentreLab } from "../faults/centre-lab.ts"
import { argument, cpuMs, cpuMsOf, figuresOf, median, runBenchmark, timed } from "./kit/figures.ts"

const clusterCount = argument(0, 40)
const serviceCount = argument(1, 2_000)
const delayMs = 100
const deadline = serviceCount < 100 ? "60 seconds" : "5 minutes"
const singles = 5
const readAgainMs = 10_000
const print = figuresOf("fleet")

const main = Effect.gen(function* () {
  const lab = yield* makeCentreLab
  const proxy = yield* startTcpProxy(lab.nats.port)
  yield* proxy.delay(delayMs)
  const allocator = yield* lab.allocator("only")
  yield* leads(allocator, 60_000)
  const url = `nats://127.0.0.1:${proxy.port}`
  const clusters = yield* Effect.forEach(
    Array.from({ length: clusterCount }, (_, n) => `c${n + 1}`),
    (name) => startCluster(name, url),
    { concurrency: 16 }
  )
  /** One that comes to no end says who waits for what. */
  const inTime = <A, E, R>(stage: Effect.Effect<A, E, R>) =>
    Effect.timeoutOrElse(stage, {
      duration: deadline,
      orElse: () =>
        Effect.gen(function* () {
          const isRunning = yield* allocator.process.isRunning
          const log = (yield* allocator.process.log).trimEnd().split("\n").slice(-20)
          const waiting = clusters.map(({ standing }) => standing()).join("\n")
          return yield* Effect.die(
            new Error(`${waiting}\nthe allocator ${isRunning ? "runs" : "has ended"}\n${log.join("\n")}`)
          )
        })
    })
  yield* inTime(Effect.forEach(clusters, ({ see }) => see(look(0)), { concurrency: "unbounded" }))
  process.stderr.write(`${clusterCount} clusters are configured\n`)
  const [first] = clusters
  if (first === undefined) return
  const alone: Array<number> = []
  for (let count = 1; count <= singles; count++) alone.push(yield* timed(inTime(first.see(look(count)))))
  // Manifests are read before, and in turns: the connections of all agents are this process's to keep.
  const looks = yield* Effect.forEach(clusters, (_, place) =>
    Effect.delay(
      Effect.sync(() => look(share(place) + (place === 0 ? singles : 0))),
      0
    )
  )
  process.stderr.write(`${serviceCount} Services are created\n`)
  const spentMs = () => ({ agents: cpuMs(), allocator: cpuMsOf(allocator.process.pid) })
  const before = spentMs()
  const wholeMs = yield* timed(
    inTime(Effect.forEach(clusters, ({ see }, place) => see(looks[place] ?? look(0)), { concurrency: "unbounded" }))
  )
  print({
    figure: `${serviceCount} Services of ${clusterCount} clusters have addresses, ${delayMs} ms away`,
    value: wholeMs,
    unit: "ms",
    baseline: median(alone),
    baselineName: "one Service alone"
  })
  const spent = spentMs()
  for (const who of ["allocator", "agents"] as const) {
    const value = spent[who] - before[who]
    print({ figure: `processor time of ${who}`, value, unit: "ms", baseline: wholeMs, baselineName: "all the while" })
  }
})

/** What an agent sees of a cluster with so many Services. */
const look = (services: number): Look => ({
  services,
  change: lookAt([...configuration, ...Array.from({ length: services }, (_, n) => service(n + 1))])
})

interface Look {
  readonly services: number
  readonly change: ClusterChange
}

/** Services of the cluster at this place. */
const share = (place: number) =>
  Math.floor(((place + 1) * serviceCount) / clusterCount) - Math.floor((place * serviceCount) / clusterCount)

/** An agent, and a reader of what its cluster is told. `see` answers when all Services have their addresses. */
const startCluster = Effect.fnUntraced(function* (cluster: string, url: string) {
  const bus = Context.get(yield* Layer.build(layerBus({ servers: [url], name: cluster })), Bus)
  // Whoever looks begins with what there is, as with a folder.
  const seen = yield* SubscriptionRef.make<ClusterChange | undefined>(undefined)
  const served = new Set<string>()
  let heads = 0
  let awaited: { readonly count: number; readonly isThere: Deferred.Deferred<void> } | undefined
  const take = ({ key, envelope }: { readonly key: string; readonly envelope: string }) => {
    if (key === "head") heads += 1
    if (key.startsWith("svc.")) {
      const { payload } = JSON.parse(envelope) as { readonly payload: string }
      const { name, addresses } = JSON.parse(payload) as ServiceAnswer
      if (addresses.length > 0) served.add(name)
    }
    if (awaited !== undefined && served.size >= awaited.count && heads > 0)
      Deferred.doneUnsafe(awaited.isThere, Effect.void)
  }
  const again = yield* Queue.sliding<void>(1)
  yield* followState(cluster, again).pipe(
    Stream.runForEach((item) => Effect.sync(() => (item._tag === "Live" ? [item.item] : item.items).forEach(take))),
    Effect.forkScoped,
    Effect.provideService(Bus, bus)
  )
  yield* reportCluster(cluster).pipe(
    Effect.provideService(
      ClusterSource,
      ClusterSource.of({ changes: Stream.filter(SubscriptionRef.changes(seen), Predicate.isNotUndefined) })
    ),
    Effect.provideService(Bus, bus),
    Effect.forkScoped
  )
  const see = ({ services, change }: Look) =>
    Effect.gen(function* () {
      const isThere = yield* Deferred.make<void>()
      awaited = { count: services, isThere }
      yield* SubscriptionRef.set(seen, change)
      // A node that sees a gap reads everything again; this reader looks for none, and does so when it has to wait long.
      const readAgain = Effect.forever(Effect.delay(Queue.offer(again, undefined), readAgainMs))
      yield* Effect.raceFirst(Deferred.await(isThere), readAgain)
    })
  const standing = () =>
    `${cluster}: ${served.size} Services have addresses of ${awaited?.count ?? 0} that are waited for, after ${heads} heads`
  return { see, standing }
})

const metallb = "metadata: { namespace: metallb-system, name:"
const configuration = [
  `{ apiVersion: v1, kind: Node, metadata: { name: n1 }, status: { addresses: [{ type: InternalIP, address: 10.1.0.11 }] } }`,
  `{ apiVersion: metallb.io/v1beta1, kind: IPAddressPool, ${metallb} public }, spec: { addresses: [10.0.0.0/16] } }`,
  `{ apiVersion: metallb.io/v1beta2, kind: BGPPeer, ${metallb} tor }, spec: { myASN: 64496, peerASN: 64500, peerAddress: 10.1.0.1 } }`,
  `{ apiVersion: metallb.io/v1beta1, kind: BGPAdvertisement, ${metallb} all } }`
]

const service = (n: number) =>
  `{ apiVersion: v1, kind: Service, metadata: { namespace: shop, name: s${n}, uid: u${n} }, spec: { type: LoadBalancer, ipFamilies: [IPv4], ports: [{ port: 80 }], selector: { app: s${n} } } }`

await runBenchmark(main)
