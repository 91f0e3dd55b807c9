import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { hasCount, setupFor, speakArgs } from "./bgp-cases.ts"
import {
  type BgpLab,
  eventually,
  linkAddresses,
  makeBgpLab,
  type Router,
  type RouterSetup,
  runText
} from "./bgp-lab.ts"
import { startBird } from "./bgp-routers/bird.ts"
import { startFrr } from "./bgp-routers/frr.ts"

const routers = [
  ["BIRD", startBird],
  ["FRR", startFrr]
] as const

/** Segments that the kernel of a namespace has dropped for their TCP-MD5 signature. */
const md5Failures = async (namespace: string): Promise<number> => {
  const shown = await runText("ip", ["netns", "exec", namespace, "cat", "/proc/net/netstat"])
  const [titles = "", values = ""] = shown.split("\n").filter((line) => line.startsWith("TcpExt:"))
  return Number(values.split(" ")[titles.split(" ").indexOf("TCPMD5Failure")])
}

const route = ["--announce", "198.51.100.1/32"]
const waiting = (address: string, ...more: ReadonlyArray<string>) => [
  "--listen",
  address,
  "--passive",
  ...route,
  ...more
]

// That both connect at once is in the cases of each router.
describe.each(routers)("a node that listens, and %s that connects", (_name, start) => {
  let lab: BgpLab
  let running: Array<{ readonly kill: () => Promise<void> }> = []
  const fresh = async () => {
    for (const process of running) await process.kill()
    running = []
  }
  const startRouter = async (setup: RouterSetup): Promise<Router> => {
    const router = await start(lab.router, setup)
    running.push(router)
    return router
  }
  const speak = (args: ReadonlyArray<string>, wrap?: ReadonlyArray<string>) => {
    const speaker = lab.speak(args, wrap)
    running.push(speaker)
    return speaker
  }
  beforeAll(async () => {
    lab = await makeBgpLab()
  })
  afterAll(() => lab.close())

  it("the node only waits: with the password and GTSM of both, and with no other", async () => {
    await fresh()
    const listen = waiting("0.0.0.0", "--gtsm", "--password")
    const wrong = speak(speakArgs({}, ...listen, "neap-tide"))
    const before = await md5Failures(lab.node.namespace)
    const router = await startRouter(setupFor({ dials: true, gtsm: true, password: "spring-tide" }))
    await eventually(
      () => md5Failures(lab.node.namespace),
      (failures) => failures > before + 2,
      "the kernel drops what is signed with another password"
    )
    assert.deepStrictEqual(wrong.events, [])
    await wrong.kill()
    const speaker = speak(speakArgs({}, ...listen, "spring-tide"))
    await hasCount(router, 4, 1)
    assert.strictEqual((await speaker.event("SessionEstablished")).remoteAsn, setupFor().localAsn)
  })

  it("a session over IPv6 is opened by the router", async () => {
    await fresh()
    speak(speakArgs({ transport: 6 }, ...waiting("::")))
    const router = await startRouter(setupFor({ dials: true, neighbor: linkAddresses.node[6] }))
    await hasCount(router, 4, 1)
  })

  it("port 179 needs its capability, and is told so; with it any user listens", async () => {
    await fresh()
    // It may read the checkout, which is root's alone where root has made it in its home.
    const nobody = (...more: ReadonlyArray<string>) => {
      const capabilities = ["-all", "+dac_read_search", ...more].join(",")
      const user = ["--reuid", "65534", "--regid", "65534", "--clear-groups"]
      return ["setpriv", ...user, "--inh-caps", capabilities, "--ambient-caps", capabilities]
    }
    const args = speakArgs({}, ...waiting("0.0.0.0"))
    const without = speak(args, nobody())
    const { event } = await eventually(
      async () => ({ event: (without.events as ReadonlyArray<{ _tag: string; reason?: string }>)[0] }),
      (found) => found.event?._tag === "ListenFailed",
      "it says that it cannot listen"
    )
    assert.match(event?.reason ?? "", /port 179: EACCES: a port below 1024 needs the capability CAP_NET_BIND_SERVICE/)
    await without.kill()
    speak(args, nobody("+net_bind_service"))
    await hasCount(await startRouter(setupFor({ dials: true })), 4, 1)
  })
})
