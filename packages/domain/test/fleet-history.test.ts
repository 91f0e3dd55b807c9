import { assert, describe, it } from "vitest"
import { vipKey } from "../src/announcing/index.ts"
import {
  type AddressPoolState,
  type Command,
  type DomainEvent,
  Fleet,
  type FleetSettingsState,
  type LoggedEvent,
  type NodeState,
  newestFleetVersion,
  type QuotaState,
  type StreamState,
  type VipState,
  writeEvent,
  writeState
} from "../src/index.ts"
import { load } from "./loaded.ts"
import { Choices, clusters, randomCommand } from "./random-fleet.ts"
import { announcing, World } from "./world.ts"

/**
 * The law that no address has two holders, written a second time and from the log alone: it shares no code with what
 * it checks.
 */
class Auditor {
  readonly #vips = new Map<string, VipState>()
  /** How many messages there were when a VIP was withdrawn everywhere last. */
  readonly #quarantinedAt = new Map<string, number>()
  /** The log's length when a VIP was released last. */
  readonly #releasedAt = new Map<string, number>()
  /** Pools deleted while in use, `cluster/name`. */
  readonly #retired = new Set<string>()

  /** How many messages there were when a node was retired last, `cluster/node`. */
  readonly #retiredAt = new Map<string, number>()

  /** Whom an address is kept for, by `network/address`, and under which name. */
  readonly #reserved = new Map<string, { readonly name: string; readonly holder: string }>()
  readonly #quotas = new Map<string, QuotaState["quota"]>()
  /** What each quota counted before the command. */
  #countedBefore = new Map<string, number>()

  /** Which Services may share an address across clusters, by `network/address`. */
  readonly #shared = new Map<string, ReadonlySet<string>>()
  /** Pools of the fleet, and the labels of clusters. */
  readonly #fleetPools = new Map<string, AddressPoolState>()
  readonly #labels = new Map<string, Readonly<Record<string, string>>>()

  /** How much may be withdrawn on command; null: what holds without a Fleet object. */
  #budget: FleetSettingsState["blastRadius"] | null = null
  /** When an address was released last that nobody had approved, by stream. */
  readonly #withdrawnAt = new Map<string, { readonly cluster: string; readonly atMs: number }>()
  /** How many messages there were before the command. */
  #messageCount = 0
  /** What the history came to, so that it is known to say something. */
  readonly seen = { held: 0, approved: 0 }

  /** Called before a command, and after it with its events. */
  begin(world: World): void {
    this.#countedBefore = this.#counts(true)
    this.#messageCount = world.messages.length
  }

