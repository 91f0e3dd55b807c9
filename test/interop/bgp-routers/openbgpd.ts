import { chmod, mkdir, readFile, rm, writeFile } from "node:fs/promises"
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

/** Where its processes lock themselves in. Nothing is written there. */
const chrootFolder = "/run/openbgpd"

/** Each has a socket of its own: one that ends late takes its socket away, and would take that of the next. */
let started = 0

/** OpenBGPD. It routes nothing into the kernel here. */
export const startOpenbgpd: StartRouter = async ({ folder, start }, setup) => {
  const config = join(folder, "openbgpd.conf")
  const control = join(folder, `openbgpd-${++started}.ctl`)
  const log = join(folder, "openbgpd.log")
  await mkdir(chrootFolder, { recursive: true })
  await rm(log, { force: true })
  await writeFile(config, configOf(setup, control))
  await chmod(config, 0o600) // it refuses one that others may read
  const child = start(["sh", "-c", `exec /usr/sbin/bgpd -d -f ${config} > ${log} 2>&1`])
  const ask = (...command: ReadonlyArray<string>) => runText("bgpctl", ["-s", control, ...command])
  const neighbor = async (...command: ReadonlyArray<string>) => void (await ask("neighbor", setup.neighbor, ...command))
  const neighborState = async () =>
    (JSON.parse(await ask("-j", "show", "neighbor")) as { readonly neighbors: ReadonlyArray<NeighborJson> })
      .neighbors[0]?.state
  await eventually(
    async () => ({ state: await neighborState() }),
    ({ state }) => state === "Active" || setup.dials === true,
    "OpenBGPD is up"
  )
  const rib = async (family: 4 | 6) =>
    JSON.parse(await ask("-j", "show", "rib", "detail", `inet${family === 6 ? "6" : ""}`))
  const router = routerOf(child, log, {
    paths: async (family) => parsePaths(await rib(family)),
    isUp: async () => (await neighborState()) === "Established",
    shutDown: (text) => neighbor("down", text),
    open: () => neighbor("up"),
    reset: () => neighbor("clear"),
    refresh: () => neighbor("refresh")
  })
  return {
    ...router,
    kill: async () => {
      // Its session engine is a process of its own, which would close its sessions in order when it misses the others: all are
      // stopped before the first is gone.
      const children = await childrenOf(child.pid)
      for (const signal of ["SIGSTOP", "SIGKILL"] as const) {
        for (const pid of children) {
          try {
            process.kill(pid, signal)
          } catch {} // it ended by itself
        }
      }
      await router.kill()
    }
  }
}

const childrenOf = async (pid: number | undefined): Promise<ReadonlyArray<number>> => {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "")
  return text.split(" ").filter(Boolean).map(Number)
}

const configOf = (setup: RouterSetup, control: string): string => `AS ${setup.localAsn}
router-id 192.0.2.1
fib-update no
socket "${control}"
${neighborsOf(setup)
  .map((neighbor) => neighborOf(setup, neighbor))
  .join("")}allow from any
`

const neighborOf = (setup: RouterSetup, neighbor: string): string => {
  const limit = setup.maximumPrefixes === undefined ? "" : `  max-prefix ${setup.maximumPrefixes}\n`
  return `neighbor ${neighbor} {
  remote-as ${setup.neighborAsn}
  announce IPv4 unicast
  announce IPv6 unicast
  announce enhanced refresh yes
${setup.dials === true ? "" : "  passive\n"}${limit}${
  setup.password === undefined ? "" : `  tcp md5sig password ${setup.password}\n`
}${setup.gtsm === true ? "  ttl-security yes\n" : ""}${
  setup.role === undefined ? "" : `  announce policy ${setup.role}\n`
}}
`
}

interface NeighborJson {
  readonly state: string
}

interface RibEntry {
  readonly prefix: string
  readonly neighbor: { readonly remote_addr: string }
  readonly aspath?: string
  readonly exit_nexthop?: string
  readonly metric?: number
  readonly localpref?: number
  readonly attributes?: ReadonlyArray<{ readonly type: string; readonly as?: number }>
}

const parsePaths = ({
  rib = []
}: {
  readonly rib?: ReadonlyArray<RibEntry & Record<string, unknown>>
}): ReadonlyArray<RouterPath> =>
  rib.map((entry) => ({
    prefix: entry.prefix,
    neighbor: entry.neighbor.remote_addr,
    nextHop: entry.exit_nexthop ?? "",
    asPath: (entry.aspath ?? "").split(" ").filter(Boolean).map(Number),
    communities: communitiesOf(entry, "communities"),
    largeCommunities: communitiesOf(entry, "large_communities"),
    extendedCommunities: communitiesOf(entry, "extended_communities").map((text) => text.replace(" ", ":")),
    ...numberField(entry.localpref, "localPref"),
    ...numberField(entry.metric, "med"),
    ...numberField(entry.attributes?.find(({ type }) => type === "OTC")?.as, "onlyToCustomer")
  }))

const communitiesOf = (entry: Record<string, unknown>, name: string): ReadonlyArray<string> =>
  (entry[name] ?? []) as ReadonlyArray<string>
