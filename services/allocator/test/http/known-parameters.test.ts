import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { addressOf, local } from "./served.ts"

const ask = (method: "GET" | "POST", path: string) =>
  Effect.gen(function* () {
    const address = yield* addressOf
    const url = address._tag === "Url" ? address.url : ""
    const response = yield* Effect.promise(() => fetch(`${url}${path}`, { method }))
    return { status: response.status, text: yield* Effect.promise(() => response.text()) }
  })

describe("a parameter that an operation does not have", () => {
  it.live("is refused by its name, and not passed over, also where there are none or an export would begin", () =>
    Effect.gen(function* () {
      for (const [method, path, field, hint] of [
        ["GET", "/v1/services?clutser=east", "clutser", " (did you mean cluster?)"],
        ["GET", "/v1/allocators?cluster=east", "cluster", ""],
        ["GET", "/v1/vips/192.0.2.1/holder?at=1&min_seq=1&when=2", "when", ""],
        ["POST", "/v1/audit/exports?adress=192.0.2.1", "adress", " (did you mean address?)"]
      ] as const) {
        const { status, text } = yield* ask(method, path)
        expect([status, JSON.parse(text)], path).toMatchObject([400, { field }])
        expect(JSON.parse(text).detail, path).toMatch(
          /^\w+: expected one of the parameters \[.*min_seq, read\], found another/
        )
        expect(JSON.parse(text).detail.endsWith(`found another${hint}`), path).toBe(true)
      }
      const events = yield* ask("GET", "/v1/history?type=AuditExported")
      expect([events.status, JSON.parse(events.text).items]).toEqual([200, []])
    }).pipe(Effect.provide(local()))
  )

  it.live("is none of those that it has", () =>
    Effect.gen(function* () {
      for (const path of ["/v1/services?cluster=east&namespace=shop&min_seq=1&read=any", "/healthz?probe=1"]) {
        expect((yield* ask("GET", path)).status, path).toBe(200)
      }
    }).pipe(Effect.provide(local()))
  )
})

describe("a time with an offset", () => {
  it.live("is taken where its plus is written for a URL, and told of where it has become a blank", () =>
    Effect.gen(function* () {
      const at = "2026-11-23T15:05:01"
      expect((yield* ask("GET", `/v1/services?at=${at}%2B01:00`)).status).toBe(200)
      const { status, text } = yield* ask("GET", `/v1/services?at=${at}+01:00`)
      expect([status, JSON.parse(text).errors[0].message]).toEqual([
        400,
        `expected a time like 2026-11-23T14:05:01Z or the seq of an event, found "${at} 01:00"; write + as %2B`
      ])
      const without = yield* ask("GET", `/v1/services?at=${at}`)
      expect(JSON.parse(without.text).errors[0].message).toMatch(/found "2026-11-23T15:05:01"$/)
    }).pipe(Effect.provide(local()))
  )
})
