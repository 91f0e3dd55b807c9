import { createContext, Script } from "node:vm"
import { heapInUse } from "./heap.ts"
import { generator } from "./random.ts"

/** What makes messages that nobody should send, and reads them. With the same numbers it makes the same messages. */
export interface FuzzSubject {
  /** The next one; it may be written over the one before. */
  readonly make: () => Uint8Array
  /**
   * Does with it all that is done with one that came, and answers "decoded", "incomplete", or why it was refused. Throws when
   * something does not hold that holds of every message.
   */
  readonly read: (bytes: Uint8Array, number: number) => string
}

/** What came of the messages of a run. */
export interface FuzzCount {
  readonly messages: number
  readonly decoded: number
  readonly refused: number
  readonly reasons: ReadonlySet<string>
}

/** Reads so many messages of a seed. Throws `FuzzFailed` at the first that breaks what holds of every message. */
export type Fuzz = (seed: number, count: number) => FuzzCount

/** A message that broke what holds of every message, or was not read to its end; the seed and its number give it again. */
export class FuzzFailed extends Error {
  readonly messageNumber: number
  constructor(part: {
    readonly seed: number
    readonly number: number
    readonly bytes: Uint8Array
    readonly cause: unknown
  }) {
    super(
      `seed ${part.seed}, message ${part.number}: ${part.cause instanceof Error ? part.cause.stack : String(part.cause)}\n` +
        Buffer.from(part.bytes).toString("hex"),
      { cause: part.cause }
    )
    this.messageNumber = part.number
  }
}

/** Messages in a row, and when reading them counts as hanging: they take a second or two. */
const row = { messages: 1 << 16, hangMs: 180_000 }

/** Ends what does not end by itself, which no timer in the same thread could. */
const place: { run?: () => void } = {}
createContext(place)
const script = new Script("run()")
const runInTime = (run: () => void): void => {
  place.run = run
  script.runInContext(place, { timeout: row.hangMs })
}

/** A fuzz of what `begin` makes with a seed's numbers. */
export const fuzzOf =
  (begin: (random: () => number) => FuzzSubject): Fuzz =>
  (seed, count) => {
    const { make, read } = begin(generator(seed))
    const reasons = new Set<string>()
    let [decoded, refused, messages] = [0, 0, 0]
    let bytes: Uint8Array = new Uint8Array(0)
    const readRow = () => {
      for (const end = Math.min(count, messages + row.messages); messages < end; messages++) {
        bytes = make()
        const outcome = read(bytes, messages)
        if (outcome === "decoded") decoded++
        else if (outcome !== "incomplete") {
          refused++
          reasons.add(outcome)
        }
      }
    }
    try {
      while (messages < count) runInTime(readRow)
    } catch (cause) {
      throw new FuzzFailed({ seed, number: messages, bytes: bytes.slice(), cause })
    }
    return { messages, decoded, refused, reasons }
  }

/** The same, and by how many octets the heap has grown since a shorter run that has everything ready. */
export const weighFuzz = async (
  fuzz: Fuzz,
  seed: number,
  count: number
): Promise<FuzzCount & { readonly grownBytes: number }> => {
  fuzz(seed ^ 1, 20_000)
  const before = await heapInUse()
  const found = fuzz(seed, count)
  return { ...found, grownBytes: (await heapInUse()) - before }
}

/** What the heap may have grown by: what is kept of each message shows far above it. */
export const grownBytesMax = 10 * 1024 * 1024
