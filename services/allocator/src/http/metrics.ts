import type { EvidenceView } from "@lowtide/api/evidence"
import { budgetUse } from "@lowtide/domain"
import { Clock, Effect, Metric } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { PrometheusMetrics } from "effect/observability"
import { Centre, type CommittedView } from "../centre.ts"
import { RouterReports, type RoutersHeard } from "../router-reports.ts"
import { waiting } from "./views/approvals.ts"
import { evidenceItems } from "./views/evidence.ts"
import { nodeList } from "./views/nodes.ts"
import { peerList } from "./views/peers.ts"
import { poolList } from "./views/pools.ts"
import { serviceList } from "./views/services.ts"
import { signersOf, untoldSigners } from "./views/signers.ts"

/** `GET /metrics`: what the process has counted, and the fleet as it stands. No label names an address, a Service or a person. */
export const MetricsRoute = HttpRouter.add(
  "GET",
  "/metrics",
  Effect.gen(function* () {
    const centre = yield* Centre
    const routers = yield* RouterReports
    const nowMs = yield* Clock.currentTimeMillis
    const counted = yield* PrometheusMetrics.format()
    const health = yield* centre.health
    const samples = yield* centre.read((view) => fleetSamples(view, nowMs)).pipe(Effect.orElseSucceed(() => []))
    const unproven = yield* centre
      .read((view) => view.unproven?.(nowMs).length ?? 0)
      .pipe(Effect.orElseSucceed(() => 0))
    const told = yield* centre
      .read((view) => evidenceSamples(view, routers, nowMs))
      .pipe(Effect.orElseSucceed(() => []))
    const signers = yield* centre.signedBy.pipe(Effect.orElseSucceed(() => new Map<string, number>()))
    const signed = yield* centre.read((view) => signerSamples(view, signers)).pipe(Effect.orElseSucceed(() => []))
    const measured = yield* formatSamples([
      {
        name: "lowtide_leader",
        help: "1 while this allocator leads",
        labels: {},
        value: health.role === "leader" ? 1 : 0
      },
      {
        name: "lowtide_follower_lag_events",
        help: "Events that a follower knows of and has not read; 0 in the leader",
        labels: {},
        value: health.lagEvents
      },
      {
        name: "lowtide_follower_lag_seconds",
        help: "Seconds since a follower was at the end of the log; 0 in the leader",
        labels: {},
        value: health.lagSeconds
      },
      {
        name: "lowtide_recovering",
        help: "1 while the leader recovers from a loss of history, in any cluster",
        labels: {},
        value:
          health.recovery !== null && (health.recovery.phase === "recovering" || health.recovery.frozen.length > 0)
            ? 1
            : 0
      },
      {
        name: "lowtide_reserved_addresses",
        help: "Addresses that a recovery keeps for Services that have not come back",
        labels: {},
        value: health.recovery?.reserved ?? 0
      },
      {
        name: "lowtide_contested_addresses",
        help: "Addresses that two clusters hold since history was lost, as the leader knows",
        labels: {},
        value: new Set(health.recovery?.contested.map(({ network, address }) => `${network}/${address}`)).size
      },
      {
        name: "lowtide_unproven_nodes",
        help: "Nodes that said within the hour that they hold what the log does not have, and did not prove it",
        labels: {},
        value: unproven
      },
      {
        name: "lowtide_database_up",
        help: "1 while the database answers",
        labels: {},
        value: health.database === "up" ? 1 : 0
      },
      { name: "lowtide_nats_up", help: "1 while NATS is connected", labels: {}, value: health.nats === "up" ? 1 : 0 },
      {
        name: "lowtide_unpublished_messages",
        help: "Messages committed and not yet stored in NATS",
        labels: {},
        value: health.unpublished
      },
      ...signed,
      ...samples,
      ...told
    ])
    return HttpServerResponse.text(`${counted}${counted.endsWith("\n") || counted === "" ? "" : "\n"}${measured}`, {
      contentType: "text/plain; version=0.0.4; charset=utf-8"
    })
  })
)

