import { createPublicKey } from "node:crypto"
import { readFileSync } from "node:fs"
import {
  layerBus,
  readIntentKeys,
  readNatsSettings,
  readRetiredKeys,
  readSigningKey,
  type SigningKey
} from "@lowtide/bus"
import { grantAllocator, ledgerPostgres, migrate } from "@lowtide/ledger"
import { optionalText, readSettings, runService, SettingsFault } from "@lowtide/ops"
import { Config, Effect, Layer, Option, Redacted, Result, Schedule } from "effect"
import { followTokens } from "./access/follow-tokens.ts"
import { readTokens } from "./access/tokens.ts"
import { layerAllocator } from "./allocator.ts"
import { defaultAllocatorName } from "./allocators.ts"
import { Centre } from "./centre.ts"
import { checkpointSettings, readCheckpointOptions } from "./checkpoint-settings.ts"
import { armFailpoint } from "./failpoint.ts"
import { layerHttp, parseApiListen, readCertificate } from "./http/index.ts"
import { readDaysMin } from "./retention.ts"
import { layerRouterReports, readStationSettings } from "./router-reports.ts"
import { noOtherKeys } from "./sign-anew.ts"

/** The allocator's settings, all from the environment; docs/reference/settings.md lists them. */
const settings = {
  databaseUrl: Config.Redacted("DATABASE_URL"),
  migrationUrl: Config.Redacted("LOWTIDE_MIGRATION_DATABASE_URL").pipe(Config.option),
  natsUrl: Config.String("LOWTIDE_NATS_URL").pipe(Config.withDefault("nats://127.0.0.1:4222")),
  nkeyFile: optionalText("LOWTIDE_NATS_NKEY_FILE"),
  caFile: optionalText("LOWTIDE_NATS_CA_FILE"),
  signingKeyFile: Config.String("LOWTIDE_SIGNING_KEY_FILE"),
  signingKeyId: Config.String("LOWTIDE_SIGNING_KEY_ID"),
  trustFile: optionalText("LOWTIDE_TRUST_FILE"),
  tokensFile: optionalText("LOWTIDE_TOKENS_FILE"),
  certFile: optionalText("LOWTIDE_HTTP_CERT_FILE"),
  httpKeyFile: optionalText("LOWTIDE_HTTP_KEY_FILE"),
  behindProxy: optionalText("LOWTIDE_HTTP_BEHIND_PROXY"),
  listen: Config.String("LOWTIDE_HTTP_LISTEN").pipe(Config.withDefault("127.0.0.1:7070")),
  name: Config.String("LOWTIDE_ALLOCATOR_NAME").pipe(Config.withDefault(defaultAllocatorName)),
  url: Config.String("LOWTIDE_ALLOCATOR_URL").pipe(Config.option),
  failpoint: Config.String("LOWTIDE_FAILPOINT").pipe(Config.option),
  testFailpoints: Config.String("LOWTIDE_TEST_FAILPOINTS").pipe(Config.withDefault("")),
  replayCheckSeconds: Config.Int("LOWTIDE_REPLAY_CHECK_SECONDS").pipe(Config.withDefault(86_400)),
  wireRetainDays: Config.Int("LOWTIDE_WIRE_RETAIN_DAYS").pipe(Config.withDefault(0)),
  readsRetainDays: Config.Int("LOWTIDE_AUDIT_READS_RETAIN_DAYS").pipe(Config.withDefault(365)),
  bmpListen: optionalText("LOWTIDE_BMP_LISTEN"),
  bmpRouters: optionalText("LOWTIDE_BMP_ROUTERS"),
  bmpPrefixes: optionalText("LOWTIDE_BMP_PREFIXES"),
  bmpRoutesMax: Config.Int("LOWTIDE_BMP_ROUTES_MAX").pipe(Config.withDefault(100_000)),
  ...checkpointSettings
}

/** Brings the database to its schema, by the role that owns it where that is another than the one that works on it. */
const prepareSchema = (url: string, ownerUrl: string | undefined) =>
  ownerUrl === undefined
    ? migrate(url)
    : migrate(ownerUrl).pipe(Effect.tap(() => grantAllocator(ownerUrl, decodeURIComponent(new URL(url).username))))

