import { parseIpAddress, parsePrefix } from "@lowtide/net"
import { Effect, Option, Result } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { ask } from "../ask.ts"
import { atFlag, readMoment } from "../at.ts"
import { Unmet, usageFault } from "../fault.ts"
import { print, serverFlags } from "../root.ts"
import { Surroundings } from "../surroundings.ts"
import { orderLines } from "../tables/standing.ts"

/** `lowtide who ADDRESS`. */
export const who = Command.make(
  "who",
  {
    address: Argument.String("address").pipe(Argument.withDescription("IPv4 or IPv6 address")),
    at: atFlag,
    network: Flag.String("network").pipe(
      Flag.withDescription("The routing domain, where several know the address"),
      Flag.optional
    )
  },
  Effect.fnUntraced(function* ({ address, at, network }) {
    const parsed = parseIpAddress(address)
    if (Result.isFailure(parsed)) {
      const next = Result.isSuccess(parsePrefix(address))
        ? `\`lowtide history ${address}\` tells of all its addresses`
        : "for example `lowtide who 192.0.2.10`"
      return yield* usageFault(`address: ${parsed.failure}`, next)
    }
    const query = {
      ...(yield* readMoment("who", "at", at)),
      ...(Option.isSome(network) ? { network: network.value } : {})
    }
    const answer = yield* ask(yield* serverFlags, (client) => client.audit.holder({ params: { address }, query }))
    yield* print(answer, () => [answer.sentence, answer.announcement].filter((text) => text !== "").join("\n"))
    const { err } = yield* Surroundings
    if (answer.at === null) for (const line of orderLines([answer])) err(line)
    if (answer.holder === null) return yield* new Unmet()
  })
).pipe(
  Command.withDescription(
    "Say who holds an address, or held it at some time, and why, and which nodes had told which routers; exit 1 when nobody"
  ),
  Command.withExamples([
    { command: "lowtide who 192.0.2.10", description: "Who holds the address now" },
    { command: "lowtide who 192.0.2.10 --at 2026-11-23T14:05:01Z", description: "Who held it then" }
  ])
)
