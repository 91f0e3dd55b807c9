import { connect, type Socket } from "node:net"
import type { SessionTap, TappedEnd, TappedSession } from "@lowtide/bgp/tap"
import { u32 } from "@lowtide/bgp/wire/bytes"
import { encodeMessage } from "@lowtide/bgp/wire/message"
import { type IpAddress, parseIpAddress } from "@lowtide/net"
import { Effect, Result, type Scope } from "effect"
import { encodeBmp, type PeerDown } from "./wire/message.ts"
import { type PeerHeader, peerTypes } from "./wire/peer-header.ts"
import { textTlv } from "./wire/tlv.ts"

/** Whom an exporter reports to, and as whom. */
export interface ExporterOptions {
  readonly stations: ReadonlyArray<{ readonly host: string; readonly port: number }>
  /** sysName of the Initiation. */
  readonly name: string
  /** sysDescr. */
  readonly description: string
  /** Octets that may wait for a station; with more its connection is begun anew. 8 MiB unless given. */
  readonly waitingBytesMax?: number
  /** The first wait between two attempts, milliseconds; it doubles up to 2 minutes. 1,000 unless given. */
  readonly retryMs?: number
  /** How often each session's statistics are sent, milliseconds; 60,000 unless given. */
  readonly statisticsMs?: number
  readonly onEvent: (event: ExporterEvent) => void
}

/** What an exporter reports. */
export type ExporterEvent =
  | { readonly _tag: "StationConnected"; readonly station: string }
  | { readonly _tag: "StationLost"; readonly station: string; readonly reason: string }

/** Reports sessions, and what they send (Adj-RIB-Out after policy, RFC 8671), to BMP stations. */
export interface BmpExporter {
  /** What a session is started with to be reported. */
  readonly tap: () => SessionTap
  /** How many stations are connected. */
  readonly connected: () => number
}

/** The longest wait between two attempts, milliseconds. */
const retryMsMax = 120_000

/**
 * Reports to stations until the scope closes. A station that connects late, or is too slow, is told everything anew; no session
 * waits for a station.
 */
export const startExporter = (options: ExporterOptions): Effect.Effect<BmpExporter, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => new Exporter(options)),
    (exporter) => Effect.promise(() => exporter.stop())
  )

class Exporter implements BmpExporter {
  readonly #sessions = new Set<Reported>()
  readonly #links: ReadonlyArray<StationLink>
  readonly #timer: NodeJS.Timeout

  constructor(options: ExporterOptions) {
    this.#links = options.stations.map((station) => new StationLink(station, options, () => this.#everything()))
    this.#timer = setInterval(() => this.#statistics(), options.statisticsMs ?? 60_000)
    this.#timer.unref()
  }

  connected(): number {
    return this.#links.filter((link) => link.isConnected).length
  }

  tap(): SessionTap {
    let reported: Reported | undefined
    return {
      onUp: (session) => {
        reported = reportedOf(session)
        this.#sessions.add(reported)
        this.#tell(() => peerUp(reported!))
      },
      onUpdates: (bytes) => {
        if (reported === undefined) return
        const { header } = reported
        this.#tell(() => monitoring(header, bytes))
      },
      onDown: (end) => {
        if (reported === undefined) return
        const { header } = reported
        this.#sessions.delete(reported)
        reported = undefined
        this.#tell(() => encodeBmp(peerDown(header, end)))
      }
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await Promise.all(this.#links.map((link) => link.stop()))
  }

  /** The octets are made once, and only where somebody hears them. */
  #tell(encode: () => Uint8Array): void {
    const links = this.#links.filter((link) => link.isConnected)
    if (links.length === 0) return
    const bytes = encode()
    for (const link of links) link.write(bytes)
  }

  #statistics(): void {
    for (const { session, header } of this.#sessions) {
      const routes = new Uint8Array(8) // a gauge of 64 bits: RFC 7854 §4.8, RFC 8671 §6.2
      routes.set(u32(session.prefixesSent()), 4)
      const statistics = [{ type: 15, value: routes }]
      this.#tell(() => encodeBmp({ _tag: "StatisticsReport", peer: stamped(header), statistics }))
    }
  }

  *#everything(): Iterable<Uint8Array> {
    for (const reported of this.#sessions) {
      yield peerUp(reported)
      for (const bytes of reported.session.table()) yield monitoring(reported.header, bytes)
    }
  }
}

interface Reported {
  readonly session: TappedSession
  readonly header: PeerHeader
  readonly upAtMs: number
}

const reportedOf = (session: TappedSession): Reported => ({
  session,
  upAtMs: Date.now(),
  header: {
    peerType: peerTypes.global,
    view: "adj-rib-out-post",
    legacyAsPath: session.legacyAsPath,
    isFiltered: false,
    distinguisher: 0n,
    address: addressOf(session.remoteAddress),
    asn: session.peerAsn,
    routerId: session.peerRouterId,
    seconds: 0,
    microseconds: 0
  }
})

const addressOf = (text: string): IpAddress => Result.getOrElse(parseIpAddress(text), () => ({ family: 4, value: 0n }))

/** With the time at which something happened: now, unless it is told later. */
const stamped = (header: PeerHeader, atMs = Date.now()): PeerHeader => ({
  ...header,
  seconds: Math.floor(atMs / 1000),
  microseconds: (atMs % 1000) * 1000
})

