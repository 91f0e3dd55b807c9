import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { open, readKeyRing } from "@lowtide/bus/envelope"
import { publicKeyOf, readNatsUsers } from "@lowtide/bus/nats-users"
import { busUserName } from "@lowtide/bus/permissions"
import { Result } from "effect"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { lowtide } from "./fixture.ts"

let folder = ""
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), "lowtide-install-")), "install")
})
afterEach(() => rmSync(join(folder, ".."), { recursive: true }))

const run = (commandLine: string) => lowtide([...commandLine.split(" "), "--out", folder])
const good = async (...commandLines: ReadonlyArray<string>) => {
  for (const commandLine of commandLines) expect(await run(commandLine)).toMatchObject({ exitCode: 0, stderr: "" })
}
const text = (path: string) => readFileSync(join(folder, path), "utf8")
const keysOf = () =>
  Object.fromEntries(
    readNatsUsers(text("nats-users.conf")).map(({ user, publicKeys }) => [busUserName(user), publicKeys])
  )
const started = ["key new install", "key new 2026-1", "cluster add east"]

describe("an installation's folder", () => {
  it("has what each process needs, secrets for their owner alone, and prints none of them", async () => {
    const outputs: Array<string> = []
    for (const line of [...started, "cluster allow east 192.0.2.0/24 2001:db8::/64", "cluster rotate east"]) {
      const { exitCode, stdout, asked } = await run(line)
      expect([line, exitCode, asked]).toEqual([line, 0, []])
      outputs.push(stdout)
    }
    const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) =>
      statSync(join(folder, file)).isFile()
    )
    expect(files.sort()).toEqual([
      "allocator/2026-1.pem",
      "allocator/nats.nk",
      "allocator/trust.json",
      "clusters/east/agent.nk",
      "clusters/east/allowed-prefixes.json",
      "clusters/east/speaker.nk",
      "clusters/east/trust.json",
      "install.pem",
      "install.pub.pem",
      "intent-keys/2026-1.pub.pem",
      "nats-users.conf"
    ])
    for (const file of files) {
      if (!/\.nk$|[^b]\.pem$/.test(file)) continue
      expect([file, (statSync(join(folder, file)).mode & 0o777).toString(8)]).toEqual([file, "600"])
      expect(outputs.join("")).not.toContain(text(file).trim().slice(-60))
      expect(text("nats-users.conf")).not.toContain(text(file).trim())
    }
  })

  it("keeps every key when a cluster is added again, and when its seeds were taken away", async () => {
    await good(...started, "cluster add west")
    const before = keysOf()
    expect(Object.keys(before)).toEqual(["allocator", "agent-east", "speaker-east", "agent-west", "speaker-west"])
    expect(before["agent-east"]).toEqual([publicKeyOf(text("clusters/east/agent.nk"))])
    rmSync(join(folder, "clusters/east/agent.nk"))
    const { stdout } = await run("cluster add east")
    expect(stdout).toContain("agent-east: keeps its key; its seed is not here")
    expect(stdout).toContain(`speaker-east: its seed is kept: ${folder}/clusters/east/speaker.nk`)
    expect(stdout).toContain("nats-server --signal reload")
    expect(keysOf()).toEqual(before)
  })

  it("has two keys a user while they are exchanged, and the new one afterwards", async () => {
    await good(...started)
    const [old] = keysOf()["speaker-east"] ?? []
    await good("cluster rotate east")
    const next = publicKeyOf(text("clusters/east/speaker.nk"))
    expect(keysOf()["speaker-east"]).toEqual([next, old])
    expect(await run("cluster rotate east")).toMatchObject({ exitCode: 4, stdout: "" })
    await good("cluster rotate east --finish")
    expect(keysOf()["speaker-east"]).toEqual([next])
    expect(await run("cluster rotate east --finish")).toMatchObject({ exitCode: 4 })
    expect(await run("cluster rotate west")).toMatchObject({
      exitCode: 3,
      stderr: `error: cluster west: expected one that has users in ${folder}/nats-users.conf, found none; run \`lowtide cluster add west --out ${folder}\`\n`
    })
  })

  it("believes a new key of intents in every trust file at once, and one that is retired no more", async () => {
    await good(...started, "cluster add west", "key new 2026-2")
    const believed = (cluster: string) => Object.keys(JSON.parse(text(`clusters/${cluster}/trust.json`)).intentKeys)
    expect([believed("east"), believed("west")]).toEqual([
      ["2026-1", "2026-2"],
      ["2026-1", "2026-2"]
    ])
    const known = () => Object.keys(JSON.parse(text("allocator/trust.json")).intentKeys)
    expect(known()).toEqual(["2026-1", "2026-2"])
    const answer = await run("key retire 2026-1")
    expect(answer).toMatchObject({ exitCode: 0, stderr: "" })
    expect(answer.stdout).toContain(
      `withdraws what 2026-1 alone has signed; how much that is: lowtide key list --in-use --out ${folder}\n`
    )
    expect([believed("east"), believed("west")]).toEqual([["2026-2"], ["2026-2"]])
    expect(await run("key retire 2026-2")).toMatchObject({ exitCode: 4 })
    expect(await run("key retire 2026-1")).toMatchObject({ exitCode: 3 })
    expect(known()).toEqual(["2026-1", "2026-2"]) // what it signed shows still what the centre said
    const retired = () => JSON.parse(text("allocator/trust.json")).retired
    expect(retired()).toEqual(["2026-1"])
    const secret = text("allocator/2026-1.pem")
    expect(await run("key new 2026-1")).toMatchObject({ exitCode: 4 })
    expect(text("allocator/2026-1.pem")).toBe(secret)
    rmSync(join(folder, "allocator/2026-1.pem"))
    expect(await run("key new 2026-1")).toMatchObject({ exitCode: 4 }) // two keys of one name would be told apart by nobody
    expect((await run("key retire 2026-1 --stolen")).stdout, "no node reads another file for that").not.toMatch(
      /withdraws/
    )
    expect([known(), retired()]).toEqual([["2026-2"], undefined])
    await good("key new 2026-3", "key retire 2026-2 --stolen")
    expect([known(), believed("east")]).toEqual([["2026-3"], ["2026-3"]])
  })

  it("has a signed list of what a cluster may announce, and says what a new one takes away", async () => {
    await good(...started, "cluster allow east 192.0.2.0/24 198.51.100.0/24")
    const { stdout } = await run("cluster allow east 192.0.2.0/25 198.51.0.0/16")
    expect(stdout).toContain("no longer allowed as a whole: 192.0.2.0/24; a node withdraws")
    const keys = readKeyRing({ install: text("install.pub.pem") })
    const payload = Result.getOrThrow(open(keys, text("clusters/east/allowed-prefixes.json")))
    expect(JSON.parse(payload)).toEqual({ cluster: "east", prefixes: ["192.0.2.0/25", "198.51.0.0/16"] })
    const foreign = join(folder, "allocator/2026-1.pem")
    expect(await run(`cluster allow east 192.0.2.0/24 --install-key ${foreign}`)).toMatchObject({ exitCode: 4 })
  })

  it("says so when a list is signed for a cluster that has no credentials beside others that have", async () => {
    await good("key new install", "key new 2026-1")
    expect((await run("cluster allow esat 192.0.2.0/24")).stdout).not.toContain("no credentials")
    await good("cluster add east", "cluster add west")
    const { exitCode, stdout } = await run("cluster allow esat 192.0.2.0/24")
    expect([exitCode, stdout.split("\n")[1]]).toEqual([
      0,
      `esat has no credentials in ${folder}, only east and west have: delete the file if the name is mistyped, else run: lowtide cluster add esat --out ${folder}`
    ])
    expect((await run("cluster allow east 192.0.2.0/24")).stdout).not.toContain("no credentials")
  })

  it.each([
    ["cluster add East", [], 2, "error: name: expected"],
    ["cluster add east", [], 2, "found 0 for intents and none of the installation"],
    ["cluster allow east 192.0.2.1/24", started, 2, "did you mean 192.0.2.0/24?"],
    ["key new ../2026", [], 2, "error: id: expected letters"],
    ["cluster allow east", started, 2, "error: "]
  ])("refuses `%s`", async (line, before, exitCode, message) => {
    await good(...before)
    const ran = await run(line)
    expect([ran.exitCode, ran.stdout]).toEqual([exitCode, ""])
    expect(ran.stderr).toContain(message)
  })

  it("does not write over a file of users that is not its own", async () => {
    await good(...started)
    writeFileSync(join(folder, "nats-users.conf"), "authorization { token: x }\n")
    expect(await run("cluster add west")).toMatchObject({ exitCode: 4 })
    expect(text("nats-users.conf")).toBe("authorization { token: x }\n")
  })
})

