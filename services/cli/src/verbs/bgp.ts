import { createInterface } from "node:readline"
import type { InspectContext, Inspection } from "@lowtide/bgp"
import { parseAsn } from "@lowtide/net"
import { Effect, Option, Result } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { Unmet, usageFault } from "../fault.ts"
import { outputFormat } from "../root.ts"
import { Surroundings } from "../surroundings.ts"
import { explain, flaps, peers, routes } from "./bgp-truth.ts"

const roles = ["provider", "customer", "peer", "rs", "rs-client"] as const
const states = ["Idle", "Connect", "Active", "OpenSent", "OpenConfirm", "Established"] as const

const agreed = (name: string, description: string) =>
  Flag.Boolean(name).pipe(Flag.withDescription(description), Flag.withDefault(false))

const asnFlag = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(description), Flag.optional)

const readAsn = (name: string, text: Option.Option<string>) =>
  Option.isNone(text)
    ? Effect.succeed(undefined)
    : Effect.fromResult(
        Result.mapError(parseAsn(text.value), (what) => usageFault(`--${name}: ${what}`, "for example 64496"))
      )

/** `lowtide bgp decode HEX`. */
const decode = Command.make(
  "decode",
  {
    hex: Argument.String("hex").pipe(
      Argument.withDescription("One message, header included, in hexadecimal; - reads one a line from standard input")
    ),
    session: Flag.Literals("session", ["ibgp", "ebgp"]).pipe(
      Flag.withDescription("Whether the peer is in our own AS"),
      Flag.withDefault("ebgp")
    ),
    as4: agreed("as4", "Four-octet AS numbers were agreed (RFC 6793)"),
    extended: agreed("extended", "Extended messages were agreed (RFC 8654)"),
    addPath: agreed("addpath", "Path identifiers were agreed (RFC 7911)"),
    extendedNextHop: agreed("extended-next-hop", "IPv6 next hops of IPv4 routes were agreed (RFC 8950)"),
    localAs: asnFlag("local-as", "Our own AS: a path that has it is a loop"),
    peerAs: asnFlag("peer-as", "The AS that the peer must be in, and its paths begin with"),
    localRole: Flag.Literals("local-role", roles).pipe(
      Flag.withDescription("What we are to the peer (RFC 9234)"),
      Flag.optional
    ),
    state: Flag.Literals("state", states).pipe(
      Flag.withDescription("The state in which the message comes; any kind may come without"),
      Flag.optional
    )
  },
  Effect.fnUntraced(function* ({ hex, session, as4, extended, addPath, extendedNextHop, ...flags }) {
    const { out, err } = yield* Surroundings
    const isJson = (yield* outputFormat) === "json"
    const context: InspectContext = {
      isInternal: session === "ibgp",
      fourOctetAs: as4,
      addPath,
      extendedNextHop,
      ...(extended && { messageBytesMax: extendedBytesMax }),
      localAsn: yield* readAsn("local-as", flags.localAs),
      peerAsn: yield* readAsn("peer-as", flags.peerAs),
      localRole: Option.getOrUndefined(flags.localRole),
      state: Option.getOrUndefined(flags.state)
    }
    // Only this verb needs the codec, and every verb would pay for loading it.
    const { inspectMessage } = yield* Effect.promise(() => import("@lowtide/bgp/wire/inspect"))
    if (hex !== "-") {
      const bytes = yield* Effect.fromResult(Result.mapError(parseHex(hex), (what) => usageFault(what, hexHint)))
      const inspection = inspectMessage(bytes, context)
      out(isJson ? JSON.stringify(inspection, null, 2) : inWords(inspection))
      if (inspection.error !== null) return yield* new Unmet()
      return
    }
    const worst = yield* Effect.promise(async () => {
      let worst: "good" | "wrong" | "unread" = "good"
      let number = 0
      for await (const line of createInterface({ input: process.stdin })) {
        number++
        if (line.trim() === "") continue
        const bytes = parseHex(line)
        if (Result.isFailure(bytes)) {
          err(`line ${number}: ${bytes.failure}`)
          worst = "unread"
          continue
        }
        const inspection = inspectMessage(bytes.success, context)
        if (inspection.error !== null && worst === "good") worst = "wrong"
        out(isJson ? JSON.stringify(inspection) : inWords(inspection))
      }
      return worst
    })
    if (worst === "unread") return yield* usageFault("some lines are no hexadecimal", hexHint)
    if (worst === "wrong") return yield* new Unmet()
  })
).pipe(
  Command.withDescription(
    "Say what a BGP message says, or what is wrong with it and what its receiver does (RFC 4271, RFC 7606); no server is asked"
  ),
  Command.withExamples([
    { command: "lowtide bgp decode ffffffffffffffffffffffffffffffff001304", description: "A KEEPALIVE" },
    {
      command: "tshark -r session.pcap -Y bgp -T fields -e tcp.payload | lowtide bgp decode - --as4 -o json",
      description: "What a capture has, where each segment is one message"
    }
  ])
)

