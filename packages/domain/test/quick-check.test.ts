import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { checkOf, quickIs } from "../src/fleet/quick-check.ts"
import { stateShapes } from "../src/fleet/state-shapes.ts"

const shapes = Object.entries(stateShapes).flatMap(([tag, versions]) =>
  versions.map(({ schema }, index) => ({ name: `${tag} ${index + 1}`, schema: schema as Schema.Codec<unknown> }))
)

/** What one value in a state may have become; undefined: it is gone. */
const others = [undefined, null, true, -1, 1.5, "x", "", [], ["x"], [1], {}, { x: "y" }, { x: 1 }]

/** Every state that differs from this one in one place. */
const changed = (value: unknown): ReadonlyArray<unknown> => {
  if (typeof value !== "object" || value === null) return others.filter((other) => other !== undefined)
  const places = Object.keys(value)
  const inside = places.flatMap((place) => {
    const part = (value as Record<string, unknown>)[place]
    return [undefined, ...changed(part)].map((other) => replaced(value, place, other))
  })
  return [...others.filter((other) => other !== undefined), ...inside]
}

const replaced = (value: object, place: string, other: unknown): unknown => {
  if (Array.isArray(value)) return value.map((item, index) => (String(index) === place ? other : item))
  const { [place]: _, ...rest } = value as Record<string, unknown>
  return other === undefined ? rest : { ...rest, [place]: other }
}

describe("the quick check of a state", () => {
  for (const { name, schema } of shapes) {
    const is = Schema.is(schema)
    const isSurely = checkOf(schema.ast)
    const isQuickly = quickIs(schema)

    it.effect.prop(
      `says what the schema of ${name} says, also of what is wrong in one place`,
      [schema],
      ([state]) =>
        Effect.sync(() => {
          const stored: unknown = JSON.parse(JSON.stringify(state))
          for (const value of [stored, ...changed(stored)]) {
            if (isSurely(value)) assert.isTrue(is(value), JSON.stringify(value))
            assert.strictEqual(isQuickly(value), is(value), JSON.stringify(value))
          }
        }),
      { arbitrary: { runs: 3 } }
    )
  }

  it("needs the schema for none of what is held by the hundred thousand", () => {
    const vip = {
      ...{ _tag: "Vip", network: "default", address: "192.0.2.1", pool: "public", cluster: "east", phase: "assigned" },
      holders: [
        { namespace: "shop", name: "web", uid: "1", sharingKey: "", ports: ["TCP/80"], backendKey: "", adopted: true }
      ],
      ...{ lastHolders: ["shop/web"], obliged: ["n1"], quarantineMs: 5, quarantineEndMs: null }
    }
    const service = {
      ...{ namespace: "shop", name: "web", uid: "1", labels: { a: "b" }, annotations: {}, type: "LoadBalancer" },
      ...{ requestedAddresses: [], ipFamilies: ["IPv4"], ipFamilyPolicy: "SingleStack", clusterIPs: [] },
      ...{ externalTrafficPolicy: "Local", ports: [{ protocol: "TCP", port: 80, name: "" }], selector: { app: "web" } }
    }
    const states = [vip, { _tag: "Service", cluster: "east", service, servingNodes: ["n1"], refusal: null }]
    for (const state of states) {
      const [{ schema }] = stateShapes[state._tag as "Vip" | "Service"]
      assert.isTrue(checkOf(schema.ast)(state), state._tag)
    }
  })
})
