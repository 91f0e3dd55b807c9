import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { LabError, startRelay } from "@lowtide/testkit/lab/index"
import { makeLedgerRoles } from "@lowtide/testkit/ledger-roles"
import { startNats } from "@lowtide/testkit/nats"
import { startPostgres } from "@lowtide/testkit/postgres"
import { freePort } from "@lowtide/testkit/scratch-folder"
import { temporaryDatabase } from "@lowtide/testkit/temporary-database"
import { Effect, type Scope } from "effect"
import { bundle } from "../bundle.mjs"
import { type Component, serverComponent, startComponent } from "./component.ts"
import { type Credentials, makeCredentials, natsInclude } from "./credentials.ts"
import { type ClusterPlan, readClusterFacts } from "./plan.ts"
import { loopbackManifest, makeLoopbackSite, makeNamespaceSite, type Site } from "./site.ts"

/** A fleet to start: where its files go, on what ground it stands, and the clusters' manifests to begin with. */
export interface FleetOptions {
  /** What people look at: manifests, statuses, logs. */
  readonly folder: string
  /** What only processes look at: data, sockets, state. Other users' servers must reach it, and paths in it must be short. */
  readonly runFolder: string
  readonly ground: "namespaces" | "loopback"
  /** Whether BIRD is on PATH; without it the loopback ground has a listener of our own. */
  readonly hasBird: boolean
  /** Samples are copied from here, `SAMPLES/east` and so on, into `FOLDER/manifests`. */
  readonly samples: string
  readonly clusters: ReadonlyArray<Omit<ClusterPlan, "manifests">>
  /** A PostgreSQL to use instead of one of our own: the fleet gets a database of its own on it, which goes with the fleet. */
  readonly databaseUrl?: string
  /** The port on 127.0.0.1 that the API is reached at; 0 for any. */
  readonly apiPort: number
  readonly say: (line: string) => void
}

/** A running fleet. Everything of it ends with the scope. */
export interface Fleet {
  readonly site: Site
  readonly apiUrl: string
  readonly manifests: string
  readonly statuses: string
  readonly logs: string
  /** Whose checkpoints of the ledger are to be believed; the checkpoints are in the folder beside the logs. */
  readonly checkpointKeys: string
  /** By name: `postgres` (unless it is the caller's), `nats`, `allocator`, `agent-CLUSTER`, `speaker-NODE`, `bfd-NODE`. */
  readonly components: ReadonlyMap<string, Component>
  /** When the allocator was started, milliseconds since 1970: what times to routes are counted from. */
  readonly startedAtMs: number
}

const natsPort = 4222
const apiPortInside = 7070

/** The samples of this project. */
export const sampleFolder = fileURLToPath(new URL("../../deploy/samples", import.meta.url))

const rolesFile = fileURLToPath(new URL("../../deploy/postgres/roles.sql", import.meta.url))

/** The fleet of the demo: two clusters of three nodes, BIRD as the router of one and FRR of the other. */
export const sampleClusters: FleetOptions["clusters"] = [
  { name: "east", subnet4: "10.1.0.0/24", subnet6: "2001:db8:1::/64", router: "bird" },
  { name: "west", subnet4: "10.2.0.0/24", subnet6: "2001:db8:2::/64", router: "frr" }
]

/** Starts every process of a fleet, for real: nothing in it knows that it is a demo. */
export const startFleet = (wanted: FleetOptions): Effect.Effect<Fleet, LabError, Scope.Scope> =>
  Effect.gen(function* () {
    const options = { ...wanted, apiPort: wanted.apiPort === 0 ? yield* freePort(0) : wanted.apiPort }
    const { folder, runFolder, say } = options
    chmodSync(runFolder, 0o711)
    const manifests = join(folder, "manifests")
    const statuses = join(folder, "statuses")
    const plans = options.clusters.map((cluster) => ({ ...cluster, manifests: join(manifests, cluster.name) }))
    copySamples(options, plans)
    const clusters = plans.map((plan) => ({ plan, facts: readClusterFacts(plan.manifests) }))
    const bundles = yield* buildBundles(["allocator", "agent", "speaker", "bfd", "cli"])
    say(options.ground === "namespaces" ? "network namespaces, routers and endpoints" : "routers on loopback addresses")
    const site = yield* options.ground === "namespaces"
      ? makeNamespaceSite(runFolder, clusters)
      : makeLoopbackSite(runFolder, clusters, options.hasBird)
    const credentials = yield* makeCredentials({
      cli: bundles.get("cli") ?? "",
      folder: join(runFolder, "credentials"),
      natsFolder: natsFolder(site),
      natsHosts: [...new Set([site.centreAddress, "127.0.0.1"])],
      clusters: clusters.map(({ plan, facts }) => ({ name: plan.name, allowedPrefixes: facts.allowedPrefixes }))
    })
    const components = new Map<string, Component>()
    const natsUrl = yield* startServers(options, site, components)
    const startedAtMs = Date.now()
    const logs = join(folder, "logs")
    yield* startCentre({ logs, options, site, credentials, bundles, components, natsUrl, manifests, statuses })
    const apiUrl = yield* reachApi(options, site)
    yield* startSpeakers({ logs, site, credentials, bundles, components, natsUrl })
    const { checkpointKeys } = credentials
    return { site, apiUrl, manifests, statuses, logs, checkpointKeys, components, startedAtMs }
  })

