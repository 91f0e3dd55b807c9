import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { parse } from "yaml"
import { decodeObject, formatFinding, type RawObject } from "../src/config/index.ts"
import { apply, pool, World } from "./world.ts"

/** The page whose examples are carried out here, step by step. */
const page = readFileSync(join(import.meta.dirname, "../../../docs/reference/allocation.md"), "utf8")

interface Step {
  readonly order: string
  readonly gets: string
  readonly reason: string
}

interface Story {
  readonly title: string
  readonly pools: ReadonlyArray<RawObject>
  readonly steps: ReadonlyArray<Step>
}

/** A pool by its spec, with its annotations beside. */
interface WrittenPool {
  readonly addresses: ReadonlyArray<string>
  readonly annotations?: Readonly<Record<string, string>>
}

/** The sections below "Examples": pools as YAML, then a table of steps. */
const stories = (): ReadonlyArray<Story> => {
  const examples = /^## Examples\n([\s\S]*?)^## /m.exec(page)?.[1] ?? ""
  return examples
    .split(/^### /m)
    .slice(1)
    .map((section) => {
      const specs: Record<string, WrittenPool> = parse(/```yaml\n([\s\S]*?)```/.exec(section)?.[1] ?? "")
      const rows = [...section.matchAll(/^\| `([^`]+)` \|([^|]*)\|([^|]*)\|[^|]*\|$/gm)]
      return {
        title: section.slice(0, section.indexOf("\n")),
        pools: Object.entries(specs).map(([name, { addresses, annotations, ...spec }]) => ({
          ...pool(name, addresses, spec),
          ...(annotations === undefined ? {} : { annotations })
        })),
        steps: rows.map(([, order = "", gets = "", reason = ""]) => ({
          order,
          gets: gets.trim(),
          reason: reason.trim()
        }))
      }
    })
}

/** `namespace/name key=value ...` as the manifest that a person would write. */
const manifestOf = (name: string, words: ReadonlyArray<string>): RawObject => {
  const [namespace = "", own = ""] = name.split("/")
  const annotations: Record<string, string> = {}
  const spec: Record<string, unknown> = { type: "LoadBalancer", selector: { app: "web" }, ports: [{ port: 80 }] }
  for (const word of words) {
    const [key = "", value = ""] = word.split("=")
    switch (key) {
      case "loadBalancerIPs":
      case "address-pool":
      case "allow-shared-ip":
        annotations[`metallb.io/${key}`] = value
        break
      case "policy":
        spec.ipFamilyPolicy = value
        break
      case "families":
        spec.ipFamilies = value.split(",")
        break
      case "clusterIPs":
        spec.clusterIPs = value.split(",")
        break
      case "traffic":
        spec.externalTrafficPolicy = value
        break
      case "selector":
        spec.selector = { app: value }
        break
      case "ports":
        spec.ports = value.split(",").map((text, index) => {
          const [protocol, port] = text.split("/")
          return { protocol, port: Number(port), name: `p${index}` }
        })
        break
      default:
        throw new Error(`the page has a word that the test does not know: ${word}`)
    }
  }
  return { apiVersion: "v1", kind: "Service", namespace, name: own, annotations, spec }
}

/** Carries out one step and answers the Service that it is about. */
const carryOut = (world: World, order: string): string | undefined => {
  const [verb = "", name = "", ...words] = order.split(" ")
  const [namespace = "", own = ""] = name.split("/")
  switch (verb) {
    case "create":
    case "change": {
      const isThere = world.fleet.cluster("east").services.has(name)
      assert.strictEqual(isThere, verb === "change", `${order}: whether it is there`)
      const { object, findings } = decodeObject(manifestOf(name, words))
      if (object?._tag !== "Service") throw new Error(findings.map(formatFinding).join("\n"))
      world.do({ _tag: "ObserveService", cluster: "east", service: object.value })
      return name
    }
    case "delete":
      world.do({ _tag: "ForgetService", cluster: "east", namespace, name: own })
      return name
    case "wait":
      world.nowMs += Number.parseInt(name, 10) * 60_000
      world.do({ _tag: "ExpireQuarantines" })
      return undefined
    case "look":
      return name
    default:
      throw new Error(`the page has a step that the test does not know: ${order}`)
  }
}

describe("the examples of docs/reference/allocation.md", () => {
  it("are there to be read", () => {
    assert.isAtLeast(stories().length, 5)
    for (const { steps, pools } of stories()) assert.isTrue(steps.length >= 5 && pools.length >= 1)
  })

  for (const { title, pools, steps } of stories()) {
    it(title, () => {
      const world = new World()
      for (const manifest of pools) world.do(apply("east", manifest))
      for (const { order, gets, reason } of steps) {
        const before = order.startsWith("look") ? 0 : world.log.length
        const service = carryOut(world, order)
        if (service === undefined) continue
        const held = world.fleet.cluster("east").addressesOf.get(service) ?? []
        assert.strictEqual([...held].join(" ") || "none", gets, order)
        const given = world.log
          .slice(before)
          .findLast(({ type, about }) => type === "VipAssigned" && `${about.namespace}/${about.service}` === service)
        assert.strictEqual(world.refusal("east", service) ?? given?.reason ?? "", reason, order)
      }
    })
  }
})
