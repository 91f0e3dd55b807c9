import { historyQuery } from "@lowtide/api/history"
import { addressFilter, historyLimitDefault, historyLimitMax } from "@lowtide/api/parameters"
import { Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { ask } from "../ask.ts"
import { momentFlag, readActor, readCorrelation, readMoment } from "../at.ts"
import { CliFault, exitCodes, usageFault } from "../fault.ts"
import { judgeRequest } from "../request.ts"
import { type HistoryTarget, parseHistoryTarget } from "../resource.ts"
import { print, serverFlags } from "../root.ts"
import { Surroundings } from "../surroundings.ts"
import { formatTable } from "../table.ts"
import { historyColumns } from "../tables/history.ts"

const textFlag = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(description), Flag.optional)

const given = <Name extends string>(name: Name, flag: Option.Option<string>) =>
  (Option.isSome(flag) ? { [name]: flag.value } : {}) as { readonly [Key in Name]?: string }

/** `lowtide history TYPE/NAME`. */
export const history = Command.make(
  "history",
  {
    target: Argument.String("type/name").pipe(
      Argument.withDescription(
        "service/[CLUSTER/]NS/NAME, address/IP, a bare IP or a PREFIX for all its addresses, pool/[CLUSTER/]NAME, peer/[CLUSTER/]NAME, node/[CLUSTER/]NAME, cluster/NAME, file/CLUSTER/PATH; the whole fleet without"
      ),
      Argument.optional
    ),
    limit: Flag.Int("limit").pipe(
      Flag.withDescription(`Events, 1 to ${historyLimitMax}; the newest ones`),
      Flag.withDefault(historyLimitDefault)
    ),
    network: textFlag("network", "Only this network; by itself where one knows the address"),
    cluster: textFlag("cluster", "Only this cluster"),
    namespace: textFlag("namespace", "Only Services of this namespace").pipe(Flag.withAlias("n")),
    pool: textFlag("pool", "Only events of this pool"),
    actor: textFlag(
      "actor",
      "Only what this actor did: person:NAME, machine:NAME, local:USER, agent:CLUSTER, speaker:CLUSTER/NODE, allocator"
    ),
    type: textFlag("type", "Only events of this type, or wire reports of this kind: VipAssigned, session"),
    correlation: textFlag(
      "correlation",
      "Only what one look at the source led to: a correlation id, in -o wide and JSON"
    ),
    since: momentFlag("since", "From then on"),
    until: momentFlag("until", "Up to and with"),
    at: momentFlag("at", "As it was known then"),
    before: Flag.Int("before").pipe(Flag.withDescription("Only events before this seq, for older pages"), Flag.optional)
  },
  Effect.fnUntraced(function* ({ target, limit, before, ...filters }) {
    const { nowMs, timeZone, hasColour, screenColumns, err } = yield* Surroundings
    if (limit < 1 || limit > historyLimitMax) {
      return yield* usageFault(
        `--limit: expected 1 to ${historyLimitMax}, found ${limit}`,
        "see `lowtide history --help`"
      )
    }
    if (Option.isSome(before) && !isSeq(before.value)) {
      return yield* usageFault(
        `--before: expected 1 to ${Number.MAX_SAFE_INTEGER}, found ${before.value}`,
        "see `lowtide history --help`"
      )
    }
    yield* readCorrelation("history", filters.correlation)
    const about = Option.isNone(target) ? {} : yield* aboutOf(target.value)
    const query = {
      ...given("network", filters.network),
      ...given("cluster", filters.cluster),
      ...given("namespace", filters.namespace),
      ...given("pool", filters.pool),
      ...about,
      limit,
      ...given("actor", readActor(filters.actor)),
      ...given("type", filters.type),
      ...given("correlation", filters.correlation),
      ...(yield* readMoment("history", "since", filters.since)),
      ...(yield* readMoment("history", "until", filters.until)),
      ...(yield* readMoment("history", "at", filters.at)),
      ...(Option.isSome(before) ? { before: before.value } : {})
    }
    yield* judgeRequest("history", historyQuery, query)
    const page = yield* ask(yield* serverFlags, (client) => client.audit.history({ query }))
    yield* print(page, (format) =>
      page.items.length === 0
        ? ""
        : formatTable(historyColumns(nowMs, timeZone), page.items, {
            isWide: format === "wide",
            hasColour,
            screenColumns
          })
    )
    if (page.items.length === 0) err("nothing found")
    if (page.next !== null) err(`older events: --before ${page.next}`)
    if (page.archived !== null) err(`older events are not in this list: ${page.archived}`)
  })
).pipe(
  Command.withDescription(
    "Tell what happened to a service, address, pool, peer, node, cluster or file, the newest last"
  ),
  Command.withExamples([
    { command: "lowtide history service/east/shop/web", description: "Everything about one Service" },
    { command: "lowtide history 192.0.2.10 --limit 20", description: "The last holders of an address" },
    {
      command: "lowtide history 192.0.2.0/28 --since 7d",
      description: "All that happened to the addresses of a prefix"
    },
    { command: "lowtide history --actor agent:east --since 24h", description: "What one actor did in a day" }
  ])
)

/** Seqs count from 1. */
const isSeq = (value: number): boolean => Number.isSafeInteger(value) && value >= 1

const aboutOf = Effect.fnUntraced(function* (text: string) {
  const target = yield* Effect.fromResult(parseHistoryTarget(text)).pipe(
    Effect.mapError((what) => usageFault(what, "see `lowtide history --help`"))
  )
  switch (target._tag) {
    case "Address":
      return { address: Object.values(addressFilter(target.address)).join() }
    case "Cluster":
      return { cluster: target.name }
    case "File":
      return { file: target.path, cluster: target.cluster }
    case "Pool":
      return { pool: target.name, ...clusterOf(target) }
    case "Peer":
      return { peer: target.name, ...clusterOf(target) }
    case "Node":
      return { node: target.name, cluster: target.cluster ?? (yield* findCluster(target)) }
    case "Service":
      return {
        namespace: target.namespace,
        service: target.name,
        cluster: target.cluster ?? (yield* findCluster(target))
      }
  }
})

const clusterOf = ({ cluster }: { readonly cluster?: string }) => (cluster === undefined ? {} : { cluster })

/** The only cluster that has the Service or node; a name that fits several is not guessed. */
const findCluster = Effect.fnUntraced(function* (
  target: Extract<HistoryTarget, { readonly _tag: "Service" | "Node" }>
) {
  const server = yield* serverFlags
  const name = target._tag === "Service" ? `${target.namespace}/${target.name}` : target.name
  const found =
    target._tag === "Service"
      ? (yield* ask(server, (client) => client.fleet.services({ query: { namespace: target.namespace } }))).items
      : (yield* ask(server, (client) => client.fleet.nodes({ query: {} }))).items
  const clusters = found.filter((item) => item.name === target.name).map(({ cluster }) => cluster)
  const [cluster, ...others] = clusters
  const type = target._tag.toLowerCase()
  if (cluster === undefined) {
    return yield* new CliFault({
      exitCode: exitCodes.notFound,
      what: `${type}: expected one that is there now, found ${name}`,
      next: `name its cluster for one that is gone: ${type}/CLUSTER/${name}`
    })
  }
  if (others.length > 0) {
    const candidates = clusters.map((cluster) => `${type}/${cluster}/${name}`).join(", ")
    return yield* usageFault(`${type} ${name} is in several clusters`, `one of ${candidates}`)
  }
  return cluster
})
