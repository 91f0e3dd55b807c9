import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { contentHash, leafHash } from "../../src/proofs/leaf.ts"

const page = readFileSync(new URL("../../../../docs/reference/ledger-proofs.md", import.meta.url), "utf8")
const example = JSON.parse(/```json\n(.*)\n```/.exec(page)?.[1] ?? "null") as Parameters<typeof leafHash>[0]
const hex = (event: typeof example) => Buffer.from(leafHash(event)).toString("hex")

describe("the leaf of an event", () => {
  it("is that of the worked example in docs/reference/ledger-proofs.md", () => {
    assert.include(page, `has the content \`${contentHash(example)}\``)
    assert.include(page, `and the leaf \`${hex(example)}\``)
  })

  it("differs with every column, and with a value that is absent or empty", () => {
    const whole = { ...example, observedAt: "2026-11-23T14:05:00.999Z", serviceUid: "uid", causationSeq: 1 }
    const changed = Object.entries(whole).flatMap(([key, value]) => {
      const others: ReadonlyArray<unknown> = key.endsWith("At")
        ? ["2026-11-23T14:05:01.124Z"]
        : typeof value === "number"
          ? [value + 1]
          : [`${value} `, ""]
      return others.map((other) => hex({ ...whole, [key]: other }))
    })
    const without = ["observedAt", "network", "pool", "serviceUid", "causationSeq"].map((key) =>
      hex({ ...whole, [key]: undefined })
    )
    const all = [hex(whole), ...changed, ...without]
    assert.strictEqual(new Set(all).size, all.length)
    assert.isAbove(changed.length, 40)
  })

  it("differs as well where a reporter's time is none, as in an export that was changed", () => {
    assert.notStrictEqual(hex({ ...example, observedAt: "noon" }), hex(example))
  })

  it("cannot be had by moving text from one column to the next", () => {
    assert.notStrictEqual(
      hex({ ...example, namespace: "shop4:", service: "web" }),
      hex({ ...example, namespace: "shop", service: "4:web" })
    )
  })

  const Texts = Schema.Struct({ a: Schema.String, b: Schema.String })
  // Halves of surrogate pairs have no octets, and the database refuses them.
  const octets = (text: string) => text.toWellFormed()
  it.prop("two events with other texts have other leaves", [Texts, Texts], ([one, two]) => {
    const leaf = ({ a, b }: typeof Texts.Type) => hex({ ...example, pool: a, cluster: b })
    assert.strictEqual(leaf(one) === leaf(two), octets(one.a) === octets(two.a) && octets(one.b) === octets(two.b))
  })
})
