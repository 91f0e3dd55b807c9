import { execFile } from "node:child_process"
import { chown, open, readdir, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { promisify } from "node:util"
import { vtyCommands } from "@lowtide/testkit/lab/frr-vty"
import { inNamespace } from "@lowtide/testkit/lab/index"
import { Effect } from "effect"
import { BirdControl } from "./bird-control.ts"
import { firstAddress, hostAddress, pause, routerAsn, type SenderPlace, singleRoute, until } from "./lab.ts"
import { mrtTable } from "./mrt-table.ts"

/** A speaker with a whole table that its sessions are to have, and how it is told what changes. */
export interface Sender {
  readonly place: SenderPlace
  readonly pid: number
  /** `withdraw` and `announce` the whole table; missing where a hundred thousand commands would be needed. */
  readonly setAll?: (is: "there" | "gone") => Promise<void>
  readonly setSingle: (is: "there" | "gone") => Promise<void>
  readonly stop?: () => void
}

const run = promisify(execFile)
const routesOf = (count: number) => Array.from({ length: count }, (_, index) => `${hostAddress(index)}/32`)

/** Ours: one process that reads what it is told line by line, as `scripts/bgp-speak.ts` does. */
const startNative = async (place: SenderPlace, count: number): Promise<Sender> => {
  const program = join(import.meta.dirname, "native-main.ts")
  const ends = place.sessions.map(({ router, local }) => `${local}-${router}`)
  const child = place.start([process.execPath, program, place.address, String(place.asn), ...ends])
  const lines = createInterface({ input: child.stdout! })
  const tell = (line: object) => void child.stdin?.write(`${JSON.stringify(line)}\n`)
  const ready = new Promise((resolve) => lines.once("line", resolve))
  tell({ from: firstAddress, count, op: "announce" })
  await ready
  const address = singleRoute.slice(0, -3).split(".").map(Number)
  const single = address.reduce((value, octet) => value * 256 + octet, 0)
  return {
    place,
    pid: child.pid!,
    setAll: async (is) => tell({ from: firstAddress, count, op: is === "there" ? "announce" : "withdraw" }),
    setSingle: async (is) => tell({ from: single, count: 1, op: is === "there" ? "announce" : "withdraw" })
  }
}

/** BIRD, kept awake: 2.0.12 can leave the last batch lying until its loop is woken, and a question wakes it. */
const startBird = async (place: SenderPlace, count: number): Promise<Sender> => {
  const [file, control] = [join(place.folder, "bird.conf"), join(place.folder, "bird.ctl")]
  await writeFile(
    file,
    `router id ${place.address};
protocol device {}
protocol static whole { ipv4;
${routesOf(count)
  .map((route) => `  route ${route} blackhole;`)
  .join("\n")}
}
protocol static single { disabled; ipv4; route ${singleRoute} blackhole; }
${place.sessions
  .map(
    ({ router, local }, session) => `protocol bgp receiver${session} {
  local ${local} as ${place.asn}; neighbor ${router} as ${routerAsn}; connect delay time 1; connect retry time 1;
  error wait time 1, 1; ipv4 { import none; export all; next hop self; };
}`
  )
  .join("\n")}
`
  )
  const child = place.start(["bird", "-f", "-c", file, "-s", control, "-P", `${control}.pid`])
  await until("BIRD is up", async () => {
    ;(await BirdControl.open(control)).close()
    return true
  })
  const [commands, waker] = [await BirdControl.open(control), await BirdControl.open(control)]
  let isAwake = true
  const wake = async () => {
    for (; isAwake; await pause(2)) await waker.ask("show status")
  }
  void wake()
  const set = (protocol: string) => async (is: "there" | "gone") =>
    void (await commands.ask(`${is === "there" ? "enable" : "disable"} ${protocol}`))
  const stop = () => {
    isAwake = false
    commands.close()
    waker.close()
  }
  return { place, pid: child.pid!, setAll: set("whole"), setSingle: set("single"), stop }
}

/** FRR's bgpd, which announces `network` statements; told over one lasting vty it answers in a millisecond. */
const startFrr = async (place: SenderPlace, count: number): Promise<Sender> => {
  const file = (name: string) => join(place.folder, name)
  await writeFile(
    file("bgpd.conf"),
    [
      `router bgp ${place.asn}`,
      `bgp router-id ${place.address}`,
      "no bgp ebgp-requires-policy",
      "no bgp network import-check",
      "coalesce-time 0",
      ...place.sessions.flatMap(({ router, local }) => [
        `neighbor ${router} remote-as ${routerAsn}`,
        `neighbor ${router} update-source ${local}`,
        `neighbor ${router} timers connect 1`,
        `neighbor ${router} advertisement-interval 0`
      ]),
      "address-family ipv4 unicast",
      ...routesOf(count).map((route) => `network ${route}`),
      "exit-address-family",
      ""
    ].join("\n")
  )
  const [, , uid = "0", gid = "0"] = /^frr:.*$/m.exec(await readFile("/etc/passwd", "utf8"))?.[0].split(":") ?? []
  await chown(place.folder, Number(uid), Number(gid))
  const child = place.start(
    ["/usr/lib/frr/bgpd", "-f", file("bgpd.conf"), "--vty_socket", place.folder, "-z", file("zserv.api")].concat([
      "-i",
      file("bgpd.pid"),
      "-P",
      "0",
      "-n",
      "-p",
      "179"
    ])
  )
  const vty = (...commands: ReadonlyArray<string>) => Effect.runPromise(vtyCommands(file("bgpd.vty"), commands))
  await until("FRR has the table", async () => {
    const [, answer = ""] = await vty("enable", "show bgp ipv4 unicast statistics json")
    return answer.includes(String(count))
  })
  const setAll = async (is: "there" | "gone", routes = routesOf(count)) => {
    const no = is === "there" ? "" : "no "
    const lines = routes.map((route) => `${no}network ${route}`)
    await vty("enable", "configure terminal", `router bgp ${place.asn}`, "address-family ipv4 unicast", ...lines)
  }
  return {
    place,
    pid: child.pid!,
    ...(count <= 10_000 && { setAll }),
    setSingle: (is) => setAll(is, [singleRoute])
  }
}

/** GoBGP; its one bulk way in is a table dump, and out a command that deletes all. */
const startGobgp = async (place: SenderPlace, count: number): Promise<Sender> => {
  const [config, table] = [join(place.folder, "gobgp.toml"), join(place.folder, "table.mrt")]
  const neighbors = place.sessions.map(
    ({ router, local }) =>
      `[[neighbors]]\n[neighbors.config]\nneighbor-address = "${router}"\npeer-as = ${routerAsn}\n[neighbors.timers.config]\nconnect-retry = 1\nidle-hold-time-after-reset = 1\n[neighbors.transport.config]\nlocal-address = "${local}"\n`
  )
  await writeFile(config, `[global.config]\nas = ${place.asn}\nrouter-id = "${place.address}"\n${neighbors.join("")}`)
  await writeFile(table, mrtTable(firstAddress, count, place.address))
  const child = place.start(["gobgpd", "-f", config, "--api-hosts", "127.0.0.1:50051", "--log-level", "error"])
  child.stdout?.resume()
  const gobgp = async (...args: ReadonlyArray<string>) => {
    const [file = "", ...rest] = inNamespace(place.namespace, ["gobgp", ...args])
    return (await run(file, rest)).stdout
  }
  await until("GoBGP is up", async () => (await gobgp("global")).includes("AS"))
  const load = async () => {
    await gobgp("mrt", "inject", "global", table)
    await until("GoBGP has the table", async () =>
      (await gobgp("global", "rib", "summary")).includes(`Destination: ${count},`)
    )
  }
  await load()
  return {
    place,
    pid: child.pid!,
    setAll: async (is) => {
      if (is === "there") await load()
      else await gobgp("global", "rib", "del", "all")
    },
    setSingle: async (is) =>
      void (await gobgp("global", "rib", is === "there" ? "add" : "del", singleRoute, "nexthop", place.address))
  }
}

/** ExaBGP: its table is static, and what changes comes down a pipe. */
const startExabgp = async (place: SenderPlace, count: number): Promise<Sender> => {
  const [config, pipe] = [join(place.folder, "exabgp.conf"), join(place.folder, "commands")]
  await run("mkfifo", [pipe])
  const statics = routesOf(count).map((route) => `route ${route} next-hop ${place.address};`)
  await writeFile(
    config,
    `process commands { run /bin/cat ${pipe}; encoder text; }\n${place.sessions
      .map(
        ({ router, local }) => `neighbor ${router} {
  router-id ${place.address}; local-address ${local}; local-as ${place.asn}; peer-as ${routerAsn};
  family { ipv4 unicast; }
  api { processes [ commands ]; }
  static {\n${statics.join("\n")}\n}
}`
      )
      .join("\n")}\n`
  )
  const child = place.start(["exabgp", config], {
    "exabgp.daemon.user": "root",
    "exabgp.api.ack": "false",
    "exabgp.api.cli": "false"
  })
  child.stdout?.resume()
  const commands = await open(pipe, "w")
  const say = async (is: "there" | "gone", routes: ReadonlyArray<string>) => {
    const verb = is === "there" ? "announce" : "withdraw"
    await commands.appendFile(routes.map((route) => `${verb} route ${route} next-hop ${place.address}\n`).join(""))
  }
  return {
    place,
    pid: child.pid!,
    ...(count <= 10_000 && { setAll: (is) => say(is, routesOf(count)) }),
    setSingle: (is) => say(is, [singleRoute]),
    stop: () => void commands.close()
  }
}

/** Every sender, ours first. */
export const senders = {
  native: startNative,
  bird: startBird,
  gobgp: startGobgp,
  frr: startFrr,
  exabgp: startExabgp
} as const satisfies Readonly<Record<string, (place: SenderPlace, count: number) => Promise<Sender>>>

export type SenderName = "native" | "bird" | "gobgp" | "frr" | "exabgp"

/** What figures call the others. */
export const baselineNames: { readonly [Name in Exclude<SenderName, "native">]: string } = {
  bird: "BIRD, kept awake",
  gobgp: "GoBGP",
  frr: "FRR",
  exabgp: "ExaBGP"
}

/** Processor time of all threads of a process until now, milliseconds: proc_pid_schedstat counts nanoseconds. */
export const cpuMs = async (pid: number): Promise<number> => {
  const threads = await readdir(`/proc/${pid}/task`)
  const texts = await Promise.all(threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/schedstat`, "utf8")))
  return texts.reduce((sum, text) => sum + Number(text.split(" ")[0]) / 1e6, 0)
}

/** The most that a process has had resident so far, MiB. */
export const peakMib = async (pid: number): Promise<number> =>
  Number(/^VmHWM:\s+(\d+) kB/m.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024

/** What a process has resident now, MiB. */
export const residentMib = async (pid: number): Promise<number> =>
  Number(/^VmRSS:\s+(\d+) kB/m.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024
