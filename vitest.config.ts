import { availableParallelism } from "node:os"
import { defineConfig } from "vitest/config"
import { LongFirst } from "./test/long-first.ts"

/** Files at a time. By itself vitest leaves a core to somebody who waits, which on two cores is half of them. */
const maxWorkers = availableParallelism()

/** When a test, or what prepares it, counts as hanging: no test times anything, and a busy machine may take as long as it needs. */
const hangMs = 180_000

/**
 * Four tiers. `unit` needs nothing but Node; `live` talks to a real Postgres, NATS or promtool that the test starts; `loopback`
 * runs whole processes as any user, two files at a time; `system` makes network namespaces and runs real routers, one file more
 * than there are cores, since each waits for most of its time: for hold times, and for who comes back.
 */
export default defineConfig({
  test: {
    reporters: ["default", "./test/tally-reporter.ts"],
    maxWorkers,
    sequence: { sequencer: LongFirst },
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
          testTimeout: hangMs
        }
      },
      {
        test: {
          name: "live",
          include: ["{packages,services}/*/test/**/*.live.test.ts", "scripts/test/**/*.live.test.ts"],
          testTimeout: hangMs,
          hookTimeout: hangMs,
          sequence: { groupOrder: 1 }
        }
      },
      {
        test: {
          name: "loopback",
          include: ["test/sim/**/*.test.ts", "test/**/*.loopback.test.ts"],
          testTimeout: hangMs,
          hookTimeout: hangMs,
          maxWorkers: 2,
          sequence: { groupOrder: 2 }
        }
      },
      {
        test: {
          name: "system",
          include: ["test/{interop,e2e}/**/*.test.ts"],
          globalSetup: ["./test/interop/clean-stale.ts"],
          exclude: ["**/*.loopback.test.ts", "**/node_modules/**"],
          testTimeout: hangMs,
          hookTimeout: hangMs,
          maxWorkers: maxWorkers + 1,
          sequence: { groupOrder: 3 }
        }
      }
    ]
  }
})
