import { firstFleetVersion } from "@lowtide/domain"
import { Clock, Effect } from "effect"

/** An agent says something each half minute; after this long without a word it has ended. */
export const agentSilentAfterMs = 75_000

/** When a cluster's agent spoke last, and the newest fleet version that it knows. */
export interface HeardAgent {
  readonly fleetVersion: number
  readonly heardAtMs: number
}

/** What agents have said of themselves since this allocator leads. Where a cluster has two, the older one counts. */
export class HeardAgents {
  readonly #heard = new Map<string, Map<number, number>>()
  #sinceMs: number

  constructor(sinceMs = 0) {
    this.#sinceMs = sinceMs
  }

  /** Since when they are heard. */
  get sinceMs(): number {
    return this.#sinceMs
  }

  /** Agents speak to the leader alone: what was heard in an earlier leadership is out of date. */
  readonly begin: Effect.Effect<void> = Effect.map(Clock.currentTimeMillis, (nowMs) => {
    this.#heard.clear()
    this.#sinceMs = nowMs
  })

  get clusters(): Iterable<string> {
    return this.#heard.keys()
  }

  /** Takes note of a command. */
  note(cluster: string, fleetVersion = firstFleetVersion): Effect.Effect<void> {
    return Effect.map(Clock.currentTimeMillis, (nowMs) => {
      const versions = this.#heard.get(cluster) ?? new Map<number, number>()
      this.#heard.set(cluster, versions.set(fleetVersion, nowMs))
    })
  }

  /** Of those that spoke within `agentSilentAfterMs` the one with the oldest version, else the last that spoke. */
  of(cluster: string, nowMs: number): HeardAgent | undefined {
    const all = [...(this.#heard.get(cluster) ?? [])].map(([fleetVersion, heardAtMs]) => ({ fleetVersion, heardAtMs }))
    const live = all.filter(({ heardAtMs }) => nowMs - heardAtMs <= agentSilentAfterMs)
    return live.length > 0
      ? live.sort((left, right) => left.fleetVersion - right.fleetVersion)[0]
      : all.sort((left, right) => right.heardAtMs - left.heardAtMs)[0]
  }
}
