import { type BmpExporter, startExporter } from "@lowtide/bmp/exporter"
import { Effect, Result, type Scope } from "effect"
import { type ListenPlace, parseListenPlaces } from "./listening.ts"
import type { Metric } from "./metrics.ts"
import type { LocalSettings } from "./peer-options.ts"
import type { SpeakerPort } from "./speaker-port.ts"

/** Reads the addresses and ports of BMP stations, separated by commas; a station has no port 0. */
export const parseStations = (text: string): Result.Result<ReadonlyArray<ListenPlace>, string> =>
  Result.flatMap(parseListenPlaces(text), (places) =>
    places.some(({ port }) => port === 0)
      ? Result.fail(`expected a station's port in 1..65535, found 0 in ${JSON.stringify(text)}`)
      : Result.succeed(places)
  )

/** Reports the node's sessions, and what they send, to stations. Without stations nothing is reported. */
export const startReporting = (
  stations: ReadonlyArray<ListenPlace>,
  { cluster, node }: Pick<LocalSettings, "cluster" | "node">,
  say: SpeakerPort["say"]
): Effect.Effect<BmpExporter | undefined, never, Scope.Scope> =>
  stations.length === 0
    ? Effect.succeed(undefined)
    : startExporter({
        stations,
        name: `${cluster}/${node}`,
        description: "Lowtide speaker",
        onEvent: (event) =>
          event._tag === "StationConnected"
            ? say("info", `the BMP station ${event.station} is told of sessions`)
            : say("warning", `the BMP station ${event.station} is not told of sessions: ${event.reason}`)
      })

/** How many stations are asked for, and how many are told. */
export const reportingMetrics = (
  stations: ReadonlyArray<ListenPlace>,
  exporter: BmpExporter | undefined
): ReadonlyArray<Metric> => {
  if (exporter === undefined) return []
  const gauge = (name: string, help: string, value: number): Metric => ({
    name,
    type: "gauge",
    help,
    samples: [[{}, value]]
  })
  return [
    gauge("lowtide_bmp_stations", "BMP stations that the node is to report to.", stations.length),
    gauge("lowtide_bmp_stations_connected", "BMP stations that are told of the node's sessions.", exporter.connected())
  ]
}
