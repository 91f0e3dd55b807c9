import { Access, Caller } from "@lowtide/api/access"
import { ForbiddenProblem, UnauthenticatedProblem } from "@lowtide/api/problems"
import type { TokenHolder } from "@lowtide/api/tokens"
import { userHeader } from "@lowtide/api/user-header"
import { codes } from "@lowtide/domain"
import type { Ledger } from "@lowtide/ledger"
import { Clock, Effect, Layer, Redacted } from "effect"
import { HttpServerRequest } from "effect/http"
import type { Centre } from "../centre.ts"
import { isLoopback } from "../http/server.ts"
import { makeNoteRead } from "./note-read.ts"
import type { TokenBook } from "./tokens.ts"

/**
 * Tells who asks. With tokens, by the token of the request. Without, whoever reaches the listener, which only this machine
 * does, may do everything under the name that it gives, except what takes a named person. Who asked something of the record,
 * and was answered, is written down.
 */
export const layerAccess = (tokens: TokenBook | undefined): Layer.Layer<Access, never, Centre | Ledger> =>
  Layer.effect(
    Access,
    Effect.gen(function* () {
      const noteRead = yield* makeNoteRead
      return Access.of({
        bearer: Effect.fnUntraced(function* (handler, { credential, endpoint, group }) {
          const caller = yield* tokens === undefined ? localCaller : callerOf(tokens, Redacted.value(credential))
          return yield* Effect.provideService(handler, Caller, caller).pipe(
            Effect.tap(() => noteRead(caller, { endpoint, group }))
          )
        })
      })
    })
  )

/** Who gives a token. */
export const callerOf = Effect.fnUntraced(function* (tokens: TokenBook, token: string) {
  const holder = token === "" ? undefined : tokens.holderOf(token)
  if (holder === undefined) return yield* unauthenticated(token === "" ? "none" : "another")
  const { kind, name, formerly = [], roles, expires } = holder
  if (!isGood(holder, yield* Clock.currentTimeMillis)) {
    return yield* unauthenticated(`that of ${name}, which expired at ${expires}`)
  }
  const caller: Caller["Service"] = {
    actor: `${kind}:${name}`,
    kind,
    isAuthenticated: true,
    formerly,
    grants: roles,
    isKnown: Effect.map(Clock.currentTimeMillis, (nowMs) => isGood(tokens.holderOf(token), nowMs))
  }
  return caller
})

const isGood = (holder: TokenHolder | undefined, nowMs: number): boolean =>
  holder !== undefined && (holder.expires === undefined || nowMs < Date.parse(holder.expires))

const unauthenticated = (found: string) =>
  new UnauthenticatedProblem({
    detail: `token: expected one that the tokens file has, found ${found}`,
    code: "LT0601",
    fix: codes.LT0601.fix
  })

/** A name that may stand in an actor. */
const userName = /^[A-Za-z0-9._@-]{1,63}$/

/**
 * A page in a browser of this machine reaches loopback as well, under a name that its owner resolves to it: then the
 * request says so in its Host.
 */
const localCaller = Effect.gen(function* () {
  const { headers } = yield* HttpServerRequest.HttpServerRequest
  const host = hostName(headers.host ?? "localhost")
  if (!isLoopback(host)) {
    return yield* new ForbiddenProblem({
      detail: `host: expected a loopback address or localhost, since callers are not asked who they are, found ${JSON.stringify(host)}`,
      code: "LT0601",
      fix: "Ask by http://127.0.0.1:PORT, or set LOWTIDE_TOKENS_FILE and give a token",
      role: "a token"
    })
  }
  const user = headers[userHeader] ?? ""
  const caller: Caller["Service"] = {
    actor: `local:${userName.test(user) ? user : "unknown"}`,
    kind: "person",
    isAuthenticated: false,
    grants: [{ role: "admin" }],
    isKnown: Effect.succeed(true)
  }
  return caller
})

/** `127.0.0.1:7070` and `[::1]:7070` without port and brackets. */
const hostName = (host: string): string => /^\[(.*)\]/.exec(host)?.[1] ?? host.replace(/:\d*$/, "")
