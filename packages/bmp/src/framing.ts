import { Result } from "effect"
import type { BmpFault } from "./wire/fault.ts"
import { takeBmpFrame } from "./wire/frame.ts"
import { type BmpMessage, decodeBmp } from "./wire/message.ts"

/** Cuts the octets of one connection into messages. What is not whole yet is kept, at most one message of it. */
export class Framing {
  #unread: Uint8Array = new Uint8Array(0)

  /** Octets that wait for the rest of their message. */
  get waiting(): number {
    return this.#unread.length
  }

  /** Gives each whole message to `take`; answers the fault that ends the stream, if there is one. Nothing after it is read. */
  push(chunk: Uint8Array, take: (message: BmpMessage) => void): BmpFault | undefined {
    const stream = this.#unread.length === 0 ? chunk : Buffer.concat([this.#unread, chunk])
    this.#unread = new Uint8Array(0)
    for (let offset = 0; ; ) {
      const frame = takeBmpFrame(stream, offset)
      if (frame._tag === "BmpFault") return frame
      if (frame._tag === "Incomplete") {
        this.#unread = Uint8Array.from(stream.subarray(offset)) // a copy: the chunk's memory is the socket's
        return undefined
      }
      const message = decodeBmp(frame)
      if (Result.isFailure(message)) return message.failure
      take(message.success)
      offset = frame.end
    }
  }
}
