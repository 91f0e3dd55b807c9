import { readFileSync } from "node:fs"
import { join } from "node:path"
import { type BusOptions, readNatsSettings } from "@lowtide/bus/connection-options"
import { parseIpAddress } from "@lowtide/net"
import { type ListenAddress, parseListen, SettingsFault } from "@lowtide/ops"
import { Config, Effect, Option, Result } from "effect"
import { parseStations } from "./bmp-reporting.ts"
import { type ListenPlace, parseListenPlaces } from "./listening.ts"
import type { LocalSettings } from "./peer-options.ts"
import { readTrust, type Trust } from "./trust.ts"

/** Everything a speaker is started with. */
export interface SpeakerConfig {
  readonly settings: LocalSettings
  readonly trust: Trust
  /** What `trust` was read from, to be followed. */
  readonly trustFiles: TrustFiles
  readonly nats: Pick<BusOptions, "servers" | "nkeyFile" | "caFile">
  readonly stateFolder: string
  /** Where it answers a person at the node. */
  readonly controlSocket: string
  readonly manifestsFolder: string
  /** Where Secrets are, a folder each: `NAMESPACE/NAME`. */
  readonly secretsFolder: string | undefined
  readonly httpListen: ListenAddress
  /** Where peers may connect to; none: only the node opens sessions. */
  readonly bgpListen: ReadonlyArray<ListenPlace>
  /** BMP stations that are told of the node's sessions. */
  readonly bmpStations: ReadonlyArray<ListenPlace>
  /** The control socket of the node's BFD. */
  readonly bfdSocket: string
  /** At its end the node leaves for good, after routers had so long to choose others; undefined: it comes back. */
  readonly leaveMs: number | undefined
}

/** The files that say whom a node believes, and their texts as they were read. */
export interface TrustFiles {
  readonly trustFile: string
  readonly allowedFile: string
  readonly trustText: string
  readonly allowedText: string
}

