import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { oddOctet } from "@lowtide/testkit/fuzz/random"
import { fuzzOf } from "@lowtide/testkit/fuzz/run"
import { Result } from "effect"
import { noBackOff } from "../../src/fsm/back-off.ts"
import type { SessionConfig } from "../../src/fsm/config.ts"
import type { State } from "../../src/fsm/machine.ts"
import { step } from "../../src/fsm/step.ts"
import { type InspectContext, inspectMessage } from "../../src/wire/inspect.ts"
import {
  type BgpMessage,
  decodeBody,
  encodeMessage,
  extendedMessageBytesMax,
  messageBytesMax,
  takeFrame
} from "../../src/wire/message.ts"
import { effectOf, truePath } from "../../src/wire/update.ts"
import { octets } from "../octets.ts"
import { Grammar } from "./grammar.ts"

/** What routers really sent, a message each: packages/bgp/test/captures. */
export const captures: ReadonlyArray<Uint8Array> = globSync("../captures/*.hex", { cwd: import.meta.dirname })
  .sort()
  .flatMap((file) => readFileSync(join(import.meta.dirname, file), "utf8").split("\n"))
  .map(octets)
  .filter((message) => message.length > 0)

const contexts: ReadonlyArray<InspectContext> = [
  {
    fourOctetAs: true,
    isInternal: false,
    localAsn: 65551,
    peerAsn: 64501,
    localRole: "customer",
    state: "Established"
  },
  { fourOctetAs: false, isInternal: true },
  { fourOctetAs: true, isInternal: true, messageBytesMax: extendedMessageBytesMax, extendedNextHop: true },
  { fourOctetAs: true, isInternal: false, addPath: true }
]

const config: SessionConfig = {
  localAsn: 65551,
  peerAsn: 64501,
  routerId: 0xc0000202,
  holdTimeSeconds: 90,
  connectRetryMs: 1_000,
  families: [4, 6],
  opens: "dial",
  offersExtendedNextHop: true
}
/** Where an OPEN is negotiated as well. */
const openSent: State = { _tag: "OpenSent", backOff: noBackOff, holdDeadlineMs: Number.POSITIVE_INFINITY }

/**
 * Three of four messages are captures changed at random, the others are made by the grammar. Fails when one throws, when a refusal
 * has no NOTIFICATION of the header's, OPEN's or UPDATE's errors, or when what was read without a fault is not the same after
 * it was written and read again.
 */
export const fuzzBgp = fuzzOf((random) => {
  const grammar = new Grammar(random)
  const buffer = new Uint8Array(512)
  return {
    make: () => buffer.subarray(0, random() % 4 === 0 ? grammar.write(buffer) : mutate(buffer, random)),
    read: (bytes, number) => readOne(bytes, contexts[random() % contexts.length]!, number)
  }
})

/** A capture with up to eight octets changed, a stretch of another put in, or its end cut off; most keep a header that fits. */
const mutate = (out: Uint8Array, random: () => number): number => {
  const sample = captures[random() % captures.length]!
  out.set(sample)
  let length = sample.length
  const kind = random() % 16
  if (kind === 0) {
    const other = captures[random() % captures.length]!
    const from = 19 + (random() % Math.max(1, other.length - 19))
    const at = 19 + (random() % Math.max(1, length - 19))
    const part = other.subarray(from, Math.min(other.length, from + (random() % 64)))
    out.set(part.subarray(0, out.length - at), at)
    length = Math.min(out.length, Math.max(length, at + part.length))
  } else if (kind === 1) {
    length = random() % length
  }
  for (let flips = random() % 8; flips > 0 && length > 16; flips--) {
    const at = 16 + (random() % (length - 16))
    out[at] = oddOctet(random)
  }
  if (random() % 4 !== 0 && length >= 19) {
    out[16] = length >> 8
    out[17] = length
    out[18] = sample[18]!
  }
  return length
}

/** Does with the octets all that a session or `lowtide bgp decode` would. */
const readOne = (bytes: Uint8Array, context: InspectContext, number: number): "decoded" | "refused" | "incomplete" => {
  if ((number & 31) === 0) JSON.stringify(inspectMessage(bytes, context))
  const frame = takeFrame(bytes, 0, context.messageBytesMax ?? messageBytesMax)
  if (frame._tag === "Incomplete") return "incomplete"
  const result = frame._tag === "WireFault" ? Result.fail(frame) : decodeBody(frame, context)
  if (Result.isFailure(result)) {
    const { code } = result.failure.notification
    if (![1, 2, 3, 7].includes(code)) throw new Error(`refused with a NOTIFICATION ${code}`)
    return "refused"
  }
  const message = result.success
  if (message._tag === "Update") {
    effectOf(message)
    truePath(message.attributes)
  }
  step(config, openSent, { _tag: "MessageReceived", message, nowMs: 0, jitter: 0 })
  if ((number & 7) === 0) checkRoundTrip(message, context)
  return "decoded"
}

/** What was read without a fault is the same once it was written and read again. */
const checkRoundTrip = (message: BgpMessage, context: InspectContext): void => {
  if (context.addPath === true || (message._tag === "Update" && message.faults.length > 0)) return
  const encoded = encodeMessage(message, context)
  const frame = takeFrame(encoded, 0, extendedMessageBytesMax)
  if (frame._tag !== "Frame") throw new Error(`written as ${Buffer.from(encoded).toString("hex")}, which is no message`)
  const again = decodeBody(frame, context)
  if (Result.isFailure(again)) throw new Error(`read again: ${again.failure.reason}`)
  const [first, second] = [message, again.success].map(plain)
  if (first !== second) throw new Error(`read ${first}\nand again ${second}`)
}

/** As text, the attributes in one order: they are written in the order that RFC 7606 §5.1 asks for. */
const plain = (message: BgpMessage): string => {
  const sorted = message._tag === "Update" ? { ...message, attributes: message.attributes.map(textOf).sort() } : message
  return textOf(sorted)
}

const textOf = (value: unknown): string =>
  JSON.stringify(value, (_key, item) => (typeof item === "bigint" ? `${item}` : item))
