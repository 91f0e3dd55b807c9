import { Data } from "effect"

/** What a shell script goes by; documented in docs/reference/cli.md and never changed. */
export const exitCodes = {
  ok: 0,
  /** Nobody holds the address, findings were listed, or two times differ. */
  unmet: 1,
  /** Usage, or input that is not valid. */
  usage: 2,
  notFound: 3,
  conflict: 4,
  forbidden: 5,
  timeout: 6,
  unreachable: 7,
  /** The order waits for a second person, since it would withdraw more than the budget allows. */
  held: 8
} as const

/** Why a command ends without its answer: one line that says what, why and what to do next. */
export class CliFault extends Data.TaggedError("CliFault")<{
  readonly exitCode: number
  readonly what: string
  readonly next: string
}> {
  override get message() {
    return `error: ${this.what}; ${this.next}`
  }
}

/** The command has answered, and the answer is one that scripts want to tell from success. */
export class Unmet extends Data.TaggedError("Unmet")<Record<never, never>> {}

/** A fault of the command line. */
export const usageFault = (what: string, next: string): CliFault =>
  new CliFault({ exitCode: exitCodes.usage, what, next })

/** The fault of a file that cannot be read, with the flag that names it. */
export const unreadable = (flag: string, path: string, cause: unknown): CliFault => {
  const found = cause instanceof Error ? cause.message : String(cause)
  return usageFault(`${flag} ${path}: expected a readable file, found ${found}`, "check the path")
}
