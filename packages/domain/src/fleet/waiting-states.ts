import { Result } from "effect"
import { type EventType, eventTypes } from "./event.ts"
import type { KeptStreams, WaitingRow } from "./kept-streams.ts"
import { isNewest, readState } from "./state-shapes.ts"
import type { StoredState } from "./stored.ts"
import type { Holder, StreamState, VipState } from "./stream.ts"

/**
 * States by their names, each parsed when somebody asks for it. A fleet that is loaded has some hundred thousand, and what is
 * decided next is about few of them; as texts they take a fraction of the time and of the room. Those that were kept where they
 * were loaded are found there one by one, and have entries of their own once all are asked for.
 */
export class WaitingStates<State extends StreamState> extends Map<string, State> {
  readonly #prefix: string
  #kept: KeptStreams | undefined
  #rows: Array<number> = []
  /** Those of the rows that have an entry, or had one. */
  readonly #taken = new Set<number>()

  /** With the prefix that their streams have before their names. */
  constructor(prefix = "") {
    super()
    this.#prefix = prefix
  }

  /** A stored state of which all that is indexed is known. */
  setLater(key: string, row: WaitingRow): void {
    this.#take(key)
    super.set(key, new Waiting(row) as unknown as State)
  }

  /** The same of one that stays where it was loaded. */
  keep(kept: KeptStreams, row: number): void {
    this.#kept = kept
    this.#rows.push(row)
  }

  /** The text of a state that nobody has asked for. */
  textOf(key: string): string | undefined {
    const state: unknown = super.get(key)
    if (state !== undefined) return state instanceof Waiting ? state.state : undefined
    const row = this.#rowOf(key)
    return row === undefined ? undefined : this.#kept?.state(row).state
  }

  override get size(): number {
    return super.size + this.#rows.length - this.#taken.size
  }

  override has(key: string): boolean {
    return super.has(key) || this.#rowOf(key) !== undefined
  }

  override get(key: string): State | undefined {
    const state: unknown = super.get(key) ?? this.#take(key)
    return state instanceof Waiting ? this.#parse(key, state) : (state as State | undefined)
  }

  override set(key: string, state: State): this {
    this.#take(key)
    return super.set(key, state)
  }

  override delete(key: string): boolean {
    return this.#take(key) !== undefined || super.delete(key)
  }

  override clear(): void {
    this.#enterAll()
    super.clear()
  }

  override keys(): MapIterator<string> {
    this.#enterAll()
    return super.keys()
  }

  override *entries(): MapIterator<[string, State]> {
    this.#enterAll()
    for (const [key, state] of super.entries() as MapIterator<[string, unknown]>) {
      yield [key, state instanceof Waiting ? this.#parse(key, state) : (state as State)]
    }
  }

  override *values(): MapIterator<State> {
    for (const [, state] of this.entries()) yield state
  }

  override [Symbol.iterator](): MapIterator<[string, State]> {
    return this.entries()
  }

  override forEach(look: (state: State, key: string, map: Map<string, State>) => void): void {
    for (const [key, state] of this.entries()) look(state, key, this)
  }

  #parse(key: string, waiting: Waiting): State {
    super.set(key, waiting as unknown as State) // one that cannot be read is there still
    const state = Result.getOrThrow(readState(waiting)) as State
    super.set(key, state)
    return state
  }

  #rowOf(key: string): number | undefined {
    if (this.#rows.length === this.#taken.size) return undefined
    const row = this.#kept?.find(this.#prefix + key)
    return row === undefined || this.#taken.has(row) ? undefined : row
  }

