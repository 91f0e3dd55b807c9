import { readFileSync } from "node:fs"
import { type Icmpv6Socket, interfaceIndex, openIcmpv6 } from "@lowtide/sockets"
import {
  allNodes,
  allRouters,
  hearMessage,
  routerAdvertisement,
  routerAdvertisementType,
  routerSolicitation,
  routerSolicitationType
} from "./advertisement.ts"
import { type Neighbor, Segment } from "./segment.ts"

/** How often we advertise ourselves on an interface: as often as FRR does for such peers. */
const advertiseMs = 10_000

/** RFC 4861 §10: what somebody asks for is not sent more often than this. */
const betweenAdvertisementsMs = 3_000

/** RFC 4861 §10: how often, and after how long, we ask who is there. */
const solicitationsMax = 3
const betweenSolicitationsMs = 4_000

/**
 * Before this long nobody is chosen on an interface: whoever is there has answered by then that we asked, half a second late and
 * not more often than every three seconds (RFC 4861 §6.2.6), and it is seen whether it is one.
 */
export const settleMs = 3_500

/** How every sentence begins that says why a neighbour is not known. */
export const noNeighbor = "it is not known who is on"

/** Messages of one interface that are read at a time. */
const readMax = 64

/** What finding neighbours needs of its owner. */
export interface NeighborsPort {
  readonly monotonicMs: () => number
  readonly open: typeof openIcmpv6
  /** The number of an interface that is up; `undefined`: it is down. Throws why there is none. */
  readonly linkOf: (device: string) => number | undefined
}

export const neighborsPort: Omit<NeighborsPort, "monotonicMs"> = {
  open: openIcmpv6,
  linkOf: (device) => {
    const index = interfaceIndex(device)
    try {
      return readFileSync(`/sys/class/net/${device}/carrier`, "utf8").trim() === "1" ? index : undefined
    } catch {
      return undefined // EINVAL: the interface is not up
    }
  }
}

interface Link {
  readonly segment: Segment
  /** The number of the interface, while it is up. */
  index: number | undefined
  socket: Icmpv6Socket | undefined
  /** Why nobody can be heard there now. */
  fault: string | undefined
  /** Since when it was heard at all, over all that became of the interface. */
  heardSinceMs: number | undefined
  advertiseAtMs: number
  advertisedAtMs: number
  solicitations: number
  solicitAtMs: number
}

/**
 * The routers on the node's unnumbered interfaces. They are known by their Router Advertisements (RFC 4861), and know us by ours,
 * which say nothing else. Nothing is opened where no interface is wanted.
 */
export class Neighbors {
  readonly #port: NeighborsPort
  readonly #links = new Map<string, Link>()

  constructor(port: NeighborsPort) {
    this.#port = port
  }

  /** Looks for neighbours on these interfaces, and on no others. */
  want(devices: ReadonlySet<string>): void {
    for (const [device, { socket }] of this.#links) {
      if (devices.has(device)) continue
      socket?.close()
      this.#links.delete(device)
    }
    for (const device of devices) {
      if (this.#links.has(device)) continue
      this.#links.set(device, {
        segment: new Segment(),
        index: undefined,
        socket: undefined,
        fault: undefined,
        heardSinceMs: undefined,
        advertiseAtMs: 0,
        advertisedAtMs: Number.NEGATIVE_INFINITY,
        solicitations: 0,
        solicitAtMs: 0
      })
    }
  }

  /** Hears what has come, and says what is due. */
  tick(): void {
    for (const [device, link] of this.#links) {
      try {
        this.#follow(device, link)
        link.fault = undefined
        if (link.socket !== undefined) this.#talk(link, link.socket)
      } catch (cause) {
        link.fault = cause instanceof Error ? cause.message : String(cause)
      }
    }
  }

  /** Who is there. */
  on(device: string): Neighbor | { readonly _tag: "Sought" } {
    const link = this.#links.get(device)
    const nowMs = this.#port.monotonicMs()
    if (link === undefined) return { _tag: "Nobody" }
    const { fault, heardSinceMs } = link
    const isSought = heardSinceMs === undefined ? fault === undefined : nowMs - heardSinceMs < settleMs
    return isSought ? { _tag: "Sought" } : link.segment.look(nowMs)
  }

  /** Why there is no session with whoever is on an interface. */
  whyNot(device: string): string {
    const neighbor = this.on(device)
    const silent = "no router advertises itself there (Router Advertisements, RFC 4861)"
    const reason =
      neighbor._tag === "Several"
        ? `several routers advertise themselves there: ${neighbor.addresses.join(", ")}`
        : (this.#links.get(device)?.fault ?? silent)
    return `${noNeighbor} ${device}: ${reason}`
  }

  close(): void {
    this.want(new Set())
  }

  /** The interface as it is now: one that came back has another number, and may have another neighbour. */
  #follow(device: string, link: Link): void {
    const before = link.index
    link.index = undefined // until it is seen that it is there
    const index = this.#port.linkOf(device)
    if (link.socket !== undefined && index !== undefined && index !== before) {
      // Down in between, or another one: groups are joined and addresses chosen anew.
      link.socket.close()
      link.socket = undefined
    }
    link.index = index
    if (index === undefined) throw new Error(`the interface ${device} is down`)
    if (link.socket !== undefined) return
    link.socket = this.#port.open({
      device,
      types: [routerSolicitationType, routerAdvertisementType],
      groups: [allNodes, allRouters]
    })
    const nowMs = this.#port.monotonicMs()
    link.heardSinceMs ??= nowMs
    link.segment.linkUp(nowMs)
    link.advertiseAtMs = nowMs
    link.solicitAtMs = nowMs
    link.solicitations = 0
  }

  #talk(link: Link, socket: Icmpv6Socket): void {
    const nowMs = this.#port.monotonicMs()
    for (let read = 0; read < readMax; read++) {
      const message = socket.receive()
      if (message === undefined) break
      const heard = hearMessage(message.source, message.octets)
      if (heard === "advertisement") {
        link.segment.hear(message.source, nowMs)
        link.solicitations = solicitationsMax
      } else if (heard === "solicitation") {
        link.advertiseAtMs = Math.min(link.advertiseAtMs, link.advertisedAtMs + betweenAdvertisementsMs)
      }
    }
    if (nowMs >= link.advertiseAtMs) {
      socket.send(allNodes, routerAdvertisement())
      link.advertisedAtMs = nowMs
      link.advertiseAtMs = nowMs + advertiseMs
    }
    if (link.solicitations < solicitationsMax && nowMs >= link.solicitAtMs) {
      socket.send(allRouters, routerSolicitation())
      link.solicitations++
      link.solicitAtMs = nowMs + betweenSolicitationsMs
    }
  }
}
