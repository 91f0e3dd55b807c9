import type { AddressInfo, Socket } from "node:net"
import { parseIpAddress } from "@lowtide/net"
import { listenTcp, setTtls, type TcpListener } from "@lowtide/sockets"
import { Effect, Result, type Scope } from "effect"
import { ListenFailed } from "./collector.ts"
import type { BgpPeer } from "./peer.ts"

/** Where peers may connect to. */
export interface BgpListener {
  readonly host: string
  readonly port: number
  /**
   * From now on these peers, and no others, may connect; each with its own password, one whose password is missing not at all.
   * A peer is told by its address alone: two on one address are a defect of the caller, and nothing changes.
   */
  readonly setPeers: (peers: ReadonlyArray<BgpPeer>) => void
}

/**
 * Listens for configured peers until the scope closes. A connection from any other address is reset, and `onRefused` told of
 * it; connections that were taken stay when the listener goes. `host` is one address of the node, `0.0.0.0` or `::`.
 */
export const startListener = (
  at: { readonly host: string; readonly port: number },
  onRefused: (remoteAddress: string, reason: string) => void
): Effect.Effect<BgpListener, ListenFailed, Scope.Scope> =>
  Effect.gen(function* () {
    let peers: ReadonlyMap<string, Admitted> = new Map()
    const listener = yield* Effect.acquireRelease(
      Effect.tryPromise({
        // Our first answer leaves before it is known to whom: with the TTL that a peer with GTSM insists on.
        try: () => listenTcp(at, { ttl: 255 }, (socket) => take(socket, peers, onRefused)),
        catch: (cause) => new ListenFailed({ ...at, cause })
      }),
      ({ close }) => Effect.sync(close)
    )
    return {
      host: at.host,
      port: (listener.server.address() as AddressInfo).port,
      setPeers: (wanted) => {
        checkAddresses(wanted)
        const next = new Map(
          wanted.flatMap((peer) => {
            const key = peer.options.md5Key?.()
            if (key !== undefined && Result.isFailure(key)) return [] // as little as we would connect without it
            return [[withoutZone(peer.options.host), { peer, key: key?.success }] as const]
          })
        )
        changeKeys(listener, peers, next)
        peers = next
      }
    }
  })

/** A peer that may connect, with its password as it was when it was admitted. */
interface Admitted {
  readonly peer: BgpPeer
  readonly key: Uint8Array | undefined
}

const checkAddresses = (peers: ReadonlyArray<BgpPeer>): void => {
  const byAddress = new Map<string, BgpPeer>()
  for (const peer of peers) {
    const address = withoutZone(peer.options.host)
    const other = byAddress.get(address)
    if (other !== undefined) {
      throw new TypeError(
        `peers ${other.options.name} and ${peer.options.name} both have the address ${address}, and a listener knows who ` +
          "connects by the address alone: let one of them only be dialled"
      )
    }
    byAddress.set(address, peer)
  }
}

const withoutZone = (address: string): string => address.replace(/%.*$/, "")

const take = (
  socket: Socket,
  peers: ReadonlyMap<string, Admitted>,
  onRefused: (remoteAddress: string, reason: string) => void
): void => {
  const remoteAddress = socket.remoteAddress ?? ""
  const refuse = (reason: string) => {
    socket.on("error", () => {})
    socket.resetAndDestroy()
    onRefused(remoteAddress, reason)
  }
  const peer = peers.get(withoutZone(remoteAddress))?.peer
  if (peer === undefined) return refuse("no peer has this address")
  try {
    setTtls(socket, peer.options)
  } catch (cause) {
    return refuse(cause instanceof Error ? cause.message : String(cause))
  }
  if (!peer.accept(socket)) refuse("it has a connection with us already")
}

/** Keys are the listening socket's: only those of its family, and only what changes is told to the kernel. */
const changeKeys = (
  listener: TcpListener,
  before: ReadonlyMap<string, Admitted>,
  after: ReadonlyMap<string, Admitted>
): void => {
  const family = (listener.server.address() as AddressInfo).family === "IPv6" ? 6 : 4
  for (const host of new Set([...before.keys(), ...after.keys()])) {
    const address = Result.getOrUndefined(parseIpAddress(host))
    if (address?.family !== family) continue
    const [old, key] = [before.get(host)?.key, after.get(host)?.key]
    if (old === undefined ? key !== undefined : key === undefined || !Buffer.from(old).equals(key)) {
      listener.setKey(address, key)
    }
  }
}