describe("lowtide key list", () => {
  it("tells what each key signs, who believes it, and how much rests on it", async () => {
    await good(...started, "cluster add west", "key new 2026-2")
    rmSync(join(folder, "allocator", "2026-2.pem"))
    const { stdout, asked } = await run("key list -o json")
    expect(asked).toEqual([])
    const keys = () =>
      (JSON.parse(stdout).items as ReadonlyArray<Record<string, unknown>>).map(({ since, ...key }) => key)
    expect(keys()).toEqual([
      {
        id: "install",
        signs: "allowed prefixes",
        isPrivateHere: true,
        trustedBy: ["east", "west"],
        messages: null,
        nodes: null
      },
      { id: "2026-1", signs: "intents", isPrivateHere: true, trustedBy: ["east", "west"], messages: null, nodes: null },
      { id: "2026-2", signs: "intents", isPrivateHere: false, trustedBy: ["east", "west"], messages: null, nodes: null }
    ])
    const inUse = await run("key list --in-use")
    expect(inUse.asked).toEqual(["/v1/ledger"])
    expect(inUse.stdout).toMatch(/^KEY +SIGNS +SINCE +PRIVATE +MESSAGES +NODES +TRUSTED-BY$/m)
    expect(inUse.stdout).toMatch(/^2026-1 .* 12 +3 +east west$/m)
    expect(inUse.stdout).toMatch(/^2026-2 .* elsewhere +0 +0 +east west$/m)
    expect(inUse.stdout).toMatch(
      /^1 node has not told who signed what is in effect there: east\/east-3. Retire no key before that is known.$/m
    )
    await good("key retire 2026-1")
    const retired = (await run("key list --in-use")).stdout
    expect(retired, "what is retired too soon is there as long as something rests on it").toMatch(
      /^2026-1 +intents +- +here +12 +3 +-$/m
    )
    rmSync(join(folder, "allocator", "2026-1.pem"))
    expect((await run("key list --in-use")).stdout).toMatch(/^2026-1 +intents +- +elsewhere +12 +3 +-$/m)
  })
})

