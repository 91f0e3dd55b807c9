import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { makeLineReader } from "../src/control/lines.ts"
import { controlVersion, nameLengthMax, readRequest } from "../src/control/messages.ts"
import { sessionDefaults } from "../src/session-options.ts"

const line = (fields: object) => JSON.stringify({ version: controlVersion, id: 1, ...fields })

describe("a line of the control socket", () => {
  it("is read as what it asks", () => {
    const session = { peerAddress: "192.0.2.1", localAddress: "192.0.2.2" }
    const cases = [
      [
        { request: "hello", owner: "speaker" },
        { request: "hello", owner: "speaker" }
      ],
      [{ request: "status" }, { request: "status" }],
      [
        { request: "remove", name: "tor-a" },
        { request: "remove", name: "tor-a" }
      ],
      [
        { request: "set", name: "tor-a", session },
        { request: "set", name: "tor-a", session: { ...sessionDefaults, ...session } }
      ]
    ] as const
    for (const [written, read] of cases) {
      assert.deepStrictEqual(readRequest(line(written)), { id: 1, request: Result.succeed(read) })
    }
  })

  const refused: ReadonlyArray<readonly [line: string, id: number | null, message: string]> = [
    ["hello", null, "expected one JSON object a line, found hello"],
    ["[1]", null, "expected one JSON object a line, found [1]"],
    ["", null, "expected one JSON object a line, found "],
    [line({ version: 2, request: "status" }), 1, "version: expected 1, found 2"],
    ['{"request":"status"}', null, "version: expected 1, found undefined"],
    [line({ id: "a", request: "status" }), null, 'id: expected a whole number, found "a"'],
    [line({ request: "toString" }), 1, 'request: expected hello, set, remove, status, found "toString"'],
    [line({ request: "status", all: true }), 1, "all is no member of status: version, id, request"],
    [line({ request: "hello" }), 1, "owner: expected a text of 1 to 200 characters, found undefined"],
    [line({ request: "remove", name: "" }), 1, 'name: expected a text of 1 to 200 characters, found ""'],
    [
      `{"version":1,"id":1,"request":"remove","name":{"1":${"[".repeat(8_000)}${"]".repeat(8_000)}}}`,
      1,
      "name: expected a text of 1 to 200 characters, found an object"
    ],
    [
      line({ request: "set", name: "tor-a", session: {} }),
      1,
      "session tor-a: peerAddress: expected an address such as 192.0.2.1 or fe80::1%eth0, found undefined"
    ]
  ]
  for (const [text, id, message] of refused) {
    it(`is refused: ${message}`, () => {
      assert.deepStrictEqual(readRequest(text), { id, request: Result.fail(message) })
    })
  }

  it("is refused with a name that is too long, which is not repeated in full", () => {
    const { request } = readRequest(line({ request: "remove", name: "x".repeat(nameLengthMax + 1) }))
    assert.isBelow(Result.isFailure(request) ? request.failure.length : 1_000, 200)
  })
})

describe("the reader of lines", () => {
  it("puts them together from whatever pieces they come in", () => {
    const whole = Buffer.from("ä1\n\nlong line\nrest")
    for (let size = 1; size <= whole.length; size++) {
      const reader = makeLineReader(20)
      const lines = Array.from({ length: Math.ceil(whole.length / size) }, (_, index) =>
        reader.push(whole.subarray(index * size, (index + 1) * size))
      ).flat()
      assert.deepStrictEqual([lines, reader.isTooLong()], [["ä1", "", "long line"], false])
    }
  })

  it("gives up at a line that is too long, with or without its end", () => {
    const ended = makeLineReader(4)
    assert.deepStrictEqual(ended.push(Buffer.from("1234\n12345\n1\n")), ["1234"])
    assert.isTrue(ended.isTooLong())
    const open = makeLineReader(4)
    open.push(Buffer.from("123"))
    assert.isFalse(open.isTooLong())
    open.push(Buffer.from("45"))
    assert.isTrue(open.isTooLong())
  })
})