/** Of a whole session: the flags of a view are not used (RFC 8671 §6.1). */
const ofSession = (header: PeerHeader): PeerHeader => ({ ...header, view: "adj-rib-in-pre", legacyAsPath: false })

const peerUp = ({ session, header, upAtMs }: Reported): Uint8Array =>
  encodeBmp({
    _tag: "PeerUp",
    peer: stamped(ofSession(header), upAtMs),
    localAddress: addressOf(session.localAddress),
    localPort: session.localPort,
    remotePort: session.remotePort,
    sentOpen: session.sentOpen,
    receivedOpen: session.receivedOpen,
    information: []
  })

/** RFC 7854 §4.9. A session that we end without a word ends by ManualStop, event 2 of RFC 4271 §8.1.2. */
const peerDown = (header: PeerHeader, { by, notification }: TappedEnd): PeerDown => {
  const context = { fourOctetAs: true, isInternal: false }
  const data = notification === undefined ? undefined : encodeMessage(notification, context)
  const [reason, rest] =
    by === "us"
      ? data === undefined
        ? [2, Uint8Array.of(0, 2)]
        : [1, data]
      : data === undefined
        ? [4, new Uint8Array(0)]
        : [3, data]
  return { _tag: "PeerDown", peer: stamped(ofSession(header)), reason, data: rest }
}

/** One Route Monitoring message for each UPDATE of a run of them. */
const monitoring = (header: PeerHeader, updates: Uint8Array): Uint8Array => {
  const peer = stamped(header)
  const messages: Array<Uint8Array> = []
  for (let at = 0; at + 19 <= updates.length; ) {
    const end = at + ((updates[at + 16]! << 8) | updates[at + 17]!)
    messages.push(encodeBmp({ _tag: "RouteMonitoring", peer, update: updates.subarray(at, end) }))
    at = end
  }
  return Buffer.concat(messages)
}

/** One station: a connection to it, made again for as long as the exporter runs. */
class StationLink {
  readonly #station: string
  readonly #target: { readonly host: string; readonly port: number }
  readonly #options: ExporterOptions
  readonly #everything: () => Iterable<Uint8Array>
  #socket: Socket | undefined
  #timer: NodeJS.Timeout | undefined
  #retryMs: number
  #isStopped = false
  /** The last reason that was told while there is no connection: the same again is not news. */
  #told: string | undefined
  isConnected = false

  constructor(
    target: { readonly host: string; readonly port: number },
    options: ExporterOptions,
    everything: () => Iterable<Uint8Array>
  ) {
    this.#target = target
    this.#options = options
    this.#everything = everything
    this.#station = target.host.includes(":") ? `[${target.host}]:${target.port}` : `${target.host}:${target.port}`
    this.#retryMs = options.retryMs ?? 1_000
    this.#dial()
  }

  write(bytes: Uint8Array): void {
    const { waitingBytesMax = 8 * 1024 * 1024 } = this.#options
    const socket = this.#socket
    if (socket === undefined || !this.isConnected) return
    socket.write(bytes)
    if (socket.writableLength > waitingBytesMax) {
      this.#lose(`it takes what it is told too slowly: ${socket.writableLength} octets wait`)
    }
  }

  /** Says that it ends, and waits a second at most until that is out. */
  stop(): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#timer)
    const socket = this.#socket
    if (socket === undefined) return Promise.resolve()
    if (!this.isConnected) {
      socket.destroy()
      return Promise.resolve()
    }
    this.isConnected = false
    return new Promise((resolve) => {
      const timer = setTimeout(() => socket.destroy(), 1_000)
      socket.once("close", () => {
        clearTimeout(timer)
        resolve()
      })
      // RFC 7854 §4.5, reason 0: administratively closed.
      socket.end(encodeBmp({ _tag: "Termination", information: [{ type: 1, value: Uint8Array.of(0, 0) }] }), () =>
        socket.destroySoon()
      )
    })
  }

  #dial(): void {
    let reason = "the station closed the connection"
    const socket = connect({ ...this.#target, keepAlive: true, keepAliveInitialDelay: 15_000 })
    this.#socket = socket
    socket.on("error", (error) => {
      reason = error.message
    })
    socket.on("data", () => this.#lose("it sends, which a station never does (RFC 7854 §3.2)"))
    socket.once("close", () => {
      if (this.#socket === socket) this.#lose(reason)
    })
    socket.once("connect", () => this.#begin(socket))
  }

  #begin(socket: Socket): void {
    const { name, description, retryMs = 1_000 } = this.#options
    this.isConnected = true
    this.#retryMs = retryMs
    this.#told = undefined
    socket.write(encodeBmp({ _tag: "Initiation", information: [textTlv(1, description), textTlv(2, name)] }))
    for (const bytes of this.#everything()) socket.write(bytes)
    this.#options.onEvent({ _tag: "StationConnected", station: this.#station })
  }

  #lose(reason: string): void {
    const socket = this.#socket
    this.#socket = undefined
    this.isConnected = false
    socket?.destroy()
    if (this.#isStopped) return
    if (this.#told !== reason) this.#options.onEvent({ _tag: "StationLost", station: this.#station, reason })
    this.#told = reason
    const waitMs = this.#retryMs * (0.75 + Math.random() / 4)
    this.#retryMs = Math.min(this.#retryMs * 2, retryMsMax)
    this.#timer = setTimeout(() => this.#dial(), waitMs)
  }
}
