/**
 * A listener on port 179 that answers every speaker's OPEN and counts what comes: prints `{"address","updates","routes"}` as JSON
 * once a speaker's End-of-RIB, or as many routes as it was told, are there.
 *
 * Run as `node counter-main.ts ASN ROUTES`.
 */
import { createServer } from "node:net"
import { ownOpen } from "@lowtide/bgp/fsm/negotiate"
import { decodeBody, encodeMessage, keepalive, takeFrame } from "@lowtide/bgp/wire/message"
import { effectOf } from "@lowtide/bgp/wire/update"
import { Result } from "effect"

const [asn = "", routes = ""] = process.argv.slice(2)
const context = { fourOctetAs: true, isInternal: false }
const open = ownOpen({
  localAsn: Number(asn),
  peerAsn: "any",
  routerId: 0xc000_02fe,
  holdTimeSeconds: 90,
  connectRetryMs: 1_000,
  families: [4],
  opens: "accept"
})
// Without extended messages, which only some speakers send.
const answer = { ...open, capabilities: open.capabilities.filter(({ _tag }) => _tag !== "ExtendedMessage") }

createServer((socket) => {
  let unread: Uint8Array = new Uint8Array(0)
  const count = { address: socket.remoteAddress?.replace("::ffff:", ""), updates: 0, routes: 0 }
  let isTold = false
  socket.on("error", () => socket.destroy())
  socket.write(encodeMessage(answer, context))
  socket.on("data", (bytes: Buffer) => {
    const stream = unread.length === 0 ? bytes : Buffer.concat([unread, bytes])
    let offset = 0
    for (;;) {
      const frame = takeFrame(stream, offset)
      if (frame._tag !== "Frame") break
      offset = frame.end
      if (frame.kind === "Open") socket.write(encodeMessage(keepalive, context))
      if (frame.kind !== "Update") continue
      const decoded = decodeBody(frame, context)
      if (Result.isFailure(decoded) || decoded.success._tag !== "Update") continue
      const { announced } = effectOf(decoded.success)
      if (announced.length > 0) count.updates++
      count.routes += announced.length
    }
    unread = stream.subarray(offset)
    if (count.routes < Number(routes) || isTold) return
    isTold = true
    process.stdout.write(`${JSON.stringify(count)}\n`)
  })
}).listen({ port: 179, host: "::" })
