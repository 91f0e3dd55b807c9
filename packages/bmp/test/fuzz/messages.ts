import { generator, oddOctet } from "@lowtide/testkit/fuzz/random"
import { fuzzOf } from "@lowtide/testkit/fuzz/run"
import { Result } from "effect"
import { Framing } from "../../src/framing.ts"
import { RouterView } from "../../src/view/router-view.ts"
import { takeBmpFrame } from "../../src/wire/frame.ts"
import { type BmpMessage, decodeBmp, encodeBmp, type RouteMonitoring } from "../../src/wire/message.ts"
import { captures, messagesOf } from "../captures.ts"

const captured = captures.flatMap(({ bytes }) => messagesOf(bytes))

/** Messages that no captured router sent, about a peer of one that was captured. */
const written = (() => {
  const random = generator(1)
  const { peer, update } = captured.map(monitoringOf).find((message) => message !== undefined)!
  const text = (type: number, value: string) => ({ type, value: new TextEncoder().encode(value) })
  const number = (type: number, octets: number) => ({ type, value: Uint8Array.from({ length: octets }, random) })
  return [
    encodeBmp({ _tag: "Initiation", information: [text(1, "router"), text(2, "tor-a"), text(0, "free text")] }),
    encodeBmp({ _tag: "StatisticsReport", peer, statistics: [number(0, 4), number(7, 8), number(9, 11)] }),
    encodeBmp({ _tag: "PeerDown", peer, reason: 2, data: Uint8Array.of(0, 24) }),
    encodeBmp({ _tag: "RouteMirroring", peer, mirrored: [{ type: 0, value: update }, number(1, 2)] }),
    encodeBmp({ _tag: "Termination", information: [number(1, 2), text(0, "gone")] })
  ]
})()

function monitoringOf(bytes: Uint8Array): RouteMonitoring | undefined {
  const frame = takeBmpFrame(bytes, 0)
  const message = frame._tag === "Frame" ? Result.getOrUndefined(decodeBmp(frame)) : undefined
  return message?._tag === "RouteMonitoring" ? message : undefined
}

/** The real messages that the fuzz begins with. */
export const samples: ReadonlyArray<Uint8Array> = [...captured, ...written]

const bounds = { routesMax: 50, peersMax: 8 }
const newView = () => new RouterView({ ...bounds, isWanted: () => true })

/**
 * Real messages changed at random, which a view of a router is given. Fails when one throws, when a refusal names no octet of the
 * message, when the view outgrows its bounds, when a message in pieces is read otherwise than whole, or when what is read is not
 * the same after it was written.
 */
export const fuzzBmp = fuzzOf((random) => {
  const buffer = new Uint8Array(4096)
  let view = newView()
  return {
    make: () => {
      const sample = samples[random() % samples.length]!
      buffer.set(sample)
      let length = sample.length
      const kind = random() % 8
      if (kind === 0) length = random() % (length + 1)
      else if (kind === 1) {
        const other = samples[random() % samples.length]!
        const part = other.subarray(random() % other.length).subarray(0, random() % 64)
        const at = random() % (length + 1)
        buffer.set(part.subarray(0, buffer.length - at), at)
        length = Math.min(buffer.length, Math.max(length, at + part.length))
      }
      for (let flips = random() % 4; flips > 0 && length > 5; flips--)
        buffer[5 + (random() % (length - 5))] = oddOctet(random)
      if (length >= 6 && random() % 8 !== 0) new DataView(buffer.buffer).setUint32(1, length)
      return buffer.subarray(0, length)
    },
    read: (bytes, number) => {
      if (number % 1_000 === 0) view = newView()
      const frame = takeBmpFrame(bytes, 0)
      if (frame._tag === "Incomplete") return "incomplete"
      const result = frame._tag === "BmpFault" ? Result.fail(frame) : decodeBmp(frame)
      if ((number & 15) === 0) checkPieces(bytes, random() % (bytes.length + 1), Result.isSuccess(result))
      if (Result.isFailure(result)) {
        const { offset, section } = result.failure
        if (!(offset >= 0 && offset <= bytes.length)) throw new Error(`refused at octet ${offset} of ${bytes.length}`)
        return section
      }
      if ((number & 7) === 0) checkRoundTrip(result.success)
      view.take(result.success, number)
      const { routes, peers } = view
      if (!(routes >= 0 && routes <= bounds.routesMax && peers.length <= bounds.peersMax)) {
        throw new Error(`the view has ${routes} routes of ${peers.length} peers`)
      }
      return "decoded"
    }
  }
})

/** In pieces a message is read as it is whole. */
const checkPieces = (bytes: Uint8Array, at: number, isRead: boolean): void => {
  const framing = new Framing()
  let taken = 0
  const take = () => void taken++
  const fault = framing.push(bytes.slice(0, at), take) ?? framing.push(bytes.slice(at), take)
  // Behind the message there may be octets of another, which is none.
  if (isRead !== taken > 0) throw new Error(`in pieces ${taken} were read, and then: ${fault?.reason}`)
}

/** What was read is the same once it was written and read again. */
const checkRoundTrip = (message: BmpMessage): void => {
  if (message._tag === "Unknown") return
  const frame = takeBmpFrame(encodeBmp(message), 0)
  if (frame._tag !== "Frame") throw new Error("what was written is no message")
  const again = decodeBmp(frame)
  const [first, second] = [textOf(message), textOf(Result.getOrUndefined(again))]
  if (first !== second) throw new Error(`read ${first}\nand again ${second}`)
}

const textOf = (value: unknown): string =>
  JSON.stringify(value, (_key, item) => (typeof item === "bigint" ? `${item}` : item)) ?? "nothing"
