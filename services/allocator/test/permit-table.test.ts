import type { Grant } from "@lowtide/api/access"
import type { Command } from "@lowtide/domain"
import { describe, expect, it } from "vitest"
import { forbids, needsOf, type WhoAsks } from "../src/access/permit.ts"
import { fleetWithdrawing } from "./orders.ts"

/** A withdrawing address of cluster east, pool public, and a reservation of the same. */
const fleet = fleetWithdrawing()
fleet.restore("reservation:kept", 1, {
  _tag: "Reservation",
  cluster: "east",
  name: "kept",
  network: "default",
  address: "192.0.2.9",
  pool: "public",
  namespace: "shop",
  service: "web"
})

fleet.restore("approval:w-1", 1, {
  _tag: "Approval",
  id: "w-1",
  cluster: "east",
  author: "agent:east",
  phase: "pending",
  sinceMs: 0,
  count: 60
})

const manifest = (kind: string, name: string, spec: object) => ({
  ...{ apiVersion: "lowtide.dev/v1alpha1", kind, namespace: "", name, spec }
})
const reservation = (name: string, cluster: string, pool: string) =>
  manifest("Reservation", name, { for: { cluster, namespace: "shop", name: "web" }, pool })
const vip = { network: "default", address: "192.0.2.1" } as const
const segment = {
  ...{ fromSeq: 1, toSeq: 5_000_000, firstAt: "", lastAt: "", root: "ab", leavesDigest: "cd" },
  ...{ file: "segment-1-5000000.ndjson.gz", sha256: "ef" }
}

/** Each order with whose it is: what it takes of clusters, of pools, and whether a person has to give it. */
const orders: ReadonlyArray<
  readonly [string, Command, "reader" | "operator" | "admin", OrderScope, "anyone" | "person"]
> = [
  ["retire a node", { _tag: "RetireNode", cluster: "east", node: "east-1" }, "operator", ["east"], "anyone"],
  ["release a brake", { _tag: "ReleaseBrake", cluster: "east" }, "operator", ["east"], "person"],
  ["approve withdrawals", { _tag: "ApproveWithdrawals", id: "w-1", revision: 1 }, "operator", ["east"], "person"],
  ["reject withdrawals", { _tag: "RejectWithdrawals", id: "w-1", revision: 1 }, "operator", ["east"], "person"],
  ["delete the Fleet object", { _tag: "DeleteFleetObject", kind: "Fleet", name: "prod" }, "admin", [], "anyone"],
  ["release what is reserved", { _tag: "ReleaseAdopted", ...vip }, "operator", ["east"], "anyone"],
  ["finalise the fleet", { _tag: "FinaliseFleet", version: 2 }, "admin", [], "anyone"],
  ["archive a segment", { _tag: "RecordSegment", ...segment, phase: "archived" }, "admin", [], "anyone"],
  ["drop a segment", { _tag: "RecordSegment", ...segment, phase: "dropped" }, "admin", [], "anyone"],
  ["release by force", { _tag: "ForceRelease", ...vip }, "operator", ["east", "public"], "person"],
  [
    "reserve",
    { _tag: "ApplyFleetObject", manifest: reservation("new", "east", "public") },
    "operator",
    ["east", "public"],
    "anyone"
  ],
  [
    "change a reservation",
    { _tag: "ApplyFleetObject", manifest: reservation("kept", "east", "public") },
    "operator",
    ["east", "public"],
    "anyone"
  ],
  [
    "delete a reservation",
    { _tag: "DeleteFleetObject", kind: "Reservation", name: "kept" },
    "operator",
    ["east", "public"],
    "anyone"
  ],
  [
    "set a quota",
    { _tag: "ApplyFleetObject", manifest: manifest("Quota", "q", { cluster: "east", addresses: 1 }) },
    "admin",
    [],
    "anyone"
  ],
  ["delete a quota", { _tag: "DeleteFleetObject", kind: "Quota", name: "q" }, "admin", [], "anyone"],
  ["delete a pool", { _tag: "DeleteFleetObject", kind: "AddressPool", name: "p" }, "admin", [], "anyone"],
  ["go on without", { _tag: "FinishRecovery", without: [] }, "admin", [], "anyone"],
  [
    "export",
    { _tag: "RecordExport", filter: {}, format: "ndjson", sinceSeq: 1, untilSeq: 1, count: 1 },
    "reader",
    [],
    "anyone"
  ]
]

