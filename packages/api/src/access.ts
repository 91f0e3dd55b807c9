import { Context, type Effect, Schema } from "effect"
import { HttpApiMiddleware, HttpApiSecurity } from "effect/http-api"
import { ForbiddenProblem, UnauthenticatedProblem } from "./problems.ts"

/** What a credential allows; each role allows what the ones before it do. docs/reference/api.md says what that is. */
export const Role = Schema.Literals(["reader", "operator", "admin"])
export type Role = typeof Role.Type

/** A role, and what it is limited to: without clusters or pools it is for all of them. */
export const Grant = Schema.Struct({
  role: Role,
  clusters: Schema.optionalKey(Schema.Array(Schema.String)),
  pools: Schema.optionalKey(Schema.Array(Schema.String))
})
export type Grant = typeof Grant.Type

/** Who asks, by the credential of the request. */
export class Caller extends Context.Service<
  Caller,
  {
    /** `person:NAME`, `machine:NAME`, or `local:USER` where nobody checked it. */
    readonly actor: string
    readonly kind: "person" | "machine"
    readonly isAuthenticated: boolean
    /** Other names under which the same one has given orders. */
    readonly formerly?: ReadonlyArray<string>
    readonly grants: ReadonlyArray<Grant>
    /** Whether the credential is good still: asked again by what goes on for longer than a moment. */
    readonly isKnown: Effect.Effect<boolean>
  }
>()("@lowtide/api/Caller") {}

/** Tells who asks. Every role may read, so what it lets through may; changes are judged one by one. */
export class Access extends HttpApiMiddleware.Service<Access, { provides: Caller }>()("@lowtide/api/Access", {
  error: [UnauthenticatedProblem, ForbiddenProblem],
  security: { bearer: HttpApiSecurity.bearer }
}) {}
