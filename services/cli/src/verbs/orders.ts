import { randomUUID } from "node:crypto"
import type { OrderAnswer } from "@lowtide/api/orders"
import { parseIpAddress } from "@lowtide/net"
import { Effect, Option, Result } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { ask } from "../ask.ts"
import { CliFault, exitCodes, usageFault } from "../fault.ts"
import { reasonFlag, storedReason } from "../reason.ts"
import { print, serverFlags } from "../root.ts"
import { Surroundings } from "../surroundings.ts"
import { formatTable } from "../table.ts"
import { historyColumns } from "../tables/history.ts"
import { findingLine } from "../tables/standing.ts"

const reason = reasonFlag(storedReason)

/** An id of its own for each run, so that a request that is repeated on its way is carried out once. */
export const override = (reason: string) => ({ commandId: randomUUID(), reason })

/** Some of an order was not carried out. */
export const heldFault = (what: string): CliFault =>
  new CliFault({ exitCode: exitCodes.held, what, next: "have another person see `lowtide get approvals`" })

/** What an order led to, as the history tells it. */
export const showOrder = Effect.fnUntraced(function* (answer: OrderAnswer, isSo = "it is so already") {
  const { nowMs, timeZone, hasColour, screenColumns, err } = yield* Surroundings
  yield* print(answer, (format) =>
    answer.items.length === 0
      ? ""
      : formatTable(historyColumns(nowMs, timeZone), answer.items, {
          isWide: format === "wide",
          hasColour,
          screenColumns
        })
  )
  if (answer.seqFrom === null) err(`${isSo}; nothing was changed`)
  for (const found of answer.findings ?? []) err(findingLine(found.cluster, found))
  const held = answer.items.find(({ type }) => type === "WithdrawalsHeld")
  if (held !== undefined) return yield* heldFault(held.what)
})

/** `lowtide node retire CLUSTER/NODE`. */
export const retire = Command.make(
  "retire",
  {
    target: Argument.String("cluster/node").pipe(Argument.withDescription("CLUSTER/NODE")),
    reason
  },
  Effect.fnUntraced(function* ({ target, reason }) {
    const [cluster = "", node = "", ...rest] = target.replace(/^node\//, "").split("/")
    if (cluster === "" || node === "" || rest.length > 0) {
      return yield* usageFault(
        `node: expected CLUSTER/NODE, found ${JSON.stringify(target)}`,
        'for example `lowtide node retire east/east-1 --reason "disk dead, will not come back"`'
      )
    }
    yield* showOrder(
      yield* ask(yield* serverFlags, (client) =>
        client.orders.retireNode({ params: { cluster, node }, payload: override(reason) })
      )
    )
  })
).pipe(
  Command.withDescription(
    "Say that a node will not come back: it counts as having withdrawn all that it announced. Its Node object is to be gone"
  ),
  Command.withExamples([
    {
      command: 'lowtide node retire east/east-1 --reason "disk dead, will not come back"',
      description: "Addresses that wait for it alone rest from now on"
    }
  ])
)

const forceRelease = Command.make(
  "force-release",
  {
    address: Argument.String("address").pipe(Argument.withDescription("An address that is being withdrawn")),
    network: Flag.String("network").pipe(
      Flag.withDescription("The routing domain, where several know the address"),
      Flag.optional
    ),
    reason
  },
  Effect.fnUntraced(function* ({ address, network, reason }) {
    const parsed = parseIpAddress(address)
    if (Result.isFailure(parsed)) {
      return yield* usageFault(`address: ${parsed.failure}`, "list them with `lowtide get vips`")
    }
    const query = Option.isSome(network) ? { network: network.value } : {}
    yield* showOrder(
      yield* ask(yield* serverFlags, (client) =>
        client.orders.forceRelease({ params: { address }, query, payload: override(reason) })
      )
    )
  })
).pipe(
  Command.withDescription(
    "Answer for it that an address is announced nowhere, though a node does not confirm it. Takes the token of a person"
  ),
  Command.withExamples([
    {
      command: 'lowtide vip force-release 192.0.2.10 --reason "no router has it, looked at both"',
      description: "It rests from now on, and then others may have it"
    }
  ])
)

/** `lowtide vip VERB`. */
export const vip = Command.make("vip").pipe(
  Command.withDescription("Orders about addresses"),
  Command.withSubcommands([forceRelease])
)

const releaseBrake = Command.make(
  "release",
  {
    cluster: Flag.String("cluster").pipe(Flag.withDescription("The cluster whose speakers hold withdrawals back")),
    node: Flag.String("node").pipe(Flag.withDescription("Only this node"), Flag.optional),
    reason
  },
  Effect.fnUntraced(function* ({ cluster, node, reason }) {
    const query = Option.isSome(node) ? { node: node.value } : {}
    yield* showOrder(
      yield* ask(yield* serverFlags, (client) =>
        client.orders.releaseBrake({ params: { cluster }, query, payload: override(reason) })
      )
    )
  })
).pipe(
  Command.withDescription(
    "Let the withdrawals through that speakers hold back as too many at once (LT0406). Takes the token of a person"
  ),
  Command.withExamples([
    {
      command: 'lowtide brake release --cluster east --reason "shop was shut down, CHG-955"',
      description: "What `lowtide get nodes` shows as HELD is withdrawn from now on"
    }
  ])
)

/** `lowtide brake VERB`. */
export const brake = Command.make("brake").pipe(
  Command.withDescription("Orders about the brakes of speakers"),
  Command.withSubcommands([releaseBrake])
)

const approvalId = Argument.String("id").pipe(Argument.withDescription("As `lowtide get approvals` lists it: w-1"))

/** What a person says of an approval is said of what it is now: should it grow meanwhile, nothing is done. */
const approvalNamed = Effect.fnUntraced(function* (id: string) {
  const { items } = yield* ask(yield* serverFlags, (client) => client.fleet.approvals({ query: {} }))
  const approval = items.find((item) => item.id === id)
  if (approval !== undefined) return approval
  return yield* new CliFault({
    exitCode: exitCodes.notFound,
    what: `approval: expected one that waits, found ${JSON.stringify(id)}`,
    next: "list them with `lowtide get approvals`"
  })
})

/** `lowtide approve ID`. */
export const approve = Command.make(
  "approve",
  { id: approvalId, reason },
  Effect.fnUntraced(function* ({ id, reason }) {
    const { revision } = yield* approvalNamed(id)
    const payload = { ...override(reason), revision }
    yield* showOrder(yield* ask(yield* serverFlags, (client) => client.orders.approve({ params: { id }, payload })))
  })
).pipe(
  Command.withDescription(
    "Have withdrawals carried out that are more than the budget allows. Takes the token of a person who did not order them"
  ),
  Command.withExamples([
    {
      command: 'lowtide approve w-1 --reason "shop was shut down, CHG-955"',
      description: "Its addresses are withdrawn now, and no speaker holds them back"
    }
  ])
)

/** `lowtide reject ID`. */
export const reject = Command.make(
  "reject",
  { id: approvalId, reason },
  Effect.fnUntraced(function* ({ id, reason }) {
    const { revision } = yield* approvalNamed(id)
    const payload = { ...override(reason), revision }
    yield* showOrder(yield* ask(yield* serverFlags, (client) => client.orders.reject({ params: { id }, payload })))
  })
).pipe(
  Command.withDescription("Leave announced what withdrawals beyond the budget are about. Takes the token of a person"),
  Command.withExamples([
    {
      command: 'lowtide reject w-1 --reason "the namespace was deleted by mistake"',
      description: "The addresses stay announced, for the Services when they come back"
    }
  ])
)
