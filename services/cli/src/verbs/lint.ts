import { backends, hasError, lint as lintClusters } from "@lowtide/domain"
import { plural } from "@lowtide/domain/words"
import { Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { Unmet } from "../fault.ts"
import { clusterFindings, countText, findingBlock } from "../findings.ts"
import { filenameFlag, readFlag } from "../manifests.ts"
import { findingsFormat } from "../root.ts"
import { toSarif } from "../sarif.ts"
import { Surroundings } from "../surroundings.ts"

/** `lowtide lint -f DIR`. */
export const lint = Command.make(
  "lint",
  {
    filename: filenameFlag,
    backend: Flag.Literals("backend", backends).pipe(
      Flag.withDescription("What runs BGP on the nodes, with its own limits"),
      Flag.withDefault("native")
    ),
    threshold: Flag.Literals("failure-threshold", ["error", "warning"]).pipe(
      Flag.withDescription("The least severity that makes the exit status 1"),
      Flag.withDefault("error")
    )
  },
  Effect.fnUntraced(function* ({ filename, backend, threshold }) {
    const { out, hasColour } = yield* Surroundings
    const format = yield* findingsFormat
    const manifests = yield* readFlag(filename)
    const linted = lintClusters(manifests.clusters, backend, { fleet: manifests.fleet })
    const findings = linted.flatMap((cluster) => cluster.findings)
    const valid = !hasError(findings)
    if (format === "json") {
      out(JSON.stringify({ valid, findings: clusterFindings(linted) }, null, 2))
    } else if (format === "sarif") out(JSON.stringify(toSarif(findings), null, 2))
    else {
      for (const found of findings) out(`${findingBlock(found, hasColour)}\n`)
      const { objectCount, fileCount } = manifests
      const seen = `${plural(objectCount, "object")} in ${plural(fileCount, "file")}, backend ${backend}`
      out(`${valid ? "valid" : "not valid"}: ${countText(findings)}; ${seen}`)
    }
    if (threshold === "warning" ? findings.length > 0 : !valid) return yield* new Unmet()
  })
).pipe(
  Command.withDescription("Say what is wrong with manifests, each by itself and all together; no server is asked"),
  Command.withExamples([
    { command: "lowtide lint -f clusters/east", description: "All faults of one cluster, with their places and fixes" },
    { command: "lowtide lint -f clusters/east --backend frr-k8s", description: "Also what FRR-K8s could not do of it" },
    { command: "lowtide lint -f clusters/east -o sarif", description: "For the review page of a code host" }
  ])
)
