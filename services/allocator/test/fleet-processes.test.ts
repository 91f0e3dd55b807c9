import type { NodeStatus } from "@lowtide/bus"
import { Fleet } from "@lowtide/domain"
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { fleetProcesses, holdBack, type ProcessFacts } from "../src/fleet-processes.ts"
import { agentSilentAfterMs, HeardAgents } from "../src/heard-agents.ts"

const nowMs = Date.parse("2026-11-25T12:00:00Z")

const allocator = (name: string, fleetVersion: number, secondsAgo: number) => ({
  ...{ id: name, name, url: null, position: 7, fleetVersion, startedAt: "2026-11-25T11:00:00Z", leads: false },
  seenAt: new Date(nowMs - secondsAgo * 1_000).toISOString()
})

const status: NodeStatus = {
  ...{ _tag: "NodeStatus", cluster: "east", node: "n1", at: "2026-11-25T12:00:00Z", runId: "r", sync: "live" },
  ...{ cseq: 1, confirmedCseq: 1, sessions: [], announcing: [], refused: [] }
}

/** Everybody speaks and knows version 2. */
const facts = (more: Partial<ProcessFacts> = {}): ProcessFacts => {
  const fleet = new Fleet()
  fleet.cluster("east")
  const agents = new HeardAgents(nowMs - 3_600_000)
  Effect.runSync(agents.note("east", 2))
  return {
    fleet,
    allocators: [allocator("one", 2, 0)],
    agents,
    nodes: new Map([["east/n1", { status: { ...status, fleetVersion: 2 }, heardAtMs: nowMs }]]),
    nowMs: Date.now(), // the agent was heard by the clock
    ...more
  }
}

const at = (more: Partial<ProcessFacts>): ProcessFacts => ({ ...facts(more), nowMs, ...more })

describe("what holds a version back", () => {
  const agentsAt = (version: number | undefined, sinceMs: number): HeardAgents => {
    const agents = new HeardAgents(sinceMs)
    if (version !== undefined) Effect.runSync(agents.note("east", version))
    return agents
  }
  const node = (fleetVersion: number | undefined, secondsAgo: number) => {
    const told = { ...status, ...(fleetVersion === undefined ? {} : { fleetVersion }) }
    return new Map([["east/n1", { status: told, heardAtMs: nowMs - secondsAgo * 1_000 }]])
  }
  const row = (name: string, more: Partial<ProcessFacts>, found: string | undefined) => [name, more, found] as const
  it.each([
    row(
      "an older allocator that runs",
      { allocators: [allocator("one", 2, 0), allocator("two", 1, 3)] },
      "allocator two of version 1"
    ),
    row("no allocator that has ended", { allocators: [allocator("one", 2, 0), allocator("two", 1, 60)] }, undefined),
    row("a speaker that does not say", { nodes: node(undefined, 3) }, "speaker east/n1 of version 1"),
    row("no speaker that is silent", { nodes: node(1, 60) }, undefined),
    row("no speaker that knows it", { nodes: node(2, 3) }, undefined),
    row(
      "an agent that may only have had no turn yet",
      { agents: agentsAt(undefined, nowMs - 1_000) },
      "agent east not heard from yet"
    ),
    row(
      "no agent that has long said nothing",
      { agents: agentsAt(undefined, nowMs - agentSilentAfterMs - 1) },
      undefined
    )
  ])("%s", (_, more, found) => {
    const held = holdBack(at({ agents: agentsAt(undefined, 0), ...more }), { _tag: "FinaliseFleet", version: 2 })
    expect(held?.found).toBe(found)
    if (found !== undefined) expect(held?.code).toBe("LT0544")
  })

  it("an older agent beside a newer one", () => {
    const agents = agentsAt(2, 0)
    Effect.runSync(agents.note("east"))
    const held = holdBack(facts({ agents, allocators: [], nodes: new Map() }), { _tag: "FinaliseFleet", version: 2 })
    expect(held?.found).toBe("agent east of version 1")
  })

  it("an agent that was heard in an earlier leadership only", () => {
    const agents = agentsAt(2, 0)
    Effect.runSync(agents.begin)
    const held = holdBack(facts({ agents, allocators: [], nodes: new Map() }), { _tag: "FinaliseFleet", version: 2 })
    expect(held?.found).toBe("agent east not heard from yet")
  })

  it("nothing of another command", () => {
    expect(holdBack(at({ nodes: node(1, 0) }), { _tag: "ExpireQuarantines" })).toBeUndefined()
  })
})

it("every process is listed, whatever its cluster is known by", () => {
  const agents = new HeardAgents(0)
  Effect.runSync(agents.note("west", 2))
  const listed = fleetProcesses(facts({ agents }), 2)
  expect(listed.map(({ kind, name, state }) => `${kind} ${name} ${state}`)).toEqual([
    "allocator one live",
    "agent east unheard",
    "agent west live",
    "speaker east/n1 silent"
  ])
})
