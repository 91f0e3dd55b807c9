import { rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import {
  eventually,
  neighborsOf,
  numberField,
  type RouterPath,
  type RouterSetup,
  routerOf,
  runText,
  type StartRouter
} from "../bgp-lab.ts"

/** BIRD 2. Its log has a line for each route that comes and goes. */
export const startBird: StartRouter = async ({ folder, start }, setup) => {
  const control = join(folder, "bird.ctl")
  const config = join(folder, "bird.conf")
  const log = join(folder, "bird.log")
  await rm(control, { force: true })
  await rm(log, { force: true })
  await writeFile(config, configOf(setup, log))
  const child = start(["bird", "-f", "-c", config, "-s", control, "-P", join(folder, "bird.pid")])
  const ask = (...command: ReadonlyArray<string>) => runText("birdc", ["-s", control, ...command])
  const say = async (...command: ReadonlyArray<string>) => void (await ask(...command))
  const show = (family: 4 | 6, what: string) =>
    ask(...`show route table master${family} where source = RTS_BGP ${what}`.split(" "))
  await eventually(
    async () => ({ text: await ask("show", "status") }),
    ({ text }) => text.includes("Daemon is up"),
    "BIRD is up"
  )
  const router = routerOf(child, log, {
    paths: async (family) => parsePaths(await show(family, "all"), neighborsOf(setup)),
    // It counts paths, which are as many as prefixes with one session alone.
    ...(setup.secondNeighbor === undefined && {
      count: async (family: 4 | 6) => Number(/^(\d+) of/m.exec(await show(family, "count"))?.[1] ?? Number.NaN)
    }),
    isUp: async () => (await ask("show", "protocols", "node")).includes("Established"),
    shutDown: (text) => say("disable", "node", `"${text}"`),
    open: () => say("enable", "node"),
    reset: () => say("restart", "node"),
    refresh: () => say("reload", "in", "node")
  })
  // `debug { routes }` has a line for each: node.ipv4 > removed [sole] 198.51.100.2/32 …
  const removed = async () =>
    [...(await router.log()).matchAll(/> removed(?: \[\w+\])? (\S+)/g)].map(([, prefix]) => prefix!)
  return { ...router, removed }
}

const configOf = (setup: RouterSetup, log: string): string => {
  return `log "${log}" all;
router id 192.0.2.1;
protocol device {}
protocol static { ipv4; ${(setup.announces ?? []).map((prefix) => `route ${prefix} blackhole;`).join(" ")} }
${setup.hasBfd === true ? 'protocol bfd { interface "up0" { interval 300 ms; multiplier 3; }; }' : ""}
${neighborsOf(setup)
  .map((neighbor, index) => protocolOf(setup, protocolNames[index]!, neighbor))
  .join("")}`
}

/** Of the first session with the neighbour, and of a second one. */
const protocolNames: ReadonlyArray<string> = ["node", "second"]

const protocolOf = (setup: RouterSetup, name: string, neighbor: string): string => {
  const limit = setup.maximumPrefixes === undefined ? "" : `receive limit ${setup.maximumPrefixes} action disable;`
  const extended = setup.extendedNextHop === true ? "extended next hop on;" : ""
  return `protocol bgp ${name} {
  local as ${setup.localAsn};
  neighbor ${neighbor} as ${setup.neighborAsn};
  debug { states, routes };
  ${setup.password === undefined ? "" : `password "${setup.password}";`}
  ${setup.gtsm === true ? "ttl security on;" : ""}
  ${setup.role === undefined ? "" : `local role ${setup.role};`}
  ${setup.requiresRole === true ? "require roles on;" : ""}
  ${setup.hasBfd === true ? "bfd on;" : ""}
  ${setup.extendedMessages === true ? "enable extended messages on;" : ""}
  passive ${setup.dials === true ? "off" : "on"};
  connect delay time 1; error wait time 1, 2; connect retry time 1;
  ${setup.onlyFamily === 6 ? "" : `ipv4 { import all; export where source = RTS_STATIC; ${limit} ${extended} };`}
  ${setup.onlyFamily === 4 ? "" : `ipv6 { import all; export none; ${limit} };`}
}
`
}

const parsePaths = (text: string, neighbors: ReadonlyArray<string>): ReadonlyArray<RouterPath> => {
  // A prefix stands before its first path alone; a path begins with its kind and its protocol: unicast [node 12:00:00.000] …
  const start = /^(\S*) +\w+ \[(\w+)/
  const blocks = text.split(/\n(?=\S* +\w+ \[)/).filter((block) => start.test(block))
  let prefix = ""
  const field = (block: string, name: string) => new RegExp(`BGP\\.${name}: (.*)`).exec(block)?.[1]
  const tuples = (list = "") => [...list.matchAll(/\(([^)]*)\)/g)].map((tuple) => tuple[1]!.replace(/, ?/g, ":"))
  return blocks.map((block) => {
    const [, found, protocol] = start.exec(block)!
    prefix = found || prefix
    return {
      prefix,
      neighbor: neighbors[protocolNames.indexOf(protocol!)] ?? "",
      nextHop: field(block, "next_hop")?.replace(/^:: /, "").split(" ")[0] ?? "", // a link-local one stands behind "::"
      asPath: (field(block, "as_path") ?? "").split(" ").filter(Boolean).map(Number),
      communities: tuples(field(block, "community")),
      largeCommunities: tuples(field(block, "large_community")),
      extendedCommunities: tuples(field(block, "ext_community")),
      ...numberField(field(block, "local_pref"), "localPref"),
      ...numberField(field(block, "med"), "med"),
      ...numberField(field(block, "otc"), "onlyToCustomer")
    }
  })
}
