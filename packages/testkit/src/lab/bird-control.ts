import { connect } from "node:net"
import { Effect } from "effect"
import { LabError } from "./lab-error.ts"

/**
 * Sends one command to BIRD's control socket and answers the text without the reply codes.
 * The socket greets first; a line begins with four digits and `-` (more follows) or a space (the last one), or with a
 * space when the code is the one before. Codes of 8000 and above are errors.
 */
export const birdCommand = (socketFile: string, command: string): Effect.Effect<string, LabError> =>
  Effect.callback((resume) => {
    const socket = connect(socketFile)
    const chunks: Array<Buffer> = []
    let replyFrom = -1
    const fail = (detail: string) =>
      resume(Effect.fail(new LabError({ operation: `birdc ${command.slice(0, 60)}`, detail })))
    socket.setTimeout(30_000, () => socket.destroy(new Error("no answer in 30 s")))
    socket.on("error", (error) => fail(error.message))
    socket.on("close", () => fail("the control socket was closed"))
    socket.on("data", (chunk: Buffer) => {
      chunks.push(chunk)
      if (!lastLineIsFinal(chunks)) return
      if (replyFrom < 0) {
        replyFrom = chunks.length
        socket.write(`${command}\n`)
        return
      }
      const reply = readReply(Buffer.concat(chunks.slice(replyFrom)).toString("utf8"))
      if (reply.code >= 8000) fail(reply.text)
      else resume(Effect.succeed(reply.text))
      socket.destroy()
    })
    return Effect.sync(() => socket.destroy())
  })

/** Whether what has come ends with a whole last line. The last 4 kB hold it: BIRD's final lines are short. */
const lastLineIsFinal = (chunks: ReadonlyArray<Buffer>): boolean => {
  const end = Buffer.concat(chunks.slice(-3)).subarray(-4096).toString("utf8")
  return /(^|\n)\d{4} [^\n]*\n$/.test(end)
}

const readReply = (text: string): { readonly code: number; readonly text: string } => {
  let code = 0
  const lines: Array<string> = []
  for (const line of text.split("\n")) {
    const match = /^(\d{4})[- ](.*)$/.exec(line)
    if (match !== null) code = Number(match[1])
    if (match !== null && match[2] !== "") lines.push(match[2] ?? "")
    else if (match === null) lines.push(line.startsWith(" ") ? line.slice(1) : line)
  }
  return { code, text: lines.join("\n").trimEnd() }
}
