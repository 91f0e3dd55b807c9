import { nodeObject as node, manifestObject as raw } from "@lowtide/testkit/observed"
import { Result } from "effect"
import { affectedContents, type NumberedMessage, vipKey } from "../src/announcing/index.ts"
import type { Finding, RawObject, ServiceObject } from "../src/config/index.ts"
import { type Command, type DecisionContext, type DomainEvent, decide, Fleet, IntentBook } from "../src/index.ts"

/** A fleet in memory with its log and messages, driven by commands: what the allocator is without its database. */
export class World {
  readonly fleet = new Fleet()
  readonly book = new IntentBook()
  readonly log: Array<DomainEvent> = []
  readonly messages: Array<NumberedMessage> = []
  readonly confirmed = new Map<string, number>()
  nowMs = 0
  /** Why the last command was refused. */
  rejection: Finding | undefined

  do(command: Command): ReadonlyArray<DomainEvent> {
    return this.doAll([command])
  }

  /** Decides the commands as one batch: what they amount to together is told once, at the end. */
  doAll(commands: ReadonlyArray<Command>): ReadonlyArray<DomainEvent> {
    const events = commands.flatMap((command) => {
      if (command._tag === "ConfirmWithdrawals") this.confirmed.set(`${command.cluster}/${command.node}`, command.cseq)
      const decided = decide(this.fleet, command, this.#context())
      this.rejection = Result.isFailure(decided) ? decided.failure : undefined
      return Result.getOrElse(decided, () => [])
    })
    const affected = affectedContents(this.fleet, events, (cluster, address) =>
      this.book.obligedOf(cluster, vipKey(address))
    )
    for (const { content, eventIndex, massWithdraw, again } of affected) {
      const seq = this.log.length + 1 + eventIndex
      const event = events[eventIndex]
      const cause = { seq, type: event?.type ?? "", reason: event?.reason ?? "", actor: "test" }
      const [ofNew, ofAll] = [massWithdraw, again].map(
        (order) =>
          order && {
            reason: "test",
            cause: this.log.length + 1 + order.eventIndex,
            ...(order.nodes === undefined ? {} : { nodes: order.nodes })
          }
      )
      const message = this.book.number(content, { incarnation: 1, epoch: 1, seq }, cause, ofNew, ofAll)
      if (message !== undefined) this.messages.push(message)
    }
    this.log.push(...events)
    return events
  }

  /** The cluster's newest message for a subject. */
  message(cluster: string, key: string): NumberedMessage | undefined {
    const cseq = this.book.entries(cluster).get(key)?.cseq
    return this.messages.find((message) => message.cluster === cluster && message.cseq === cseq)
  }

  addresses(cluster: string, service: string): ReadonlyArray<string> {
    return this.fleet.cluster(cluster).addressesOf.get(service) ?? []
  }

  refusal(cluster: string, service: string): string | undefined {
    return this.fleet.cluster(cluster).services.get(service)?.refusal?.code
  }

  #context(): DecisionContext {
    return {
      nowMs: this.nowMs,
      obligedOf: (cluster, address) => this.book.obligedOf(cluster, vipKey(address)),
      hasConfirmed: (cluster, node, address) => {
        const entry = this.book.entries(cluster).get(vipKey(address))
        return entry?.withdraws === true && (this.confirmed.get(`${cluster}/${node}`) ?? -1) >= entry.cseq
      }
    }
  }
}

export { manifestObject as raw, nodeObject as node, serviceObject as service } from "@lowtide/testkit/observed"

/** One of the fleet's own objects. */
export const fleetObject = (kind: string, name: string, spec: unknown): RawObject =>
  raw(kind, name, spec, { apiVersion: "lowtide.dev/v1alpha1", namespace: "" })

export const pool = (name: string, addresses: ReadonlyArray<string>, spec: object = {}): RawObject =>
  raw("IPAddressPool", name, { addresses, ...spec })

export const observe = (cluster: string, object: ServiceObject): Command => ({
  _tag: "ObserveService",
  cluster,
  service: object
})

export const apply = (cluster: string, manifest: RawObject): Command => ({ _tag: "ApplyManifest", cluster, manifest })

/** A cluster that announces: two nodes, a router and an Advertisement for everything. */
export const announcing = (world: World, cluster: string): void => {
  for (const name of [`${cluster}-1`, `${cluster}-2`]) world.do({ _tag: "ObserveNode", cluster, node: node(name) })
  world.do(apply(cluster, raw("BGPPeer", "tor", { myASN: 64496, peerASN: 64500, peerAddress: "10.1.0.1" })))
  world.do(apply(cluster, raw("BGPAdvertisement", "all", {})))
}

/** Cluster `east`, which announces pool `public` of eight addresses a family, after these commands. */
export const begun = (...commands: ReadonlyArray<Command>): World => {
  const world = new World()
  announcing(world, "east")
  world.do(apply("east", pool("public", ["192.0.2.0/29", "2001:db8::/125"])))
  for (const command of commands) world.do(command)
  return world
}
