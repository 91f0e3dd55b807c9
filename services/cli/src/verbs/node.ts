import type { NodeOrderAnswer, NodeTruth } from "@lowtide/api/node-truth"
import type { WithheldOrder } from "@lowtide/api/withheld"
import { plural } from "@lowtide/domain/words"
import { parseAddresses, prefixesMeet } from "@lowtide/net"
import { Effect, Option, Result } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { askNode, socketFlag } from "../ask-node.ts"
import { CliFault, exitCodes, Unmet, usageFault } from "../fault.ts"
import { formatAge } from "../moment.ts"
import { reasonFlag } from "../reason.ts"
import { print } from "../root.ts"
import { Surroundings } from "../surroundings.ts"
import { formatTable } from "../table.ts"
import { retire } from "./orders.ts"

const status = Command.make(
  "status",
  { socket: socketFlag },
  Effect.fnUntraced(function* ({ socket }) {
    const { nowMs } = yield* Surroundings
    const truth: NodeTruth = yield* askNode(socket, ({ node }) => node.truth())
    const { withheld, isQuiet, brake } = truth
    yield* print(truth, () => statusText(truth, (instant) => `${formatAge(Date.parse(instant), nowMs)} ago`))
    if (withheld.length > 0 || isQuiet || brake !== null) return yield* new Unmet()
  })
).pipe(
  Command.withDescription(
    "At the node: what it announces, by which intents and keys, how old they are, what is held back or withheld; exit 1 when something is. Needs neither centre nor NATS"
  ),
  Command.withExamples([
    { command: "sudo lowtide node status", description: "The speaker of this node, by its own socket" }
  ])
)

const statusText = (truth: NodeTruth, ago: (instant: string) => string): string => {
  const { sessions, announcing, prefixes, intents, verdicts, sync, agreedAt, stamp, signers, trustedKeys } = truth
  const { brake, isQuiet, excluded, refused, withheld } = truth
  const lines: ReadonlyArray<readonly [string, string]> = [
    ["node", `${truth.cluster}/${truth.node}, speaker running since ${ago(truth.startedAt)}`],
    [
      "announces",
      `${plural(announcing.length, "address", "addresses")} (${plural(prefixes, "prefix", "prefixes")}) on ${sessions.up} of ${plural(sessions.total, "session")}`
    ],
    ["intents", `${intents}: ${verdicts.map(({ verdict, vips }) => `${vips} ${verdict}`).join(", ") || "none"}`],
    [
      "stamp",
      stamp === null
        ? "none: nothing was ever told"
        : `${stamp.incarnation}/${stamp.epoch}/${stamp.seq}, message ${truth.cseq}`
    ],
    ["agreed", `${agreedAt === null ? "not known" : ago(agreedAt)} (${sync})`],
    ["signed by", signers.join(", ") || "-"],
    ["trusts", trustedKeys.join(", ") || "-"],
    [
      "brake",
      brake === null
        ? "holds nothing"
        : `holds ${plural(brake.held, "message")} back since ${ago(brake.since)} (LT0406)`
    ],
    ["excluded", excluded ?? "no"],
    ...(isQuiet
      ? [
          [
            "quiet",
            "announces nothing before the centre has spoken: what the disk has is old, or may be, or some of it is lost (LT0409)"
          ] as const
        ]
      : []),
    [
      "refused",
      refused.at(-1) === undefined
        ? "nothing"
        : `${refused.length} lately, the last ${ago(refused.at(-1)?.at ?? "")}: ${refused.at(-1)?.code} ${refused.at(-1)?.message}`
    ],
    ["withheld", withheld.length === 0 ? "nothing" : `${plural(withheld.length, "order")} by hand (LT0408)`]
  ]
  const width = Math.max(...lines.map(([name]) => name.length))
  return [
    ...lines.map(([name, text]) => `${name.padEnd(width)}  ${text}`),
    ...(withheld.length === 0 ? [] : [withheldTable(withheld, ago)])
  ].join("\n")
}

const withheldTable = (orders: ReadonlyArray<WithheldOrder>, ago: (instant: string) => string): string =>
  formatTable<WithheldOrder>(
    [
      { title: "WITHHELD", cell: ({ prefix }) => prefix ?? "(all)" },
      { title: "SINCE", cell: ({ since }) => ago(since) },
      { title: "BY", cell: ({ actor }) => actor },
      { title: "REASON", cell: ({ reason }) => reason }
    ],
    orders,
    { isWide: false, hasColour: false, screenColumns: undefined }
  )

const orderFlags = {
  prefix: Argument.String("prefix").pipe(
    Argument.withDescription("An address or a prefix: every route in it"),
    Argument.optional
  ),
  all: Flag.Boolean("all").pipe(Flag.withDescription("Every route of the node"), Flag.withDefault(false)),
  reason: reasonFlag("Why, in your own words; it is kept and shown with it"),
  socket: socketFlag
}

