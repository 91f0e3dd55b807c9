/**
 * A router of AS 64511. Run as `node stalled-router-main.ts collects|stalls HOST PORT HOLD_SECONDS`; it prints `ready`.
 * `collects`: prints the prefixes that it has, and how many communities the first has, at each change. `stalls`: keeps its
 * session up by a KEEPALIVE a second and, after SIGUSR2, reads no octet any more; it prints `stalled` then.
 */
import { createServer, type Socket } from "node:net"
import { startCollector } from "@lowtide/bgp"
import { Effect } from "effect"

const [mode = "", host = "", port = "", hold = ""] = process.argv.slice(2)
const print = (line: string) => process.stdout.write(`${line}\n`)

const marker = Buffer.alloc(16, 0xff)
const keepalive = Buffer.concat([marker, Buffer.from([0, 19, 4])]) // length, type 4
const open = Buffer.concat([
  marker,
  Buffer.from([0, 29, 1]), // length, type 1
  Buffer.from([4, 0xfb, 0xff, 0, Number(hold)]), // version 4, AS 64511, hold time
  Buffer.from([203, 0, 113, 2, 0]) // router id, no optional parameters
])

const stalls = () => {
  let isStalled = false
  let current: Socket | undefined
  process.on("SIGUSR2", () => {
    isStalled = true
    current?.pause()
    print("stalled")
  })
  // Or a socket that is paused reads on until so much waits in the process.
  const server = createServer({ highWaterMark: 1 }, (socket) => {
    current = socket
    socket.write(Buffer.concat([open, keepalive]))
    const timer = setInterval(() => socket.write(keepalive), 1_000)
    socket.on("error", () => {}).on("close", () => clearInterval(timer))
    if (isStalled) socket.pause()
    else socket.resume()
  })
  server.listen({ host, port: Number(port) }, () => print("ready"))
}

const collects = Effect.gen(function* () {
  const router = yield* startCollector(
    {
      ...{ host, port: Number(port), localAsn: 64511, routerId: "203.0.113.1" },
      ...{ holdTimeSeconds: Number(hold), families: [4] as const }
    },
    () => {
      const routes = router.peers().flatMap((peer) => [...peer.routes])
      const communities = routes[0]?.[1].attributes.find(({ _tag }) => _tag === "LargeCommunities")
      const count = communities?._tag === "LargeCommunities" ? communities.values.length : 0
      print(`has ${[...routes.map(([prefix]) => prefix)].sort().join(" ")}; ${count} communities`)
    }
  )
  print("ready")
  return yield* Effect.never
}).pipe(Effect.scoped)

if (mode === "stalls") stalls()
else Effect.runFork(collects)
