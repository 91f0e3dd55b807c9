/** The BFD process of a node. See `--help`. */
import { rmSync } from "node:fs"
import { connect } from "node:net"
import { parseArgs } from "node:util"
import { setFlagsFromString } from "node:v8"
import { runInRealTime, SocketFault } from "@lowtide/sockets"
import { startBfdServer } from "./control/server.ts"
import { lockNode } from "./node-lock.ts"

const usage = `Runs BFD for a node, in a process of its own that outlives the speaker which asks for sessions.

  node packages/bfd/src/main.ts --socket PATH [--claim-seconds N]

  --socket PATH        the control socket, made there for this user alone; one JSON object a line
  --claim-seconds N    a speaker that came back has so long to ask for its sessions again, 1 to 3600 (default 60)

One process a network namespace. SIGTERM and SIGINT tell every peer that its session is out of use, which is no failure of
the path, and end. Exit codes: 0 after a signal, 2 for wrong options, 1 for anything else. It logs to stderr.`

const log = (level: string, message: string): void => {
  process.stderr.write(`${new Date().toISOString().slice(11, 23)} ${level.padEnd(5)} ${message}\n`)
}

interface Options {
  readonly socketPath: string
  readonly claimMs: number
}

/** Octets of a path of a socket: `sun_path` of unix(7) less its end. */
const socketPathBytesMax = 107

const readOptions = (): Options | string | undefined => {
  const { values } = parseArgs({
    options: {
      socket: { type: "string" },
      "claim-seconds": { type: "string", default: "60" },
      help: { type: "boolean" }
    }
  })
  if (values.help === true) return undefined
  const { socket } = values
  const claimSeconds = Number(values["claim-seconds"])
  if (socket === undefined) return "--socket: expected the path of the control socket, found nothing"
  if (Buffer.byteLength(socket) > socketPathBytesMax) {
    return `--socket: expected a path of at most ${socketPathBytesMax} octets, found ${Buffer.byteLength(socket)}`
  }
  if (!Number.isInteger(claimSeconds) || claimSeconds < 1 || claimSeconds > 3600) {
    return `--claim-seconds: expected a whole number from 1 to 3600, found ${values["claim-seconds"]}`
  }
  return { socketPath: socket, claimMs: claimSeconds * 1000 }
}

/** Packets must go while the node is busy, so this thread runs before all others where that is allowed. */
const hurry = (): void => {
  try {
    runInRealTime()
  } catch (cause) {
    if (!(cause instanceof SocketFault)) throw cause
    log("WARN", `${cause.message}; a node without a free processor may cost sessions (CAP_SYS_NICE allows it)`)
  }
}

/** Compiled code would take a fifth more memory, and a few hundred packets a second need none: see `docs/adr/0070`. */
const staySmall = (): void => {
  for (const flag of ["--no-opt", "--no-maglev", "--no-sparkplug", "--lazy-feedback-allocation"])
    setFlagsFromString(flag)
}

const main = async ({ socketPath, claimMs }: Options): Promise<void> => {
  staySmall()
  await lockNode()
  await freePath(socketPath)
  process.umask(0o177)
  const server = await startBfdServer({ socketPath, claimMs, log })
  hurry()
  log("INFO", `listens on ${socketPath}`)
  let isStopping = false
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      if (isStopping) return // a second one must not cut off what peers are being told
      isStopping = true
      log("INFO", `${signal}: the sessions are put out of use`)
      void server.stop().then(() => process.exit(0))
    })
  }
}

/** Takes away what a process before has left; fails when one that runs has it, in another network namespace then. */
const freePath = (socketPath: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const probe = connect(socketPath)
    probe.once("connect", () => {
      probe.destroy()
      reject(
        new Error(`--socket: expected a path of this process's own, found a process that listens on ${socketPath}`)
      )
    })
    probe.once("error", () => {
      rmSync(socketPath, { force: true })
      resolve()
    })
  })

const attempt = (): Options | string | undefined => {
  try {
    return readOptions()
  } catch (cause) {
    return cause instanceof Error ? cause.message : String(cause)
  }
}

const options = attempt()
if (options === undefined) process.stdout.write(`${usage}\n`)
else if (typeof options === "string") {
  process.stderr.write(`${options}\n`)
  process.exitCode = 2
} else {
  await main(options).catch((cause: unknown) => {
    log("FATAL", cause instanceof Error ? cause.message : String(cause))
    process.exit(1)
  })
}
