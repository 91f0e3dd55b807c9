import { Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { offline, outFlag } from "../installation/offline.ts"
import { print } from "../root.ts"
import { seedLine } from "./cluster.ts"

/** `lowtide allocator rotate`. */
const rotate = Command.make(
  "rotate",
  {
    out: outFlag,
    finish: Flag.Boolean("finish").pipe(
      Flag.withDescription("Every allocator has the new seed: the old key is good no more"),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function* ({ out, finish }) {
    const answer = yield* offline(async () => {
      const { reloadCommand, rotateAllocator } = await import("../installation/nats-access.ts")
      const { pathsIn } = await import("../installation/files.ts")
      const seeds = rotateAllocator(out, finish ? "finish" : "begin")
      return { finished: finish, seeds, natsUsersFile: pathsIn(out).natsUsers, reload: reloadCommand }
    })
    yield* print(answer, () =>
      [
        ...(finish ? ["the old key of the allocator is taken away"] : answer.seeds.map(seedLine)),
        `nats-server includes ${answer.natsUsersFile}; tell it: ${answer.reload}`,
        ...(finish
          ? []
          : [`then give the seed to every allocator, and: lowtide allocator rotate --finish --out ${out}`])
      ].join("\n")
    )
  })
).pipe(
  Command.withDescription("Exchange the allocator's key for NATS, offline: both are good until --finish"),
  Command.withExamples([
    { command: "lowtide allocator rotate --out install", description: "A new seed beside the old one" },
    { command: "lowtide allocator rotate --finish --out install", description: "Only the new one is good" }
  ])
)

/** `lowtide allocator`. */
export const allocator = Command.make("allocator").pipe(
  Command.withDescription("Credentials of the allocator; all offline"),
  Command.withSubcommands([rotate])
)
