import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { lowtide } from "./fixture.ts"

describe("what is asked", () => {
  const table = [
    ["get services --cluster east -n shop", "/v1/services?cluster=east&namespace=shop"],
    ["get nodes --cluster east -A", "/v1/nodes?cluster=east"],
    ["who 192.0.2.1 --at 2026-11-23T15:05:01+01:00", "/v1/vips/192.0.2.1/holder?at=2026-11-23T14%3A05%3A01.000Z"],
    ["who 192.0.2.1 --network blue", "/v1/vips/192.0.2.1/holder?network=blue"],
    ["history 192.0.2.1 --limit 5", "/v1/history?address=192.0.2.1&limit=5"],
    ["history address/2001:DB8::1", "/v1/history?address=2001%3Adb8%3A%3A1&limit=100"],
    ["history pool/east/public --before 9", "/v1/history?cluster=east&pool=public&limit=100&before=9"],
    ["history peer/tor-a", "/v1/history?peer=tor-a&limit=100"],
    ["history node/east/east-1", "/v1/history?cluster=east&node=east-1&limit=100"],
    ["history cluster/east", "/v1/history?cluster=east&limit=100"],
    ["history file/east/services/shop.yaml", "/v1/history?cluster=east&file=services%2Fshop.yaml&limit=100"],
    ["history", "/v1/history?limit=100"],
    ["get pools --at 12", "/v1/pools?at=12"],
    ["why service/east/shop/web --at 12", "/v1/why/service/east/shop/web?at=12"],
    ["why service/shop/web", "/v1/why/service/shop/web"],
    [["get", "nodes", "--at", "5 minutes ago"], "/v1/nodes?at=2026-11-23T16%3A00%3A00.000Z"],
    ["who 192.0.2.1 --at 12", "/v1/vips/192.0.2.1/holder?at=12"],
    [
      "history --actor agent:east --type VipAssigned --since 1h --until 24 --at 30",
      "/v1/history?limit=100&actor=agent%3Aeast&type=VipAssigned&since=2026-11-23T15%3A05%3A00.000Z&until=24&at=30"
    ],
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
