import { existsSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { parseServer, type ServerAddress } from "@lowtide/api/client"
import { Option, Result, Schema } from "effect"
import { type CliFault, usageFault } from "./fault.ts"

/** The server that is asked when nothing names one. */
export const defaultServer = "http://127.0.0.1:7070"

/** Where a running demo says how to reach it, in the folder it was started in. */
export const demoFile = join(".lowtide", "demo.json")

/** What may name a server, the strongest first. */
export interface ServerSources {
  readonly flag: string | undefined
  readonly variable: string | undefined
  readonly workingFolder: string
}

/** The server to ask: by flag, by `LOWTIDE_SERVER`, the demo that runs in this folder or above it, else the default. */
export const chooseServer = (
  sources: ServerSources
): Result.Result<{ readonly text: string; readonly address: ServerAddress }, CliFault> => {
  const text = sources.flag ?? sources.variable ?? findDemo(sources.workingFolder)?.api ?? defaultServer
  return parseServer(text).pipe(
    Result.map((address) => ({ text, address })),
    Result.mapError(({ message }) => usageFault(message, `for example --server ${defaultServer}`))
  )
}

const decodeDemo = Schema.decodeUnknownOption(
  Schema.fromJsonString(Schema.Struct({ api: Schema.String, checkpointKeys: Schema.optionalKey(Schema.String) }))
)

/** The demo whose file is nearest, going up; a file that says nothing useful is passed over. */
export const findDemo = (folder: string): { readonly api: string; readonly checkpointKeys?: string } | undefined => {
  const file = join(folder, demoFile)
  const demo = existsSync(file) ? Option.getOrUndefined(decodeDemo(readFileSync(file, "utf8"))) : undefined
  const above = dirname(folder)
  return demo ?? (above === folder ? undefined : findDemo(above))
}

/** Whether others may read what goes to the server: plain HTTP that leaves this machine. */
export const isOverheard = (address: ServerAddress): boolean =>
  address._tag === "Url" &&
  address.url.startsWith("http:") &&
  !/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(new URL(address.url).hostname)

/** The authorities that a file holds, PEM; none were named without one. */
export const readAuthorities = (file: string | undefined): Result.Result<string | undefined, CliFault> => {
  if (file === undefined) return Result.succeed(undefined)
  const expected = (found: string) =>
    Result.fail(usageFault(`--ca-file ${file}: expected certificates as PEM, ${found}`, "name the authority's file"))
  try {
    const text = readFileSync(file, "utf8")
    return text.includes("-----BEGIN CERTIFICATE-----") ? Result.succeed(text) : expected("found none")
  } catch (cause) {
    return expected(cause instanceof Error ? cause.message : String(cause))
  }
}

/** The token that a file holds, and nothing else but blanks. */
export const readToken = (file: string): Result.Result<string, CliFault> => {
  const expected = (found: string) =>
    Result.fail(
      usageFault(`--token-file: expected a file with one token, found ${found}`, "name the file of your token")
    )
  try {
    const token = readFileSync(file, "utf8").trim()
    return /^\S+$/.test(token) ? Result.succeed(token) : expected(token === "" ? "an empty one" : "several words")
  } catch (cause) {
    return expected(cause instanceof Error ? cause.message : String(cause))
  }
}
