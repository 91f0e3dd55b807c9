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
  /**
   * Breaks every connection once, when so many bytes more went in a direction: the next one never arrives. New
   * connections are taken. Returns when it is broken; interrupted, it is not broken any more.
   */
  readonly cutAfter: (point: CutPoint) => Effect.Effect<void>
  /** What is sent in either direction arrives this much later, in its order; 0 again for at once. */
  readonly delay: (ms: number) => Effect.Effect<void>
}

/** Where a cable breaks. */
export interface CutPoint {
  readonly toward: "server" | "client"
  readonly bytes: number
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
    let breaking: { readonly toward: CutPoint["toward"]; bytesLeft: number; readonly broken: () => void } | undefined
    const breakAll = () => {
      for (const socket of [...open]) forget(socket)
    }
    /** Hands on what arrives; of the piece in which the cable breaks, what comes before. */
    const deliver = (bytes: Buffer, to: Socket, toward: CutPoint["toward"]) => {
      if (to.destroyed) return
      if (breaking?.toward !== toward || bytes.length <= breaking.bytesLeft) {
        if (breaking?.toward === toward) breaking.bytesLeft -= bytes.length
        return to.write(bytes)
      }
      const { bytesLeft, broken } = breaking
      breaking = undefined
      const end = () => {
        breakAll()
        broken()
      }
      if (bytesLeft === 0) return end()
      to.write(bytes.subarray(0, bytesLeft), end)
    }
    const carry = (from: Socket, to: Socket, toward: CutPoint["toward"]) => {
      open.add(from)
      from.on("data", (bytes: Buffer) => {
        if (delayMs === 0) deliver(bytes, to, toward)
        else setTimeout(() => deliver(bytes, to, toward), delayMs)
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
      carry(near, far, "server")
      carry(far, near, "client")
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
          breakAll()
        })
    )
    return {
      port: (server.address() as AddressInfo).port,
      cut: Effect.sync(() => {
        isCut = true
        breakAll()
      }),
      mend: Effect.sync(() => {
        isCut = false
      }),
      cutAfter: ({ toward, bytes }) =>
        Effect.callback<void>((resume) => {
          breaking = { toward, bytesLeft: bytes, broken: () => resume(Effect.void) }
          return Effect.sync(() => {
            breaking = undefined
          })
        }),
      delay: (ms) =>
        Effect.sync(() => {
          delayMs = ms
        })
    }
  })
