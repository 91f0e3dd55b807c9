import { assert, describe, it } from "@effect/vitest"
import { type SessionConfig, slowTxUs } from "../src/machine/config.ts"
import type { Happening, State } from "../src/machine/machine.ts"
import { initialState, step } from "../src/machine/step.ts"
import {
  detectAtUs,
  detectionTimeUs,
  jittered,
  peerDetectionTimeUs,
  transmitIntervalUs
} from "../src/machine/timing.ts"
import type { ControlPacket } from "../src/packet/control-packet.ts"

const config: SessionConfig = {
  localDiscriminator: 7,
  desiredMinTxUs: 300_000,
  requiredMinRxUs: 200_000,
  detectMult: 3,
  role: "active",
  controlPlaneIndependent: true
}
const fromPeer: ControlPacket = {
  diagnostic: 0,
  state: "Up",
  poll: false,
  final: false,
  controlPlaneIndependent: true,
  demand: false,
  detectMult: 5,
  myDiscriminator: 9,
  yourDiscriminator: 7,
  desiredMinTxUs: 150_000,
  requiredMinRxUs: 100_000,
  requiredMinEchoRxUs: 0
}

/** A session that is driven by hand: each call is a millisecond after the one before. */
const drive = (first: SessionConfig = config) => {
  let own = first
  let state: State = initialState(own)
  let nowUs = 0
  const happens = (happening: Happening, afterUs = 1_000): ReadonlyArray<ControlPacket> => {
    nowUs += afterUs
    const next = step(own, state, { ...happening, nowUs, jitter: 0 })
    state = next.state
    return next.actions.flatMap((action) => (action._tag === "Send" ? [action.packet] : []))
  }
  const receive = (changes: Partial<ControlPacket> = {}) =>
    happens({ _tag: "PacketReceived", packet: { ...fromPeer, ...changes } })
  return {
    receive,
    tick: (afterUs?: number) => happens({ _tag: "Tick" }, afterUs),
    reconfigure: (changes: Partial<SessionConfig>) => {
      own = { ...own, ...changes }
      return happens({ _tag: "Reconfigured" })
    },
    /** The handshake, and the Poll Sequence that follows it. */
    goUp: () => {
      happens({ _tag: "Tick" })
      receive({ state: "Down", yourDiscriminator: 0 })
      receive({ state: "Init" })
      receive({ final: true })
      receive()
      assert.deepInclude(state, { _tag: "Up", poll: "none" })
    },
    state: () => state,
    interval: () => transmitIntervalUs(own, state),
    detection: () => (state.remote === undefined ? undefined : detectionTimeUs(state.remote, state.inEffect))
  }
}

describe("intervals, RFC 5880 §6.8.2 to §6.8.4 and §6.8.7", () => {
  it("are a second at least as long as the session is not up", () => {
    const session = drive()
    const [first] = session.tick()
    assert.deepInclude(first, { desiredMinTxUs: slowTxUs, requiredMinRxUs: 200_000 })
    session.receive({ state: "Down" })
    assert.strictEqual(session.interval(), slowTxUs)
    const [up] = session.receive({ state: "Init" })
    assert.deepInclude(up, { state: "Up", desiredMinTxUs: 300_000, poll: true })
    assert.strictEqual(session.interval(), 300_000)
    const [down] = session.receive({ state: "Down" })
    assert.deepInclude(down, { state: "Down", desiredMinTxUs: slowTxUs })
    assert.strictEqual(session.interval(), slowTxUs)
  })

  it("follow the slower of both sides, at once when the peer changes", () => {
    const session = drive()
    session.goUp()
    assert.deepStrictEqual([session.interval(), session.detection()], [300_000, 5 * 200_000])
    session.receive({ requiredMinRxUs: 800_000, desiredMinTxUs: 700_000, detectMult: 2 })
    assert.deepStrictEqual([session.interval(), session.detection()], [800_000, 2 * 700_000])
    session.receive()
    assert.deepStrictEqual([session.interval(), session.detection()], [300_000, 5 * 200_000])
  })

  it("of sending are none when the peer takes no packets, or asks for none in Up", () => {
    const session = drive()
    session.goUp()
    session.receive({ requiredMinRxUs: 0 })
    assert.strictEqual(session.interval(), Number.POSITIVE_INFINITY)
    session.receive({ demand: true })
    assert.strictEqual(session.interval(), Number.POSITIVE_INFINITY)
    assert.deepStrictEqual(session.tick(900_000), []) // still in the detection time of 1 s
    const [answer] = session.receive({ demand: true, poll: true })
    assert.deepInclude(answer, { final: true, poll: false })
    session.receive({ demand: true, state: "Init" }) // Demand mode needs both in Up
    assert.strictEqual(session.interval(), 300_000)
  })

  it("restart the periodic packets from the last one when they change", () => {
    const session = drive()
    session.goUp() // the last packet went with the change to Up, three milliseconds ago
    session.receive({ requiredMinRxUs: 5_000_000 })
    assert.strictEqual(session.state().transmitAtUs, session.state().sentAtUs + 5_000_000)
    session.receive()
    assert.strictEqual(session.state().transmitAtUs, session.state().sentAtUs + 300_000)
  })

  it("say how long the peer waits for us", () => {
    const session = drive()
    session.goUp()
    assert.strictEqual(peerDetectionTimeUs(config, session.state()), 3 * 300_000)
    session.receive({ requiredMinRxUs: 400_000 })
    assert.strictEqual(peerDetectionTimeUs(config, session.state()), 3 * 400_000)
  })

  it("of a silent peer end where the RFC says, not a microsecond before", () => {
    const session = drive()
    session.goUp()
    const { remote } = session.state()
    assert.strictEqual(detectAtUs(session.state()), remote!.heardAtUs + 1_000_000)
    session.tick(999_999)
    assert.strictEqual(session.state()._tag, "Up")
    session.tick(1)
    assert.deepInclude(session.state(), { _tag: "Down", diagnostic: 1, remote: undefined })
  })
})

