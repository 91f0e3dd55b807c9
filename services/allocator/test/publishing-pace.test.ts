import { describe, expect, it } from "vitest"
import { PublishingPace } from "../src/publishing-pace.ts"

const row = (cluster: string, cseq: number) => ({
  cluster,
  subject: `adv.${cseq}`,
  cseq,
  seq: cseq,
  envelope: `${cseq}`
})

describe("the pace of a publisher", () => {
  it("waits twice as long after each time in vain, up to 32 s, and less again once that is more than it takes", () => {
    const pace = new PublishingPace()
    const waits = [pace.patienceMs]
    for (let n = 0; n < 6; n++) {
      pace.inVain()
      waits.push(pace.patienceMs)
    }
    expect(waits).toEqual([2_000, 4_000, 8_000, 16_000, 32_000, 32_000, 32_000])
    pace.took(20_000)
    expect(pace.patienceMs).toBe(32_000)
    for (let n = 0; n < 6; n++) pace.took(10)
    expect(pace.patienceMs).toBe(2_000)
  })

  it("knows of each cluster where it left off, for who begins there or behind it", () => {
    const pace = new PublishingPace()
    expect(pace.leftOff("east", 0)).toBeUndefined()
    pace.stored(10, row("east", 300))
    pace.stored(0, row("west", 5))
    expect(pace.leftOff("east", 10)?.cseq).toBe(300)
    expect(pace.leftOff("east", 200)?.cseq).toBe(300)
    expect(pace.leftOff("east", 9), "what came before is not known to be there").toBeUndefined()
    expect(pace.leftOff("east", 300), "who begins behind it needs none").toBeUndefined()
    pace.done("east")
    expect(pace.leftOff("east", 10)).toBeUndefined()
    expect(pace.leftOff("west", 0)?.cseq).toBe(5)
  })
})