/** Cluster, then pool; what is left out is all of them. */
type OrderScope = readonly [] | readonly [string] | readonly [string, string]

const grants: ReadonlyArray<readonly [string, Grant]> = [
  ["reader", { role: "reader" }],
  ["operator", { role: "operator" }],
  ["operator of east", { role: "operator", clusters: ["east"] }],
  ["operator of west", { role: "operator", clusters: ["west"] }],
  ["operator of both", { role: "operator", clusters: ["west", "east"] }],
  ["operator of public", { role: "operator", pools: ["public"] }],
  ["operator of private", { role: "operator", pools: ["private"] }],
  ["operator of public in east", { role: "operator", clusters: ["east"], pools: ["public"] }],
  ["operator of public in west", { role: "operator", clusters: ["west"], pools: ["public"] }],
  ["operator of private in east", { role: "operator", clusters: ["east"], pools: ["private"] }],
  ["admin of east", { role: "admin", clusters: ["east"] }],
  ["admin of public in east", { role: "admin", clusters: ["east"], pools: ["public"] }],
  ["admin", { role: "admin" }]
]

const ranks = ["reader", "operator", "admin"]

/** By the words of docs/reference/api.md: the role at least, and no limit that leaves any of the order's scope out. */
const mayBy = (grant: Grant, role: string, [cluster, pool]: OrderScope, isExport: boolean): boolean => {
  if (isExport) return true
  if (ranks.indexOf(grant.role) < ranks.indexOf(role)) return false
  const isClusterGood = grant.clusters === undefined || (cluster !== undefined && grant.clusters.includes(cluster))
  const isPoolGood = grant.pools === undefined || (pool !== undefined && grant.pools.includes(pool))
  return isClusterGood && isPoolGood
}

describe("who may give which order", () => {
  for (const [title, command, role, scope, who] of orders) {
    it.each(grants)(`${title}: %s`, (_, grant) => {
      const asks = (kind: "person" | "machine", isAuthenticated = true): WhoAsks => ({
        ...{ actor: `${kind}:x`, kind, isAuthenticated, grants: [grant] }
      })
      const may = mayBy(grant, role, scope, title === "export")
      const answers = [asks("person"), asks("machine"), asks("person", false)].map(
        (caller) => forbids(caller, needsOf(fleet, command))?.code ?? "yes"
      )
      const others = !may ? "LT0602" : who === "person" ? "LT0603" : "yes"
      expect(answers).toEqual([may ? "yes" : "LT0602", others, others])
    })
  }

  it("takes both where a reservation goes from one cluster or pool to another", () => {
    const move = needsOf(fleet, { _tag: "ApplyFleetObject", manifest: reservation("kept", "west", "private") })
    const may = (...given: ReadonlyArray<Grant>) =>
      forbids({ actor: "person:x", kind: "person", isAuthenticated: true, grants: given }, move) === undefined
    const old: Grant = { role: "operator", clusters: ["east"], pools: ["public"] }
    const young: Grant = { role: "operator", clusters: ["west"], pools: ["private"] }
    expect([may(old), may(young), may(old, young), may({ role: "operator" })]).toEqual([false, false, true, true])
  })

  it("is nobody's of what agents, speakers and the allocator say of themselves, an admin's token or not", () => {
    const said: ReadonlyArray<Command> = [
      { _tag: "ForgetNode", cluster: "east", name: "east-1" },
      { _tag: "RegisterCluster", cluster: "east", network: "default" }
    ]
    const machine: WhoAsks = {
      ...{ actor: "machine:x", kind: "machine", isAuthenticated: true, grants: [{ role: "admin" }] }
    }
    for (const command of said) expect(forbids(machine, needsOf(fleet, command))?.code).toBe("LT0603")
  })
})
