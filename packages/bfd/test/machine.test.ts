import { assert, describe, it } from "@effect/vitest"
import type { SessionConfig } from "../src/machine/config.ts"
import type { Action, Happening, Remote, State } from "../src/machine/machine.ts"
import { initialState, step } from "../src/machine/step.ts"
import { detectAtUs } from "../src/machine/timing.ts"
import type { ControlPacket } from "../src/packet/control-packet.ts"
import { config, packet } from "./sample.ts"

const nowUs = 100_000_000
const remoteIn = (state: ControlPacket["state"]): Remote => ({
  discriminator: 9,
  state,
  diagnostic: 0,
  demand: false,
  controlPlaneIndependent: false,
  desiredMinTxUs: 400_000,
  requiredMinRxUs: 200_000,
  detectMult: 3,
  heardAtUs: nowUs - 100_000
})

const slow = { desiredMinTxUs: 1_000_000, requiredMinRxUs: 300_000 }
const fast = { desiredMinTxUs: 300_000, requiredMinRxUs: 300_000 }
const common = { diagnostic: 0, poll: "none", sentAtUs: nowUs - 200_000 } as const
const slowly = {
  ...common,
  announced: slow,
  inEffect: slow,
  transmitIntervalUs: 1_000_000,
  transmitAtUs: nowUs + 700_000
}
const quickly = {
  ...common,
  announced: fast,
  inEffect: fast,
  transmitIntervalUs: 300_000,
  transmitAtUs: nowUs + 70_000
}
const up: State = { ...quickly, _tag: "Up", remote: remoteIn("Up") }
const never = Number.POSITIVE_INFINITY

/** Every state as it is at `nowUs`, with nothing due. */
const states = {
  AdminDown: { ...slowly, _tag: "AdminDown", remote: undefined, diagnostic: 7 },
  "AdminDown, heard": { ...slowly, _tag: "AdminDown", remote: remoteIn("Down"), diagnostic: 7 },
  Down: { ...slowly, _tag: "Down", remote: undefined },
  "Down, heard": { ...slowly, _tag: "Down", remote: remoteIn("Up") },
  Init: { ...slowly, _tag: "Init", remote: remoteIn("Down") },
  Up: up,
  "Up, polling": { ...up, poll: "polling" },
  "Up, settling": { ...up, poll: "settling" },
  "Up, not asked": {
    ...up,
    remote: { ...remoteIn("Up"), demand: true },
    transmitIntervalUs: never,
    transmitAtUs: never
  }
} as const satisfies Record<string, State>

const received = (changes: Partial<ControlPacket>): Happening => ({
  _tag: "PacketReceived",
  packet: { ...packet, ...changes }
})

/** Every input, with the configuration and the moment where they differ from the usual ones. */
const inputs: Record<string, { readonly happening: Happening; readonly config?: SessionConfig; readonly at?: number }> =
  {
    "gets AdminDown": { happening: received({ state: "AdminDown" }) },
    "gets Down": { happening: received({ state: "Down" }) },
    "gets Init": { happening: received({ state: "Init" }) },
    "gets Up": { happening: received({ state: "Up" }) },
    "gets Up+P": { happening: received({ state: "Up", poll: true }) },
    "gets Up+F": { happening: received({ state: "Up", final: true }) },
    "gets Up+D": { happening: received({ state: "Up", demand: true }) },
    "gets Up, rx 0": { happening: received({ state: "Up", requiredMinRxUs: 0 }) },
    "tick early": { happening: { _tag: "Tick" } },
    "tick due": { happening: { _tag: "Tick" }, at: nowUs + 701_000 },
    "tick silent": { happening: { _tag: "Tick" }, at: nowUs + 1_100_000 },
    slower: { happening: { _tag: "Reconfigured" }, config: { ...config, desiredMinTxUs: 2_000_000 } },
    faster: {
      happening: { _tag: "Reconfigured" },
      config: { ...config, desiredMinTxUs: 50_000, requiredMinRxUs: 50_000 }
    },
    disable: { happening: { _tag: "Disable" } },
    enable: { happening: { _tag: "Enable" } }
  }

const shown = (action: Action): string => {
  if (action._tag === "Changed") return action.cause === undefined ? "peer's state is news" : `changed: ${action.cause}`
  const { state, poll, final, diagnostic, yourDiscriminator } = action.packet
  return `send ${state}/${diagnostic}${poll ? "+P" : ""}${final ? "+F" : ""}${yourDiscriminator === 0 ? " to nobody" : ""}`
}

const outcome = (state: State, input: (typeof inputs)[string]): string => {
  const moment = { nowUs: input.at ?? nowUs, jitter: 0 }
  const next = step(input.config ?? config, state, { ...input.happening, ...moment })
  const poll = next.state.poll === "none" ? "" : `, ${next.state.poll}`
  return [`${next.state._tag}${poll}`, ...next.actions.map(shown)].join("; ")
}

