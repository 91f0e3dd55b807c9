import { assert, describe, it } from "vitest"
import { anySelectorMatches, type LabelSelector, selectorMatches, selects } from "../src/config/index.ts"

const selector = (parts: Partial<LabelSelector>): LabelSelector => ({ matchLabels: {}, matchExpressions: [], ...parts })
const requirement = (operator: LabelSelector["matchExpressions"][number]["operator"], ...values: Array<string>) =>
  selector({ matchExpressions: [{ key: "tier", operator, values }] })

describe("selectorMatches", () => {
  it.each([
    ["nothing asked", selector({}), {}, true],
    ["equal label", selector({ matchLabels: { tier: "gold" } }), { tier: "gold", other: "x" }, true],
    ["other value", selector({ matchLabels: { tier: "gold" } }), { tier: "tin" }, false],
    ["absent label", selector({ matchLabels: { tier: "gold" } }), {}, false],
    ["empty value is a value", selector({ matchLabels: { tier: "" } }), {}, false],
    ["one of two labels", selector({ matchLabels: { tier: "gold", zone: "a" } }), { tier: "gold" }, false],
    ["In, among", requirement("In", "gold", "tin"), { tier: "tin" }, true],
    ["In, not among", requirement("In", "gold"), { tier: "tin" }, false],
    ["In, absent", requirement("In", "gold"), {}, false],
    ["NotIn, among", requirement("NotIn", "gold"), { tier: "gold" }, false],
    ["NotIn, not among", requirement("NotIn", "gold"), { tier: "tin" }, true],
    ["NotIn, absent holds, as in Kubernetes", requirement("NotIn", "gold"), {}, true],
    ["Exists, empty value", requirement("Exists"), { tier: "" }, true],
    ["Exists, absent", requirement("Exists"), {}, false],
    ["DoesNotExist, present", requirement("DoesNotExist"), { tier: "" }, false],
    ["DoesNotExist, absent", requirement("DoesNotExist"), {}, true],
    ["labels and expressions both", { ...requirement("Exists"), matchLabels: { a: "b" } }, { tier: "x" }, false],
    [
      "a label named like a member of every object",
      selector({ matchExpressions: [{ key: "constructor", operator: "Exists", values: [] }] }),
      {},
      false
    ]
  ])("%s", (_, asked, labels, expected) => {
    assert.strictEqual(selectorMatches(asked, labels), expected)
  })

  it("an empty list selects everything where that is its meaning, and nothing where it is not", () => {
    assert.isTrue(selects([], { a: "b" }))
    assert.isFalse(anySelectorMatches([], { a: "b" }))
    assert.isFalse(selects([requirement("Exists")], {}))
  })
})
