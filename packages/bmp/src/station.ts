import { type AddressInfo, createServer, type Server, type Socket } from "node:net"
import { Effect, Schema, type Scope } from "effect"
import { Framing } from "./framing.ts"
import { RouterView, type ViewChange, type ViewLimits } from "./view/router-view.ts"
import { formatBmpFault } from "./wire/fault.ts"
import type { BmpMessage } from "./wire/message.ts"
import { tlvText } from "./wire/tlv.ts"

/** Where a station listens and whom it hears. Times are milliseconds. */
export interface StationOptions {
  readonly host: string
  /** 0 lets the kernel choose: read `port` of the station. */
  readonly port: number
  /** Whether routers at this address may report; others are closed unread. Written as `192.0.2.1`, `2001:db8::1`. */
  readonly isAllowed: (address: string) => boolean
  readonly limits: ViewLimits
  /** Connections at a time. */
  readonly routersMax: number
  /** How long a message may be on its way, and a connection without its first: 30 s unless given. */
  readonly stallMs?: number
  /** The time of day, milliseconds since 1970. */
  readonly nowMs: () => number
  /** Runs on the turn in which it happened; it must be short and must not throw. */
  readonly onEvent: (event: StationEvent) => void
}

/** What a station reports. */
export type StationEvent =
  | { readonly _tag: "RouterConnected"; readonly router: ReportingRouter }
  /** `isFault`: it sent what cannot be read, or too slowly. */
  | {
      readonly _tag: "RouterLost"
      readonly router: ReportingRouter
      readonly reason: string
      readonly isFault: boolean
    }
  | { readonly _tag: "RouterRefused"; readonly address: string; readonly reason: string }
  | { readonly _tag: "Changed"; readonly router: ReportingRouter; readonly changes: ReadonlyArray<ViewChange> }

/** A router that is connected. */
export interface ReportingRouter {
  readonly address: string
  readonly connectedAtMs: number
  readonly heardAtMs: number
  readonly messages: number
  readonly view: RouterView
}

/** A listening station. */
export interface BmpStation {
  readonly host: string
  readonly port: number
  /** The routers that are connected now and have said who they are. */
  readonly routers: () => ReadonlyArray<ReportingRouter>
}

/** The station's address and port cannot be listened on. */
export class StationListenFailed extends Schema.TaggedError<StationListenFailed>()("StationListenFailed", {
  host: Schema.String,
  port: Schema.Int,
  cause: Schema.Defect()
}) {
  override get message() {
    return `cannot listen for BMP on ${this.host} port ${this.port}: ${String(this.cause)}`
  }
}

/** How long after the last octet the kernel begins to ask whether a router is still there, milliseconds. */
const keepAliveMs = 15_000

/**
 * Listens for routers until the scope closes; their connections end with it. One that is garbage, stalls or is not allowed ends
 * alone. A router that connects anew replaces its connection before, which may be half open.
 */
export const startStation = (options: StationOptions): Effect.Effect<BmpStation, StationListenFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const connections = new Map<string, Connection>()
    const server = createServer((socket) => accept(socket, options, connections))
    yield* Effect.acquireRelease(listen(server, options), () => close(server, connections))
    const { port } = server.address() as AddressInfo
    return {
      host: options.host,
      port,
      routers: () => [...connections.values()].filter((connection) => connection.hasBegun)
    }
  })

const listen = (server: Server, { host, port }: StationOptions): Effect.Effect<void, StationListenFailed> =>
  Effect.callback<void, StationListenFailed>((resume) => {
    const onError = (cause: Error) => resume(Effect.fail(new StationListenFailed({ host, port, cause })))
    server.once("error", onError)
    server.listen({ host, port }, () => {
      server.off("error", onError)
      server.on("error", () => {}) // a connection that could not be accepted: the router tries again
      resume(Effect.void)
    })
  })

const close = (server: Server, connections: ReadonlyMap<string, Connection>): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    for (const connection of [...connections.values()]) connection.end("the station ends", false)
    server.close(() => resume(Effect.void))
  })

