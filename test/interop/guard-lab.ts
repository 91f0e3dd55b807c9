import { execute, type LabError } from "@lowtide/testkit/lab/index"
import { Effect, type Scope } from "effect"
import { type BfdLab, makeBfdLab } from "./bfd-lab.ts"

/** Between which addresses of the lab BGP and BFD run. */
export const ways = {
  "one hop, IPv4": { node: "192.0.2.2", router: "192.0.2.1", isFar: false },
  "one hop, IPv6": { node: "2001:db8::2", router: "2001:db8::1", isFar: false },
  "several hops, IPv4": { node: "203.0.113.2", router: "203.0.113.1", isFar: true },
  "several hops, IPv6": { node: "2001:db8:ff::2", router: "2001:db8:ff::1", isFar: true }
} as const
export type Way = keyof typeof ways

/** What is agreed between node and router. */
export interface GuardPlan {
  readonly way: Way
  /** Whether BFD runs on both sides, at 300 ms x 3. */
  readonly hasBfd: boolean
  readonly holdTimeSeconds: number
  /** Whether the router keeps the node's routes over a restart of the speaker. */
  readonly keepsRoutes: boolean
  /** How long the node's BFD waits for a speaker to ask for its sessions again. */
  readonly claimSeconds?: number
}

export const asns = { node: 64496, router: 64501 } as const

/** The routes that the node announces, one of each family. */
export const announced = ["198.51.100.1/32", "2001:db8:100::1/128"] as const

/** A route that a router has removed, by its own log. */
export interface Removal {
  readonly prefix: string
  readonly atUnixMs: number
}

/** A router with the one neighbour. */
export interface GuardedRouter {
  /** Prefixes in its BGP table. */
  readonly prefixes: Effect.Effect<ReadonlyArray<string>, LabError>
  /** What it has removed since it was started. */
  readonly removals: Effect.Effect<ReadonlyArray<Removal>, LabError>
  readonly isEstablished: Effect.Effect<boolean, LabError>
  /** What it says of its BFD session with the node, in small letters. */
  readonly bfd: Effect.Effect<string | undefined, LabError>
  /**
   * Of a router that takes note of the end of a connection before it has read all that came on it: how many End-of-RIBs it has read
   * since it was started.
   */
  readonly endsOfRib?: Effect.Effect<number>
  readonly log: Effect.Effect<string>
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
}

/** Starts a router under test. */
export type StartGuarded = (lab: BfdLab, plan: GuardPlan) => Effect.Effect<GuardedRouter, LabError, Scope.Scope>

/** A lab in which neither end sees a cut: no interface goes down. */
export interface GuardLab extends BfdLab {
  readonly setPath: (state: "whole" | "cut") => Effect.Effect<void, LabError>
}

export const makeGuardLab = (way: Way): Effect.Effect<GuardLab, LabError, Scope.Scope> =>
  Effect.map(makeBfdLab(), (lab) => ({ ...lab, setPath: (state) => setPath(lab, way, state) }))

/** On the link: each end sends to a hardware address that nobody has. */
const setPath = (lab: BfdLab, way: Way, state: "whole" | "cut"): Effect.Effect<void, LabError> => {
  const { node, router, isFar } = ways[way]
  if (isFar) return lab.setHop(state === "cut" ? "drops" : "forwards")
  const ends = [
    [lab.node, router],
    [lab.router, node]
  ] as const
  const command = (address: string) =>
    state === "cut"
      ? ["ip", "neigh", "replace", address, "lladdr", "02:00:00:00:00:99", "nud", "permanent", "dev", "link0"]
      : ["ip", "neigh", "flush", "to", address, "nud", "all", "dev", "link0"]
  return Effect.forEach(ends, ([namespace, address]) => execute(command(address), { namespace }), { discard: true })
}
