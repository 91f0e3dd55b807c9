import type { Family, IpAddress, Prefix } from "@lowtide/net"
import { PrefixMap } from "./prefix-map.ts"
import { attributeSetKey, pathAttributes, type RouteAttributes, type RouteChange } from "./route.ts"
import type { AttributeContext } from "./wire/attribute-codec.ts"
import { encodeAttributes } from "./wire/attribute-list.ts"
import type { AnnouncementGroup, UpdateBatch } from "./wire/update-packer.ts"

/** What a session allows to be sent: who the peer is, which families were agreed, and the next hop for each. */
export interface SendContext extends AttributeContext {
  readonly localAsn: number
  readonly families: ReadonlyArray<Family>
  /** Of IPv4 routes an IPv6 one only where that was agreed (RFC 8950). */
  readonly nextHops: { readonly 4?: IpAddress; readonly 6?: IpAddress }
  /** Our address on the link that we share with the peer; it goes with IPv6 next hops (RFC 2545 §3). */
  readonly linkLocalNextHop?: IpAddress
  /** The peer's own customers alone may have our routes: RFC 9234 §5. */
  readonly onlyToCustomer?: boolean
}

/** Routes that cannot be sent on this session, and why. */
export interface Refusal {
  readonly family: Family
  readonly routes: number
  readonly reason: string
}

/** What has to go on the wire so that the peer has what is wanted. */
export interface Difference {
  readonly batch: UpdateBatch
  readonly announced: number
  readonly withdrawn: number
  readonly refusals: ReadonlyArray<Refusal>
}

interface Entry {
  readonly prefix: Prefix
  wanted: RouteAttributes | undefined
  /** Key of the attribute set that the peer was last sent; `undefined`: the peer does not have the route. */
  sentKey: string | undefined
  isDirty: boolean
}

/** Path attributes of an announcement may take this much: one message less header, lengths, both next hops and a prefix. */
export const attributesBytesMax = 3_900

/**
 * The Adj-RIB-Out of one peer (RFC 4271 §3.2): what it is to have, what it was sent, and the difference. Changes of a
 * route between two differences cost nothing on the wire but the last.
 */
export class AdjRibOut {
  private readonly entries = new PrefixMap<Entry>()
  private dirty: Array<Entry> = []
  /** Families whose routes are all to be sent again with the next difference. */
  private readonly again = new Set<Family>()
  private isUp = false
  private sentCount = 0
  private wantedCount = 0

  /** Notes what is wanted from now on. */
  change(changes: ReadonlyArray<RouteChange>): void {
    for (const change of changes) this.changeOne(change)
  }

  /** A session began: all that is wanted is to be sent. */
  begin(): void {
    this.isUp = true
    for (const entry of this.entries.values()) this.touch(entry)
  }

  /** The session ended: the peer has nothing, and until the next one begins only what is wanted is kept. */
  end(): void {
    this.isUp = false
    this.sentCount = 0
    for (const entry of this.dirty) entry.isDirty = false
    this.dirty = []
    this.again.clear()
    for (const entry of this.entries.values()) {
      entry.sentKey = undefined
      if (entry.wanted === undefined) this.entries.delete(entry.prefix)
    }
  }

  /**
   * The peer asked for the family again: what it has is sent once more, with no withdrawal between. Asked again before that
   * was taken it costs nothing: the one answer is newer than both.
   */
  sendAgain(family: Family): void {
    if (this.again.has(family)) return
    this.again.add(family)
    for (const entry of this.entries.values()) {
      if (entry.prefix.address.family !== family || entry.sentKey === undefined) continue
      entry.sentKey = staleKey
      this.touch(entry)
    }
  }

  /** All that is wanted is to be sent once more, and what could not be sent may be by now. */
  tellAnew(): void {
    for (const entry of this.entries.values()) {
      if (entry.sentKey !== undefined) entry.sentKey = staleKey
      this.touch(entry)
    }
  }

  /** How many prefixes the peer has been sent and not been told to drop. */
  get sent(): number {
    return this.sentCount
  }

  /** Whether the peer has been sent the route and not been told to drop it. */
  isSent(prefix: Prefix): boolean {
    return this.entries.get(prefix)?.sentKey !== undefined
  }

  /** Whether a wanted route, or what is to be said anew of it, waits: no difference that was taken has it yet. */
  isPending(prefix: Prefix): boolean {
    const entry = this.entries.get(prefix)
    return entry?.isDirty === true && entry.wanted !== undefined
  }

  /** How many prefixes are wanted. */
  get wanted(): number {
    return this.wantedCount
  }

  /** Whether a difference may have something in it. */
  hasChanges(): boolean {
    return this.dirty.length > 0
  }

  /** What to send now; it counts as sent from here on. */
  takeDifference(context: SendContext): Difference {
    const withdrawn = { 4: [] as Prefix[], 6: [] as Prefix[] }
    const groups = new Groups(context)
    for (const entry of this.dirty) this.takeOne(entry, withdrawn, groups)
    // A table that is gone as a whole goes as one.
    if (this.wantedCount === 0) this.entries.clear()
    else for (const { prefix, wanted } of this.dirty) if (wanted === undefined) this.entries.delete(prefix)
    this.dirty = []
    this.again.clear()
    const { announced, count, refusals } = groups.finish()
    const withdrawnCount = withdrawn[4].length + withdrawn[6].length
    return { batch: { withdrawn, announced }, announced: count, withdrawn: withdrawnCount, refusals }
  }

