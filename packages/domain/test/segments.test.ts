import { describe, expect, it } from "@effect/vitest"
import { Result } from "effect"
import { type Command, decide, Fleet, firstFleetVersion, type RecordSegment } from "../src/index.ts"

const context = { nowMs: 0, obligedOf: () => [], hasConfirmed: () => false }
const segment: Omit<RecordSegment, "phase"> = {
  ...{ _tag: "RecordSegment", fromSeq: 1, toSeq: 300, firstAt: "2026-11-23T14:00:00.000Z" },
  ...{ lastAt: "2026-11-23T15:00:00.000Z", root: "ab", leavesDigest: "cd", file: "segment.gz", sha256: "ef" }
}

const deciding = () => {
  const fleet = new Fleet()
  return (command: Command) => Result.getOrThrow(decide(fleet, command, context)).map(({ type }) => type)
}

describe("a segment of the log", () => {
  it("is archived before it is dropped, and dropped before it is restored", () => {
    const order = deciding()
    expect(order({ ...segment, phase: "dropped" })).toEqual([])
    expect(order({ ...segment, phase: "restored" })).toEqual([])
    expect(order({ ...segment, phase: "archived" })).toEqual(["SegmentArchived"])
    expect(order({ ...segment, phase: "archived" })).toEqual([])
    expect(order({ ...segment, phase: "archived", file: "other.gz" })).toEqual(["SegmentArchived"])
    expect(order({ ...segment, phase: "restored" })).toEqual([])
    expect(order({ ...segment, phase: "dropped" })).toEqual(["SegmentDropped"])
    expect(order({ ...segment, phase: "dropped" })).toEqual([])
    expect(order({ ...segment, phase: "archived" })).toEqual([])
    expect(order({ ...segment, phase: "restored" })).toEqual(["SegmentRestored"])
    expect(order({ ...segment, phase: "dropped" })).toEqual(["SegmentDropped"])
  })

  it("is not spoken of before the fleet's version has it", () => {
    const fleet = new Fleet()
    fleet.fleetVersion = firstFleetVersion
    const refused = decide(fleet, { ...segment, phase: "archived" }, context)
    expect(Result.isFailure(refused) && refused.failure.code).toBe("LT0543")
  })
})

describe("old rows of the wire journal", () => {
  it("go up to an id that rises", () => {
    const order = deciding()
    const drop = (untilId: number): Command => ({ _tag: "RecordWireDrop", untilId, before: "2026-11-23T14:00:00.000Z" })
    expect([drop(9), drop(9), drop(5), drop(10)].map(order)).toEqual([["WireRowsDropped"], [], [], ["WireRowsDropped"]])
  })
})
