import type { PeerEvent, PeerOptions, PeerStatus } from "@lowtide/bgp/peer"
import { parseIpAddress } from "@lowtide/net"
import type { TcpOptions } from "@lowtide/sockets"
import { Result } from "effect"
import { type Evidence, judgeDropped, judgeEvidence } from "./judge.ts"
import { linkOf, probeHost, probeTcp } from "./probe.ts"
import { readTcpCounters, risenSince, type TcpCounters } from "./tcp-counters.ts"

/** A peer that goes on to fail is looked at again after this long. */
export const lookAgainMs = 60_000

/** A session that ends by its hold timer within so many hold times has heard nothing after it came up. */
const firstHoldTimes = 1.5

/** A connection that opens for longer is not heard, or slow: what is heard takes round trips alone. */
export const openingMs = 2_000

/** The kernel's own TTL, of which no route of ours has as many hops. */
const ordinaryTtl = 64

/** What looking takes; a test has its own. */
export interface DiagnosisPort {
  readonly monotonicMs: () => number
  readonly unixMs: () => number
  readonly counters: () => TcpCounters | undefined
  readonly probeTcp: typeof probeTcp
  readonly probeHost: typeof probeHost
  readonly linkOf: typeof linkOf
  /** Something else is known of a peer. */
  readonly onFound: () => void
}

/** What the machine looks by. */
export const machineDiagnosis = { counters: readTcpCounters, probeTcp, probeHost, linkOf }

interface Looked {
  atMs: number
  found: ReadonlyArray<string>
  /** The session came up, or is looked at anew: what is still looked for is of no use. */
  isOver: boolean
}

/**
 * Looks for the cause where a peer does not answer. A kernel tells nobody of segments that are signed wrongly, or come from too
 * far: it counts them, and a router that is asked otherwise than the session does answers or not. Routes are not touched by it,
 * and nothing is said on the connections that it opens.
 */
export class Diagnosis {
  readonly #port: DiagnosisPort
  readonly #looked = new Map<string, Looked>()
  /** As they were when the session last came up. */
  readonly #counted = new Map<string, TcpCounters>()
  readonly #began: TcpCounters | undefined
  /** Peers of which the last attempt heard nothing. */
  readonly #unheard = new Set<string>()
  readonly #up = new Map<string, { readonly atMs: number; readonly holdTimeSeconds: number }>()
  /** Peers of which the last session ended with nothing heard on it: one that is up now may be no better. */
  readonly #endedUnheard = new Set<string>()

  constructor(port: DiagnosisPort) {
    this.#port = port
    this.#began = port.counters()
  }

