/**
 * A tiny server that shows which node a connection reached: it sends NAME and a newline at once, then sends back what it
 * gets. Run as `node echo-main.ts NAME PORT...`; it listens on all addresses of both families and prints `ready`.
 */
import { createServer } from "node:net"

const [name = "", ...ports] = process.argv.slice(2)

const listening = ports.map((port) => {
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy()) // the client went away
    socket.write(`${name}\n`)
    socket.pipe(socket)
  })
  return new Promise<void>((resolve) => server.listen({ port: Number(port), host: "::" }, resolve))
})

await Promise.all(listening)
process.stdout.write("ready\n")
