/**
 * Carries connections from a listening socket that its parent sends to HOST PORT. A socket belongs to the network
 * namespace that made it and the connections to the one this runs in, so this is a way from one to the other.
 * Run as `node relay-main.ts HOST PORT` with an IPC channel; it prints `ready`.
 */
import { connect, type Server, type Socket } from "node:net"

const [host = "", port = ""] = process.argv.slice(2)

const carry = (near: Socket) => {
  const far = connect({ host, port: Number(port), allowHalfOpen: true })
  const end = () => {
    near.destroy()
    far.destroy()
  }
  near.on("error", end).on("close", end)
  far.on("error", end).on("close", end)
  near.pipe(far)
  far.pipe(near)
}

process.once("message", (_message, listener) => {
  ;(listener as Server).on("connection", carry)
  process.stdout.write("ready\n")
})
