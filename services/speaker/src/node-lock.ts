import { hash } from "node:crypto"
import { createServer } from "node:net"
import { Effect, Schema, type Scope } from "effect"

/** Another speaker of the same node runs in this network namespace: the two would take each other's sessions down. */
export class NodeLocked extends Schema.TaggedError<NodeLocked>()("NodeLocked", {
  cluster: Schema.String,
  node: Schema.String,
  socket: Schema.String
}) {
  override get message() {
    return (
      `expected to be the only speaker of node ${this.node}, cluster ${this.cluster}, found another process holding the ` +
      `abstract socket ${this.socket}; stop that one first (ss -xlp names it)`
    )
  }
}

/** Octets of a name behind its null octet: `sun_path` has 108 (unix(7)). */
const socketNameBytesMax = 107

/** The abstract socket of a node, without its leading null octet. */
export const nodeSocketName = (cluster: string, node: string): string => {
  const name = `lowtide-speaker/${cluster}/${node}`
  return Buffer.byteLength(name) <= socketNameBytesMax ? name : `lowtide-speaker/${hash("sha256", name)}`
}

/**
 * Holds the node for this process until the scope closes, by an abstract socket (unix(7)): one name in a network namespace,
 * whatever the pid namespaces and state folders, and gone with its process. Only Linux has them; elsewhere nothing is held.
 */
export const lockNode = (cluster: string, node: string): Effect.Effect<void, NodeLocked, Scope.Scope> => {
  if (process.platform !== "linux") return Effect.void
  const name = nodeSocketName(cluster, node)
  const listen = Effect.callback<() => void, NodeLocked>((resume) => {
    const server = createServer((connection) => connection.destroy())
    server.once("error", (cause: NodeJS.ErrnoException) =>
      resume(
        cause.code === "EADDRINUSE"
          ? Effect.fail(new NodeLocked({ cluster, node, socket: `@${name}` }))
          : Effect.die(cause)
      )
    )
    server.listen({ path: `\0${name}` }, () => {
      server.unref()
      resume(Effect.succeed(() => void server.close()))
    })
  })
  return Effect.asVoid(Effect.acquireRelease(listen, (close) => Effect.sync(close)))
}
