import { assert, describe, it } from "vitest"
import { decodeObject, lint, preview, type RawObject } from "../src/index.ts"
import { apply, service as goodService, observe, pool, World } from "./world.ts"

const pools = [
  pool("public", ["192.0.2.0/30"]),
  pool("odd", ["198.51.100.0/30"], { avoidBuggyIPs: true }),
  pool("media", ["203.0.113.0/30"], { serviceAllocation: { namespaces: ["media"] } })
]

const service = (
  name: string,
  annotations: Readonly<Record<string, unknown>>,
  more: Partial<RawObject> = {}
): RawObject =>
  ({
    ...{ apiVersion: "v1", kind: "Service", namespace: "shop", name },
    annotations: Object.fromEntries(Object.entries(annotations).map(([key, value]) => [`metallb.io/${key}`, value])),
    spec: { type: "LoadBalancer", ports: [{ port: 80 }] },
    ...more
  }) as RawObject

const input = (...manifests: ReadonlyArray<RawObject>) => {
  const decoded = manifests.map((raw) => ({ raw, ...decodeObject(raw) }))
  return {
    name: "east",
    observations: decoded.flatMap(({ raw, object }) => (object === undefined ? [] : [{ raw, object }])),
    findings: decoded.flatMap(({ findings }) => findings),
    faulty: decoded.flatMap(({ faulty, findings }) => (faulty === undefined ? [] : [{ object: faulty, findings }]))
  }
}

/** `code field` of all that is said of Service `name`, beside the pools and the other manifests. */
const said = (name: string, ...manifests: ReadonlyArray<RawObject>): ReadonlyArray<string> =>
  lint([input(...pools, ...manifests)], "native")
    .flatMap(({ findings }) => findings)
    .filter(({ object }) => object.name === name)
    .map(({ code, field }) => `${code} ${field.replace(/^metadata\.annotations\[metallb\.io\/(.*)\]$/, "$1")}`)
    .sort()

const badPort = { spec: { type: "LoadBalancer", ports: [{ port: 0 }] } }
const ofPort = "LT0108 spec.ports[0].port"

describe("what a Service asks of the pools", () => {
  const rows: ReadonlyArray<readonly [title: string, manifest: RawObject, expected: ReadonlyArray<string>]> = [
    [
      "a pool that is not there, and addresses that none has, are all told at once",
      service(
        "a",
        { "address-pool": "none", loadBalancerIPs: "192.0.2.77,2001:db8::1" },
        { spec: { type: "LoadBalancer", ipFamilyPolicy: "PreferDualStack", ports: [{ port: 80 }] } }
      ),
      ["LT0202 loadBalancerIPs", "LT0202 loadBalancerIPs", "LT0206 address-pool"]
    ],
    [
      "a pool that is not there is told once, also beside an address of another",
      service("a", { "address-pool": "none", loadBalancerIPs: "192.0.2.1" }),
      ["LT0206 address-pool"]
    ],
    [
      "an address of another pool than the one that is named",
      service("a", { "address-pool": "odd", loadBalancerIPs: "192.0.2.1" }),
      ["LT0202 loadBalancerIPs"]
    ],
    [
      "a faulty one names a pool that is not there",
      service("a", { "address-pool": "none" }, badPort),
      [ofPort, "LT0206 address-pool"]
    ],
    [
      "a faulty one names a pool that does not admit it",
      service("a", { "address-pool": "media" }, badPort),
      [ofPort, "LT0205 address-pool"]
    ],
    [
      "a faulty one asks for an address that no pool has",
      service("a", { loadBalancerIPs: "192.0.2.77" }, badPort),
      [ofPort, "LT0202 loadBalancerIPs"]
    ],
    [
      "a faulty one asks for an address that its pool avoids",
      service("a", { loadBalancerIPs: "198.51.100.0" }, badPort),
      [ofPort, "LT0210 loadBalancerIPs"]
    ],
    [
      "of two addresses one that cannot be read, and one that no pool has",
      service("a", { loadBalancerIPs: "192.0.2.77,bogus" }),
      ["LT0109 loadBalancerIPs", "LT0202 loadBalancerIPs"]
    ],
    [
      "what it asks for and would get is no fault",
      service("a", { "address-pool": "public", loadBalancerIPs: "192.0.2.1" }, badPort),
      [ofPort]
    ],
    [
      "nothing rests on a pool that could not be read",
      service("a", { "address-pool": 7, loadBalancerIPs: "198.51.100.0" }),
      ["LT0105 address-pool"]
    ],
    [
      "nor on labels that could not be read",
      service("a", { "address-pool": "media" }, { labels: { tier: 1 } } as unknown as Partial<RawObject>),
      ["LT0105 metadata.labels.tier"]
    ],
    [
      "one of a class that is not served asks for nothing",
      service(
        "a",
        { "address-pool": "none" },
        { spec: { type: "LoadBalancer", loadBalancerClass: "x/y", ports: [{ port: 0 }] } }
      ),
      [ofPort]
    ],
    [
      "nor does one that is being deleted",
      service("a", { "address-pool": "none" }, { ...badPort, deletionTimestamp: "2026-01-01T00:00:00Z" }),
      [ofPort]
    ]
  ]
  for (const [title, manifest, expected] of rows) {
    it(title, () => {
      assert.deepStrictEqual(said("a", manifest), expected)
    })
  }

  it("a faulty one without a pool that would have it is told so, unless one might if asked by name", () => {
    const only = (autoAssign: boolean, namespaces: ReadonlyArray<string>) => {
      const manifests = [
        pool("media", ["192.0.2.0/30"], { autoAssign, serviceAllocation: { namespaces } }),
        service("a", {}, badPort)
      ]
      return lint([input(...manifests)], "native").flatMap(({ findings }) => findings.map(({ code }) => code))
    }
    assert.deepStrictEqual(only(true, ["media"]), ["LT0108", "LT0208"])
    assert.deepStrictEqual(only(false, ["shop"]), ["LT0108"])
  })

  it("a faulty one is given nothing and stops no other, whoever has the address that it asks for", () => {
    const other = service("other", { loadBalancerIPs: "192.0.2.1" })
    const faulty = service("a", { loadBalancerIPs: "192.0.2.1" }, badPort)
    assert.deepStrictEqual(said("a", other, faulty), [ofPort])
    assert.deepStrictEqual(said("other", other, faulty), [])
    const services = preview([input(...pools, faulty, other)])[0]?.services
    assert.deepStrictEqual(
      services?.map(({ name, addresses }) => [name, addresses]),
      [
        ["other", ["192.0.2.1"]],
        ["a", []]
      ]
    )
  })
})