describe("lowtide allocator rotate", () => {
  it("has both keys good until it is finished, and leaves the clusters' alone", async () => {
    await good(...started)
    const before = keysOf()
    const seed = text("allocator/nats.nk")
    await good("allocator rotate")
    expect(keysOf()).toEqual({ ...before, allocator: [expect.any(String), ...(before.allocator ?? [])] })
    expect(text("allocator/nats.nk")).not.toBe(seed)
    expect(keysOf().allocator?.[0]).toBe(publicKeyOf(text("allocator/nats.nk")))
    expect(await run("allocator rotate")).toMatchObject({ exitCode: 4 })
    await good("allocator rotate --finish")
    expect(keysOf()).toEqual({ ...before, allocator: [publicKeyOf(text("allocator/nats.nk"))] })
    expect(await run("allocator rotate --finish")).toMatchObject({ exitCode: 4 })
  })
})

describe("lowtide cluster remove", () => {
  it("is refused while the cluster holds addresses; a reason does without asking, and stays", async () => {
    await good(...started, "cluster add west")
    const before = keysOf()
    const refused = await run("cluster remove east")
    expect(refused).toMatchObject({ exitCode: 4, asked: ["/v1/vips?cluster=east"] })
    expect(refused.stderr).toContain("expected one that holds no address")
    expect(keysOf()).toEqual(before)
    const removed = await lowtide(["cluster", "remove", "east", "--out", folder, "--reason", "burnt down"])
    expect(removed).toMatchObject({ exitCode: 0, asked: [] })
    expect(removed.stdout).toContain("nats-server --signal reload")
    const { "agent-east": _, "speaker-east": __, ...rest } = before
    expect(keysOf()).toEqual(rest)
    expect(readdirSync(join(folder, "clusters"))).toEqual(["west"])
    expect(JSON.parse(text("removed-clusters.ndjson"))).toMatchObject({
      user: "ada",
      cluster: "east",
      reason: "burnt down"
    })
    expect(await run("cluster remove east")).toMatchObject({ exitCode: 4 })
    expect(await lowtide(["cluster", "remove", "north", "--out", folder, "--reason", "typo"])).toMatchObject({
      exitCode: 3
    })
  })

  it("goes on where no allocator has heard of the cluster, and not where none answers", async () => {
    await good(...started)
    const problem = (status: number, body: object) => async () =>
      new Response(JSON.stringify(body), { status, headers: { "content-type": "application/problem+json" } })
    const remove = (fetch: () => Promise<Response>) =>
      lowtide(["cluster", "remove", "east", "--out", folder], { fetch })
    const away = await remove(() => Promise.reject(new TypeError("fetch failed")))
    expect(away.exitCode).toBe(7)
    expect(Object.keys(keysOf())).toContain("agent-east")
    const unknown = {
      type: "https://lowtide.dev/problems/not-found",
      title: "not-found",
      status: 404,
      detail: "cluster: none"
    }
    expect(await remove(problem(404, unknown))).toMatchObject({ exitCode: 0 })
    expect(Object.keys(keysOf())).toEqual(["allocator"])
  })
})
