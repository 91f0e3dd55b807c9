import { assert, describe, it } from "@effect/vitest"
import {
  ceaseWithText,
  decodeNotification,
  encodeNotification,
  hardReset,
  notification,
  notificationName,
  notificationText
} from "../src/wire/notification.ts"
import { octets } from "./octets.ts"

describe("NOTIFICATION, RFC 4271 §4.5", () => {
  it("has code, subcode and data", () => {
    const bytes = octets(`
      02      # OPEN Message Error
      02      # Bad Peer AS
      fc00    # data`)
    assert.deepStrictEqual(decodeNotification(bytes), notification(2, 2, octets("fc00")))
    assert.deepStrictEqual(encodeNotification(notification(2, 2, octets("fc00"))), bytes)
  })

  const names: ReadonlyArray<readonly [number, number, string]> = [
    [2, 2, "2/2 Bad Peer AS"],
    [4, 0, "4/0 Hold Timer Expired"],
    [6, 0, "6/0 Cease"],
    [6, 9, "6/9 Hard Reset"],
    [6, 77, "6/77 Cease, subcode 77"],
    [99, 1, "99/1"]
  ]
  it.each(names)("%i/%i is shown with its name", (code, subcode, name) => {
    assert.strictEqual(notificationName({ code, subcode }), name)
  })
})

describe("the text of a Cease, RFC 9003", () => {
  it("has its length in front", () => {
    assert.deepStrictEqual(ceaseWithText(2, "bye").data, octets("03 62 79 65"))
    assert.deepStrictEqual(ceaseWithText(2).data, octets(""))
  })
  it("is cut to 255 octets between two characters", () => {
    const { data } = ceaseWithText(4, "ü".repeat(200)) // two octets each
    assert.strictEqual(data[0], 254)
    assert.strictEqual(notificationText(notification(6, 4, data)), "ü".repeat(127))
  })

  const texts: ReadonlyArray<readonly [string, number, string, string | undefined]> = [
    ["a shutdown's text is read", 2, "03 62 79 65", "bye"],
    ["octets after the text are ignored", 2, "03 62 79 65 00", "bye"],
    ["another subcode has no text", 3, "03 62 79 65", undefined],
    ["a length beyond the data gives none", 2, "04 62 79 65", undefined],
    ["no data gives none", 2, "", undefined],
    ["what is not UTF-8 is shown as octets", 2, "02 c3 28", "(not UTF-8) c328"],
    ["a control character is not passed to a terminal", 2, "02 07 61", "\\u0007a"]
  ]
  it.each(texts)("%s", (_, subcode, data, text) => {
    assert.strictEqual(notificationText(notification(6, subcode, octets(data))), text)
  })

  it("is found inside a Hard Reset, RFC 8538 §3.1", () => {
    const reset = hardReset(ceaseWithText(2, "bye"))
    assert.deepStrictEqual(reset, notification(6, 9, octets("06 02 03 62 79 65")))
    assert.strictEqual(notificationText(reset), "bye")
    assert.isUndefined(notificationText(hardReset(reset)), "one within another is not looked into")
  })
})
