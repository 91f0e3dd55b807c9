import { type ChildProcess, execFile, spawn } from "node:child_process"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { BirdControl } from "./announce/bird-control.ts"
import { mrtTable } from "./announce/mrt-table.ts"

/**
 * 1,000, 10,000 and 100,000 routes from session up to all in a BIRD's table: our speaker, BIRD (kept awake) and GoBGP
 * as senders, each in a network namespace of its own, in turn against the same receiver.
 *
 * `announce [ROUTES]`: of so many routes alone, once.
 *
 * "Up" is the receiver's own time stamp of it, "all" is when it says so, asked every millisecond. Needs root, `bird` and `gobgpd`.
 */
const only = process.argv[2]
const sizes =
  only !== undefined
    ? [{ routes: Number(only), rounds: 1 }]
    : [
        { routes: 1_000, rounds: 5 },
        { routes: 10_000, rounds: 5 },
        { routes: 100_000, rounds: 3 }
      ]
const senders = ["native", "bird", "gobgp"] as const
type Sender = (typeof senders)[number]

const firstAddress = 0x0a00_0000 // 10.0.0.0
const routerNamespace = "ltann-router"
const namespaceOf = (sender: Sender) => `ltann-${sender}`
const link = (sender: Sender) => {
  const index = senders.indexOf(sender) + 1
  const network = `192.0.2.${index * 4}`
  return {
    router: `192.0.2.${index * 4 + 1}`,
    sender: `192.0.2.${index * 4 + 2}`,
    network,
    device: `up${index}`,
    asn: 64510 + index
  }
}

const run = promisify(execFile)
const ip = (...args: ReadonlyArray<string>) => run("ip", [...args])
const progress = (text: string) => process.stderr.write(`announce: ${text}\n`)
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const children: Array<ChildProcess> = []

const inside = (namespace: string, command: ReadonlyArray<string>): ChildProcess => {
  const args = ["netns", "exec", namespace, "setpriv", "--pdeathsig", "KILL", ...command]
  const child = spawn("ip", args, { stdio: ["pipe", "ignore", "ignore"] })
  children.push(child)
  return child
}

const until = async (what: string, test: () => Promise<boolean>): Promise<void> => {
  for (const deadline = performance.now() + 120_000; ; await pause(20)) {
    if (await test().catch(() => false)) return
    if (performance.now() > deadline) throw new Error(`not within 120 s: ${what}`)
  }
}

const removeNamespaces = async () => {
  for (const name of [routerNamespace, ...senders.map(namespaceOf)]) await ip("netns", "del", name).catch(() => {})
}

const makeNamespaces = async () => {
  await removeNamespaces()
  await ip("netns", "add", routerNamespace)
  await ip("-n", routerNamespace, "link", "set", "lo", "up")
  for (const sender of senders) {
    const [name, { router, sender: address, device, network }] = [namespaceOf(sender), link(sender)]
    await ip("netns", "add", name)
    await ip("-n", routerNamespace, "link", "add", device, "type", "veth", "peer", "name", "up0", "netns", name)
    await ip("-n", routerNamespace, "addr", "add", `${router}/30`, "dev", device)
    await ip("-n", routerNamespace, "link", "set", device, "up")
    // BIRD sends with Nagle's algorithm, so a delayed acknowledgement would add 40 ms to every other of its runs.
    const route = ["replace", `${network}/30`, "dev", device, "scope", "link", "src", router, "quickack", "1"]
    await ip("-n", routerNamespace, "route", ...route)
    await ip("-n", name, "addr", "add", `${address}/30`, "dev", "up0")
    await ip("-n", name, "link", "set", "lo", "up")
    await ip("-n", name, "link", "set", "up0", "up")
  }
}

const startBird = async (namespace: string, folder: string, config: string): Promise<BirdControl> => {
  const [file, control] = [join(folder, `${namespace}.conf`), join(folder, `${namespace}.ctl`)]
  await writeFile(file, config)
  inside(namespace, ["bird", "-f", "-c", file, "-s", control, "-P", `${control}.pid`])
  await until(`BIRD in ${namespace} is up`, async () => {
    ;(await BirdControl.open(control)).close()
    return true
  })
  return BirdControl.open(control)
}

const receiverConfig = (): string => `router id 192.0.2.1;
timeformat protocol iso long us;
protocol device {}
${senders
  .map((sender) => {
    const { router, sender: address, asn } = link(sender)
    return `protocol bgp from_${sender} {
  disabled; local ${router} as 64500; neighbor ${address} as ${asn};
  connect delay time 1; connect retry time 1; error wait time 1, 1;
  ipv4 { import all; export none; };
}`
  })
  .join("\n")}
`