const main = Effect.gen(function* () {
  const read = yield* readSettings(settings)
  const checkpoints = yield* readCheckpointOptions(read)
  const {
    databaseUrl,
    natsUrl,
    nkeyFile,
    caFile,
    signingKeyFile,
    signingKeyId,
    trustFile,
    tokensFile,
    listen,
    name,
    url: ownUrl
  } = read
  const faults = (
    [
      ["LOWTIDE_REPLAY_CHECK_SECONDS", read.replayCheckSeconds],
      ["LOWTIDE_WIRE_RETAIN_DAYS", read.wireRetainDays]
    ] as const
  ).flatMap(([setting, value]) => (value < 0 ? [`${setting}: expected 0 or more, found ${value}`] : []))
  const { readsRetainDays } = read
  if (readsRetainDays !== 0 && readsRetainDays < readDaysMin) {
    faults.push(`LOWTIDE_AUDIT_READS_RETAIN_DAYS: expected 0 or ${readDaysMin} or more, found ${readsRetainDays}`)
  }
  if (faults.length > 0) return yield* new SettingsFault({ faults })
  if (Option.isSome(read.failpoint)) {
    yield* Effect.fromResult(armFailpoint(read.failpoint.value, read.testFailpoints === "allowed")).pipe(
      Effect.mapError((fault) => new SettingsFault({ faults: [`LOWTIDE_FAILPOINT: ${fault}`] }))
    )
    yield* Effect.logWarning(`this allocator is made to fail at ${read.failpoint.value}, for a test`)
  }
  const nats = yield* Effect.fromResult(
    Result.mapError(readNatsSettings({ url: natsUrl, nkeyFile, caFile }), (faults) => new SettingsFault({ faults }))
  )
  const key = yield* Effect.try({
    try: () => readSigningKey(signingKeyId, readFileSync(signingKeyFile, "utf8")),
    catch: (cause) =>
      new SettingsFault({ faults: [`LOWTIDE_SIGNING_KEY_FILE: expected a readable Ed25519 key: ${String(cause)}`] })
  })
  const keys = trustFile === undefined ? noOtherKeys : yield* readOtherKeys(trustFile, key)
  const tokens = tokensFile === undefined ? undefined : yield* readTokensFile(tokensFile)
  const transport = yield* readTransport(read)
  yield* Effect.fromResult(parseApiListen(listen, { hasTokens: tokens !== undefined, ...transport })).pipe(
    Effect.mapError(({ message }) => new SettingsFault({ faults: [`LOWTIDE_HTTP_LISTEN: ${message}`] }))
  )
  const station = yield* Effect.fromResult(
    Result.mapError(readStationSettings(read), (faults) => new SettingsFault({ faults }))
  )
  const url = Redacted.value(databaseUrl)
  const ownerUrl = Option.match(read.migrationUrl, { onNone: () => undefined, onSome: Redacted.value })
  const prepare = prepareSchema(url, ownerUrl).pipe(
    Effect.tapError((error) => Effect.logWarning(`LT0501 database unavailable: ${error.message}`)),
    Effect.retry(Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("2 seconds")])),
    Effect.tap((names) =>
      names.length > 0 ? Effect.logInfo(`the schema is brought up to ${names.at(-1)}`) : Effect.void
    ),
    Effect.orDie
  )
  const upkeep = {
    replayCheckEveryMs: read.replayCheckSeconds === 0 ? undefined : read.replayCheckSeconds * 1_000,
    wireRetainDays: read.wireRetainDays === 0 ? undefined : read.wireRetainDays,
    readsRetainDays: readsRetainDays === 0 ? undefined : readsRetainDays
  }
  const identity = { name, url: Option.getOrElse(ownUrl, () => urlOf(listen, transport.tls !== undefined)) }
  const live = layerHttp(listen, tokens, transport).pipe(
    Layer.provideMerge(layerAllocator(key, prepare, identity, checkpoints, upkeep, keys)),
    Layer.provide(layerRouterReports(station)),
    Layer.provide(layerBus({ ...nats, name: "allocator", user: { role: "allocator" } })),
    Layer.provide(ledgerPostgres(url))
  )
  return yield* Effect.gen(function* () {
    yield* Effect.logInfo(`the API listens on ${listen}`)
    const centre = yield* Centre
    return yield* Effect.ensuring(centre.ended, centre.resign) // before requests in flight are waited for
  }).pipe(Effect.provide(live))
})

