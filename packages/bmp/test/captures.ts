import { readdirSync, readFileSync } from "node:fs"
import { takeBmpFrame } from "../src/wire/frame.ts"

const folder = new URL("./captures/", import.meta.url)

/** What FRR and GoBGP sent over one BMP session each: a peer that comes up, announces, withdraws, is counted and goes. */
export const captures: ReadonlyArray<{ readonly name: string; readonly bytes: Uint8Array }> = readdirSync(folder)
  .filter((file) => file.endsWith(".bmp"))
  .sort()
  .map((file) => ({ name: file.slice(0, -4), bytes: new Uint8Array(readFileSync(new URL(file, folder))) }))

/** The messages of a stream that is whole. */
export const messagesOf = (bytes: Uint8Array): ReadonlyArray<Uint8Array> => {
  const messages: Array<Uint8Array> = []
  for (let offset = 0; offset < bytes.length; ) {
    const frame = takeBmpFrame(bytes, offset)
    if (frame._tag !== "Frame") throw new Error(`octet ${offset}: ${JSON.stringify(frame)}`)
    messages.push(frame.bytes)
    offset = frame.end
  }
  return messages
}