  /** Takes one out of those that are kept: it has an entry of its own from now on, or none. */
  #take(key: string): Waiting | undefined {
    const row = this.#rowOf(key)
    if (row === undefined || this.#kept === undefined) return undefined
    this.#taken.add(row)
    return new Waiting(this.#kept.state(row))
  }

  #enterAll(): void {
    const kept = this.#kept
    if (kept === undefined || this.#rows.length === 0) return
    for (const row of inOrder(kept, this.#rows)) {
      if (this.#taken.has(row)) continue
      const waiting = new Waiting(kept.state(row))
      super.set(waiting.stream.slice(this.#prefix.length), waiting as unknown as State)
    }
    this.#rows = []
    this.#taken.clear()
  }
}

/** Rows in the order of their events. */
const inOrder = (kept: KeptStreams, rows: ReadonlyArray<number>): ReadonlyArray<number> =>
  rows
    .map((row) => ({ row, seq: kept.seq(row) }))
    .sort((a, b) => a.seq - b.seq)
    .map(({ row }) => row)

class Waiting implements StoredState {
  readonly seq: number
  readonly stream: string
  readonly schema: number
  readonly state: string

  constructor({ seq, stream, schema, state }: WaitingRow) {
    this.seq = seq
    this.stream = stream
    this.schema = schema
    this.state = state
  }
}

/** A stored state, with what the database says of it. */
export interface LoadedState extends StoredState {
  /** Whether its text is, as far as the database can tell, what was written; a writer writes only what can be read again. */
  readonly isAsWritten?: boolean
}

/**
 * Whether all that a fleet has indexes of is known of a Service without parsing its state: that it is not refused, and asks for
 * no address of another IP version. The texts are those that `JSON.stringify` makes, and what only looks like one is parsed.
 */
export const mayWait = (row: LoadedState): row is LoadedState & WaitingRow => {
  const { stream, schema, state, isAsWritten } = row
  return (
    isAsWritten === true &&
    state !== null &&
    stream.startsWith("service:") &&
    isNewest("Service", schema) &&
    state.startsWith('{"_tag":"Service",') &&
    state.endsWith(',"refusal":null}') &&
    !state.includes('"PreferDualStack"')
  )
}

/** All of a VIP that a fleet has indexes of. */
export interface IndexedVip
  extends Pick<
    VipState,
    "member" | "network" | "address" | "pool" | "cluster" | "phase" | "lastHolders" | "releasedAtMs" | "heldRelease"
  > {
  readonly holders: ReadonlyArray<Pick<Holder, "namespace" | "name" | "sharingKey" | "leaving">>
}

/** What is indexed of a VIP that is loaded and may wait. Undefined of any other, which is parsed. */
export const waitingVip = ({ stream, schema, state, isAsWritten }: LoadedState): IndexedVip | undefined =>
  isAsWritten === true && state !== null && stream.startsWith("vip:") && isNewest("Vip", schema)
    ? indexedOf(state)
    : undefined

/**
 * What is indexed of a VIP as most of them are: given to one Service, and nothing else to say of it. Undefined of any other.
 */
export const indexedOf = (state: string): IndexedVip | undefined => {
  const found = plainVip.exec(state)
  if (found === null) return undefined
  const [, network = "", address = "", pool = "", cluster = "", namespace = "", name = ""] = found
  const holders = [{ namespace, name, sharingKey: "" }]
  return { network, address, pool, cluster, phase: "assigned", holders, lastHolders: [] }
}

/** The part of a plain VIP's text that says all that is indexed of it: what comes behind is its holder's uid, ports and backend. */
export const indexedPart = (state: string): string => state.slice(0, state.indexOf(',"uid":"'))

/**
 * Whether a state after an event may wait: one of a VIP or a Service of which the text shows, without anything parsed, that it is
 * what a state of its kind is, and all that a fleet has indexes of. Nobody has compared it with what was written.
 */
export const mayWaitAfter = (type: EventType, schema: number, state: string): "Vip" | "Service" | undefined => {
  const { state: tag } = eventTypes[type]
  if (tag !== "Vip" && tag !== "Service") return undefined
  return isNewest(tag, schema) && plain[tag].test(state) ? tag : undefined
}

/** A text without anything that JSON escapes ends where it seems to, so that nothing else than this has the pattern. */
const patternOf = (parts: ReadonlyArray<string>) =>
  new RegExp(
    parts
      .join("")
      .replaceAll("TEXTS", String.raw`\[(?:TEXT,?)*\]`)
      .replaceAll("RECORD", String.raw`\{(?:TEXT:TEXT,?)*\}`)
      .replaceAll("TEXT", '"WORD"')
      .replaceAll("WORD", String.raw`[^"\\]*`)
  )

const plainVip = patternOf([
  String.raw`^\{"_tag":"Vip","network":"(WORD)","address":"(WORD)","pool":"(WORD)","cluster":"(WORD)","phase":"assigned",`,
  String.raw`"holders":\[\{"namespace":"(WORD)","name":"(WORD)","uid":TEXT,"sharingKey":"","ports":TEXTS,"backendKey":TEXT\}\],`,
  String.raw`"lastHolders":\[\],"obliged":\[\],"quarantineEndMs":null\}$`
])

const servedService = patternOf([
  String.raw`^\{"_tag":"Service","cluster":TEXT,"service":\{"namespace":TEXT,"name":TEXT,"uid":TEXT,"labels":RECORD,`,
  String.raw`"annotations":\{(?:"addressPool":TEXT,?)?(?:"allowSharedIp":TEXT)?\},"type":"LoadBalancer",`,
  `(?:"loadBalancerClass":TEXT,)?"requestedAddresses":TEXTS,(?:"requestedAt":TEXT,)?`,
  String.raw`"ipFamilies":\[(?:"IPv[46]",?)*\],"ipFamilyPolicy":"(?:SingleStack|RequireDualStack)","clusterIPs":TEXTS,`,
  `"externalTrafficPolicy":"(?:Cluster|Local)",`,
  String.raw`"ports":\[(?:\{"protocol":"(?:TCP|UDP|SCTP)","port":\d{1,9},"name":TEXT\},?)*\],"selector":RECORD\},`,
  String.raw`"servingNodes":TEXTS,"refusal":null\}$`
])

const plain = { Vip: plainVip, Service: servedService }
