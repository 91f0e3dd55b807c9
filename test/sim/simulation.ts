import { generateKey, readSigningKey, seal } from "@lowtide/bus/envelope"
import { headKey, rollCallKey } from "@lowtide/bus/subjects"
import { type Command, newestFleetVersion, type RollCall, type VipState } from "@lowtide/domain"
import { Ledger, loadWhole, type StoredEvent } from "@lowtide/ledger"
import { memoryLedger } from "@lowtide/testkit"
import { copyTables, emptyTables, type MemoryTables, restoreTables } from "@lowtide/testkit/memory-tables"
import { Context, Effect, Layer } from "effect"
import { readTrust } from "../../services/speaker/src/trust.ts"
import { type Sent, SimAgent } from "./agent.ts"
import { Cable } from "./cable.ts"
import { type Answer, type CommitOutcome, SimAllocator } from "./centre.ts"
import { Checker } from "./checker.ts"
import { Choices } from "./choices.ts"
import { SimNode, settle, trusted } from "./node.ts"
import { approvals, type PeoplesView, type PersonsOrder, randomOrder, releases, share, unshare } from "./people.ts"
import { type SimPeer, SimRouters } from "./router.ts"
import { network, Site } from "./site.ts"
import { fail, Violation } from "./violation.ts"

/** What one history did. */
export interface Told {
  /** Commands that were decided. */
  readonly commands: number
  readonly events: number
  readonly faults: number
}

/** A law was broken, or nothing settled: with what led to it. */
export class HistoryFailed extends Error {
  readonly seed: number
  constructor(seed: number, step: number, what: string, trail: ReadonlyArray<string>) {
    super(`seed ${seed}, step ${step}: ${what}\n  ${trail.slice(-40).join("\n  ")}`)
    this.seed = seed
  }
}

const intentPair = generateKey()
const installPair = generateKey()
const signingKey = readSigningKey("centre-1", intentPair.privatePem)
const clusters = ["east", "west"] as const
const nodesPerCluster = 2

/** What an agent may be forbidden to read. */
const unseenKinds = ["Service", "Service", "BGPAdvertisement", "BGPPeer", "IPAddressPool"] as const

/** Keys and allowed prefixes are the same in every history. */
const trustOf = (cluster: string) =>
  trusted(
    readTrust({
      cluster,
      trustText: JSON.stringify({
        cluster,
        intentKeys: { "centre-1": intentPair.publicPem },
        installKey: installPair.publicPem
      }),
      allowedText: seal(
        readSigningKey("install", installPair.privatePem),
        JSON.stringify({ cluster, prefixes: ["192.0.2.0/24"] })
      )
    })
  )
const trusts = new Map(clusters.map((cluster) => [cluster as string, trustOf(cluster)]))

/**
 * One history of two clusters, two allocators, four nodes and their routers, with everything that can go wrong on the way:
 * lost, repeated and late messages, processes that die, stop and come back, commits whose outcome nobody learns, a cable
 * that loses its store, clocks that jump, nodes that are lost for good, sources that lose sight. After each step the checker
 * looks. At the end everything is mended, and has to settle. The same seed gives the same history.
 * With `losesHistory` the database goes back to a copy of an earlier time as well, also together with the cable's store;
 * unless it is said, each third seed's does.
 */
export const runHistory = async (seed: number, steps: number, losesHistory = seed % 3 === 0): Promise<Told> => {
  const simulation = new Simulation(seed, losesHistory)
  await simulation.run(steps)
  return simulation.told
}

class Simulation {
  readonly #seed: number
  readonly #losesHistory: boolean
  readonly #choices: Choices
  readonly #cable: Cable
  readonly #checker = new Checker()
  readonly #sites: ReadonlyArray<Site>
  readonly #agents = new Map<string, SimAgent>()
  readonly #routers: ReadonlyMap<string, SimRouters>
  readonly #nodes: ReadonlyArray<SimNode>
  readonly #allocators: ReadonlyArray<SimAllocator>
  readonly #ledger: Ledger["Service"]
  readonly #trail: Array<string> = []
  /** Commands on their way. */
  #sent: Array<Sent> = []
  /** Answers on their way. */
  #answers: Array<Answer> = []
  #nowMs = 1_700_000_000_000
  #databaseOffsetMs = 0
  readonly #tables = emptyTables(new Date(this.#nowMs).toISOString())
  /** The newest copy of the database; before there is one, the empty database. */
  #backup: MemoryTables = copyTables(this.#tables)
  #seenSeq = 0
  #runs = 0
  #step = 0
  #isMending = false
  /** Nodes that stay cut off from the cable while the rest of a staged loss goes on. */
  readonly #cutOff = new Set<SimNode>()
  #commands = 0
  #faults = 0

