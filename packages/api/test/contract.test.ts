import { Result, Schema } from "effect"
import { OpenApi } from "effect/http-api"
import { describe, expect, it } from "vitest"
import { canonicalIp, InstantText, IpText, Limit, LowtideApi, parseServer } from "../src/index.ts"

describe("the contract", () => {
  it("is the one that docs/reference/openapi.json states (node scripts/openapi.ts --write)", async () => {
    const text = `${JSON.stringify(OpenApi.fromApi(LowtideApi), null, 2)}\n`
    await expect(text).toMatchFileSnapshot("../../../docs/reference/openapi.json")
  })

  it("gives every answer a position and its time, every error problem details, and asks every caller who it is", () => {
    const { paths, components } = OpenApi.fromApi(LowtideApi)
    // An export is a file, a segment's archive too, and a proof one that holds without any server: neither is an answer about the present.
    const files = ["/v1/audit/exports", "/v1/audit/proofs/{seq}", "/v1/ledger/segments/{fromSeq}/read"]
    const answers = Object.entries(paths)
      .filter(([path]) => path.startsWith("/v1/") && !files.includes(path))
      .flatMap(([path, item]) => [item.get, item.post].flatMap((operation) => (operation ? { path, operation } : [])))
    expect(answers.length).toBeGreaterThan(10)
    for (const { path, operation } of answers) {
      const schema = operation.responses[200]?.content?.["application/json"]?.schema as Record<string, unknown>
      const named = typeof schema.$ref === "string" ? components.schemas[schema.$ref.split("/").at(-1) ?? ""] : schema
      expect([path, named]).toEqual([
        path,
        expect.objectContaining({ required: expect.arrayContaining(["position", "asOf"]) })
      ])
      for (const [status, response] of Object.entries(operation.responses)) {
        if (status !== "200")
          expect([path, status, Object.keys(response.content ?? {})]).toEqual([
            path,
            status,
            ["application/problem+json"]
          ])
      }
      expect(Object.keys(operation.responses)).toEqual(expect.arrayContaining(["401", "403"]))
      expect(operation.security).toEqual([{ bearer: [] }])
    }
  })
})

describe("the time that a read is of", () => {
  /** Reads of which `at` would say nothing, with what they have in its place. */
  const others: { readonly [path: string]: ReadonlyArray<string> } = {
    "/v1/allocators": [], // of processes that run
    "/v1/fleet/version": [], // of processes that run
    "/v1/ledger": [], // of the room that the database has
    "/v1/recovery": [], // of what is waited for
    "/v1/evidence": [], // of what routers say now
    "/v1/diff": ["from", "to"],
    "/v1/audit/checkpoints": ["since"],
    "/v1/audit/proofs/{seq}": ["seq", "from"]
  }
  const { paths } = OpenApi.fromApi(LowtideApi)
  const reads = Object.entries(paths).filter(([path, { get }]) => path.startsWith("/v1/") && get !== undefined)
  it.each(reads)("%s", (path, { get }) => {
    const names = (get?.parameters ?? []).map(({ name }) => name)
    expect(names).toEqual(expect.arrayContaining([...(others[path] ?? ["at"])]))
  })
})

describe("parameters", () => {
  const accepts = (schema: Schema.Codec<unknown, string>, text: string) =>
    Result.isSuccess(Schema.decodeUnknownResult(schema)(text))

  it("takes addresses of both families in any spelling, and gives the canonical one", () => {
    expect(["192.0.2.1", "2001:DB8::1"].map((text) => accepts(IpText, text))).toEqual([true, true])
    expect(["192.0.2.256", "192.0.2.0/24", "", "fe80::1%eth0"].map((text) => accepts(IpText, text))).toEqual([
      false,
      false,
      false,
      false
    ])
    expect(canonicalIp("2001:0DB8:0:0::1")).toBe("2001:db8::1")
  })

  it("takes moments with their offset only", () => {
    const texts = [
      "2026-11-23T14:05:01Z",
      "2026-11-23T14:05:01.123+01:00",
      "2026-11-23T14:05:01",
      "2026-13-01T00:00:00Z",
      "now"
    ]
    expect(texts.map((text) => accepts(InstantText, text))).toEqual([true, true, false, false, false])
  })

  it("bounds the size of a page", () => {
    expect(["1", "1000", "0", "1001", "1.5", "x"].map((text) => accepts(Limit, text))).toEqual([
      true,
      true,
      false,
      false,
      false,
      false
    ])
  })
})

describe("parseServer", () => {
  const read = (text: string) => Result.getOrElse(parseServer(text), ({ message }) => message)

  it("reads URLs and sockets", () => {
    expect(read("http://127.0.0.1:7070/")).toEqual({ _tag: "Url", url: "http://127.0.0.1:7070" })
    expect(read("unix:/run/api.sock")).toEqual({ _tag: "UnixSocket", path: "/run/api.sock" })
  })

  it("says what it takes otherwise", () => {
    for (const text of ["127.0.0.1:7070", "ftp://x", "unix:api.sock", "http://"]) {
      expect(read(text)).toBe(
        `server: expected http://HOST:PORT, https://HOST:PORT or unix:/PATH, found ${JSON.stringify(text)}`
      )
    }
  })
})
