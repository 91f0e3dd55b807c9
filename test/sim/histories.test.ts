import { assert, describe, it } from "vitest"
import { runHistories } from "./histories.ts"
import { runHistory } from "./simulation.ts"

const historiesCount = 1_000
const steps = 100

/** They take half a minute of a processor, which is as long as it takes on a busy machine: nothing in them knows of it. */
const timeoutMs = 20 * 60_000

describe("histories of a fleet with faults", () => {
  // The same thousand each time, unless given: other seeds are the soak's matter.
  const seed = Number(process.env.LOWTIDE_SEED ?? 846133561)

  it(`break no law, a thousand from seed ${seed} on, and settle when everything is mended`, {
    timeout: timeoutMs
  }, async () => {
    const sum = await runHistories({ seed, steps, isEnough: ({ histories }) => histories >= historiesCount })
    assert.isAbove(sum.events, historiesCount * 20, "they are about something")
    assert.isAbove(sum.faults, historiesCount * 2, "and things go wrong in them")
  })

  it("are the same for the same seed", async () => {
    assert.deepStrictEqual(await runHistory(seed, steps, true), await runHistory(seed, steps, true))
  })
})