/** What an order is about; null: everything. */
const readPrefix = (verb: string, prefix: Option.Option<string>, all: boolean) => {
  if (all === Option.isSome(prefix)) {
    const found = all ? "both" : "neither"
    return usageFault(`prefix: expected PREFIX or --all, found ${found}`, `see \`lowtide node ${verb} --help\``)
  }
  if (Option.isNone(prefix)) return Effect.succeed(null)
  const parsed = parseAddresses(prefix.value)
  return Result.isSuccess(parsed)
    ? Effect.succeed(prefix.value)
    : usageFault(`prefix: ${parsed.failure}`, "for example 192.0.2.10, 192.0.2.0/24 or 2001:db8::10")
}

/** What became of an order, in words; what is not as it should be goes to the error stream. */
const showOrder = Effect.fnUntraced(function* (answer: NodeOrderAnswer, done: string) {
  const { err } = yield* Surroundings
  const { prefixes, peers, aggregates, isSaved } = answer
  const of = (state: string) => peers.filter((peer) => peer.state === state).map(({ peer }) => peer)
  yield* print(answer, () => {
    const what = `${done} ${plural(prefixes.length, "prefix", "prefixes")}${prefixes.length === 0 ? "" : `: ${prefixes.join(", ")}`}`
    const told = of("written").length === 0 ? "" : `; written to ${of("written").join(", ")}`
    return `${what}${told}`
  })
  if (of("down").length > 0) {
    err(
      `note: no session with ${of("down").join(", ")}: a router keeps what it has for the hold time, or the restart time`
    )
  }
  if (aggregates.length > 0)
    err(`note: ${aggregates.join(", ")} holds it and is announced on; name that to take it away`)
  if (!isSaved) {
    return yield* new CliFault({
      exitCode: exitCodes.unmet,
      what: "it is done, and the node's disk did not take it: a restart of the speaker would forget it",
      next: "make room in its state folder and order it again"
    })
  }
  if (of("waiting").length > 0) {
    return yield* new CliFault({
      exitCode: exitCodes.timeout,
      what: `${of("waiting").join(", ")} has a session and takes nothing: whether it knows is not known`,
      next: "see `lowtide bgp peers --node-local`; it is told as soon as it reads"
    })
  }
})

const withdraw = Command.make(
  "withdraw",
  orderFlags,
  Effect.fnUntraced(function* ({ prefix: text, all, reason, socket }) {
    const prefix = yield* readPrefix("withdraw", text, all)
    const answer = yield* askNode(socket, ({ node }) => node.withdraw({ payload: { prefix, reason } }))
    yield* showOrder(answer, "withdrew")
    const { err } = yield* Surroundings
    if (answer.prefixes.length === 0) {
      err("note: nothing of that was announced; it is withheld from now on all the same")
    }
  })
).pipe(
  Command.withDescription(
    "At the node: take routes away at once, and keep them away over restarts, whatever the centre says, until `lowtide node restore`"
  ),
  Command.withExamples([
    {
      command: 'sudo lowtide node withdraw 192.0.2.10 --reason "attack, INC-42"',
      description: "One address; other nodes announce it on"
    },
    {
      command: 'sudo lowtide node withdraw --all --reason "bad NIC"',
      description: "Everything that this node announces"
    }
  ])
)

/** Whether an order, null: of everything, keeps something of a prefix away. */
const meets = (order: string | null, prefix: string): boolean =>
  order === null ||
  Result.getOrElse(
    Result.map(Result.all([parseAddresses(order), parseAddresses(prefix)]), ([held, asked]) =>
      prefixesMeet(held, asked)
    ),
    () => false
  )

const restore = Command.make(
  "restore",
  orderFlags,
  Effect.fnUntraced(function* ({ prefix: text, all, reason, socket }) {
    const prefix = yield* readPrefix("restore", text, all)
    const answer = yield* askNode(socket, ({ node }) => node.restore({ payload: { prefix, reason } }))
    yield* showOrder(answer, "restored")
    const { err } = yield* Surroundings
    for (const order of answer.withheld) {
      if (prefix === null || !meets(order.prefix, prefix)) continue
      const [what, name] = order.prefix === null ? ["everything", "--all"] : [order.prefix, order.prefix]
      err(`note: ${what} is withheld by another order (${order.reason}) until \`lowtide node restore ${name}\``)
    }
  })
).pipe(
  Command.withDescription(
    "At the node: give back what was withdrawn by hand, by the same PREFIX, or everything; --all as well lets a node announce whose saved state is old"
  ),
  Command.withExamples([
    {
      command: 'sudo lowtide node restore 192.0.2.10 --reason "INC-42 is over"',
      description: "As the centre wants it from now on"
    },
    { command: 'sudo lowtide node restore --all --reason "new NIC"', description: "Everything" }
  ])
)

/** `lowtide node VERB`. */
export const node = Command.make("node").pipe(
  Command.withDescription("Orders about nodes; at a node itself its state, and break-glass"),
  Command.withSubcommands([status, withdraw, restore, retire])
)