const dotted = (address: number) => [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join(".")

const birdSenderConfig = (routes: number): string => {
  const { router, sender, asn } = link("bird")
  const table = Array.from({ length: routes }, (_, index) => `  route ${dotted(firstAddress + index)}/32 blackhole;`)
  return `router id ${sender};
protocol device {}
protocol static { ipv4;
${table.join("\n")}
}
protocol bgp receiver {
  local ${sender} as ${asn}; neighbor ${router} as 64500; connect delay time 1; connect retry time 1;
  error wait time 1, 1; ipv4 { import none; export all; next hop self; };
}
`
}

/** GoBGP with the whole table loaded. */
const startGobgp = async (folder: string, routes: number): Promise<void> => {
  const [namespace, { router, sender, asn }] = [namespaceOf("gobgp"), link("gobgp")]
  const [config, table] = [join(folder, "gobgp.toml"), join(folder, "table.mrt")]
  await writeFile(
    config,
    `[global.config]\nas = ${asn}\nrouter-id = "${sender}"\n[[neighbors]]\n[neighbors.config]\nneighbor-address = "${router}"\npeer-as = 64500\n[neighbors.timers.config]\nconnect-retry = 1\nidle-hold-time-after-reset = 1\n`
  )
  await writeFile(table, mrtTable(firstAddress, routes, sender))
  inside(namespace, ["gobgpd", "-f", config, "--api-hosts", "127.0.0.1:50051", "--log-level", "error"])
  const gobgp = (...args: ReadonlyArray<string>) => run("ip", ["netns", "exec", namespace, "gobgp", ...args])
  await until("GoBGP is up", async () => (await gobgp("global")).stdout.includes("AS"))
  await gobgp("mrt", "inject", "global", table)
  await until("GoBGP has the table", async () =>
    (await gobgp("global", "rib", "summary")).stdout.includes(`Destination: ${routes},`)
  )
}

/** Our speaker, as a process, with the whole table wanted. */
const startNative = (routes: number): void => {
  const { router, sender, asn } = link("native")
  const args = [
    "--peer",
    router,
    "--peer-as",
    "64500",
    "--local-as",
    String(asn),
    "--router-id",
    sender,
    "--family",
    "4"
  ]
  const child = inside(namespaceOf("native"), [process.execPath, "scripts/bgp-speak.ts", ...args])
  child.stdin?.write(`${JSON.stringify({ range: { count: routes, from: dotted(firstAddress) } })}\n`)
}

/** Milliseconds from "up" to "all", as the receiver says. */
const measure = async (receiver: BirdControl, sender: Sender, routes: number): Promise<number> => {
  await receiver.ask(`enable from_${sender}`)
  for (const deadline = performance.now() + 180_000; ; await pause(1)) {
    const { upAtMs, imported } = await receiver.session(`from_${sender}`)
    const now = performance.now()
    const nowMs = performance.timeOrigin + now
    if (upAtMs !== undefined && imported === routes) {
      await receiver.ask(`disable from_${sender}`)
      await until("the routes are gone", async () => (await receiver.session(`from_${sender}`)).imported === 0)
      return nowMs - upAtMs
    }
    if (now > deadline) throw new Error(`${sender}: ${imported} of ${routes} routes after 180 s`)
  }
}

const median = (values: ReadonlyArray<number>) => values.toSorted((left, right) => left - right)[values.length >> 1]!

const compare = async (folder: string, { routes, rounds }: (typeof sizes)[number]): Promise<void> => {
  const receiver = await startBird(routerNamespace, folder, receiverConfig())
  const birdSender = await startBird(namespaceOf("bird"), folder, birdSenderConfig(routes))
  startNative(routes)
  await startGobgp(folder, routes)
  // BIRD 2.0.12 can leave the last batch lying until its loop is woken; a question wakes it.
  let isAwake = true
  const wake = (async () => {
    for (; isAwake; await pause(2)) await birdSender.ask("show status")
  })()
  const times: Record<Sender, Array<number>> = { native: [], bird: [], gobgp: [] }
  for (let round = 0; round < rounds; round++) {
    for (const sender of senders) {
      const ms = await measure(receiver, sender, routes)
      times[sender].push(ms)
      progress(`${routes} routes, round ${round + 1}, ${sender}: ${ms.toFixed(1)} ms`)
    }
  }
  isAwake = false
  await wake
  receiver.close()
  birdSender.close()
  for (const [sender, name] of [
    ["bird", "BIRD, kept awake"],
    ["gobgp", "GoBGP"]
  ] as const) {
    report(`${routes} routes, session up to all in BIRD`, median(times.native), { name, value: median(times[sender]) })
  }
}

const report = (figure: string, value: number, baseline: { readonly name: string; readonly value: number }): void => {
  const round = (number: number, digits: number) => Number(number.toFixed(digits))
  const line = {
    bench: "announce",
    figure,
    value: round(value, 2),
    unit: "ms",
    baseline: round(baseline.value, 2),
    baselineName: baseline.name,
    ratio: round(value / baseline.value, 3)
  }
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

const end = async () => {
  const exits = children.splice(0).map((child) => {
    const isOver = child.exitCode !== null || child.signalCode !== null
    child.kill("SIGKILL")
    return isOver ? undefined : new Promise((resolve) => child.once("exit", resolve))
  })
  await Promise.all(exits)
  await removeNamespaces()
}

const folder = await mkdtemp(join(tmpdir(), "lowtide-announce-"))
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => void end().then(() => process.exit(130)))
try {
  for (const size of sizes) {
    await makeNamespaces()
    await compare(folder, size)
    await end()
  }
} finally {
  await end()
  await rm(folder, { recursive: true, force: true })
}
