import { createInterface } from "node:readline"
import { parseArgs } from "node:util"
import { evidenceOf, type SessionEnds, type StationEvent, startStation, type ViewChange } from "@lowtide/bmp"
import { formatPrefix, parsePrefix } from "@lowtide/net"
import { Effect, Result } from "effect"

const usage = `Hears by BMP what routers have, for tests and for looking at what a router reports.

  bmp-listen.ts --host ADDRESS --port N [--from ADDRESS ...]

  --from ADDRESS         only routers at this address may report; repeat for more (default: any)
  --routes-max N         routes that are kept of one router (default 100000)

Prints what routers report as one JSON object a line. Reads one JSON object a line on standard input:
  {"ask":{"nodeAddress":"192.0.2.2","routerAddress":"192.0.2.1","prefix":"198.51.100.1/32"}}
and prints for each router what it says of that node's route. Ends with its input, or with SIGTERM.`

interface Line {
  readonly ask?: SessionEnds & { readonly prefix: string }
}

const flags = parseArgs({
  options: {
    help: { type: "boolean" },
    host: { type: "string" },
    port: { type: "string" },
    from: { type: "string", multiple: true, default: [] },
    "routes-max": { type: "string", default: "100000" }
  }
}).values

const print = (value: object): void => {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

const shownChange = (change: ViewChange): object => {
  const { peer, ...rest } = change
  const ends = { peer: peer.address, localAddress: peer.localAddress, asn: peer.asn }
  return "prefix" in rest ? { ...rest, ...ends, prefix: formatPrefix(rest.prefix) } : { ...rest, ...ends }
}

const show = (event: StationEvent): void => {
  if (event._tag === "RouterRefused") return print(event)
  const { address, view } = event.router
  const router = { router: address, name: view.name, description: view.description }
  if (event._tag === "Changed") {
    for (const change of event.changes) print({ ...shownChange(change), ...router })
  } else
    print({ _tag: event._tag, ...("reason" in event && { reason: event.reason, isFault: event.isFault }), ...router })
}

const listen = Effect.fn("listen")(function* (host: string, port: number) {
  const station = yield* startStation({
    host,
    port,
    isAllowed: (address) => flags.from.length === 0 || flags.from.includes(address),
    limits: { routesMax: Number(flags["routes-max"]), peersMax: 1_024, isWanted: () => true },
    routersMax: 64,
    nowMs: Date.now,
    onEvent: show
  })
  print({ _tag: "Listening", host, port: station.port })
  yield* Effect.promise(async () => {
    for await (const text of createInterface({ input: process.stdin })) {
      const { ask } = JSON.parse(text) as Line
      const prefix = ask === undefined ? undefined : Result.getOrUndefined(parsePrefix(ask.prefix))
      if (ask === undefined || prefix === undefined) print({ _tag: "InputRefused", reason: `not a question: ${text}` })
      else {
        const answers = station.routers().map(({ address, view }) => ({
          router: address,
          evidence: evidenceOf(view, ask, prefix, Date.now())
        }))
        print({ _tag: "Answers", ...ask, answers })
      }
    }
  })
})

if (flags.help || flags.host === undefined || flags.port === undefined) {
  const isWrong = !flags.help
  ;(isWrong ? process.stderr : process.stdout).write(`${usage}\n`)
  process.exitCode = isWrong ? 2 : 0
} else {
  process.once("SIGTERM", () => process.exit(0))
  await Effect.runPromise(Effect.scoped(listen(flags.host, Number(flags.port))))
}
