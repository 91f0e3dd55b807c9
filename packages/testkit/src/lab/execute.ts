import { execFile } from "node:child_process"
import { dirname, isAbsolute } from "node:path"
import { Effect } from "effect"
import { LabError } from "./lab-error.ts"

/** How a command is run. `timeoutMs` is a minute unless set; `namespace` is the full name of a network namespace. */
export interface ExecuteOptions {
  readonly namespace?: string
  readonly input?: string
  readonly timeoutMs?: number
}

/**
 * Where programs are looked for: this Node's own folder, the caller's PATH, then where Debian keeps `ip`, `bird` and
 * `nats-server`, which an ordinary user's PATH leaves out.
 */
export const systemPath = [
  dirname(process.execPath),
  ...(process.env.PATH ?? "").split(":").filter(isAbsolute),
  ..."/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/frr".split(":")
].join(":")

/**
 * What a test run hands on to what the lab starts: its mark, so that `npm test` finds what a test left behind, and where
 * Node keeps what it compiled, which is half of a process's start.
 */
const handedOn = ["LOWTIDE_TEST_RUN", "NODE_COMPILE_CACHE"].flatMap((name) => {
  const value = process.env[name]
  return value === undefined ? [] : [[name, value] as const]
})

/** The environment of what the lab starts: a PATH, the C locale, and nothing else of the parent's. */
export const labEnvironment: Readonly<Record<string, string>> = {
  PATH: systemPath,
  LC_ALL: "C",
  ...Object.fromEntries(handedOn)
}

/** `command` as it is run in a network namespace. `ip` execs the command, so the pid stays that of the command. */
export const inNamespace = (namespace: string | undefined, command: ReadonlyArray<string>): ReadonlyArray<string> =>
  namespace === undefined ? command : ["ip", "netns", "exec", namespace, ...command]

/** Runs a command to its end and answers its stdout. Fails with its stderr when it exits other than 0 or runs too long. */
export const execute = (
  command: ReadonlyArray<string>,
  options: ExecuteOptions = {}
): Effect.Effect<string, LabError> =>
  Effect.callback((resume) => {
    const [file = "", ...args] = inNamespace(options.namespace, command)
    const child = execFile(
      file,
      args,
      { timeout: options.timeoutMs ?? 60_000, maxBuffer: 256 * 1024 * 1024, env: labEnvironment },
      (error, stdout, stderr) => {
        if (error === null) resume(Effect.succeed(stdout))
        else {
          const detail = stderr.trim() || stdout.trim() || error.message
          resume(Effect.fail(new LabError({ operation: command.slice(0, 6).join(" "), detail })))
        }
      }
    )
    child.stdin?.on("error", () => undefined) // a command that ends before it read its input has said why
    child.stdin?.end(options.input ?? "")
    return Effect.sync(() => child.kill("SIGKILL"))
  })
