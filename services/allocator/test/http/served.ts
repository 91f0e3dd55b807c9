import { layerClient, type ServerAddress } from "@lowtide/api"
import { memoryLedger } from "@lowtide/testkit/memory-ledger"
import { Effect, Layer } from "effect"
import { HttpServer } from "effect/http"
import type { Centre, CentreHealth, CommittedView } from "../../src/centre.ts"
import { layerHttp } from "../../src/http/index.ts"
import { commitSample, deafBus, fixedCentre, sampleNodes, startMs } from "./sample.ts"

/** The API over the sample, served for the time of a test. */
export const served = (
  listen: string,
  health?: CentreHealth,
  more: (view: CommittedView) => Partial<Centre["Service"]> = () => ({})
) => {
  const clock = { nowMs: startMs }
  const ledger = memoryLedger({ nowMs: () => clock.nowMs })
  const centre = Layer.unwrap(
    Effect.map(commitSample(clock), (view) =>
      fixedCentre(
        { ...view, nodes: sampleNodes(Date.now()) },
        { ...(health === undefined ? {} : { health: Effect.succeed(health) }), ...more(view) }
      )
    )
  )
  return layerHttp(listen).pipe(Layer.provide([centre, deafBus]), Layer.provideMerge(ledger))
}

/** Where the server of a test listens. */
export const addressOf = HttpServer.HttpServer.use(({ address }) =>
  Effect.sync((): ServerAddress => {
    if (address._tag === "UnixPathAddress") return { _tag: "UnixSocket", path: address.path }
    if (address._tag === "InetAddressV4") return { _tag: "Url", url: `http://127.0.0.1:${address.port}` }
    throw new Error(`expected a server on 127.0.0.1 or a socket, found ${address._tag}`)
  })
)

/** The API served, and a client of it. */
export const withClient = (listen: string) =>
  Layer.unwrap(Effect.map(addressOf, layerClient)).pipe(Layer.provideMerge(served(listen)))

/** Both, on a port of 127.0.0.1. */
export const local = () => withClient("127.0.0.1:0")
