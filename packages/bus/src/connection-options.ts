import { readFileSync } from "node:fs"
import { checkServerIdentity, type PeerCertificate } from "node:tls"
import { type NodeConnectionOptions, nkeyAuthenticator } from "@nats-io/transport-node"
import { Result } from "effect"
import { publicKeyOf } from "./nats-users.ts"
import { type BusUser, inboxPrefix } from "./permissions.ts"

/** Where NATS is and who connects. */
export interface BusOptions {
  /** `nats://127.0.0.1:4222` or `tls://nats.example.org:4222`; several, for a cluster of servers. */
  readonly servers: ReadonlyArray<string>
  /** Shown by the server for this connection. */
  readonly name: string
  /** Answers come on this user's own subjects; without one, where everybody's do. */
  readonly user?: BusUser | undefined
  /** The user's seed. It is read anew for each connection, so that an exchanged key needs no restart. */
  readonly nkeyFile?: string | undefined
  /** PEM; whom to believe that it is the server. Without it, `tls://` believes the system's authorities. */
  readonly caFile?: string | undefined
}

/** Settings of a process as they stand in its environment; docs/reference/settings.md has them. */
export interface NatsSettings {
  readonly url: string
  readonly nkeyFile: string | undefined
  readonly caFile: string | undefined
}

/** Checks what can be checked without a server. The failures are sentences, each with its setting's name. */
export const readNatsSettings = (
  settings: NatsSettings
): Result.Result<Pick<BusOptions, "servers" | "nkeyFile" | "caFile">, ReadonlyArray<string>> => {
  const servers = settings.url.split(",").map((url) => url.trim())
  const faults = servers
    .filter((url) => !URL.canParse(url) || !/^(nats|tls):\/\/[^@]+$/.test(url))
    .map(
      (url) =>
        `LOWTIDE_NATS_URL: expected nats://HOST:PORT or tls://HOST:PORT, found ${JSON.stringify(url.replace(/\/\/.*@/, "//...@"))}`
    )
  const check = (name: string, file: string | undefined, read: (text: string) => unknown) => {
    try {
      if (file !== undefined) read(readFileSync(file, "utf8"))
    } catch (cause) {
      faults.push(`${name}: ${file}: ${cause instanceof Error ? cause.message : String(cause)}`)
    }
  }
  check("LOWTIDE_NATS_NKEY_FILE", settings.nkeyFile, publicKeyOf)
  check("LOWTIDE_NATS_CA_FILE", settings.caFile, (text) => {
    if (!text.includes("BEGIN CERTIFICATE")) throw new TypeError("expected a certificate as PEM, found none")
  })
  return faults.length > 0
    ? Result.fail(faults)
    : Result.succeed({ servers, nkeyFile: settings.nkeyFile, caFile: settings.caFile })
}

/** What the client library is told. */
export const connectionOptions = ({ servers, name, user, nkeyFile, caFile }: BusOptions): NodeConnectionOptions => ({
  servers: [...servers],
  name,
  maxReconnectAttempts: -1,
  reconnectTimeWait: 250,
  reconnectJitter: 100,
  waitOnFirstConnect: true,
  ignoreAuthErrorAbort: true, // credentials may be put right on the server: a refusal is no end
  pingInterval: 5_000,
  maxPingOut: 2,
  ...(user === undefined ? {} : { inboxPrefix: inboxPrefix(user) }),
  ...(nkeyFile === undefined ? {} : { authenticator: nkeyAuthenticator(seedReader(nkeyFile)) }),
  ...(caFile === undefined && !servers.some((url) => url.startsWith("tls://"))
    ? {}
    : { tls: tlsOptions(servers, caFile) })
})

/** The seed as the file has it now; while the file cannot be read, as it was. */
const seedReader = (file: string) => {
  let seed = new Uint8Array()
  return () => {
    try {
      seed = new TextEncoder().encode(readFileSync(file, "utf8").trim())
    } catch {
      // A file that is being exchanged: the server refuses what is no longer good, and we try again.
    }
    return seed
  }
}

type TlsSettings = NonNullable<NodeConnectionOptions["tls"]>

const tlsOptions = (servers: ReadonlyArray<string>, caFile: string | undefined): TlsSettings => {
  const options: TlsSettings & { readonly checkServerIdentity: unknown } = {
    ...(caFile === undefined ? {} : { caFile }),
    checkServerIdentity: isOneOf(servers)
  }
  return options
}

/**
 * The certificate has to be for one of the servers that were named. The library compares it with "localhost" where a
 * server is named by its address, or was heard of from another server of the same cluster.
 */
const isOneOf = (servers: ReadonlyArray<string>) => {
  const hosts = servers.map((url) => new URL(url).hostname.replace(/^\[(.*)\]$/, "$1"))
  return (_host: string, certificate: PeerCertificate): Error | undefined => {
    const faults = hosts.map((host) => checkServerIdentity(host, certificate))
    return faults.some((fault) => fault === undefined) ? undefined : faults[0]
  }
}
