import { type ChildProcess, execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { promisify } from "node:util"
import type { PeerEvent, PeerStatus } from "@lowtide/bgp"
import { inNamespace, ipBatch, makeLab, setSysctls } from "@lowtide/testkit/lab/index"
import { Effect, Exit, Scope } from "effect"

/**
 * Two network namespaces, a router's and a node's, joined by one veth; a real router in the first and
 * `scripts/bgp-speak.ts` in the second. What the tests assert on is read from the router itself.
 */
export interface BgpLab {
  readonly router: LabContext
  readonly node: LabContext
  /** `wrap` is a command that runs the speaker. */
  readonly speak: (args: ReadonlyArray<string>, wrap?: ReadonlyArray<string>) => Speaker
  readonly close: () => Promise<void>
}

/** One end of the lab: a namespace, and a folder for what runs in it. */
export interface LabContext {
  readonly folder: string
  readonly namespace: string
  /** Starts a process in the namespace; it ends with the lab. */
  readonly start: (command: ReadonlyArray<string>, env?: Readonly<Record<string, string>>) => ChildProcess
}

/** How the router sees the one neighbour. */
export interface RouterSetup {
  readonly localAsn: number
  readonly neighborAsn: number
  /** The neighbour's address, which also chooses the transport's family; a link-local one with its interface: `fe80::2%up0`. */
  readonly neighbor: string
  /** Another address of the same neighbour, for a second session with it. */
  readonly secondNeighbor?: string
  /** The TCP-MD5 password that the router expects. */
  readonly password?: string
  /** The router sends with TTL 255 and drops what arrives with less. */
  readonly gtsm?: boolean
  /** The router's own role (RFC 9234), where it knows roles. */
  readonly role?: "provider" | "customer" | "peer"
  /** A neighbour without a role is refused. */
  readonly requiresRole?: boolean
  /** Of BIRD and FRR: IPv4 prefixes that it announces; none unless given. */
  readonly announces?: ReadonlyArray<string>
  /** Of BIRD: BFD at 300 ms x 3. */
  readonly hasBfd?: boolean
  /** Prefixes above this number end the session at the router. */
  readonly maximumPrefixes?: number
  /** Of BIRD: the one family that it takes; both unless given. */
  readonly onlyFamily?: 4 | 6
  /** The router takes messages of 65,535 octets (RFC 8654), where it can be told to. */
  readonly extendedMessages?: boolean
  /** The router takes IPv4 routes with an IPv6 next hop (RFC 8950), where it can be told to. */
  readonly extendedNextHop?: boolean
  /** Where the router reports its tables to, by BMP, where it can. */
  readonly bmp?: { readonly address: string; readonly port: number }
  /** The router connects to the neighbour as well, instead of waiting for it. */
  readonly dials?: boolean
}

/** A route as a router shows it. */
export interface RouterRoute {
  readonly nextHop: string
  readonly asPath: ReadonlyArray<number>
  readonly communities: ReadonlyArray<string>
  readonly largeCommunities: ReadonlyArray<string>
  /** Route targets as `rt:64496:7`; a router may write the AS number as a dotted one. */
  readonly extendedCommunities: ReadonlyArray<string>
  readonly localPref?: number
  readonly med?: number
  /** RFC 9234 §5. */
  readonly onlyToCustomer?: number
}

/** A route as the router was told it on one session. */
export interface RouterPath extends RouterRoute {
  readonly prefix: string
  /** The neighbour's address of that session. */
  readonly neighbor: string
}

/** A running router. */
export interface Router {
  /** Its BGP table of a family: of a prefix one path for each session that told of it. */
  readonly paths: (family: 4 | 6) => Promise<ReadonlyArray<RouterPath>>
  /** The same by prefix, one path of each. */
  readonly routes: (family: 4 | 6) => Promise<ReadonlyMap<string, RouterRoute>>
  readonly count: (family: 4 | 6) => Promise<number>
  /** Whether it says that the session is Established. */
  readonly isUp: () => Promise<boolean>
  /** Text of its log and of what it prints, if it keeps one. */
  readonly log: () => Promise<string>
  /** The prefixes that it has removed from its table since it was started, if it tells. */
  readonly removed?: () => Promise<ReadonlyArray<string>>
  /** Closes the session, with a text for the other side where the router can send one (RFC 9003), and keeps it closed. */
  readonly shutDown: (text: string) => Promise<void>
  /** Opens the session again after `shutDown`. */
  readonly open: () => Promise<void>
  /** Ends the session, which may come back at once. */
  readonly reset: () => Promise<void>
  /** Asks for every route of the session again (RFC 2918). */
  readonly refresh: () => Promise<void>
  /** SIGKILL, as a crash; another may be started afterwards. */
  readonly kill: () => Promise<void>
}

/** Starts a router of one kind, and answers when it takes questions. */
export type StartRouter = (at: LabContext, setup: RouterSetup) => Promise<Router>

/** A running `bgp-speak.ts`. */
export interface Speaker {
  readonly send: (line: object) => void
  readonly events: ReadonlyArray<PeerEvent>
  /** The first event from index `from` on that fits; fails after a minute with what came instead. */
  readonly event: <Tag extends PeerEvent["_tag"]>(
    tag: Tag,
    from?: number
  ) => Promise<Extract<PeerEvent, { readonly _tag: Tag }>>
  /** What it says of itself now; it must have been started with `--status`. */
  readonly status: () => Promise<PeerStatus>
  readonly signal: (signal: NodeJS.Signals) => void
  readonly kill: () => Promise<void>
}

/** Addresses of the veth: the router's end and the node's, each with its own link-local one and no other. */
export const linkAddresses = {
  router: { 4: "192.0.2.1", 6: "2001:db8::1", "link-local": "fe80::1" },
  node: { 4: "192.0.2.2", 6: "2001:db8::2", "link-local": "fe80::2" }
} as const

/** Between which addresses of the veth a session runs. */
export type LinkTransport = keyof (typeof linkAddresses)["node"]

const run = promisify(execFile)

/** Runs a command to its end and answers what it printed. */
export const runText = async (command: string, args: ReadonlyArray<string>): Promise<string> =>
  (await run(command, [...args], { maxBuffer: 256 * 1024 * 1024 })).stdout

/** Asks again until the answer fits; fails with the last answer when it does not within the time. */
export const eventually = async <A>(
  ask: () => Promise<A>,
  fits: (answer: A) => boolean,
  what: string,
  timeoutMs = 60_000
): Promise<A> => {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const answer = await ask().catch((error: unknown) => String(error) as A)
    if (typeof answer !== "string" && fits(answer)) return answer
    if (performance.now() > deadline) {
      throw new Error(`not within ${timeoutMs} ms: ${what}; last: ${JSON.stringify(answer)?.slice(0, 400)}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}

/** Makes both namespaces; they and what runs in them are gone after `close`, or with the next lab's making after a crash. */
export const makeBgpLab = async (): Promise<BgpLab> => {
  const scope = await Effect.runPromise(Scope.make())
  const make = Effect.gen(function* () {
    const lab = yield* makeLab()
    const ends = { router: yield* lab.addNamespace("router"), node: yield* lab.addNamespace("node") }
    yield* ipBatch([`link add up0 netns ${ends.router} type veth peer name up0 netns ${ends.node}`])
    for (const end of ["router", "node"] as const) {
      yield* setSysctls(ends[end], [["ipv6/conf/up0/addr_gen_mode", 1]])
      yield* ipBatch(
        [
          `address add ${linkAddresses[end][4]}/24 dev up0`,
          `address add ${linkAddresses[end][6]}/64 dev up0 nodad`,
          `address add ${linkAddresses[end]["link-local"]}/64 dev up0 nodad`,
          "link set up0 up"
        ],
        ends[end]
      )
    }
    return { lab, ends }
  }).pipe(Effect.onError(() => Scope.close(scope, Exit.void)))
  const { lab, ends } = await Effect.runPromise(Scope.provide(scope)(make))
  const children: Array<ChildProcess> = []
  const context = async (end: "router" | "node"): Promise<LabContext> => {
    const folder = join(lab.folder, end)
    await mkdir(folder)
    return {
      folder,
      namespace: ends[end],
      start: (command, env = {}) => {
        const [file = "", ...args] = inNamespace(ends[end], ["setpriv", "--pdeathsig", "KILL", ...command])
        const child = spawn(file, args, { stdio: ["pipe", "pipe", "pipe"], env: { ...process.env, ...env } })
        child.stderr?.resume()
        children.push(child)
        return child
      }
    }
  }
  const [router, node] = [await context("router"), await context("node")]
  return {
    router,
    node,
    speak: (args, wrap = []) => speaker(node.start([...wrap, process.execPath, "scripts/bgp-speak.ts", ...args])),
    close: async () => {
      await Promise.all(children.map(end))
      await Effect.runPromise(Scope.close(scope, Exit.void))
    }
  }
}

/** SIGKILL, and wait until the process is gone. */
export const end = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill("SIGKILL")
  await once(child, "exit")
}

/** What every router has in common: a log file, and an end. `count` counts `routes` unless there is a cheaper way. */
export const routerOf = (
  child: ChildProcess,
  logFile: string,
  rest: Omit<Router, "log" | "kill" | "count" | "routes"> & Partial<Pick<Router, "count">>
): Router => {
  const routes = async (family: 4 | 6) => new Map((await rest.paths(family)).map((path) => [path.prefix, path]))
  return {
    count: async (family) => (await routes(family)).size,
    routes,
    ...rest,
    log: () => readFile(logFile, "utf8"),
    kill: () => end(child)
  }
}

/** The addresses by which a router knows its neighbour, each for a session of its own. */
export const neighborsOf = ({ neighbor, secondNeighbor }: RouterSetup): ReadonlyArray<string> =>
  secondNeighbor === undefined ? [neighbor] : [neighbor, secondNeighbor]

/** An optional number as a field of a route. */
export const numberField = <Name extends string>(value: unknown, name: Name): { readonly [Key in Name]?: number } =>
  (value === undefined ? {} : { [name]: Number(value) }) as { readonly [Key in Name]?: number }

/** A line of `--status`; a command that changes nothing asks for one. */
type SpokenLine = PeerEvent | ({ readonly _tag: "Status" } & PeerStatus)

const speaker = (child: ChildProcess): Speaker => {
  const events: Array<PeerEvent> = []
  const statuses: Array<PeerStatus> = []
  createInterface({ input: child.stdout! }).on("line", (text) => {
    const line = JSON.parse(text) as SpokenLine
    if (line._tag === "Status") statuses.push(line)
    else events.push(line)
  })
  const send = (line: object) => void child.stdin?.write(`${JSON.stringify(line)}\n`)
  return {
    events,
    send,
    event: async (tag, from = 0) => {
      const find = () => events.slice(from).find(({ _tag }) => _tag === tag)
      const found = await eventually(
        async () => ({ event: find() }),
        ({ event }) => event !== undefined,
        `${tag} (${JSON.stringify(events)})`
      )
      return found.event as Extract<PeerEvent, { readonly _tag: typeof tag }>
    },
    status: async () => {
      const next = statuses.length
      send({})
      const read = async () => ({ status: statuses[next] })
      const found = await eventually(read, ({ status }) => status !== undefined, "the speaker's status")
      return found.status as PeerStatus
    },
    signal: (signal) => void child.kill(signal),
    kill: () => end(child)
  }
}
