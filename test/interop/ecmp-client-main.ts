/**
 * A client of the ECMP lab that keeps many TCP connections open. Reads a JSON object a line, and answers each with one:
 *   {"open":N}   closes what is open, opens N connections, to the addresses in turn: {"reached":{NODE:N,…},"failed":N}
 *   {"ping":1}   sends a line on each and waits for its echo: {"alive":N,"lost":N}
 *
 * Run as `node ecmp-client-main.ts PORT ADDRESS…`.
 */
import { connect, type Socket } from "node:net"
import { createInterface } from "node:readline"

const [port = "", ...addresses] = process.argv.slice(2)

interface Flow {
  readonly socket: Socket
  /** The next line that comes; undefined when the connection is lost, or says nothing for ten seconds. */
  readonly line: () => Promise<string | undefined>
}

const openFlow = (address: string): Flow => {
  const socket = connect({ host: address, port: Number(port) })
  socket.on("error", () => socket.destroy()) // a flow that was moved is reset by the node that it came to
  const lines = createInterface({ input: socket }).on("error", () => {}) // as above
  const waiting: Array<(line: string | undefined) => void> = []
  const come: Array<string> = []
  lines.on("line", (line) => {
    const next = waiting.shift()
    if (next === undefined) come.push(line)
    else next(line)
  })
  socket.on("close", () => {
    for (const next of waiting.splice(0)) next(undefined)
  })
  const line = () =>
    new Promise<string | undefined>((resolve) => {
      const first = come.shift()
      if (first !== undefined || socket.destroyed) return resolve(first)
      waiting.push(resolve)
      setTimeout(() => resolve(undefined), 10_000).unref()
    })
  return { socket, line }
}

let flows: ReadonlyArray<Flow> = []

const open = async (count: number) => {
  for (const { socket } of flows) socket.destroy()
  flows = Array.from({ length: count }, (_, index) => openFlow(addresses[index % addresses.length]!))
  const names = await Promise.all(flows.map(({ line }) => line()))
  const reached: Record<string, number> = {}
  for (const name of names) if (name !== undefined) reached[name] = (reached[name] ?? 0) + 1
  return { reached, failed: names.filter((name) => name === undefined).length }
}

const ping = async () => {
  const answers = await Promise.all(
    flows.map(({ socket, line }, index) => {
      if (!socket.destroyed) socket.write(`${index}\n`)
      return line()
    })
  )
  const alive = answers.filter((answer, index) => answer === String(index)).length
  return { alive, lost: flows.length - alive }
}

process.stdout.write("ready\n")
for await (const text of createInterface({ input: process.stdin })) {
  const command = JSON.parse(text) as { readonly open?: number }
  const answer = command.open === undefined ? await ping() : await open(command.open)
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}
process.exit(0)
