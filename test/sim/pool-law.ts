import type { StoredEvent } from "@lowtide/ledger"
import { fail } from "./violation.ts"

interface FleetPool {
  readonly retired?: true
  readonly pool: {
    readonly clusterSelector: {
      readonly matchExpressions: ReadonlyArray<{ readonly values: ReadonlyArray<string> }>
    }
    readonly pool: { readonly ranges: ReadonlyArray<string> }
  }
}

/** A VIP of which a change of the fleet's pools took a holder. */
interface Taken {
  readonly commandId: string
  readonly seq: number
  readonly cluster: string
  readonly service: string
}

/** Which addresses a cluster may be given, written a second time: its own 192.0.2.0/29 and what people let it have beside. */
export class PoolLaw {
  readonly #pools = new Map<string, FleetPool>()
  /** Commands that changed a pool. */
  readonly #changes = new Set<string>()
  #taken: Array<Taken> = []

  note({ stream, commandId }: StoredEvent, after: unknown): void {
    if (!stream.startsWith("addresspool:")) return
    this.#changes.add(commandId)
    if (after === null) this.#pools.delete(stream)
    else this.#pools.set(stream, after as FleetPool)
  }

  lost(): void {
    this.#pools.clear()
  }

  /** An address is given that its cluster did not have a moment ago. */
  given({ seq }: StoredEvent, address: string, cluster: string): void {
    const isOwn = lastOctet(address) < 8
    const isFleets = [...this.#pools.values()].some(
      ({ retired, pool: { clusterSelector, pool } }) =>
        retired !== true &&
        clusterSelector.matchExpressions.every(({ values }) => values.includes(cluster)) &&
        pool.ranges.some((range) => isWithin(address, range))
    )
    if (!isOwn && !isFleets) fail("pools", `event ${seq} gives ${address} to ${cluster}, which has no pool with it`)
  }

  released({ seq, commandId }: StoredEvent, cluster: string, services: ReadonlyArray<string>): void {
    if (this.#changes.has(commandId))
      for (const service of services) this.#taken.push({ commandId, seq, cluster, service })
  }

  /** At a command's end: who had an address of a pool that was changed by it has one still. */
  settled(hasAddress: (cluster: string, service: string) => boolean): void {
    for (const { seq, cluster, service } of this.#taken) {
      if (!hasAddress(cluster, service)) fail("pools", `event ${seq} takes from ${cluster} ${service} all that it had`)
    }
    this.#taken = []
  }
}

const lastOctet = (address: string): number => Number(address.slice(address.lastIndexOf(".") + 1))

const isWithin = (address: string, range: string): boolean => {
  const [first = "", bits = "32"] = range.split("/")
  const start = lastOctet(first)
  return lastOctet(address) >= start && lastOctet(address) < start + 2 ** (32 - Number(bits))
}