/** By whose signatures nodes prove where they are; the allocator's own key has to be among them, or they are another centre's. */
const readOtherKeys = Effect.fnUntraced(function* (file: string, { keyId, privateKey }: SigningKey) {
  const text = yield* Effect.try({
    try: () => readFileSync(file, "utf8"),
    catch: (cause) => new SettingsFault({ faults: [`LOWTIDE_TRUST_FILE: expected a readable file: ${String(cause)}`] })
  })
  const keys = readIntentKeys(text)
  if (Result.isFailure(keys)) {
    return yield* new SettingsFault({ faults: [`LOWTIDE_TRUST_FILE ${file}: ${keys.failure}`] })
  }
  if (keys.success.get(keyId)?.equals(createPublicKey(privateKey)) !== true) {
    const found = `[${[...keys.success.keys()].join(", ")}]${keys.success.has(keyId) ? ", with another key of that name" : ""}`
    return yield* new SettingsFault({
      faults: [
        `LOWTIDE_TRUST_FILE ${file}: expected the public half of the key ${keyId} that signs among others, found ${found}`
      ]
    })
  }
  const retired = readRetiredKeys(text)
  if (retired.has(keyId)) {
    return yield* new SettingsFault({
      faults: [
        `LOWTIDE_SIGNING_KEY_ID: expected a key that nodes believe, found ${keyId}, which LOWTIDE_TRUST_FILE ${file} says is retired`
      ]
    })
  }
  return { others: keys.success, retired }
})

const readTokensFile = (file: string) =>
  Effect.try({
    try: () => readFileSync(file, "utf8"),
    catch: (cause) => new SettingsFault({ faults: [`LOWTIDE_TOKENS_FILE: expected a readable file: ${String(cause)}`] })
  }).pipe(
    Effect.flatMap((text) =>
      Effect.flatMap(Effect.fromResult(readTokens(text)), (book) => followTokens(file, text, book))
    ),
    Effect.catchTag("InvalidTokens", ({ faults }) =>
      Effect.fail(new SettingsFault({ faults: faults.map((fault) => `LOWTIDE_TOKENS_FILE ${file}: ${fault}`) }))
    )
  )

/** With what the API speaks TLS, as far as it can be told before it listens. */
const readTransport = Effect.fnUntraced(function* (read: {
  readonly certFile: string | undefined
  readonly httpKeyFile: string | undefined
  readonly behindProxy: string | undefined
}) {
  const { certFile: certificateFile, httpKeyFile: keyFile, behindProxy } = read
  const faults: Array<string> = []
  if ((certificateFile === undefined) !== (keyFile === undefined)) {
    const [has, lacks] = keyFile === undefined ? ["CERT", "KEY"] : ["KEY", "CERT"]
    faults.push(`LOWTIDE_HTTP_${lacks}_FILE: expected it beside LOWTIDE_HTTP_${has}_FILE, found nothing`)
  }
  if (behindProxy !== undefined && behindProxy !== "yes") {
    faults.push(`LOWTIDE_HTTP_BEHIND_PROXY: expected yes, found ${JSON.stringify(behindProxy)}`)
  }
  const tls = certificateFile === undefined || keyFile === undefined ? undefined : { certificateFile, keyFile }
  const certificate = tls === undefined ? undefined : readCertificate(tls)
  if (certificate !== undefined && Result.isFailure(certificate)) {
    faults.push(`LOWTIDE_HTTP_CERT_FILE ${certificateFile}: ${certificate.failure}`)
  }
  if (faults.length > 0) return yield* new SettingsFault({ faults })
  return { tls, isBehindProxy: behindProxy === "yes" }
})

/** Where others on this machine reach what listens at `HOST:PORT` or `unix:/PATH`. */
const urlOf = (listen: string, hasTls: boolean): string =>
  listen.startsWith("unix:") ? listen : `${hasTls ? "https" : "http"}://${listen}`

runService(Effect.scoped(main))
