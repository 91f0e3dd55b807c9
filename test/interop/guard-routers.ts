import { readFileSync } from "node:fs"
import { join } from "node:path"
import { askBird, startBirdDaemon, writeBird } from "@lowtide/testkit/lab/bird-daemon"
import { askFrr, startFrrDaemons } from "@lowtide/testkit/lab/frr-daemons"
import { execute } from "@lowtide/testkit/lab/index"
import { Effect } from "effect"
import { asns, type GuardPlan, type StartGuarded, ways } from "./guard-lab.ts"

/** Its BFD runs in real time, as the node's does: a router does not share the node's processors. */
const asRouter = (pidFile: string) => execute(["sh", "-c", `chrt -a -r -p 1 "$(cat ${pidFile})"`])

/** BIRD, with BGP and BFD in the one process. */
export const startGuardedBird: StartGuarded = (lab, plan) =>
  Effect.gen(function* () {
    const place = { folder: join(lab.folder, "bird"), namespace: lab.router }
    const file = (name: string) => join(place.folder, name)
    const command = (text: string) => askBird(place, text)
    yield* writeBird(place, birdConfiguration(plan, file("own.log")))
    const child = yield* startBirdDaemon(place)
    yield* asRouter(file("bird.pid"))
    const log = Effect.sync(() => readFileSync(file("own.log"), "utf8"))
    return {
      prefixes: Effect.map(command("show route protocol node"), (text) =>
        [...text.matchAll(/^(\S+\/\d+) /gm)].map(([, prefix = ""]) => prefix)
      ),
      // 2026-11-26 10:00:00.000 <TRACE> node.ipv4 > removed [sole] 198.51.100.1/32 …
      removals: Effect.map(log, (text) =>
        [...text.matchAll(/^(\S+ \S+) .*> removed(?: \[\w+\])? (\S+)/gm)].map(([, time = "", prefix = ""]) => ({
          prefix,
          atUnixMs: Date.parse(time.replace(" ", "T"))
        }))
      ),
      isEstablished: Effect.map(command("show protocols all node"), (text) => /BGP state: +Established/.test(text)),
      bfd: Effect.map(command("show bfd sessions"), (text) =>
        new RegExp(`^${ways[plan.way].node}\\s+\\S+\\s+(\\w+)`, "m").exec(text)?.[1]?.toLowerCase()
      ),
      log,
      signal: child.signal
    }
  })

const birdConfiguration = ({ way, hasBfd, holdTimeSeconds, keepsRoutes }: GuardPlan, log: string): string => {
  const { node, router, isFar } = ways[way]
  const settings = "interval 300 ms; multiplier 3;"
  const channel = (family: 4 | 6) => `ipv${family} { import all; export none; };`
  return `log "${log}" all;
timeformat log iso long ms;
router id 192.0.2.1;
protocol device { scan time 1; }
protocol bfd { ${isFar ? `multihop { ${settings} };` : `interface "link0" { ${settings} };`} }
protocol bgp node {
  local ${router} as ${asns.router};
  neighbor ${node} as ${asns.node};
  ${isFar ? "multihop;" : "direct;"}
  ${hasBfd ? "bfd on;" : ""}
  graceful restart ${keepsRoutes ? "aware" : "off"};
  debug { states, routes };
  hold time ${holdTimeSeconds};
  passive on; error wait time 1, 2; error forget time 1; connect retry time 1;
  ${channel(4)}
  ${channel(6)}
}
`
}

/**
 * FRR's zebra, bfdd and bgpd, of which the first joins the others. It dials as well, in vain: FRR 8.4 that is `passive` ends a
 * session that comes up in the very moment in which its start timer expires.
 */
export const startGuardedFrr: StartGuarded = (lab, plan) =>
  Effect.gen(function* () {
    const place = { folder: join(lab.folder, "frr"), namespace: lab.router }
    const file = (name: string) => join(place.folder, name)
    const daemons = yield* startFrrDaemons(place, {
      zebra: "",
      bfdd: frrBfdConfiguration(plan),
      bgpd: frrBgpConfiguration(plan)
    })
    yield* asRouter(file("bfdd.pid"))
    const show = (name: "bgpd" | "bfdd", command: string) =>
      Effect.map(askFrr(place, name, command), (answers) => {
        const text = answers.at(-1) ?? ""
        return JSON.parse(text.slice(text.search(/[[{]/))) as unknown
      })
    const log = Effect.sync(() => readFileSync(file("bgpd.log"), "utf8"))
    const { node } = ways[plan.way]
    return {
      prefixes: Effect.map(
        Effect.all([show("bgpd", "show bgp ipv4 unicast json"), show("bgpd", "show bgp ipv6 unicast json")]),
        (tables) => tables.flatMap((table) => Object.keys((table as { routes?: object }).routes ?? {}))
      ),
      // 2026/11/26 10:00:00.000 BGP: [M7Q4P-46WDR] … Tx route delete VRF 0 198.51.100.1/32 …
      removals: Effect.map(log, (text) =>
        [...text.matchAll(/^(\S+) (\S+) BGP: .*Tx route delete (?:VRF )?\S+ (\S+\/\d+)/gm)].map(
          ([, day = "", time = "", prefix = ""]) => ({
            prefix,
            atUnixMs: Date.parse(`${day.replaceAll("/", "-")}T${time}`)
          })
        )
      ),
      isEstablished: Effect.map(
        show("bgpd", "show bgp neighbors json"),
        (all) => (all as Record<string, { bgpState?: string }>)[node]?.bgpState === "Established"
      ),
      bfd: Effect.map(
        show("bfdd", "show bfd peers json"),
        (all) => (all as ReadonlyArray<{ peer: string; status: string }>).find((each) => each.peer === node)?.status
      ),
      endsOfRib: Effect.map(log, (text) => [...text.matchAll(/rcvd End-of-RIB/g)].length),
      log,
      signal: (signal) => Effect.forEach(Object.values(daemons), (child) => child.signal(signal), { discard: true })
    }
  })

const frrBfdConfiguration = ({ hasBfd }: GuardPlan): string =>
  hasBfd
    ? [
        "bfd",
        " profile guard",
        "  receive-interval 300",
        "  transmit-interval 300",
        "  minimum-ttl 254",
        " exit",
        "exit",
        ""
      ].join("\n")
    : ""

const frrBgpConfiguration = ({ way, hasBfd, holdTimeSeconds, keepsRoutes }: GuardPlan): string => {
  const { node, router, isFar } = ways[way]
  const neighbor = (...texts: ReadonlyArray<string>) => texts.map((text) => ` neighbor ${node} ${text}`)
  return [
    "log timestamp precision 3",
    "debug bgp zebra",
    "debug bgp neighbor-events",
    `router bgp ${asns.router}`,
    " bgp router-id 192.0.2.1",
    " bgp log-neighbor-changes",
    " no bgp ebgp-requires-policy",
    " no bgp default ipv4-unicast",
    ...neighbor(
      `remote-as ${asns.node}`,
      `timers ${Math.floor(holdTimeSeconds / 3)} ${holdTimeSeconds}`,
      `update-source ${router}`,
      ...(isFar ? ["ebgp-multihop 5"] : []),
      ...(hasBfd ? ["bfd", "bfd profile guard"] : []),
      keepsRoutes ? "graceful-restart-helper" : "graceful-restart-disable"
    ),
    ...(["ipv4", "ipv6"] as const).flatMap((family) => [
      ` address-family ${family} unicast`,
      `  neighbor ${node} activate`,
      " exit-address-family"
    ]),
    "exit",
    ""
  ].join("\n")
}
