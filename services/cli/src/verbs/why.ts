import { Effect } from "effect"
import { Argument, Command } from "effect/cli"
import { ask } from "../ask.ts"
import { atFlag, readMoment } from "../at.ts"
import { Unmet, usageFault } from "../fault.ts"
import { parseServiceTarget } from "../resource.ts"
import { print, serverFlags } from "../root.ts"

/** `lowtide why service/[CLUSTER/]NS/NAME`. */
export const why = Command.make(
  "why",
  {
    target: Argument.String("type/name").pipe(Argument.withDescription("service/[CLUSTER/]NAMESPACE/NAME")),
    at: atFlag
  },
  Effect.fnUntraced(function* ({ target: text, at }) {
    const { cluster, namespace, name } = yield* Effect.fromResult(parseServiceTarget(text)).pipe(
      Effect.mapError((what) => usageFault(what, "for example `lowtide why service/east/shop/web`"))
    )
    const query = yield* readMoment("why", "at", at)
    const answer = yield* ask(yield* serverFlags, (client) =>
      cluster === undefined
        ? client.audit.why({ params: { namespace, name }, query })
        : client.audit.whyIn({ params: { cluster, namespace, name }, query })
    )
    yield* print(answer, (format) =>
      format === "wide"
        ? [answer.sentence, ...answer.pools.map(({ pool, why }) => `Pool ${pool} ${why}.`)].join("\n")
        : answer.sentence
    )
    if (answer.standing !== "served") return yield* new Unmet()
  })
).pipe(
  Command.withDescription(
    "Say why a Service has the addresses that it has, or is refused, pool by pool; exit 1 unless it has what it asks for"
  ),
  Command.withExamples([
    { command: "lowtide why service/shop/web", description: "The code, the facts and the fix, as a sentence" },
    {
      command: 'lowtide why service/east/shop/web --at "2 hours ago" -o wide',
      description: "As it was, with every pool"
    }
  ])
)
