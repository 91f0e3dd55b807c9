import { describe, expect, it } from "vitest"
import { StandingRefusals } from "../src/standing-refusals.ts"

const make = () => {
  let changes = 0
  const standing = new StandingRefusals(() => changes++)
  return {
    standing,
    changes: () => changes,
    said: () => (standing.status.refusing ?? []).map(({ code, count, message }) => `${code} ${count} ${message}`)
  }
}

const unsigned = (key: string) => ({ key, code: "LT0401" as const, message: `${key}: unsigned` })
const foreign = (key: string) => ({ key, code: "LT0402" as const, message: `${key}: foreign` })

describe("what is refused now", () => {
  it("is told by code, with how much it is and since when, until the subject is taken", () => {
    const { standing, said, changes } = make()
    expect(standing.status).toEqual({})
    standing.note(unsigned("a"), 2_000)
    standing.note(unsigned("b"), 1_000)
    standing.note(foreign("c"), 3_000)
    expect(said()).toEqual(["LT0401 2 b: unsigned", "LT0402 1 c: foreign"])
    expect(standing.status.refusing?.[0]?.since).toBe("1970-01-01T00:00:01.000Z")
    expect(changes()).toBe(3)
    standing.note(unsigned("a"), 9_000) // the same, read again
    expect(changes()).toBe(3)
    standing.taken("a")
    standing.taken("never refused")
    expect(said()).toEqual(["LT0401 1 b: unsigned", "LT0402 1 c: foreign"])
    expect(changes()).toBe(4)
  })

  it("is no stamp that is too old: what is newer is held", () => {
    const { standing, said } = make()
    standing.note({ key: "a", code: "LT0403", message: "old" }, 0)
    expect(said()).toEqual([])
  })

  it("ends with a head that agrees, save what counts as seen, which a new incarnation ends", () => {
    const { standing, said } = make()
    standing.note(unsigned("a"), 0)
    standing.note(foreign("b"), 0)
    standing.agreed()
    expect(said()).toEqual(["LT0402 1 b: foreign"])
    standing.note(unsigned("a"), 0)
    standing.saidAnew()
    expect(said()).toEqual(["LT0401 1 a: unsigned"])
    standing.forget()
    expect(said()).toEqual([])
  })

  it("is remembered of a thousand subjects at most, for each reason", () => {
    const { standing } = make()
    const counts = () => standing.status.refusing?.map(({ code, count }) => [code, count])
    for (let n = 0; n < 1_200; n++) standing.note(unsigned(`a${n}`), n)
    for (let n = 0; n < 300; n++) standing.note(foreign(`a${n}`), n)
    expect(counts()).toEqual([
      ["LT0401", 700],
      ["LT0402", 300]
    ])
    for (let n = 0; n < 400; n++) standing.note(unsigned(`b${n}`), n)
    expect(counts()?.[0]).toEqual(["LT0401", 1_000])
    standing.note(unsigned("a0"), 0)
    expect(counts()?.[1], "what is refused for another reason by now").toEqual(["LT0402", 299])
  })
})
