import { type DiffAnswer, DiffKind } from "@lowtide/api/diff"
import { addressFilter } from "@lowtide/api/parameters"
import { plural } from "@lowtide/domain/words"
import { parseIpAddress, parsePrefix } from "@lowtide/net"
import { Effect, Option, Result } from "effect"
import { Command, Flag } from "effect/cli"
import { ask } from "../ask.ts"
import { momentFlag, readMoment } from "../at.ts"
import { Unmet, usageFault } from "../fault.ts"
import { printJsonPages } from "../json-pages.ts"
import { outputFormat, print, serverFlags } from "../root.ts"
import { Surroundings } from "../surroundings.ts"

const textFlag = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(description), Flag.optional)

/** `lowtide diff --from T1 --to T2`. */
export const diff = Command.make(
  "diff",
  {
    from: momentFlag("from", "The earlier time"),
    to: momentFlag("to", "The later time, now without"),
    cluster: textFlag("cluster", "Only this cluster"),
    namespace: textFlag("namespace", "Only Services of this namespace, and addresses that they hold or held").pipe(
      Flag.withAlias("n")
    ),
    pool: textFlag("pool", "Only addresses of this pool"),
    address: textFlag("address", "Only this address, or the addresses of this prefix"),
    kind: Flag.Literals("kind", DiffKind.literals).pipe(
      Flag.withDescription("Only what is of this kind"),
      Flag.optional
    )
  },
  Effect.fnUntraced(function* ({ from, to, cluster, namespace, pool, address, kind }) {
    const { err } = yield* Surroundings
    if (Option.isNone(from)) {
      return yield* usageFault(
        "--from: expected a time or the seq of an event, found nothing",
        "see `lowtide diff --help`"
      )
    }
    if (Option.isSome(address)) {
      const parsed: Result.Result<unknown, string> = address.value.includes("/")
        ? parsePrefix(address.value)
        : parseIpAddress(address.value)
      if (Result.isFailure(parsed)) {
        return yield* usageFault(`--address: ${parsed.failure}`, "for example --address 192.0.2.10")
      }
    }
    const { from: begin = "" } = yield* readMoment("diff", "from", from)
    const query = {
      from: begin,
      ...(yield* readMoment("diff", "to", to)),
      ...(Option.isSome(cluster) ? { cluster: cluster.value } : {}),
      ...(Option.isSome(namespace) ? { namespace: namespace.value } : {}),
      ...(Option.isSome(pool) ? { pool: pool.value } : {}),
      ...(Option.isSome(address) ? { address: Object.values(addressFilter(address.value)).join() } : {}),
      ...(Option.isSome(kind) ? { kind: kind.value } : {})
    }
    const server = yield* serverFlags
    const askPage = (after: string | null) =>
      ask(server, (client) => client.audit.diff({ query: { ...query, ...(after === null ? {} : { after }) } }))
    const answer = yield* askPage(null)
    let count = 0
    if ((yield* outputFormat) === "json") {
      yield* printJsonPages(answer, askPage, ({ items }) => {
        count += items.length
      })
    } else {
      for (let page: DiffAnswer | undefined = answer; page !== undefined; ) {
        const shown: DiffAnswer = page
        count += shown.items.length
        yield* print(shown, () => shown.items.map(({ sentence }) => sentence).join("\n"))
        page = shown.next === null ? undefined : yield* askPage(shown.next)
      }
    }
    const between = `between ${answer.from.time} (event ${answer.from.position}) and ${answer.to.time} (event ${answer.to.position})`
    err(count === 0 ? `nothing differs ${between}` : `${plural(count, "difference")} ${between}`)
    if (count > 0) return yield* new Unmet()
  })
).pipe(
  Command.withDescription(
    "Say what was added, removed, moved and changed between two times, a sentence a line; exit 1 when anything was"
  ),
  Command.withExamples([
    { command: "lowtide diff --from 24h", description: "What is not as it was a day ago" },
    {
      command: "lowtide diff --from 2026-11-23T14:00:00Z --to 2026-11-23T15:00:00Z --kind address",
      description: "Addresses that came, went and moved in an hour"
    }
  ])
)
