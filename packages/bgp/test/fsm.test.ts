import { assert, describe, it } from "@effect/vitest"
import { noBackOff, refusedRetryMsMax, retryDelayMs, unreachableRetryMsMax } from "../src/fsm/back-off.ts"
import type { SessionConfig } from "../src/fsm/config.ts"
import { type Action, type Happening, initialState, nextDeadlineMs, type State } from "../src/fsm/machine.ts"
import { type Negotiated, ownOpen } from "../src/fsm/negotiate.ts"
import { step } from "../src/fsm/step.ts"
import { keepalive, type MessageKind } from "../src/wire/message.ts"
import { ceaseWithText, notification, wireFault } from "../src/wire/notification.ts"
import type { BgpOpen } from "../src/wire/open.ts"
import { endOfRib } from "../src/wire/update.ts"

const config: SessionConfig = {
  localAsn: 64512,
  peerAsn: 64501,
  routerId: 0xc0000202,
  holdTimeSeconds: 90,
  connectRetryMs: 1_000,
  families: [4, 6],
  opens: "dial"
}
const peerOpen: BgpOpen = { ...ownOpen({ ...config, localAsn: 64501 }), routerId: 0xc0000201, holdTimeSeconds: 30 }
const negotiated: Negotiated = {
  peerAsn: 64501,
  peerRouterId: 0xc0000201,
  isInternal: false,
  fourOctetAs: true,
  holdTimeSeconds: 30,
  families: [4, 6],
  messageBytesMax: 65_535,
  extendedNextHop: false,
  enhancedRefresh: true,
  keptForSeconds: 0,
  keptAfterNotification: false,
  peerCapabilities: peerOpen.capabilities
}
const backOff = noBackOff
const never = Number.POSITIVE_INFINITY

/** Every state as it is at 1,000,000 ms, with no deadline due. */
const nowMs = 1_000_000
const states = {
  Idle: { _tag: "Idle", backOff, startAtMs: nowMs + 1 },
  Connect: { _tag: "Connect", backOff, connectRetryDeadlineMs: nowMs + 1 },
  Active: { _tag: "Active", backOff, connectRetryDeadlineMs: nowMs + 1 },
  OpenSent: { _tag: "OpenSent", backOff, holdDeadlineMs: nowMs + 1 },
  OpenConfirm: { _tag: "OpenConfirm", backOff, negotiated, holdDeadlineMs: nowMs + 2, keepaliveDeadlineMs: nowMs + 1 },
  Established: {
    _tag: "Established",
    backOff,
    negotiated,
    establishedAtMs: nowMs - 5_000,
    holdDeadlineMs: nowMs + 2,
    keepaliveDeadlineMs: nowMs + 1,
    sendHoldDeadlineMs: nowMs + 3
  }
} as const satisfies { readonly [Tag in State["_tag"]]: State }

const message = (received: Extract<Happening, { readonly _tag: "MessageReceived" }>["message"]): Happening => ({
  _tag: "MessageReceived",
  message: received
})
/** The row of each kind of message. */
const messageRows = {
  Open: "OPEN",
  Update: "UPDATE",
  Notification: "NOTIFICATION",
  Keepalive: "KEEPALIVE",
  RouteRefresh: "ROUTE-REFRESH"
} as const satisfies Readonly<Record<MessageKind, keyof typeof inputs>>
const inputs = {
  Start: { _tag: "Start" },
  "Start later": { _tag: "Start", delayMs: 500 },
  Stop: { _tag: "Stop", notification: ceaseWithText(2, "bye") },
  "Tick early": { _tag: "Tick" },
  TcpConnected: { _tag: "TcpConnected" },
  OctetsWait: { _tag: "OctetsWait" },
  OctetsTaken: { _tag: "OctetsTaken", isAll: false },
  TcpFailed: { _tag: "TcpFailed", reason: "refused" },
  TcpClosed: { _tag: "TcpClosed", reason: "closed" },
  OPEN: message(peerOpen),
  "OPEN of another AS": message({ ...peerOpen, asn: 64499 }),
  KEEPALIVE: message(keepalive),
  UPDATE: message(endOfRib(4)),
  "ROUTE-REFRESH": message({ _tag: "RouteRefresh", afi: 2, subtype: 0, safi: 1 }),
  NOTIFICATION: message(notification(6, 4)),
  "a fault": { _tag: "FaultFound", fault: wireFault("odd", "RFC 4271 §6.1", notification(1, 3)) },
  "a lost path": { _tag: "PathFailed", reason: "gone", notification: notification(6, 10) },
  "a lost path, untold": { _tag: "PathFailed", reason: "gone", notification: undefined }
} as const satisfies Record<string, Happening>

