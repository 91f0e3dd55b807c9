import { generator } from "@lowtide/testkit/fuzz/random"
import { Result } from "effect"
import type { SessionConfig } from "../src/machine/config.ts"
import type { ChangeCause, Happening, State } from "../src/machine/machine.ts"
import { initialState, step } from "../src/machine/step.ts"
import { nextDeadlineUs } from "../src/machine/timing.ts"
import { decodeControlPacket } from "../src/packet/decode.ts"
import { encodeControlPacket } from "../src/packet/encode.ts"

export type Side = "left" | "right"
const otherSide = { left: "right", right: "left" } as const

/** How the line treats packets: the share that is lost, and the least and the most time that one takes. None overtakes another. */
export interface LineQuality {
  readonly loss: number
  readonly delayUs: readonly [least: number, most: number]
}

/** A change of a side's state, as it happened. `lostInARow`: packets to this side that were lost since the last one that came. */
export interface LineChange {
  readonly atUs: number
  readonly side: Side
  readonly from: State["_tag"]
  readonly state: State["_tag"]
  readonly cause: ChangeCause
  /** The state of the other side in that moment. */
  readonly peer: State["_tag"]
  readonly lostInARow: number
}

interface Flight {
  readonly arrivesAtUs: number
  readonly to: Side
  readonly octets: Uint8Array
}

interface End {
  config: SessionConfig
  state: State
  lostInARow: number
  isRunning: boolean
}

/** Two machines and the line between them on a clock that jumps from one deadline or arrival to the next. */
export interface Line {
  readonly run: (forUs: number) => void
  readonly start: (side: Side) => void
  readonly happens: (side: Side, happening: Happening) => void
  readonly reconfigure: (side: Side, changes: Partial<SessionConfig>) => void
  /** As a process that was killed and begins anew, with another discriminator. */
  readonly restart: (side: Side) => void
  readonly quality: (next: Partial<LineQuality>, to?: Side) => void
  readonly state: (side: Side) => State
  readonly changes: ReadonlyArray<LineChange>
  readonly delivered: () => number
  readonly nowUs: () => number
}

export const makeLine = (
  seed: number,
  configs: Readonly<Record<Side, SessionConfig>>,
  first: LineQuality = { loss: 0, delayUs: [200, 200] }
): Line => {
  const next = generator(seed)
  const random = () => next() / 2 ** 32
  const quality = { left: first, right: first }
  const changes: Array<LineChange> = []
  let nowUs = 0
  let delivered = 0
  let discriminators = 100
  let flights: ReadonlyArray<Flight> = []
  const endOf = (config: SessionConfig): End => ({
    config,
    state: initialState(config),
    lostInARow: 0,
    isRunning: false
  })
  const ends = { left: endOf(configs.left), right: endOf(configs.right) }

  const send = (to: Side, octets: Uint8Array): void => {
    const { loss, delayUs } = quality[to]
    if (random() < loss) {
      ends[to].lostInARow++
      return
    }
    const before = flights.findLast((flight) => flight.to === to)?.arrivesAtUs ?? 0
    const arrivesAtUs = Math.max(before, nowUs + delayUs[0] + random() * (delayUs[1] - delayUs[0]))
    flights = [...flights, { arrivesAtUs, to, octets }]
  }

  const happens = (side: Side, happening: Happening): void => {
    const end = ends[side]
    if (!end.isRunning) return
    const result = step(end.config, end.state, { ...happening, nowUs, jitter: random() })
    end.state = result.state
    for (const action of result.actions) {
      if (action._tag === "Send") send(otherSide[side], encodeControlPacket(action.packet))
      else if (action.cause !== undefined) {
        const { from, cause } = action
        const peer = ends[otherSide[side]].state._tag
        changes.push({ atUs: nowUs, side, from, state: end.state._tag, cause, peer, lostInARow: end.lostInARow })
      }
    }
  }

  const arrive = ({ to, octets }: Flight): void => {
    const end = ends[to]
    const packet = Result.getOrThrow(decodeControlPacket(octets))
    const isForUs = packet.yourDiscriminator === 0 || packet.yourDiscriminator === end.config.localDiscriminator
    if (!isForUs) return // of a session that was before a restart: `selectSession` finds none
    end.lostInARow = 0
    delivered++
    happens(to, { _tag: "PacketReceived", packet })
  }

  const start = (side: Side): void => {
    ends[side].isRunning = true
    happens(side, { _tag: "Tick" })
  }

  const deadline = (side: Side) => (ends[side].isRunning ? nextDeadlineUs(ends[side].state) : Number.POSITIVE_INFINITY)

  return {
    run: (forUs) => {
      const untilUs = nowUs + forUs
      for (;;) {
        const arrival = flights.reduce<Flight | undefined>(
          (first, flight) => (first === undefined || flight.arrivesAtUs < first.arrivesAtUs ? flight : first),
          undefined
        )
        const side = deadline("left") <= deadline("right") ? "left" : "right"
        const nextUs = Math.min(deadline(side), arrival?.arrivesAtUs ?? Number.POSITIVE_INFINITY)
        if (nextUs > untilUs) break
        nowUs = Math.max(nowUs, nextUs)
        // What arrives in the moment of a deadline was there before it: the shell reads its sockets first, too.
        if (arrival !== undefined && arrival.arrivesAtUs <= deadline(side)) {
          flights = flights.filter((flight) => flight !== arrival)
          arrive(arrival)
        } else happens(side, { _tag: "Tick" })
      }
      nowUs = untilUs
    },
    start,
    happens,
    reconfigure: (side, changes) => {
      ends[side].config = { ...ends[side].config, ...changes }
      happens(side, { _tag: "Reconfigured" })
    },
    restart: (side) => {
      ends[side] = endOf({ ...ends[side].config, localDiscriminator: discriminators++ })
      start(side)
    },
    quality: (next, to) => {
      for (const side of to === undefined ? (["left", "right"] as const) : [to])
        quality[side] = { ...quality[side], ...next }
    },
    state: (side) => ends[side].state,
    changes,
    delivered: () => delivered,
    nowUs: () => nowUs
  }
}
