import { LowtideClient, layerClient, parseServer, type ServerAddress } from "@lowtide/api/client"
import type { NotLeaderProblem } from "@lowtide/api/problems"
import { Effect, Option, Result } from "effect"
import { CliFault, exitCodes, usageFault } from "./fault.ts"
import type { ServerFlags } from "./root.ts"
import { chooseServer, isOverheard, readAuthorities, readToken } from "./server.ts"
import { Surroundings } from "./surroundings.ts"

/** How long one answer may take. */
const answerTimeoutSeconds = 10

/**
 * Asks the server that the flag, the environment or a running demo names; every failure is a fault with its exit code.
 * What reads a long answer while it comes may take as long as it wants.
 */
export const ask = <A, E extends { readonly _tag: string; readonly message: string }>(
  { server, tokenFile, caFile }: ServerFlags,
  question: (client: LowtideClient["Service"]) => Effect.Effect<A, E>,
  isLong = false
): Effect.Effect<A, CliFault, Surroundings> =>
  Effect.gen(function* () {
    const { args, serverVariable, tokenVariable, caFileVariable, user, workingFolder, err } = yield* Surroundings
    const sources = { flag: Option.getOrUndefined(server), variable: serverVariable, workingFolder }
    const { text, address } = yield* Effect.fromResult(chooseServer(sources))
    const token = Option.isSome(tokenFile) ? yield* Effect.fromResult(readToken(tokenFile.value)) : tokenVariable
    const authorities = yield* Effect.fromResult(readAuthorities(Option.getOrElse(caFile, () => caFileVariable)))
    if (token !== undefined && isOverheard(address))
      err(`warning: ${text}: the token goes there unencrypted; use https://`)
    const asFault = (error: E | { readonly _tag: string; readonly message: string }) =>
      error instanceof CliFault ? error : faultOf(error, text, args)
    const askAt = (at: ServerAddress) =>
      LowtideClient.use(question).pipe(Effect.provide(layerClient(at, { token, user, authorities })))
    return yield* askAt(address).pipe(
      Effect.catch((error) => {
        const leader = leaderOf(error)
        return leader === undefined ? Effect.fail(error) : askAt(leader)
      }),
      Effect.timeout(isLong ? "24 hours" : `${answerTimeoutSeconds} seconds`),
      Effect.mapError(asFault)
    )
  })

/** Where an allocator that does not lead sends whoever needs the leader. */
const leaderOf = (error: { readonly _tag: string }): ServerAddress | undefined => {
  if (error._tag !== "NotLeaderProblem") return undefined
  const { leader } = error as unknown as NotLeaderProblem
  return leader?.url == null ? undefined : Result.getOrUndefined(parseServer(leader.url))
}

const startHint = "start the demo with `npm run demo`, or name the server with --server URL"

/** Its table has clusters, networks and Services. */
const listHint = "list what there is with `lowtide get services -o wide`"

/** Where one sees what there is, by what was not found. */
const nextOfMissing: Readonly<Record<string, string>> = {
  peer: "list what there is with `lowtide get peers`",
  prefix: "`lowtide node status` shows what is withheld, and whether the node waits for the centre",
  seq: "`lowtide history --limit 1` shows the last event",
  from: "`lowtide audit checkpoints` shows their sizes",
  checkpoint: "its log says why (docs/reference/ledger-proofs.md)",
  pool: "list what there is with `lowtide get pools`",
  actor: "`lowtide history` names those of the newest events",
  node: "list what there is with `lowtide get nodes`",
  cluster: "list what there is with `lowtide get nodes`",
  recovery: "`lowtide recover` says how it stands",
  address: "`lowtide recover` lists what is reserved, `lowtide get vips` what is not free"
}

/** The fault that a failed question amounts to. */
export const faultOf = (
  error: { readonly _tag: string; readonly message: string },
  server: string,
  args: ReadonlyArray<string>
): CliFault => {
  switch (error._tag) {
    case "NotFoundProblem":
      return new CliFault({
        exitCode: exitCodes.notFound,
        what: error.message,
        next: nextOfMissing[/^[a-z]+/i.exec(error.message)?.[0].toLowerCase() ?? ""] ?? listHint
      })
    case "AmbiguousProblem": {
      const { candidates } = error as unknown as { readonly candidates: ReadonlyArray<string> }
      return usageFault(error.message, `one of ${candidates.join(", ")}`)
    }
    case "BadRequestProblem":
      return usageFault(asTyped(issuesOf(error), args), helpHint(args))
    case "InvalidQueryProblem":
      return usageFault(asTyped(error.message, args), helpHint(args))
    case "UnauthenticatedProblem":
    case "ForbiddenProblem":
      return ruled(error, exitCodes.forbidden)
    case "RefusedProblem":
      return ruled(error, exitCodes.conflict)
    case "UnavailableProblem":
    case "NotReadyProblem":
    case "NotLeaderProblem":
    case "BehindProblem":
      return new CliFault({
        exitCode: exitCodes.unreachable,
        what: `${server}: ${error.message}`,
        next: "try again shortly"
      })
    case "TimeoutError":
      return new CliFault({
        exitCode: exitCodes.timeout,
        what: `no answer from ${server} within ${answerTimeoutSeconds} s`,
        next: "try again, or look at its /readyz"
      })
    case "HttpClientError":
      return httpFault(error, server)
    default:
      return new CliFault({
        exitCode: exitCodes.unreachable,
        what: `${server} does not answer as Lowtide does: ${firstLine(error.message)}`,
        next: "check the URL, and that both are of the same release"
      })
  }
}

