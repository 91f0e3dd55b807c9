import type { ControlState } from "@lowtide/bfd/control/messages"
import { assert, describe, it } from "vitest"
import { bfdMetrics } from "../src/bfd-metrics.ts"

const guard = (isAway = false, peers = [{ peer: "tor", session: "a to b" }]) => ({
  peers,
  isAway,
  of: () => ({
    state: isAway ? ("Unknown" as const) : ("Up" as const),
    sinceUnixMs: 1,
    code: undefined,
    detail: undefined
  })
})
const counters = { sent: 7, received: 5, sendFailures: 0, ups: 2, downs: 1, lateUsMax: 1_500, discarded: {} }
const state = { sessions: [{ name: "a to b", isLeaving: false, counters }] } as unknown as ControlState

const shown = (...args: Parameters<typeof bfdMetrics>) =>
  bfdMetrics(...args).flatMap(({ name, samples }) =>
    samples.map(([labels, value]) => `${name.replace("lowtide_bfd_", "")} ${Object.values(labels)} ${value}`.trim())
  )

describe("BFD in numbers", () => {
  it("is what the process says of the sessions that peers want", () => {
    assert.deepStrictEqual(shown(guard(), state), [
      "process_up  1",
      "session_up tor 1",
      "session_up_events_total tor 2",
      "session_down_events_total tor 1",
      "control_packet_output_total tor 7",
      "control_packet_input_total tor 5",
      "timer_late_seconds_max tor 0.0015"
    ])
  })

  it("says that the process is away, or does not answer, and nothing where no peer wants BFD", () => {
    assert.deepStrictEqual(shown(guard(true), undefined), ["process_up  0", "session_up tor 0"])
    assert.strictEqual(shown(guard(), undefined)[0], "process_up  0")
    assert.deepStrictEqual(shown(guard(true, []), undefined), [])
  })
})
