import { mkdtempSync, rmSync } from "node:fs"
import { createServer, type Server } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { NodeOrderAnswer, NodeTruth } from "@lowtide/api/node-truth"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { lowtide, type Ran } from "./fixture.ts"
import { bgpRoutes, bgpSessions } from "./fixture-bgp.ts"

const order = {
  prefix: "192.0.2.1/32",
  reason: "attack, INC-42",
  actor: "local:ada",
  since: "2026-11-23T16:00:00.000Z"
}

const truth: NodeTruth = {
  cluster: "east",
  node: "east-1",
  at: "2026-11-23T16:05:00.000Z",
  startedAt: "2026-11-23T12:05:00.000Z",
  sync: "stale",
  agreedAt: "2026-11-23T13:05:00.000Z",
  cseq: 41,
  stamp: { incarnation: 1, epoch: 2, seq: 512 },
  isQuiet: false,
  excluded: null,
  sessions: { up: 1, total: 2 },
  intents: 4,
  announcing: ["192.0.2.2", "2001:db8::1"],
  prefixes: 2,
  verdicts: [
    { verdict: "Announced", vips: 2 },
    { verdict: "NoEndpoint", vips: 1 },
    { verdict: "Withheld", vips: 1 }
  ],
  trustedKeys: ["2026-1", "2026-2"],
  signers: ["2026-1"],
  brake: { held: 11, since: "2026-11-23T16:03:00.000Z" },
  refused: [{ code: "LT0402", message: "203.0.113.9/32 is not allowed", at: "2026-11-23T15:05:00.000Z" }],
  withheld: [order, { ...order, prefix: null, reason: "bad card" }]
}

const done: NodeOrderAnswer = {
  prefixes: ["192.0.2.1/32"],
  peers: [
    { peer: "tor-a", state: "written" },
    { peer: "tor-b", state: "down" }
  ],
  aggregates: ["192.0.2.0/24"],
  isSaved: true,
  withheld: [order]
}

const notWithheld = {
  status: 404,
  body: {
    ...{ type: "https://lowtide.dev/problems/not-found", title: "Not Found", status: 404 },
    detail: "prefix: expected one of [192.0.2.1/32], or --all, found 192.0.2.2/32"
  }
}

/** What the speaker answers, by path; an order for 192.0.2.99 meets a full disk, and one for 192.0.2.98 a router that does not read. */
const answerOf = (url: string, body: string): { readonly status: number; readonly body: unknown } => {
  const { pathname } = new URL(url, "http://localhost")
  if (body.includes("192.0.2.99")) return { status: 200, body: { ...done, isSaved: false } }
  if (body.includes("192.0.2.98"))
    return { status: 200, body: { ...done, peers: [{ peer: "tor-a", state: "waiting" }] } }
  switch (pathname) {
    case "/v1/node":
      return { status: 200, body: truth }
    case "/v1/node/withdraw":
      return { status: 200, body: done }
    case "/v1/node/restore": {
      if (body.includes("192.0.2.2")) return notWithheld
      const everything = { ...order, prefix: null, reason: "bad card" }
      const withheld = [{ ...order, prefix: "192.0.2.0/24" }, everything, { ...order, prefix: "198.51.100.1/32" }]
      return { status: 200, body: { ...done, prefixes: [], peers: [], aggregates: [], withheld } }
    }
    case "/v1/bgp/peers":
      return { status: 200, body: bgpSessions }
    case "/v1/bgp/routes":
      return { status: 200, body: bgpRoutes }
    default:
      return notWithheld
  }
}

const shown = ({ exitCode, stdout, stderr }: Ran): string =>
  `${stdout}---- error stream\n${stderr}---- exit ${exitCode}\n`

describe("at the node", () => {
  let folder = ""
  let server: Server
  let socket = ""
  const heard: Array<string> = []
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "lowtide-cli-"))
    socket = join(folder, "control.sock")
    server = createServer(async (request, response) => {
      let body = ""
      for await (const chunk of request) body += String(chunk)
      heard.push(`${request.headers["x-lowtide-user"]} ${request.method} ${request.url} ${body}`.trim())
      const answer = answerOf(request.url ?? "", body)
      const type = answer.status === 200 ? "application/json" : "application/problem+json"
      response.writeHead(answer.status, { "content-type": type }).end(JSON.stringify(answer.body))
    })
    await new Promise<void>((resolve) => server.listen(socket, resolve))
  })
  afterAll(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    rmSync(folder, { recursive: true, force: true })
  })
  const atNode = (args: ReadonlyArray<string>) => lowtide([...args, "--socket", socket])

  it("its state is told in words, and by the exit status that something is held back", async () => {
    await expect(shown(await atNode(["node", "status"]))).toMatchFileSnapshot("golden/node-status.txt")
    expect(JSON.parse((await atNode(["node", "status", "-o", "json"])).stdout)).toEqual(truth)
  })

  it("an order says what it took away, from whom, and what stays", async () => {
    const ran = await atNode(["node", "withdraw", "192.0.2.1", "--reason", "attack, INC-42"])
    await expect(shown(ran)).toMatchFileSnapshot("golden/node-withdraw.txt")
    expect(heard.at(-1)).toBe('ada POST /v1/node/withdraw {"prefix":"192.0.2.1","reason":"attack, INC-42"}')
    await atNode(["node", "withdraw", "--all", "--reason", "bad card"])
    expect(heard.at(-1)).toBe('ada POST /v1/node/withdraw {"prefix":null,"reason":"bad card"}')
  })

  it("what is given back says which other orders keep some of it away", async () => {
    const ran = await atNode(["node", "restore", "192.0.2.1", "--reason", "INC-42 is over"])
    await expect(shown(ran)).toMatchFileSnapshot("golden/node-restore.txt")
  })

  it("what is not as it should be has its own exit status", async () => {
    const cases: ReadonlyArray<readonly [ReadonlyArray<string>, number, string]> = [
      [["node", "restore", "192.0.2.2", "--reason", "x"], 3, "found 192.0.2.2/32; `lowtide node status` shows"],
      [["node", "withdraw", "--reason", "x"], 2, "expected PREFIX or --all, found neither"],
      [["node", "withdraw", "192.0.2.1", "--all", "--reason", "x"], 2, "found both"],
      [["node", "withdraw", "192.0.2.1/24", "--reason", "x"], 2, "did you mean 192.0.2.0/24"],
      [["node", "withdraw", "192.0.2.99", "--reason", "x"], 1, "a restart of the speaker would forget it"],
      [["node", "withdraw", "192.0.2.98", "--reason", "x"], 6, "tor-a has a session and takes nothing"],
      [["bgp", "peers", "--at", "1h"], 2, "a node knows the present alone"]
    ]
    for (const [args, exitCode, text] of cases) {
      const ran = await atNode(args)
      expect(ran.stderr).toContain(text)
      expect(ran.exitCode).toBe(exitCode)
    }
    const nobody = await lowtide(["node", "status", "--socket", join(folder, "none.sock")])
    expect(nobody.stderr).toContain("expected a speaker that runs on this node, found no such socket")
    expect(nobody.exitCode).toBe(7)
  })

  it("the same question is answered in the same words as the centre answers it", async () => {
    for (const args of [
      ["bgp", "peers"],
      ["bgp", "routes"],
      ["bgp", "explain", "192.0.2.1"]
    ]) {
      expect((await atNode(args)).stdout).toBe((await lowtide(args)).stdout)
    }
    const found = await lowtide(["bgp", "peers", "--node-local"], { stateFolderVariable: folder })
    expect(found.exitCode).toBe(0)
  })
})
