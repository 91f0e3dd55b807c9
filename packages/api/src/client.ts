import { Context, Data, Effect, Layer, Result } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"
import { HttpApiClient } from "effect/http-api"
import { LowtideApi } from "./api.ts"
import { NodeApi } from "./node-api.ts"
import { userHeader } from "./user-header.ts"

/** Where an allocator listens: an HTTP URL, or a Unix socket. */
export type ServerAddress =
  | { readonly _tag: "Url"; readonly url: string }
  | { readonly _tag: "UnixSocket"; readonly path: string }

/** The text names no server. */
export class InvalidServer extends Data.TaggedError("InvalidServer")<{ readonly found: string }> {
  override get message() {
    return `server: expected http://HOST:PORT, https://HOST:PORT or unix:/PATH, found ${JSON.stringify(this.found)}`
  }
}

/** Reads `http://127.0.0.1:7070`, `https://lowtide.example.org` or `unix:/run/lowtide/api.sock`. */
export const parseServer = (text: string): Result.Result<ServerAddress, InvalidServer> => {
  if (text.startsWith("unix:/")) return Result.succeed({ _tag: "UnixSocket", path: text.slice("unix:".length) })
  if (/^https?:\/\/[^/]/.test(text) && URL.canParse(text)) {
    return Result.succeed({ _tag: "Url", url: text.replace(/\/+$/, "") })
  }
  return Result.fail(new InvalidServer({ found: text }))
}

/** Calls every endpoint of `LowtideApi` by name, with typed parameters, answers and problems. */
export class LowtideClient extends Context.Service<LowtideClient, HttpApiClient.ForApi<typeof LowtideApi>>()(
  "@lowtide/api/LowtideClient"
) {}

/** Calls what a speaker answers on its own socket. */
export class NodeClient extends Context.Service<NodeClient, HttpApiClient.ForApi<typeof NodeApi>>()(
  "@lowtide/api/NodeClient"
) {}

/** A client of the speaker whose socket has this path; `user` is who asks, for the record. */
export const layerNodeClient = (path: string, user: string): Layer.Layer<NodeClient> =>
  Layer.effect(
    NodeClient,
    HttpApiClient.make(NodeApi, {
      baseUrl: "http://localhost",
      transformClient: HttpClient.mapRequest(HttpClientRequest.setHeader(userHeader, user))
    })
  ).pipe(Layer.provide(layerHttpClient({ _tag: "UnixSocket", path }, undefined)))

/** Whom to believe that it is the allocator: certificates of authorities as PEM; the system's without. */
export interface ClientTrust {
  readonly authorities?: string | undefined
}

/** Who asks: a token where the allocator has a tokens file, a name that nobody checks where it has none. */
export interface ClientCredential {
  readonly token?: string | undefined
  readonly user?: string | undefined
}

/** A client of one allocator. Over TLS or a Unix socket it takes longer to load, since `fetch` takes neither authorities nor a socket. */
export const layerClient = (
  server: ServerAddress,
  { token, user, authorities }: ClientCredential & ClientTrust = {}
): Layer.Layer<LowtideClient> =>
  Layer.effect(
    LowtideClient,
    HttpApiClient.make(LowtideApi, {
      baseUrl: server._tag === "Url" ? server.url : "http://localhost",
      transformClient: HttpClient.mapRequest((request) => {
        if (token !== undefined) return HttpClientRequest.bearerToken(request, token)
        return user === undefined ? request : HttpClientRequest.setHeader(request, userHeader, user)
      })
    })
  ).pipe(Layer.provide(layerHttpClient(server, authorities)))

const layerHttpClient = (
  server: ServerAddress,
  authorities: string | undefined
): Layer.Layer<HttpClient.HttpClient> => {
  if (server._tag === "Url" && !server.url.startsWith("https:")) return FetchHttpClient.layer
  return Layer.unwrap(
    Effect.promise(async () => {
      const [client, { getCACertificates }] = await Promise.all([
        import("@effect/platform-node/NodeHttpClient"),
        import("node:tls")
      ])
      const ca = () => authorities ?? [...getCACertificates("default"), ...getCACertificates("system")]
      return client.layerUndiciOptions({
        connect: server._tag === "UnixSocket" ? { socketPath: server.path } : { ca: ca() }
      })
    })
  )
}
