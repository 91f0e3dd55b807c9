import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import {
  type ClusterObject,
  decodeObject,
  formatFinding,
  isKindRead,
  judge,
  parseManifests,
  type ServiceObject,
  servingNodes
} from "../src/config/index.ts"

const samples = join(import.meta.dirname, "../../../deploy/samples")

/** Every object of one cluster's folder, and every finding about it. */
const readCluster = (cluster: string) => {
  const objects: Array<ClusterObject> = []
  const findings: Array<string> = []
  for (const entry of readdirSync(join(samples, cluster), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const parsed = parseManifests(readFileSync(join(entry.parentPath, entry.name), "utf8"), { file: entry.name })
    findings.push(...parsed.findings.map(formatFinding))
    for (const { object: raw, locate } of parsed.manifests) {
      assert.isTrue(isKindRead(raw), `${raw.apiVersion} ${raw.kind} is read`)
      const decoded = decodeObject(raw, locate)
      findings.push(...decoded.findings.map(formatFinding))
      if (decoded.object !== undefined) objects.push(decoded.object)
    }
  }
  const judgement = judge(objects)
  return { objects, config: judgement.config, findings: [...findings, ...judgement.findings.map(formatFinding)] }
}

const servicesOf = (objects: ReadonlyArray<ClusterObject>): ReadonlyArray<ServiceObject> =>
  objects.flatMap((object) => (object._tag === "Service" ? [object.value] : []))

const slicesOf = (objects: ReadonlyArray<ClusterObject>, service: ServiceObject) =>
  objects.flatMap((object) =>
    object._tag === "EndpointSlice" &&
    object.value.namespace === service.namespace &&
    object.value.service === service.name
      ? [object.value]
      : []
  )

describe.each(["east", "west"])("the sample cluster %s", (cluster) => {
  const { objects, config, findings } = readCluster(cluster)

  it("has nothing wrong with it", () => {
    assert.deepStrictEqual(findings, [])
  })

  it("has three nodes with an address of each IP version, and is of the network backbone", () => {
    const nodes = objects.flatMap((object) => (object._tag === "Node" ? [object.value] : []))
    const third = cluster === "east" ? 1 : 2
    assert.deepStrictEqual(
      nodes.map((node) => [node.name, ...node.addresses]),
      [1, 2, 3].map((n) => [`${cluster}-${n}`, `10.${third}.0.${10 + n}`, `2001:db8:${third}::${10 + n}`])
    )
    assert.strictEqual(config.network, "backbone")
  })

  it("has an EndpointSlice for each IP version of every Service, and endpoints except for the one idle Service", () => {
    for (const service of servicesOf(objects)) {
      const slices = slicesOf(objects, service)
      assert.strictEqual(slices.length, service.ipFamilies.length, service.name)
      assert.strictEqual(servingNodes(slices).length > 0, service.name !== "idle", service.name)
    }
  })

  it("prefers at least two pools by priority and advertises every pool", () => {
    assert.isAtLeast(config.pools.filter((pool) => pool.priority !== undefined).length, 2)
    assert.isNotEmpty(config.advertisements)
    assert.isTrue(config.advertisements.every((advertisement) => advertisement.communities.length > 0))
  })
})

describe("the sample fleet", () => {
  const clusters = [readCluster("east"), readCluster("west")]
  const services = clusters.flatMap(({ objects }) => servicesOf(objects))

  it("has about forty varied Services", () => {
    const count = (is: (service: ServiceObject) => boolean) => services.filter(is).length
    assert.strictEqual(services.length, 40)
    assert.isAtLeast(
      count((service) => service.ipFamilies.length === 2),
      6
    )
    assert.isAtLeast(
      count((service) => service.ipFamilies.join() === "IPv6"),
      3
    )
    assert.isAtLeast(
      count((service) => service.externalTrafficPolicy === "Local"),
      8
    )
    assert.isAtLeast(
      count((service) => service.requestedAddresses.length > 0),
      5
    )
    assert.isAtLeast(
      count((service) => service.annotations.allowSharedIp !== undefined),
      6
    )
    assert.isAtLeast(
      count((service) => service.annotations.addressPool !== undefined),
      3
    )
  })

  it("has one range in the pools of both clusters", () => {
    const [east, west] = clusters.map(({ config }) => new Set(config.pools.flatMap((pool) => pool.ranges)))
    assert.deepStrictEqual(
      [...(east ?? [])].filter((range) => west?.has(range)),
      ["203.0.113.0/25", "2001:db8:8fff::/120"]
    )
  })
})