/** `from: expected ...` of the API is `--from: expected ...` where the command line has it so. */
const asTyped = (text: string, args: ReadonlyArray<string>): string => {
  const [, field] = /^([a-z]+): /.exec(text) ?? []
  return args.some((arg) => arg === `--${field}` || arg.startsWith(`--${field}=`)) ? `--${text}` : text
}

const helpHint = (args: ReadonlyArray<string>): string => {
  const words = args.filter((arg) => /^[a-z-]+$/.test(arg) && !arg.startsWith("-"))
  return `see \`${["lowtide", ...words.slice(0, groups.has(words[0] ?? "") ? 2 : 1)].join(" ")} --help\``
}

/** Words that are followed by the verb. */
const groups: ReadonlySet<string> = new Set(["audit", "bgp", "fleet", "ledger", "node", "vip", "brake"])

/** A problem that says by which rule, and what to do. */
const ruled = (error: { readonly message: string }, exitCode: number): CliFault => {
  const { code, fix } = error as unknown as { readonly code: string; readonly fix: string }
  return new CliFault({
    exitCode,
    what: `${code} ${error.message}`,
    next: `${fix.charAt(0).toLowerCase()}${fix.slice(1)}`
  })
}

const issuesOf = (error: { readonly message: string }): string => {
  const { errors = [] } = error as {
    readonly errors?: ReadonlyArray<{ readonly path: ReadonlyArray<unknown>; readonly message: string }>
  }
  return errors.length === 0
    ? error.message
    : errors.map(({ path, message }) => `${path.slice(1).join(".")}: ${firstLine(message)}`).join("; ")
}

/** An answer without problem details, or none at all. */
const httpFault = (error: { readonly message: string }, server: string): CliFault => {
  const { reason } = error as unknown as {
    readonly reason?: {
      readonly _tag: string
      readonly response?: { readonly status: number }
      readonly cause?: unknown
    }
  }
  const status = reason?.response?.status
  if (status === undefined) {
    const what = `no answer from ${server}: ${causeText(reason?.cause) ?? firstLine(error.message)}`
    return new CliFault({
      exitCode: exitCodes.unreachable,
      what,
      next: isDistrust(reason?.cause) ? trustHint : isNoTls(reason?.cause) ? plainHint : startHint
    })
  }
  if (status < 300) {
    const what = `${server}: its answer broke off: ${causeText(reason?.cause) ?? firstLine(error.message)}`
    return new CliFault({ exitCode: exitCodes.unreachable, what, next: "try again; what has come is not all of it" })
  }
  return new CliFault({ exitCode: exitOfStatus(status), what: `${server} answered ${status}`, next: startHint })
}

const exitOfStatus = (status: number): number => {
  if (status === 401 || status === 403) return exitCodes.forbidden
  if (status === 404) return exitCodes.notFound
  if (status === 409 || status === 412) return exitCodes.conflict
  return status < 500 ? exitCodes.usage : exitCodes.unreachable
}

const trustHint = "name its authority with --ca-file, and the server as its certificate does"

/** Whether the server was reached, and not believed to be the one it says (OpenSSL's codes of verification, and Node's). */
const isDistrust = (cause: unknown): boolean => {
  if (!(cause instanceof Error)) return false
  const { code } = cause as { readonly code?: unknown }
  return (typeof code === "string" && /CERT|^UNABLE_TO_VERIFY/.test(code)) || isDistrust(cause.cause)
}

const plainHint = "name it as http://, if that is what it listens for"

/** Whether what listens there answers in something else than TLS. */
const isNoTls = (cause: unknown): boolean =>
  cause instanceof Error && ((cause as { readonly code?: unknown }).code === noTls || isNoTls(cause.cause))

const noTls = "ERR_SSL_WRONG_VERSION_NUMBER"

/** The innermost cause: `fetch failed` alone helps nobody. */
const causeText = (cause: unknown): string | undefined => {
  if (!(cause instanceof Error)) return undefined
  const inner = causeText(cause.cause)
  if (inner !== undefined) return inner
  const { code } = cause as { readonly code?: unknown }
  if (code === "ECONNREFUSED") return "connection refused"
  if (code === noTls) return "it does not speak TLS"
  return firstLine(cause.message) || (typeof code === "string" ? code : undefined)
}

const firstLine = (text: string): string => text.split("\n", 1)[0] ?? ""
