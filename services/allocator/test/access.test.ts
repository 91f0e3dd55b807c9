import { createHash } from "node:crypto"
import type { Caller } from "@lowtide/api/access"
import { Effect, Result } from "effect"
import { describe, expect, it } from "vitest"
import { callerOf } from "../src/access/access.ts"
import { forbids, needsOf, type WhoAsks } from "../src/access/permit.ts"
import { readTokens } from "../src/access/tokens.ts"
import { fleetWithdrawing } from "./orders.ts"

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex")
const ada = { name: "ada", kind: "person", sha256: sha256("a-secret"), roles: [{ role: "admin" }] }
const read = (tokens: unknown) => readTokens(JSON.stringify({ tokens }))
const faultOf = (tokens: unknown) => {
  const book = read(tokens)
  return Result.isFailure(book) ? book.failure.message : "none"
}

describe("a tokens file", () => {
  it("names who has a token by its hash", () => {
    const book = Result.getOrThrow(read([ada, { ...ada, name: "ci", kind: "machine", sha256: sha256("b") }]))
    expect([book.holderOf("a-secret")?.name, book.holderOf("b")?.kind]).toEqual(["ada", "machine"])
    expect([book.holderOf("A-secret"), book.holderOf(""), book.holderOf(ada.sha256)]).toEqual([
      undefined,
      undefined,
      undefined
    ])
  })

  it("knows by what names somebody was called before, by whichever token", () => {
    const renamed = { ...ada, name: "countess", formerly: ["ada", "ada.k"] }
    const book = Result.getOrThrow(read([renamed, { ...ada, name: "countess", sha256: sha256("b") }]))
    expect(book.holderOf("b")).toMatchObject({ name: "countess", formerly: ["ada", "ada.k"] })
    expect(faultOf([renamed, { ...ada, name: "Ada", sha256: sha256("b") }])).toBe(
      "expected names that nobody has any more as what countess was called formerly, found Ada"
    )
  })

  it("says what is wrong with it, and never guesses", () => {
    expect(faultOf([{ ...ada, sha256: "a-secret" }])).toContain("expected the SHA-256 of the token")
    expect(faultOf([{ ...ada, roles: [] }])).toContain("expected one role at least")
    expect(faultOf([{ ...ada, roles: [{ role: "root" }] }])).toContain('"reader" | "operator" | "admin"')
    expect(faultOf([{ ...ada, roles: [{ role: "operator", cluster: "east" }] }])).toContain("cluster")
    expect(faultOf([{ ...ada, name: "ada\nroot" }])).toContain("expected a name")
    expect(faultOf([ada, { ...ada, name: "bob" }])).toBe("expected a token of its own for bob, found the one of ada")
    expect(faultOf([ada, { ...ada, name: "Ada", sha256: sha256("b") }])).toBe(
      "expected one spelling of the name ada, found Ada as well"
    )
    expect(Result.isFailure(readTokens("{"))).toBe(true)
  })
})

it("the caller of a token has the names that its person had", async () => {
  const book = Result.getOrThrow(read([{ ...ada, name: "countess", formerly: ["ada"] }]))
  const caller = await Effect.runPromise(callerOf(book, "a-secret"))
  expect(caller).toMatchObject({ actor: "person:countess", isAuthenticated: true, formerly: ["ada"] })
})

