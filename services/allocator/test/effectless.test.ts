import { assert, describe, it } from "vitest"
import { Effectless } from "../src/effectless.ts"

describe("commands without effect", () => {
  it("are remembered, ten thousand of them, the newest", () => {
    const effectless = new Effectless()
    for (let number = 0; number <= 10_000; number++) effectless.add(`command-${number}`)
    assert.isFalse(effectless.has("command-0"))
    assert.isTrue(effectless.has("command-1"))
    assert.isTrue(effectless.has("command-10000"))
  })
})
