import { describe, expect, it } from "vitest"
import { didYouMean } from "../src/words.ts"

describe("didYouMean", () => {
  const names = ["shop/checkout", "shop/cart", "media/live"]
  const table = [
    ["shop/checkoutt", " (did you mean shop/checkout?)"],
    ["shop/chekcout", " (did you mean shop/checkout?)"],
    ["shpo/cart", " (did you mean shop/cart?)"],
    ["platform/vault", ""],
    ["shop/cart", ""],
    ["", ""]
  ] as const
  for (const [found, said] of table) {
    it(`says of ${JSON.stringify(found)}: ${said || "nothing"}`, () => expect(didYouMean(found, names)).toBe(said))
  }
})
