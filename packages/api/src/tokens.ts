import { Schema } from "effect"
import { Grant } from "./access.ts"
import { InstantText } from "./parameters.ts"

/** What people and machines are called in tokens, and so in the log: `person:ada`. */
export const TokenName = Schema.String.pipe(
  Schema.check(
    Schema.isPattern(/^[A-Za-z0-9][A-Za-z0-9._@-]{0,62}$/, {
      message: "expected a name of letters, digits, dots, dashes, _ or @"
    })
  )
)

/** Names that differ by their letters' case alone are one: nobody is a second person by another spelling. */
export const foldedName = (name: string): string => name.toLowerCase()

/** Whom a token names, and what he, she or it may. */
export const TokenHolder = Schema.Struct({
  name: TokenName,
  /** What he, she or it was called before: an order under such a name is the same one's. */
  formerly: Schema.optionalKey(Schema.Array(TokenName)),
  kind: Schema.Literals(["person", "machine"]),
  sha256: Schema.String.pipe(
    Schema.check(
      Schema.isPattern(/^[0-9a-f]{64}$/, { message: "expected the SHA-256 of the token, 64 hexadecimal digits" })
    )
  ),
  expires: Schema.optionalKey(InstantText.annotate({ description: "From then on the token is good no more" })),
  roles: Schema.Array(Grant).pipe(Schema.check(Schema.isMinLength(1, { message: "expected one role at least" })))
})
export type TokenHolder = typeof TokenHolder.Type

/** The tokens file of an allocator, docs/reference/settings.md; the tokens themselves are not in it. */
export const TokensFile = Schema.fromJsonString(Schema.Struct({ tokens: Schema.Array(TokenHolder) }))
