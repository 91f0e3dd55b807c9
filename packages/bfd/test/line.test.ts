import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Arbitrary from "effect/Arbitrary"
import type { SessionConfig } from "../src/machine/config.ts"
import { isPathFailure } from "../src/machine/machine.ts"
import { detectionTimeUs, transmitIntervalUs } from "../src/machine/timing.ts"
import { type Line, makeLine, type Side } from "./line.ts"

const sides = ["left", "right"] as const
const config = (localDiscriminator: number, changes: Partial<SessionConfig> = {}): SessionConfig => ({
  localDiscriminator,
  desiredMinTxUs: 300_000,
  requiredMinRxUs: 300_000,
  detectMult: 3,
  role: "active",
  controlPlaneIndependent: true,
  ...changes
})
const second = 1_000_000
const between = (minimum: number, maximum: number) =>
  Arbitrary.schema(Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum, maximum }))))
const seeds = between(0, 0xffff_ffff)

const states = (line: Line) => sides.map((side) => line.state(side)._tag)
const downs = (line: Line, fromUs = 0) => line.changes.filter(({ state, atUs }) => state === "Down" && atUs >= fromUs)

const startBoth = (line: Line) => {
  for (const side of sides) line.start(side)
  return line
}

describe("two sessions over a good line", () => {
  it.prop("come up from whatever moment they begin, and stay up", [seeds, between(0, 3_000_000)], ([seed, laterUs]) => {
    const line = makeLine(seed, { left: config(1), right: config(2) }, { loss: 0, delayUs: [100, 40_000] })
    line.start("left")
    line.run(laterUs)
    line.start("right")
    line.run(5 * second)
    assert.deepStrictEqual(states(line), ["Up", "Up"])
    line.run(60 * second)
    assert.deepStrictEqual(downs(line), [])
  })

  it("come up when both begin in the same moment, in less than two of the slow intervals", () => {
    const line = startBoth(makeLine(1, { left: config(1), right: config(2) }))
    line.run(2 * second)
    assert.deepStrictEqual(states(line), ["Up", "Up"])
  })

  it("come up when one is passive, and do not when both are", () => {
    const passive = { role: "passive" } as const
    const one = startBoth(makeLine(2, { left: config(1, passive), right: config(2) }))
    one.run(5 * second)
    assert.deepStrictEqual(states(one), ["Up", "Up"])
    const both = startBoth(makeLine(2, { left: config(1, passive), right: config(2, passive) }))
    both.run(60 * second)
    assert.deepStrictEqual([states(both), both.delivered()], [["Down", "Down"], 0])
  })

  it.prop(
    "agree on the slower of both sides' intervals, whatever these are",
    [
      seeds,
      between(10, 3_000),
      between(10, 3_000),
      between(10, 3_000),
      between(10, 3_000),
      between(1, 10),
      between(1, 10)
    ],
    ([seed, tx1, rx1, tx2, rx2, mult1, mult2]) => {
      const left = config(1, { desiredMinTxUs: tx1 * 1000, requiredMinRxUs: rx1 * 1000, detectMult: mult1 })
      const right = config(2, { desiredMinTxUs: tx2 * 1000, requiredMinRxUs: rx2 * 1000, detectMult: mult2 })
      const line = startBoth(makeLine(seed, { left, right }, { loss: 0, delayUs: [100, 500] }))
      line.run(30 * second)
      assert.deepStrictEqual(states(line), ["Up", "Up"])
      assert.deepStrictEqual(downs(line), [])
      const toRight = Math.max(left.desiredMinTxUs, right.requiredMinRxUs)
      const toLeft = Math.max(right.desiredMinTxUs, left.requiredMinRxUs)
      const [atLeft, atRight] = [line.state("left"), line.state("right")]
      assert.deepStrictEqual([transmitIntervalUs(left, atLeft), transmitIntervalUs(right, atRight)], [toRight, toLeft])
      assert.strictEqual(detectionTimeUs(atLeft.remote!, atLeft.inEffect), mult2 * toLeft)
      assert.strictEqual(detectionTimeUs(atRight.remote!, atRight.inEffect), mult1 * toRight)
    }
  )

  it.prop(
    "do not flap by any row of changes of their intervals, RFC 5880 §6.8.3",
    [
      seeds,
      Arbitrary.array(
        Arbitrary.all([Arbitrary.schema(Schema.Boolean), between(10, 2_000), between(10, 2_000), between(0, 800)]),
        { minLength: 1, maxLength: 8 }
      )
    ],
    ([seed, rows]) => {
      const line = startBoth(makeLine(seed, { left: config(1), right: config(2) }, { loss: 0, delayUs: [100, 3_000] }))
      line.run(5 * second)
      for (const [isLeft, tx, rx, waitMs] of rows) {
        const changes = { desiredMinTxUs: tx * 1000, requiredMinRxUs: rx * 1000 }
        line.reconfigure(isLeft ? "left" : "right", changes)
        line.run(waitMs * 1000)
      }
      line.run(60 * second)
      assert.deepStrictEqual(downs(line), [])
      for (const side of sides) assert.deepInclude(line.state(side), { _tag: "Up", poll: "none" })
      const [last] = rows.filter(([isLeft]) => isLeft).slice(-1)
      if (last !== undefined) {
        const wanted = { desiredMinTxUs: last[1] * 1000, requiredMinRxUs: last[2] * 1000 }
        assert.deepStrictEqual([line.state("left").announced, line.state("left").inEffect], [wanted, wanted])
      }
    }
  )
})

