import type { FleetProcess, FleetVersionAnswer } from "@lowtide/api/fleet-version"
import { Effect } from "effect"
import { Command } from "effect/cli"
import { ask } from "../ask.ts"
import { reasonFlag } from "../reason.ts"
import { print, serverFlags } from "../root.ts"
import { Surroundings } from "../surroundings.ts"
import { type Column, formatTable, type Tone } from "../table.ts"
import { override, showOrder } from "./orders.ts"

const tones: { readonly [State in FleetProcess["state"]]: Tone } = { live: "good", silent: "faint", unheard: "bad" }

const columns: ReadonlyArray<Column<FleetProcess>> = [
  { title: "PROCESS", cell: ({ kind }) => kind },
  { title: "NAME", cell: ({ name }) => name },
  { title: "VERSION", cell: ({ version }) => (version === null ? "-" : String(version)) },
  { title: "STATE", cell: ({ state }) => ({ text: state, tone: tones[state] }) },
  { title: "HOLDS BACK", cell: ({ holdsBack }) => (holdsBack ? { text: "yes", tone: "bad" } : "") }
]

const version = Command.make("version", {}, () =>
  Effect.gen(function* () {
    const { hasColour, screenColumns } = yield* Surroundings
    const answer = yield* ask(yield* serverFlags, (client) => client.centre.fleetVersion({}))
    yield* print(answer, (format) =>
      [
        ...sentences(answer),
        "",
        formatTable(columns, answer.processes, { isWide: format === "wide", hasColour, screenColumns }).trimEnd()
      ].join("\n")
    )
  })
).pipe(
  Command.withDescription("Show the fleet's version, what each process knows, and what holds a newer version back"),
  Command.withExamples([{ command: "lowtide fleet version", description: "Before and after an upgrade" }])
)

const sentences = ({ version, newest, finalised, off, processes }: FleetVersionAnswer): ReadonlyArray<string> => {
  const since =
    finalised === null
      ? "which no event says: the log is older than fleet versions, or began with a recovery."
      : `by ${finalised.actor ?? "an event in an archive"} on ${finalised.time} (event ${finalised.seq})${finalised.words === null ? (finalised.actor === null ? "." : ", as the log began.") : `: ${finalised.words}.`}`
  const held = processes.filter(({ holdsBack }) => holdsBack).map(({ kind, name }) => `${kind} ${name}`)
  const next =
    held.length === 0
      ? `Version ${newest} can be finalised: \`lowtide fleet finalise --reason WHY\`.`
      : `Version ${newest} is held back by ${held.join(", ")}.`
  return [
    `The fleet has version ${version}, ${since}`,
    ...(version < newest ? [next] : []),
    ...(off.length > 0 ? [`Off until then: ${off.join(", ")}.`] : [])
  ]
}

const finalise = Command.make(
  "finalise",
  { reason: reasonFlag("Why, in your own words; it is stored with the event") },
  Effect.fnUntraced(function* ({ reason }) {
    yield* showOrder(
      yield* ask(yield* serverFlags, (client) => client.orders.finaliseFleet({ payload: override(reason) }))
    )
  })
).pipe(
  Command.withDescription(
    "Turn on what came with the newest version, once every process that is alive knows it; no older release can lead afterwards"
  ),
  Command.withExamples([
    { command: 'lowtide fleet finalise --reason "0.2 runs everywhere since Monday"', description: "Ends an upgrade" }
  ])
)

/** `lowtide fleet VERB`. */
export const fleet = Command.make("fleet").pipe(
  Command.withDescription("The version of the fleet as a whole"),
  Command.withSubcommands([version, finalise])
)
