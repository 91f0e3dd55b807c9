import { existsSync } from "node:fs"
import { Role } from "@lowtide/api/access"
import { type TokenHolder, TokenName } from "@lowtide/api/tokens"
import { Effect, Option, Result, Schema } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { usageFault } from "../fault.ts"
import { offline } from "../installation/offline.ts"
import { parseExpiry } from "../moment.ts"
import { print } from "../root.ts"
import { Surroundings } from "../surroundings.ts"
import { formatTable } from "../table.ts"
import { tokenColumns } from "../tables/tokens.ts"

const tokensFlag = Flag.String("tokens").pipe(
  Flag.withDescription("The tokens file, LOWTIDE_TOKENS_FILE of the allocator, which takes it as soon as it is written")
)

const nameArgument = Argument.String("name").pipe(Argument.withDescription("Whose it is, as the log names who acts"))

const decodeName = Schema.decodeUnknownResult(TokenName)

const checkName = (name: string) =>
  Effect.fromResult(
    Result.mapError(decodeName(name), ({ message }) => usageFault(`name: ${message}`, "for example ada"))
  )

const limitFlag = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(description), Flag.atLeast(0))

/** `lowtide token new NAME`. */
const make = Command.make(
  "new",
  {
    name: nameArgument,
    kind: Flag.Literals("kind", ["person", "machine"]).pipe(
      Flag.withDescription("Some orders are a person's alone, who answers for them")
    ),
    role: Flag.Literals("role", Role.literals).pipe(
      Flag.withDescription("What it may: reader, operator, admin, each what the ones before it may")
    ),
    clusters: limitFlag("cluster", "Only for this cluster; again for more; all without"),
    pools: limitFlag("pool", "Only for this pool; again for more; all without"),
    expires: Flag.String("expires").pipe(
      Flag.withDescription("When it ends: 90d, 12h, or a time; never without"),
      Flag.optional
    ),
    tokens: tokensFlag
  },
  Effect.fnUntraced(function* ({ name, kind, role, clusters, pools, expires, tokens }) {
    const { nowMs, err } = yield* Surroundings
    yield* checkName(name)
    const ends = Option.isNone(expires)
      ? {}
      : {
          expires: yield* Effect.fromResult(
            Result.mapError(parseExpiry(expires.value, nowMs), (what) =>
              usageFault(`--expires: ${what}`, "for example --expires 90d")
            )
          )
        }
    const grant = {
      role,
      ...(clusters.length === 0 ? {} : { clusters }),
      ...(pools.length === 0 ? {} : { pools })
    }
    const holder: Omit<TokenHolder, "sha256"> = { name, kind, ...ends, roles: [grant] }
    const token = yield* offline(async () => {
      const { addToken } = await import("../installation/tokens.ts")
      return addToken(tokens, holder)
    })
    yield* print({ ...holder, token, tokensFile: tokens }, () => token)
    err(`this is the only time that the token is shown; ${tokens} has its hash, as ${kind}:${name}`)
  })
).pipe(
  Command.withDescription("Make a token, offline: its hash goes into the tokens file, itself to the output, once"),
  Command.withExamples([
    {
      command: "lowtide token new ada --kind person --role admin --expires 90d --tokens tokens.json > ada.token",
      description: "Everything, for three months"
    },
    {
      command: "lowtide token new ci --kind machine --role operator --cluster east --pool public --tokens tokens.json",
      description: "Orders about one pool of one cluster"
    }
  ])
)

/** `lowtide token list`. */
const list = Command.make(
  "list",
  { tokens: tokensFlag },
  Effect.fnUntraced(function* ({ tokens }) {
    const { nowMs, hasColour, screenColumns } = yield* Surroundings
    const items = yield* offline(async () => {
      const { readTokenHolders } = await import("../installation/tokens.ts")
      if (!existsSync(tokens))
        throw usageFault(`--tokens ${tokens}: expected a tokens file, found nothing`, "check the path")
      return readTokenHolders(tokens).map(({ sha256: _, ...holder }) => ({
        ...holder,
        expired: holder.expires !== undefined && Date.parse(holder.expires) <= nowMs
      }))
    })
    yield* print({ items }, (format) =>
      formatTable(tokenColumns, items, { isWide: format === "wide", hasColour, screenColumns })
    )
  })
).pipe(
  Command.withDescription("Show who has a token, what it may and when it ends, offline"),
  Command.withExamples([{ command: "lowtide token list --tokens tokens.json", description: "Everybody" }])
)

/** `lowtide token remove NAME`. */
const remove = Command.make(
  "remove",
  { name: nameArgument, tokens: tokensFlag },
  Effect.fnUntraced(function* ({ name, tokens }) {
    yield* checkName(name)
    const removed = yield* offline(async () => {
      const { removeTokens } = await import("../installation/tokens.ts")
      return removeTokens(tokens, name)
    })
    yield* print({ name, removed, tokensFile: tokens }, () => `${name} has no token any more: ${tokens}`)
  })
).pipe(
  Command.withDescription("Take the tokens of a name away, offline"),
  Command.withExamples([{ command: "lowtide token remove ada --tokens tokens.json", description: "Within a second" }])
)

/** `lowtide token`. */
export const token = Command.make("token").pipe(
  Command.withDescription("Tokens by which the API knows who asks; all offline"),
  Command.withSubcommands([make, list, remove])
)