/** Every kind of happening, and of message, has a row at the least: one that is added and has none does not compile. */
type Missing<Every, Has> = Exclude<Every, Has> extends never ? true : Exclude<Every, Has>
type Row = (typeof inputs)[keyof typeof inputs]
const isWhole: Missing<Happening["_tag"], Row["_tag"]> = true
void [isWhole, messageRows]

/** An action as the table below writes it. */
const shown = (action: Action): string => {
  switch (action._tag) {
    case "Send":
      return action.message._tag === "Notification"
        ? `send ${action.message.code}/${action.message.subcode}`
        : `send ${action.message._tag}`
    case "SessionDown":
      return `down ${action.cause._tag}`
    case "DialTcp":
      return "dial"
    case "CloseTcp":
      return "close"
    case "SessionUp":
      return "up"
    case "TakeUpdate":
      return "update"
    case "SendFamilyAgain":
      return `again ${action.family}${action.isMarked ? " marked" : ""}`
  }
}

const lost = "close, down ConnectionClosed"
const ended = "close, down NotificationReceived"
const refused = (code: string) => `send ${code}, close, down NotificationSent`

/** RFC 4271 §8.2.2: for each input, the next state and the actions, in the order of the states. */
const table: {
  readonly [Name in keyof typeof inputs]: { readonly [Tag in State["_tag"]]: readonly [State["_tag"], string] }
} = {
  Start: {
    Idle: ["Connect", "dial"],
    Connect: ["Connect", ""],
    Active: ["Active", ""],
    OpenSent: ["OpenSent", ""],
    OpenConfirm: ["OpenConfirm", ""],
    Established: ["Established", ""]
  },
  "Start later": {
    Idle: ["Idle", ""],
    Connect: ["Connect", ""],
    Active: ["Active", ""],
    OpenSent: ["OpenSent", ""],
    OpenConfirm: ["OpenConfirm", ""],
    Established: ["Established", ""]
  },
  Stop: {
    Idle: ["Idle", ""],
    Connect: ["Idle", "close, down Stopped"],
    Active: ["Idle", "close, down Stopped"],
    OpenSent: ["Idle", "send 6/2, close, down Stopped"],
    OpenConfirm: ["Idle", "send 6/2, close, down Stopped"],
    Established: ["Idle", "send 6/2, close, down Stopped"]
  },
  "Tick early": {
    Idle: ["Idle", ""],
    Connect: ["Connect", ""],
    Active: ["Active", ""],
    OpenSent: ["OpenSent", ""],
    OpenConfirm: ["OpenConfirm", ""],
    Established: ["Established", ""]
  },
  TcpConnected: {
    Idle: ["Idle", "close"],
    Connect: ["OpenSent", "send Open"],
    Active: ["OpenSent", "send Open"],
    OpenSent: ["OpenSent", ""],
    OpenConfirm: ["OpenConfirm", ""],
    Established: ["Established", ""]
  },
  OctetsWait: {
    Idle: ["Idle", ""],
    Connect: ["Connect", ""],
    Active: ["Active", ""],
    OpenSent: ["OpenSent", ""],
    OpenConfirm: ["OpenConfirm", ""],
    Established: ["Established", ""]
  },
  OctetsTaken: {
    Idle: ["Idle", ""],
    Connect: ["Connect", ""],
    Active: ["Active", ""],
    OpenSent: ["OpenSent", ""],
    OpenConfirm: ["OpenConfirm", ""],
    Established: ["Established", ""]
  },
  TcpFailed: {
    Idle: ["Idle", ""],
    Connect: ["Idle", "close, down ConnectFailed"],
    Active: ["Idle", "close, down ConnectFailed"],
    OpenSent: ["Active", lost],
    OpenConfirm: ["Idle", lost],
    Established: ["Idle", lost]
  },
  TcpClosed: {
    Idle: ["Idle", ""],
    Connect: ["Idle", "close, down ConnectFailed"],
    Active: ["Active", ""],
    OpenSent: ["Active", lost],
    OpenConfirm: ["Idle", lost],
    Established: ["Idle", lost]
  },
  OPEN: {
    Idle: ["Idle", ""],
    Connect: ["Idle", lost],
    Active: ["Idle", lost],
    OpenSent: ["OpenConfirm", "send Keepalive"],
    OpenConfirm: ["Idle", refused("5/2")],
    Established: ["Idle", refused("5/3")]
  },
  "OPEN of another AS": {
    Idle: ["Idle", ""],
    Connect: ["Idle", lost],
    Active: ["Idle", lost],
    OpenSent: ["Idle", refused("2/2")],
    OpenConfirm: ["Idle", refused("5/2")],
    Established: ["Idle", refused("5/3")]
  },
  KEEPALIVE: {
    Idle: ["Idle", ""],
    Connect: ["Idle", lost],
    Active: ["Idle", lost],
    OpenSent: ["Idle", refused("5/1")],
    OpenConfirm: ["Established", "up"],
    Established: ["Established", ""]
  },
  UPDATE: {
    Idle: ["Idle", ""],
    Connect: ["Idle", lost],
    Active: ["Idle", lost],
    OpenSent: ["Idle", refused("5/1")],
    OpenConfirm: ["Idle", refused("5/2")],
    Established: ["Established", "update"]
  },
  "ROUTE-REFRESH": {
    Idle: ["Idle", ""],
    Connect: ["Idle", lost],
    Active: ["Idle", lost],
    OpenSent: ["Idle", refused("5/1")],
    OpenConfirm: ["Idle", refused("5/2")],
    Established: ["Established", "again 6 marked"]
  },
  NOTIFICATION: {
    Idle: ["Idle", ""],
    Connect: ["Idle", lost],
    Active: ["Idle", lost],
    OpenSent: ["Idle", ended],
    OpenConfirm: ["Idle", ended],
    Established: ["Idle", ended]
  },
  "a fault": {
    Idle: ["Idle", ""],
    Connect: ["Idle", lost],
    Active: ["Idle", lost],
    OpenSent: ["Idle", refused("1/3")],
    OpenConfirm: ["Idle", refused("1/3")],
    Established: ["Idle", refused("1/3")]
  },
  "a lost path": {
    Idle: ["Idle", ""],
    Connect: ["Connect", ""],
    Active: ["Active", ""],
    OpenSent: ["OpenSent", ""],
    OpenConfirm: ["OpenConfirm", ""],
    Established: ["Idle", "send 6/10, close, down PathFailed"]
  },
  "a lost path, untold": {
    Idle: ["Idle", ""],
    Connect: ["Connect", ""],
    Active: ["Active", ""],
    OpenSent: ["OpenSent", ""],
    OpenConfirm: ["OpenConfirm", ""],
    Established: ["Idle", "close, down PathFailed"]
  }
}