  /**
   * What is known of a peer that does not come up, a sentence each: what the kernel has dropped up to now, also while a connection
   * is still opening, and what was found the last time. Nothing is read of one that is up, or has said why it is not. What was found
   * is known of one that is up as long as it may end as the one before: such a session is up nearly always.
   */
  of(options: PeerOptions, status: Pick<PeerStatus, "state" | "sinceUnixMs">): ReadonlyArray<string> {
    const { name, md5Key, isDialled } = options
    const found = this.#looked.get(name)?.found ?? []
    if (status.state === "Established") return this.#endedUnheard.has(name) && this.#isYoung(name) ? found : []
    if (!this.#unheard.has(name) && !this.#isOpeningLong(status, isDialled !== false)) return found
    const [before, now] = [this.#counted.get(name) ?? this.#began, this.#port.counters()]
    if (before === undefined || now === undefined) return found
    return [...judgeDropped(risenSince(before, now), { peer: name, hasPassword: md5Key !== undefined }), ...found]
  }

  /** Whether a connection is there, or asked for, or waited for from a peer that is to connect, for longer than one takes. */
  #isOpeningLong({ state, sinceUnixMs }: Pick<PeerStatus, "state" | "sinceUnixMs">, isDialled: boolean): boolean {
    return state !== "Idle" && (state !== "Active" || !isDialled) && this.#port.unixMs() - sinceUnixMs >= openingMs
  }

  note(options: PeerOptions, event: PeerEvent): void {
    const { name } = options
    if (event._tag === "SessionEstablished") return this.#cameUp(name, event.holdTimeSeconds)
    const end = event._tag === "SessionEnded" ? this.#endOfSession(name, event) : endOf(event)
    if (event._tag === "SessionEnded" && end === "unheard") this.#endedUnheard.add(name)
    else if (event._tag === "SessionEnded") this.#endedUnheard.delete(name)
    if (end !== undefined) this.#unheard.add(name)
    else if (event._tag === "ConnectFailed" || event._tag === "SessionEnded") this.#unheard.delete(name)
    if (end === undefined) return
    const nowMs = this.#port.monotonicMs()
    const before = this.#looked.get(name)
    if (before !== undefined && nowMs - before.atMs < lookAgainMs) return
    if (before !== undefined) before.isOver = true
    const looked: Looked = { atMs: nowMs, found: before?.found ?? [], isOver: false }
    this.#looked.set(name, looked)
    void this.#look(options, end).then((found) => {
      if (looked.isOver || found.join() === looked.found.join()) return
      looked.found = found
      this.#port.onFound()
    })
  }

  /** What is found stays until the session has lasted: one that ends at once, again and again, is no better. */
  #cameUp(name: string, holdTimeSeconds: number): void {
    const before = this.#looked.get(name)
    if (before !== undefined) before.isOver = true
    this.#unheard.delete(name)
    const counters = this.#port.counters()
    if (counters !== undefined) this.#counted.set(name, counters)
    this.#up.set(name, { atMs: this.#port.monotonicMs(), holdTimeSeconds })
  }

  /** Whether nothing at all was heard on a session: it ended by its first hold time. */
  #endOfSession(
    name: string,
    { notification }: Extract<PeerEvent, { readonly _tag: "SessionEnded" }>
  ): Evidence["end"] | undefined {
    const isShort = this.#isYoung(name)
    this.#up.delete(name)
    if (!isShort) this.#looked.delete(name)
    return isShort && notification?.direction === "sent" && notification.code === 4 ? "unheard" : undefined
  }

  /** Whether it came up lately enough that nothing need have been heard on it since. */
  #isYoung(name: string): boolean {
    const up = this.#up.get(name)
    return up !== undefined && this.#port.monotonicMs() - up.atMs < firstHoldTimes * up.holdTimeSeconds * 1000
  }

  async #look(options: PeerOptions, end: Evidence["end"]): Promise<ReadonlyArray<string>> {
    const { host, port, localAddress, ttl, ttlMin, device, md5Key } = options
    const to = { host, port, ...(localAddress !== undefined && { localAddress }) }
    const peer = Result.getOrUndefined(parseIpAddress(host.replace(/%.*$/, "")))
    const key = md5Key === undefined ? undefined : Result.getOrUndefined(md5Key())
    const unsigned: TcpOptions = {
      ...(ttl !== undefined && { ttl }),
      ...(ttlMin !== undefined && { ttlMin }),
      ...(device !== undefined && { device })
    }
    const own: TcpOptions = {
      ...unsigned,
      ...(key !== undefined && peer !== undefined && { md5Keys: [{ peer, key }] })
    }
    const isSilent = end === "silent"
    const [withoutKey, further, full, presence] = await Promise.all([
      isSilent && key !== undefined ? this.#port.probeTcp(to, unsigned) : undefined,
      isSilent && ttl === 1 ? this.#port.probeTcp(to, { ...own, ttl: ordinaryTtl }) : undefined,
      isSilent && ttl !== 255 ? this.#port.probeTcp(to, { ...own, ttl: 255 }) : undefined,
      this.#port.probeHost({ host, port })
    ])
    return judgeEvidence({
      hasPassword: key !== undefined,
      ttl,
      end,
      ...(withoutKey !== undefined && { unsigned: withoutKey }),
      ...(further !== undefined && { ordinaryTtl: further }),
      ...(full !== undefined && { fullTtl: full }),
      host: presence,
      link: this.#port.linkOf(host)
    })
  }
}

/** What a diagnosis of a speaker is asked. */
export type SpeakerDiagnosis = Pick<Diagnosis, "note" | "of">

/** Nothing came back, or what we said was not heard; undefined where the reason is told already. RFC 4271 §4.5: code 4. */
const endOf = (event: PeerEvent): Evidence["end"] | undefined => {
  if (event._tag !== "ConnectFailed" || event.isStopped === true) return undefined
  const { notification, reason } = event
  if (notification?.direction === "sent" && notification.code === 4) return "unheard"
  if (notification !== undefined) return undefined
  return /no answer to the TCP|no route to the host/.test(reason) ? "silent" : undefined
}
