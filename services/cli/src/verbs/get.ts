import type { AllocatorView } from "@lowtide/api/allocators"
import type { ApprovalView } from "@lowtide/api/approvals"
import type { LowtideClient } from "@lowtide/api/client"
import { Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { ask } from "../ask.ts"
import { atFlag, readMoment } from "../at.ts"
import { CliFault, exitCodes, Unmet, usageFault } from "../fault.ts"
import { isNamed, type ListTarget, parseListTarget } from "../resource.ts"
import { outputFormat, print, serverFlags } from "../root.ts"
import { Surroundings } from "../surroundings.ts"
import { type Column, formatTable } from "../table.ts"
import { allocatorColumns } from "../tables/allocators.ts"
import { approvalColumns } from "../tables/approvals.ts"
import { evidenceColumns, evidenceNotes } from "../tables/evidence.ts"
import { findingColumns } from "../tables/findings.ts"
import { quotaColumns, reservationColumns, sharedAddressColumns } from "../tables/fleet-objects.ts"
import { nodeColumns } from "../tables/nodes.ts"
import { peerColumns, peerRows } from "../tables/peers.ts"
import { poolColumns } from "../tables/pools.ts"
import { serviceColumns, serviceLines } from "../tables/services.ts"
import { findingLine, orderLines } from "../tables/standing.ts"
import { vipColumns } from "../tables/vips.ts"

/** Which part of the fleet is asked for, as the API takes it. */
interface Scope {
  readonly cluster?: string
  readonly namespace?: string
  readonly at?: string
}

/** `lowtide get TYPE[/NAME]`. */
export const get = Command.make(
  "get",
  {
    target: Argument.String("type").pipe(
      Argument.withDescription(
        "services (svc), pools (po), vips (vi), reservations (res), quotas (qu), sharedaddresses (sa), approvals (ap), peers (pe), nodes (no), findings (fi), evidence (ev) or allocators (al); TYPE/NAME for one"
      )
    ),
    cluster: Flag.String("cluster").pipe(Flag.withDescription("Only this cluster"), Flag.optional),
    namespace: Flag.String("namespace").pipe(
      Flag.withAlias("n"),
      Flag.withDescription("Only this namespace"),
      Flag.optional
    ),
    allNamespaces: Flag.Boolean("all-namespaces").pipe(
      Flag.withAlias("A"),
      Flag.withDescription("Every namespace, as without -n"),
      Flag.withDefault(false)
    ),
    at: atFlag
  },
  Effect.fnUntraced(function* ({ target: text, cluster, namespace, allNamespaces, at }) {
    if (allNamespaces && Option.isSome(namespace)) {
      return yield* usageFault("namespace: expected -n NAMESPACE or -A, found both", "leave one of them out")
    }
    const target = yield* Effect.fromResult(parseListTarget(text)).pipe(
      Effect.mapError((what) => usageFault(what, "see `lowtide get --help`"))
    )
    if (target.type === "allocators" && Option.isSome(at)) {
      return yield* usageFault(
        "--at: expected none with allocators, which are processes of now and are not in the ledger",
        "leave it out; who led is in `lowtide audit export`, by the epoch of each event"
      )
    }
    if (target.type === "evidence" && Option.isSome(at)) {
      return yield* usageFault(
        "--at: expected none with evidence, which is what routers say now and is not in the ledger",
        "leave it out; what nodes had told their routers is in `lowtide history`"
      )
    }
    const scope = {
      ...(Option.isSome(cluster) ? { cluster: cluster.value } : {}),
      ...(Option.isSome(namespace) ? { namespace: namespace.value } : {}),
      ...(yield* readMoment("get", "at", at))
    }
    return yield* list(target, scope)
  })
).pipe(
  Command.withDescription(
    "List services, pools, addresses in use, reservations, quotas, shared addresses, approvals, peers, nodes, findings, evidence or allocators"
  ),
  Command.withExamples([
    {
      command: "lowtide get services -n shop",
      description: "Services of one namespace, their addresses and announcers"
    },
    { command: "lowtide get pools -o wide", description: "Pools with their ranges and what is left in them" },
    { command: "lowtide get node/east/east-1 --json", description: "One node as the API gives it" },
    {
      command: 'lowtide get services --at "2 hours ago"',
      description: "What there was, and who announced it by the wire journal"
    }
  ])
)

const list = Effect.fnUntraced(function* (target: ListTarget, scope: Scope) {
  const { nowMs } = yield* Surroundings
  /** Ages are those that things had then. */
  const thenMs = ({ asOf }: { readonly asOf: string }) => {
    if (scope.at === undefined) return nowMs
    return Date.parse(scope.at.includes("T") ? scope.at : asOf)
  }
  switch (target.type) {
    case "services": {
      const answer = yield* fetchList(target, (client) => client.fleet.services({ query: scope }), serviceName)
      return yield* show(answer, serviceColumns(thenMs(answer)), answer.items, answer.items.flatMap(serviceLines))
    }
    case "pools": {
      const answer = yield* fetchList(target, (client) => client.fleet.pools({ query: scope }), clusterName)
      return yield* show(answer, poolColumns, answer.items, answer.items.flatMap(linesOf))
    }
    case "vips": {
      const { namespace: _, ...query } = scope
      const answer = yield* fetchList(target, (client) => client.fleet.vips({ query }), vipName)
      return yield* show(
        answer,
        vipColumns(thenMs(answer)),
        answer.items,
        scope.at === undefined ? orderLines(answer.items) : []
      )
    }
    case "reservations": {
      const answer = yield* fetchList(target, (client) => client.fleet.reservations({ query: atOf(scope) }), ownName)
      return yield* show(answer, reservationColumns(thenMs(answer)), answer.items, [])
    }
    case "quotas": {
      const answer = yield* fetchList(target, (client) => client.fleet.quotas({ query: atOf(scope) }), ownName)
      return yield* show(answer, quotaColumns(thenMs(answer)), answer.items, [])
    }
    case "sharedaddresses": {
      const answer = yield* fetchList(target, (client) => client.fleet.sharedAddresses({ query: atOf(scope) }), ownName)
      return yield* show(answer, sharedAddressColumns(thenMs(answer)), answer.items, [])
    }
    case "approvals": {
      const answer = yield* fetchList(
        target,
        (client) => client.fleet.approvals({ query: atOf(scope) }),
        ({ id }: ApprovalView) => [id]
      )
      return yield* show(answer, approvalColumns(thenMs(answer)), answer.items, [])
    }
    case "peers": {
      const answer = yield* fetchList(target, (client) => client.fleet.peers({ query: scope }), clusterName)
      return yield* show(answer, peerColumns(thenMs(answer)), peerRows(answer.items), answer.items.flatMap(linesOf))
    }
    case "nodes": {
      const { namespace: _, ...query } = scope
      const answer = yield* fetchList(target, (client) => client.fleet.nodes({ query }), clusterName)
      return yield* show(answer, nodeColumns(thenMs(answer)), answer.items, answer.items.flatMap(linesOf))
    }
    case "allocators": {
      const answer = yield* fetchList(
        target,
        (client) => client.centre.allocators({}),
        ({ name }: AllocatorView) => [name]
      )
      return yield* show(answer, allocatorColumns(nowMs), answer.items, [])
    }
    case "evidence": {
      const { namespace: _, ...query } = scope
      const answer = yield* fetchList(target, (client) => client.fleet.evidence({ query }), evidenceName)
      return yield* show(answer, evidenceColumns(nowMs), answer.items, evidenceNotes(answer))
    }
    case "findings": {
      const answer = yield* fetchList(target, (client) => client.fleet.findings({ query: scope }), findingName)
      yield* show(answer, findingColumns(thenMs(answer)), answer.items, (answer.lacks ?? []).map(lackNote))
      if (answer.items.length > 0) return yield* new Unmet()
    }
  }
})

const lackNote = (code: string): string =>
  `note: there may be more of ${code}: an allocator answered that does not lead, and the leader alone knows all of them; \`lowtide recover\` asks it`

interface ClusterObject {
  readonly cluster: string
  readonly name: string
}

const clusterName = ({ cluster, name }: ClusterObject): ReadonlyArray<string> => [cluster, name]

const serviceName = ({ cluster, namespace, name }: ClusterObject & { readonly namespace: string }) => [
  cluster,
  namespace,
  name
]

/** What is of no cluster is asked for by time alone. */
const atOf = ({ at }: Scope) => (at === undefined ? {} : { at })

const ownName = ({ name }: { readonly name: string }): ReadonlyArray<string> => [name]

const vipName = ({ address }: { readonly address: string }): ReadonlyArray<string> => [address]

/** By its address: a VIP, or the prefix that it is announced by. */
const evidenceName = ({ prefix }: { readonly prefix: string }): ReadonlyArray<string> => [prefix.replace(/\/.*$/, "")]

const findingName = (found: {
  readonly cluster: string
  readonly object: { readonly namespace?: string; readonly name: string }
}) => [found.cluster, ...(found.object.namespace === undefined ? [] : [found.object.namespace]), found.object.name]

const linesOf = ({
  cluster,
  findings
}: {
  readonly cluster: string
  readonly findings: ReadonlyArray<Parameters<typeof findingLine>[1]>
}) => findings.map((found) => findingLine(cluster, found))

/** The list, or what of it the name in `TYPE/NAME` means. */
const fetchList = <
  Item,
  Answer extends { readonly items: ReadonlyArray<Item> },
  E extends { readonly _tag: string; readonly message: string }
>(
  { type, name }: ListTarget,
  question: (client: LowtideClient["Service"]) => Effect.Effect<Answer, E>,
  nameOf: (item: Item) => ReadonlyArray<string>
) =>
  Effect.gen(function* () {
    const answer = yield* ask(yield* serverFlags, question)
    if (name.length === 0) return answer
    const items = answer.items.filter((item) => isNamed(name, nameOf(item)))
    if (items.length > 0) return { ...answer, items }
    const what = `${type}: expected one that is there, found ${name.join("/")}`
    return yield* new CliFault({ exitCode: exitCodes.notFound, what, next: `list them with \`lowtide get ${type}\`` })
  })

/** The table, or the answer as JSON; beside a table, what is wrong goes in full to the error stream. */
const show = <Row>(
  answer: { readonly items: ReadonlyArray<unknown>; readonly reportsSince?: string | null | undefined },
  columns: ReadonlyArray<Column<Row>>,
  rows: ReadonlyArray<Row>,
  notes: ReadonlyArray<string>
) =>
  Effect.gen(function* () {
    const { hasColour, screenColumns, err } = yield* Surroundings
    yield* print(answer, (format) =>
      rows.length === 0 ? "" : formatTable(columns, rows, { isWide: format === "wide", hasColour, screenColumns })
    )
    if (rows.length === 0) err("nothing found")
    if (answer.reportsSince != null) {
      err(
        `note: what nodes had told their routers before ${answer.reportsSince} is not kept: sessions and announcements from before then are missing here`
      )
    }
    if ((yield* outputFormat) !== "json") for (const note of notes) err(note)
  })
