import { finding } from "@lowtide/domain"
import type { ClusterChange } from "@lowtide/kube"
import { assert, describe, it } from "vitest"
import { inventory, tellings } from "../src/observations.ts"

const pool = { kind: "IPAddressPool", namespace: "metallb-system", name: "public" }
const facts = { object: pool, expected: "a", found: "b" }

const change = (codes: ReadonlyArray<"LT0104" | "LT0105" | "LT0139">): ClusterChange => ({
  objects: new Map(),
  refused: [],
  isComplete: true,
  put: [],
  deleted: [],
  findings: codes.map((code) => finding(code, facts)),
  changedAtMs: 0,
  readAtMs: 0
})

const toldCodes = (codes: ReadonlyArray<"LT0104" | "LT0105" | "LT0139">) =>
  tellings("east", change(codes), new Map()).flatMap(({ command }) =>
    command._tag === "ReportFindings" ? command.findings.map(({ code }) => code) : []
  )

describe("findings that the agent tells of configuration", () => {
  it("are errors and what stays in effect because of them, which the centre cannot see", () => {
    assert.deepStrictEqual(toldCodes(["LT0105", "LT0139"]), ["LT0105", "LT0139"])
    assert.deepStrictEqual(inventory("east", change(["LT0139"])), {
      _tag: "ObserveInventory",
      cluster: "east",
      services: [],
      nodes: [],
      namespaces: [],
      manifests: [],
      findings: ["IPAddressPool/metallb-system/public"]
    })
  })

  it("are not warnings about an object without errors, which the centre finds by itself", () => {
    assert.deepStrictEqual(toldCodes(["LT0104"]), [])
  })
})

describe("findings that are gone", () => {
  it("are taken back, of a file in a folder as well", () => {
    const told = new Map([["findings File//services/shop.yaml", "..."]])
    const news = tellings("east", change([]), told).filter(({ about }) => about.startsWith("findings"))
    assert.deepStrictEqual(
      news.map(({ command }) => command),
      [
        {
          _tag: "ReportFindings",
          cluster: "east",
          object: { kind: "File", name: "services/shop.yaml" },
          findings: []
        }
      ]
    )
  })
})