  /**
   * A quota that is used up gives out nothing more, whatever is moved meanwhile. What waits for a second person is used as
   * before, but a Service that has left it for another address has that one beside it.
   */
  end(world: World): void {
    this.#staysAnnounced(world)
    for (const [key, count] of this.#counts(false)) {
      const limit = this.#quotas.get(key.split(" ")[0] ?? "")?.addresses ?? 0
      assert.isAtMost(count, Math.max(limit, this.#countedBefore.get(key) ?? count), `quota and cluster ${key}`)
    }
  }

  #counts(isWithHeld: boolean): Map<string, number> {
    const counts = new Map<string, number>()
    for (const { name, cluster, namespace } of this.#quotas.values()) {
      for (const vip of this.#vips.values()) {
        if (vip.phase !== "assigned" || (cluster !== null && cluster !== vip.cluster)) continue
        if (!isWithHeld && vip.heldRelease !== undefined) continue
        // What is being left for another address is not counted beside that.
        const staying = vip.holders.filter(({ leaving }) => leaving !== true)
        if (!staying.some((holder) => namespace === null || holder.namespace === namespace)) continue
        const key = `${name} ${vip.cluster}`
        counts.set(key, (counts.get(key) ?? 0) + 1)
      }
    }
    return counts
  }

  /** What waits for a second person is withdrawn from no node. */
  #staysAnnounced(world: World): void {
    const held = [...this.#vips.values()].filter(({ heldRelease }) => heldRelease !== undefined)
    if (held.length === 0) return
    for (const message of world.messages.slice(this.#messageCount)) {
      if (message._tag !== "VipIntent" || message.state === "announced") continue
      const waits = held.some(({ cluster, address }) => cluster === message.cluster && address === message.address)
      assert.isFalse(waits, `${message.address} waits and is announced`)
    }
  }

  /** Addresses withdrawn within the period, before this one and with it, and how many it may be: of all, or a cluster. */
  #withdrawals(
    stream: string,
    world: World,
    cluster?: string
  ): { readonly before: number; readonly count: number; readonly most: number } {
    const told = this.#budget
    const [percent, routes] =
      cluster === undefined
        ? [told?.maxWithdrawPercent ?? 20, told?.maxWithdrawRoutes ?? 100]
        : [told?.cluster.maxWithdrawPercent ?? 30, told?.cluster.maxWithdrawRoutes ?? 50]
    const isOf = (name: string) => cluster === undefined || cluster === name
    const recent = new Set<string>()
    for (const [other, withdrawn] of this.#withdrawnAt) {
      if (isOf(withdrawn.cluster) && world.nowMs - withdrawn.atMs < (told?.perMs ?? 600_000)) recent.add(other)
    }
    const before = recent.size
    const all = new Set(recent.add(stream))
    for (const [other, vip] of this.#vips) if (isOf(vip.cluster) && vip.phase === "assigned") all.add(other)
    return { before, count: recent.size, most: Math.min(routes, Math.max(9, Math.floor((all.size * percent) / 100))) }
  }

  /** Nothing is withdrawn on command beyond the budget, unless it waited and is what a person approved. */
  #withdraws(event: DomainEvent, before: VipState | undefined, world: World, command: Command): void {
    const { stream, about } = event
    if (command._tag === "ApproveWithdrawals") {
      assert.strictEqual(before?.heldRelease?.order, command.id, `${about.address} waited for ${command.id}`)
      this.seen.approved++
      return
    }
    // Another address has taken its place at every node: nothing is lost by it.
    if (event.reason === "moved") return
    for (const cluster of [about.cluster, undefined]) {
      const { count, most } = this.#withdrawals(stream, world, cluster)
      assert.isAtMost(count, most, `${about.address} is within the budget of ${cluster ?? "the fleet"}`)
    }
    this.#withdrawnAt.set(stream, { cluster: about.cluster ?? "", atMs: world.nowMs })
  }

  /** Nothing waits that the budget would let go. */
  #waits({ stream, about }: DomainEvent, world: World): void {
    this.seen.held++
    const isOver = [about.cluster, undefined].some((cluster) => {
      const { before, most } = this.#withdrawals(stream, world, cluster)
      return before >= most
    })
    assert.isTrue(isOver, `${about.address} finds a budget used up`)
  }

  #fleetObjects({ before, after }: DomainEvent): void {
    const state = after ?? before
    if (state?._tag === "FleetSettings") this.#budget = after === null ? null : state.blastRadius
    if (state?._tag === "Quota") {
      if (after === null) this.#quotas.delete(state.quota.name)
      else this.#quotas.set(state.quota.name, state.quota)
    }
    if (state?._tag === "Cluster") this.#labels.set(state.cluster, state.labels ?? {})
    if (before?._tag === "SharedAddress") {
      for (const address of before.shared.addresses) this.#shared.delete(`${before.shared.network}/${address}`)
    }
    if (after?._tag === "SharedAddress") {
      const { network, addresses, members } = after.shared
      const keys = new Set(members.map(({ cluster, namespace, name }) => `${cluster}/${namespace}/${name}`))
      for (const address of addresses) this.#shared.set(`${network}/${address}`, keys)
    }
    if (state?._tag === "AddressPool") this.#fleetPool(state, after === null)
    if (before?._tag === "Reservation") this.#reserved.delete(`${before.network}/${before.address}`)
    if (after?._tag !== "Reservation") return
    const { network, address, name, cluster, namespace, service } = after
    assert.isUndefined(this.#reserved.get(`${network}/${address}`), `${address} is reserved once`)
    const holder = `${cluster}/${namespace}/${service}`
    const vip = this.#vips.get(`vip:${network}/${address}`)
    for (const other of vip?.holders ?? [])
      assert.strictEqual(`${vip?.cluster}/${other.namespace}/${other.name}`, holder)
    this.#reserved.set(`${network}/${address}`, { name, holder })
  }