describe("a version of a Service that an agent did not take", () => {
  const faulty = service("a", { "address-pool": "late", loadBalancerIPs: "192.0.2.1" }, badPort)
  const report = (world: World, refused: RawObject | undefined) =>
    world.do({
      ...{ _tag: "ReportFindings", cluster: "east", object: { kind: "Service", namespace: "shop", name: "a" } },
      findings: refused === undefined ? [] : decodeObject(refused).findings,
      ...(refused === undefined ? {} : { refused })
    })
  const codes = (world: World) =>
    world.fleet
      .cluster("east")
      .findings.get("Service/shop/a")
      ?.findings.map(({ code, field }) => `${code} ${field.replace(/^metadata.*io\/(.*)\]$/, "$1")}`)

  it("is told what it asks of the pools and would not get, as offline, as they come and go", () => {
    for (const manifest of [
      service("a", { "address-pool": "none", loadBalancerIPs: "198.51.100.0" }, badPort),
      service("a", { loadBalancerIPs: "192.0.2.77,bogus" })
    ]) {
      const world = new World()
      for (const each of pools) world.do(apply("east", each))
      report(world, manifest)
      assert.deepStrictEqual([...(codes(world) ?? [])].sort(), said("a", manifest))
    }
    const world = new World()
    world.do(apply("east", pool("public", ["192.0.2.0/24"])))
    report(world, faulty)
    assert.deepStrictEqual(codes(world), [ofPort, "LT0206 address-pool"])
    assert.deepStrictEqual(report(world, faulty), [], "what is known is not said again")
    world.do(apply("east", pool("late", ["198.51.100.0/24"])))
    assert.deepStrictEqual(codes(world), [ofPort, "LT0202 loadBalancerIPs"])
    const deletion = { _tag: "DeleteManifest", cluster: "east", kind: "IPAddressPool", name: "late" } as const
    world.do({ ...deletion, namespace: "metallb-system" })
    assert.deepStrictEqual(codes(world), [ofPort, "LT0206 address-pool"])
    report(world, undefined)
    assert.isUndefined(codes(world))
  })

  it("depends on the labels of its namespace", () => {
    const world = new World()
    const serviceAllocation = { namespaceSelectors: [{ matchLabels: { tier: "front" } }] }
    world.do(apply("east", pool("late", ["192.0.2.0/24"], { serviceAllocation })))
    report(world, service("a", { "address-pool": "late" }, badPort))
    assert.deepStrictEqual(codes(world), [ofPort, "LT0205 address-pool"])
    world.do({ _tag: "ObserveNamespace", cluster: "east", namespace: { name: "shop", labels: { tier: "front" } } })
    assert.deepStrictEqual(codes(world), [ofPort])
  })

  it("has no effect: the version before it keeps what it has, and what is wrong with that is told beside", () => {
    const world = new World()
    world.do(apply("east", pool("public", ["192.0.2.0/24"])))
    world.do(observe("east", goodService("a")))
    const before = world.addresses("east", "shop/a")
    report(world, faulty)
    assert.deepStrictEqual(codes(world), [ofPort, "LT0206 address-pool"])
    assert.deepStrictEqual(world.addresses("east", "shop/a"), before)
    report(world, undefined)
    assert.isUndefined(codes(world))
    assert.deepStrictEqual(world.addresses("east", "shop/a"), before)
  })
})
