import { type AddressInfo, createServer, type Server } from "node:net"
import { join } from "node:path"
import { Effect, type Scope } from "effect"
import { LabError } from "./lab-error.ts"
import { logHas, startReady } from "./processes.ts"

/** Which port of a namespace is to be reached from outside of it. */
export interface RelayPlan {
  readonly namespace: string
  /** An address inside the namespace: 127.0.0.1 unless set. */
  readonly host?: string
  readonly port: number
  readonly name: string
  readonly logFolder: string
  /** The port on 127.0.0.1 outside: a free one unless set. */
  readonly outsidePort?: number
}

/**
 * Makes a TCP port inside a namespace reachable on 127.0.0.1 of the namespace this process runs in, and answers the port
 * there. No interface is added: only the listening socket is handed over. It ends with the scope.
 */
export const startRelay = (plan: RelayPlan): Effect.Effect<number, LabError, Scope.Scope> =>
  Effect.gen(function* () {
    const listener = yield* listen(plan.outsidePort ?? 0)
    const outsidePort = (listener.address() as AddressInfo).port
    const program = join(import.meta.dirname, "relay-main.ts")
    const spec = {
      name: `relay-${plan.name}`,
      namespace: plan.namespace,
      command: [process.execPath, program, plan.host ?? "127.0.0.1", String(plan.port)],
      logFile: join(plan.logFolder, `relay-${plan.name}.log`),
      listener
    }
    yield* startReady(spec, logHas("ready"))
    listener.close() // the relay has its own copy; ours would take a share of the connections
    return outsidePort
  })

const listen = (port: number): Effect.Effect<Server, LabError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<Server, LabError>((resume) => {
      const server = createServer()
      server.once("error", (error) =>
        resume(Effect.fail(new LabError({ operation: `listen on 127.0.0.1 port ${port}`, detail: error.message })))
      )
      server.listen({ port, host: "127.0.0.1", exclusive: true }, () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.sync(() => server.close())
  )