describe("jitter, RFC 5880 §6.8.7", () => {
  const random = Array.from({ length: 1_000 }, (_, index) => index / 1_000)
  const bounds = (detectMult: number) => {
    const all = random.map((jitter) => jittered({ ...config, detectMult }, 1_000, { jitter, nowUs: 0 }))
    return [Math.min(...all), Math.max(...all)] as const
  }

  it("takes up to a quarter off", () => {
    const [least, most] = bounds(3)
    assert.isAbove(least, 750)
    assert.isBelow(least, 751)
    assert.strictEqual(most, 1_000)
  })

  it("takes a tenth to a quarter off where one lost packet is a failure", () => {
    const [least, most] = bounds(1)
    assert.isAbove(least, 750)
    assert.isBelow(least, 751)
    assert.strictEqual(most, 900)
  })
})

describe("a Poll Sequence, RFC 5880 §6.5 and §6.8.3", () => {
  it("slows the sending down only when the peer has answered", () => {
    const session = drive()
    session.goUp()
    assert.deepStrictEqual(session.reconfigure({ desiredMinTxUs: 900_000 }), []) // no packet beside the periodic ones
    assert.strictEqual(session.interval(), 300_000)
    const [poll] = session.tick(300_000)
    assert.deepInclude(poll, { poll: true, desiredMinTxUs: 900_000 })
    session.receive()
    assert.strictEqual(session.interval(), 300_000)
    session.receive({ final: true })
    assert.strictEqual(session.interval(), 900_000)
    const [after] = session.tick(900_000)
    assert.deepInclude(after, { poll: false, desiredMinTxUs: 900_000 })
  })

  it("speeds the sending up at once", () => {
    const session = drive()
    session.goUp()
    session.reconfigure({ desiredMinTxUs: 120_000 })
    assert.strictEqual(session.interval(), 120_000)
    assert.strictEqual(session.state().poll, "polling")
  })

  it("shortens the detection only when the peer has answered, and lengthens it at once", () => {
    const session = drive()
    session.goUp()
    session.reconfigure({ requiredMinRxUs: 160_000 })
    assert.strictEqual(session.detection(), 5 * 200_000)
    session.receive({ final: true })
    assert.strictEqual(session.detection(), 5 * 160_000)
    session.receive()
    session.reconfigure({ requiredMinRxUs: 500_000 })
    assert.strictEqual(session.detection(), 5 * 500_000)
  })

  it("is not begun again before the one before is over beyond doubt", () => {
    const session = drive()
    session.goUp()
    session.reconfigure({ desiredMinTxUs: 900_000 })
    session.reconfigure({ desiredMinTxUs: 600_000, requiredMinRxUs: 500_000 })
    assert.deepInclude(session.tick(300_000)[0], { poll: true, desiredMinTxUs: 900_000, requiredMinRxUs: 200_000 })
    session.receive({ final: true })
    assert.strictEqual(session.state().poll, "settling")
    session.receive({ final: true }) // an answer to an earlier packet of the same sequence
    assert.deepInclude(session.state(), {
      poll: "settling",
      announced: { desiredMinTxUs: 900_000, requiredMinRxUs: 200_000 }
    })
    session.receive()
    assert.deepInclude(session.state(), {
      poll: "polling",
      announced: { desiredMinTxUs: 600_000, requiredMinRxUs: 500_000 }
    })
    assert.deepStrictEqual([session.interval(), session.detection()], [600_000, 5 * 500_000])
  })

  it("asks a peer in Demand mode as well, and is silent again after it", () => {
    const session = drive()
    session.goUp()
    session.receive({ demand: true })
    session.tick(400_000)
    const [poll] = session.reconfigure({ desiredMinTxUs: 900_000 })
    assert.deepInclude(poll, { poll: true })
    assert.strictEqual(session.interval(), 300_000)
    session.receive({ demand: true, final: true })
    assert.strictEqual(session.interval(), Number.POSITIVE_INFINITY)
  })

  it("ends with the session, and what it held back takes effect", () => {
    const session = drive()
    session.goUp()
    session.reconfigure({ desiredMinTxUs: 900_000, requiredMinRxUs: 160_000 })
    session.tick(2_000_000)
    assert.deepInclude(session.state(), {
      _tag: "Down",
      poll: "none",
      inEffect: { desiredMinTxUs: slowTxUs, requiredMinRxUs: 160_000 }
    })
  })

  it("is not needed for another Detect Mult, which the next packet says, §6.8.12", () => {
    const session = drive()
    session.goUp()
    assert.deepStrictEqual(session.reconfigure({ detectMult: 9 }), [])
    assert.deepInclude(session.tick(300_000)[0], { detectMult: 9, poll: false })
  })
})
