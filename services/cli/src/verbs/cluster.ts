import { parseName } from "@lowtide/domain/config/syntax"
import { listText } from "@lowtide/domain/words"
import { Effect, Option, Result } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { ask } from "../ask.ts"
import { CliFault, exitCodes, usageFault } from "../fault.ts"
import { offline, outFlag } from "../installation/offline.ts"
import { reasonFlag } from "../reason.ts"
import { print, serverFlags } from "../root.ts"
import { Surroundings } from "../surroundings.ts"

const clusterArgument = Argument.String("name").pipe(Argument.withDescription("The cluster's name"))

const checkName = (name: string) =>
  Effect.fromResult(Result.mapError(parseName(name), (what) => usageFault(`name: ${what}`, "for example east")))

/** `lowtide cluster add NAME`. */
const add = Command.make(
  "add",
  { name: clusterArgument, out: outFlag },
  Effect.fnUntraced(function* ({ name, out }) {
    yield* checkName(name)
    const answer = yield* offline(async () => {
      const { addUsers, reloadCommand } = await import("../installation/nats-access.ts")
      const { writeTrustFile } = await import("../installation/trust-files.ts")
      const { pathsIn } = await import("../installation/files.ts")
      const trustFile = writeTrustFile(out, name) // first: without keys there is nothing to give
      const seeds = addUsers(out, name)
      return {
        cluster: name,
        seeds,
        trustFile,
        natsUsersFile: pathsIn(out).natsUsers,
        reload: reloadCommand
      }
    })
    yield* print(answer, () =>
      [
        ...answer.seeds.map(seedLine),
        `trust file of every process of ${name}: ${answer.trustFile}`,
        `nats-server includes ${answer.natsUsersFile}; tell it: ${answer.reload}`,
        `what ${name} may announce is said by: lowtide cluster allow ${name} PREFIX... --out ${out}`
      ].join("\n")
    )
  })
).pipe(
  Command.withDescription(
    "Make a cluster's credentials and the server's file of users, offline; what is there stays as it is"
  ),
  Command.withExamples([
    { command: "lowtide cluster add east --out install", description: "Credentials for the agent and speakers of east" }
  ])
)

export const seedLine = ({
  user,
  seedFile,
  state
}: {
  readonly user: string
  readonly seedFile: string
  readonly state: string
}) =>
  state === "elsewhere" ? `${user}: keeps its key; its seed is not here` : `${user}: its seed is ${state}: ${seedFile}`

