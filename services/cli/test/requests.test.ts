import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { describe, expect, it } from "vitest"
import { lowtide, reserved } from "./fixture.ts"

describe("what is asked", () => {
  const table = [
    ["get services --cluster east -n shop", "/v1/services?cluster=east&namespace=shop"],
    ["get nodes --cluster east -A", "/v1/nodes?cluster=east"],
    ["who 192.0.2.1 --at 2026-11-23T15:05:01+01:00", "/v1/vips/192.0.2.1/holder?at=2026-11-23T14%3A05%3A01.000Z"],
    ["who 192.0.2.1 --network blue", "/v1/vips/192.0.2.1/holder?network=blue"],
    ["history 192.0.2.1 --limit 5", "/v1/history?address=192.0.2.1&limit=5"],
    ["history address/2001:DB8::1", "/v1/history?address=2001%3Adb8%3A%3A1&limit=100"],
    ["history 192.0.2.0/28 --since 9", "/v1/history?address=192.0.2.0%2F28&limit=100&since=9"],
    [
      "history 192.0.2.1 --network blue --cluster east -n shop --pool public",
      "/v1/history?address=192.0.2.1&network=blue&cluster=east&namespace=shop&pool=public&limit=100"
    ],
    ["history address/2001:DB8::/64", "/v1/history?address=2001%3Adb8%3A%3A%2F64&limit=100"],
    ["diff --from 12 --address 192.0.2.0/24", "/v1/diff?from=12&address=192.0.2.0%2F24"],
    ["history pool/east/public --before 9", "/v1/history?cluster=east&pool=public&limit=100&before=9"],
    ["history peer/tor-a", "/v1/history?peer=tor-a&limit=100"],
    ["history node/east/east-1", "/v1/history?cluster=east&node=east-1&limit=100"],
    ["history cluster/east", "/v1/history?cluster=east&limit=100"],
    ["history file/east/services/shop.yaml", "/v1/history?cluster=east&file=services%2Fshop.yaml&limit=100"],
    ["history", "/v1/history?limit=100"],
    ["get evidence --cluster east -n shop", "/v1/evidence?cluster=east"],
    ["get pools --at 12", "/v1/pools?at=12"],
    ["why service/east/shop/web --at 12", "/v1/why/service/east/shop/web?at=12"],
    ["trace service/east/shop/web --at 12", "/v1/trace/service/east/shop/web?at=12"],
    ["trace service/shop/web --at 12", "/v1/trace/service/shop/web?at=12"],
    ["why service/shop/web", "/v1/why/service/shop/web"],
    [["get", "nodes", "--at", "5 minutes ago"], "/v1/nodes?at=2026-11-23T16%3A00%3A00.000Z"],
    ["who 192.0.2.1 --at 12", "/v1/vips/192.0.2.1/holder?at=12"],
    [
      "history --actor agent:east --type VipAssigned --since 1h --until 24 --at 30",
      "/v1/history?limit=100&actor=agent%3Aeast&type=VipAssigned&since=2026-11-23T15%3A05%3A00.000Z&until=24&at=30"
    ],
    ["history ::ffff:192.0.2.1 --actor local:ada?", "/v1/history?limit=100&address=192.0.2.1&actor=local%3Aada"],
    ["diff --from 12 --address ::ffff:192.0.2.0/120", "/v1/diff?from=12&address=192.0.2.0%2F24"],
    [
      "audit reads --actor person:ada --since 1h --before 9",
      "/v1/audit/reads?limit=100&actor=person%3Aada&since=2026-11-23T15%3A05%3A00.000Z&before=9"
    ],
    [
      "audit export --actor local:ada? --cluster east --until 30 --at 24",
      "/v1/audit/exports?actor=local%3Aada&cluster=east&until=30&at=24&format=ndjson"
    ],
    ["audit export --service east/shop/web", "/v1/audit/exports?cluster=east&namespace=shop&service=web&format=ndjson"],
    [
      "audit export --service shop/web --cluster west -n shop",
      "/v1/audit/exports?cluster=west&namespace=shop&service=web&format=ndjson"
    ],
    ["audit export --service web -n shop", "/v1/audit/exports?namespace=shop&service=web&format=ndjson"],
    [
      "history cluster/east --correlation 00000000-0000-4000-8000-000000000009",
      "/v1/history?cluster=east&limit=100&correlation=00000000-0000-4000-8000-000000000009"
    ],
    [
      "diff --from 12 --to 24 --cluster east -n shop --pool public --address 2001:DB8::1 --kind address",
      "/v1/diff?from=12&to=24&cluster=east&namespace=shop&pool=public&address=2001%3Adb8%3A%3A1&kind=address"
    ]
  ] as const
  for (const [commandLine, request] of table) {
    it(`by lowtide ${typeof commandLine === "string" ? commandLine : commandLine.join(" ")}`, async () => {
      const { asked } = await lowtide(commandLine)
      const parts = (text: string) => [text.split("?")[0], ...(text.split("?")[1] ?? "").split("&").sort()]
      expect(asked.map(parts)).toEqual([parts(request)])
    })
  }

  it("is an order with its reason and an id of its own", async () => {
    const commandLine = ["node", "retire", "node/east/east-1", "--reason", "disk dead, will not come back"]
    const ids = await Promise.all(
      [1, 2].map(async () => {
        const { asked, sent } = await lowtide(commandLine)
        expect(asked).toEqual(["/v1/nodes/east/east-1/retire"])
        const body = JSON.parse(sent[0]?.body ?? "{}")
        expect(body.reason).toBe("disk dead, will not come back")
        return body.commandId
      })
    )
    expect(new Set(ids).size).toBe(2)
    const { asked } = await lowtide("vip force-release 192.0.2.2 --network blue --reason gone")
    expect(asked).toEqual(["/v1/vips/192.0.2.2/force-release?network=blue"])
    const approval = await lowtide("approve w-1 --reason ordered")
    expect(approval.asked).toEqual(["/v1/approvals", "/v1/approvals/w-1/approve"])
    expect(JSON.parse(approval.sent[1]?.body ?? "{}")).toMatchObject({ reason: "ordered", revision: 3 })
    const brake = await lowtide("brake release --cluster east --node east-1 --reason ordered")
    expect(brake.asked).toEqual(["/v1/clusters/east/brake/release?node=east-1"])
  })

  it("is one object a request, in their order; nothing is asked when one is wrong", async () => {
    const folder = mkdtempSync(join(tmpdir(), "lowtide-cli-"))
    try {
      const file = join(folder, "fleet.yaml")
      const head = "apiVersion: lowtide.dev/v1alpha1\nkind: Quota\nmetadata: {name: "
      writeFileSync(file, `${head}a}\nspec: {addresses: 1}\n---\n${head}b}\nspec: {namespace: shop, addresses: 2}\n`)
      const { asked, sent } = await lowtide(["apply", "-f", file, "--reason", "as agreed"])
      expect(asked).toEqual(["/v1/objects", "/v1/objects"])
      const isSo = { ...reserved, seqFrom: null, seqTo: null, items: [] }
      const again = await lowtide(["apply", "-f", file], { fetch: async () => Response.json(isSo) })
      expect(again.stderr).toBe(
        "Quota a is so already; nothing was changed\nQuota b is so already; nothing was changed\n"
      )
      const findings = [{ cluster: "", since: null, severity: "warning", code: "LT0162", message: "selects none" }]
      const more = { object: { kind: "AddressPool", name: "a" }, field: "", expected: "", found: "", fix: "correct it" }
      const known = { ...isSo, findings: findings.map((found) => ({ ...found, ...more })) }
      const warned = await lowtide(["apply", "-f", file], { fetch: async () => Response.json(known) })
      expect(warned.stderr).toContain("warning LT0162 selects none. Fix: correct it\n")
      expect(sent.map(({ body }) => JSON.parse(body))).toMatchObject([
        { reason: "as agreed", object: { kind: "Quota", metadata: { name: "a" }, spec: { addresses: 1 } } },
        { reason: "as agreed", object: { metadata: { name: "b" }, spec: { namespace: "shop", addresses: 2 } } }
      ])
      writeFileSync(file, `${head}a}\nspec: {addresses: 1}\n---\n${head}b}\nspec: {addresses: many}\n`)
      const refused = await lowtide(["apply", "-f", file])
      expect(refused).toMatchObject({ exitCode: 2, asked: [] })
      expect(refused.stderr).toContain("Quota b spec.addresses")
      writeFileSync(file, `${head}a}\nspec: {addresses: 1}\n---\n${head}a}\nspec: {addresses: 2}\n`)
      const twice = await lowtide(["apply", "-f", file])
      expect(twice).toMatchObject({ exitCode: 2, asked: [] })
      expect(twice.stderr).toContain(`LT0122 ${file}:6 Quota a: object defined twice`)
      expect(twice.stderr).toContain("found a second one; the first is at line 1. Fix:")
    } finally {
      rmSync(folder, { recursive: true })
    }
    const { asked, sent } = await lowtide(
      "reserve --pool public --ip-family IPv6 --for service/east/shop/web --name web6"
    )
    expect(asked).toEqual(["/v1/objects"])
    expect(JSON.parse(sent[0]?.body ?? "{}").object).toEqual({
      apiVersion: "lowtide.dev/v1alpha1",
      kind: "Reservation",
      metadata: { name: "web6" },
      spec: { for: { cluster: "east", namespace: "shop", name: "web" }, pool: "public", ipFamily: "IPv6" }
    })
    expect(await lowtide("delete res/web")).toMatchObject({
      exitCode: 0,
      asked: ["/v1/objects/Reservation/web/delete"]
    })
    const nothing = {
      position: 9,
      asOf: "2026-11-23T14:05:18.000Z",
      commandId: "",
      seqFrom: null,
      seqTo: null,
      items: []
    }
    const fetch = async () => new Response(JSON.stringify(nothing), { headers: { "content-type": "application/json" } })
    expect(await lowtide("delete res/wob", { fetch })).toMatchObject({
      exitCode: 0,
      stderr: "there is no Reservation wob; nothing was changed\n"
    })
  })

  it("comes with the token of the file, else of the variable, else with the user's name", async () => {
    const folder = mkdtempSync(join(tmpdir(), "lowtide-cli-"))
    try {
      const file = join(folder, "token")
      writeFileSync(file, "from-file\n")
      const said = async (commandLine: string, tokenVariable?: string) => {
        const headers = (await lowtide(commandLine, { tokenVariable })).sent[0]?.headers
        return [headers?.get("authorization"), headers?.get("x-lowtide-user")]
      }
      expect(await said(`get nodes --token-file ${file}`, "from-variable")).toEqual(["Bearer from-file", null])
      expect(await said("get nodes", "from-variable")).toEqual(["Bearer from-variable", null])
      expect(await said("get nodes")).toEqual([null, "ada"])
      writeFileSync(file, "two words")
      expect(await lowtide(`get nodes --token-file ${file}`)).toMatchObject({ exitCode: 2, asked: [] })
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it("finds the only cluster of a node that is named without it", async () => {
    const { asked } = await lowtide("history node/east-1")
    expect(asked[1]).toContain("cluster=east")
  })
})

describe("which server is asked", () => {
  const serverOf = async (commandLine: string, more: Parameters<typeof lowtide>[1] = {}) => {
    const servers: Array<string> = []
    const fetch: typeof globalThis.fetch = async (input) => {
      servers.push(new URL(input instanceof Request ? input.url : input).origin)
      throw new TypeError("fetch failed")
    }
    await lowtide(commandLine, { ...more, fetch })
    return servers[0]
  }

  it("is the flag's, else the variable's, else the demo's in the folder or above, else the default", async () => {
    const folder = mkdtempSync(join(tmpdir(), "lowtide-cli-"))
    try {
      const workingFolder = join(folder, "a", "b")
      mkdirSync(workingFolder, { recursive: true })
      mkdirSync(join(folder, ".lowtide"))
      writeFileSync(join(folder, ".lowtide", "demo.json"), JSON.stringify({ api: "http://127.0.0.1:7003", more: 1 }))
      const serverVariable = "http://127.0.0.1:7002"
      expect(await serverOf("get nodes -s http://127.0.0.1:7001/", { serverVariable, workingFolder })).toBe(
        "http://127.0.0.1:7001"
      )
      expect(await serverOf("get nodes", { serverVariable, workingFolder })).toBe("http://127.0.0.1:7002")
      expect(await serverOf("get nodes", { workingFolder })).toBe("http://127.0.0.1:7003")
      expect(await serverOf("get nodes")).toBe("http://127.0.0.1:7070")
      writeFileSync(join(folder, ".lowtide", "demo.json"), "{")
      expect(await serverOf("get nodes", { workingFolder })).toBe("http://127.0.0.1:7070")
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

describe("what is said of an answer", () => {
  const answering = (answer: object) => async () =>
    new Response(JSON.stringify({ position: 7, asOf: "2026-11-23T14:05:00.000Z", ...answer }), {
      headers: { "content-type": "application/json" }
    })

  it("says of a recovery that is not begun yet that it was ordered", async () => {
    const sentence = "The recovery is ordered and not begun yet: `lowtide recover` says how it stands."
    const fetch = answering({ recovery: null, reserved: [], sentence })
    const { exitCode, stdout } = await lowtide("recover --reason restored", { fetch })
    expect([exitCode, stdout]).toEqual([0, `${sentence}\n`])
  })

  it("says of findings which of them the leader alone knows", async () => {
    const { exitCode, stderr } = await lowtide("get findings", { fetch: answering({ items: [], lacks: ["LT0522"] }) })
    expect(exitCode).toBe(0)
    expect(stderr).toMatch(/^note: there may be more of LT0522: .*`lowtide recover` asks it$/m)
  })
})

describe("audit export --out", () => {
  const withFolder = async (act: (path: string) => Promise<void>) => {
    const folder = mkdtempSync(join(tmpdir(), "lowtide-export-"))
    try {
      await act(join(folder, "log.ndjson"))
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }

  const whole = async () => new Response("whole\n")
  const filesBeside = (path: string) => readdirSync(dirname(path)).sort()

  it("leaves what is there as it is until all of it has come", () =>
    withFolder(async (path) => {
      writeFileSync(path, "of yesterday")
      const half = new ReadableStream({
        pull: (controller) => {
          controller.enqueue(Buffer.from("half"))
          controller.error(new Error("cut off"))
        }
      })
      const answers = [() => Promise.reject(new TypeError("fetch failed")), async () => new Response(half)]
      for (const fetch of answers) {
        const { exitCode, stderr } = await lowtide(`audit export --out ${path}`, { fetch })
        expect([exitCode, stderr]).toEqual([
          7,
          expect.stringMatching(/^error: .*(no answer from|its answer broke off: cut off)/)
        ])
        expect([readFileSync(path, "utf8"), filesBeside(path)]).toEqual(["of yesterday", ["log.ndjson"]])
      }
      const { exitCode } = await lowtide(`audit export --out ${path}`, { fetch: whole })
      expect([exitCode, readFileSync(path, "utf8"), filesBeside(path)]).toEqual([0, "whole\n", ["log.ndjson"]])
    }))

  it("keeps who may read a file that is there", () =>
    withFolder(async (path) => {
      for (const mode of [0o600, 0o666]) {
        writeFileSync(path, "")
        chmodSync(path, mode)
        expect((await lowtide(`audit export --out ${path}`, { fetch: whole })).exitCode).toBe(0)
        expect([readFileSync(path, "utf8"), statSync(path).mode & 0o777]).toEqual(["whole\n", mode])
      }
    }))

  it("writes through a link, as /dev/stdout is one", () =>
    withFolder(async (path) => {
      const link = join(dirname(path), "link")
      writeFileSync(path, "of yesterday")
      symlinkSync(path, link)
      expect((await lowtide(`audit export --out ${link}`, { fetch: whole })).exitCode).toBe(0)
      expect([readFileSync(path, "utf8"), lstatSync(link).isSymbolicLink()]).toEqual(["whole\n", true])
      expect(filesBeside(path)).toEqual(["link", "log.ndjson"])
    }))

  it("does not mix with another that goes to the same file", () =>
    withFolder(async (path) => {
      const rest = Promise.withResolvers<void>()
      const begun = Promise.withResolvers<void>()
      let parts = 0
      const slow = new ReadableStream({
        pull: async (controller) => {
          parts += 1
          if (parts === 1) return controller.enqueue(Buffer.from("the "))
          begun.resolve()
          await rest.promise
          controller.enqueue(Buffer.from("other\n"))
          controller.close()
        }
      })
      const other = lowtide(`audit export --out ${path}`, { fetch: async () => new Response(slow) })
      await begun.promise
      expect((await lowtide(`audit export --out ${path}`, { fetch: whole })).exitCode).toBe(0)
      expect(readFileSync(path, "utf8")).toBe("whole\n")
      rest.resolve()
      expect((await other).exitCode).toBe(0)
      expect([readFileSync(path, "utf8"), filesBeside(path)]).toEqual(["the other\n", ["log.ndjson"]])
    }))
})
