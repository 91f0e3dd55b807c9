import { execFile } from "node:child_process"
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import type { AdvertisedRoute, NodePeer, VipIntent } from "@lowtide/domain/announcing/intent"
import { afterAll, afterEach, beforeAll } from "vitest"
import { bundled } from "../../scripts/bundle.mjs"
import { openJournal } from "../../services/speaker/src/journal.ts"
import { clusterName, HandCentre, nodeIntent, nodeName, peer, vip } from "../../services/speaker/test/hand-centre.ts"
import {
  type BgpLab,
  end,
  eventually,
  linkAddresses,
  makeBgpLab,
  type Router,
  type RouterSetup,
  type StartRouter
} from "./bgp-lab.ts"

const run = promisify(execFile)

/** What a speaker of the lab is told of its peer, and what it finds on its node. */
export interface NodeSetup {
  readonly peer: Partial<NodePeer>
  /** A second peer, which is otherwise like the first, and told the same routes. */
  readonly secondPeer?: Pick<NodePeer, "name"> & Partial<NodePeer>
  /** The password that is on the node; of a peer that asks for one. */
  readonly password?: string
  readonly prefixes?: ReadonlyArray<string>
  /** How the prefixes are announced. */
  readonly route?: Partial<AdvertisedRoute>
  /** Who announces the prefixes as an equal; everybody who may unless written. */
  readonly admission?: VipIntent["admission"]
  /** The node's BFD process runs. */
  readonly hasBfd?: boolean
  /** Settings of the speaker beside those that it needs. */
  readonly environment?: Readonly<Record<string, string>>
}

/** A whole speaker on a node whose centre, NATS and database were never there: what it knows is on its disk. */
export interface LoneNode {
  /** What `lowtide` says with these arguments, asked at the node. */
  readonly lowtide: (args: ReadonlyArray<string>) => Promise<{ readonly stdout: string; readonly exitCode: number }>
  /** Asks `lowtide bgp explain` until what it says fits; answers it, its sentences on one line. */
  readonly explained: (target: string, fits: RegExp) => Promise<string>
  /** The process is killed and begun anew on the same disk. */
  readonly restart: () => Promise<void>
  /** To the speaker. */
  readonly signal: (signal: NodeJS.Signals) => void
  /** To the node's BFD process. */
  readonly signalBfd: (signal: NodeJS.Signals) => void
  readonly close: () => Promise<void>
}

export const autonomousSystems = { node: 65551, router: 64501 } as const

/** A router and lone nodes, of which none is left over for the next test. */
export interface LoneBench {
  readonly lab: () => BgpLab
  /** Starts a router that is set as such a node needs it, but for `setup`. */
  readonly router: (start: StartRouter, setup?: Partial<RouterSetup>) => Promise<Router>
  readonly node: (setup: NodeSetup) => Promise<LoneNode>
  /** Ends everything that was started up to now. */
  readonly closeAll: () => Promise<void>
}

/** One lab for the tests of the suite that calls this; what a test starts ends with it. */
export const loneBench = (): LoneBench => {
  let lab: BgpLab
  const open: Array<() => Promise<void>> = []
  const closeAll = async () => {
    for (const close of open.splice(0).reverse()) await close()
  }
  beforeAll(async () => {
    lab = await makeBgpLab()
  })
  afterEach(closeAll)
  afterAll(() => lab?.close())
  return {
    lab: () => lab,
    router: async (start, setup) => {
      const { router: localAsn, node: neighborAsn } = autonomousSystems
      const started = await start(lab.router, { localAsn, neighborAsn, neighbor: linkAddresses.node[4], ...setup })
      open.push(started.kill)
      return started
    },
    node: async (setup) => {
      const started = await startLoneNode(lab, setup)
      open.push(started.close)
      return started
    },
    closeAll
  }
}

/** The Service of every VIP has an endpoint. */
const endpointSlice = `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: web-1, namespace: shop, labels: { kubernetes.io/service-name: web } }
endpoints: [{ addresses: [10.0.0.1], nodeName: ${nodeName} }]
`

