import { chown, rm, writeFile } from "node:fs/promises"
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

/** FRR's bgpd alone: its BGP table, without the kernel. */
export const startFrr: StartRouter = async ({ folder, start }, setup) => {
  const config = join(folder, "bgpd.conf")
  const log = join(folder, "bgpd.log")
  await rm(log, { force: true })
  await writeFile(config, configOf(setup))
  const [, , uid = "0", gid = "0"] = /^frr:([^:]*):(\d+):(\d+)/m.exec(await runText("getent", ["passwd", "frr"])) ?? []
  await chown(folder, Number(uid), Number(gid))
  await rm(join(folder, "bgpd.vty"), { force: true })
  const child = start(
    ["/usr/lib/frr/bgpd", "-f", config, "--vty_socket", folder, "-z", join(folder, "zserv.api")]
      .concat(["-i", join(folder, "bgpd.pid"), "-P", "0"])
      .concat(["--log", `file:${log}`, "-n", "-p", "179"])
      .concat(setup.bmp === undefined ? [] : ["-M", "bmp"])
  )
  const ask = (...commands: ReadonlyArray<string>) =>
    runText(
      "vtysh",
      ["--vty_socket", folder, "--config_dir", folder, "-d", "bgpd"].concat(commands.flatMap((text) => ["-c", text]))
    )
  const json = async (command: string) => JSON.parse(await ask(command))
  const configure = async (line: string) => void (await ask("configure terminal", `router bgp ${setup.localAsn}`, line))
  await eventually(
    () => json("show bgp summary json"),
    (answer) => typeof answer === "object",
    "FRR is up"
  )
  return routerOf(child, log, {
    paths: async (family) => parsePaths(await json(`show bgp ipv${family} unicast json detail`)),
    count: async (family) => Object.keys((await json(`show bgp ipv${family} unicast json`)).routes ?? {}).length,
    isUp: async () => {
      const { ipv4Unicast } = await json("show bgp summary json")
      return ipv4Unicast?.peers?.[setup.neighbor]?.state === "Established"
    },
    shutDown: (text) => configure(`neighbor ${setup.neighbor} shutdown message ${text}`),
    open: () => configure(`no neighbor ${setup.neighbor} shutdown`),
    reset: async () => void (await ask(`clear bgp ${setup.neighbor}`)),
    refresh: async () => {
      for (const family of [4, 6]) await ask(`clear bgp ipv${family} unicast ${setup.neighbor} in`)
    }
  })
}

const configOf = (setup: RouterSetup): string => {
  const limit = setup.maximumPrefixes === undefined ? [] : [`maximum-prefix ${setup.maximumPrefixes}`]
  const neighbor = (...settings: ReadonlyArray<string>) =>
    neighborsOf(setup).flatMap((address) => settings.map((setting) => `neighbor ${address} ${setting}`))
  return [
    `router bgp ${setup.localAsn}`,
    "bgp router-id 192.0.2.1",
    "no bgp ebgp-requires-policy",
    "no bgp default ipv4-unicast",
    "no bgp network import-check",
    ...neighbor(`remote-as ${setup.neighborAsn}`, "timers connect 1"),
    ...(setup.dials === true ? [] : neighbor("passive")),
    ...(setup.password === undefined ? [] : neighbor(`password ${setup.password}`)),
    ...(setup.gtsm === true ? neighbor("ttl-security hops 1") : []),
    ...(setup.role === undefined
      ? []
      : neighbor(`local-role ${setup.role}${setup.requiresRole === true ? " strict-mode" : ""}`)),
    ...(setup.extendedNextHop === true ? neighbor("capability extended-nexthop") : []),
    ...[4, 6].flatMap((family) => [
      `address-family ipv${family} unicast`,
      ...neighbor("activate", ...limit),
      ...(family === 4 ? (setup.announces ?? []).map((prefix) => `network ${prefix}`) : []),
      "exit-address-family"
    ]),
    ...(setup.bmp === undefined ? [] : bmpLines(setup.bmp)),
    ""
  ].join("\n")
}

const bmpLines = ({ address, port }: NonNullable<RouterSetup["bmp"]>): ReadonlyArray<string> => [
  "bmp targets lowtide",
  "bmp monitor ipv4 unicast post-policy",
  "bmp monitor ipv6 unicast post-policy",
  `bmp connect ${address} port ${port} min-retry 100 max-retry 1000`,
  "exit"
]

interface FrrPath {
  readonly aspath: { readonly string: string }
  readonly peer: { readonly peerId: string }
  readonly nexthops: ReadonlyArray<{ readonly ip: string }>
  readonly community?: { readonly string: string }
  readonly largeCommunity?: { readonly string: string }
  readonly extendedCommunity?: { readonly string: string }
  readonly locPrf?: number
  readonly metric?: number
  readonly otc?: number
}

const parsePaths = (table: { readonly routes?: Record<string, ReadonlyArray<Partial<FrrPath>>> }) => {
  const words = (text = "") => text.split(" ").filter(Boolean)
  return Object.entries(table.routes ?? {}).flatMap(([prefix, entries]) => {
    // The first entry of the list is the prefix itself.
    const paths = entries.filter((entry) => entry.aspath !== undefined) as ReadonlyArray<FrrPath>
    return paths.map(
      (path): RouterPath => ({
        prefix,
        neighbor: path.peer.peerId,
        nextHop: path.nexthops[0]?.ip ?? "",
        asPath: words(path.aspath.string === "Local" ? "" : path.aspath.string).map(Number),
        communities: words(path.community?.string),
        largeCommunities: words(path.largeCommunity?.string),
        extendedCommunities: words(path.extendedCommunity?.string.toLowerCase()),
        ...numberField(path.locPrf, "localPref"),
        ...numberField(path.metric, "med"),
        ...numberField(path.otc, "onlyToCustomer")
      })
    )
  })
}
