import { createServer } from "node:net"
import { LabError } from "@lowtide/testkit/lab/index"
import { Effect } from "effect"

/** Fails where the API could not be served there, before a minute has gone into what would be ended for it. 0 is any that is free. */
export const checkApiPort = (port: number): Effect.Effect<void, LabError> =>
  Effect.callback((resume) => {
    const server = createServer()
    server.once("error", ({ code, message }: NodeJS.ErrnoException) => {
      const detail =
        code === "EADDRINUSE"
          ? "something listens there already; end it, or name another port with --api-port"
          : `${message}; name another port with --api-port`
      resume(Effect.fail(new LabError({ operation: `serve the API on 127.0.0.1 port ${port}`, detail })))
    })
    server.listen(port, "127.0.0.1", () => server.close(() => resume(Effect.void)))
  })