  /** A pool of the fleet goes, or becomes another one that it is not told to be, without taking anybody's address along. */
  #fleetPool(state: AddressPoolState, isGone: boolean): void {
    const { name, deletionPolicy } = state.pool
    const before = this.#fleetPools.get(name)
    if (isGone) this.#fleetPools.delete(name)
    else this.#fleetPools.set(name, state)
    const held = [...this.#vips.values()].filter(({ phase, pool }) => phase === "assigned" && pool === name)
    if (isGone) assert.isEmpty(held, `${name} is deleted with nobody in it`)
    if (isGone || before === undefined || deletionPolicy === "Retire") return
    for (const vip of held) {
      if (this.#gives(before, vip)) assert.isTrue(this.#gives(state, vip), `${vip.address} stays in ${name}`)
    }
  }

  /** Whether the pool may give this address to its cluster: by the last octets, which is all that these ranges differ in. */
  #gives({ pool: { clusterSelector, pool }, retired }: AddressPoolState, vip: VipState): boolean {
    const { region } = clusterSelector.matchLabels
    const [first = "", bits = ""] = pool.ranges[0]?.split("/") ?? []
    const [start, own] = [first, vip.address].map((text) => ({
      network: text.replace(/[^.:]*$/, ""),
      last: Number.parseInt(/[^.:]*$/.exec(text)?.[0] || "0", 10)
    }))
    const size = 2 ** ((first.includes(":") ? 128 : 32) - Number(bits))
    const isWithin =
      start !== undefined &&
      own !== undefined &&
      start.network === own.network &&
      own.last >= start.last &&
      own.last < start.last + size
    return retired !== true && isWithin && region !== undefined && this.#labels.get(vip.cluster)?.region === region
  }

  see(event: DomainEvent, world: World, command: Command): void {
    this.#pools(event)
    this.#fleetObjects(event)
    if (event.type === "NodeRetired") {
      const { node, present } = event.after as NodeState
      assert.isFalse(present, `${node.name} is gone`)
      assert.deepStrictEqual(command, { _tag: "RetireNode", cluster: event.about.cluster ?? "", node: node.name })
      this.#retiredAt.set(`${event.about.cluster}/${node.name}`, world.messages.length)
    }
    if (event.after?._tag !== "Vip") return
    const before = this.#vips.get(event.stream)
    const after = event.after
    assert.deepStrictEqual(event.before, before ?? null, `${event.type} tells its stream's state before it`)
    if (event.type === "VipAssigned") this.#assigned(before, after, world)
    if (event.type === "VipMoving") {
      const left = after.holders.find(({ name }) => name === event.about.service)
      const others = [...this.#vips.values()].filter(
        (vip) => vip.address !== after.address && vip.holders.some(({ uid, leaving }) => uid === left?.uid && !leaving)
      )
      assert.isTrue(left?.leaving, `${event.about.service} leaves ${after.address}`)
      assert.isNotEmpty(others, `${event.about.service} has another address by then`)
    }
    if (event.type === "VipReleased") {
      assert.strictEqual(before?.phase, "assigned")
      const isReplaced = before?.holders.some(({ leaving }) => leaving === true) && event.reason !== "service-gone"
      const service = world.fleet.cluster(after.cluster).services.get(after.lastHolders[0] ?? "")?.service
      if (isReplaced && service?.type === "LoadBalancer" && command._tag !== "ApproveWithdrawals") {
        assert.strictEqual(command._tag, "FinishMoves")
      }
      if (event.reason === "moved") this.#moved(after, world)
      this.#withdraws(event, before, world, command)
      this.#releasedAt.set(event.stream, world.log.indexOf(event) + 1)
    }
    if (event.type === "VipReleaseHeld") this.#waits(event, world)
    if (event.type === "VipQuarantined") {
      assert.strictEqual(before?.phase, "withdrawing")
      const tombstone = this.#tombstone(world, after, this.#releasedAt.get(event.stream) ?? 0)
      // Who may have announced it is read from the messages that went out, not from what the log says of it.
      const since = this.#quarantinedAt.get(placeOf(after)) ?? 0
      for (const node of this.#announcersSince(world, after, since)) {
        const confirmed = world.confirmed.get(`${after.cluster}/${node}`) ?? -1
        assert.isAtLeast(confirmed, tombstone, `${node} has confirmed ${after.address}`)
      }
      this.#quarantinedAt.set(placeOf(after), world.messages.length)
    }
    if (event.type === "VipForceReleased") {
      assert.strictEqual(before?.phase, "withdrawing")
      const { network, address } = after
      assert.deepStrictEqual(command, { _tag: "ForceRelease", network, address }, `${address} was ordered`)
      this.#quarantinedAt.set(placeOf(after), world.messages.length)
    }
    if (event.type === "VipFreed") assert.isAtMost(before?.quarantineEndMs ?? Number.POSITIVE_INFINITY, world.nowMs)
    this.#ports(after)
    this.#vips.set(event.stream, after)
  }

