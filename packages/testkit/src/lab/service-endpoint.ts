import { join } from "node:path"
import { Effect, type Scope } from "effect"
import { execute } from "./execute.ts"
import { LabError } from "./lab-error.ts"
import { ipBatch } from "./namespaces.ts"
import { type LabProcess, logHas, startReady } from "./processes.ts"

/** How a node answers for VIPs: it takes every address of `prefixes` for its own, as kube-proxy would, on these ports. */
export interface ServiceEndpointPlan {
  readonly namespace: string
  /** What a client reads: the node's name. */
  readonly name: string
  readonly ports: ReadonlyArray<number>
  /** Whole pools: `198.51.100.0/24`, `2001:db8:100::/64`. */
  readonly prefixes: ReadonlyArray<string>
  readonly logFolder: string
}

/**
 * Makes a node answer TCP on every address of the prefixes: `NAME` and a newline, then an echo of what it is sent.
 * One process and one route a prefix, however many VIPs there are.
 */
export const startServiceEndpoint = Effect.fnUntraced(function* (plan: ServiceEndpointPlan) {
  yield* ipBatch(
    plan.prefixes.map((prefix) => `route replace local ${prefix} dev lo`),
    plan.namespace
  )
  const program = join(import.meta.dirname, "echo-main.ts")
  const spec = {
    name: `echo-${plan.name}`,
    namespace: plan.namespace,
    command: [process.execPath, program, plan.name, ...plan.ports.map(String)],
    logFile: join(plan.logFolder, `echo-${plan.name}.log`)
  }
  return yield* startReady(spec, logHas("ready"))
}) satisfies (plan: ServiceEndpointPlan) => Effect.Effect<LabProcess, LabError, Scope.Scope>

/**
 * Opens a TCP connection from a namespace and answers the first line that comes: the name of the node it reached.
 * Each request has a source port of the kernel's choice. Fails when refused, unreachable, or silent for `timeoutMs` (2 s unless set).
 */
export const tcpRequest = (
  namespace: string | undefined,
  address: string,
  port: number,
  options: { readonly timeoutMs?: number } = {}
): Effect.Effect<string, LabError> => {
  const seconds = (options.timeoutMs ?? 2_000) / 1000
  const script = `exec 3<>"/dev/tcp/$1/$2" && read -r line <&3 && printf %s "$line"`
  const command = [
    "timeout",
    "--signal=KILL",
    String(seconds),
    "bash",
    "--norc",
    "-c",
    script,
    "bash",
    address,
    String(port)
  ]
  return execute(command, namespace === undefined ? {} : { namespace }).pipe(
    Effect.mapError(({ detail }) => {
      const reason = detail.includes("Command failed") ? `no answer within ${seconds} s` : lastLine(detail)
      return new LabError({ operation: `connect to ${address} port ${port}`, detail: reason })
    })
  )
}

const lastLine = (text: string): string => text.split("\n").at(-1) ?? text