/** `lowtide cluster rotate NAME`. */
const rotate = Command.make(
  "rotate",
  {
    name: clusterArgument,
    out: outFlag,
    finish: Flag.Boolean("finish").pipe(
      Flag.withDescription("The processes have the new seeds: the old keys are good no more"),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function* ({ name, out, finish }) {
    yield* checkName(name)
    const answer = yield* offline(async () => {
      const { rotateUsers, reloadCommand } = await import("../installation/nats-access.ts")
      const { pathsIn } = await import("../installation/files.ts")
      const seeds = rotateUsers(out, name, finish ? "finish" : "begin")
      return { cluster: name, finished: finish, seeds, natsUsersFile: pathsIn(out).natsUsers, reload: reloadCommand }
    })
    yield* print(answer, () =>
      [
        ...(finish ? [`the old keys of ${name} are taken away`] : answer.seeds.map(seedLine)),
        `nats-server includes ${answer.natsUsersFile}; tell it: ${answer.reload}`,
        ...(finish
          ? []
          : [
              `then give the seeds to the processes of ${name}, and: lowtide cluster rotate ${name} --finish --out ${out}`
            ])
      ].join("\n")
    )
  })
).pipe(
  Command.withDescription("Exchange a cluster's keys for NATS: both are good until --finish"),
  Command.withExamples([
    { command: "lowtide cluster rotate east --out install", description: "New seeds beside the old ones" },
    { command: "lowtide cluster rotate east --finish --out install", description: "Only the new ones are good" }
  ])
)

/** `lowtide cluster remove NAME`. */
const remove = Command.make(
  "remove",
  {
    name: clusterArgument,
    out: outFlag,
    reason: reasonFlag("Why it goes though it holds addresses, or though no allocator can be asked").pipe(Flag.optional)
  },
  Effect.fnUntraced(function* ({ name, out, reason }) {
    const { user, nowMs } = yield* Surroundings
    yield* checkName(name)
    const held = Option.isSome(reason) ? null : yield* heldBy(name)
    if (held !== null && held > 0) {
      return yield* new CliFault({
        exitCode: exitCodes.conflict,
        what: `cluster ${name}: expected one that holds no address, found ${held} that are not free`,
        next: "release them first, or say with --reason why it goes all the same: its speakers keep announcing what they hold"
      })
    }
    const answer = yield* offline(async () => {
      const { reloadCommand, removeUsers } = await import("../installation/nats-access.ts")
      const { pathsIn } = await import("../installation/files.ts")
      const time = new Date(nowMs).toISOString()
      removeUsers(out, name, { time, user, cluster: name, reason: Option.getOrNull(reason) })
      return { cluster: name, natsUsersFile: pathsIn(out).natsUsers, reload: reloadCommand }
    })
    yield* print(answer, () =>
      [
        `${name} has no users any more, and its credentials are deleted`,
        `nats-server includes ${answer.natsUsersFile}; tell it: ${answer.reload}`
      ].join("\n")
    )
  })
).pipe(
  Command.withDescription(
    "Take a cluster's users and credentials away; refused while an allocator says that it holds addresses"
  ),
  Command.withExamples([
    { command: "lowtide cluster remove west --out install", description: "A cluster whose Services are gone" },
    {
      command: 'lowtide cluster remove west --out install --reason "burnt down"',
      description: "Without asking an allocator"
    }
  ])
)

/** How many addresses an allocator knows a cluster to have, those that are not free again included. */
const heldBy = Effect.fnUntraced(function* (name: string) {
  const answer = yield* ask(yield* serverFlags, (client) =>
    client.fleet.vips({ query: { cluster: name } }).pipe(
      Effect.map(({ items }) => items.length),
      Effect.catchTag("NotFoundProblem", () => Effect.succeed(0)) // it never spoke
    )
  )
  return answer
})

/** `lowtide cluster allow NAME PREFIX...`. */
const allow = Command.make(
  "allow",
  {
    name: clusterArgument,
    prefixes: Argument.String("prefix").pipe(
      Argument.withDescription("Everything that the cluster may announce: 192.0.2.0/24 2001:db8::/64"),
      Argument.atLeast(1)
    ),
    out: outFlag,
    installKey: Flag.String("install-key").pipe(
      Flag.withDescription("The installation's private key, PEM; else install.pem of the folder"),
      Flag.optional
    )
  },
  Effect.fnUntraced(function* ({ name, prefixes, out, installKey }) {
    yield* checkName(name)
    const answer = yield* offline(async () => {
      const { allowPrefixes } = await import("../installation/trust-files.ts")
      const installKeyFile = Option.getOrUndefined(installKey)
      return { cluster: name, ...allowPrefixes({ folder: out, cluster: name, prefixes, installKeyFile }) }
    })
    yield* print(answer, () =>
      [
        `${name} may announce ${answer.prefixes.join(", ")}: ${answer.file}`,
        ...(answer.narrowed.length === 0
          ? []
          : [
              `no longer allowed as a whole: ${answer.narrowed.join(", ")}; a node withdraws what is outside as soon as it reads the file`
            ]),
        ...(answer.onlyKnown.length === 0
          ? []
          : [
              `${name} has no credentials in ${out}, only ${listText(answer.onlyKnown)} ${answer.onlyKnown.length === 1 ? "has" : "have"}: delete the file if the name is mistyped, else run: lowtide cluster add ${name} --out ${out}`
            ])
      ].join("\n")
    )
  })
).pipe(
  Command.withDescription("Sign the list of what a cluster may announce, offline; it replaces the former list"),
  Command.withExamples([
    { command: "lowtide cluster allow east 192.0.2.0/24 --out install", description: "Nothing but 192.0.2.0/24" }
  ])
)

/** `lowtide cluster`. */
export const cluster = Command.make("cluster").pipe(
  Command.withDescription("Credentials of clusters, and what they may announce; offline, but for what `remove` asks"),
  Command.withSubcommands([add, rotate, remove, allow])
)