/** One value of a gauge. */
export interface Sample {
  readonly name: string
  readonly help: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** What rests on each key: a key without messages and nodes can be retired, once every node has told. */
const signerSamples = (view: CommittedView, messages: ReadonlyMap<string, number>): ReadonlyArray<Sample> => {
  const signers = signersOf(view, messages)
  return [
    ...signers.map(({ keyId, messages }) => ({
      name: "lowtide_signed_messages",
      help: "Messages in effect that the key has signed, as the centre knows; lowtide_signed_nodes says who announces by it",
      labels: { key_id: keyId },
      value: messages
    })),
    ...signers.map(({ keyId, nodes }) => ({
      name: "lowtide_signed_nodes",
      help: "Nodes that announce by what the key has signed; a key without messages and nodes can be retired",
      labels: { key_id: keyId },
      value: nodes
    })),
    {
      name: "lowtide_signers_untold_nodes",
      help: "Nodes that may announce and have not said by which keys: no key is to be retired before they have",
      labels: {},
      value: untoldSigners(view).length
    }
  ]
}

/** The fleet in figures. They are made for each request, so that what is gone leaves nothing behind. */
export const fleetSamples = (view: CommittedView, nowMs: number): ReadonlyArray<Sample> => [
  { name: "lowtide_log_position", help: "Seq of the last committed event", labels: {}, value: view.head.seq },
  ...tally(
    "lowtide_services",
    "Services by where they stand",
    serviceList(view, {}, nowMs).items,
    ({ cluster, state }) => ({
      cluster,
      state
    })
  ),
  ...tally(
    "lowtide_nodes",
    "Nodes by how well their speakers are heard",
    nodeList(view, {}, nowMs).items,
    ({ cluster, sync }) => ({ cluster, sync })
  ),
  ...tally(
    "lowtide_approvals_pending",
    "Orders to withdraw more than the budget allows, which wait for a second person",
    waiting(view).filter(({ phase }) => phase === "pending"),
    ({ cluster }) => ({ cluster })
  ),
  ...budgetSamples(view, nowMs),
  ...tally(
    "lowtide_nodes_braked",
    "Nodes whose speakers hold back withdrawals as too many at once",
    nodeList(view, {}, nowMs).items.filter(({ brake }) => brake !== null),
    ({ cluster }) => ({ cluster })
  ),
  ...tally(
    "lowtide_sessions",
    "BGP sessions by state",
    peerList(view, {}, nowMs).items.flatMap(({ cluster, sessions }) =>
      sessions.map(({ state }) => ({ cluster, state }))
    ),
    (labels) => labels
  ),
  ...poolList(view, {}).items.flatMap(
    ({ cluster, name, assigned, withdrawing, quarantined, reserved, elsewhere, available }) =>
      Object.entries({ assigned, withdrawing, quarantined, reserved, elsewhere, available: Number(available) }).map(
        ([state, value]) => ({
          name: "lowtide_pool_addresses",
          help: "Addresses of a pool by state",
          labels: { cluster, pool: name, state },
          value
        })
      )
  )
]

/** What routers say by BMP; nothing where they are not listened for. */
export const evidenceSamples = (view: CommittedView, heard: RoutersHeard, nowMs: number): ReadonlyArray<Sample> => {
  if (!heard.isListening) return []
  const routers = heard.routers()
  const items = routers.length === 0 ? [] : evidenceItems(view, routers, {}, nowMs) // nobody says anything
  const settled = new Set(
    [...view.fleet.quarantined].flatMap((stream) => {
      const vip = view.fleet.vips.get(stream)
      return vip === undefined ? [] : `${vip.network} ${vip.address}`
    })
  )
  const standing = ({ wanted, network, addresses }: EvidenceView): string =>
    wanted ? "announced" : addresses.every((each) => settled.has(`${network} ${each}`)) ? "withdrawn" : "withdrawing"
  return [
    {
      name: "lowtide_bmp_routers",
      help: "Routers that report by BMP to this allocator",
      labels: {},
      value: routers.length
    },
    {
      name: "lowtide_bmp_routes",
      help: "Routes that are kept of what routers report",
      labels: {},
      value: routers.reduce((sum, { view }) => sum + view.routes, 0)
    },
    ...tally(
      "lowtide_router_evidence",
      "Routes of nodes by what the peer's own report says of them, and whether nodes announce them, withdraw them or have confirmed that they did",
      items,
      (item) => ({ cluster: item.cluster, state: standing(item), verdict: item.verdict })
    )
  ]
}

/** What withdrawals on command have taken of the budget of the fleet and of each cluster, and what they have left. */
const budgetSamples = ({ fleet }: CommittedView, nowMs: number): ReadonlyArray<Sample> =>
  [undefined, ...fleet.clusters.values()].flatMap((cluster) => {
    const { withdrawn, limit } = budgetUse(fleet, cluster, nowMs)
    const labels = cluster === undefined ? { scope: "fleet" } : { cluster: cluster.name, scope: "cluster" }
    return [
      {
        ...{ name: "lowtide_budget_withdrawn", labels, value: withdrawn },
        help: "Addresses withdrawn on command within the period of the budget, without a second person"
      },
      {
        ...{ name: "lowtide_budget_left", labels, value: Math.max(0, limit - withdrawn) },
        help: "Addresses that may still be withdrawn on command without a second person"
      }
    ]
  })

/** How many of the items have the same labels. */
const tally = <Item>(
  name: string,
  help: string,
  items: ReadonlyArray<Item>,
  labelsOf: (item: Item) => Readonly<Record<string, string>>
): ReadonlyArray<Sample> => {
  const counts = new Map<string, { readonly labels: Readonly<Record<string, string>>; value: number }>()
  for (const item of items) {
    const labels = labelsOf(item)
    const key = JSON.stringify(labels)
    const count = counts.get(key)
    if (count === undefined) counts.set(key, { labels, value: 1 })
    else count.value++
  }
  return [...counts.values()].map(({ labels, value }) => ({ name, help, labels, value }))
}

/** The samples in the text format of Prometheus, from a registry of their own. */
const formatSamples = (samples: ReadonlyArray<Sample>): Effect.Effect<string> =>
  Effect.gen(function* () {
    for (const { name, help, labels, value } of samples) {
      yield* Metric.update(Metric.withAttributes(Metric.gauge(name, { description: help }), labels), value)
    }
    return yield* PrometheusMetrics.format()
  }).pipe(Effect.provideService(Metric.MetricRegistry, new Map()))
