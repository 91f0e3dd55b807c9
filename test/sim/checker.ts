import type { StoredCurrent, StoredEvent } from "@lowtide/ledger"
import { ConfigLaw } from "./config-law.ts"
import { MoveLaw } from "./move-law.ts"
import { PoolLaw } from "./pool-law.ts"
import type { SimRouters } from "./router.ts"
import { SharedLaw } from "./shared-law.ts"
import { fail } from "./violation.ts"

interface Vip {
  readonly address: string
  readonly cluster: string
  readonly phase: string
  readonly pool: string
  readonly holders: ReadonlyArray<{
    readonly namespace: string
    readonly name: string
    readonly uid: string
    readonly leaving?: true
  }>
  readonly lastHolders: ReadonlyArray<string>
}

/** Who had an address on the wire, and by which nodes. */
interface OnWire {
  readonly cluster: string
  readonly service: string
  readonly uid: string
  readonly nodes: ReadonlyArray<string>
}

/** What is really so in the clusters. */
export interface Truth {
  /** Whether the Service is there. */
  readonly wants: (cluster: string, service: string, uid: string) => boolean
  /** How often people took a manifest away, by kind and name. */
  readonly removals: (cluster: string, key: string) => number
}

/** How long an address rests after its withdrawal was confirmed. */
const quarantineMs = 600_000

/**
 * The laws, written a second time: from the stored rows, the routers' tables and what is really so in the clusters. It
 * shares no code with what it checks.
 */
export class Checker {
  #seq = 0
  #epoch = 0
  #rows: Array<StoredEvent> = []
  /** The database went back to this event, and nothing may be written before that is said. */
  #lostAfter: number | undefined
  /** By address and cluster, who had it on the wire when history was lost, and nothing known of it since. */
  readonly #onWire = new Map<string, OnWire>()
  readonly #vips = new Map<string, Vip>()
  readonly #texts = new Map<number, string>()
  readonly #newest = new Map<string, { readonly seq: number; readonly state: string | null }>()
  /** When an address began to rest, by the database's clock. */
  readonly #restedSince = new Map<string, number>()
  #acknowledged: Array<{ readonly commandId: string; readonly seqFrom: number; readonly seqTo: number }> = []
  readonly #shared = new SharedLaw()
  readonly #pools = new PoolLaw()
  readonly #config = new ConfigLaw()
  readonly moves = new MoveLaw({
    staying: (cluster, service) => this.#addressesOf(cluster, service, ({ leaving }) => leaving !== true),
    had: (cluster, service) => this.#addressesOf(cluster, service, () => true),
    isThere: (cluster, node) => this.#nodeOf(cluster, node).present,
    mayAnnounce: (cluster, node, address) => {
      const { present, labels } = this.#nodeOf(cluster, node)
      const vip = [...this.#vips.values()].find((each) => each.cluster === cluster && each.address === address)
      const holders = (vip?.holders ?? []).map(({ namespace, name }) => this.#labelsOf(cluster, `${namespace}/${name}`))
      return (
        present &&
        !("node.kubernetes.io/exclude-from-external-load-balancers" in labels) &&
        this.#config.mayAnnounce({ cluster, nodeLabels: labels, pool: vip?.pool ?? "", labels: holders })
      )
    }
  })

  /** Whether an address that the Service has is not to be shared by others alone, which take it from who is no member. */
  mayKeep(cluster: string, service: string, address: string): boolean {
    return this.#shared.membersOf(address)?.includes(`${cluster}/${service}`) ?? true
  }

  #addressesOf(
    cluster: string,
    service: string,
    counts: (holder: Vip["holders"][number]) => boolean
  ): ReadonlyArray<string> {
    const isHeld = (vip: Vip) =>
      vip.holders.some((holder) => `${holder.namespace}/${holder.name}` === service && counts(holder))
    return [...this.#vips.values()].flatMap((vip) => (vip.cluster === cluster && isHeld(vip) ? vip.address : []))
  }

  #nodeOf(cluster: string, name: string): { readonly present: boolean; readonly labels: Record<string, string> } {
    const state = this.#newest.get(`node:${cluster}/${name}`)?.state
    if (state == null) return { present: false, labels: {} }
    const { present, node } = JSON.parse(state) as {
      readonly present: boolean
      readonly node: { readonly labels: Record<string, string> }
    }
    return { present, labels: node.labels }
  }

  #labelsOf(cluster: string, service: string): Record<string, string> {
    const state = this.#newest.get(`service:${cluster}/${service}`)?.state
    if (state == null) return {}
    return (JSON.parse(state) as { readonly service: { readonly labels: Record<string, string> } }).service.labels
  }

