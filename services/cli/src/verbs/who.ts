import { parseIpAddress } from "@lowtide/net"
import { Effect, Option, Result } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { ask } from "../ask.ts"
import { Unmet, usageFault } from "../fault.ts"
import { parseMoment } from "../moment.ts"
import { print, serverFlag } from "../root.ts"
import { Surroundings } from "../surroundings.ts"

/** `lowtide who ADDRESS`. */
export const who = Command.make(
  "who",
  {
    address: Argument.String("address").pipe(Argument.withDescription("IPv4 or IPv6 address")),
    at: Flag.String("at").pipe(
      Flag.withDescription('The moment: 2026-11-23T14:05:01Z, a local "2026-11-23 14:05", or "30 minutes ago"'),
      Flag.optional
    ),
    network: Flag.String("network").pipe(
      Flag.withDescription("The routing domain, where several know the address"),
      Flag.optional
    )
  },
  Effect.fnUntraced(function* ({ address, at, network }) {
    const { nowMs } = yield* Surroundings
    const parsed = parseIpAddress(address)
    if (Result.isFailure(parsed)) {
      return yield* usageFault(`address: ${parsed.failure}`, "for example `lowtide who 192.0.2.10`")
    }
    const moment = Option.isNone(at)
      ? undefined
      : yield* Effect.fromResult(parseMoment(at.value, nowMs)).pipe(
          Effect.mapError((what) => usageFault(`--at: ${what}`, "see `lowtide who --help`"))
        )
    if (moment !== undefined && Date.parse(moment) > nowMs) {
      return yield* usageFault(`--at: expected a moment that is past, found ${moment}`, "leave it out to ask about now")
    }
    const query = {
      ...(moment === undefined ? {} : { at: moment }),
      ...(Option.isSome(network) ? { network: network.value } : {})
    }
    const answer = yield* ask(yield* serverFlag, (client) => client.audit.holder({ params: { address }, query }))
    yield* print(answer, () => answer.sentence)
    if (answer.holder === null) return yield* new Unmet()
  })
).pipe(
  Command.withDescription("Say who holds an address, or held it at some time, and why; exit 1 when nobody"),
  Command.withExamples([
    { command: "lowtide who 192.0.2.10", description: "Who holds the address now" },
    { command: "lowtide who 192.0.2.10 --at 2026-11-23T14:05:01Z", description: "Who held it then" }
  ])
)
