import { createServer } from "node:net"

/** The abstract socket that a node's BFD holds, without its leading null octet. */
export const lockName = "lowtide-bfd"

/**
 * Holds the node for this process, by an abstract socket (unix(7)): one name in a network namespace, as BFD's ports are, and
 * gone with its process. Fails when another process has it.
 */
export const lockNode = (): Promise<void> =>
  new Promise((resolve, reject) => {
    const server = createServer((connection) => connection.destroy())
    server.once("error", (cause: NodeJS.ErrnoException) =>
      reject(
        cause.code === "EADDRINUSE"
          ? new Error(
              `expected to be the only BFD of this node, found another process holding the abstract socket @${lockName}; ` +
                "stop that one first (ss -xlp names it)"
            )
          : cause
      )
    )
    server.listen({ path: `\0${lockName}` }, () => {
      server.unref()
      resolve()
    })
  })
