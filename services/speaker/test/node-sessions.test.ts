import type { PeerOptions, PeerStatus } from "@lowtide/bgp/peer"
import type { NodeIntent } from "@lowtide/domain/announcing/intent"
import { Effect } from "effect"
import { assert, describe, it } from "vitest"
import type { SavedRecord } from "../src/journal-record.ts"
import { NodeSessions } from "../src/node-sessions.ts"
import type { Neighbors } from "../src/unnumbered/neighbors.ts"
import { HandCentre, nodeIntent, peer } from "./hand-centre.ts"

/** A node with one unnumbered peer; who is on its interface, and whether the session is up, is the test's to say. */
const sessions = () => {
  const state = {
    neighbor: { _tag: "Sought" } as ReturnType<Neighbors["on"]>,
    isUp: false,
    saved: [] as Array<SavedRecord>,
    /** Ends the writes that wait. */
    written: () => {}
  }
  const running: Array<PeerOptions> = []
  const node: NodeSessions = new NodeSessions(
    {
      settings: { cluster: "east", node: "east-1" },
      passwordOf: () => undefined,
      mayBegin: () => true,
      isTableWhole: () => true,
      monotonicMs: () => 0,
      say: () => {},
      neighbors: { want: () => {}, tick: () => {}, on: () => state.neighbor, whyNot: () => "nobody is there" },
      startPeer: (options) =>
        Effect.sync(() => {
          running.push(options)
          return {
            options,
            adjust: () => false,
            change: () => {},
            accept: () => false,
            status: () => ({ state: state.isUp ? "Established" : "Idle" }) as PeerStatus,
            isSent: () => false,
            isPending: () => false,
            pathFailed: () => {},
            stop: () => Effect.sync(() => void running.splice(running.indexOf(options), 1))
          }
        }),
      onEvent: () => {},
      onStopped: () => {},
      onToldAnew: () => {},
      onNeighbors: (intent) => node.configure(intent),
      table: () => [],
      save: (records) => {
        state.saved.push(...records)
        return new Promise<void>((resolve) => {
          state.written = resolve
        })
      }
    },
    new Map()
  )
  const wanted = nodeIntent([peer({ peerAddress: "", interface: "eth0" })])
  const intent = new HandCentre().number(wanted) as NodeIntent
  node.configure(intent)
  const settle = async () => {
    node.tick()
    state.written()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { node, intent, state, settle, hosts: () => running.map(({ host }) => host), running }
}

const one = (address: string) => ({ _tag: "One", address }) as const
const two = { _tag: "Several", addresses: ["fe80::1", "fe80::2"] } as const

describe("the session with whoever is on an interface", () => {
  it("waits while that is being found out, and for the disk to know of it", async () => {
    const { node, intent, state, hosts, settle } = sessions()
    await settle()
    assert.deepStrictEqual(hosts(), [])
    assert.strictEqual(node.located(intent).peers[0]?.peerAddress, "", "nowhere yet")
    state.neighbor = one("fe80::1")
    node.tick()
    assert.deepStrictEqual(hosts(), [], "not on the disk yet")
    assert.include(JSON.stringify(state.saved), "router fe80::1%eth0 179")
    await settle()
    assert.deepStrictEqual(hosts(), ["fe80::1%eth0"])
    assert.strictEqual(node.located(intent).peers[0]?.peerAddress, "fe80::1%eth0")
  })

  it("is one that says why it cannot be opened where nobody is there", async () => {
    const { state, running, settle } = sessions()
    state.neighbor = { _tag: "Nobody" }
    await settle()
    assert.deepStrictEqual([running[0]?.host, running[0]?.whyNoAddress?.()], ["eth0", "nobody is there"])
  })

  it("is with another once another is there", async () => {
    const { state, hosts, settle } = sessions()
    state.neighbor = one("fe80::1")
    await settle()
    state.neighbor = one("fe80::2")
    await settle()
    assert.deepStrictEqual(hosts(), ["fe80::2%eth0"])
  })

  it("stays with the one that it is up with beside another, and is with none of them otherwise", async () => {
    const { state, hosts, settle } = sessions()
    state.neighbor = one("fe80::1")
    await settle()
    state.isUp = true
    state.neighbor = two
    await settle()
    assert.deepStrictEqual(hosts(), ["fe80::1%eth0"])
    state.neighbor = one("fe80::2")
    await settle()
    assert.deepStrictEqual(hosts(), ["fe80::1%eth0"], "an advertisement of somebody else ends no session")
    state.neighbor = two
    state.isUp = false
    await settle()
    assert.deepStrictEqual(hosts(), ["eth0"])
  })
})