const accept = (socket: Socket, options: StationOptions, connections: Map<string, Connection>): void => {
  socket.on("error", () => {}) // "close" follows, and says it
  const address = plainAddress(socket.remoteAddress ?? "")
  const refuse = (reason: string) => {
    socket.resetAndDestroy()
    options.onEvent({ _tag: "RouterRefused", address, reason })
  }
  if (!options.isAllowed(address)) return refuse("its address is not among those that may report")
  const before = connections.get(address)
  if (before === undefined && connections.size >= options.routersMax) {
    return refuse(`${options.routersMax} routers report already`)
  }
  before?.end("it connected anew", false)
  const connection = new Connection(socket, address, options, () => {
    if (connections.get(address) === connection) connections.delete(address)
  })
  connections.set(address, connection)
}

/** An IPv4 peer of a socket that hears both families is shown as IPv4; a zone is no part of an address. */
const plainAddress = (text: string): string => text.replace(/^::ffff:(?=\d+\.)/i, "").replace(/%.*$/, "")

class Connection implements ReportingRouter {
  readonly address: string
  readonly connectedAtMs: number
  readonly view: RouterView
  heardAtMs: number
  messages = 0
  /** Its Initiation has come. */
  hasBegun = false
  readonly #socket: Socket
  readonly #options: StationOptions
  readonly #onEnd: () => void
  readonly #framing = new Framing()
  #stall: NodeJS.Timeout | undefined
  #changes: Array<ViewChange> = []
  #isOver = false

  constructor(socket: Socket, address: string, options: StationOptions, onEnd: () => void) {
    this.#socket = socket
    this.#options = options
    this.#onEnd = onEnd
    this.address = address
    this.connectedAtMs = options.nowMs()
    this.heardAtMs = this.connectedAtMs
    this.view = new RouterView(options.limits)
    socket.setKeepAlive(true, keepAliveMs)
    this.#watch("no whole Initiation came")
    socket.on("data", (chunk: Buffer) => this.#onBytes(chunk))
    socket.on("close", (hadError) =>
      this.end(hadError ? "the connection was reset" : "the router closed the connection", false)
    )
  }

  /** Ends the connection; what the router told is worth nothing from here on. */
  end(reason: string, isFault: boolean): void {
    if (this.#isOver) return
    this.#isOver = true
    clearTimeout(this.#stall)
    this.#socket.destroy()
    this.#onEnd()
    this.#options.onEvent({ _tag: "RouterLost", router: this, reason, isFault })
  }

  /** One chunk a turn: a router that tells a million routes leaves turns to everything else. */
  #onBytes(chunk: Uint8Array): void {
    if (this.#isOver) return
    this.#socket.pause()
    setImmediate(() => this.#socket.resume())
    this.heardAtMs = this.#options.nowMs()
    const before = this.messages
    const fault = this.#framing.push(chunk, (message) => this.#take(message))
    this.#tellChanges()
    if (fault !== undefined) return this.end(formatBmpFault(fault), true)
    if (this.#isOver || !this.hasBegun) return
    // A message counts from its first octet: octets that trickle in do not buy time.
    if (this.messages > before || this.#framing.waiting === 0) {
      clearTimeout(this.#stall)
      this.#stall = undefined
    }
    if (this.#framing.waiting > 0 && this.#stall === undefined) this.#watch("a message did not come to its end")
  }

  #take(message: BmpMessage): void {
    if (this.#isOver) return
    this.messages++
    if (!this.hasBegun) {
      if (message._tag !== "Initiation") {
        return this.end(`expected an Initiation first, found ${message._tag} (RFC 7854 §4.3)`, true)
      }
      this.hasBegun = true
      this.view.take(message, this.heardAtMs)
      this.#options.onEvent({ _tag: "RouterConnected", router: this })
      return
    }
    if (message._tag === "Termination") {
      this.#tellChanges()
      const text = message.information.flatMap((tlv) => (tlv.type === 0 ? tlvText(tlv) : [])).join(", ")
      return this.end(`the router ended it${text === "" ? "" : `: ${text}`}`, false)
    }
    for (const change of this.view.take(message, this.heardAtMs)) this.#changes.push(change)
  }

  #tellChanges(): void {
    if (this.#changes.length === 0) return
    const changes = this.#changes
    this.#changes = []
    this.#options.onEvent({ _tag: "Changed", router: this, changes })
  }

  #watch(what: string): void {
    const { stallMs = 30_000 } = this.#options
    this.#stall = setTimeout(() => this.end(`${what} within ${stallMs / 1000} s`, true), stallMs)
  }
}
