import type { RefusalKind } from "@lowtide/bgp/admission"
import type { ListenFailed } from "@lowtide/bgp/collector"
import { type BgpListener, type RefusedConnection, startListener } from "@lowtide/bgp/listener"
import type { BgpPeer } from "@lowtide/bgp/peer"
import { parseIpAddress } from "@lowtide/net"
import { parseListen } from "@lowtide/ops"
import { Effect, Result, type Scope } from "effect"
import { formatFault } from "./fault-line.ts"
import type { Metric } from "./metrics.ts"
import type { SpeakerPort } from "./speaker-port.ts"

/** An address and TCP port of the node that peers may connect to. A link-local address has its zone. */
export interface ListenPlace {
  readonly host: string
  readonly port: number
}

/** Reads `HOST:PORT` and `[IPV6]:PORT`, separated by commas; hosts are addresses. */
export const parseListenPlaces = (text: string): Result.Result<ReadonlyArray<ListenPlace>, string> =>
  Result.all(text.split(",").map((part) => parsePlace(part.trim())))

const parsePlace = (text: string): Result.Result<ListenPlace, string> => {
  const expected = `expected an address and a port, such as 192.0.2.1:179 or [::]:179, found ${JSON.stringify(text)}`
  const parsed = Result.getOrUndefined(parseListen(text))
  if (parsed?._tag !== "Tcp") return Result.fail(expected)
  const [host = "", zone] = parsed.host.split("%", 2)
  const address = Result.getOrUndefined(parseIpAddress(host))
  if (address === undefined || (zone !== undefined && address.family === 4)) return Result.fail(expected)
  return Result.succeed({ host: parsed.host, port: parsed.port })
}

/** A kind of refusal is said once in so long, with how many there were. */
const repeatMs = 60_000

const kinds: ReadonlyArray<RefusalKind> = [
  "unknown-address",
  "other-interface",
  "other-local-address",
  "ambiguous-peer",
  "no-password",
  "too-many-connections",
  "closed"
]

/** How a node listens for its peers. */
export class Listening {
  readonly #port: Pick<SpeakerPort, "say" | "monotonicMs">
  readonly #listeners = new Map<ListenPlace, BgpListener | undefined>()
  readonly #refused = new Map(kinds.map((kind) => [kind, { count: 0, unsaid: 0, saidAtMs: Number.NEGATIVE_INFINITY }]))
  /** What was wrong when it was last looked at. */
  #faults: ReadonlySet<string> = new Set()

  constructor(places: ReadonlyArray<ListenPlace>, port: Pick<SpeakerPort, "say" | "monotonicMs">) {
    this.#port = port
    for (const place of places) this.#listeners.set(place, undefined)
  }

  /**
   * Listens where that is not so yet, and lets these peers in, with the passwords and on the interfaces that there are now. A
   * node that cannot listen goes on with the sessions that it opens itself, and tries again at the next call.
   */
  refresh(peers: ReadonlyArray<BgpPeer>): Effect.Effect<void, never, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      const found = yield* Effect.forEach([...this.#listeners], ([place, listener]) =>
        (listener === undefined ? this.#begin(place) : Effect.succeed(listener)).pipe(
          Effect.map((listener) => listener.setPeers(peers)),
          Effect.catch(({ message }) => Effect.succeed([message]))
        )
      )
      const faults = new Set(found.flat())
      for (const message of faults) {
        if (!this.#faults.has(message)) this.#port.say("error", formatFault({ code: "LT0310", message }))
      }
      this.#faults = faults
    })
  }

  #begin(place: ListenPlace): Effect.Effect<BgpListener, ListenFailed, Scope.Scope> {
    return Effect.tap(
      startListener(place, (refused) => this.#onRefused(refused)),
      (listener) =>
        Effect.sync(() => {
          this.#listeners.set(place, listener)
          this.#port.say("info", `peers may connect to ${place.host} port ${listener.port}`)
        })
    )
  }

  #onRefused({ remoteAddress, kind, reason }: RefusedConnection): void {
    const refused = this.#refused.get(kind)
    if (refused === undefined) return
    refused.count++
    const nowMs = this.#port.monotonicMs()
    if (nowMs - refused.saidAtMs < repeatMs) {
      refused.unsaid++
      return
    }
    const more = refused.unsaid === 0 ? "" : `; ${refused.unsaid} more like it since the last line of its kind`
    this.#port.say("warning", `a connection from ${remoteAddress} was refused: ${reason}${more}`)
    refused.unsaid = 0
    refused.saidAtMs = nowMs
  }

  /** No label is an address: whoever connects would choose how many there are. */
  metrics(): ReadonlyArray<Metric> {
    const listens = [...this.#listeners].map(
      ([{ host, port }, listener]) => [{ listen: `${host} ${port}` }, listener === undefined ? 0 : 1] as const
    )
    return [
      {
        name: "lowtide_bgp_listening",
        type: "gauge",
        help: "Whether peers may connect to where LOWTIDE_BGP_LISTEN says.",
        samples: listens
      },
      {
        name: "lowtide_bgp_connections_refused_total",
        type: "counter",
        help: "TCP connections that were reset, by why.",
        samples: [...this.#refused].map(([reason, { count }]) => [{ reason }, count])
      }
    ]
  }
}