  /** A retired pool gives out nothing until it is applied again, and goes just when nobody has an address of it. */
  #pools({ type, about, after }: DomainEvent): void {
    const pool = `${about.cluster}/${about.pool}`
    const holders = [...this.#vips.values()].filter(
      (vip) => vip.phase === "assigned" && `${vip.cluster}/${vip.pool}` === pool
    )
    if (type === "ManifestRetired") {
      assert.isNotEmpty(holders, `${pool} is in use`)
      this.#retired.add(pool)
    }
    if (type === "ManifestApplied") this.#retired.delete(pool)
    if (type === "ManifestDeleted") {
      assert.isEmpty(holders, `${pool} is deleted with nobody in it`)
      this.#retired.delete(pool)
    }
    if (type === "VipAssigned" && after?._tag === "Vip") assert.notInclude([...this.#retired], pool)
  }

  #assigned(before: VipState | undefined, after: VipState, world: World): void {
    const fleetPool = this.#fleetPools.get(after.pool)
    if (after.pool.startsWith("f")) {
      assert.isTrue(fleetPool !== undefined && this.#gives(fleetPool, after), `${after.address} of ${after.pool}`)
    }
    const kept = this.#reserved.get(`${after.network}/${after.address}`)
    if (kept !== undefined) {
      const [only, ...others] = after.holders
      assert.isEmpty(others, `${after.address} is shared by nobody while it is reserved`)
      assert.strictEqual(
        `${after.cluster}/${only?.namespace}/${only?.name}`,
        kept.holder,
        `${after.address} is reserved`
      )
    }
    this.#alone(after)
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

  /** What goes past brakes and budget is reachable at another address by then: its last message lets nodes announce it. */
  #moved({ network, address, cluster, lastHolders: [key = ""] }: VipState, world: World): void {
    const isV6 = address.includes(":")
    const successors = world.addresses(cluster, key).filter((other) => other.includes(":") === isV6)
    assert.lengthOf(successors, 1, `${key} has an address in the place of ${address}`)
    const tombstone = world.message(cluster, vipKey(address))
    if (tombstone?._tag === "VipIntent" && tombstone.network === network) {
      assert.isTrue(
        tombstone.state === "announced" || tombstone.massWithdraw !== undefined,
        `${address} is let through`
      )
    }
    const successor = world.message(cluster, vipKey(successors[0] ?? ""))
    assert.isTrue(successor?._tag === "VipIntent" && successor.state === "announced", `${successors} is announced`)
  }

  /** Two clusters have an address by what says so alone: each newcomer is a member, and nobody else's part is about. */
  #alone(after: VipState): void {
    const members = this.#shared.get(`${after.network}/${after.address}`)
    const names = after.holders.map(({ namespace, name }) => `${after.cluster}/${namespace}/${name}`)
    const newest = names.at(-1) ?? ""
    if (members !== undefined) assert.isTrue(members.has(newest), `${newest} is a member of ${after.address}`)
    const others = [...this.#vips.values()].filter(
      ({ network, address, cluster, phase }) =>
        network === after.network && address === after.address && cluster !== after.cluster && phase !== "free"
    )
    if (members === undefined) assert.isEmpty(others, `${after.address} is nobody else's, also for a moment`)
  }

