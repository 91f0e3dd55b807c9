import { createHash, randomBytes } from "node:crypto"
import { statSync } from "node:fs"
import { foldedName, type TokenHolder, TokensFile } from "@lowtide/api/tokens"
import { Result, Schema } from "effect"
import { CliFault, exitCodes } from "../fault.ts"
import { readIfThere, replaceFile } from "./files.ts"

const decode = Schema.decodeUnknownResult(TokensFile)

/** The tokens of a file; none where there is no file yet. */
export const readTokenHolders = (file: string): ReadonlyArray<TokenHolder> => {
  const text = readIfThere(file)
  if (text === undefined) return []
  const read = decode(text, { errors: "all", onExcessProperty: "error" })
  if (Result.isSuccess(read)) return read.success.tokens
  throw new CliFault({
    exitCode: exitCodes.usage,
    what: `${file}: ${read.failure.message.replaceAll(/\s+/g, " ")}`,
    next: "correct the file first; nothing was changed"
  })
}

/** Makes a token and writes down whose it is. The answer is the one place where the token itself ever is. */
export const addToken = (file: string, holder: Omit<TokenHolder, "sha256">): string => {
  const holders = readTokenHolders(file)
  const other = holders.find(({ name }) => name !== holder.name && foldedName(name) === foldedName(holder.name))
  if (other !== undefined) {
    throw new CliFault({
      exitCode: exitCodes.conflict,
      what: `token of ${holder.kind} ${holder.name}: expected a name of its own in ${file}, found ${other.name}, which differs by case alone`,
      next: "spell the name as it is there, or choose another one"
    })
  }
  if (holders.some(({ name, kind }) => name === holder.name && kind === holder.kind)) {
    throw new CliFault({
      exitCode: exitCodes.conflict,
      what: `token of ${holder.kind} ${holder.name}: expected none in ${file}, found one`,
      next: `take it away first: lowtide token remove ${holder.name} --tokens ${file}`
    })
  }
  const token = `lt_${randomBytes(32).toString("base64url")}`
  const sha256 = createHash("sha256").update(token).digest("hex")
  write(file, [...holders, { ...holder, sha256 }])
  return token
}

/** Takes every token of that name away; answers how many. */
export const removeTokens = (file: string, name: string): number => {
  const holders = readTokenHolders(file)
  const kept = holders.filter((holder) => holder.name !== name)
  if (kept.length === holders.length) {
    throw new CliFault({
      exitCode: exitCodes.notFound,
      what: `token of ${name}: expected one of [${holders.map(({ name }) => name).join(", ")}] in ${file}`,
      next: "see `lowtide token list`"
    })
  }
  write(file, kept)
  return holders.length - kept.length
}

/** Who may read the file stays as it is; a new one is its owner's alone. */
const write = (file: string, tokens: ReadonlyArray<TokenHolder>): void =>
  replaceFile(
    file,
    `${JSON.stringify({ tokens }, null, 2)}\n`,
    readIfThere(file) === undefined ? 0o600 : statSync(file).mode & 0o777
  )
