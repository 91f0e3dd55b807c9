import { type ClusterPreview, type Finding, hasError, preview as previewClusters } from "@lowtide/domain"
import { plural } from "@lowtide/domain/words"
import { Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { Unmet } from "../fault.ts"
import { clusterFindings, countText, findingBlock, isOfFleet } from "../findings.ts"
import { filenameFlag, readFlag } from "../manifests.ts"
import { outputFormat, print } from "../root.ts"
import { Surroundings } from "../surroundings.ts"
import { formatTable, type TableOptions } from "../table.ts"
import { previewRouteColumns, previewRoutes, previewServiceColumns } from "../tables/preview.ts"

/** `lowtide preview -f DIR`. */
export const preview = Command.make(
  "preview",
  {
    filename: filenameFlag,
    servicesInOrder: Flag.Boolean("services-in-order").pipe(
      Flag.withDescription("Take Services one after another as they stand in the files, whatever their age"),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function* ({ filename, servicesInOrder }) {
    const { err, hasColour, screenColumns } = yield* Surroundings
    const format = yield* outputFormat
    const { clusters, fleet } = yield* readFlag(filename)
    const previews = previewClusters(clusters, { servicesInOrder, fleet })
    const findings = previews.flatMap((each) => each.findings)
    const isFleet = previews.length > 1
    yield* print(previewJson(previews), (format) =>
      [
        ...(isFleet ? fleetText(findings) : []),
        ...previews.map((each) => {
          const own = isFleet ? each.findings.filter((found) => !isOfFleet(found)) : each.findings
          return previewText({ ...each, findings: own }, { isWide: format === "wide", hasColour, screenColumns })
        })
      ].join("\n\n")
    )
    if (format !== "json") for (const found of findings) err(`\n${findingBlock(found, hasColour)}`)
    if (hasError(findings)) return yield* new Unmet()
  })
).pipe(
  Command.withDescription(
    "Show which addresses manifests would give to Services, and what nodes would announce; no server is asked"
  ),
  Command.withExamples([
    { command: "lowtide preview -f clusters/east", description: "As if a new fleet had this cluster alone" },
    { command: "lowtide preview -f clusters", description: "Of every cluster: no address is given twice in a network" },
    {
      command: "lowtide preview -f clusters/east --json",
      description: "Each node's announcements to each of its peers"
    }
  ])
)

/** The clusters of a fleet are named; of one there is no need. */
const previewJson = (previews: ReadonlyArray<ClusterPreview>) => {
  const isFleet = previews.length > 1
  const of = <Item extends object>(items: (each: ClusterPreview) => ReadonlyArray<Item>) =>
    previews.flatMap((each) => items(each).map((item) => ({ ...(isFleet ? { cluster: each.cluster } : {}), ...item })))
  return {
    findings: clusterFindings(previews),
    services: of(({ services }) =>
      services.map(({ namespace, name, addresses, pool, reason }) => ({ namespace, name, addresses, pool, reason }))
    ),
    nodes: of(({ nodes }) => nodes.map(({ name, peers }) => ({ name, peers })))
  }
}

/** What is wrong with the fleet's own objects is no single cluster's. */
const fleetText = (all: ReadonlyArray<Finding>): ReadonlyArray<string> => {
  const findings = all.filter(isOfFleet)
  return findings.length === 0 ? [] : [`the fleet's own objects: ${countText(findings)}`]
}

const previewText = (each: ClusterPreview, options: TableOptions): string => {
  const { cluster, network, services, findings } = each
  const served = services.filter(({ addresses }) => addresses.length > 0).length
  const asking = services.filter(({ addresses, refusal }) => addresses.length > 0 || refusal !== null).length
  const routes = previewRoutes(each)
  const prefixes = new Set(routes.map(({ prefix }) => prefix)).size
  const announcing = new Set(routes.flatMap(({ nodes }) => nodes)).size
  const summary =
    `${cluster} (network ${network}): ${served} of ${plural(asking, "Service")} would have addresses; ` +
    `${plural(prefixes, "prefix", "prefixes")} from ${plural(announcing, "node")}; ${countText(findings)}`
  return [
    summary,
    ...(services.length === 0 ? [] : [formatTable(previewServiceColumns, services, options)]),
    ...(routes.length === 0 ? [] : [formatTable(previewRouteColumns(routes), routes, options)])
  ].join("\n\n")
}
