import { type Envelope, generateKey, readKeyRing, readSigningKey } from "@lowtide/bus/envelope"
import { type Command, type CommandEnvelope, Fleet, type NumberedMessage, type ServiceObject } from "@lowtide/domain"
import { manifestObject, nodeObject, serviceObject } from "@lowtide/testkit/observed"
import type { ReceivedCommand } from "../src/decide-batch.ts"

const pair = generateKey()
export const signingKey = readSigningKey("k1", pair.privatePem)
export const keyRing = readKeyRing({ k1: pair.publicPem })

export const uuid = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`

export const pool = (addresses: ReadonlyArray<string>, name = "public"): Command => ({
  _tag: "ApplyManifest",
  cluster: "east",
  manifest: manifest("IPAddressPool", name, { addresses })
})

export const manifest = manifestObject

export const node = (name: string): Command => ({ _tag: "ObserveNode", cluster: "east", node: nodeObject(name) })

export const service = (name: string, more: Partial<ServiceObject> = {}): Command => ({
  _tag: "ObserveService",
  cluster: "east",
  service: serviceObject(name, { uid: `uid-${name}`, ...more })
})

export const forgetService = (name: string): Command => ({
  _tag: "ForgetService",
  cluster: "east",
  namespace: "shop",
  name
})

/** A cluster that announces what it gives out. */
export const announcing: ReadonlyArray<Command> = [
  pool(["192.0.2.0/28"]),
  node("n1"),
  node("n2"),
  {
    _tag: "ApplyManifest",
    cluster: "east",
    manifest: manifest("BGPPeer", "tor", { myASN: 64496, peerASN: 64500, peerAddress: "10.1.0.1" })
  },
  { _tag: "ApplyManifest", cluster: "east", manifest: manifest("BGPAdvertisement", "all", {}) }
]

export const receivedAt = "2026-01-01T00:00:00.000Z"

export const received = (command: Command, n: number, more: Partial<CommandEnvelope> = {}): ReceivedCommand => ({
  envelope: {
    commandId: uuid(n),
    correlationId: uuid(n),
    actor: "agent:east",
    actorKind: "agent",
    command,
    ...more
  },
  receivedAt
})

/** What an envelope says, unread by its reader. */
export const payloadOf = (envelope: string): NumberedMessage =>
  JSON.parse((JSON.parse(envelope) as Envelope).payload) as NumberedMessage

/** A fleet of one address, of cluster east and pool public, that is being withdrawn. */
export const fleetWithdrawing = (): Fleet => {
  const fleet = new Fleet()
  fleet.restore("vip:default/192.0.2.1", 1, {
    _tag: "Vip",
    network: "default",
    address: "192.0.2.1",
    pool: "public",
    cluster: "east",
    phase: "withdrawing",
    holders: [],
    lastHolders: ["shop/web"],
    obliged: ["east-1"],
    quarantineEndMs: null
  })
  return fleet
}