  /** What the peer was sent and has, as announcements: without what the next difference says anew or takes back. */
  sentTable(context: SendContext): UpdateBatch {
    const groups = new Groups(context)
    for (const { prefix, wanted, sentKey, isDirty } of this.entries.values()) {
      if (sentKey !== undefined && wanted !== undefined && !isDirty) groups.add(prefix, wanted, sentKey)
    }
    return { withdrawn: { 4: [], 6: [] }, announced: groups.finish().announced }
  }

  // What is done for each route is a method of its own, however short: compiled by itself it is quick after some hundred
  // routes of the first large change, as the rest of a long loop is not. A speaker's first is often its only one.

  private changeOne({ prefix, attributes }: RouteChange): void {
    let entry = this.entries.get(prefix)
    if (entry === undefined) {
      if (attributes === undefined) return
      entry = { prefix, wanted: undefined, sentKey: undefined, isDirty: false }
      this.entries.set(prefix, entry)
    }
    this.wantedCount += Number(attributes !== undefined) - Number(entry.wanted !== undefined)
    entry.wanted = attributes
    if (this.isUp) this.touch(entry)
    else if (attributes === undefined) this.entries.delete(prefix)
  }

  private takeOne(entry: Entry, withdrawn: Record<Family, Array<Prefix>>, groups: Groups): void {
    const { prefix, wanted, sentKey } = entry
    const key = wanted === undefined ? undefined : attributeSetKey(wanted)
    entry.isDirty = false
    if (key === sentKey) return
    const isSent = wanted !== undefined && groups.add(prefix, wanted, key!)
    if (!isSent && sentKey !== undefined) withdrawn[prefix.address.family].push(prefix)
    this.sentCount += Number(isSent) - Number(sentKey !== undefined)
    entry.sentKey = isSent ? key : undefined
  }

  private touch(entry: Entry): void {
    if (entry.isDirty) return
    entry.isDirty = true
    this.dirty.push(entry)
  }
}

/** No attribute set has this key, so a route marked with it is sent again. */
const staleKey = "stale"

interface Group {
  readonly key: string
  readonly prefixes: Array<Prefix>
  readonly announcement: AnnouncementGroup | undefined
  readonly refusal: string | undefined
}

/** Collects announcements by family and attribute set; each set is turned into path attributes once. */
class Groups {
  private readonly context: SendContext
  private readonly byFamily = { 4: new Map<string, Group>(), 6: new Map<string, Group>() }
  private readonly last: { 4: Group | undefined; 6: Group | undefined } = { 4: undefined, 6: undefined }

  constructor(context: SendContext) {
    this.context = context
  }

  /** Whether the route can be sent; when not, it is counted for the report. */
  add(prefix: Prefix, attributes: RouteAttributes, key: string): boolean {
    const family = prefix.address.family
    // Neighbours in a table mostly share their attributes, so the last group is looked at before the map.
    let group = this.last[family]
    if (group?.key !== key) {
      group = this.byFamily[family].get(key)
      if (group === undefined) {
        group = this.open(family, attributes, key)
        this.byFamily[family].set(key, group)
      }
      this.last[family] = group
    }
    group.prefixes.push(prefix)
    return group.announcement !== undefined
  }

  finish(): {
    readonly announced: ReadonlyArray<AnnouncementGroup>
    readonly count: number
    readonly refusals: ReadonlyArray<Refusal>
  } {
    const groups = [...this.byFamily[4].values(), ...this.byFamily[6].values()]
    const announced = groups.flatMap(({ announcement }) => (announcement === undefined ? [] : [announcement]))
    const refused = new Map<string, Refusal>()
    for (const { refusal, prefixes } of groups) {
      const family = prefixes[0]?.address.family
      if (refusal === undefined || family === undefined) continue
      const key = `${family}${refusal}`
      const routes = (refused.get(key)?.routes ?? 0) + prefixes.length
      refused.set(key, { family, routes, reason: refusal })
    }
    const count = announced.reduce((sum, { prefixes }) => sum + prefixes.length, 0)
    return { announced, count, refusals: [...refused.values()] }
  }

  private open(family: Family, routeAttributes: RouteAttributes, key: string): Group {
    const prefixes: Array<Prefix> = []
    const refuse = (refusal: string): Group => ({ key, prefixes, announcement: undefined, refusal })
    if (!this.context.families.includes(family)) return refuse(`the peer did not agree to IPv${family} unicast`)
    const nextHop = this.context.nextHops[family]
    if (nextHop === undefined) return refuse(`there is no IPv${family} next hop for this peer`)
    const attributes = pathAttributes(routeAttributes, this.context)
    const size = encodeAttributes(attributes, this.context).length
    if (size > attributesBytesMax) {
      return refuse(`the path attributes take ${size} octets, more than the ${attributesBytesMax} that fit a message`)
    }
    const { linkLocalNextHop } = this.context
    const hops = { nextHop, ...(nextHop.family === 6 && linkLocalNextHop !== undefined && { linkLocalNextHop }) }
    return { key, prefixes, refusal: undefined, announcement: { family, ...hops, attributes, prefixes } }
  }
}