/** Copies the samples, as the ground needs them; what a former run left is written over. */
const copySamples = ({ samples, ground }: FleetOptions, plans: ReadonlyArray<ClusterPlan>): void => {
  for (const [index, plan] of plans.entries()) {
    mkdirSync(plan.manifests, { recursive: true })
    cpSync(join(samples, plan.name), plan.manifests, { recursive: true })
    if (ground === "namespaces") continue
    for (const file of readdirSync(plan.manifests, { recursive: true, encoding: "utf8" })) {
      if (!/\.ya?ml$/.test(file)) continue
      const path = join(plan.manifests, file)
      writeFileSync(path, loopbackManifest(readFileSync(path, "utf8"), index))
    }
  }
}

const buildBundles = (services: ReadonlyArray<string>): Effect.Effect<ReadonlyMap<string, string>, LabError> =>
  Effect.tryPromise({
    try: async () => {
      const files = await Promise.all(
        services.map(async (service) => [service, (await bundle(service))?.file ?? ""] as const)
      )
      return new Map(files)
    },
    catch: (cause) => new LabError({ operation: "bundle the services", detail: String(cause) })
  })

/** Starts PostgreSQL, unless the caller has one, and NATS; answers where the nodes find NATS. */
const startServers = (options: FleetOptions, site: Site, components: Map<string, Component>) =>
  Effect.gen(function* () {
    options.say("PostgreSQL and NATS")
    const secured = { folder: natsFolder(site), tls: true, configuration: natsInclude }
    const nats = yield* startNats(
      site.centreNamespace === undefined
        ? secured
        : { ...secured, namespace: site.centreNamespace, host: site.centreAddress, port: natsPort }
    )
    components.set("nats", serverComponent("nats", nats))
    return nats.url
  })

const natsFolder = (site: Site): string => join(site.folder, "nats")

interface CentreParts {
  readonly logs: string
  readonly options: FleetOptions
  readonly site: Site
  readonly credentials: Credentials
  readonly bundles: ReadonlyMap<string, string>
  readonly components: Map<string, Component>
  readonly natsUrl: string
  readonly manifests: string
  readonly statuses: string
}

const startCentre = ({
  logs,
  options,
  site,
  credentials,
  bundles,
  components,
  natsUrl,
  manifests,
  statuses
}: CentreParts) =>
  Effect.gen(function* () {
    const database = yield* startDatabase(options, site, components)
    options.say("allocator and agents")
    // A database elsewhere is reached from where this process is, not from inside the centre's namespace.
    const isOutside = options.databaseUrl !== undefined && site.centreNamespace !== undefined
    const allocatorNats = isOutside ? yield* relayNats(site) : natsUrl
    const run = (name: string, service: string, namespace: string | undefined, env: Readonly<Record<string, string>>) =>
      startComponent({
        name,
        command: [process.execPath, "--enable-source-maps", bundles.get(service) ?? ""],
        logFile: join(logs, `${name}.log`),
        env,
        ...(namespace === undefined ? {} : { namespace })
      }).pipe(Effect.tap((component) => Effect.sync(() => components.set(name, component))))
    yield* run("allocator", "allocator", isOutside ? undefined : site.centreNamespace, {
      ...database,
      LOWTIDE_NATS_URL: allocatorNats,
      ...credentials.allocator,
      LOWTIDE_CHECKPOINT_DIR: join(options.folder, "checkpoints"),
      LOWTIDE_HTTP_LISTEN: hasRelayedApi(options, site) ? `127.0.0.1:${apiPortInside}` : `127.0.0.1:${options.apiPort}`,
      LOWTIDE_ALLOCATOR_URL: `http://127.0.0.1:${options.apiPort}` // as people reach it, by the relay where there is one
    })
    yield* Effect.forEach(site.clusters, ({ plan }, index) =>
      run(`agent-${plan.name}`, "agent", site.centreNamespace, {
        LOWTIDE_CLUSTER: plan.name,
        LOWTIDE_NATS_URL: natsUrl,
        LOWTIDE_MANIFESTS: join(manifests, plan.name),
        LOWTIDE_STATUSES: join(statuses, plan.name),
        ...credentials.agent(plan.name),
        LOWTIDE_HTTP_LISTEN:
          site.centreNamespace === undefined
            ? `unix:${site.folder}/agent-${plan.name}.sock`
            : `127.0.0.1:${7071 + index}`
      })
    )
  })

