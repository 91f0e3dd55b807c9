import { oddOctet } from "@lowtide/testkit/fuzz/random"
import { fuzzOf } from "@lowtide/testkit/fuzz/run"
import { Result } from "effect"
import { makeLineReader } from "../../src/control/lines.ts"
import { controlVersion, lineBytesMax, readRequest } from "../../src/control/messages.ts"
import { sessionDefaults } from "../../src/session-options.ts"

/**
 * Half of the lines are requests, the others objects made of members that fit or do not; all are changed at random and come in pieces.
 * Fails when one throws, when a refusal does not say why, or when what is read is not the same after it was written.
 */
export const fuzzLines = fuzzOf((random) => {
  let reader = makeLineReader(lineBytesMax)
  return {
    make: () => {
      const text = random() % 2 === 0 ? requestText(random) : pick(random, samples)
      const bytes = Buffer.from(text)
      for (let flips = text === "" ? 0 : random() % 4; flips > 0; flips--)
        bytes[random() % bytes.length] = oddOctet(random)
      return random() % 8 === 0 ? bytes.subarray(0, random() % (bytes.length + 1)) : bytes
    },
    read: (bytes) => {
      const at = random() % (bytes.length + 1)
      const lines = [bytes.subarray(0, at), bytes.subarray(at), lineEnd].flatMap((part) =>
        reader.push(Buffer.from(part))
      )
      if (reader.isTooLong()) {
        reader = makeLineReader(lineBytesMax) // another connection
        return "too long"
      }
      const outcomes = lines.map(readOne)
      return outcomes.find((outcome) => outcome !== "decoded") ?? "decoded"
    }
  }
})

const lineEnd = Buffer.from("\n")

/** What is told of each line that is refused. */
const reasons = [
  ...["one JSON object a line", "version: expected", "id: expected", "request: expected", "is no member of"],
  ...["owner: expected a text", "name: expected a text", "expected an object", "is no field of a session"],
  ...["expected an address", "expected single or multi", "expected the name of an interface", "from 10 to 60000"],
  ...["from 1 to 255", "from 1 to 254", "expected true or false", "of the family and zone", "so its hops are"]
]

const readOne = (line: string): string => {
  const { id, request } = readRequest(line)
  if (Result.isFailure(request)) {
    const reason = reasons.find((part) => request.failure.includes(part))
    if (reason === undefined) throw new Error(`refused with ${request.failure}`)
    return reason
  }
  const again = readRequest(JSON.stringify({ version: controlVersion, id, ...request.success }))
  const [first, second] = [JSON.stringify(request.success), JSON.stringify(Result.getOrUndefined(again.request))]
  if (first !== second) throw new Error(`read ${first}\nand again ${second}`)
  return "decoded"
}

const pick = <A>(random: () => number, items: ReadonlyArray<A>): A => items[random() % items.length]!

const session = { ...sessionDefaults, peerAddress: "192.0.2.1", localAddress: "192.0.2.2", device: "up0" }
const samples = [
  { request: "hello", owner: "speaker" },
  { request: "set", name: "tor-a", session },
  { request: "set", name: "tor-b", session: { peerAddress: "fe80::1%up0", localAddress: "fe80::2%up0" } },
  { request: "remove", name: "tor-a" },
  { request: "status" }
].map((fields) => JSON.stringify({ version: controlVersion, id: 1, ...fields }))

/** Deeper than JSON.stringify writes, where a name is a number; JSON.parse reads it all the same. */
const nested = `{"1":${"[".repeat(8_000)}${"]".repeat(8_000)}}`
const nestedMark = "nested"

const odd: ReadonlyArray<unknown> = [
  ...[null, true, false, 0, -1, 1.5, 255, 256, 1e300, 2 ** 53, "", "single", "multi", "up0", "a/b", "192.0.2.300"],
  ...["fe80::1", "fe80::1%", "fe80::1%up0%1", "2001:db8::1", "::ffff:192.0.2.1", "\u0000", "\ud800", "x".repeat(201)],
  ...["x".repeat(lineBytesMax), [], {}, [1], { toString: 1 }, nestedMark]
]
const names = [...Object.keys(session), "toString", "constructor", "__proto__", "other"]

const requestText = (random: () => number): string => JSON.stringify(request(random)).replace(`"${nestedMark}"`, nested)

/** An object with most of what a request needs, and now and then something else in its place. */
const request = (random: () => number): object => {
  const mostly = (value: unknown) => (random() % 8 === 0 ? pick(random, odd) : value)
  const fields: Record<string, unknown> = {
    version: random() % 16 === 0 ? pick(random, odd) : controlVersion,
    id: random() % 16 === 0 ? pick(random, odd) : random(),
    request: random() % 16 === 0 ? pick(random, odd) : pick(random, ["hello", "set", "set", "set", "remove", "status"])
  }
  if (fields.request === "hello") fields.owner = mostly("speaker")
  if (fields.request === "set" || fields.request === "remove") fields.name = mostly("tor-a")
  if (fields.request === "set") {
    const part: Record<string, unknown> = { peerAddress: mostly("192.0.2.1"), localAddress: mostly("192.0.2.2") }
    for (let left = random() % 4; left > 0; left--) {
      const name = pick(random, names)
      part[name] = random() % 2 === 0 ? session[name as keyof typeof session] : pick(random, odd)
    }
    fields.session = random() % 16 === 0 ? pick(random, odd) : part
  }
  return fields
}
