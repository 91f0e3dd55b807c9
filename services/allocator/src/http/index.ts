import { LowtideApi } from "@lowtide/api/api"
import type { Bus } from "@lowtide/bus"
import type { Ledger } from "@lowtide/ledger"
import { Effect, Layer } from "effect"
import { HttpRouter, type HttpServerError, HttpServerRequest, HttpServerResponse } from "effect/http"
import { HttpApiBuilder, HttpApiMiddleware } from "effect/http-api"
import { layerAccess } from "../access/access.ts"
import type { TokenBook } from "../access/tokens.ts"
import type { Centre } from "../centre.ts"
import { AuditHandlers } from "./audit-handlers.ts"
import { BgpHandlers } from "./bgp-handlers.ts"
import { CentreHandlers } from "./centre-handlers.ts"
import { CurrencyLive } from "./currency.ts"
import { FleetHandlers } from "./fleet-handlers.ts"
import { HealthHandlers } from "./health-handlers.ts"
import { KnownParametersLive } from "./known-parameters.ts"
import { MetricsRoute } from "./metrics.ts"
import { OrderHandlers } from "./order-handlers.ts"
import { Past } from "./past.ts"
import { type ApiProtection, bodyMax, type HttpServerServices, type InvalidListen, layerHttpServer } from "./server.ts"

export { type CertificateFiles, readCertificate } from "./certificate.ts"
export {
  type ApiProtection,
  type HttpServerServices,
  InvalidListen,
  layerHttpServer,
  parseApiListen
} from "./server.ts"

/** A path that is none is a problem like every other (RFC 9457). */
const UnknownPath = HttpRouter.add("*", "/*", (request) =>
  Effect.succeed(
    HttpServerResponse.jsonUnsafe(
      {
        type: "about:blank",
        title: "Not Found",
        status: 404,
        detail: `path: expected one of those in /openapi.json, found ${request.method} ${request.url}`
      },
      { status: 404, contentType: "application/problem+json" }
    )
  )
)

/** Every route of the allocator: the API, `/openapi.json`, `/metrics`. Run it with `HttpRouter.serve`, or take `layerHttp`. */
export const HttpApiLive = Layer.mergeAll(
  HttpApiBuilder.layer(LowtideApi, { openapiPath: "/openapi.json" }).pipe(
    Layer.provide([FleetHandlers, AuditHandlers, BgpHandlers, OrderHandlers, CentreHandlers, HealthHandlers]),
    Layer.provide([CurrencyLive, KnownParametersLive, Past.layer]),
    Layer.provide(HttpApiMiddleware.layerProblemDetails({ includeDetails: true }))
  ),
  MetricsRoute,
  UnknownPath
)

/** The API served at `HOST:PORT` or `unix:/PATH` for as long as the Layer is open, to whom the tokens name; answers the server it runs on. */
export const layerHttp = (
  listen: string,
  tokens?: TokenBook,
  transport: Omit<ApiProtection, "hasTokens"> = {}
): Layer.Layer<HttpServerServices, InvalidListen | HttpServerError.ServeError, Centre | Ledger | Bus> =>
  HttpRouter.serve(HttpApiLive, { disableListenLog: true, disableLogger: true }).pipe(
    Layer.provide(layerAccess(tokens)),
    Layer.provide(Layer.succeed(HttpServerRequest.MaxBodySize, bodyMax)),
    Layer.provideMerge(layerHttpServer(listen, { hasTokens: tokens !== undefined, ...transport }))
  )
