import { Effect } from "effect"
import { Argument, Command } from "effect/cli"
import { ask } from "../ask.ts"
import { atFlag, readMoment } from "../at.ts"
import { usageFault } from "../fault.ts"
import { parseServiceTarget } from "../resource.ts"
import { print, serverFlags } from "../root.ts"
import { Surroundings } from "../surroundings.ts"
import { formatTable } from "../table.ts"
import { traceColumns } from "../tables/history.ts"

/** `lowtide trace service/[CLUSTER/]NS/NAME`. */
export const trace = Command.make(
  "trace",
  {
    target: Argument.String("type/name").pipe(Argument.withDescription("service/[CLUSTER/]NAMESPACE/NAME")),
    at: atFlag
  },
  Effect.fnUntraced(function* ({ target: text, at }) {
    const { timeZone, hasColour, screenColumns } = yield* Surroundings
    const { cluster, namespace, name } = yield* Effect.fromResult(parseServiceTarget(text)).pipe(
      Effect.mapError((what) => usageFault(what, "for example `lowtide trace service/east/shop/web`"))
    )
    const query = yield* readMoment("trace", "at", at)
    const answer = yield* ask(yield* serverFlags, (client) =>
      cluster === undefined
        ? client.audit.trace({ params: { namespace, name }, query })
        : client.audit.traceIn({ params: { cluster, namespace, name }, query })
    )
    yield* print(answer, (format) => {
      const table = formatTable(traceColumns(timeZone), answer.hops, {
        isWide: format === "wide",
        hasColour,
        screenColumns
      })
      return `Service ${answer.cluster}/${answer.namespace}/${answer.name}${answer.at === null ? "" : ` at ${answer.at}`}: ${answer.change}\n${table}`
    })
  })
).pipe(
  Command.withDescription("Show how far the newest change of a Service has come, hop by hop with its times"),
  Command.withExamples([
    { command: "lowtide trace service/shop/web", description: "From the manifest to the routers" },
    { command: "lowtide trace service/east/shop/web -o wide", description: "With the clock that each time is by" },
    {
      command: "lowtide trace service/east/shop/web --at 2026-11-23T14:05:01Z",
      description: "How far its newest change had come then"
    }
  ])
)
