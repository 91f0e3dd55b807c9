import type { AddressInfo, Socket } from "node:net"
import { type Family, parseIpAddress } from "@lowtide/net"
import { interfaceIndex, listenTcp, setOptions, type TcpListener } from "@lowtide/sockets"
import { Effect, Result, type Scope } from "effect"
import {
  admit,
  anywhere,
  type Entry,
  find,
  isSameKey,
  keysAt,
  type Place,
  placesOf,
  type Refusal
} from "./admission.ts"
import { ListenFailed } from "./collector.ts"
import type { BgpPeer } from "./peer.ts"

/** A connection that was reset, and why. */
export interface RefusedConnection extends Refusal {
  /** A link-local one with its zone. */
  readonly remoteAddress: string
}

/** Where peers may connect to. */
export interface BgpListener {
  readonly host: string
  readonly port: number
  /**
   * From now on these peers, and no others, may connect; each with its own password. Passwords and interfaces are as they
   * are now: call it again from time to time. Without its password a peer may not connect. Answers what is in the way otherwise, a
   * sentence each: an interface that is not there, or two peers that cannot be told from each other, of which neither may.
   */
  readonly setPeers: (peers: ReadonlyArray<BgpPeer>) => ReadonlyArray<string>
}

/**
 * Listens for configured peers until the scope closes. A connection from anybody else is reset, and `onRefused` told of it;
 * connections that were taken stay when the listener goes. `host` is one address of the node, `0.0.0.0` or `::`. Beside the
 * socket there is one for each VRF of a peer, and one for each interface that a link-local peer is on.
 */
export const startListener = (
  at: { readonly host: string; readonly port: number },
  onRefused: (refused: RefusedConnection) => void
): Effect.Effect<BgpListener, ListenFailed, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.try({
      try: () => new Listener(at, onRefused),
      catch: (cause) => new ListenFailed({ ...at, cause })
    }),
    (listener) => Effect.sync(() => listener.close())
  )

/** A listening socket, and the passwords that it has. */
interface Listening {
  readonly place: Place
  /** Of its device; another one of the same name has another number. */
  readonly interfaceIndex: number | undefined
  readonly tcp: TcpListener
  keys: ReadonlyMap<string, Entry & { readonly key: Uint8Array }>
}

class Listener implements BgpListener {
  readonly host: string
  readonly port: number
  readonly #family: Family
  /** The interface that `host` is on, where it is link-local: there is no other place then. */
  readonly #zone: string | undefined
  readonly #onRefused: (refused: RefusedConnection) => void
  readonly #main: Listening
  readonly #besides = new Map<string, Listening>()
  #entries: ReadonlyArray<Entry> = []

  constructor(at: { readonly host: string; readonly port: number }, onRefused: (refused: RefusedConnection) => void) {
    const [address = "", zone] = at.host.split("%", 2)
    this.host = at.host
    this.#onRefused = onRefused
    this.#zone = zone
    this.#family = Result.getOrThrowWith(parseIpAddress(address), (reason) => new TypeError(reason)).family
    this.#main = this.#open(zone === undefined ? anywhere : { device: zone, isOwn: false }, at.port, undefined)
    this.port = (this.#main.tcp.server.address() as AddressInfo).port
  }

  setPeers(peers: ReadonlyArray<BgpPeer>): ReadonlyArray<string> {
    this.#entries = admit(peers, this.#family)
    const places = this.#zone === undefined ? placesOf(this.#entries) : []
    for (const [device, listening] of this.#besides) {
      const isWanted = places.some((place) => place.device === device && place.isOwn === listening.place.isOwn)
      if (isWanted && isThere(device, listening.interfaceIndex)) continue
      listening.tcp.close()
      this.#besides.delete(device)
    }
    const faults = places.flatMap((place) => this.#openBesides(place))
    const unset = [this.#main, ...this.#besides.values()].flatMap((listening) => this.#changeKeys(listening))
    const refused = this.#entries.flatMap(({ peer, refusal }) =>
      refusal?.kind !== "ambiguous-peer" ? [] : [`peer ${peer.options.name} may not connect: ${refusal.reason}`]
    )
    return [...faults, ...unset, ...refused]
  }

  close(): void {
    for (const { tcp } of [this.#main, ...this.#besides.values()]) tcp.close()
    this.#besides.clear()
  }

  #openBesides(place: Place & { readonly device: string }): ReadonlyArray<string> {
    if (this.#besides.has(place.device)) return []
    const { tcp } = this.#main
    try {
      tcp.setShared(true)
      this.#besides.set(place.device, this.#open(place, this.port, interfaceIndex(place.device)))
      return []
    } catch (cause) {
      return [`peers on ${place.device} may not connect: ${messageOf(cause)}`]
    } finally {
      tcp.setShared(false)
    }
  }

  /** The passwords are on the socket before anybody can connect. */
  #open(place: Place, port: number, index: number | undefined): Listening {
    const keys = keysAt(this.#entries, place)
    const md5Keys = [...keys.values()].map(({ address, key }) => ({ peer: address, key }))
    // The first answer leaves before it is known to whom: with the TTL that a peer with GTSM insists on.
    const options = { ttl: 255, isShared: true, md5Keys, ...(place.device !== undefined && { device: place.device }) }
    const tcp = listenTcp({ host: this.host, port }, options, (socket) => this.#take(socket, place))
    return { place, interfaceIndex: index, tcp, keys }
  }

  /** Only what changes is told to the kernel; the answer says whose password it did not take. */
  #changeKeys(listening: Listening): ReadonlyArray<string> {
    const { tcp, keys: before } = listening
    const after = keysAt(this.#entries, listening.place)
    const keys = new Map(before)
    listening.keys = keys
    return [...new Map([...before, ...after])].flatMap(([address, entry]) => {
      const key = after.get(address)?.key
      if (isSameKey(before.get(address)?.key, key)) return []
      try {
        tcp.setKey(entry.address, key)
      } catch (cause) {
        keys.delete(address)
        return [`peer ${entry.peer.options.name} may not connect: ${messageOf(cause)}`]
      }
      if (key === undefined) keys.delete(address)
      else keys.set(address, { ...entry, key })
      return []
    })
  }

  #take(socket: Socket, place: Place): void {
    const { remoteAddress = "", localAddress = "" } = socket
    const refuse = (refusal: Refusal) => {
      socket.on("error", () => {})
      socket.resetAndDestroy()
      this.#onRefused({ remoteAddress, ...refusal })
    }
    const found = find(this.#entries, { remoteAddress, localAddress, place })
    if (Result.isFailure(found)) return refuse(found.failure)
    const { peer, key, address } = found.success
    const { ttl, ttlMin } = peer.options
    try {
      // The password once more: a connection may have come about just before the listening socket had it.
      setOptions(socket, {
        ...(ttl !== undefined && { ttl }),
        ...(ttlMin !== undefined && { ttlMin }),
        ...(key !== undefined && { md5Keys: [{ peer: address, key }] })
      })
    } catch (cause) {
      return refuse({ kind: "closed", reason: messageOf(cause) })
    }
    if (!peer.accept(socket)) refuse({ kind: "too-many-connections", reason: "it has a connection with us already" })
  }
}

/** Whether the interface is the one that it was. */
const isThere = (device: string, index: number | undefined): boolean => {
  try {
    return interfaceIndex(device) === index
  } catch {
    return false
  }
}

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))