  #ports({ address, holders }: VipState): void {
    const ports = holders.flatMap((holder) => holder.ports)
    if (holders.length < 2) return
    assert.strictEqual(new Set(ports).size, ports.length, `sharers of ${address} have distinct ports`)
    assert.strictEqual(new Set(holders.map(({ sharingKey }) => sharingKey)).size, 1)
    assert.strictEqual(new Set(holders.map(({ backendKey }) => backendKey)).size, 1)
  }

  /** Nodes that a message since then, and since they were retired, let announce a VIP. */
  #announcersSince(world: World, { cluster, address }: VipState, since: number): ReadonlySet<string> {
    const nodes = world.messages.flatMap((message, index) =>
      message._tag === "VipIntent" && message.cluster === cluster && message.address === address && index >= since
        ? message.admission.candidates.filter((node) => index >= (this.#retiredAt.get(`${cluster}/${node}`) ?? 0))
        : []
    )
    return new Set(nodes)
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

/** What one cluster has to say of one address, whatever stream it is in. */
const placeOf = ({ cluster, network, address }: VipState): string => `${cluster} ${network}/${address}`

const stateText = (fleet: Fleet): string =>
  JSON.stringify([
    [...fleet.vips].sort(),
    [...fleet.versions].sort(),
    [...fleet.reservations].sort(),
    [...fleet.quotas].sort(),
    [...fleet.addressPools].sort(),
    [...fleet.sharedAddresses].sort(),
    [...fleet.approvals].sort(),
    [...fleet.heldBy].map(([order, streams]) => [order, [...streams].sort()]).sort(),
    [...fleet.brakes].sort(),
    fleet.settings,
    [...fleet.networks].map(([name, { reserved }]) => [name, [...reserved].sort()]).sort(),
    [...fleet.clusters.values()]
      .map(({ name, network, labels, heldOf, services, nodes, manifests, findings, ...cluster }) => [
        name,
        network,
        labels,
        cluster.allowedPrefixes,
        [...heldOf].sort(),
        [...services].sort(),
        [...nodes].sort(),
        [...manifests].sort(),
        [...findings].sort(),
        [...cluster.movingOf].map(([key, addresses]) => [key, [...addresses].sort()]).sort(),
        [...cluster.addressesOf].map(([key, addresses]) => [key, [...addresses].sort()]).sort(),
        [...cluster.unserved].sort(),
        [null, "shop", "ops"].map((namespace) => [...fleet.heldIn(fleet.cluster(name), namespace)].sort()),
        [...cluster.reservations].sort(),
        cluster.assignedCount,
        [...cluster.kept].sort(),
        cluster.routesTaken,
        [...cluster.releases.since(Number.NEGATIVE_INFINITY)]
          .filter(({ stream, atMs }) => fleet.vips.get(stream)?.releasedAtMs === atMs)
          .map(({ stream, atMs }) => `${stream} ${atMs}`)
          .filter((text, index, all) => all.indexOf(text) === index)
          .sort()
      ])
      .sort()
  ])

/** An event as a follower reads it. */
const logged = (event: DomainEvent, seq: number, version: number): LoggedEvent => {
  const { stream, type, after } = event
  const { schema, data } = writeEvent(event, newestFleetVersion)
  const row = { stream, type, schema, seq, version, recordedAt: "2026-01-01T00:00:00.000Z" }
  const isKept = after?._tag === "Vip" || after?._tag === "Service"
  return isKept ? { ...row, after: JSON.stringify(after), data: null } : { ...row, after: null, data }
}

describe("random histories of two clusters that share a network", () => {
  const seen = { held: 0, approved: 0 }
  const seeds = Array.from({ length: 60 }, (_, index) => index + 1)
  it.each(seeds)(
    "seed %i: never two holders, never more withdrawn than the budget has unless it was approved, and the log gives the same fleet by replay and by newest states",
    (seed) => {
      const choose = new Choices(seed)
      const world = new World()
      const auditor = new Auditor()
      for (const cluster of clusters) announcing(world, cluster)
      for (let step = 0; step < 250; step++) {
        const logged = world.log.length
        const command = randomCommand(world, choose)
        auditor.begin(world)
        world.do(command)
        for (const event of world.log.slice(logged)) auditor.see(event, world, command)
        auditor.end(world)
        if (command._tag === "ReleaseBrake") continue // said again, it is another order
        const repeated = world.do(command).map(({ type, stream }) => `${type} ${stream}`)
        assert.deepStrictEqual(repeated, [], `${command._tag} a second time decides to nothing`)
      }
      seen.held += auditor.seen.held
      seen.approved += auditor.seen.approved
      const replayed = new Fleet()
      for (const event of world.log) replayed.apply(event)
      assert.strictEqual(stateText(replayed), stateText(world.fleet))
      const followed = new Fleet()
      for (const [index, event] of world.log.entries()) {
        const version = (followed.versions.get(event.stream) ?? 0) + 1
        assert.isUndefined(followed.applyStored(logged(event, index + 1, version)))
      }
      const preferring = ({ clusters }: Fleet) =>
        [...clusters.values()].map((cluster) => [cluster.name, [...cluster.preferring].sort()]).sort()
      assert.deepStrictEqual(preferring(followed), preferring(world.fleet))
      assert.strictEqual(stateText(followed), stateText(world.fleet), "as followers read it, without what was before")
      const newest = new Map<string, StreamState | null>(world.log.map(({ stream, after }) => [stream, after]))
      const loaded = new Fleet()
      for (const [stream, state] of newest) loaded.restore(stream, world.fleet.versions.get(stream) ?? 0, state)
      assert.strictEqual(stateText(loaded), stateText(world.fleet))
      const stored = new Fleet()
      const recordedAt = "2026-01-01T00:00:00.000Z"
      const rows = [...newest].map(([stream, state], index) => {
        const text = state === null ? { schema: 1, state: null } : writeState(state, newestFleetVersion)
        const version = world.fleet.versions.get(stream) ?? 0
        return { stream, version, seq: index + 1, recordedAt, ...text, isAsWritten: true }
      })
      assert.isUndefined(load(stored, rows))
      assert.deepStrictEqual(preferring(stored), preferring(loaded))
      assert.strictEqual(stateText(stored), stateText(world.fleet))
    }
  )

  it("hold back withdrawals, and have them approved", () => {
    assert.isAbove(seen.held, 60)
    assert.isAbove(seen.approved, 20)
  })
})
