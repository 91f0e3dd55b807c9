import { type AddressInfo, connect, createServer, type Socket } from "node:net"
import { Effect, type Scope } from "effect"
import { LabError } from "./lab/lab-error.ts"

/** A way to a TCP server that can be made worse. */
export interface TcpProxy {
  /** On 127.0.0.1. */
  readonly port: number
  /** Ends every connection as a broken cable does, without a word, and takes no new one until it is mended. */
  readonly cut: Effect.Effect<void>
  readonly mend: Effect.Effect<void>
  /** What is sent in either direction arrives this much later, in its order; 0 again for at once. */
  readonly delay: (ms: number) => Effect.Effect<void>
}

/** Carries connections to a port of 127.0.0.1 for as long as the scope is open. */
export const startTcpProxy = (targetPort: number): Effect.Effect<TcpProxy, LabError, Scope.Scope> =>
  Effect.gen(function* () {
    const open = new Set<Socket>()
    let isCut = false
    let delayMs = 0
    const forget = (socket: Socket) => {
      socket.resetAndDestroy()
      open.delete(socket)
    }
    const carry = (from: Socket, to: Socket) => {
      open.add(from)
      from.on("data", (bytes) => {
        if (delayMs === 0) to.write(bytes)
        else setTimeout(() => (to.destroyed ? undefined : to.write(bytes)), delayMs)
      })
      from.on("error", () => undefined)
      from.on("close", () => {
        open.delete(from)
        to.destroySoon()
      })
    }
    const server = createServer((near) => {
      if (isCut) return near.resetAndDestroy()
      const far = connect({ host: "127.0.0.1", port: targetPort })
      carry(near, far)
      carry(far, near)
    })
    yield* Effect.acquireRelease(
      Effect.callback<void, LabError>((resume) => {
        server.once("error", (error) =>
          resume(Effect.fail(new LabError({ operation: "listen for the proxy", detail: error.message })))
        )
        server.listen({ port: 0, host: "127.0.0.1" }, () => resume(Effect.void))
      }),
      () =>
        Effect.sync(() => {
          server.close()
          for (const socket of [...open]) forget(socket)
        })
    )
    return {
      port: (server.address() as AddressInfo).port,
      cut: Effect.sync(() => {
        isCut = true
        for (const socket of [...open]) forget(socket)
      }),
      mend: Effect.sync(() => {
        isCut = false
      }),
      delay: (ms) =>
        Effect.sync(() => {
          delayMs = ms
        })
    }
  })
