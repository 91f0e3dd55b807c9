import type { NodeTruth } from "@lowtide/api/node-truth"
import type { NodeStatus } from "@lowtide/bus/status"
import { type NodeFacts, sessionFacts } from "@lowtide/domain/announcing/bgp-view"
import type { VipIntent } from "@lowtide/domain/announcing/intent"
import { isOnTheWire } from "@lowtide/domain/announcing/node-routes"
import type { HeldState } from "./held-state.ts"
import type { NodeSessions } from "./node-sessions.ts"
import type { RouteTable } from "./route-table.ts"
import type { SpeakerPort } from "./speaker-port.ts"
import type { WireMemory } from "./wire-memory.ts"

/** What a view of the node reads of its speaker. */
export interface NodeViewPort extends Pick<SpeakerPort, "settings" | "withheld"> {
  readonly table: RouteTable
  readonly sessions: NodeSessions
  readonly held: HeldState
  readonly memory: WireMemory
  readonly isQuiet: () => boolean
  readonly status: () => NodeStatus
  readonly intentCount: () => number
}

/** Why a node announces nothing of what it is to. */
const quiet = "LT0409 the node announces nothing before the centre has spoken: `lowtide node status` there says why"

/** What a node itself knows, for a person who asks it with nothing else there. */
export class NodeView {
  readonly #port: NodeViewPort

  constructor(port: NodeViewPort) {
    this.#port = port
  }

  /** What went up and down in this process. */
  get memory(): WireMemory {
    return this.#port.memory
  }

  /** Whether it announces nothing before the centre has spoken. */
  get isQuiet(): boolean {
    return this.#port.isQuiet()
  }

  /** Orders of a person at the node that stand. */
  get withheldCount(): number {
    return this.#port.withheld.orders.length
  }

  /** Its sessions and routes, as the centre's views take them. */
  facts(): NodeFacts {
    const { table, sessions, memory, isQuiet, status: statusNow } = this.#port
    const { cluster, node, sync, agreedAt, withheld, sessions: said } = statusNow()
    const byPeer = new Map(said.map((session) => [session.peer, session]))
    return {
      cluster,
      node,
      sync,
      agreedAt: agreedAt ?? null,
      intent: sessions.configured,
      session: (name) => {
        const session = byPeer.get(name)
        return session && sessionFacts(session)
      },
      ...(isQuiet() && { quiet }),
      ...(withheld && { withheld }),
      wanted: (peer) => table.wanted(peer),
      vipsOf: (prefix) => table.vipsOf(prefix).map((vip) => ({ ...vip, event: vip.cause })),
      told: (vip, peer) => memory.told(vip, peer),
      routerHas: () => undefined
    }
  }

  /** VIPs that the centre wants announced and that no peer is to have, each with the verdict why. */
  unannounced(): ReadonlyArray<{ readonly vip: VipIntent; readonly why: string }> {
    const { table } = this.#port
    return [...table.verdicts].flatMap(([address, verdict]) => {
      const vip = table.vip(address)
      if (vip?.state !== "announced" || isOnTheWire(verdict)) return []
      return { vip, why: verdict._tag }
    })
  }

  /** The node beside its sessions and routes. */
  truth(): Omit<NodeTruth, "startedAt" | "trustedKeys"> {
    const { table, sessions, held, withheld, isQuiet, intentCount, status: statusNow } = this.#port
    const status = statusNow()
    const verdicts = new Map<string, number>()
    for (const { _tag } of table.verdicts.values()) verdicts.set(_tag, (verdicts.get(_tag) ?? 0) + 1)
    return {
      cluster: status.cluster,
      node: status.node,
      at: status.at,
      sync: status.sync,
      agreedAt: status.agreedAt ?? null,
      cseq: status.cseq,
      stamp: held.newestStamp ?? null,
      isQuiet: isQuiet(),
      excluded: sessions.configured?.excluded ?? null,
      sessions: {
        up: status.sessions.filter(({ state }) => state === "Established").length,
        total: sessions.configured?.peers.length ?? 0
      },
      intents: intentCount(),
      announcing: status.announcing,
      prefixes: isQuiet() ? 0 : table.announcedCount,
      verdicts: [...verdicts].sort().map(([verdict, vips]) => ({ verdict, vips })),
      signers: status.signers ?? [],
      brake: status.brake === undefined ? null : { held: status.brake.held, since: status.brake.since },
      refused: status.refused,
      withheld: withheld.orders
    }
  }
}
