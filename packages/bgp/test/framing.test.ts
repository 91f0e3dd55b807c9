import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { decodeBody, encodeMessage, extendedMessageBytesMax, keepalive, takeFrame } from "../src/wire/message.ts"
import { messageOctets, octets } from "./octets.ts"

const external = { fourOctetAs: true, isInternal: false }
const marker = "ff".repeat(16)

describe("message header, RFC 4271 §4.1 and §6.1", () => {
  it("a KEEPALIVE is a header alone", () => {
    const bytes = octets(`
      ${marker}   # marker
      0013        # length 19
      04          # type: KEEPALIVE`)
    assert.deepStrictEqual(encodeMessage(keepalive, external), bytes)
    assert.deepInclude(takeFrame(bytes, 0), { _tag: "Frame", kind: "Keepalive", end: 19 })
  })

  it("two messages in one stream are cut apart, and a part of a third waits", () => {
    const one = messageOctets(4, new Uint8Array(0))
    const stream = Uint8Array.from([...one, ...one, ...one.subarray(0, 18)])
    const first = takeFrame(stream, 0)
    assert.strictEqual(first._tag === "Frame" && first.end, 19)
    assert.strictEqual(takeFrame(stream, 38)._tag, "Incomplete")
  })

  const refused: ReadonlyArray<readonly [string, string, { code: number; subcode: number; data: string }]> = [
    ["a marker with a zero", `00${"ff".repeat(15)} 0013 04`, { code: 1, subcode: 1, data: "" }],
    ["a length below the header", `${marker} 0012 04`, { code: 1, subcode: 2, data: "0012" }],
    ["a length beyond 4,096", `${marker} 1001 02`, { code: 1, subcode: 2, data: "1001" }],
    ["a KEEPALIVE with a body", `${marker} 0014 04 00`, { code: 1, subcode: 2, data: "0014" }],
    ["an OPEN below 29 octets", `${marker} 001c 01`, { code: 1, subcode: 2, data: "001c" }],
    ["an UPDATE below 23 octets", `${marker} 0016 02`, { code: 1, subcode: 2, data: "0016" }],
    ["a NOTIFICATION below 21 octets", `${marker} 0014 03`, { code: 1, subcode: 2, data: "0014" }],
    ["a ROUTE-REFRESH without a subtype", `${marker} 0015 05`, { code: 1, subcode: 2, data: "0015" }],
    ["type 0", `${marker} 0013 00`, { code: 1, subcode: 3, data: "00" }],
    ["type 6", `${marker} 0013 06`, { code: 1, subcode: 3, data: "06" }],
    ["type 255", `${marker} 0013 ff`, { code: 1, subcode: 3, data: "ff" }]
  ]
  it.each(refused)("%s is refused before its body is waited for", (_, text, { code, subcode, data }) => {
    const framing = takeFrame(octets(text), 0)
    assert.strictEqual(framing._tag, "WireFault")
    if (framing._tag !== "WireFault") return
    assert.deepStrictEqual(framing.notification, { _tag: "Notification", code, subcode, data: octets(data) })
  })

  it("where extended messages are agreed (RFC 8654 §3), any but OPEN and KEEPALIVE may be as long", () => {
    const long = (type: string) => takeFrame(octets(`${marker} ffff ${type}`), 0, extendedMessageBytesMax)._tag
    assert.deepStrictEqual(["02", "03", "05"].map(long), ["Incomplete", "Incomplete", "Incomplete"])
    assert.deepStrictEqual(["01", "04"].map(long), ["WireFault", "WireFault"])
  })

  const lengths: ReadonlyArray<readonly [string, string, number, number, string]> = [
    ["a request is 1/2 with the length", "0001 00 01 00", 1, 2, "0018"],
    ["a request that is too short is 1/2 as well", "0001 00", 1, 2, "0016"],
    ["a mark is 7/1 with the whole message, RFC 7313 §5", "0001 01 01 00", 7, 1, `${marker} 0018 05 0001 01 01 00`],
    ["a mark that is too short is 7/1 as well", "0001 02", 7, 1, `${marker} 0016 05 0001 02`]
  ]
  it.each(lengths)("a ROUTE-REFRESH of a wrong length: %s", (_, body, code, subcode, data) => {
    const fault = Result.getOrThrow(Result.flip(decodeBody({ kind: "RouteRefresh", body: octets(body) }, external)))
    assert.deepStrictEqual(fault.notification, { _tag: "Notification", code, subcode, data: octets(data) })
  })
})
