import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { parse } from "yaml"
import { decodeObject, formatFinding, type RawObject } from "../src/config/index.ts"
import { type Command, objectTelling } from "../src/index.ts"
import { apply, fleetObject, pool, World } from "./world.ts"

/** The page whose examples are carried out here, step by step. */
const page = readFileSync(join(import.meta.dirname, "../../../docs/reference/allocation.md"), "utf8")

interface Step {
  readonly order: string
  readonly gets: string
  readonly reason: string
}

interface Story {
  readonly title: string
  readonly clusters: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly pools: ReadonlyArray<RawObject>
  readonly steps: ReadonlyArray<Step>
}

/** Pools by their names, and, where there are several clusters, their labels. */
type Written = { readonly clusters?: Story["clusters"] } & Readonly<Record<string, WrittenPool>>

/** A pool by its spec, with its annotations beside. One with a selector is of the fleet, any other of cluster east. */
interface WrittenPool {
  readonly addresses: ReadonlyArray<string>
  readonly annotations?: Readonly<Record<string, string>>
  readonly clusterSelector?: object
  /** Of a shared address. */
  readonly members?: ReadonlyArray<object>
}

const written = (name: string, { addresses, annotations, ...spec }: WrittenPool): RawObject =>
  spec.members !== undefined
    ? fleetObject("SharedAddress", name, { addresses, members: spec.members })
    : spec.clusterSelector === undefined
      ? { ...pool(name, addresses, spec), ...(annotations === undefined ? {} : { annotations }) }
      : fleetObject("AddressPool", name, { addresses, ...spec })

const give = (manifest: RawObject): Command =>
  manifest.kind !== "IPAddressPool" ? { _tag: "ApplyFleetObject", manifest } : apply("east", manifest)

/** The sections below "Examples": pools as YAML, then a table of steps. */
const stories = (): ReadonlyArray<Story> => {
  const examples = /^## Examples\n([\s\S]*?)^## /m.exec(page)?.[1] ?? ""
  return examples
    .split(/^### /m)
    .slice(1)
    .map((section) => {
      const { clusters = { east: {} }, ...pools }: Written = parse(/```yaml\n([\s\S]*?)```/.exec(section)?.[1] ?? "")
      const rows = [...section.matchAll(/^\| `([^`]+)` \|([^|]*)\|([^|]*)\|[^|]*\|$/gm)]
      return {
        title: section.slice(0, section.indexOf("\n")),
        clusters,
        pools: Object.entries(pools).map(([name, spec]) => written(name, spec)),
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
  const ingress: Array<{ readonly ip: string }> = []
  const spec: Record<string, unknown> = { type: "LoadBalancer", selector: { app: "web" }, ports: [{ port: 80 }] }
  for (const word of words) {
    const [key = "", value = ""] = word.split("=")
    switch (key) {
      case "loadBalancerIPs":
      case "address-pool":
      case "allow-shared-ip":
        annotations[`metallb.io/${key}`] = value
        break
      case "status":
        ingress.push(...value.split(",").map((ip) => ({ ip })))
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
  return {
    apiVersion: "v1",
    kind: "Service",
    namespace,
    name: own,
    annotations,
    spec,
    status: { loadBalancer: { ingress } }
  }
}

const poolOf = (name: string, pools: ReadonlyArray<RawObject>): RawObject => {
  const found = pools.find((manifest) => manifest.name === name)
  if (found === undefined) throw new Error(`the page has no pool ${name} in this story`)
  return found
}

/** Takes one of the story's pools away: from cluster east, or, of the fleet's own, from the fleet. */
const take = ({ kind, namespace, name }: RawObject): Command =>
  kind === "AddressPool" || kind === "SharedAddress"
    ? { _tag: "DeleteFleetObject", kind, name }
    : { _tag: "DeleteManifest", cluster: "east", kind, namespace, name }

/** A list, or a word. */
const yamlOf = (text: string): unknown => (text.startsWith("[") ? text.slice(1, -1).split(",") : text)

/** `shop/web` of cluster east, or `west/shop/web`. */
const splitName = (text: string) => {
  const parts = text.split("/")
  const [own = "", namespace = "", cluster = "east"] = parts.toReversed()
  return { cluster, namespace, own, name: `${namespace}/${own}` }
}

/** Carries out one step and answers the Service that it is about. */
const carryOut = (world: World, order: string, pools: ReadonlyArray<RawObject>): string | undefined => {
  const [verb = "", full = "", ...words] = order.split(" ")
  const { cluster, namespace, own, name } = splitName(full)
  switch (verb) {
    case "create":
    case "change": {
      const isThere = world.fleet.cluster(cluster).services.has(name)
      assert.strictEqual(isThere, verb === "change", `${order}: whether it is there`)
      const raw = manifestOf(name, words)
      const { object, findings } = decodeObject(raw)
      if (object?._tag !== "Service") throw new Error(findings.map(formatFinding).join("\n"))
      world.do(objectTelling(cluster, { raw, object }, {})!.command)
      return full
    }
    case "delete":
      world.do({ _tag: "ForgetService", cluster, namespace, name: own })
      return full
    case "apply": {
      const changes = words.map((word) => word.split("=")).map(([key, value = ""]) => [key, yamlOf(value)])
      const before = poolOf(full, pools)
      world.do(give({ ...before, spec: { ...(before.spec as object), ...Object.fromEntries(changes) } }))
      return undefined
    }
    case "drop":
      world.do(take(poolOf(full, pools)))
      return undefined
    case "wait":
      world.nowMs += Number.parseInt(full, 10) * 60_000
      world.do({ _tag: "ExpireQuarantines" })
      return undefined
    case "look":
      return full
    default:
      throw new Error(`the page has a step that the test does not know: ${order}`)
  }
}

describe("the examples of docs/reference/allocation.md", () => {
  it("are there to be read", () => {
    assert.isAtLeast(stories().length, 5)
    for (const { steps, pools } of stories()) assert.isTrue(steps.length >= 5 && pools.length >= 1)
  })

  for (const { title, clusters, pools, steps } of stories()) {
    it(title, () => {
      const world = new World()
      for (const [cluster, labels] of Object.entries(clusters)) {
        world.do({ _tag: "RegisterCluster", cluster, network: "default", labels })
      }
      for (const manifest of pools) world.do(give(manifest))
      for (const { order, gets, reason } of steps) {
        const before = order.startsWith("look") ? 0 : world.log.length
        const service = carryOut(world, order, pools)
        if (service === undefined) {
          if (reason !== "" || world.rejection !== undefined) assert.strictEqual(world.rejection?.code, reason, order)
          continue
        }
        const { cluster, name } = splitName(service)
        const held = world.addresses(cluster, name)
        assert.strictEqual([...held].join(" ") || "none", gets, order)
        const given = world.log
          .slice(before)
          .findLast(
            ({ type, about }) =>
              type === "VipAssigned" && `${about.cluster} ${about.namespace}/${about.service}` === `${cluster} ${name}`
          )
        assert.strictEqual(world.refusal(cluster, name) ?? given?.reason ?? "", reason, order)
      }
    })
  }
})