  constructor(seed: number, losesHistory: boolean) {
    this.#seed = seed
    this.#losesHistory = losesHistory
    this.#choices = new Choices(seed)
    this.#cable = new Cable(this.#choices)
    const nowMs = () => this.#nowMs
    const databaseNowMs = () => this.#nowMs + this.#databaseOffsetMs
    const context = Effect.runSync(
      Effect.scoped(Layer.build(memoryLedger({ nowMs: databaseNowMs, tables: this.#tables })))
    )
    this.#ledger = Context.get(context, Ledger)
    this.#sites = clusters.map((cluster) => new Site(cluster, nodesPerCluster))
    this.#routers = new Map(clusters.map((cluster) => [cluster, new SimRouters()]))
    for (const site of this.#sites) this.#agents.set(site.name, new SimAgent(site, ++this.#runs))
    this.#nodes = this.#sites.flatMap((site) =>
      site.nodes.map(
        (name) =>
          new SimNode({
            site,
            name,
            trust: trusts.get(site.name)!,
            routers: this.#routers.get(site.name)!,
            cable: this.#cable,
            choices: this.#choices,
            nowMs
          })
      )
    )
    const witness = {
      acknowledged: (commandId: string, seqFrom: number, seqTo: number) =>
        this.#checker.acknowledged(commandId, seqFrom, seqTo),
      committed: () => this.#look(),
      ended: this.#checker.moves.ended.bind(this.#checker.moves)
    }
    this.#allocators = ["first", "second"].map(
      (name) =>
        new SimAllocator({
          name,
          key: signingKey,
          ledger: this.#ledger,
          cable: this.#cable,
          nowMs,
          databaseNowMs,
          witness,
          say: (text) => this.#note(text),
          callRoll: (cluster, envelope) => this.#callRoll(cluster, envelope)
        })
    )
  }

  get told(): Told {
    return { commands: this.#commands, events: this.#seenSeq, faults: this.#faults }
  }

  async run(steps: number): Promise<void> {
    try {
      await this.#begin()
      for (this.#step = 1; this.#step <= steps; this.#step++) {
        await this.#act()
        this.#checker.wire(this.#routers)
      }
      await this.#mend()
      this.#checker.end(this.#rows(0), Effect.runSync(loadWhole(this.#ledger)).current)
    } catch (cause) {
      for (const row of this.#rows(0))
        console.log(
          row.seq,
          row.type,
          row.stream,
          row.reasonCode,
          JSON.stringify(JSON.parse(row.data).after)?.slice(0, 400)
        )
      for (const site of this.#sites) console.log(site.name, site.routing.texts, [...site.services])
      if (cause instanceof HistoryFailed) throw cause
      const what = cause instanceof Violation || !(cause instanceof Error) ? String(cause) : String(cause.stack)
      throw new HistoryFailed(this.#seed, this.#step, what, this.#trail)
    }
  }

  /** A fleet that is up and knows its clusters, before anything happens to it. */
  async #begin(): Promise<void> {
    for (const node of this.#nodes) node.start()
    for (const site of this.#sites) for (let count = 0; count < 4; count++) site.change(this.#choices)
    await this.#pass("100")
    for (const agent of this.#agents.values()) this.#sent.push(...agent.look(this.#nowMs))
    await this.#drain()
  }

  #rows(sinceSeq: number): ReadonlyArray<StoredEvent> {
    return Effect.runSync(this.#ledger.events({ sinceSeq, limit: 1_000_000, order: "asc" }))
  }

  /** The checker sees what was committed at the moment at which it was. */
  #look(): void {
    const rows = this.#rows(this.#seenSeq + 1)
    this.#seenSeq = rows.at(-1)?.seq ?? this.#seenSeq
    const siteOf = (cluster: string) => this.#sites.find(({ name }) => name === cluster)
    this.#checker.events(rows, this.#routers, {
      wants: (cluster, service, uid) =>
        siteOf(cluster)?.services.get(service.slice(service.indexOf("/") + 1))?.uid === uid,
      removals: (cluster, key) => siteOf(cluster)?.routing.removals(key) ?? 0
    })
  }

  #note(text: string): void {
    this.#trail.push(text)
  }

  /** Ordinary life is more frequent than faults, and time passes all the while. */
  async #act(): Promise<void> {
    const choices = this.#choices
    const kind = choices.weighted({
      time: 10,
      people: 8,
      agent: 10,
      command: 16,
      commit: 14,
      publish: 12,
      cable: 16,
      node: 12,
      backup: 1,
      order: 3,
      fault: 4,
      meeting: 3
    })
    switch (kind) {
      case "time":
        return this.#pass(choices.weighted({ 100: 8, 1000: 8, 6000: 2, 95000: 1, 700000: 1 }))
      case "people": {
        choices.one(this.#sites).change(choices)
        return
      }
      case "agent":
        for (const agent of this.#agents.values()) this.#agent(agent)
        return
      case "command":
        return this.#deliver()
      case "commit":
        return this.#commit(this.#outcome())
      case "publish":
        for (const allocator of this.#allocators) allocator.publish(choices)
        return
      case "cable":
        return this.#bring()
      case "node":
        return this.#node(choices.one(this.#nodes))
      case "backup":
        this.#backup = copyTables(this.#tables)
        return
      case "order":
        return this.#order()
      case "fault":
        this.#faults += 1
        return this.#fault()
      case "meeting":
        this.#faults += 1
        return this.#meet()
    }
  }

  /** What meets seldom by chance, meets on purpose. */
  #meet(): Promise<void> {
    switch (
      this.#choices.weighted({
        withdrawal: 4,
        move: 2,
        sharing: 2,
        routing: 2,
        loss: this.#losesHistory ? 2 : 0
      })
    ) {
      case "withdrawal":
        return this.#meetWithdrawal()
      case "move":
        return this.#meetMove()
      case "sharing":
        return this.#meetSharing()
      case "routing":
        return this.#meetRouting()
      case "loss":
        return this.#meetLoss()
    }
  }

  /** How addresses are announced changes; where nothing hinders that, routers have it at once as people want it. */
  async #meetRouting(): Promise<void> {
    const choices = this.#choices
    const site = choices.one(this.#sites)
    site.serve(choices)
    await this.#hasten(site)
    site.routing.change(choices)
    this.#note(`${site.name} changes how addresses are announced`)
    await this.#hasten(site)
    for (const peer of this.#peersOf(site)) peer.establish()
    await this.#hasten(site)
    const isKept = [...this.#tables.current.values()].some(
      ({ stream, state }) => stream.startsWith("kept:") && state !== null
    )
    const isRecovering = this.#allocators.some(({ recovering }) => recovering !== undefined)
    const isUp = this.#peersOf(site).every((peer) => peer.isUp)
    // What was taken over stays at nodes that configuration has no route for (ADR 65).
    const isUnrouted = this.#allocators.some(({ unrouted }) => unrouted.includes(site.name))
    if (isKept || isRecovering || isUnrouted || !isUp || !this.#knowsAll(site)) return
    const [wrong] = this.#wrongRoutes(site)
    if (wrong !== undefined) fail("configuration", wrong)
  }

  #peersOf({ name }: Site): ReadonlyArray<SimPeer> {
    return this.#nodes.flatMap(({ cluster, peers }) => (cluster === name ? peers : []))
  }

  /** Database and cable lose what was decided a moment ago, and the nodes that hold it cannot say so for a while. */
  async #meetLoss(): Promise<void> {
    const choices = this.#choices
    const site = choices.one(this.#sites)
    const nodes = this.#nodes.filter(({ cluster }) => cluster === site.name)
    for (const each of this.#sites) await this.#hasten(each)
    // A cluster that nobody knows of cannot be waited for.
    if (!this.#sites.every((each) => this.#tables.current.has(`cluster:${each.name}`))) return
    this.#backup = copyTables(this.#tables)
    site.serve(choices)
    await this.#hasten(site)
    for (const peer of nodes.flatMap(({ peers }) => peers)) peer.establish()
    await this.#hasten(site)
    this.#note(`${site.name} is cut off, and database and cable are lost`)
    for (const node of nodes) {
      this.#cable.disconnect(node.follower)
      this.#cutOff.add(node)
    }
    this.#cable.down()
    if (!this.#checker.isLossUnsaid) this.#cable.wipe()
    this.#goBack()
    this.#up()
    for (let turn = 0; turn < 5; turn++) {
      await this.#pass("2000")
      choices.one(this.#sites).serve(choices)
      for (const each of this.#sites) await this.#hasten(each)
    }
    this.#cutOff.clear()
  }

  /** An address is withdrawn while one node cannot confirm it. */
  async #meetWithdrawal(): Promise<void> {
    const site = this.#choices.one(this.#sites)
    await this.#hasten(site)
    await this.#whileHindered(site, async () => {
      const wanted = [...site.services.keys()]
      if (wanted.length > 0) site.services.delete(this.#choices.one(wanted))
    })
  }

  /** One node of the cluster cannot confirm what happens meanwhile, and perhaps does later. */
  async #whileHindered(site: Site, happens: () => Promise<void>): Promise<void> {
    const choices = this.#choices
    const node = choices.one(this.#nodes.filter(({ cluster }) => cluster === site.name))
    const kind = choices.weighted({
      "session down": 3,
      "killed and back": 3,
      "Node gone": 2,
      excluded: 2,
      "not selected": 2,
      "without its second session": 2
    })
    this.#note(`${node.name} is ${kind} while an address is withdrawn`)
    if (kind === "without its second session") site.routing.setSecond(true)
    if (kind === "not selected") site.routing.widen()
    if (kind === "without its second session" || kind === "not selected") await this.#hasten(site)
    for (const peer of node.peers) peer.establish()
    await this.#hasten(site)
    switch (kind) {
      case "session down":
        for (const peer of node.peers) peer.lose(false)
        break
      case "killed and back":
        node.kill(false)
        break
      case "Node gone":
        this.#cable.disconnect(node.follower)
        if (site.present.size > 1) site.present.delete(node.name)
        break
      case "excluded":
        this.#cable.disconnect(node.follower)
        site.excluded.add(node.name)
        break
      case "not selected":
        this.#cable.disconnect(node.follower)
        site.routing.without(node.name)
        break
      case "without its second session":
        site.routing.setSecond(false)
    }
    await this.#hasten(site)
    await happens()
    await this.#hasten(site)
    if (kind === "killed and back") {
      node.start()
      await this.#hasten(site)
    }
  }

  /** Two clusters come to have one address; then it is taken from one of them, or from both, and others ask for it. */
  async #meetSharing(): Promise<void> {
    const choices = this.#choices
    const [one, other] = (choices.oneIn(2) ? this.#sites : this.#sites.toReversed()) as [Site, Site]
    const members = [one, other].map((site) => ({ cluster: site.name, name: site.serve(choices) }))
    const [first, second] = members as [(typeof members)[0], (typeof members)[0]]
    const address = choices.one(["192.0.2.6", "192.0.2.7"])
    this.#note(`${members.map(({ cluster, name }) => `${cluster}/${name}`).join(" and ")} are to share ${address}`)
    for (const site of this.#sites) await this.#hasten(site)
    this.#orderAll(share("a0", address, members, choices))
    for (const site of this.#sites) await this.#hasten(site)
    const kind = choices.weighted({ leaves: 3, "Service goes": 2, ends: 2, stays: 1 })
    await this.#whileHindered(one, async () => {
      if (kind === "leaves" || kind === "ends") this.#orderAll(share("a0", address, [second], choices))
      if (kind === "Service goes") one.services.delete(first.name)
      if (kind !== "ends") return
      other.services.delete(second.name)
      for (const site of this.#sites) await this.#hasten(site)
      this.#orderAll(unshare("a0"))
    })
    const asking = choices.one(this.#sites)
    asking.serve(choices, address)
    await this.#hasten(asking)
  }

  /**
   * A Service comes to want another address where nothing is broken: it is reached all the while, in whatever order
   * news arrive, some of them late.
   */
  async #meetMove(): Promise<void> {
    const choices = this.#choices
    const site = choices.one(this.#sites)
    const name = site.serve(choices)
    for (const node of this.#nodes) if (node.cluster === site.name) for (const peer of node.peers) peer.establish()
    await this.#hasten(site)
    if (!this.#knowsAll(site)) return
    const { moves } = this.#checker
    const service = `shop/${name}`
    const before = this.#addressesOf(site, name)
    if (!moves.isReached(site.name, before, this.#routers)) return
    if (!before.every((address) => this.#checker.mayKeep(site.name, service, address))) return
    this.#note(`${site.name} ${service} is to leave ${before.join(" and ")}`)
    moves.watch(site.name, service, site.routing.isAlike, this.#routers)
    const address = `192.0.2.${choices.below(14)}`
    const kind = choices.weighted({ address: 4, pool: 1, shared: 1 })
    if (kind === "address") site.ask(name, { requested: address, pool: undefined })
    if (kind === "pool") site.ask(name, { requested: undefined, pool: choices.one(["f0", "f1", "both"]) })
    if (kind === "shared") this.#orderAll(share("a1", address, [{ cluster: site.name, name }], choices))
    for (let turn = 0; turn < 6; turn++) await this.#amble(site)
    moves.unwatch()
  }

  /** Whether what people did in the cluster is known to all, and in effect where it can be. */
  #knowsAll(site: Site): boolean {
    const cseq = this.#tables.intentHeads.get(site.name)?.cseq
    const areLive = this.#nodes
      .filter((node) => node.cluster === site.name && node.isRunning)
      .every(({ status, follower }) => follower.isConnected && status?.sync === "live" && status.cseq === cseq)
    const isDone = this.#allocators.every(({ hasWork, hasUnpublished }) => !hasWork && !hasUnpublished)
    const agent = this.#agents.get(site.name)!
    this.#agent(agent) // one that is done with what it saw before may not have seen the newest
    return (
      site.isVisible &&
      agent.unseenKind === undefined &&
      areLive &&
      isDone &&
      agent.isDone &&
      !this.#checker.isLossUnsaid
    )
  }

  #addressesOf(site: Site, name: string): ReadonlyArray<string> {
    return [...this.#tables.current.values()].flatMap(({ stream, state }) => {
      if (!stream.startsWith("vip:") || state === null) return []
      const vip = JSON.parse(state) as VipState
      const isHolder = vip.cluster === site.name && vip.holders.some((holder) => holder.name === name)
      return isHolder ? vip.address : []
    })
  }

  /** A cluster's news go a part of the way, each hop or not; nothing breaks, and no time passes. */
  async #amble(site: Site): Promise<void> {
    const choices = this.#choices
    const isTurn = () => !choices.oneIn(4)
    if (isTurn()) this.#agent(this.#agents.get(site.name)!)
    if (isTurn()) this.#deliverOf(site)
    if (isTurn()) await this.#commit("done")
    for (const allocator of this.#allocators) if (isTurn()) allocator.publish(choices)
    const nodes = this.#nodes.filter(({ cluster }) => cluster === site.name)
    for (const node of choices.oneIn(2) ? nodes : nodes.toReversed()) {
      for (let count = choices.below(6); count > 0; count--) node.receive()
      await settle()
      if (isTurn()) for (const peer of node.peers) peer.write()
      this.#checker.wire(this.#routers)
      if (isTurn()) this.#report(node)
    }
  }

  /** A cluster's news go the whole way, where nothing is broken; sessions stay as they are, and no time passes. */
  async #hasten(site: Site): Promise<void> {
    const agent = this.#agents.get(site.name)!
    for (let turn = 0; turn < 4; turn++) {
      this.#agent(agent)
      this.#deliverOf(site)
      await this.#commit("done")
      for (const answer of this.#answers.splice(0)) this.#answered(answer)
      for (const allocator of this.#allocators) {
        for (let count = 0; count < 8 && allocator.hasUnpublished; count++) allocator.publish(this.#choices)
      }
      for (const node of this.#nodes.filter(({ cluster }) => cluster === site.name)) {
        while (node.follower.inbox.length > 0) node.receive()
        node.lookAtEndpoints()
        await settle()
        for (const peer of node.peers) peer.write()
        this.#report(node)
      }
    }
  }

  /** What the cluster's agent sent arrives, and what it is answered. */
  #deliverOf(site: Site): void {
    const agent = this.#agents.get(site.name)!
    const ours = this.#sent.filter((sent) => sent.agent === agent)
    this.#sent = this.#sent.filter((sent) => sent.agent !== agent)
    for (const sent of this.#cable.isUp ? ours : [])
      for (const allocator of this.#allocators) this.#answers.push(...allocator.receive(sent))
  }

  async #pass(ms: string): Promise<void> {
    this.#nowMs += Number(ms)
    if (!this.#isMending) this.#note(`${ms} ms pass`)
    if (!this.#isMending) this.#recover()
    for (const router of this.#routers.values()) router.timePassed(this.#nowMs)
    for (const allocator of this.#allocators) {
      await allocator.lead()
      allocator.expire()
    }
    for (const node of this.#nodes) node.tick()
    await settle()
  }

  /** What is broken is mended by whoever looks after it, sooner or later. */
  #recover(): void {
    const isTime = () => this.#choices.oneIn(3)
    if (!this.#cable.isUp && isTime()) this.#up()
    for (const allocator of this.#allocators) {
      if (!allocator.isRunning && isTime()) allocator.start()
      if (allocator.isPaused && isTime()) allocator.isPaused = false
    }
    for (const site of this.#sites) if (!site.isVisible && isTime()) site.isVisible = true
    for (const { site, unseenKind } of this.#agents.values()) {
      // Who is allowed to read everything at last reads it anew.
      if (unseenKind !== undefined && isTime()) this.#anotherAgent(site)
    }
    for (const node of this.#nodes) {
      if (!node.isRunning && isTime()) node.start()
      const isLate = node.isRunning && !node.follower.isConnected && !this.#cutOff.has(node)
      if (isLate && isTime()) this.#cable.connect(node.follower)
      if (isTime()) for (const peer of node.peers) peer.establish()
    }
  }

  /**
   * What the one before it sent has arrived by now, or does not: a process that is gone does not speak later. But what it said
   * last that there is may be on its way for long.
   */
  #anotherAgent(site: Site, unseenKind?: string): void {
    const before = this.#agents.get(site.name)
    for (const sent of this.#sent.filter(({ agent }) => agent === before)) {
      if (!this.#cable.isUp || this.#choices.oneIn(2)) continue
      for (const allocator of this.#allocators) allocator.receive(sent)
    }
    this.#sent = this.#sent.filter(({ agent, envelope: { command } }) => agent !== before || isLate(command))
    this.#agents.set(site.name, new SimAgent(site, ++this.#runs, unseenKind))
  }

  #agent(agent: SimAgent): void {
    if (agent.isIdle) this.#sent.push(...agent.look(this.#nowMs))
    else if (!this.#sent.some((sent) => sent.agent === agent)) this.#sent.push(...agent.resend())
  }

  /** Some commands and answers arrive, in any order, or are lost. */
  #deliver(): void {
    const choices = this.#choices
    for (let count = 1 + choices.below(30); count > 0; count--) {
      const [answer] = this.#answers.splice(choices.below(Math.max(1, this.#answers.length)), 1)
      if (answer !== undefined && !choices.oneIn(30)) this.#answered(answer)
      const [sent] = this.#sent.splice(choices.below(Math.max(1, this.#sent.length)), 1)
      if (sent === undefined || !this.#cable.isUp || choices.oneIn(40)) continue
      for (const allocator of this.#allocators) this.#answers.push(...allocator.receive(sent))
    }
  }

  #answered({ sent, seqs, end }: Answer): void {
    if (this.#agents.get(sent.agent.site.name) !== sent.agent) return // that agent is gone
    const reply = { _tag: "Done" as const, seqFrom: seqs?.seqFrom ?? null, seqTo: seqs?.seqTo ?? null, end }
    this.#sent.push(...sent.agent.answered(sent.envelope.commandId, reply, this.#nowMs))
  }

  #outcome(): CommitOutcome {
    return this.#choices.weighted({
      done: 60,
      "crash-before": 1,
      refused: 2,
      unknown: 3,
      "crash-after": 2,
      "crash-unpublished": 2
    })
  }

  async #commit(outcome: CommitOutcome): Promise<void> {
    for (const allocator of this.#allocators) {
      if (!allocator.hasWork) continue
      if (outcome !== "done") this.#note(`${allocator.name}: a commit ends ${outcome}`)
      const before = this.#seenSeq
      const answers = await allocator.commit(this.#choices, outcome, () => this.#commands++)
      if (this.#seenSeq > before) this.#note(`${allocator.name} commits events ${before + 1} to ${this.#seenSeq}`)
      this.#answers.push(...answers)
    }
  }

  async #bring(): Promise<void> {
    const node = this.#choices.one(this.#nodes)
    for (let count = 1 + this.#choices.below(6); count > 0; count--) node.receive()
    await settle()
  }

  async #node(node: SimNode): Promise<void> {
    switch (this.#choices.weighted({ write: 6, establish: 4, status: 5, endpoints: 4 })) {
      case "write":
        for (const peer of node.peers) peer.write()
        break
      case "establish":
        for (const peer of node.peers) peer.establish()
        break
      case "status":
        this.#report(node)
        break
      case "endpoints":
        node.lookAtEndpoints()
    }
    await settle()
  }

  get #view(): PeoplesView {
    return { sites: this.#sites, tables: this.#tables }
  }

  /** To whoever leads. */
  #orderAll(order: PersonsOrder | undefined): void {
    if (order !== undefined) for (const allocator of this.#allocators) allocator.order(order)
  }

  /** What people order of the allocator that leads, if one does. */
  #order(): void {
    switch (this.#choices.weighted({ fleet: 10, retire: 3, finish: 2 })) {
      case "fleet":
        return this.#orderAll(randomOrder(this.#choices, this.#view))
      case "finish":
        return this.#goOnWithout()
      case "retire":
        return this.#retire()
    }
  }

  /** Only a node of which nothing comes back, and which its router has forgotten: a person answers for that. */
  #retire(): void {
    const dead = this.#forgotten[0]
    if (dead === undefined) return
    const { cluster } = dead
    this.#orderAll({ command: { _tag: "RetireNode", cluster, node: dead.name } })
    // Who is there has told what it was told, so that only the one that is gone is waited for.
    const heads = new Map(this.#tables.intentHeads)
    const areAllLive = this.#nodes.every(
      (node) => node.isDead || (node.status?.confirmedCseq ?? -1) >= (heads.get(node.cluster)?.cseq ?? 0)
    )
    const address = `192.0.2.${this.#choices.below(8)}`
    if (areAllLive) this.#orderAll({ command: { _tag: "ForceRelease", network, address } })
  }

  /** Nodes that are lost for good and of which no router has anything any more. */
  get #forgotten(): ReadonlyArray<SimNode> {
    return this.#nodes.filter(
      ({ isDead, cluster, name }) =>
        isDead &&
        this.#routers
          .get(cluster)!
          .of(name)
          .every(({ prefixes }) => prefixes.size === 0)
    )
  }

  /** Of a recovery that waits for nobody but who is lost for good and forgotten, a person orders the end. */
  #goOnWithout(): void {
    const dead = new Set(this.#forgotten.map((node) => `node ${node.cluster}/${node.name}`))
    for (const allocator of this.#allocators) {
      const without = allocator.recovering?.waitingFor ?? []
      if (without.length > 0 && without.every((name) => dead.has(name)))
        allocator.order({ command: { _tag: "FinishRecovery", without } })
    }
  }

  /**
   * The database goes back to its newest copy: a backup, whose restore leaves an order to recover, or a standby that
   * lagged, which only witnesses show. Allocators lose their connection, and with it what they remember, sooner or later.
   */
  #goBack(): void {
    restoreTables(this.#tables, this.#backup)
    const { seq } = this.#tables.head
    const isShown = [...this.#cable.stored].some(([subject, text]) => {
      if (!subject.endsWith(`.${headKey}`)) return false
      const head = JSON.parse(JSON.parse(text).payload)
      return head.stamp.incarnation === this.#tables.head.incarnation && head.stamp.seq > seq
    })
    const isStandby = isShown && !this.#checker.isLossUnsaid && this.#choices.oneIn(2)
    if (!isStandby) this.#tables.recoveryOrder = "a backup was restored"
    this.#note(`the database goes back from event ${this.#seenSeq} to ${seq}`)
    this.#checker.lost(seq, this.#routers)
    this.#seenSeq = seq
    for (const allocator of this.#allocators) if (this.#choices.oneIn(2)) allocator.crash()
  }

  #callRoll(cluster: string, envelope: string): void {
    if (!this.#cable.isUp) return
    this.#cable.call(cluster, rollCallKey, envelope)
    const agent = this.#agents.get(cluster)
    if (agent === undefined || this.#choices.oneIn(4)) return
    const { payload } = JSON.parse(envelope) as { readonly payload: string }
    const { stamp, begun } = JSON.parse(payload) as RollCall
    if (agent.forget(`${stamp.incarnation} ${begun ?? ""}`))
      this.#sent = this.#sent.filter((sent) => sent.agent !== agent)
  }

  #report(node: SimNode): void {
    if (!this.#cable.isUp || !node.follower.isConnected) return
    const status = node.takeStatus()
    if (status === undefined) return
    const text = JSON.stringify(status)
    this.#cable.statuses.set(node.name, text)
    for (const allocator of this.#allocators) allocator.hear(text)
  }

  async #fault(): Promise<void> {
    const choices = this.#choices
    const kind = choices.weighted({
      "cable down": 2,
      "cable wiped": 1,
      "client lost": 4,
      "allocator crash": 2,
      "allocator pause": 2,
      "agent crash": 2,
      "source lost": 2,
      "speaker killed": 3,
      "session lost": 4,
      "node lost for good": 1,
      "clock jumps": 2,
      "database goes back": this.#losesHistory ? 2 : 0,
      "database and cable lost": this.#losesHistory ? 1 : 0
    })
    this.#note(kind)
    const node = choices.one(this.#nodes)
    const allocator = choices.one(this.#allocators)
    const site = choices.one(this.#sites)
    switch (kind) {
      case "cable down":
        this.#cable.down()
        break
      case "cable wiped":
        this.#cable.down()
        // What shows that a standby lagged is not lost as well: nobody could know then.
        if (!this.#checker.isLossUnsaid) this.#cable.wipe()
        break
      case "client lost":
        this.#cable.disconnect(node.follower)
        if (node.isRunning) this.#cable.connect(node.follower)
        break
      case "database goes back":
        this.#goBack()
        break
      case "database and cable lost":
        this.#cable.down()
        this.#cable.wipe()
        this.#goBack()
        break
      case "allocator crash":
        allocator.crash()
        break
      case "allocator pause":
        allocator.isPaused = true
        break
      case "agent crash":
        this.#anotherAgent(site, choices.oneIn(3) ? choices.one(unseenKinds) : undefined)
        break
      case "source lost":
        site.isVisible = false
        site.hidden.clear()
        for (const name of site.services.keys()) if (choices.oneIn(3)) site.hidden.add(name)
        break
      case "speaker killed":
        node.kill(choices.oneIn(2))
        break
      case "session lost":
        for (const peer of node.peers) peer.lose(choices.oneIn(2))
        break
      case "node lost for good":
        if (this.#nodes.filter(({ isDead }) => isDead).length === 0) node.die()
        break
      case "clock jumps":
        if (choices.oneIn(2)) node.wallOffsetMs += (choices.below(2) - 0.5) * 86_400_000
        else this.#databaseOffsetMs += choices.below(3_600_000) // a database's clock may be set forward; see L10
    }
    await settle()
  }

  /** A server that is there again: who speaks and listens connects, and the leader looks what the stream lacks. */
  #up(): void {
    if (this.#cable.isUp) return
    this.#cable.up()
    for (const node of this.#nodes) if (!node.isRunning || this.#cutOff.has(node)) this.#cable.disconnect(node.follower)
    for (const allocator of this.#allocators) allocator.behind()
    // Who is connected again says so at once: the server may have lost what it had.
    for (const node of this.#nodes) this.#report(node)
  }

  /** Everything works again, nothing is lost any more: what people wished has to be so in the end. */
  async #mend(): Promise<void> {
    this.#note("everything is mended")
    this.#isMending = true
    this.#up()
    for (const site of this.#sites) {
      site.isVisible = true
      if (this.#agents.get(site.name)?.unseenKind !== undefined) this.#anotherAgent(site)
    }
    for (const allocator of this.#allocators) {
      allocator.isPaused = false
      allocator.start()
    }
    for (let round = 0; round < 90; round++) {
      for (const node of this.#nodes) node.start()
      // A recovery takes a leadership of more than three seconds; otherwise the other allocator may have its turn.
      await this.#pass(this.#allocators.some(({ recovering }) => recovering !== undefined) ? "2000" : "6000")
      this.#goOnWithout()
      // Who is asked answers: what waits for a second person may go, and so may what is kept for who does not come back.
      for (const order of approvals(this.#view, ["pending", "rejected"])) this.#orderAll(order)
      if (this.#allocators.every(({ recovering }) => recovering === undefined))
        for (const order of releases(this.#view)) this.#orderAll(order)
      // What was taken over and has no route goes by order alone, which a log that began empty knows once it is finalised.
      for (const allocator of this.#allocators)
        for (const cluster of allocator.unrouted) {
          allocator.order({ command: { _tag: "FinaliseFleet", version: newestFleetVersion } })
          allocator.order({ command: { _tag: "ReleaseBrake", cluster } })
        }
      for (const agent of this.#agents.values()) {
        this.#sent.push(...agent.resend())
        this.#sent.push(...agent.look(this.#nowMs))
      }
      await this.#drain()
      this.#checker.wire(this.#routers)
      if (this.#isSettled()) return
    }
    throw new HistoryFailed(this.#seed, this.#step, `nothing settled: ${this.#unsettled().join("; ")}`, this.#trail)
  }

  async #drain(): Promise<void> {
    // What one turn brings may show in the next one only.
    for (let turn = 0, quietTurns = 0; turn < 20 && quietTurns < 2; turn++) {
      quietTurns = this.#isQuiet ? quietTurns + 1 : 0
      for (const sent of this.#sent.splice(0)) {
        for (const allocator of this.#allocators) this.#answers.push(...allocator.receive(sent))
      }
      await this.#commit("done")
      for (const answer of this.#answers.splice(0)) this.#answered(answer)
      for (const allocator of this.#allocators) {
        allocator.start()
        while (allocator.hasUnpublished) allocator.publish(this.#choices)
      }
      for (const node of this.#nodes) {
        if (node.isRunning) this.#cable.connect(node.follower)
        while (node.follower.inbox.length > 0) node.receive()
        node.lookAtEndpoints()
      }
      await settle()
      for (const node of this.#nodes) {
        for (const peer of node.peers) {
          peer.establish()
          peer.write()
        }
        this.#report(node)
      }
      await settle()
    }
  }

  /** Nothing is on its way, and nobody has anything to do. */
  get #isQuiet(): boolean {
    return (
      this.#sent.length + this.#answers.length === 0 &&
      this.#allocators.every(({ hasWork, hasUnpublished }) => !hasWork && !hasUnpublished) &&
      this.#nodes.every(({ follower }) => follower.inbox.length === 0)
    )
  }

  #isSettled(): boolean {
    return this.#unsettled().length === 0
  }

  /** What is not yet as it should be: nodes that lack something, Services whose address is not announced by all that may. */
  #unsettled(): ReadonlyArray<string> {
    const standing = this.#allocators.flatMap(({ name, recovering }) =>
      recovering === undefined
        ? []
        : `${name} is ${recovering.phase}, ${recovering.frozen} frozen, waits for [${recovering.waitingFor}]`
    )
    const lacking = this.#nodes.flatMap((node) =>
      node.isDead || node.status?.sync === "live" ? [] : `${node.name} is ${node.status?.sync}`
    )
    return [...standing, ...lacking, ...this.#sites.flatMap((site) => this.#wrongRoutes(site))]
  }

  /** What routers have of the nodes that run, and should not, or not so; by sessions of which they know no better. */
  #wrongRoutes(site: Site): ReadonlyArray<string> {
    const routers = this.#routers.get(site.name)!
    const held: Array<{ readonly address: string; readonly pool: string; readonly services: ReadonlyArray<string> }> =
      []
    for (const { stream, state } of Effect.runSync(loadWhole(this.#ledger)).current) {
      if (!stream.startsWith("vip:") || state === null) continue
      const { cluster, phase, address, pool, holders } = JSON.parse(state) as VipState
      if (cluster === site.name && phase === "assigned")
        held.push({ address, pool, services: holders.map(({ name }) => name) })
    }
    return this.#nodes
      .filter(({ cluster, isRunning, isDead }) => cluster === site.name && isRunning && !isDead)
      .flatMap(({ name: node }) => {
        const mayAnnounce = site.present.has(node) && !site.excluded.has(node)
        const wanted = held.flatMap(({ address, pool, services }) => {
          const serving = services.filter((service) => {
            const found = site.services.get(service)
            return found?.policy === "Local" ? found.endpoints.has(node) : (found?.endpoints.size ?? 0) > 0
          })
          const routes = mayAnnounce ? [...site.routing.routesOf(node, pool, serving)] : []
          return routes.map(([router, communities]) => routeText(router, `${address}/32`, communities))
        })
        const found = routers
          .of(node)
          .filter(({ forgetsAtMs }) => forgetsAtMs === undefined)
          .flatMap(({ router, prefixes }) =>
            [...prefixes].map(([prefix, communities]) => routeText(router, prefix, communities))
          )
        const difference = [...wanted, ...found].filter((route) => wanted.includes(route) !== found.includes(route))
        return difference.length === 0 ? [] : `${node}: expected ${wanted.sort()}, found ${found.sort()}`
      })
  }
}

const routeText = (router: string, prefix: string, communities: string): string =>
  `${prefix} at ${router}${communities === "" ? "" : ` with ${communities}`}`

/** What a network may bring after another process has taken the place of the one that sent it. */
const isLate = (command: Command): boolean => command._tag === "ObserveInventory"