const at = { nowMs, jitter: 0 }
const tick = (state: State, atMs: number, jitter = 0) => step(config, state, { _tag: "Tick", nowMs: atMs, jitter })

describe("the state machine, RFC 4271 §8.2.2", () => {
  for (const [name, rows] of Object.entries(table) as ReadonlyArray<[keyof typeof inputs, (typeof table)["Start"]]>) {
    for (const [tag, [next, actions]] of Object.entries(rows) as ReadonlyArray<
      [State["_tag"], readonly [string, string]]
    >) {
      it(`${tag} + ${name} -> ${next}${actions && `: ${actions}`}`, () => {
        const result = step(config, states[tag], { ...inputs[name], ...at })
        assert.strictEqual(result.state._tag, next)
        assert.strictEqual(result.actions.map(shown).join(", "), actions)
        assert.isAbove(nextDeadlineMs(result.state), nowMs) // whatever happened, no deadline is already due
      })
    }
  }

  it("a role that only accepts waits in Active, and does not come back by itself", () => {
    const accept: SessionConfig = { ...config, opens: "accept" }
    const started = step(accept, initialState, { _tag: "Start", ...at })
    assert.deepStrictEqual([started.state._tag, nextDeadlineMs(started.state), started.actions], ["Active", never, []])
    const gone = step(accept, states.OpenSent, { ...inputs.TcpClosed, ...at })
    assert.deepStrictEqual([gone.state._tag, nextDeadlineMs(gone.state)], ["Idle", never])
  })
})

