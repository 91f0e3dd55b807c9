import { defineConfig } from "vitest/config"

/**
 * Three tiers. `unit` needs nothing but Node; `live` talks to a real Postgres or NATS that the test starts;
 * `system` makes network namespaces and runs real routers, one file at a time, since they share two cores.
 */
export default defineConfig({
  test: {
    reporters: ["default", "./test/tally-reporter.ts"],
    projects: [
      {
        test: {
          name: "unit",
          include: ["{packages,services}/*/test/**/*.test.ts", "scripts/test/**/*.test.ts"],
          exclude: ["**/*.live.test.ts", "**/node_modules/**"]
        }
      },
      {
        test: {
          name: "live",
          include: ["{packages,services}/*/test/**/*.live.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 1 }
        }
      },
      {
        test: {
          name: "system",
          include: ["test/{interop,e2e,sim}/**/*.test.ts"],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          fileParallelism: false,
          sequence: { groupOrder: 2 }
        }
      }
    ]
  }
})
