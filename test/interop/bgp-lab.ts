import { type ChildProcess, execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { chown, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { promisify } from "node:util"
import type { PeerEvent } from "@lowtide/bgp"

/**
 * Two network namespaces, a router's and a node's, joined by one veth; real routers in the first and
 * `scripts/bgp-speak.ts` in the second. What the tests assert on is read from the router itself.
 */
export interface BgpLab {
  readonly startBird: (setup: RouterSetup) => Promise<Router>
  readonly startFrr: (setup: RouterSetup) => Promise<Router>
  readonly startGobgp: (setup: RouterSetup) => Promise<Router>
  readonly speak: (args: ReadonlyArray<string>) => Speaker
  /** A command in the node's namespace, ended with the lab. */
  readonly onNode: (command: ReadonlyArray<string>) => ChildProcess
  readonly close: () => Promise<void>
}

/** How the router sees the one neighbour. */
export interface RouterSetup {
  readonly localAsn: number
  readonly neighborAsn: number
  /** The neighbour's address, which also chooses the transport's family. */
  readonly neighbor: string
  /** The TCP-MD5 password that the router expects. */
  readonly password?: string
  /** The router sends with TTL 255 and drops what arrives with less. */
  readonly gtsm?: boolean
  /** The router's own role (RFC 9234), where it knows roles. */
  readonly role?: "provider" | "customer" | "peer"
  /** Prefixes above this number end the session at the router. */
  readonly maximumPrefixes?: number
  /** Where the router reports its tables to, by BMP, where it can. */
  readonly bmp?: { readonly address: string; readonly port: number }
}

/** A route as a router shows it. */
export interface RouterRoute {
  readonly nextHop: string
  readonly asPath: ReadonlyArray<number>
  readonly communities: ReadonlyArray<string>
  readonly largeCommunities: ReadonlyArray<string>
  readonly localPref?: number
  readonly med?: number
}

/** A running router. */
export interface Router {
  /** Its BGP table of a family, by prefix. */
  readonly routes: (family: 4 | 6) => Promise<ReadonlyMap<string, RouterRoute>>
  readonly count: (family: 4 | 6) => Promise<number>
  /** Text of its log and of what it prints, if it keeps one. */
  readonly log: () => Promise<string>
  /** The prefixes that it has removed from its table since it was started, if it tells. */
  readonly removed?: () => Promise<ReadonlyArray<string>>
  /** SIGKILL, as a crash; `start…` may be called again afterwards. */
  readonly kill: () => Promise<void>
}

/** A running `bgp-speak.ts`. */
export interface Speaker {
  readonly send: (line: object) => void
  readonly events: ReadonlyArray<PeerEvent>
  /** The first event from index `from` on that fits; fails after 20 s with what came instead. */
  readonly event: <Tag extends PeerEvent["_tag"]>(
    tag: Tag,
    from?: number
  ) => Promise<Extract<PeerEvent, { readonly _tag: Tag }>>
  readonly kill: () => Promise<void>
}

/** Addresses of the veth: the router's end and the node's. */
export const linkAddresses = {
  router: { 4: "192.0.2.1", 6: "2001:db8::1" },
  node: { 4: "192.0.2.2", 6: "2001:db8::2" }
} as const

const run = promisify(execFile)
const runText = async (command: string, args: ReadonlyArray<string>): Promise<string> =>
  (await run(command, [...args], { maxBuffer: 256 * 1024 * 1024 })).stdout

/** Asks again until the answer fits; fails with the last answer when it does not within the time. */
export const eventually = async <A>(
  ask: () => Promise<A>,
  fits: (answer: A) => boolean,
  what: string,
  timeoutMs = 30_000
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

/** Makes both namespaces; `tag` (a few letters) keeps the labs of different test files apart. */
export const makeBgpLab = async (tag: string): Promise<BgpLab> => {
  const names = { router: `ltbgp-${tag}-r`, node: `ltbgp-${tag}-n` }
  const folder = await mkdtemp(join(tmpdir(), "lowtide-bgp-"))
  const children: Array<ChildProcess> = []
  await removeNamespaces(names)
  await makeNamespaces(names)
  const inside = (namespace: string, command: ReadonlyArray<string>): ChildProcess => {
    const args = ["netns", "exec", namespace, "setpriv", "--pdeathsig", "KILL", ...command]
    const child = spawn("ip", args, { stdio: ["pipe", "pipe", "pipe"] })
    child.stderr?.resume()
    children.push(child)
    return child
  }
  const context: LabContext = { folder, start: (command) => inside(names.router, command), namespace: names.router }
  return {
    startBird: (setup) => startBird(context, setup),
    startFrr: (setup) => startFrr(context, setup),
    startGobgp: (setup) => startGobgp(context, setup),
    onNode: (command) => inside(names.node, command),
    speak: (args) => speaker(inside(names.node, [process.execPath, "scripts/bgp-speak.ts", ...args])),
    close: async () => {
      await Promise.all(children.map(end))
      await removeNamespaces(names)
      await rm(folder, { recursive: true, force: true })
    }
  }
}

interface LabContext {
  readonly folder: string
  readonly namespace: string
  readonly start: (command: ReadonlyArray<string>) => ChildProcess
}

const removeNamespaces = async (names: { readonly router: string; readonly node: string }): Promise<void> => {
  for (const name of Object.values(names)) await run("ip", ["netns", "del", name]).catch(() => undefined)
}

const makeNamespaces = async (names: { readonly router: string; readonly node: string }): Promise<void> => {
  for (const name of Object.values(names)) await run("ip", ["netns", "add", name])
  await run("ip", ["-n", names.router, "link", "add", "up0", "type", "veth", "peer", "up0", "netns", names.node])
  for (const end of ["router", "node"] as const) {
    const inside = (...args: ReadonlyArray<string>) => run("ip", ["-n", names[end], ...args])
    await run("ip", ["netns", "exec", names[end], "sysctl", "-qw", "net.ipv6.conf.up0.accept_dad=0"])
    await inside("addr", "add", `${linkAddresses[end][4]}/24`, "dev", "up0")
    await inside("addr", "add", `${linkAddresses[end][6]}/64`, "dev", "up0", "nodad")
    await inside("link", "set", "lo", "up")
    await inside("link", "set", "up0", "up")
  }
}

/** SIGKILL, and wait until the process is gone. */
const end = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill("SIGKILL")
  await once(child, "exit")
}

const routerOf = (
  children: ReadonlyArray<ChildProcess>,
  log: string,
  routes: Router["routes"],
  count: Router["count"] = async (family) => (await routes(family)).size
): Router => ({
  routes,
  count,
  log: () => readFile(log, "utf8"),
  kill: async () => {
    await Promise.all(children.map(end))
  }
})

const startBird = async ({ folder, start }: LabContext, setup: RouterSetup): Promise<Router> => {
  const control = join(folder, "bird.ctl")
  const config = join(folder, "bird.conf")
  const log = join(folder, "bird.log")
  const limit = setup.maximumPrefixes === undefined ? "" : `receive limit ${setup.maximumPrefixes} action disable;`
  const channel = (family: 4 | 6) => `ipv${family} { import all; export none; ${limit} };`
  await rm(control, { force: true })
  await rm(log, { force: true })
  await writeFile(
    config,
    `log "${log}" all;
router id 192.0.2.1;
protocol device {}
protocol bgp node {
  local as ${setup.localAsn};
  neighbor ${setup.neighbor} as ${setup.neighborAsn};
  debug { states, routes };
  ${setup.password === undefined ? "" : `password "${setup.password}";`}
  ${setup.gtsm === true ? "ttl security on;" : ""}
  ${setup.role === undefined ? "" : `local role ${setup.role};`}
  passive on; error wait time 1, 2; connect retry time 1;
  ${channel(4)}
  ${channel(6)}
}
`
  )
  const child = start(["bird", "-f", "-c", config, "-s", control, "-P", join(folder, "bird.pid")])
  const ask = (command: string) => runText("birdc", ["-s", control, ...command.split(" ")])
  await eventually(
    async () => ({ text: await ask("show status") }),
    ({ text }) => text.includes("Daemon is up"),
    "BIRD is up"
  )
  const router = routerOf(
    [child],
    log,
    async (family) => parseBirdRoutes(await ask(`show route table master${family} protocol node all`)),
    async (family) =>
      Number(/^(\d+) of/m.exec(await ask(`show route table master${family} protocol node count`))?.[1] ?? Number.NaN)
  )
  // `debug { routes }` has a line for each: node.ipv4 > removed [sole] 198.51.100.2/32 …
  const removed = async () =>
    [...(await router.log()).matchAll(/> removed(?: \[\w+\])? (\S+)/g)].map(([, prefix]) => prefix!)
  return { ...router, removed }
}

const parseBirdRoutes = (text: string): ReadonlyMap<string, RouterRoute> => {
  const blocks = text.split(/\n(?=[0-9a-f:.]+\/\d+ )/).filter((block) => /^[0-9a-f:.]+\/\d+ /.test(block))
  const fields = (block: string, name: string) => new RegExp(`BGP\\.${name}: (.*)`).exec(block)?.[1]
  const tuples = (list = "") => [...list.matchAll(/\(([^)]*)\)/g)].map((tuple) => tuple[1]!.replace(/, ?/g, ":"))
  const number = (value: string | undefined, name: string) => (value === undefined ? {} : { [name]: Number(value) })
  return new Map(
    blocks.map((block) => [
      block.slice(0, block.indexOf(" ")),
      {
        nextHop: fields(block, "next_hop")?.split(" ")[0] ?? "",
        asPath: (fields(block, "as_path") ?? "").split(" ").filter(Boolean).map(Number),
        communities: tuples(fields(block, "community")),
        largeCommunities: tuples(fields(block, "large_community")),
        ...number(fields(block, "local_pref"), "localPref"),
        ...number(fields(block, "med"), "med")
      }
    ])
  )
}

const startFrr = async ({ folder, start }: LabContext, setup: RouterSetup): Promise<Router> => {
  const config = join(folder, "bgpd.conf")
  await rm(join(folder, "bgpd.log"), { force: true })
  await writeFile(
    config,
    `router bgp ${setup.localAsn}
 bgp router-id 192.0.2.1
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 no bgp network import-check
 neighbor ${setup.neighbor} remote-as ${setup.neighborAsn}
 neighbor ${setup.neighbor} passive
${setup.password === undefined ? "" : ` neighbor ${setup.neighbor} password ${setup.password}\n`}${
  setup.gtsm === true ? ` neighbor ${setup.neighbor} ttl-security hops 1\n` : ""
}${setup.role === undefined ? "" : ` neighbor ${setup.neighbor} local-role ${setup.role}\n`} address-family ipv4 unicast
  neighbor ${setup.neighbor} activate
${frrLimit(setup)} exit-address-family
 address-family ipv6 unicast
  neighbor ${setup.neighbor} activate
${frrLimit(setup)} exit-address-family
${frrBmp(setup)}`
  )
  const [, , uid = "0", gid = "0"] = /^frr:([^:]*):(\d+):(\d+)/m.exec(await runText("getent", ["passwd", "frr"])) ?? []
  await chown(folder, Number(uid), Number(gid))
  await rm(join(folder, "bgpd.vty"), { force: true })
  const child = start(
    ["/usr/lib/frr/bgpd", "-f", config, "--vty_socket", folder, "-z", join(folder, "zserv.api")]
      .concat(["-i", join(folder, "bgpd.pid"), "-P", "0"])
      .concat(["--log", `file:${join(folder, "bgpd.log")}`, "-n", "-p", "179"])
      .concat(setup.bmp === undefined ? [] : ["-M", "bmp"])
  )
  const ask = (command: string) =>
    runText("vtysh", ["--vty_socket", folder, "--config_dir", folder, "-d", "bgpd", "-c", command])
  const json = async (command: string) => JSON.parse(await ask(command))
  await eventually(
    () => json("show bgp summary json"),
    (answer) => typeof answer === "object",
    "FRR is up"
  )
  return routerOf(
    [child],
    join(folder, "bgpd.log"),
    async (family) => parseFrrRoutes(await json(`show bgp ipv${family} unicast json detail`)),
    async (family) => Object.keys((await json(`show bgp ipv${family} unicast json`)).routes ?? {}).length
  )
}

const frrLimit = ({ neighbor, maximumPrefixes }: RouterSetup): string =>
  maximumPrefixes === undefined ? "" : `  neighbor ${neighbor} maximum-prefix ${maximumPrefixes}\n`

const frrBmp = ({ bmp }: RouterSetup): string =>
  bmp === undefined
    ? ""
    : ` bmp targets lowtide
  bmp monitor ipv4 unicast post-policy
  bmp monitor ipv6 unicast post-policy
  bmp connect ${bmp.address} port ${bmp.port} min-retry 100 max-retry 1000
 exit
`

interface FrrPath {
  readonly aspath: { readonly string: string }
  readonly nexthops: ReadonlyArray<{ readonly ip: string }>
  readonly community?: { readonly string: string }
  readonly largeCommunity?: { readonly string: string }
  readonly locPrf?: number
  readonly metric?: number
}

const parseFrrRoutes = (table: { readonly routes?: Record<string, ReadonlyArray<Partial<FrrPath>>> }) => {
  const words = (text = "") => text.split(" ").filter(Boolean)
  return new Map<string, RouterRoute>(
    Object.entries(table.routes ?? {}).flatMap(([prefix, entries]) => {
      // The first entry of the list is the prefix itself.
      const path = entries.find((entry) => entry.aspath !== undefined) as FrrPath | undefined
      if (path === undefined) return []
      const med = path.metric
      const route: RouterRoute = {
        nextHop: path.nexthops[0]?.ip ?? "",
        asPath: words(path.aspath.string === "Local" ? "" : path.aspath.string).map(Number),
        communities: words(path.community?.string),
        largeCommunities: words(path.largeCommunity?.string),
        ...(path.locPrf !== undefined && { localPref: path.locPrf }),
        ...(med !== undefined && { med })
      }
      return [[prefix, route] as const]
    })
  )
}

const startGobgp = async ({ folder, start, namespace }: LabContext, setup: RouterSetup): Promise<Router> => {
  const config = join(folder, "gobgpd.toml")
  const family = (name: string) =>
    `  [[neighbors.afi-safis]]\n  [neighbors.afi-safis.config]\n  afi-safi-name = "${name}"\n`
  await writeFile(
    config,
    `[global.config]
as = ${setup.localAsn}
router-id = "192.0.2.1"
[[neighbors]]
  [neighbors.config]
  neighbor-address = "${setup.neighbor}"
  peer-as = ${setup.neighborAsn}
${setup.password === undefined ? "" : `  auth-password = "${setup.password}"\n`}  [neighbors.transport.config]
  passive-mode = true
  [neighbors.graceful-restart.config]
  enabled = true
  restart-time = 60
  helper-only = true
  notification-enabled = true
${setup.gtsm === true ? "  [neighbors.ttl-security.config]\n  enabled = true\n  ttl-min = 255\n" : ""}${family("ipv4-unicast")}${family("ipv6-unicast")}${gobgpBmp(setup)}`
  )
  const log = join(folder, "gobgpd.log")
  await rm(log, { force: true })
  const command = ["gobgpd", "-f", config, "--api-hosts", "127.0.0.1:50051", "--log-plain"]
  const child = start(["sh", "-c", `exec ${command.join(" ")} > ${log} 2>&1`])
  const json = async (...args: ReadonlyArray<string>) =>
    JSON.parse(await runText("ip", ["netns", "exec", namespace, "gobgp", ...args, "-j"]))
  await eventually(
    () => json("neighbor"),
    (neighbors) => neighbors?.length === 1,
    "GoBGP is up"
  )
  return routerOf([child], log, async (family) => parseGobgpRoutes(await json("global", "rib", "-a", `ipv${family}`)))
}

const gobgpBmp = ({ bmp }: RouterSetup): string =>
  bmp === undefined
    ? ""
    : `[[bmp-servers]]
  [bmp-servers.config]
  address = "${bmp.address}"
  port = ${bmp.port}
  route-monitoring-policy = "all"
`

interface GobgpAttribute {
  readonly type: number
  readonly nexthop?: string
  readonly value?: unknown
  readonly metric?: number
  readonly communities?: ReadonlyArray<number>
  readonly as_paths?: ReadonlyArray<{ readonly asns: ReadonlyArray<number> }>
}

const parseGobgpRoutes = (table: Record<string, ReadonlyArray<{ readonly attrs: ReadonlyArray<GobgpAttribute> }>>) =>
  new Map<string, RouterRoute>(
    Object.entries(table).map(([prefix, paths]) => {
      const byType = new Map((paths[0]?.attrs ?? []).map((attribute) => [attribute.type, attribute]))
      const localPref = byType.get(5)?.value
      const med = byType.get(4)?.metric
      const large = (byType.get(32)?.value ?? []) as ReadonlyArray<Record<string, number>>
      return [
        prefix,
        {
          nextHop: byType.get(3)?.nexthop ?? byType.get(14)?.nexthop ?? "",
          asPath: (byType.get(2)?.as_paths ?? []).flatMap(({ asns }) => asns),
          communities: (byType.get(8)?.communities ?? []).map((value) => `${value >>> 16}:${value & 0xffff}`),
          largeCommunities: large.map((parts) => Object.values(parts).join(":")),
          ...(typeof localPref === "number" && { localPref }),
          ...(med !== undefined && { med })
        }
      ]
    })
  )

const speaker = (child: ChildProcess): Speaker => {
  const events: Array<PeerEvent> = []
  createInterface({ input: child.stdout! }).on("line", (line) => events.push(JSON.parse(line)))
  return {
    events,
    send: (line) => child.stdin?.write(`${JSON.stringify(line)}\n`),
    event: async (tag, from = 0) => {
      const find = () => events.slice(from).find(({ _tag }) => _tag === tag)
      const found = await eventually(
        async () => ({ event: find() }),
        ({ event }) => event !== undefined,
        `${tag} (${JSON.stringify(events)})`,
        20_000
      )
      return found.event as Extract<PeerEvent, { readonly _tag: typeof tag }>
    },
    kill: () => end(child)
  }
}
