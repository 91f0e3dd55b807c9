import type { StoredEvent } from "@lowtide/ledger"
import type { SimRouters } from "./router.ts"

interface Shared {
  readonly addresses: ReadonlyArray<string>
  readonly members: ReadonlyArray<{ readonly cluster: string; readonly namespace: string; readonly name: string }>
}

/** A cluster's part in an address, as the log has it. */
interface Part {
  readonly address: string
  readonly cluster: string
  readonly phase: string
}

/** Which clusters may have one address together: written a second time, from what people said of shared addresses. */
export class SharedLaw {
  readonly #objects = new Map<string, Shared>()
  /** By address, who is a member, and who was one and is not done with it. */
  readonly #may = new Map<string, Set<string>>()
  /** Of the same, what the log has forgotten, and nobody can see the end of. */
  readonly #lost = new Map<string, Set<string>>()

  /** What the log says of a shared address from here on. */
  note({ stream }: StoredEvent, after: unknown): void {
    if (!stream.startsWith("sharedaddress:")) return
    if (after === null) this.#objects.delete(stream)
    else {
      const { shared } = after as { readonly shared: Shared }
      this.#objects.set(stream, shared)
      for (const address of shared.addresses) add(this.#may, address, shared.members)
    }
  }

  /** The log has lost the end of what was said. */
  lost(): void {
    for (const [address, clusters] of this.#may)
      add(
        this.#lost,
        address,
        [...clusters].map((cluster) => ({ cluster }))
      )
    this.#objects.clear()
    this.#may.clear()
  }

  /** The Services that the address is for, `cluster/namespace/name`; undefined where it is no shared one. */
  membersOf(address: string): ReadonlyArray<string> | undefined {
    const shared = [...this.#objects.values()].find(({ addresses }) => addresses.includes(address))
    return shared?.members.map(({ cluster, namespace, name }) => `${cluster}/${namespace}/${name}`)
  }

  /** Whether somebody said that these two may have the address at a time, and neither is done with it since. */
  explains(address: string, one: string, other: string): boolean {
    return [one, other].every(
      (cluster) => this.#may.get(address)?.has(cluster) === true || this.#lost.get(address)?.has(cluster) === true
    )
  }

  /** Whether they may hold it at a time: a shared address stays one for as long as two do. */
  holdsTogether(address: string, one: string, other: string): boolean {
    const isLost = this.#lost.has(address)
    return this.explains(address, one, other) && (isLost || this.membersOf(address) !== undefined)
  }

  /** Who is a member no more is done with the address when the log and the routers are. */
  forget(parts: Iterable<Part>, routers: ReadonlyMap<string, SimRouters>): void {
    if (this.#may.size === 0) return
    const all = [...parts]
    for (const [address, clusters] of this.#may) {
      for (const cluster of clusters) {
        const isMember = this.membersOf(address)?.some((member) => member.startsWith(`${cluster}/`)) === true
        const isOnWire = (routers.get(cluster)?.neighbours ?? []).some(({ prefixes }) => prefixes.has(`${address}/32`))
        const isInLog = all.some(
          (part) => part.address === address && part.cluster === cluster && part.phase !== "free"
        )
        if (!isMember && !isOnWire && !isInLog) clusters.delete(cluster)
      }
    }
  }
}

const add = (
  sets: Map<string, Set<string>>,
  address: string,
  members: ReadonlyArray<{ readonly cluster: string }>
): void => {
  const set = sets.get(address) ?? new Set()
  for (const { cluster } of members) set.add(cluster)
  sets.set(address, set)
}
