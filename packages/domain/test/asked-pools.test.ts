import { assert, describe, it } from "vitest"
import { decodeObject, lint, preview, type RawObject } from "../src/index.ts"
import { pool } from "./world.ts"

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
