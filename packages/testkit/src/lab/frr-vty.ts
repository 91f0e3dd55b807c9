import { connect } from "node:net"
import { Effect } from "effect"
import { LabError } from "./lab-error.ts"

/**
 * Sends commands, in order, over one connection to an FRR daemon's vty socket and answers each one's text.
 * A command ends with a NUL; its answer ends with three NULs and a status byte, 0 for success. Fails at the first that fails.
 */
export const vtyCommands = (
  socketFile: string,
  commands: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<string>, LabError> =>
  Effect.callback((resume) => {
    const socket = connect(socketFile)
    const answers: Array<string> = []
    let chunks: Array<Buffer> = []
    const current = () => commands[answers.length] ?? ""
    const fail = (detail: string) => {
      resume(Effect.fail(new LabError({ operation: `vty ${current()}`, detail })))
      socket.destroy()
    }
    const next = () => {
      if (answers.length < commands.length) return socket.write(`${current()}\0`)
      resume(Effect.succeed(answers))
      return socket.destroy()
    }
    socket.setTimeout(30_000, () => fail("no answer in 30 s"))
    socket.on("connect", next)
    socket.on("error", (error) => fail(error.message))
    socket.on("close", () => fail("the vty socket was closed"))
    socket.on("data", (chunk: Buffer) => {
      chunks.push(chunk)
      const end = Buffer.concat(chunks.slice(-4)).subarray(-4)
      if (end.length < 4 || end[0] !== 0 || end[1] !== 0 || end[2] !== 0) return
      const text = Buffer.concat(chunks).subarray(0, -4).toString("utf8")
      chunks = []
      if (end[3] !== 0) return fail(text.trim() || `status ${end[3]}`)
      answers.push(text)
      next()
    })
    return Effect.sync(() => socket.destroy())
  })
