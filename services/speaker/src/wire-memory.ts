import type { WireEntry } from "@lowtide/bus/status"
import type { ToldFacts } from "@lowtide/domain/announcing/bgp-view"
import { type Change, sessionChange, standing, vipChange } from "@lowtide/domain/announcing/flaps"

/** Changes that are remembered; past it the oldest are forgotten. */
const changesMax = 10_000

type SessionEntry = Extract<WireEntry, { readonly _tag: "Session" }>

/** What this process told routers and when, and what went up and down: a node's own wire journal, as far as memory goes. */
export class WireMemory {
  readonly #of: { readonly cluster: string; readonly node: string }
  /** When each peer was told of a VIP that it has, by VIP and by peer. */
  readonly #told = new Map<string, Map<string, string>>()
  readonly #sessions = new Map<string, SessionEntry>()
  #changes: Array<Change> = []
  #forgottenUntil: string | undefined

  constructor(of: { readonly cluster: string; readonly node: string }) {
    this.#of = { cluster: of.cluster, node: of.node }
  }

  /** What went up and down, the oldest first. */
  get changes(): ReadonlyArray<Change> {
    return this.#changes
  }

  /** The newest change that is forgotten, RFC 3339; undefined while all of this process are there. */
  get forgottenUntil(): string | undefined {
    return this.#forgottenUntil
  }

  /** What a peer was told of a VIP, if it has it. */
  told(
    { network, address }: { readonly network: string; readonly address: string },
    peer: string
  ): ToldFacts | undefined {
    const writtenAt = this.#told.get(`${network} ${address}`)?.get(peer)
    return writtenAt === undefined ? undefined : standing("announced", writtenAt, this.#sessions.get(peer))
  }

  note(entries: ReadonlyArray<WireEntry>): void {
    for (const entry of entries) {
      if (entry._tag === "Session") {
        if (entry.change !== "refused") this.#sessions.set(entry.peer, entry)
        this.#changes.push(...sessionChange({ ...this.#of, peer: entry.peer }, entry))
      } else if (entry._tag === "Applied") {
        this.#noteTold(entry)
        this.#changes.push(...vipChange({ ...this.#of, address: entry.address }, entry))
      }
    }
    const excess = this.#changes.length - changesMax
    if (excess <= 0) return
    // Many at a time: taking one from the front moves all the others.
    const forgotten = this.#changes.splice(0, excess + changesMax / 10)
    this.#forgottenUntil = forgotten.at(-1)?.at
  }

  #noteTold({ network, address, peers }: Extract<WireEntry, { readonly _tag: "Applied" }>): void {
    const key = `${network} ${address}`
    const told = this.#told.get(key) ?? new Map<string, string>()
    for (const { peer, action, writtenAt } of peers) {
      if (action === "announced") told.set(peer, writtenAt)
      else if (action === "withdrawn" || action === "refused") told.delete(peer)
    }
    if (told.size === 0) this.#told.delete(key)
    else this.#told.set(key, told)
  }
}