describe("a restart of one side", () => {
  it.prop(
    "with a new discriminator takes the session down and up again",
    [seeds, between(0, 2_000_000)],
    ([seed, waitUs]) => {
      const line = startBoth(makeLine(seed, { left: config(1), right: config(2) }))
      line.run(5 * second + waitUs)
      const { length } = line.changes
      line.restart("right")
      line.run(6 * second)
      assert.deepStrictEqual(states(line), ["Up", "Up"])
      const left = line.changes.slice(length).filter(({ side }) => side === "left")
      assert.deepStrictEqual(left[0]?.cause, "neighbor-down")
      assert.strictEqual(left.at(-1)?.state, "Up")
    }
  )
})

describe("AdminDown, RFC 5880 §6.8.16 and RFC 5882 §4.2", () => {
  it("takes the peer down with a cause that is no failure of the path, and comes back", () => {
    const line = startBoth(makeLine(3, { left: config(1), right: config(2) }))
    line.run(5 * second)
    const from = line.changes.length
    line.happens("left", { _tag: "Disable" })
    line.run(10 * second)
    assert.deepStrictEqual(states(line), ["AdminDown", "Down"])
    assert.deepInclude(line.state("left"), { diagnostic: 7 })
    assert.deepInclude(line.state("right"), { diagnostic: 3 })
    const causes = line.changes.slice(from).map(({ cause }) => cause)
    assert.deepStrictEqual(causes, ["disabled", "neighbor-admin-down"])
    assert.deepStrictEqual(causes.map(isPathFailure), [false, false])
    line.happens("left", { _tag: "Enable" })
    line.run(5 * second)
    assert.deepStrictEqual(states(line), ["Up", "Up"])
  })
})

describe("a line that is cut", () => {
  const cut = (direction: Side | undefined) => {
    const line = startBoth(makeLine(4, { left: config(1), right: config(2) }))
    line.run(5 * second)
    const atUs = line.nowUs()
    line.quality({ loss: 1 }, direction)
    line.run(10 * second)
    return { line, atUs, first: line.changes.filter((change) => change.atUs >= atUs) }
  }

  it("is noticed by both within the detection time", () => {
    const { atUs, first } = cut(undefined)
    assert.deepStrictEqual(
      first.map(({ cause }) => cause),
      ["detection-time-expired", "detection-time-expired"]
    )
    for (const change of first) assert.isAtMost(change.atUs - atUs, 3 * 300_000)
  })

  it("in one direction is noticed by who hears nothing, and told to the other", () => {
    const { line, atUs, first } = cut("left")
    assert.deepInclude(first[0], { side: "left", cause: "detection-time-expired" })
    assert.deepInclude(first[1], { side: "right", cause: "neighbor-down" })
    assert.isAtMost(first[1]!.atUs - atUs, 3 * 300_000 + 1_000)
    assert.isTrue(isPathFailure(first[0]!.cause) && isPathFailure(first[1]!.cause))
    assert.notInclude(states(line), "Up")
  })
})

describe("a line that loses 5 %, at 300 ms x 3", () => {
  const loss = 0.05

  it.prop("takes nothing down but by three packets lost in a row", [seeds], ([seed]) => {
    const line = startBoth(makeLine(seed, { left: config(1), right: config(2) }, { loss, delayUs: [200, 200] }))
    line.run(300 * second)
    // Who goes down while the other is up was cut off by the line; the other then follows, and its packets are slow.
    for (const { cause, from, peer, lostInARow } of line.changes) {
      if (cause === "detection-time-expired" && from === "Up" && peer === "Up") assert.isAtLeast(lostInARow, 3)
    }
    line.quality({ loss: 0 })
    line.run(5 * second)
    assert.deepStrictEqual(states(line), ["Up", "Up"])
  })

  it("goes down as often as three losses in a row come, and no more often", () => {
    const line = startBoth(makeLine(5, { left: config(1), right: config(2) }, { loss, delayUs: [200, 200] }))
    line.run(8 * 3_600 * second)
    const expired = line.changes.filter(({ cause }) => cause === "detection-time-expired").length
    // A row of three begins with a packet that came; a fourth fits the detection time only at the edge of the jitter.
    const expected = line.delivered() * loss ** 3
    assert.isAbove(expected, 20)
    assert.isAbove(expired, expected * 0.5)
    assert.isBelow(expired, expected * 1.5)
  })

  it("goes down never where the odds are a thousand to one against: 5 packets in a row, five minutes", () => {
    const careful = { detectMult: 5 } // 0.05^5 a packet, some 2,300 packets: less than one in a thousand
    const line = startBoth(
      makeLine(6, { left: config(1, careful), right: config(2, careful) }, { loss, delayUs: [200, 5_000] })
    )
    line.run(300 * second)
    assert.deepStrictEqual(downs(line), [])
  })
})