describe("timers", () => {
  const due: ReadonlyArray<readonly [State["_tag"], number, State["_tag"], string]> = [
    ["Idle", nowMs + 1, "Connect", "dial"],
    ["Connect", nowMs + 1, "Idle", "close, down ConnectFailed"],
    ["Active", nowMs + 1, "Connect", "dial"],
    ["OpenSent", nowMs + 1, "Idle", refused("4/0")],
    ["OpenConfirm", nowMs + 1, "OpenConfirm", "send Keepalive"],
    ["OpenConfirm", nowMs + 2, "Idle", refused("4/0")],
    ["Established", nowMs + 1, "Established", "send Keepalive"],
    ["Established", nowMs + 2, "Idle", refused("4/0")]
  ]
  it.each(due)("%s at its deadline (%i) -> %s: %s", (tag, atMs, next, actions) => {
    const result = tick(states[tag], atMs)
    assert.strictEqual(result.state._tag, next)
    assert.strictEqual(result.actions.map(shown).join(", "), actions)
  })

  it("the hold time is the smaller of both, keepalives go at a third of it: RFC 4271 §4.2, §4.4", () => {
    const { state } = step(config, states.OpenSent, { ...inputs.OPEN, ...at })
    assert.deepInclude(state, { holdDeadlineMs: nowMs + 30_000, keepaliveDeadlineMs: nowMs + 10_000 })
  })
  it("our own hold time holds where it is the smaller: RFC 4271 §4.2", () => {
    const { state } = step({ ...config, holdTimeSeconds: 9 }, states.OpenSent, { ...inputs.OPEN, ...at })
    assert.deepInclude(state, { holdDeadlineMs: nowMs + 9_000, keepaliveDeadlineMs: nowMs + 3_000 })
  })
  it("a shorter configured keepalive time is used, and jitter takes up to a quarter off: RFC 4271 §10", () => {
    const eager = { ...config, keepaliveTimeSeconds: 4 }
    const { state } = step(eager, states.OpenSent, { ...inputs.OPEN, nowMs, jitter: 1 })
    assert.deepInclude(state, { keepaliveDeadlineMs: nowMs + 3_000 })
  })
  it("hold time 0 runs neither timer: RFC 4271 §4.2", () => {
    const open = message({ ...peerOpen, holdTimeSeconds: 0 })
    const { state } = step(config, states.OpenSent, { ...open, ...at })
    assert.strictEqual(nextDeadlineMs(state), never)
  })
  it("octets that are taken restart the send hold timer; when it is over: 8/0, RFC 9687 §4.3", () => {
    const taken = (own: SessionConfig) => step(own, states.Established, { ...inputs.OctetsTaken, ...at }).state
    assert.deepInclude(taken(config), { sendHoldDeadlineMs: nowMs + 480_000 })
    assert.deepInclude(taken({ ...config, sendHoldTimeSeconds: 20 }), { sendHoldDeadlineMs: nowMs + 20_000 })
    const heard: State = { ...states.Established, holdDeadlineMs: never, keepaliveDeadlineMs: never }
    assert.strictEqual(tick(heard, nowMs + 2).state._tag, "Established")
    assert.strictEqual(
      tick(heard, nowMs + 3)
        .actions.map(shown)
        .join(", "),
      refused("8/0")
    )
    assert.strictEqual(nextDeadlineMs(heard), nowMs + 3)
  })
  it("no octets wait, no send hold timer: a session that has nothing to say is not ended", () => {
    const { state: quiet } = step(config, states.OpenConfirm, { ...inputs.KEEPALIVE, ...at })
    assert.deepInclude(quiet, { _tag: "Established", sendHoldDeadlineMs: never })
    const waiting = step(config, quiet, { ...inputs.OctetsWait, ...at }).state
    assert.deepInclude(waiting, { sendHoldDeadlineMs: nowMs + 480_000 })
    const later = { nowMs: nowMs + 7_000, jitter: 1 }
    assert.deepInclude(step(config, waiting, { ...inputs.OctetsWait, ...later }).state, waiting)
    const taken = step(config, waiting, { _tag: "OctetsTaken", isAll: true, ...later }).state
    assert.deepInclude(taken, { sendHoldDeadlineMs: never })
  })
  it("is twice the hold time where that is more than eight minutes, and off with hold time 0", () => {
    const up = (holdTimeSeconds: number): State => ({
      ...states.Established,
      negotiated: { ...negotiated, holdTimeSeconds }
    })
    const taken = (state: State) => step(config, state, { ...inputs.OctetsTaken, ...at }).state
    assert.deepInclude(taken(up(300)), { sendHoldDeadlineMs: nowMs + 600_000 })
    assert.deepInclude(taken(up(0)), { sendHoldDeadlineMs: never })
  })
  it("a start that is to wait begins when its time has come", () => {
    const { state } = step(config, initialState, { ...inputs["Start later"], ...at })
    assert.strictEqual(nextDeadlineMs(state), nowMs + 500)
    assert.strictEqual(tick(state, nowMs + 499).state._tag, "Idle")
    assert.strictEqual(tick(state, nowMs + 500).state._tag, "Connect")
  })
  it("a table is sent again without marks where they were not agreed", () => {
    const plain: State = { ...states.Established, negotiated: { ...negotiated, enhancedRefresh: false } }
    const { actions } = step(config, plain, { ...inputs["ROUTE-REFRESH"], ...at })
    assert.strictEqual(actions.map(shown).join(", "), "again 6")
  })
  it.each(["KEEPALIVE", "UPDATE", "ROUTE-REFRESH"] as const)("a %s restarts the hold timer", (name) => {
    const { state } = step(config, states.Established, { ...inputs[name], ...at })
    assert.deepInclude(state, { holdDeadlineMs: nowMs + 30_000 })
  })
})

