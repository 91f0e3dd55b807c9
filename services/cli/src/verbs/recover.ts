import type { ContestedAddress, RecoveryAnswer } from "@lowtide/api/recovery"
import { parseIpAddress } from "@lowtide/net"
import { Effect, Option, Result } from "effect"
import { Command, Flag } from "effect/cli"
import { ask } from "../ask.ts"
import { usageFault } from "../fault.ts"
import { reasonFlag } from "../reason.ts"
import { print, serverFlags } from "../root.ts"
import { heldFault } from "./orders.ts"

/** `lowtide recover`. */
export const recover = Command.make(
  "recover",
  {
    reason: reasonFlag("Why; recorded with the order").pipe(Flag.optional),
    finish: Flag.Boolean("finish").pipe(
      Flag.withDescription("Go on without those that are still waited for"),
      Flag.withDefault(false)
    ),
    release: Flag.String("release").pipe(Flag.withDescription("Let this reserved address go"), Flag.optional),
    network: Flag.String("network").pipe(
      Flag.withDescription("The routing domain of --release"),
      Flag.withDefault("default")
    )
  },
  Effect.fnUntraced(function* ({ reason, finish, release, network }) {
    const server = yield* serverFlags
    const say = (answer: RecoveryAnswer) => print(answer, () => sentences(answer))
    if (Option.isNone(reason)) {
      if (finish || Option.isSome(release)) {
        return yield* usageFault("reason: expected one with an order, found none", 'add --reason "WHY"')
      }
      return yield* say(yield* ask(server, (client) => client.centre.recovery({})))
    }
    const payload = { reason: reason.value }
    if (Option.isSome(release)) {
      const address = parseIpAddress(release.value)
      if (Result.isFailure(address))
        return yield* usageFault(`--release: ${address.failure}`, "see `lowtide recover --help`")
      const params = { address: release.value }
      const answer = yield* ask(server, (client) =>
        client.centre.releaseReserved({ params, payload: { ...payload, network } })
      )
      yield* say(answer)
      const isHeld = answer.reserved.some((vip) => vip.network === network && vip.address === release.value)
      return isHeld ? yield* heldFault(`${release.value}: its release is more than the budget allows`) : undefined
    }
    return yield* say(
      yield* ask(server, (client) =>
        finish ? client.centre.finishRecovery({ payload }) : client.centre.beginRecovery({ payload })
      )
    )
  })
).pipe(
  Command.withDescription("Show, begin or end the recovery from a loss of history; without --reason it only shows"),
  Command.withExamples([
    { command: "lowtide recover", description: "How it stands, who is waited for and what is reserved" },
    {
      command: 'lowtide recover --finish --reason "east-3 is gone for good"',
      description: "Go on without those that are still waited for"
    },
    {
      command: 'lowtide recover --release 192.0.2.7 --reason "its Service was retired"',
      description: "Let an address go that is kept for a Service which does not come back"
    }
  ])
)

/** What clusters hold at once is told of each of them: one sentence is enough. */
const isFirst = (
  { network, address, node }: ContestedAddress,
  index: number,
  all: ReadonlyArray<ContestedAddress>
): boolean =>
  node !== null ||
  index === all.findIndex((other) => other.node === null && other.network === network && other.address === address)

const sentences = ({ recovery, reserved, sentence }: RecoveryAnswer): string => {
  if (recovery === null) return sentence ?? "No recovery: no history was lost that is known of."
  const { incarnation, phase, why, frozen, waitingFor, republishing, unrouted, contested } = recovery
  return [
    `Incarnation ${incarnation}, ${phase}, because ${why}.`,
    ...(frozen.length === 0 ? [] : [`Nothing is decided or published yet in ${frozen.join(", ")}.`]),
    ...(waitingFor.length === 0 ? [] : [`Waiting for ${waitingFor.join(", ")}.`]),
    ...republishing.map(
      ({ cluster, published, total }) => `${cluster} is published anew: ${published} of ${total} messages.`
    ),
    ...unrouted.map(
      ({ cluster, addresses }) =>
        `${addresses} ${addresses === 1 ? "address" : "addresses"} of ${cluster} stay announced as before the loss, and its configuration has no route for them: put it right, or \`lowtide brake release --cluster ${cluster} --reason WHY\` withdraws them.`
    ),
    ...reserved.map(
      ({ network, address, cluster, services }) =>
        `${address} of network ${network} is reserved for ${services.map((service) => `${cluster}/${service}`).join(", ")}.`
    ),
    ...contested
      .filter(isFirst)
      .map(
        ({ network, address, cluster, services, node, others }) =>
          `LT0522: ${address} of network ${network} is held by ${[...services.map((service) => `${cluster}/${service}`), ...(node === null ? [] : [`node ${cluster}/${node}`])].join(", ")} and by ${others.join(", ")}.`
      )
  ].join("\n")
}
