import { rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { inNamespace } from "@lowtide/testkit/lab/index"
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

/** GoBGP, which never touches the kernel. */
export const startGobgp: StartRouter = async ({ folder, start, namespace }, setup) => {
  const config = join(folder, "gobgpd.toml")
  const log = join(folder, "gobgpd.log")
  await rm(log, { force: true })
  await writeFile(config, configOf(setup))
  if (setup.neighbor.includes("%")) await meet(namespace, setup.neighbor)
  const command = ["gobgpd", "-f", config, "--api-hosts", "127.0.0.1:50051", "--log-plain"]
  const child = start(["sh", "-c", `exec ${command.join(" ")} > ${log} 2>&1`])
  const ask = (...args: ReadonlyArray<string>) => {
    const [file = "", ...rest] = inNamespace(namespace, ["gobgp", ...args])
    return runText(file, rest)
  }
  const json = async (...args: ReadonlyArray<string>) => JSON.parse(await ask(...args, "-j"))
  const neighbor = async (...args: ReadonlyArray<string>) => void (await ask("neighbor", setup.neighbor, ...args))
  await eventually(
    () => json("neighbor"),
    (neighbors) => neighbors?.length === neighborsOf(setup).length,
    "GoBGP is up"
  )
  return routerOf(child, log, {
    paths: async (family) => parsePaths(await json("global", "rib", "-a", `ipv${family}`)),
    isUp: async () => /BGP state = ESTABLISHED/i.test(await ask("neighbor", setup.neighbor)),
    shutDown: (text) => neighbor("shutdown", "--reason", text),
    open: () => neighbor("enable"),
    reset: () => neighbor("reset"),
    refresh: async () => {
      for (const family of [4, 6]) await neighbor("softresetin", "-a", `ipv${family}`)
    }
  })
}

/** Of a neighbour on an interface it takes for its own whom the kernel knows there when it starts: a datagram makes them known. */
const meet = async (namespace: string, neighbor: string): Promise<void> => {
  const within = (...command: ReadonlyArray<string>) => {
    const [file = "", ...args] = inNamespace(namespace, command)
    return runText(file, args)
  }
  await eventually(
    async () => {
      await within("bash", "-c", `echo > /dev/udp/${neighbor}/9`)
      return { text: await within("ip", "-6", "neigh", "show") }
    },
    ({ text }) => /^fe80::.*lladdr/m.test(text),
    "the kernel knows the neighbour"
  )
}

const configOf = (setup: RouterSetup): string => `[global.config]
as = ${setup.localAsn}
router-id = "192.0.2.1"
${neighborsOf(setup)
  .map((neighbor) => neighborOf(setup, neighbor))
  .join("")}${bmpServer(setup)}`

const neighborOf = (setup: RouterSetup, neighbor: string): string => {
  const limit =
    setup.maximumPrefixes === undefined
      ? ""
      : `  [neighbors.afi-safis.prefix-limit.config]\n  max-prefixes = ${setup.maximumPrefixes}\n`
  const family = (name: string) =>
    `  [[neighbors.afi-safis]]\n  [neighbors.afi-safis.config]\n  afi-safi-name = "${name}"\n${limit}`
  const [, device] = neighbor.split("%")
  const who = device === undefined ? `neighbor-address = "${neighbor}"` : `neighbor-interface = "${device}"`
  return `[[neighbors]]
  [neighbors.config]
  ${who}
  peer-as = ${setup.neighborAsn}
${setup.password === undefined ? "" : `  auth-password = "${setup.password}"\n`}  [neighbors.timers.config]
  connect-retry = 1
  idle-hold-time-after-reset = 1
  [neighbors.transport.config]
  passive-mode = ${setup.dials !== true}
  [neighbors.graceful-restart.config]
  enabled = true
  restart-time = 60
  helper-only = true
  notification-enabled = true
${setup.gtsm === true ? "  [neighbors.ttl-security.config]\n  enabled = true\n  ttl-min = 255\n" : ""}${family("ipv4-unicast")}${family("ipv6-unicast")}`
}

const bmpServer = ({ bmp }: RouterSetup): string =>
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

interface GobgpPath {
  readonly "neighbor-ip": string
  readonly attrs: ReadonlyArray<GobgpAttribute>
}

const parsePaths = (table: Record<string, ReadonlyArray<GobgpPath>>): ReadonlyArray<RouterPath> =>
  Object.entries(table).flatMap(([prefix, paths]) =>
    paths.map(({ attrs, "neighbor-ip": neighbor }) => {
      const byType = new Map(attrs.map((attribute) => [attribute.type, attribute]))
      const large = (byType.get(32)?.value ?? []) as ReadonlyArray<Record<string, number>>
      const extended = (byType.get(16)?.value ?? []) as ReadonlyArray<{ readonly value: string }>
      const unread = byType.get(35)?.value // as it came: it does not know the attribute
      return {
        prefix,
        neighbor,
        nextHop: byType.get(3)?.nexthop ?? byType.get(14)?.nexthop ?? "",
        asPath: (byType.get(2)?.as_paths ?? []).flatMap(({ asns }) => asns),
        communities: (byType.get(8)?.communities ?? []).map((value) => `${value >>> 16}:${value & 0xffff}`),
        largeCommunities: large.map((parts) => Object.values(parts).join(":")),
        extendedCommunities: extended.map(({ value }) => `rt:${value}`),
        ...numberField(byType.get(5)?.value, "localPref"),
        ...numberField(byType.get(4)?.metric, "med"),
        ...numberField(
          typeof unread === "string" ? Buffer.from(unread, "base64").readUInt32BE() : undefined,
          "onlyToCustomer"
        )
      }
    })
  )