/** Reads the environment and the files that it names. */
export const readConfig: Effect.Effect<SpeakerConfig, SettingsFault> = Effect.gen(function* () {
  const faults: Array<string> = []
  const optional = (name: string) =>
    Config.String(name).pipe(
      Config.option,
      Effect.map(Option.getOrUndefined),
      Effect.map((text) => (text === "" ? undefined : text)),
      Effect.catch((error) => {
        faults.push(`${name}: ${error.message}`)
        return Effect.succeed(undefined)
      })
    )
  const required = (name: string, what: string) =>
    Effect.map(optional(name), (text) => {
      if (text === undefined) faults.push(`${name}: expected ${what}, found nothing`)
      return text ?? ""
    })
  const address = (name: string, family?: 4 | 6) =>
    Effect.map(optional(name), (text) => {
      const parsed = text === undefined ? undefined : parseIpAddress(text)
      if (
        parsed === undefined ||
        (Result.isSuccess(parsed) && (family ?? parsed.success.family) === parsed.success.family)
      ) {
        return text
      }
      faults.push(
        `${name}: expected an IP${family === undefined ? "" : `v${family}`} address, found ${JSON.stringify(text)}`
      )
      return undefined
    })
  const cluster = yield* required("LOWTIDE_CLUSTER", "the cluster's name")
  const node = yield* required("LOWTIDE_NODE", "the node's name")
  const natsUrl = yield* required("LOWTIDE_NATS_URL", "a URL such as nats://192.0.2.1:4222")
  const nkeyFile = yield* optional("LOWTIDE_NATS_NKEY_FILE")
  const caFile = yield* optional("LOWTIDE_NATS_CA_FILE")
  const nats = natsUrl === "" ? undefined : readNatsSettings({ url: natsUrl, nkeyFile, caFile })
  if (nats !== undefined && Result.isFailure(nats)) faults.push(...nats.failure)
  const stateFolder = yield* required("LOWTIDE_STATE_DIR", "a folder for this speaker alone")
  const controlSocket = (yield* optional("LOWTIDE_CONTROL_SOCKET")) ?? join(stateFolder, "control.sock")
  const manifestsFolder = yield* required("LOWTIDE_MANIFESTS", "the folder of the cluster's manifests")
  const secretsFolder = yield* optional("LOWTIDE_SECRETS_DIR")
  const trustFile = yield* required("LOWTIDE_TRUST_FILE", "a file with {cluster, intentKeys, installKey}")
  const allowedFile = yield* required("LOWTIDE_ALLOWED_PREFIXES_FILE", "a file signed by the install key")
  const listenText = yield* required("LOWTIDE_HTTP_LISTEN", "host:port or unix:/path")
  const routerId = yield* address("LOWTIDE_ROUTER_ID", 4)
  if (routerId === "0.0.0.0") faults.push("LOWTIDE_ROUTER_ID: expected another than 0.0.0.0 (RFC 6286)")
  const settings = {
    cluster,
    node,
    routerId,
    localAddress: yield* address("LOWTIDE_LOCAL_ADDRESS"),
    nextHopIpv4: yield* address("LOWTIDE_NEXT_HOP_IPV4", 4),
    nextHopIpv6: yield* address("LOWTIDE_NEXT_HOP_IPV6", 6)
  }
  const bfdSocket = yield* optional("LOWTIDE_BFD_SOCKET")
  const leaveText = yield* optional("LOWTIDE_LEAVE_SECONDS")
  const leaveMs = leaveText === undefined ? undefined : Number(leaveText) * 1000
  if (leaveText !== undefined && !(/^\d+$/.test(leaveText) && Number(leaveText) <= 3600)) {
    faults.push(`LOWTIDE_LEAVE_SECONDS: expected a whole number in 0..3600, found ${JSON.stringify(leaveText)}`)
  }
  const listen =
    listenText === "" ? undefined : Result.mapError(parseListen(listenText), (text) => `LOWTIDE_HTTP_LISTEN: ${text}`)
  if (listen !== undefined && Result.isFailure(listen)) faults.push(listen.failure)
  const bgpListenText = yield* optional("LOWTIDE_BGP_LISTEN")
  const bgpListen =
    bgpListenText === undefined
      ? Result.succeed([])
      : Result.mapError(parseListenPlaces(bgpListenText), (text) => `LOWTIDE_BGP_LISTEN: ${text}`)
  if (Result.isFailure(bgpListen)) faults.push(bgpListen.failure)
  const stationsText = yield* optional("LOWTIDE_BMP_STATIONS")
  const bmpStations =
    stationsText === undefined
      ? Result.succeed([])
      : Result.mapError(parseStations(stationsText), (text) => `LOWTIDE_BMP_STATIONS: ${text}`)
  if (Result.isFailure(bmpStations)) faults.push(bmpStations.failure)
  const trust = yield* Effect.sync(() => readTrustFiles({ cluster, trustFile, allowedFile }, faults))
  if (
    faults.length > 0 ||
    trust === undefined ||
    !isGood(listen) ||
    !isGood(bgpListen) ||
    !isGood(bmpStations) ||
    !isGood(nats)
  ) {
    return yield* new SettingsFault({ faults })
  }
  return {
    settings,
    ...trust,
    nats: nats.success,
    stateFolder,
    controlSocket,
    manifestsFolder,
    secretsFolder,
    httpListen: listen.success,
    bgpListen: bgpListen.success,
    bmpStations: bmpStations.success,
    bfdSocket: bfdSocket ?? join(stateFolder, "bfd.sock"),
    leaveMs
  }
})

const isGood = <A, E>(result: Result.Result<A, E> | undefined): result is Result.Success<A, E> =>
  result !== undefined && Result.isSuccess(result)

const readTrustFiles = (
  { cluster, trustFile, allowedFile }: Readonly<Record<"cluster" | "trustFile" | "allowedFile", string>>,
  faults: Array<string>
): Pick<SpeakerConfig, "trust" | "trustFiles"> | undefined => {
  const read = (name: string, path: string): string | undefined => {
    if (path === "") return undefined
    try {
      return readFileSync(path, "utf8")
    } catch (cause) {
      faults.push(`${name}: ${String(cause)}`)
      return undefined
    }
  }
  const trustText = read("LOWTIDE_TRUST_FILE", trustFile)
  const allowedText = read("LOWTIDE_ALLOWED_PREFIXES_FILE", allowedFile)
  if (trustText === undefined || allowedText === undefined || cluster === "") return undefined
  const trust = readTrust({ cluster, trustText, allowedText })
  if (Result.isSuccess(trust)) {
    return { trust: trust.success, trustFiles: { trustFile, allowedFile, trustText, allowedText } }
  }
  faults.push(...trust.failure)
  return undefined
}
