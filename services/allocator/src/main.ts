import { readFileSync } from "node:fs"
import { layerBus, readNatsSettings, readSigningKey } from "@lowtide/bus"
import { ledgerPostgres, migrate } from "@lowtide/ledger"
import { optionalText, readSettings, runService, SettingsFault } from "@lowtide/ops"
import { Config, Effect, Layer, Redacted, Result, Schedule } from "effect"
import { layerAllocator } from "./allocator.ts"
import { Centre } from "./centre.ts"
import { layerHttp } from "./http/index.ts"

/** The allocator's settings, all from the environment; docs/reference/settings.md lists them. */
const settings = {
  databaseUrl: Config.Redacted("DATABASE_URL"),
  natsUrl: Config.String("LOWTIDE_NATS_URL").pipe(Config.withDefault("nats://127.0.0.1:4222")),
  nkeyFile: optionalText("LOWTIDE_NATS_NKEY_FILE"),
  caFile: optionalText("LOWTIDE_NATS_CA_FILE"),
  signingKeyFile: Config.String("LOWTIDE_SIGNING_KEY_FILE"),
  signingKeyId: Config.String("LOWTIDE_SIGNING_KEY_ID"),
  listen: Config.String("LOWTIDE_HTTP_LISTEN").pipe(Config.withDefault("127.0.0.1:7070"))
}

const main = Effect.gen(function* () {
  const { databaseUrl, natsUrl, nkeyFile, caFile, signingKeyFile, signingKeyId, listen } = yield* readSettings(settings)
  const nats = yield* Effect.fromResult(
    Result.mapError(readNatsSettings({ url: natsUrl, nkeyFile, caFile }), (faults) => new SettingsFault({ faults }))
  )
  const key = yield* Effect.try({
    try: () => readSigningKey(signingKeyId, readFileSync(signingKeyFile, "utf8")),
    catch: (cause) =>
      new SettingsFault({ faults: [`LOWTIDE_SIGNING_KEY_FILE: expected a readable Ed25519 key: ${String(cause)}`] })
  })
  const url = Redacted.value(databaseUrl)
  const prepare = migrate(url).pipe(
    Effect.tapError((error) => Effect.logWarning(`LT0501 database unavailable: ${error.message}`)),
    Effect.retry(Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("2 seconds")])),
    Effect.tap((names) =>
      names.length > 0 ? Effect.logInfo(`the schema is brought up to ${names.at(-1)}`) : Effect.void
    ),
    Effect.orDie
  )
  const live = layerHttp(listen).pipe(
    Layer.provideMerge(layerAllocator(key, prepare)),
    Layer.provide(layerBus({ ...nats, name: "allocator", user: { role: "allocator" } })),
    Layer.provide(ledgerPostgres(url))
  )
  return yield* Effect.gen(function* () {
    yield* Effect.logInfo(`the API listens on ${listen}`)
    return yield* (yield* Centre).ended
  }).pipe(Effect.provide(live))
})

runService(main)
