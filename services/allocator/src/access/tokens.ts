import { createHash, timingSafeEqual } from "node:crypto"
import { foldedName, type TokenHolder, TokensFile } from "@lowtide/api/tokens"
import { Data, Result, Schema } from "effect"
import { jsonFault } from "./json-fault.ts"

/** A tokens file that cannot be used: what is wrong with it. */
export class InvalidTokens extends Data.TaggedError("InvalidTokens")<{ readonly faults: ReadonlyArray<string> }> {
  override get message() {
    return this.faults.join("\n")
  }
}

const decodeFile = Schema.decodeUnknownResult(TokensFile)

/** The tokens of a file by their hashes; the tokens themselves are nowhere. Whether one has expired is for who asks. */
export interface TokenBook {
  readonly holderOf: (token: string) => TokenHolder | undefined
}

/** Reads a tokens file. Two entries with one hash are a fault: nobody could tell who acted. */
export const readTokens = (text: string): Result.Result<TokenBook, InvalidTokens> => {
  const notJson = jsonFault(text)
  if (notJson !== undefined) return Result.fail(new InvalidTokens({ faults: [notJson] }))
  const file = decodeFile(text, { errors: "all", onExcessProperty: "error" })
  if (Result.isFailure(file)) {
    return Result.fail(new InvalidTokens({ faults: [file.failure.message.replaceAll(/\s+/g, " ")] }))
  }
  const byHash = new Map<string, TokenHolder>()
  const spellings = new Map<string, string>()
  const faults: Array<string> = []
  for (const holder of file.success.tokens) {
    const spelling = spellings.get(foldedName(holder.name)) ?? holder.name
    spellings.set(foldedName(holder.name), spelling)
    if (spelling !== holder.name)
      faults.push(`expected one spelling of the name ${spelling}, found ${holder.name} as well`)
    const other = byHash.get(holder.sha256)
    if (other !== undefined)
      faults.push(`expected a token of its own for ${holder.name}, found the one of ${other.name}`)
    byHash.set(holder.sha256, holder)
  }
  const formerly = Map.groupBy(file.success.tokens, ({ name }) => name)
  for (const [name, holders] of formerly) {
    for (const former of formerNames(holders)) {
      const other = spellings.get(foldedName(former))
      if (other !== undefined)
        faults.push(`expected names that nobody has any more as what ${name} was called formerly, found ${other}`)
    }
  }
  if (faults.length > 0) return Result.fail(new InvalidTokens({ faults }))
  const entries = [...byHash].map(([hash, holder]) => ({
    hash: Buffer.from(hash, "hex"),
    holder: { ...holder, formerly: formerNames(formerly.get(holder.name) ?? []) }
  }))
  return Result.succeed({
    // All of them, octet by octet: how long it takes tells nothing of what a good token would be.
    holderOf: (token) => {
      const hash = createHash("sha256").update(token).digest()
      return entries.filter((entry) => timingSafeEqual(entry.hash, hash))[0]?.holder
    }
  })
}

/** Of all tokens of one name: which of them is used makes nobody another. */
const formerNames = (holders: ReadonlyArray<TokenHolder>): ReadonlyArray<string> =>
  holders.flatMap(({ formerly = [] }) => formerly)
