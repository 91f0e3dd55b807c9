import { defineConfig } from "vitest/config"

/**
 * Four tiers. `unit` needs nothing but Node; `live` talks to a real Postgres, NATS or promtool that the test starts; `loopback` runs
 * whole processes as any user; `system` makes network namespaces and runs real routers. The last two run one file at a
 * time, since their deadlines are the machine's to keep.
 */
export default defineConfig({
  test: {
    reporters: ["default", "./test/tally-reporter.ts"],
    projects: [
      {
        test: {
          name: "unit",
          include: [
            "{packages,services}/*/test/**/*.test.ts",
            "scripts/test/**/*.test.ts",
            "test/golden/golden.test.ts"
          ],
          exclude: ["**/*.live.test.ts", "**/node_modules/**"],
          testTimeout: 30_000 // a busy machine may take its time over a property
        }
      },
      {
        test: {
          name: "live",
          include: ["{packages,services}/*/test/**/*.live.test.ts", "scripts/test/**/*.live.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 1 }
        }
      },
      {
        test: {
          name: "loopback",
          include: ["test/sim/**/*.test.ts", "test/**/*.loopback.test.ts"],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          fileParallelism: false,
          sequence: { groupOrder: 2 }
        }
      },
      {
        test: {
          name: "system",
          include: ["test/{interop,e2e}/**/*.test.ts"],
          exclude: ["**/*.loopback.test.ts", "**/node_modules/**"],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          fileParallelism: false,
          sequence: { groupOrder: 3 }
        }
      }
    ]
  }
})