describe("the peer's OPEN, RFC 4271 §6.2", () => {
  const opened = (open: BgpOpen, own = config) =>
    step(own, states.OpenSent, { ...message(open), ...at })
      .actions.map(shown)
      .join(", ")
  it("an internal peer with our own BGP Identifier is refused: 2/3, RFC 6286 §2.2", () => {
    const own = { ...config, peerAsn: 64512 }
    assert.strictEqual(opened({ ...peerOpen, asn: 64512, routerId: config.routerId }, own), refused("2/3"))
    assert.strictEqual(opened({ ...peerOpen, routerId: config.routerId }), "send Keepalive") // external: allowed
  })
  it("no family in common is refused with the families asked for: 2/7, RFC 5492 §3", () => {
    const own = { ...config, families: [6] as const }
    const { actions } = step(own, states.OpenSent, { ...message({ ...peerOpen, capabilities: [] }), ...at })
    const [send] = actions
    assert.deepStrictEqual(send?._tag === "Send" && send.message, notification(2, 7, Uint8Array.of(1, 4, 0, 2, 0, 1)))
  })
  it("a peer without the four-octet capability gets two-octet AS numbers: RFC 6793 §4.1", () => {
    const { state } = step(config, states.OpenSent, { ...message({ ...peerOpen, capabilities: [] }), ...at })
    assert.deepInclude(state._tag === "OpenConfirm" && state.negotiated, { fourOctetAs: false, families: [4] })
  })
})