/** Starts one. */
export const startLoneNode = async (lab: BgpLab, setup: NodeSetup): Promise<LoneNode> => {
  const folder = await mkdtemp(join(tmpdir(), "lowtide-explain-"))
  const state = join(folder, "state")
  const centre = new HandCentre()
  const { journal } = openJournal(state)
  const router = peer({
    name: "tor-a",
    peerAddress: linkAddresses.router[4],
    peerAsn: autonomousSystems.router,
    myAsn: autonomousSystems.node,
    hops: "one",
    ...(setup.password === undefined && setup.peer.password === undefined
      ? {}
      : { password: { from: "secret", namespace: "metallb-system", name: "tor" } as const }),
    ...setup.peer
  })
  const peers = [router, ...(setup.secondPeer === undefined ? [] : [{ ...router, ...setup.secondPeer }])]
  const prefixes = setup.prefixes ?? ["198.51.100.1"]
  const addresses = [linkAddresses.node[4], linkAddresses.node[6]]
  const routes = (address: string) => [
    { ...vip(address).routes[0]!, ...setup.route, peers: peers.map(({ name }) => name) }
  ]
  const { admission } = setup
  const said = [
    centre.say(nodeIntent(peers, { addresses })),
    ...prefixes.map((address) =>
      centre.say(vip(address, { routes: routes(address), ...(admission !== undefined && { admission }) }))
    )
  ]
  await journal.append([
    ...said.map((message) => ({ _tag: "Message" as const, ...message })),
    { _tag: "Health", service: "shop/web", servesHere: true, servesAnywhere: true }
  ])
  await journal.close()
  await mkdir(join(folder, "manifests"))
  await writeFile(join(folder, "manifests/web.yaml"), endpointSlice)
  await mkdir(join(folder, "secrets/metallb-system/tor"), { recursive: true })
  if (setup.password !== undefined) await writeFile(join(folder, "secrets/metallb-system/tor/password"), setup.password)
  await writeFile(join(folder, "trust.json"), centre.trustText)
  await writeFile(join(folder, "allowed.json"), centre.allowedText())
  const environment = {
    LOWTIDE_CLUSTER: clusterName,
    LOWTIDE_NODE: nodeName,
    LOWTIDE_NATS_URL: "nats://127.0.0.1:1",
    LOWTIDE_STATE_DIR: state,
    LOWTIDE_MANIFESTS: join(folder, "manifests"),
    LOWTIDE_SECRETS_DIR: join(folder, "secrets"),
    LOWTIDE_TRUST_FILE: join(folder, "trust.json"),
    LOWTIDE_ALLOWED_PREFIXES_FILE: join(folder, "allowed.json"),
    LOWTIDE_HTTP_LISTEN: `unix:${join(folder, "http.sock")}`,
    ...setup.environment
  }
  // Bundled, both start in half the time, and each question is a process.
  const [speakerFile, lowtideFile] = await Promise.all([bundled("speaker"), bundled("cli")])
  let log = ""
  const bfd = setup.hasBfd
    ? lab.node.start([process.execPath, "packages/bfd/src/main.ts", "--socket", join(state, "bfd.sock")])
    : undefined
  const start = () => {
    const child = lab.node.start([process.execPath, speakerFile], environment)
    child.stderr?.on("data", (chunk) => {
      log += String(chunk)
    })
    return child
  }
  let speaker = start()
  const lowtide: LoneNode["lowtide"] = async (args) => {
    return run(process.execPath, [lowtideFile, ...args], { env: { ...process.env, LOWTIDE_STATE_DIR: state } }).then(
      ({ stdout }) => ({ stdout, exitCode: 0 }),
      ({ stdout = "", stderr = "", code = 1 }: { stdout?: string; stderr?: string; code?: number }) => ({
        stdout: `${stdout}${stderr}`,
        exitCode: code
      })
    )
  }
  return {
    lowtide,
    explained: async (target, fits) => {
      const { text } = await eventually(
        async () => ({
          text: (await lowtide(["bgp", "explain", target, "--node-local"])).stdout.replaceAll("\n", " ")
        }),
        ({ text }) => fits.test(text),
        `${fits}; the speaker's log: ${log.slice(-2_000)}`,
        90_000
      )
      return text
    },
    restart: async () => {
      await end(speaker)
      speaker = start()
    },
    signal: (signal) => void speaker.kill(signal),
    signalBfd: (signal) => void bfd?.kill(signal),
    close: async () => {
      await end(speaker)
      if (bfd !== undefined) await end(bfd)
      await rm(folder, { recursive: true, force: true })
    }
  }
}
