import { Result } from "effect"
import { describe, expect, it } from "vitest"
import { formatAge, formatDuration, formatLocal, parseMoment } from "../src/moment.ts"
import { nowMs } from "./fixture.ts"

describe("formatAge", () => {
  const second = 1000
  const [minute, hour, day] = [60 * second, 3600 * second, 86_400 * second]
  const table = [
    [-5 * second, "0s"],
    [59_999, "59s"],
    [minute, "1m"],
    [59 * minute + 59 * second, "59m"],
    [hour, "1h"],
    [2 * hour + 10 * minute, "2h10m"],
    [day - 1, "23h59m"],
    [3 * day + 4 * hour, "3d4h"],
    [400 * day, "400d"]
  ] as const
  for (const [ms, text] of table) {
    it(`${ms} ms is ${text}`, () => expect(formatAge(nowMs - ms, nowMs)).toBe(text))
  }
})

describe("formatDuration", () => {
  it.each([
    [0, "0 ms"],
    [3.25, "3.25 ms"],
    [999, "999 ms"],
    [34_116, "34.1 s"],
    [59_949, "59.9 s"],
    [59_950, "1m0s"],
    [125_000, "2m5s"],
    [3_599_400, "59m59s"],
    [3_600_000, "1h"],
    [11_400_000, "3h10m"],
    [-34_116, "-34.1 s"]
  ])("%d ms is %s", (ms, text) => expect(formatDuration(ms)).toBe(text))
})

describe("formatLocal", () => {
  it("shows the reader's zone to the millisecond, over the change of day and of offset", () => {
    expect(formatLocal("2026-11-23T23:05:01.123Z", "Europe/Berlin")).toBe("2026-11-24 00:05:01.123")
    expect(formatLocal("2026-07-01T12:00:00.000Z", "Europe/Berlin")).toBe("2026-07-01 14:00:00.000")
    expect(formatLocal("2026-07-01T00:00:00.007Z", "UTC")).toBe("2026-07-01 00:00:00.007")
  })
})

describe("parseMoment", () => {
  const read = (text: string) => Result.getOrElse(parseMoment(text, nowMs), () => "refused")
  const table = [
    ["2026-11-23T14:05:01Z", "2026-11-23T14:05:01.000Z"],
    ["2026-11-23T14:05:01.250+01:00", "2026-11-23T13:05:01.250Z"],
    ["30 minutes ago", "2026-11-23T15:35:00.000Z"],
    ["2h", "2026-11-23T14:05:00.000Z"],
    ["1 day ago", "2026-11-22T16:05:00.000Z"],
    ["3w", "2026-11-02T16:05:00.000Z"],
    ["2026-11-23 14:05", new Date("2026-11-23T14:05").toISOString()],
    ["2026-11-23", new Date("2026-11-23T00:00").toISOString()],
    ["yesterday", "refused"],
    ["2026-13-01T00:00:00Z", "refused"],
    ["2026-02-30T00:00:00Z", "refused"],
    ["2026-11-31", "refused"],
    ["2028-02-29T00:00:00Z", "2028-02-29T00:00:00.000Z"],
    ["5", "refused"],
    ["99999999999 weeks ago", "refused"],
    ["", "refused"]
  ] as const
  for (const [text, moment] of table) {
    it(`reads ${JSON.stringify(text)}`, () => expect(read(text)).toBe(moment))
  }
})