const startDatabase = ({ databaseUrl }: FleetOptions, site: Site, components: Map<string, Component>) =>
  Effect.gen(function* () {
    if (databaseUrl !== undefined) return { DATABASE_URL: yield* temporaryDatabase(databaseUrl) }
    const server = yield* startPostgres({ folder: join(site.folder, "postgres") })
    components.set("postgres", serverComponent("postgres", server))
    const { allocatorUrl, ownerUrl } = yield* makeLedgerRoles(server, rolesFile)
    return { DATABASE_URL: allocatorUrl, LOWTIDE_MIGRATION_DATABASE_URL: ownerUrl }
  })

const relayNats = (site: Site) =>
  startRelay({
    namespace: site.centreNamespace ?? "",
    host: site.centreAddress,
    port: natsPort,
    name: "nats",
    logFolder: join(site.folder, "logs")
  }).pipe(Effect.map((port) => `tls://127.0.0.1:${port}`))

const hasRelayedApi = ({ databaseUrl }: FleetOptions, site: Site): boolean =>
  site.centreNamespace !== undefined && databaseUrl === undefined

/** The API's URL as seen from where this process is. */
const reachApi = (options: FleetOptions, site: Site): Effect.Effect<string, LabError, Scope.Scope> =>
  hasRelayedApi(options, site)
    ? startRelay({
        namespace: site.centreNamespace ?? "",
        port: apiPortInside,
        name: "api",
        logFolder: join(site.folder, "logs"),
        outsidePort: options.apiPort
      }).pipe(Effect.map((port) => `http://127.0.0.1:${port}`))
    : Effect.succeed(`http://127.0.0.1:${options.apiPort}`)

const startSpeakers = (
  parts: Pick<CentreParts, "logs" | "site" | "credentials" | "bundles" | "components" | "natsUrl">
) =>
  Effect.gen(function* () {
    const { logs, site, credentials, bundles, components, natsUrl } = parts
    for (const cluster of site.clusters) {
      for (const node of cluster.nodes) {
        const name = `speaker-${node.name}`
        const stateFolder = join(site.folder, "state", node.name)
        mkdirSync(stateFolder, { recursive: true, mode: 0o700 })
        if (node.namespace !== undefined && cluster.facts.peers.some(({ bfdProfile }) => bfdProfile !== undefined)) {
          const bfd = `bfd-${node.name}`
          const run = yield* startComponent({
            name: bfd,
            command: [process.execPath, bundles.get("bfd") ?? "", "--socket", join(stateFolder, "bfd.sock")],
            logFile: join(logs, `${bfd}.log`),
            namespace: node.namespace
          })
          components.set(bfd, run)
        }
        const component = yield* startComponent({
          name,
          command: [process.execPath, "--enable-source-maps", bundles.get("speaker") ?? ""],
          logFile: join(logs, `${name}.log`),
          env: {
            LOWTIDE_CLUSTER: cluster.plan.name,
            LOWTIDE_NODE: node.name,
            LOWTIDE_NATS_URL: natsUrl,
            LOWTIDE_STATE_DIR: stateFolder,
            LOWTIDE_MANIFESTS: cluster.plan.manifests,
            ...credentials.speaker(cluster.plan.name),
            LOWTIDE_HTTP_LISTEN: `unix:${stateFolder}/http.sock`,
            ...(node.localAddress === undefined ? {} : loopbackSettings(node.localAddress))
          },
          ...(node.namespace === undefined ? {} : { namespace: node.namespace })
        })
        components.set(name, component)
      }
    }
  })

const loopbackSettings = (localAddress: string): Readonly<Record<string, string>> => ({
  LOWTIDE_LOCAL_ADDRESS: localAddress,
  LOWTIDE_NEXT_HOP_IPV4: localAddress,
  LOWTIDE_ROUTER_ID: localAddress
})
