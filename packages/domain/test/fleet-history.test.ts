import { assert, describe, it } from "vitest"
import { type Command, type DomainEvent, Fleet, type StreamState, type VipState } from "../src/index.ts"
import { announcing, apply, node, observe, pool, service, World } from "./world.ts"

/** A seeded source of choices: a failing history is named by its seed. */
class Choices {
  #state: number
  constructor(seed: number) {
    this.#state = (seed * 2_654_435_761) >>> 0
  }
  below(limit: number): number {
    this.#state = (Math.imul(this.#state ^ (this.#state >>> 15), 2_246_822_519) + 3_266_489_917) >>> 0
    return this.#state % limit
  }
  one<A>(items: ReadonlyArray<A>): A {
    return items[this.below(items.length)] as A
  }
}

const clusters = ["east", "west"]
const ranges = ["192.0.2.0/30", "192.0.2.2-192.0.2.6", "198.51.100.0/31", "2001:db8:100::/126"]

const randomService = (choose: Choices) => {
  const policy = choose.one(["SingleStack", "PreferDualStack", "RequireDualStack"] as const)
  const first = choose.one(["IPv4", "IPv6"] as const)
  return service(`s${choose.below(5)}`, {
    ipFamilyPolicy: policy,
    ipFamilies: policy === "SingleStack" ? [first] : [first, first === "IPv4" ? "IPv6" : "IPv4"],
    externalTrafficPolicy: choose.one(["Cluster", "Local"] as const),
    requestedAddresses:
      choose.below(4) === 0 && policy === "SingleStack" && first === "IPv4"
        ? [choose.one(["192.0.2.1", "192.0.2.3", "203.0.113.9"])]
        : [],
    annotations: {
      ...(choose.below(3) === 0 ? { allowSharedIp: choose.one(["a", "b"]) } : {}),
      ...(choose.below(5) === 0 ? { addressPool: `p${choose.below(3)}` } : {})
    },
    ports: [{ protocol: "TCP", port: 80 + choose.below(3), name: "" }],
    type: choose.below(8) === 0 ? "ClusterIP" : "LoadBalancer"
  })
}

const randomCommand = (world: World, choose: Choices): Command => {
  const cluster = choose.one(clusters)
  switch (choose.below(12)) {
    case 0:
      return apply(cluster, pool(`p${choose.below(3)}`, [choose.one(ranges)], { autoAssign: choose.below(4) > 0 }))
    case 1:
      return {
        _tag: "DeleteManifest",
        cluster,
        kind: "IPAddressPool",
        namespace: "metallb-system",
        name: `p${choose.below(3)}`
      }
    case 2:
      return { _tag: "ObserveNode", cluster, node: node(`${cluster}-${choose.below(3)}`) }
    case 3:
      return { _tag: "ForgetNode", cluster, name: `${cluster}-${choose.below(3)}` }
    case 4:
    case 5:
      return { _tag: "ForgetService", cluster, namespace: "shop", name: `s${choose.below(5)}` }
    case 6:
    case 7: {
      const cseq = Math.max(0, world.book.cseq(cluster) - choose.below(4))
      return { _tag: "ConfirmWithdrawals", cluster, node: `${cluster}-${choose.below(3)}`, cseq }
    }
    case 8:
      world.nowMs += choose.below(900_000)
      return { _tag: "ExpireQuarantines" }
    default:
      return observe(cluster, randomService(choose))
  }
}

/**
 * The law that no address has two holders, written a second time and from the log alone: it shares no code with what
 * it checks.
 */
class Auditor {
  readonly #vips = new Map<string, VipState>()
  /** The log's length when a VIP was released last. */
  readonly #releasedAt = new Map<string, number>()

