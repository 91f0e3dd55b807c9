import { performance } from "node:perf_hooks"
import type { Speaker } from "./speaker.ts"

/** One metric with its samples, as the Prometheus text format has it. */
export interface Metric {
  readonly name: string
  readonly type: "gauge" | "counter"
  readonly help: string
  readonly samples: ReadonlyArray<readonly [labels: Readonly<Record<string, string>>, value: number]>
}

/** Refusals after which the node goes without what the centre wants for good, until somebody puts it right. */
const alarming = ["LT0401", "LT0402"]

/** The speaker in numbers, and `more`. No label is an address or a Service: their number has no bound. */
export const renderMetrics = (speaker: Speaker, nowMs: number, more: ReadonlyArray<Metric> = []): string =>
  [...families(speaker, nowMs), ...more].map(render).join("")

const families = (speaker: Speaker, nowMs: number): ReadonlyArray<Metric> => {
  const peers = speaker.peers.running.map(({ options, status }) => ({ peer: options.name, status: status() }))
  const { sync } = speaker.intake
  const gauge = (name: string, help: string, value: number): Metric => ({
    name,
    type: "gauge",
    help,
    samples: [[{}, value]]
  })
  return [
    {
      name: "lowtide_bgp_session_up",
      type: "gauge",
      help: "Whether the session is Established.",
      samples: peers.map(({ peer, status }) => [{ peer }, status.state === "Established" ? 1 : 0])
    },
    {
      name: "lowtide_bgp_session_down_events_total",
      type: "counter",
      help: "Times the session was lost since the process began, also where it was back before anybody looked; not where we ended it.",
      samples: peers.map(({ peer }) => [{ peer }, speaker.reporter.downs(peer)])
    },
    {
      name: "lowtide_bgp_prefixes",
      type: "gauge",
      help: "Prefixes announced on the session.",
      samples: peers.map(({ peer, status }) => [{ peer }, status.prefixesSent])
    },
    {
      name: "lowtide_bgp_prefixes_wanted",
      type: "gauge",
      help: "Prefixes that the peer is to have.",
      samples: peers.map(({ peer, status }) => [{ peer }, status.prefixesWanted])
    },
    {
      name: "lowtide_bgp_messages_total",
      type: "counter",
      help: "BGP messages since the peer was started.",
      samples: peers.flatMap(({ peer, status }) =>
        (["sent", "received"] as const).flatMap((direction) =>
          Object.entries(status.messages[direction]).map(
            ([type, count]) => [{ peer, type: type.toLowerCase(), direction }, count] as const
          )
        )
      )
    },
    gauge(
      "lowtide_speaker_start_time_seconds",
      "When the process began, in seconds since 1970: each of its sessions was lost then, if there was one before.",
      Math.floor(performance.timeOrigin / 1000)
    ),
    gauge("lowtide_intents", "VIP intents held, tombstones included.", speaker.intentCount),
    {
      name: "lowtide_intent_rejected_total",
      type: "counter",
      help: "Messages refused, by code.",
      // Those that alarm are there from the start: of a counter that begins with its first refusal, that one is no increase.
      samples: [...new Map([...alarming.map((code) => [code, 0] as const), ...speaker.refusals.counts])].map(
        ([code, count]) => [{ code }, count]
      )
    },
    gauge(
      "lowtide_intent_age_seconds",
      "Since the held set last agreed with the centre's head, or since the start.",
      (nowMs - sync.agreedAtMs) / 1000
    ),
    gauge("lowtide_sync_live", "Whether everything the centre speaks of is held.", sync.state === "live" ? 1 : 0),
    gauge(
      "lowtide_quiet",
      "Whether nothing is announced before the centre has spoken: what the disk has is old, or some of it is lost.",
      speaker.view.isQuiet ? 1 : 0
    ),
    gauge("lowtide_brake_held_intents", "Messages that the brake holds back.", speaker.brake.kept.size),
    {
      name: "lowtide_brake_held_total",
      type: "counter",
      help: "Messages that the brake held back since the process began.",
      samples: [[{}, speaker.brake.heldTotal]]
    },
    gauge(
      "lowtide_withheld_orders",
      "Orders of a person at the node that keep routes away.",
      speaker.view.withheldCount
    ),
    gauge("lowtide_wire_entries_pending", "Wire report entries that wait for NATS.", speaker.reporter.outbox.size),
    {
      name: "lowtide_wire_entries_dropped_total",
      type: "counter",
      help: "Wire report entries dropped because too many waited.",
      samples: [[{}, speaker.reporter.outbox.dropped]]
    }
  ]
}

const render = ({ name, type, help, samples }: Metric): string =>
  [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...samples.map((sample) => line(name, sample)), ""].join("\n")

const line = (name: string, [labels, value]: Metric["samples"][number]): string => {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`)
  return `${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${value}`
}

const escapeLabel = (text: string): string =>
  text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")
