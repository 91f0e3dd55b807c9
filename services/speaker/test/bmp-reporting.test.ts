import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { parseStations } from "../src/bmp-reporting.ts"

describe("LOWTIDE_BMP_STATIONS", () => {
  it("is addresses with ports", () => {
    assert.deepStrictEqual(
      parseStations("192.0.2.9:5000, [2001:db8::9]:11019"),
      Result.succeed([
        { host: "192.0.2.9", port: 5000 },
        { host: "2001:db8::9", port: 11019 }
      ])
    )
  })

  it.each(["192.0.2.9", "station:5000", "192.0.2.9:0", "192.0.2.9:5000,,"])("refuses %s", (text) => {
    assert.match(Result.getOrThrow(Result.flip(parseStations(text))), /expected .*found/)
  })
})
