import { createHash } from "node:crypto"
import { Grant } from "@lowtide/api/access"
import { Data, Result, Schema } from "effect"

/** A tokens file that cannot be used: what is wrong with it. */
export class InvalidTokens extends Data.TaggedError("InvalidTokens")<{ readonly faults: ReadonlyArray<string> }> {
  override get message() {
    return this.faults.join("\n")
  }
}

/** Whom a token names, and what he, she or it may. */
const TokenHolder = Schema.Struct({
  name: Schema.String.pipe(
    Schema.check(
      Schema.isPattern(/^[A-Za-z0-9][A-Za-z0-9._@-]{0,62}$/, {
        message: "expected a name of letters, digits, dots, dashes, _ or @"
      })
    )
  ),
  kind: Schema.Literals(["person", "machine"]),
  sha256: Schema.String.pipe(
    Schema.check(
      Schema.isPattern(/^[0-9a-f]{64}$/, { message: "expected the SHA-256 of the token, 64 hexadecimal digits" })
    )
  ),
  roles: Schema.Array(Grant).pipe(Schema.check(Schema.isMinLength(1, { message: "expected one role at least" })))
})
export type TokenHolder = typeof TokenHolder.Type

const decodeFile = Schema.decodeUnknownResult(
  Schema.fromJsonString(Schema.Struct({ tokens: Schema.Array(TokenHolder) }))
)

/** The tokens of a file by their hashes; the tokens themselves are nowhere. */
export interface TokenBook {
  readonly holderOf: (token: string) => TokenHolder | undefined
}

/** Reads a tokens file. Two entries with one hash are a fault: nobody could tell who acted. */
export const readTokens = (text: string): Result.Result<TokenBook, InvalidTokens> => {
  const file = decodeFile(text, { errors: "all", onExcessProperty: "error" })
  if (Result.isFailure(file)) {
    return Result.fail(new InvalidTokens({ faults: [file.failure.message.replaceAll(/\s+/g, " ")] }))
  }
  const byHash = new Map<string, TokenHolder>()
  const faults: Array<string> = []
  for (const holder of file.success.tokens) {
    const other = byHash.get(holder.sha256)
    if (other !== undefined)
      faults.push(`expected a token of its own for ${holder.name}, found the one of ${other.name}`)
    byHash.set(holder.sha256, holder)
  }
  if (faults.length > 0) return Result.fail(new InvalidTokens({ faults }))
  return Result.succeed({
    holderOf: (token) => byHash.get(createHash("sha256").update(token).digest("hex"))
  })
}