const stays = (state: string, ...names: ReadonlyArray<string>) => Object.fromEntries(names.map((name) => [name, state]))

/** What each state makes of each input: RFC 5880 §6.2, §6.8.6, §6.8.7, §6.8.16. Read from the text, not from the code. */
const table: { readonly [Name in keyof typeof states]: Readonly<Record<string, string>> } = {
  AdminDown: {
    ...stays("AdminDown", "gets Down", "tick early", "faster", "disable"),
    "gets AdminDown": "AdminDown; peer's state is news",
    "gets Init": "AdminDown; peer's state is news",
    "gets Up": "AdminDown; peer's state is news",
    "gets Up+P": "AdminDown; peer's state is news", // discarded before it could be answered
    "gets Up+F": "AdminDown; peer's state is news",
    "gets Up+D": "AdminDown; peer's state is news",
    "gets Up, rx 0": "AdminDown; peer's state is news",
    "tick due": "AdminDown; send AdminDown/7 to nobody",
    "tick silent": "AdminDown; send AdminDown/7 to nobody",
    slower: "AdminDown",
    enable: "Down; send Down/0 to nobody; changed: enabled"
  },
  "AdminDown, heard": {
    ...stays("AdminDown", "gets Down", "tick early", "disable"),
    "gets AdminDown": "AdminDown; peer's state is news",
    "gets Init": "AdminDown; peer's state is news",
    "gets Up": "AdminDown; peer's state is news",
    "gets Up+P": "AdminDown; peer's state is news",
    "gets Up+F": "AdminDown; peer's state is news",
    "gets Up+D": "AdminDown; peer's state is news",
    "gets Up, rx 0": "AdminDown; peer's state is news",
    "tick due": "AdminDown; send AdminDown/7",
    "tick silent": "AdminDown; send AdminDown/7 to nobody",
    slower: "AdminDown, polling",
    faster: "AdminDown, polling",
    enable: "Down; send Down/0; changed: enabled"
  },
  Down: {
    ...stays("Down", "tick early", "slower", "faster", "enable"),
    "gets AdminDown": "Down; peer's state is news",
    "gets Down": "Init; send Init/0; changed: handshake",
    "gets Init": "Up, polling; send Up/0+P; changed: handshake",
    "gets Up": "Down; peer's state is news",
    "gets Up+P": "Down; send Down/0+F; peer's state is news",
    "gets Up+F": "Down; peer's state is news",
    "gets Up+D": "Down; peer's state is news",
    "gets Up, rx 0": "Down; peer's state is news",
    "tick due": "Down; send Down/0 to nobody",
    "tick silent": "Down; send Down/0 to nobody",
    disable: "AdminDown; send AdminDown/7 to nobody; changed: disabled"
  },
  "Down, heard": {
    ...stays("Down", "tick early", "enable", "gets Up", "gets Up+F", "gets Up+D", "gets Up, rx 0"),
    "gets AdminDown": "Down; peer's state is news",
    "gets Down": "Init; send Init/0; changed: handshake",
    "gets Init": "Up, polling; send Up/0+P; changed: handshake",
    "gets Up+P": "Down; send Down/0+F",
    "tick due": "Down; send Down/0",
    "tick silent": "Down; send Down/0 to nobody; peer's state is news",
    slower: "Down, polling",
    faster: "Down, polling",
    disable: "AdminDown; send AdminDown/7; changed: disabled"
  },
  Init: {
    ...stays("Init", "gets Down", "tick early", "enable"),
    "gets AdminDown": "Down; send Down/3; changed: neighbor-admin-down",
    "gets Init": "Up, polling; send Up/0+P; changed: handshake",
    "gets Up": "Up, polling; send Up/0+P; changed: handshake",
    "gets Up+P": "Up, polling; send Up/0+F; changed: handshake", // never both bits
    "gets Up+F": "Up, polling; send Up/0+P; changed: handshake",
    "gets Up+D": "Up, polling; send Up/0+P; changed: handshake",
    "gets Up, rx 0": "Up, polling; send Up/0+P; changed: handshake",
    "tick due": "Init; send Init/0",
    "tick silent": "Down; send Down/1 to nobody; changed: detection-time-expired",
    slower: "Init, polling",
    faster: "Init, polling",
    disable: "AdminDown; send AdminDown/7; changed: disabled"
  },
  Up: {
    ...stays("Up", "gets Up", "gets Up+F", "gets Up+D", "gets Up, rx 0", "tick early", "enable"),
    "gets AdminDown": "Down, polling; send Down/3+P; changed: neighbor-admin-down",
    "gets Down": "Down, polling; send Down/3+P; changed: neighbor-down",
    "gets Init": "Up; peer's state is news",
    "gets Up+P": "Up; send Up/0+F",
    "tick due": "Up; send Up/0",
    "tick silent": "Down; send Down/1 to nobody; changed: detection-time-expired",
    slower: "Up, polling",
    faster: "Up, polling; send Up/0+P", // 200 ms ago is too long already
    disable: "AdminDown, polling; send AdminDown/7+P; changed: disabled"
  },
  "Up, polling": {
    ...stays("Up, polling", "gets Up", "gets Up+D", "gets Up, rx 0", "tick early", "slower", "faster", "enable"),
    "gets AdminDown": "Down, polling; send Down/3+P; changed: neighbor-admin-down",
    "gets Down": "Down, polling; send Down/3+P; changed: neighbor-down",
    "gets Init": "Up, polling; peer's state is news",
    "gets Up+P": "Up, polling; send Up/0+F",
    "gets Up+F": "Up, settling",
    "tick due": "Up, polling; send Up/0+P",
    "tick silent": "Down; send Down/1 to nobody; changed: detection-time-expired",
    disable: "AdminDown, polling; send AdminDown/7+P; changed: disabled"
  },
  "Up, settling": {
    ...stays("Up, settling", "gets Up+F", "tick early", "slower", "faster", "enable"),
    "gets AdminDown": "Down, polling; send Down/3+P; changed: neighbor-admin-down",
    "gets Down": "Down, polling; send Down/3+P; changed: neighbor-down",
    "gets Init": "Up; peer's state is news",
    "gets Up": "Up",
    "gets Up+P": "Up; send Up/0+F",
    "gets Up+D": "Up",
    "gets Up, rx 0": "Up",
    "tick due": "Up, settling; send Up/0",
    "tick silent": "Down; send Down/1 to nobody; changed: detection-time-expired",
    disable: "AdminDown, polling; send AdminDown/7+P; changed: disabled"
  },
  "Up, not asked": {
    ...stays("Up", "gets Up+D", "gets Up, rx 0", "tick early", "tick due", "enable"),
    "gets AdminDown": "Down, polling; send Down/3+P; changed: neighbor-admin-down",
    "gets Down": "Down, polling; send Down/3+P; changed: neighbor-down",
    "gets Init": "Up; peer's state is news",
    "gets Up": "Up",
    "gets Up+F": "Up",
    "gets Up+P": "Up; send Up/0+F",
    "tick silent": "Down; send Down/1 to nobody; changed: detection-time-expired",
    slower: "Up, polling",
    faster: "Up, polling; send Up/0+P",
    disable: "AdminDown, polling; send AdminDown/7+P; changed: disabled"
  }
}