describe("who may give an order", () => {
  const fleet = fleetWithdrawing()
  const retire = needsOf(fleet, { _tag: "RetireNode", cluster: "east", node: "east-1" })
  const force = needsOf(fleet, { _tag: "ForceRelease", network: "default", address: "192.0.2.1" })
  const caller = (grants: Caller["Service"]["grants"], more: Partial<WhoAsks> = {}): WhoAsks => ({
    actor: "person:ada",
    kind: "person",
    isAuthenticated: true,
    grants,
    ...more
  })
  const table = [
    ["an admin", caller([{ role: "admin" }]), undefined, undefined],
    ["an operator", caller([{ role: "operator" }]), undefined, undefined],
    ["a reader", caller([{ role: "reader" }]), "LT0602", "LT0602"],
    ["nobody in particular", caller([]), "LT0602", "LT0602"],
    ["an operator of the cluster", caller([{ role: "operator", clusters: ["east"] }]), undefined, undefined],
    ["an operator of another", caller([{ role: "operator", clusters: ["west"] }]), "LT0602", "LT0602"],
    ["an operator of the pool", caller([{ role: "operator", pools: ["public"] }]), "LT0602", undefined],
    [
      "an operator of the pool elsewhere, who reads here",
      caller([{ role: "operator", clusters: ["west"], pools: ["public"] }, { role: "reader" }]),
      "LT0602",
      "LT0602"
    ],
    ["a machine", caller([{ role: "operator" }], { kind: "machine", actor: "machine:ci" }), undefined, "LT0603"],
    ["a local user", caller([{ role: "admin" }], { isAuthenticated: false, actor: "local:ada" }), undefined, "LT0603"]
  ] as const
  for (const [who, asking, retiring, forcing] of table) {
    it(`${who}: retire a node ${retiring ?? "yes"}, release by force ${forcing ?? "yes"}`, () => {
      expect([forbids(asking, retire)?.code, forbids(asking, force)?.code]).toEqual([retiring, forcing])
    })
  }

  it("reserves in its pools, gives up what it reserves anew, and leaves quotas to admins", () => {
    fleet.restore("reservation:web", 1, {
      _tag: "Reservation",
      cluster: "east",
      name: "web",
      network: "default",
      address: "192.0.2.9",
      pool: "public",
      namespace: "shop",
      service: "web"
    })
    const reserve = (name: string, pool: string) => {
      const spec = { for: { cluster: "west", namespace: "shop", name: "web" }, pool }
      const manifest = { apiVersion: "lowtide.dev/v1alpha1", kind: "Reservation", namespace: "", name, spec }
      return needsOf(fleet, { _tag: "ApplyFleetObject", manifest })
    }
    const quota = {
      apiVersion: "lowtide.dev/v1alpha1",
      kind: "Quota",
      namespace: "",
      name: "q",
      spec: { addresses: 1 }
    }
    const west = caller([{ role: "operator", clusters: ["west"], pools: ["public"] }])
    expect(forbids(west, reserve("other", "public"))).toBeUndefined()
    expect(forbids(west, reserve("other", "private"))?.code).toBe("LT0602")
    expect(forbids(west, reserve("web", "public"))?.message).toContain("operator of cluster east, pool public")
    expect(forbids(west, needsOf(fleet, { _tag: "DeleteFleetObject", kind: "Reservation", name: "web" }))?.code).toBe(
      "LT0602"
    )
    const operator = caller([{ role: "operator" }])
    const applied = needsOf(fleet, { _tag: "ApplyFleetObject", manifest: quota })
    expect([forbids(operator, applied)?.code, forbids(caller([{ role: "admin" }]), applied)]).toEqual([
      "LT0602",
      undefined
    ])
  })

  it("has withdrawals approved by a named person who did not order them, and rejected by whoever ordered them as well", () => {
    fleet.restore("approval:w-1", 1, {
      ...({ _tag: "Approval", id: "w-1", cluster: "east", author: "person:ada", phase: "pending" } as const),
      ...{ sinceMs: 0, count: 60 }
    })
    const order = { id: "w-1", revision: 1 }
    const approve = needsOf(fleet, { _tag: "ApproveWithdrawals", ...order })
    const reject = needsOf(fleet, { _tag: "RejectWithdrawals", ...order })
    const operator = [{ role: "operator" as const, clusters: ["east"] }]
    for (const [asking, code] of [
      [caller(operator, { actor: "person:bob" }), undefined],
      [caller(operator), "LT0608"],
      [caller(operator, { actor: "person:Ada" }), "LT0608"],
      [caller(operator, { actor: "person:countess", formerly: ["ada.k", "Ada"] }), "LT0608"],
      [caller(operator, { actor: "person:countess", formerly: ["ada.k"] }), undefined],
      [caller([{ role: "admin" }], { kind: "machine", actor: "machine:ada" }), "LT0608"],
      [caller([{ role: "admin" }], { kind: "machine", actor: "machine:ci" }), "LT0603"],
      [caller([{ role: "admin" }], { isAuthenticated: false, actor: "local:bob" }), "LT0603"],
      [caller([{ role: "operator", clusters: ["west"] }], { actor: "person:bob" }), "LT0602"]
    ] as const) {
      expect(forbids(asking, approve)?.code).toBe(code)
    }
    const renamed = caller(operator, { actor: "person:countess", formerly: ["Ada"] })
    expect(forbids(renamed, approve)?.found).toBe("person:countess, formerly Ada")
    expect(forbids(caller(operator), reject)).toBeUndefined()
    fleet.restore("approval:w-2", 1, {
      ...({ _tag: "Approval", id: "w-2", cluster: "east", author: "agent:ada", phase: "pending" } as const),
      ...{ sinceMs: 0, count: 60 }
    })
    expect(
      forbids(caller(operator), needsOf(fleet, { _tag: "ApproveWithdrawals", id: "w-2", revision: 1 }))
    ).toBeUndefined()
  })

  it("is told with the role that it takes", () => {
    expect(forbids(caller([{ role: "operator", clusters: ["west"] }]), force)?.message).toBe(
      "Caller person:ada: role missing: expected operator of cluster east, pool public, a person named by a token, found operator of clusters west"
    )
  })
})