  acknowledged(commandId: string, seqFrom: number, seqTo: number): void {
    this.#acknowledged.push({ commandId, seqFrom, seqTo })
  }

  /**
   * The database has gone back: what came after `seq` is lost. Who is on the wire with what they were given stays on it, and
   * nobody else may be given that while they want it.
   */
  lost(seq: number, routers: ReadonlyMap<string, SimRouters>): void {
    for (const vip of this.#vips.values()) {
      const router = routers.get(vip.cluster)
      const [holder] = vip.holders
      if (vip.phase !== "assigned" || holder === undefined || router === undefined) continue
      const nodes = router.neighbours.flatMap(({ node, prefixes, forgetsAtMs }) =>
        forgetsAtMs === undefined && prefixes.has(`${vip.address}/32`) ? [node] : []
      )
      if (nodes.length > 0)
        this.#onWire.set(`${vip.address} ${vip.cluster}`, {
          cluster: vip.cluster,
          service: `${holder.namespace}/${holder.name}`,
          uid: holder.uid,
          nodes
        })
    }
    const kept = this.#rows.filter((row) => row.seq <= seq)
    if (kept.length < this.#rows.length || this.isLossUnsaid) this.#lostAfter = seq
    this.#rows = []
    this.#seq = 0
    this.#epoch = 0
    for (const map of [this.#vips, this.#texts, this.#newest, this.#restedSince]) map.clear()
    this.#shared.lost()
    this.#pools.lost()
    this.#config.lost()
    this.#acknowledged = this.#acknowledged.filter(({ seqTo }) => seqTo <= seq)
    for (const row of kept) this.#remember(row)
  }

  /** Whether the database has gone back, and the log does not say so yet. */
  get isLossUnsaid(): boolean {
    return this.#lostAfter !== undefined
  }

  /** The row is the next one, and says what was before it. */
  #remember(row: StoredEvent): void {
    if (row.seq !== this.#seq + 1) fail("L2", `after event ${this.#seq} comes ${row.seq}`)
    if (row.epoch < this.#epoch) fail("L2", `event ${row.seq} is of epoch ${row.epoch}, after ${this.#epoch}`)
    this.#rows.push(row)
    this.#seq = row.seq
    this.#epoch = row.epoch
    this.#texts.set(row.seq, textOf(row))
    const { before, after } = JSON.parse(row.data) as { readonly before: unknown; readonly after: unknown }
    const known = this.#newest.get(row.stream)?.state ?? null
    const beforeText = before === null ? null : JSON.stringify(before)
    if (beforeText !== known) fail("L5", `event ${row.seq} says ${beforeText} was before it, the log ${known}`)
    this.#newest.set(row.stream, { seq: row.seq, state: after === null ? null : JSON.stringify(after) })
    this.#shared.note(row, after)
    this.#pools.note(row, after)
    this.#config.note(row, after)
    if (row.stream.startsWith("vip:")) {
      this.#vips.set(row.stream, after as Vip)
      const isResting = (after as Vip).phase === "quarantined"
      if (isResting && (before as Vip | null)?.phase !== "quarantined")
        this.#restedSince.set(row.stream, Date.parse(row.recordedAt))
    }
  }

  /** New rows of the log, in their order. `routers` by cluster, as they are at this moment. */
  events(rows: ReadonlyArray<StoredEvent>, routers: ReadonlyMap<string, SimRouters>, { wants, removals }: Truth): void {
    for (const row of rows) {
      const before = this.#vips.get(row.stream)
      this.#remember(row)
      const { after } = JSON.parse(row.data) as { readonly after: unknown }
      this.#loss(row, after)
      if (row.type === "HistoryRecovered")
        this.#goneOnWithout((after as { readonly without: ReadonlyArray<string> }).without)
      if (row.type === "ManifestDeleted") this.#config.deleted(row, removals)
      if (row.stream.startsWith("vip:")) this.#vip(row, before, after as Vip, routers, wants)
    }
    if (rows.length === 0) return
    this.#pools.settled((cluster, service) => this.#addressesOf(cluster, service, () => true).length > 0)
    this.#parts()
  }

  /** Two clusters hold an address only while a shared one explains it, and none holds it twice. */
  #parts(): void {
    const held = new Map<string, Array<string>>()
    for (const { address, cluster, phase } of this.#vips.values()) {
      if (phase !== "assigned") continue
      const others = held.get(address) ?? []
      const other = others.find((each) => each === cluster || !this.#shared.holdsTogether(address, each, cluster))
      if (other !== undefined) fail("L1", `${other} and ${cluster} have ${address}, and nobody said that they share it`)
      held.set(address, [...others, cluster])
    }
  }

  /** Routers of clusters that may not have the address beside this one. */
  #foreign(
    { address, cluster }: Pick<Vip, "address" | "cluster">,
    routers: ReadonlyMap<string, SimRouters>
  ): ReadonlyMap<string, SimRouters> {
    return new Map([...routers].filter(([name]) => name !== cluster && !this.#shared.explains(address, name, cluster)))
  }

  /** Of these and its own. */
  #judging(vip: Vip, routers: ReadonlyMap<string, SimRouters>): ReadonlyMap<string, SimRouters> {
    const own = routers.get(vip.cluster)
    return own === undefined ? routers : new Map([...this.#foreign(vip, routers), [vip.cluster, own]])
  }

  /** Who goes on without nodes that are lost for good answers for what they alone had. */
  #goneOnWithout(without: ReadonlyArray<string>): void {
    for (const [key, { cluster, nodes }] of this.#onWire)
      if (nodes.every((node) => without.includes(`node ${cluster}/${node}`))) this.#onWire.delete(key)
  }

  /** What is new of an address of which a cluster had something on the wire when history was lost. */
  #lostOnWire(row: StoredEvent, before: Vip | undefined, after: Vip, wants: Truth["wants"]): void {
    for (const [key, { cluster, service, uid }] of this.#onWire) {
      if (!key.startsWith(`${after.address} `)) continue
      if (cluster !== after.cluster && this.#shared.explains(after.address, cluster, after.cluster)) continue
      const isOthers = row.type === "VipAssigned" && after.cluster !== cluster && before?.phase !== "assigned"
      if (isOthers && wants(cluster, service, uid) && before?.phase !== "free")
        fail("L1", `event ${row.seq} gives ${after.address} to ${after.cluster}, ${cluster} ${service} had it`)
      this.#onWire.delete(key)
    }
  }

  /** A shared address is its members' alone, and what one of them is given is of a pool that its cluster has. */
  #given({ seq }: StoredEvent, { address, cluster, holders }: Vip): void {
    const holder = holders.at(-1)
    const members = this.#shared.membersOf(address)
    const name = `${cluster}/${holder?.namespace}/${holder?.name}`
    if (members !== undefined && !members.includes(name))
      fail("L1", `event ${seq} gives ${address} to ${name}, and it is shared by ${members.join(", ")}`)
    for (const other of this.#vips.values()) {
      if (other.address !== address || other.cluster === cluster || other.phase === "free") continue
      if (!this.#shared.explains(address, other.cluster, cluster))
        fail("L1", `event ${seq} gives ${address} to ${cluster}, and it is ${other.phase} in ${other.cluster}`)
    }
  }

  /** The first thing written after a loss names it. */
  #loss(row: StoredEvent, after: unknown): void {
    if (this.#lostAfter === undefined) return
    if (row.type !== "HistoryLost")
      fail("L2", `events after ${this.#lostAfter} are lost, and event ${row.seq} is ${row.type}, not the loss`)
    const { lostAfter } = after as { readonly lostAfter: { readonly seq: number } }
    if (lostAfter.seq !== this.#lostAfter)
      fail("L2", `events after ${this.#lostAfter} are lost, event ${row.seq} says after ${lostAfter.seq}`)
    this.#lostAfter = undefined
  }

  #vip(
    row: StoredEvent,
    before: Vip | undefined,
    after: Vip,
    routers: ReadonlyMap<string, SimRouters>,
    wants: Truth["wants"]
  ): void {
    if (row.type !== "VipAdopted") this.#lostOnWire(row, before, after, wants)
    if (row.type === "VipAdopted" && after.phase === "assigned") {
      const others = announcersOf(after.address, this.#foreign(after, routers))
      if (others.length > 0)
        fail("L1", `event ${row.seq} adopts ${after.address} for ${after.cluster}, which ${others.join(", ")} announce`)
    }
    if (row.type === "VipAssigned") {
      const [holder] = after.holders
      this.#given(row, after)
      const isReturn =
        before !== undefined &&
        before.cluster === after.cluster &&
        before.lastHolders.includes(`${holder?.namespace}/${holder?.name}`)
      if (before?.phase === "assigned" && before.cluster !== after.cluster)
        fail("L1", `event ${row.seq} gives ${after.address} to ${after.cluster}, ${before.cluster} has it`)
      if (before?.phase !== "assigned" && !isReturn) {
        this.#pools.given(row, after.address, after.cluster)
        if (before !== undefined && before.phase !== "free")
          fail("L1", `event ${row.seq} gives ${after.address} away, which is ${before.phase}`)
        const announcers = announcersOf(after.address, this.#judging(after, routers))
        if (announcers.length > 0)
          fail("L1", `event ${row.seq} gives ${after.address} away, which routers have from ${announcers.join(", ")}`)
      }
    }
    if (row.type === "VipQuarantined") {
      const announcers = announcersOf(after.address, this.#judging(after, routers))
      if (announcers.length > 0)
        fail("L1", `event ${row.seq} confirms ${after.address}, which routers have from ${announcers.join(", ")}`)
    }
    if (row.type === "VipFreed") {
      const restedMs = Date.parse(row.recordedAt) - (this.#restedSince.get(row.stream) ?? Number.NaN)
      if (!(restedMs >= quarantineMs))
        fail("L1", `event ${row.seq} frees ${after.address}, which rested for ${restedMs} ms`)
    }
    if (row.type === "VipReleased") {
      const services = (before?.holders ?? []).map(({ namespace, name }) => `${namespace}/${name}`)
      this.#pools.released(row, after.cluster, services)
      if (row.reasonCode === "moved") this.moves.released(row.seq, after.cluster, services[0] ?? "", after.address)
    }
    if (row.type === "VipReleased" && row.reasonCode === "service-gone") {
      for (const { namespace, name, uid } of before?.holders ?? []) {
        if (!after.holders.some((holder) => holder.uid === uid) && wants(after.cluster, `${namespace}/${name}`, uid))
          fail(
            "L9",
            `event ${row.seq} releases ${after.address} of ${after.cluster} ${namespace}/${name}, which is there`
          )
      }
    }
  }

  /** No address is in routers from two clusters, but for one that they share. */
  wire(routers: ReadonlyMap<string, SimRouters>): void {
    this.moves.wire(routers)
    this.#shared.forget(this.#vips.values(), routers)
    const clusterOf = new Map<string, string>()
    for (const [cluster, router] of routers) {
      for (const { prefixes } of router.neighbours) {
        for (const prefix of prefixes.keys()) {
          const other = clusterOf.get(prefix) ?? cluster
          if (other !== cluster && !this.#shared.explains(prefix.slice(0, -"/32".length), other, cluster))
            fail("no double on the wire", `${prefix} is announced in ${other} and in ${cluster}`)
          clusterOf.set(prefix, cluster)
        }
      }
    }
  }

  /** What was acknowledged is in the log, as it was; the state beside the log is what the log amounts to. */
  end(rows: ReadonlyArray<StoredEvent>, current: ReadonlyArray<StoredCurrent>): void {
    const bySeq = new Map(rows.map((row) => [row.seq, row]))
    for (const [seq, text] of this.#texts) {
      const row = bySeq.get(seq)
      if (row === undefined || textOf(row) !== text) fail("L2", `event ${seq} is not what it was`)
    }
    for (const { commandId, seqFrom, seqTo } of this.#acknowledged) {
      for (let seq = seqFrom; seq <= seqTo; seq++) {
        if (bySeq.get(seq)?.commandId !== commandId)
          fail("L2", `event ${seq} was acknowledged to command ${commandId}, and is not its event`)
      }
    }
    for (const row of current) {
      const newest = this.#newest.get(row.stream)
      if (newest?.seq !== row.seq || newest.state !== row.state)
        fail("L5", `${row.stream} is ${row.state}, the log amounts to ${newest?.state}`)
    }
    if (current.length !== this.#newest.size) fail("L5", `${current.length} streams, the log has ${this.#newest.size}`)
  }
}

const textOf = ({ seq, epoch, stream, version, type, commandId, data }: StoredEvent): string =>
  JSON.stringify([seq, epoch, stream, version, type, commandId, data])

const announcersOf = (address: string, routers: ReadonlyMap<string, SimRouters>): ReadonlyArray<string> =>
  [...routers.values()].flatMap(({ neighbours }) =>
    neighbours.flatMap(({ node, prefixes }) => (prefixes.has(`${address}/32`) ? [node] : []))
  )
