import { Effect, Result } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { ask } from "../ask.ts"
import { usageFault } from "../fault.ts"
import { offline, outFlag } from "../installation/offline.ts"
import { print, serverFlags } from "../root.ts"
import { Surroundings } from "../surroundings.ts"
import { formatTable } from "../table.ts"
import { keyColumns } from "../tables/keys.ts"

const idArgument = Argument.String("id").pipe(
  Argument.withDescription("The key's name, such as 2026-1; `install` is the installation's own")
)

const parseKeyId = (text: string): Result.Result<string, string> =>
  /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(text)
    ? Result.succeed(text)
    : Result.fail(`expected letters, digits, ".", "_" and "-", at most 63, found ${JSON.stringify(text)}`)

const checkId = (id: string) =>
  Effect.fromResult(Result.mapError(parseKeyId(id), (what) => usageFault(`id: ${what}`, "for example 2026-1")))

/** `lowtide key new ID`. */
const make = Command.make(
  "new",
  { id: idArgument, out: outFlag },
  Effect.fnUntraced(function* ({ id, out }) {
    yield* checkId(id)
    const answer = yield* offline(async () => {
      const { installKeyId, makeKey, writeTrustFiles } = await import("../installation/trust-files.ts")
      const files = makeKey(out, id)
      return { id, ...files, trustFiles: id === installKeyId ? [] : writeTrustFiles(out) }
    })
    yield* print(answer, () =>
      [
        `private: ${answer.privateFile}`,
        `public:  ${answer.publicFile}`,
        ...answer.trustFiles.map((file) => `believed by: ${file}`)
      ].join("\n")
    )
  })
).pipe(
  Command.withDescription(
    "Make a key pair, offline; every cluster's trust file of the folder believes it from then on"
  ),
  Command.withExamples([
    { command: "lowtide key new install --out install", description: "The installation's own key" },
    { command: "lowtide key new 2026-1 --out install", description: "A key for the allocator to sign intents with" }
  ])
)

/** `lowtide key retire ID`. */
const retire = Command.make(
  "retire",
  {
    id: idArgument,
    out: outFlag,
    isStolen: Flag.Boolean("stolen").pipe(
      Flag.withDescription("Somebody else may have it: the allocators believe it no more either"),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function* ({ id, out, isStolen }) {
    yield* checkId(id)
    const answer = yield* offline(async () => {
      const { retireKey } = await import("../installation/trust-files.ts")
      return { id, trustFiles: retireKey(out, id, isStolen) }
    })
    // Retired before, it is the allocators' alone, and no node withdraws anything.
    const isOfNodes = answer.trustFiles.length > 1
    yield* print(answer, () =>
      [
        isStolen ? `${id} is believed by nobody` : `${id} is believed no more by clusters`,
        ...answer.trustFiles.map((file) => `changed: ${file}`),
        ...(isOfNodes
          ? [
              `a node that reads its file withdraws what ${id} alone has signed; how much that is: lowtide key list --in-use --out ${out}`
            ]
          : [])
      ].join("\n")
    )
  })
).pipe(
  Command.withDescription(
    "Take a key out of every cluster's trust file, offline; first see with `key list --in-use` that nothing rests on it"
  ),
  Command.withExamples([{ command: "lowtide key retire 2026-1 --out install", description: "After a rotation" }])
)

/** `lowtide key list`. */
const list = Command.make(
  "list",
  {
    out: outFlag,
    isInUse: Flag.Boolean("in-use").pipe(
      Flag.withDescription(
        "Ask an allocator how much rests on each key: messages in effect that it has signed, and nodes that announce by it"
      ),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function* ({ out, isInUse }) {
    const { hasColour, screenColumns } = yield* Surroundings
    const answer = isInUse ? yield* ask(yield* serverFlags, (client) => client.centre.ledger()) : undefined
    const signers = new Map(answer?.signers.map((signer) => [signer.keyId, signer]))
    const keys = yield* offline(async () =>
      (await import("../installation/trust-files.ts")).listKeys(out, [...signers.keys()])
    )
    const untold = answer?.signersUntold.map(({ cluster, node }) => `${cluster}/${node}`)
    const items = keys.map((standing) => ({
      ...standing,
      ...(isInUse && standing.signs === "intents"
        ? { messages: signers.get(standing.id)?.messages ?? 0, nodes: signers.get(standing.id)?.nodes ?? 0 }
        : { messages: null, nodes: null })
    }))
    yield* print({ items, ...(untold === undefined ? {} : { untold }) }, (format) =>
      [
        formatTable(keyColumns(isInUse), items, { isWide: format === "wide", hasColour, screenColumns }),
        ...untoldLine(untold)
      ].join("\n")
    )
  })
).pipe(
  Command.withDescription("Show the keys, what they sign, since when, and which clusters believe them"),
  Command.withExamples([
    { command: "lowtide key list --out install", description: "From the folder alone" },
    { command: "lowtide key list --out install --in-use", description: "Before a key is retired: who needs it still" }
  ])
)

/** Who may need a key without having said so. */
const untoldLine = (untold: ReadonlyArray<string> = []): ReadonlyArray<string> => {
  if (untold.length === 0) return []
  const names = [...untold.slice(0, namedMax), ...(untold.length > namedMax ? ["..."] : [])].join(", ")
  const who = untold.length === 1 ? "1 node has" : `${untold.length} nodes have`
  return [`${who} not told who signed what is in effect there: ${names}. Retire no key before that is known.`]
}

const namedMax = 10

/** `lowtide key`. */
export const key = Command.make("key").pipe(
  Command.withDescription("Keys that sign intents and what clusters may announce"),
  Command.withSubcommands([make, list, retire])
)