  see(event: DomainEvent, world: World): void {
    if (event.after?._tag !== "Vip") return
    const before = this.#vips.get(event.stream)
    const after = event.after
    assert.deepStrictEqual(event.before, before ?? null, `${event.type} tells its stream's state before it`)
    if (event.type === "VipAssigned") this.#assigned(before, after, world)
    if (event.type === "VipReleased") {
      assert.strictEqual(before?.phase, "assigned")
      this.#releasedAt.set(event.stream, world.log.indexOf(event) + 1)
    }
    if (event.type === "VipQuarantined") {
      assert.strictEqual(before?.phase, "withdrawing")
      const tombstone = this.#tombstone(world, after, this.#releasedAt.get(event.stream) ?? 0)
      for (const node of before?.obliged ?? []) {
        const confirmed = world.confirmed.get(`${after.cluster}/${node}`) ?? -1
        assert.isAtLeast(confirmed, tombstone, `${node} has confirmed ${after.address}`)
      }
    }
    if (event.type === "VipFreed") assert.isAtMost(before?.quarantineEndMs ?? Number.POSITIVE_INFINITY, world.nowMs)
    this.#ports(after)
    this.#vips.set(event.stream, after)
  }

  #assigned(before: VipState | undefined, after: VipState, world: World): void {
    if (before === undefined || before.phase === "free") return
    assert.strictEqual(before.cluster, after.cluster, `${after.address} stays in its cluster until it is free`)
    if (before.phase === "assigned") return
    const [holder] = after.holders
    assert.include(
      before.lastHolders,
      `${holder?.namespace}/${holder?.name}`,
      `${after.address} is not free at ${world.nowMs}`
    )
  }

  #ports({ address, holders }: VipState): void {
    const ports = holders.flatMap((holder) => holder.ports)
    if (holders.length < 2) return
    assert.strictEqual(new Set(ports).size, ports.length, `sharers of ${address} have distinct ports`)
    assert.strictEqual(new Set(holders.map(({ sharingKey }) => sharingKey)).size, 1)
    assert.strictEqual(new Set(holders.map(({ backendKey }) => backendKey)).size, 1)
  }

  /** The message that told the nodes to withdraw, which came after the release; never, when there was none. */
  #tombstone(world: World, { cluster, address }: VipState, releasedAt: number): number {
    const first = world.messages.find(
      (message) =>
        message._tag === "VipIntent" &&
        message.cluster === cluster &&
        message.address === address &&
        message.state === "withdrawn" &&
        message.stamp.seq >= releasedAt
    )
    return first?.cseq ?? Number.POSITIVE_INFINITY
  }
}

const stateText = (fleet: Fleet): string =>
  JSON.stringify([
    [...fleet.vips].sort(),
    [...fleet.versions].sort(),
    [...fleet.clusters.values()]
      .map(({ name, network, services, nodes, manifests, findings, addressesOf, unserved }) => [
        name,
        network,
        [...services].sort(),
        [...nodes].sort(),
        [...manifests].sort(),
        [...findings].sort(),
        [...addressesOf].map(([key, addresses]) => [key, [...addresses].sort()]).sort(),
        [...unserved].sort()
      ])
      .sort()
  ])

describe("random histories of two clusters that share a network", () => {
  const seeds = Array.from({ length: 60 }, (_, index) => index + 1)
  it.each(seeds)(
    "seed %i: never two holders, and the log gives the same fleet by replay and by newest states",
    (seed) => {
      const choose = new Choices(seed)
      const world = new World()
      const auditor = new Auditor()
      for (const cluster of clusters) announcing(world, cluster)
      for (let step = 0; step < 250; step++) {
        const logged = world.log.length
        const command = randomCommand(world, choose)
        world.do(command)
        for (const event of world.log.slice(logged)) auditor.see(event, world)
        const repeated = world.do(command).map(({ type, stream }) => `${type} ${stream}`)
        assert.deepStrictEqual(repeated, [], `${command._tag} a second time decides to nothing`)
      }
      const replayed = new Fleet()
      for (const event of world.log) replayed.apply(event)
      assert.strictEqual(stateText(replayed), stateText(world.fleet))
      const newest = new Map<string, StreamState | null>(world.log.map(({ stream, after }) => [stream, after]))
      const loaded = new Fleet()
      for (const [stream, state] of newest) loaded.restore(stream, world.fleet.versions.get(stream) ?? 0, state)
      assert.strictEqual(stateText(loaded), stateText(world.fleet))
    }
  )
})