describe("a family asked for again, RFC 2918 §4", () => {
  it.each([
    ["one that was not agreed", { afi: 25, subtype: 0, safi: 65 }],
    ["a subtype of RFC 7313 that was not agreed", { afi: 1, subtype: 1, safi: 1 }]
  ])("%s is ignored", (_, refresh) => {
    const result = step(config, states.Established, { ...message({ _tag: "RouteRefresh", ...refresh }), ...at })
    assert.deepStrictEqual(result.actions, [])
  })
})

describe("back-off", () => {
  const delays = (failure: "unreachable" | "refused", count: number, jitter = 0) =>
    Array.from({ length: count }, (_, index) =>
      retryDelayMs({ ...noBackOff, [failure]: index + 1 }, failure, { connectRetryMs: 1_000, jitter })
    )
  it("doubles to two minutes for a peer that refuses", () => {
    assert.deepStrictEqual(delays("refused", 10), [250, 1e3, 2e3, 4e3, 8e3, 16e3, 32e3, 64e3, 12e4, refusedRetryMsMax])
  })
  it("stays at ten seconds for a peer that cannot be reached", () => {
    assert.deepStrictEqual(delays("unreachable", 7), [250, 1e3, 2e3, 4e3, 8e3, 1e4, unreachableRetryMsMax])
  })
  it("jitter takes up to a quarter off", () => assert.deepStrictEqual(delays("refused", 2, 1), [187.5, 750]))

  /** The waits between attempts that all go the same way: dial, `outcome` and again. */
  const waitsAfter = (...outcome: ReadonlyArray<Happening>) => {
    let state = step(config, initialState, { ...inputs.Start, ...at }).state
    return Array.from({ length: 5 }, () => {
      for (const happening of outcome) state = step(config, state, { ...happening, ...at }).state
      const waitMs = nextDeadlineMs(state) - nowMs
      state = tick(state, nextDeadlineMs(state)).state
      return waitMs
    })
  }
  it("grows while dials fail, while OPENs are refused, and while connections are closed before the OPEN", () => {
    const growing = [250, 1_000, 2_000, 4_000, 8_000]
    assert.deepStrictEqual(waitsAfter(inputs.TcpFailed), growing)
    assert.deepStrictEqual(waitsAfter(inputs.TcpConnected, inputs.NOTIFICATION), growing)
    assert.deepStrictEqual(waitsAfter(inputs.TcpConnected, inputs.TcpClosed), growing)
    assert.deepStrictEqual(waitsAfter(inputs.TcpConnected, inputs.OPEN, inputs.TcpClosed), growing)
  })

  /** A session that comes up and is ended by the peer after `lastedMs`, over and over. */
  const cycle = (state: State, lastedMs: number) => {
    const up: State = { ...states.Established, backOff: state.backOff, establishedAtMs: nowMs - lastedMs }
    return step(config, up, { ...inputs.NOTIFICATION, ...at })
  }
  it("is not forgotten by a session shorter than its hold time: an OPEN, then a NOTIFICATION, does not loop", () => {
    let state: State = initialState
    const waits = Array.from({ length: 5 }, () => {
      state = cycle(state, 29_999).state
      return nextDeadlineMs(state) - nowMs
    })
    assert.deepStrictEqual(waits, [250, 1_000, 2_000, 4_000, 8_000])
  })
  it("begins anew after a session that outlived its hold time", () => {
    const before: State = { ...initialState, backOff: { unreachable: 0, refused: 8 } }
    assert.strictEqual(nextDeadlineMs(cycle(before, 30_000).state) - nowMs, 250)
  })
  it("a connection that was made clears the count of dials that made none", () => {
    const tired = { ...states.OpenSent, backOff: { unreachable: 50, refused: 0 } }
    const { state } = step(config, tired, { ...inputs.TcpClosed, ...at })
    assert.deepStrictEqual(state.backOff, { unreachable: 0, refused: 1 })
    assert.strictEqual(nextDeadlineMs(state) - nowMs, 250)
  })
})
