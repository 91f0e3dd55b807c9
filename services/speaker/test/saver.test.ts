import { assert, describe, it } from "vitest"
import type { SavedRecord } from "../src/journal-record.ts"
import { Saver, saveRetryMs } from "../src/saver.ts"

const record = (key: string): SavedRecord => ({ _tag: "Message", key, envelope: "" })

const make = (
  options: { readonly failures?: number; readonly isLong?: boolean; readonly mayCompact?: boolean } = {}
) => {
  const log: Array<string> = []
  let failures = options.failures ?? 0
  let isLong = options.isLong ?? false
  const saver = new Saver({
    journal: {
      append: async (records) => {
        await new Promise(setImmediate)
        if (failures-- > 0) throw new Error("ENOSPC")
        log.push(`append ${records.map((one) => (one._tag === "Message" ? one.key : "")).join(" ")}`)
      },
      isLong: () => isLong,
      compact: (all) => {
        isLong = false
        log.push(`compact ${all.length}`)
      },
      close: async () => {}
    },
    everything: () => [record("all")],
    mayCompact: () => options.mayCompact ?? true,
    say: (severity) => log.push(severity),
    wait: async (delayMs) => void log.push(`wait ${delayMs}`)
  })
  return { saver, log }
}

/** A batch that was given is being written. */
const begun = () => new Promise((resolve) => queueMicrotask(() => queueMicrotask(() => resolve(undefined))))

describe("Saver", () => {
  it("keeps the order, and asks a disk that refuses until it does not", async () => {
    const { saver, log } = make({ failures: 2 })
    const first = saver.save([record("a")]).then(() => log.push("a is saved"))
    await begun()
    await Promise.all([first, saver.save([record("b")])])
    assert.deepStrictEqual(log, [
      "error",
      `wait ${saveRetryMs}`,
      "error",
      `wait ${saveRetryMs}`,
      "append a",
      "a is saved",
      "append b"
    ])
  })

  it("brings together what comes while the disk is away, and of one thing the last word alone", async () => {
    const { saver, log } = make({ failures: 1 })
    const first = saver.save([record("a")])
    await begun()
    const rest = ["b", "c", "b"].map((key) => saver.save([record(key)]))
    await Promise.all([first, ...rest])
    assert.deepStrictEqual(log, ["error", `wait ${saveRetryMs}`, "append a", "append c b"])
  })

  it("takes a snapshot of a long journal, unless what is on the disk must stay", async () => {
    const long = make({ isLong: true })
    const first = long.saver.save([record("a")])
    await begun()
    await Promise.all([first, long.saver.save([record("b")])])
    assert.deepStrictEqual(long.log, ["append a", "compact 1", "append b"])
    const kept = make({ isLong: true, mayCompact: false })
    await kept.saver.save([record("a")])
    assert.deepStrictEqual(kept.log, ["append a"])
  })

  it("takes a snapshot when told, behind the batches that wait", async () => {
    const { saver, log } = make()
    const saved = saver.save([record("a")])
    saver.compact()
    await saved
    await saver.save([record("b")])
    assert.deepStrictEqual(log, ["append a", "compact 1", "append b"])
  })
})
