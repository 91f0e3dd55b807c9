import { randomBytes } from "node:crypto"
import { closeSync, fchmodSync, lstatSync, openSync, renameSync, rmSync, writeSync } from "node:fs"
import { exportQuery } from "@lowtide/api/audit"
import { Effect, Option, Stream } from "effect"
import { Command, Flag } from "effect/cli"
import { ask } from "../ask.ts"
import { momentFlag, readActor, readCorrelation, readMoment } from "../at.ts"
import { type CliFault, usageFault } from "../fault.ts"
import { judgeRequest } from "../request.ts"
import { serverFlags } from "../root.ts"
import { Surroundings } from "../surroundings.ts"

/** `--out`. */
export const outFlag = Flag.String("out").pipe(
  Flag.withDescription("File to write to, instead of the output"),
  Flag.optional
)

const filterFlag = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(description), Flag.optional)

const filters = {
  address: filterFlag("address", "Only events about this address, or the addresses of this prefix"),
  network: filterFlag("network", "Only this network"),
  cluster: filterFlag("cluster", "Only this cluster"),
  namespace: filterFlag("namespace", "Only this namespace").pipe(Flag.withAlias("n")),
  service: filterFlag("service", "Only this Service: [CLUSTER/]NAMESPACE/NAME, or its name beside --namespace"),
  pool: filterFlag("pool", "Only this pool"),
  actor: filterFlag("actor", "Only what this actor did: person:ada, agent:east, allocator"),
  correlation: filterFlag("correlation", "Only what one look at the source led to, by its id"),
  type: filterFlag("type", "Only events of this type"),
  journal: Flag.Literals("journal", ["wire"]).pipe(
    Flag.withDescription("What routers were told, instead of the ledger; with --address, --network, --cluster"),
    Flag.optional
  )
}

/** `lowtide audit export`. */
export const exportVerb = Command.make(
  "export",
  {
    ...filters,
    since: momentFlag("since", "From then on"),
    until: momentFlag("until", "Up to and with"),
    at: momentFlag("at", "As the log was then"),
    after: Flag.Int("after").pipe(Flag.withDescription("Only events after this seq, to go on"), Flag.optional),
    format: Flag.Literals("format", ["ndjson", "csv"]).pipe(
      Flag.withDescription("A JSON object a line, or CSV"),
      Flag.withDefault("ndjson")
    ),
    out: outFlag
  },
  Effect.fnUntraced(function* ({ since, until, at, after, format, out, ...given }) {
    const { user, write } = yield* Surroundings
    yield* readCorrelation("audit export", given.correlation)
    const kept = yield* withService(given)
    const query = {
      ...Object.fromEntries(
        Object.entries({ ...kept, actor: readActor(kept.actor) }).flatMap(([name, value]) =>
          Option.isSome(value) ? [[name, value.value]] : []
        )
      ),
      ...(Option.isSome(after) ? { after: after.value } : {}),
      ...(yield* readMoment("audit export", "since", since)),
      ...(yield* readMoment("audit export", "until", until)),
      ...(yield* readMoment("audit export", "at", at)),
      format
    }
    yield* judgeRequest("audit export", exportQuery, query)
    const server = yield* serverFlags
    const readAll = (put: (octets: Uint8Array) => Effect.Effect<void, CliFault>) =>
      ask(
        server,
        (client) =>
          client.audit
            .export({ query, headers: { "x-lowtide-user": user } })
            .pipe(Effect.flatMap(Stream.runForEach(put))),
        true
      )
    if (Option.isNone(out)) return yield* readAll((octets) => Effect.promise(() => write(octets)))
    const path = out.value
    const { file, draft } = yield* writing(path, () => openOut(path))
    yield* readAll((octets) => writing(path, () => void writeSync(file, octets))).pipe(
      Effect.ensuring(Effect.sync(() => closeSync(file))),
      Effect.andThen(draft === undefined ? Effect.void : writing(path, () => renameSync(draft, path))),
      Effect.onError(() => Effect.sync(() => draft !== undefined && rmSync(draft, { force: true })))
    )
  })
).pipe(
  Command.withDescription("Write the ledger's events, the oldest first; that they were read is an event itself"),
  Command.withExamples([
    { command: "lowtide audit export --out log.ndjson", description: "Everything, for `audit verify`" },
    { command: "lowtide audit export --cluster east --since 24h --format csv", description: "A day of one cluster" },
    { command: "lowtide audit export --service east/shop/web", description: "All that is of one Service" }
  ])
)

/** Filters of which each stands for itself: a Service that is named in full brings its namespace, and its cluster. */
const withService = <Given extends ServiceFilters>(given: Given): Effect.Effect<Given, CliFault> => {
  const parts = Option.getOrElse(given.service, () => "").split("/")
  if (parts.length === 1) return Effect.succeed(given)
  const [name, namespace, cluster] = parts.toReversed()
  const twice =
    (Option.isSome(given.namespace) && given.namespace.value !== namespace) ||
    (cluster !== undefined && Option.isSome(given.cluster) && given.cluster.value !== cluster)
  if (parts.length > 3 || parts.includes("") || twice) {
    return usageFault(
      `--service: expected [CLUSTER/]NAMESPACE/NAME${twice ? " of the namespace and cluster asked for" : ""}, found ${JSON.stringify(parts.join("/"))}`,
      "for example --service east/shop/web"
    )
  }
  return Effect.succeed({
    ...given,
    service: Option.some(name),
    namespace: Option.some(namespace),
    cluster: cluster === undefined ? given.cluster : Option.some(cluster)
  } as Given)
}

type ServiceFilters = Readonly<Record<"service" | "namespace" | "cluster", Option.Option<string>>>

/**
 * Where an export goes. A plain file stays as it was until all of it has come, since half an export is none, and may then be read by
 * those who might before. A device, a pipe and what a link leads to take it as it comes.
 */
const openOut = (path: string): { readonly file: number; readonly draft: string | undefined } => {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found !== undefined && !found.isFile()) return { file: openSync(path, "w"), draft: undefined }
  const draft = `${path}.${randomBytes(6).toString("hex")}.part`
  if (found === undefined) return { file: openSync(draft, "wx"), draft }
  const file = openSync(draft, "wx", 0o600)
  fchmodSync(file, found.mode & 0o777)
  return { file, draft }
}

/** Does what concerns the file of `--out`; one that cannot be written is usage. */
export const writing = <A>(path: string, write: () => A): Effect.Effect<A, CliFault> =>
  Effect.try({
    try: write,
    catch: (cause) =>
      usageFault(
        `--out ${path}: expected a file that can be written, found ${(cause as Error).message}`,
        "check the path"
      )
  })
