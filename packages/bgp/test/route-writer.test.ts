import { assert, describe, it } from "@effect/vitest"
import { hostPrefix } from "@lowtide/net"
import { AdjRibOut, type SendContext } from "../src/adj-rib-out.ts"
import { type RouteSink, RouteWriter, tokensMax } from "../src/route-writer.ts"
import type { UpdateChunk } from "../src/wire/update-packer.ts"

const context: SendContext = {
  localAsn: 65551,
  fourOctetAs: true,
  isInternal: false,
  families: [4],
  nextHops: { 4: { family: 4, value: 0xc0000202n } }
}
const routes = (count: number) =>
  Array.from({ length: count }, (_, index) => ({
    prefix: hostPrefix({ family: 4, value: 0xc6120000n + BigInt(index) }),
    attributes: { asPathPrepend: 0, communities: [], largeCommunities: [] }
  }))

/** A kernel that takes what it is given only when told to. */
const start = () => {
  const waiting: Array<() => void> = []
  const chunks: Array<UpdateChunk> = []
  const written: Array<Parameters<RouteSink["onWritten"]>[0]> = []
  const kernel = { room: Number.POSITIVE_INFINITY }
  const rib = new AdjRibOut()
  const writer = new RouteWriter(rib, {
    write: (chunk, onWritten) => {
      chunks.push(chunk)
      waiting.push(onWritten)
    },
    isFull: () => waiting.length >= kernel.room,
    onRefused: () => {},
    onWritten: (batch) => written.push(batch)
  })
  const takeAll = () => {
    for (const taken of waiting.splice(0)) taken()
    writer.pump()
  }
  const change = (count: number, token: number) => {
    rib.change(routes(count))
    writer.changed(token)
    writer.pump()
  }
  return {
    rib,
    writer,
    kernel,
    chunks,
    takeAll,
    change,
    tokens: () => written.flatMap(({ tokens }) => tokens),
    written
  }
}

describe("writing routes", () => {
  it("a change is reported when the kernel has taken the last octet of it, not before", () => {
    const { writer, change, takeAll, tokens } = start()
    writer.begin(context)
    takeAll()
    change(10, 1)
    assert.deepStrictEqual(tokens(), [])
    takeAll()
    assert.deepStrictEqual(tokens(), [1])
  })

  it("a change that needs no octets does not overtake the one before it that still waits for the kernel", () => {
    const { writer, change, takeAll, tokens, chunks } = start()
    writer.begin(context)
    takeAll()
    change(10, 1)
    const before = chunks.length
    change(10, 2)
    assert.deepStrictEqual([tokens(), chunks.length], [[], before])
    takeAll()
    assert.deepStrictEqual(tokens(), [1, 2])
  })

  it("a change that needs no octets when nothing is under way is reported at once", () => {
    const { writer, change, takeAll, tokens } = start()
    writer.begin(context)
    takeAll()
    change(0, 3)
    assert.deepStrictEqual(tokens(), [3])
  })

  it("no chunk is made for a kernel that is full; changes in the meantime leave together", () => {
    const { writer, kernel, change, takeAll, tokens, chunks } = start()
    writer.begin(context)
    takeAll()
    kernel.room = 1
    change(40_000, 1) // four chunks
    const before = chunks.length
    change(40_001, 2)
    change(40_002, 3)
    assert.strictEqual(chunks.length, before)
    while (tokens().length < 3) takeAll()
    assert.deepStrictEqual(tokens(), [1, 2, 3])
    assert.strictEqual(chunks.at(-1)?.messages, 1)
  })

  it("what the kernel had not taken when the session ended is reported after the next table", () => {
    const { writer, change, takeAll, tokens, written } = start()
    writer.begin(context)
    takeAll()
    change(10, 1)
    writer.end()
    change(11, 2)
    takeAll() // of the connection that is gone
    assert.deepStrictEqual(tokens(), [])
    writer.begin(context)
    takeAll()
    assert.deepStrictEqual(tokens(), [1, 2])
    assert.deepInclude(written.at(-1), { announced: 11, isTable: true })
  })

  it("of more waiting changes than the bound the oldest are not reported", () => {
    const { writer, takeAll, tokens } = start()
    for (let token = 0; token < tokensMax + 2; token++) writer.changed(token)
    writer.begin(context)
    takeAll()
    assert.lengthOf(tokens(), tokensMax)
    assert.strictEqual(tokens()[0], 2)
  })

  const octetsOf = (chunks: ReadonlyArray<UpdateChunk>) =>
    Buffer.concat(chunks.map(({ bytes }) => bytes)).toString("hex")

  it("a table made ready while the peer's OPEN was awaited is made anew when something changed since", () => {
    const { writer, change, takeAll, tokens, chunks, written } = start()
    change(10, 1)
    writer.prepare(context)
    change(11, 2)
    assert.deepStrictEqual([chunks.length, tokens()], [0, []])
    writer.begin(context)
    takeAll()
    takeAll()
    assert.deepStrictEqual(
      written.map(({ announced, isTable, tokens }) => [announced, isTable, tokens]),
      [[11, true, [1, 2]]]
    )
  })

  it("a route that is withdrawn while a table is ready is not in it", () => {
    const [ready, expected] = [start(), start()]
    ready.change(10, 1)
    ready.writer.prepare(context)
    for (const { rib } of [ready]) rib.change(routes(1).map(({ prefix }) => ({ prefix, attributes: undefined })))
    expected.rib.change(routes(10).slice(1))
    for (const { writer } of [ready, expected]) writer.begin(context)
    for (const { takeAll } of [ready, expected]) takeAll()
    assert.strictEqual(octetsOf(ready.chunks), octetsOf(expected.chunks))
  })

  it("a token given when the session is up comes back after the table, however slowly that goes", () => {
    const { writer, kernel, change, takeAll, tokens, written } = start()
    change(40_000, 1)
    writer.prepare(context)
    writer.changed(2)
    writer.changed(2) // as the owner does at SessionEstablished
    kernel.room = 1
    writer.begin(context)
    while (written.length === 0) takeAll()
    assert.strictEqual(written[0]?.isTable, true)
    takeAll()
    assert.deepStrictEqual(tokens(), [1, 2, 2])
  })

  it("a table made ready for another session than came up is made anew", () => {
    const internal = { ...context, isInternal: true }
    const [expected, other] = [start(), start()]
    other.change(10, 1)
    other.writer.prepare(context)
    other.writer.begin(internal)
    expected.change(10, 1)
    expected.writer.begin(internal)
    assert.strictEqual(octetsOf(other.chunks), octetsOf(expected.chunks))
    other.takeAll()
    assert.deepStrictEqual(other.tokens(), [1])
  })

  it("a table made ready for an attempt that failed is made again for the next", () => {
    const { writer, change, takeAll, tokens, written } = start()
    change(10, 1)
    writer.prepare(context)
    writer.end()
    writer.prepare(context)
    writer.begin(context)
    takeAll()
    assert.deepStrictEqual(tokens(), [1])
    assert.deepInclude(written.at(-1), { announced: 10 })
  })
})
