import { SetDigest } from "@lowtide/bus/digest"
import { generateKey, readSigningKey, type SigningKey, seal } from "@lowtide/bus/envelope"
import { headKey } from "@lowtide/bus/subjects"
import type { NodeIntent, NodePeer, NumberedMessage, Stamp, VipIntent } from "@lowtide/domain/announcing/intent"
import { messageKey } from "@lowtide/domain/announcing/subject"
import { judgeMessage, type judgeMessages } from "../src/trust.ts"

/** One of each test run: two speakers of one node refuse each other, also those of two runs on one machine. */
export const clusterName = `east-${process.pid}`
export const nodeName = "east-1"

const cause = { seq: 1, type: "VipAssigned", reason: "requested", actor: "test" }

/** `judgeMessages` without other threads, whose answers come in nobody's turn. */
export const judgeInTurn: typeof judgeMessages = async (trust, texts) =>
  texts.map((text) => ({ text, judged: judgeMessage(trust, text.key, text.envelope) }))

/** What a message says, without its number. */
export type Wanted = Omit<VipIntent, "stamp" | "cseq" | "prevCseq"> | Omit<NodeIntent, "stamp" | "cseq" | "prevCseq">

export const vip = (
  address: string,
  change: Partial<VipIntent> = {}
): Omit<VipIntent, "stamp" | "cseq" | "prevCseq"> => ({
  _tag: "VipIntent",
  cluster: clusterName,
  network: "default",
  address,
  state: "announced",
  services: [{ namespace: "shop", name: "web", uid: "uid-web", trafficPolicy: "Cluster" }],
  admission: { _tag: "Open", candidates: [nodeName] },
  routes: [
    {
      advertisement: "all",
      prefix: address.includes(":") ? `${address}/128` : `${address}/32`,
      peers: ["router"],
      nodes: [nodeName],
      localPref: null,
      communities: ["64496:100", "64496:1:2"]
    }
  ],
  obliged: [nodeName],
  cause,
  ...change
})

export const tombstone = (address: string) => vip(address, { state: "withdrawn", services: [], routes: [] })

export const peer = (change: Partial<NodePeer> = {}): NodePeer => ({
  name: "router",
  peerAddress: "127.0.0.1",
  peerPort: 179,
  peerAsn: 64511,
  myAsn: 64496,
  routerId: null,
  sourceAddress: null,
  holdTimeSeconds: 3,
  keepaliveTimeSeconds: 1,
  connectTimeSeconds: 1,
  ...change
})

export const nodeIntent = (peers: ReadonlyArray<NodePeer>, change: Partial<NodeIntent> = {}) =>
  ({
    _tag: "NodeIntent",
    cluster: clusterName,
    node: nodeName,
    peers,
    addresses: ["192.0.2.11"],
    excluded: null,
    cause,
    ...change
  }) satisfies Wanted

/** A centre made by hand: numbers and signs what it is told to say, and knows what its head must be. */
export class HandCentre {
  readonly installPair = generateKey()
  readonly intentPair = generateKey()
  key: SigningKey = readSigningKey("centre-1", this.intentPair.privatePem)
  /** Public keys of the trust file, PEM by id. */
  readonly believed = new Map([["centre-1", this.intentPair.publicPem]])
  digest = new SetDigest()
  readonly #numbers = new Map<string, number>()
  stamp: Stamp = { incarnation: 1, epoch: 1, seq: 0 }
  cseq = 0

  /** The trust file. */
  get trustText(): string {
    const { publicPem } = this.installPair
    return JSON.stringify({
      cluster: clusterName,
      intentKeys: Object.fromEntries(this.believed),
      installKey: publicPem
    })
  }

  /** A new key that is believed beside the others; the centre signs with it once `key` is set to it. */
  newKey(keyId: string): SigningKey {
    const pair = generateKey()
    this.believed.set(keyId, pair.publicPem)
    return readSigningKey(keyId, pair.privatePem)
  }

  /** The allowed prefixes, signed by the install. */
  allowedText(prefixes: ReadonlyArray<string> = ["198.51.100.0/24", "2001:db8::/32"]): string {
    const install = readSigningKey("install", this.installPair.privatePem)
    return seal(install, JSON.stringify({ cluster: clusterName, prefixes }))
  }

  /** The next message, in the set. */
  number(wanted: Wanted): NumberedMessage {
    this.stamp = { ...this.stamp, seq: this.stamp.seq + 1 }
    const message = { ...wanted, stamp: this.stamp, cseq: this.cseq + 1, prevCseq: this.cseq } as NumberedMessage
    this.cseq++
    const key = messageKey(message)
    const before = this.#numbers.get(key)
    if (before !== undefined) this.digest.remove(key, before)
    this.digest.add(key, message.cseq)
    this.#numbers.set(key, message.cseq)
    return message
  }

  /** History is lost: what comes is of a new incarnation, and numbered from here on. */
  loseHistory(cseq: number): void {
    const { incarnation, epoch } = this.stamp
    this.stamp = { incarnation: incarnation + 1, epoch: epoch + 1, seq: 0 }
    this.cseq = cseq
    this.digest = new SetDigest()
    this.#numbers.clear()
  }

  /** A message as it travels. */
  sealed(message: object): string {
    return seal(this.key, JSON.stringify(message))
  }

  say(wanted: Wanted): { readonly key: string; readonly envelope: string } {
    const message = this.number(wanted)
    return { key: messageKey(message), envelope: this.sealed(message) }
  }

  head(change: object = {}): { readonly key: string; readonly envelope: string } {
    const { stamp, cseq } = this
    const head = {
      _tag: "ClusterHead",
      stamp,
      cseq,
      cluster: clusterName,
      digest: `${this.digest}`,
      count: this.digest.count
    }
    return { key: headKey, envelope: this.sealed({ ...head, ...change }) }
  }
}
