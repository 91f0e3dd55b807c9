import type { ControlState } from "@lowtide/bfd/control/messages"
import type { SessionStatus } from "@lowtide/bfd/session-status"
import type { BfdGuard } from "./bfd-guard.ts"
import type { Metric } from "./metrics.ts"

/**
 * BFD in numbers, named as MetalLB's are; nothing where no peer wants it. `state` is what the process says of this moment;
 * undefined while it does not answer, and then nothing is counted either.
 */
export const bfdMetrics = (
  guard: Pick<BfdGuard, "of" | "peers" | "isAway">,
  state: ControlState | undefined
): ReadonlyArray<Metric> => {
  const { peers } = guard
  if (peers.length === 0) return []
  const sessions = new Map(state?.sessions.filter(({ isLeaving }) => !isLeaving).map((each) => [each.name, each]))
  const known = peers.flatMap(({ peer, session }) => {
    const status = session === undefined ? undefined : sessions.get(session)
    return status === undefined ? [] : { peer, status }
  })
  const counter = (name: string, help: string, count: (status: SessionStatus) => number): Metric => ({
    name,
    type: "counter",
    help,
    samples: known.map(({ peer, status }) => [{ peer }, count(status)])
  })
  return [
    {
      name: "lowtide_bfd_process_up",
      type: "gauge",
      help: "Whether the node's BFD process answers.",
      samples: [[{}, guard.isAway || state === undefined ? 0 : 1]]
    },
    {
      name: "lowtide_bfd_session_up",
      type: "gauge",
      help: "Whether the BFD session with the peer is Up; 0 also while the BFD process is away.",
      samples: peers.map(({ peer }) => [{ peer }, guard.of(peer)?.state === "Up" ? 1 : 0])
    },
    counter("lowtide_bfd_session_up_events_total", "Times the session came up.", ({ counters }) => counters.ups),
    counter("lowtide_bfd_session_down_events_total", "Times the session went down.", ({ counters }) => counters.downs),
    counter("lowtide_bfd_control_packet_output_total", "Packets sent.", ({ counters }) => counters.sent),
    counter("lowtide_bfd_control_packet_input_total", "Packets taken.", ({ counters }) => counters.received),
    {
      name: "lowtide_bfd_timer_late_seconds_max",
      type: "gauge",
      help: "The most that a timer of the session was late: how long BFD had to wait for a processor.",
      samples: known.map(({ peer, status }) => [{ peer }, status.counters.lateUsMax / 1_000_000])
    }
  ]
}