describe("all (state, input) pairs, RFC 5880 §6.8", () => {
  for (const [name, state] of Object.entries(states)) {
    for (const [inputName, input] of Object.entries(inputs)) {
      it(`${name} ${inputName}`, () => {
        assert.strictEqual(outcome(state, input), table[name as keyof typeof states][inputName])
      })
    }
  }
})

describe("a session that begins", () => {
  const moment = { nowUs, jitter: 0 }
  it("sends at once when it is active", () => {
    const { actions } = step(config, initialState(config), { _tag: "Tick", ...moment })
    assert.deepStrictEqual(actions.map(shown), ["send Down/0 to nobody"])
  })

  it("sends nothing when it is passive, until the peer is heard, RFC 5880 §6.8.7", () => {
    const passive = { ...config, role: "passive" } as const
    const begun = step(passive, initialState(passive), { _tag: "Tick", ...moment })
    assert.deepStrictEqual(begun.actions, [])
    assert.strictEqual(begun.state.transmitAtUs, never)
    const heard = step(passive, begun.state, { ...received({ state: "Down", yourDiscriminator: 0 }), ...moment })
    assert.deepStrictEqual(heard.actions.map(shown), ["send Init/0", "changed: handshake"])
    const silent = step(passive, heard.state, { _tag: "Tick", jitter: 0, nowUs: detectAtUs(heard.state) })
    assert.deepStrictEqual(silent.actions.map(shown), ["changed: detection-time-expired"])
    assert.strictEqual(silent.state.transmitAtUs, never)
  })

  it("says what it is: never Demand, no Echo, the C bit as configured", () => {
    for (const controlPlaneIndependent of [true, false]) {
      const own = { ...config, controlPlaneIndependent }
      const [action] = step(own, initialState(own), { _tag: "Tick", ...moment }).actions
      assert.deepInclude(action?._tag === "Send" ? action.packet : {}, {
        demand: false,
        requiredMinEchoRxUs: 0,
        controlPlaneIndependent,
        detectMult: 3,
        myDiscriminator: 7,
        desiredMinTxUs: 1_000_000,
        requiredMinRxUs: 300_000
      })
    }
  })
})
