import type { ChildProcess } from "node:child_process"
import { createInterface } from "node:readline"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import type { RouteEvidence } from "@lowtide/bmp"
import {
  type BgpLab,
  eventually,
  linkAddresses,
  makeBgpLab,
  type Router,
  type RouterSetup,
  type Speaker,
  type StartRouter
} from "./bgp-lab.ts"
import { startFrr } from "./bgp-routers/frr.ts"
import { startGobgp } from "./bgp-routers/gobgp.ts"

/** A line that `scripts/bmp-listen.ts` prints. */
interface Reported {
  readonly _tag: string
  readonly prefix?: string
  readonly description?: string
  readonly answers?: ReadonlyArray<{ readonly router: string; readonly evidence: RouteEvidence }>
}

interface Listener {
  readonly lines: ReadonlyArray<Reported>
  /** What the one router says of the node's route to a prefix. */
  readonly ask: (prefix: string) => Promise<RouteEvidence | undefined>
}

const listener = (child: ChildProcess): Listener => {
  const lines: Array<Reported> = []
  createInterface({ input: child.stdout! }).on("line", (line) => lines.push(JSON.parse(line)))
  const ends = { nodeAddress: linkAddresses.node[4], routerAddress: linkAddresses.router[4] }
  return {
    lines,
    ask: async (prefix) => {
      const from = lines.length
      child.stdin?.write(`${JSON.stringify({ ask: { ...ends, prefix } })}\n`)
      const { line } = await eventually(
        async () => ({ line: lines.slice(from).find((line) => line._tag === "Answers" && line.prefix === prefix) }),
        ({ line }) => line !== undefined,
        `an answer about ${prefix}`
      )
      return line?.answers?.[0]?.evidence
    }
  }
}

const says = (station: Listener, prefix: string, tag: RouteEvidence["_tag"]) =>
  eventually(
    async () => ({ evidence: await station.ask(prefix) }),
    ({ evidence }) => evidence?._tag === tag,
    `the router says ${tag} of ${prefix}`,
    60_000
  ).then(({ evidence }) => evidence!)

const reporters: ReadonlyArray<{
  readonly name: string
  readonly version: RegExp
  readonly start: StartRouter
  /** Whether it says which of the routes it uses. */
  readonly tellsLocRib: boolean
}> = [
  { name: "FRR", version: /FRRouting \d/, start: startFrr, tellsLocRib: false },
  { name: "GoBGP", version: /\d+\.\d+/, start: startGobgp, tellsLocRib: true }
]

const prefix4 = "198.51.100.1/32"
const prefix6 = "2001:db8:100::1/128"
const never = "198.51.100.99/32"

describe.each(reporters)("$name reports by BMP", ({ version, start, tellsLocRib }) => {
  let lab: BgpLab
  let station: Listener
  let router: Router
  let speaker: Speaker
  const setup: RouterSetup = {
    localAsn: 64501,
    neighborAsn: 65551,
    neighbor: linkAddresses.node[4],
    bmp: { address: linkAddresses.node[4], port: 5000 }
  }

  beforeAll(async () => {
    lab = await makeBgpLab()
    const listen = ["scripts/bmp-listen.ts", "--host", linkAddresses.node[4], "--port", "5000"]
    station = listener(lab.node.start([process.execPath, ...listen, "--from", linkAddresses.router[4]]))
    router = await start(lab.router, setup)
    speaker = lab.speak(
      ["--peer", linkAddresses.router[4], "--peer-as", "64501", "--local-as", "65551", "--router-id", "192.0.2.2"]
        .concat(["--hold", "9", "--retry", "1", "--next-hop", linkAddresses.node[6]])
        .concat(["--announce", prefix4, "--announce", prefix6])
    )
    await speaker.event("TableWritten")
  })
  afterAll(() => lab?.close())

  it("who it is, and that it has what the node announces, in both families", async () => {
    for (const prefix of [prefix4, prefix6]) {
      const evidence = await says(station, prefix, "Has")
      assert.strictEqual(evidence._tag === "Has" && evidence.isSelected, tellsLocRib ? true : undefined)
    }
    assert.isTrue((await router.routes(4)).has(prefix4))
    assert.match(station.lines.find(({ _tag }) => _tag === "RouterConnected")?.description ?? "", version)
  })

  it("that it let go what the node withdrew", async () => {
    speaker.send({ withdraw: [prefix4] })
    await says(station, prefix4, "LetGo")
    assert.isFalse((await router.routes(4)).has(prefix4))
    assert.strictEqual((await station.ask(prefix6))?._tag, "Has")
    speaker.send({ announce: [prefix4] })
    await says(station, prefix4, "Has")
  })

  it("that it never had another route", async () => {
    await says(station, never, "Never")
  })

  it("that a session is down", async () => {
    await speaker.kill()
    await says(station, prefix4, "SessionDown")
  })

  it("nothing more once it is gone itself, and all of it again when it is back", async () => {
    await router.kill()
    const { ended } = await eventually(
      async () => ({ ended: station.lines.some(({ _tag }) => _tag === "RouterLost") }),
      ({ ended }) => ended,
      "the station sees the router go"
    )
    assert.isTrue(ended)
    assert.isUndefined(await station.ask(prefix4))
    router = await start(lab.router, setup)
    speaker = lab.speak(
      ["--peer", linkAddresses.router[4], "--peer-as", "64501", "--local-as", "65551", "--router-id", "192.0.2.2"]
        .concat(["--hold", "9", "--retry", "1"])
        .concat(["--announce", prefix4])
    )
    await says(station, prefix4, "Has")
  })
})