const extendedBytesMax = 65_535

const hexHint = "for example ffffffffffffffffffffffffffffffff001304"

/** Octets as people and tools write them: with or without spaces, colons and 0x. */
const parseHex = (text: string): Result.Result<Uint8Array, string> => {
  const digits = text.replace(/0x|[\s:]/gi, "")
  const odd = /[^0-9a-f]/i.exec(digits)
  if (odd !== null) return Result.fail(`expected hexadecimal digits, found ${JSON.stringify(odd[0])}`)
  if (digits.length === 0 || digits.length % 2 === 1) {
    return Result.fail(`expected an even number of hexadecimal digits, found ${digits.length}`)
  }
  return Result.succeed(Buffer.from(digits, "hex"))
}

/** A field a line; what has parts in JSON. What is empty says nothing. */
const inWords = ({ type, fields, error }: Inspection): string =>
  [
    type ?? "no message",
    ...Object.entries(fields ?? {}).flatMap(([name, value]) => {
      if (value === "") return []
      if (!Array.isArray(value)) return `  ${name}: ${inLine(value)}`
      return value.length === 0 ? [] : [`  ${name}:`, ...value.map((item) => `    ${inLine(item)}`)]
    }),
    ...(error === null ? [] : [`${actionText(error)}: ${error.reason}`])
  ].join("\n")

const inLine = (value: unknown): string => {
  if (!isParts(value)) return textOf(value)
  const { name, code: _, segments: __, ...rest } = value
  if (typeof name !== "string") return partsText(value)
  const values = partsText(rest)
  return values === "" ? name : `${name}: ${values}`
}

const isParts = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Each part behind its name, where the value alone would not say what it is; a list that is empty says nothing. */
const partsText = (parts: Readonly<Record<string, unknown>>): string =>
  Object.entries(parts)
    .filter(([, part]) => part !== "" && !(Array.isArray(part) && part.length === 0))
    .map(([key, part]) => (plainParts.has(key) ? textOf(part) : `${key} ${textOf(part)}`))
    .join(", ")

const plainParts = new Set(["value", "path", "address", "prefix"])

const textOf = (value: unknown): string => {
  if (Array.isArray(value)) return value.map(textOf).join(" ")
  if (isParts(value)) return `(${partsText(value)})`
  return typeof value === "string" ? value : JSON.stringify(value)
}

const actionText = ({ action, notification }: NonNullable<Inspection["error"]>): string =>
  notification === null ? action : `${action} ${notification.code}/${notification.subcode}`

/** What concerns BGP itself. */
export const bgp = Command.make("bgp").pipe(
  Command.withDescription(
    "What routers are told and how sessions stand, at the node or for the fleet; BGP messages by hand"
  ),
  Command.withSubcommands([peers, routes, flaps, explain, decode])
)
