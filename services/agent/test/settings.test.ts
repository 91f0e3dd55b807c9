import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect } from "effect"
import { readAgentSettings } from "../src/settings.ts"

const read = (more: Readonly<Record<string, string>>) =>
  readAgentSettings.pipe(
    Effect.provide(
      ConfigProvider.layer(
        ConfigProvider.fromUnknown({
          LOWTIDE_CLUSTER: "east",
          LOWTIDE_MANIFESTS: "/srv/east",
          LOWTIDE_STATUSES: "/srv/east-statuses",
          LOWTIDE_TRUST_FILE: "/etc/lowtide/trust.json",
          ...more
        })
      )
    )
  )

describe("the agent's settings", () => {
  it.effect("are read where the statuses are beside the manifests", () =>
    Effect.gen(function* () {
      const { cluster, statuses } = yield* read({})
      assert.deepStrictEqual([cluster, statuses], ["east", "/srv/east-statuses"])
    })
  )

  it.effect(
    "are refused with all that is wrong: a name that is none, and statuses that would be read as manifests",
    () =>
      Effect.gen(function* () {
        for (const [cluster, statuses] of [
          ["-east", "/srv/east"],
          ["a.*", "/srv/east/statuses/"],
          ["East", "/srv/other/../east/x"]
        ] as const) {
          const { faults } = yield* Effect.flip(read({ LOWTIDE_CLUSTER: cluster, LOWTIDE_STATUSES: statuses }))
          assert.lengthOf(faults, 2)
          assert.match(faults[0] ?? "", /^LOWTIDE_CLUSTER: expected lower-case letters, .*, found "/)
          assert.strictEqual(
            faults[1],
            `LOWTIDE_STATUSES: expected a folder outside that of LOWTIDE_MANIFESTS, found ${statuses}`
          )
        }
      })
  )
})
