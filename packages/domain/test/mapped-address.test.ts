import { manifestObject as raw } from "@lowtide/testkit/observed"
import { assert, describe, it } from "vitest"
import { decodeObject } from "../src/config/index.ts"

describe("an IPv4-mapped address is the IPv4 address that it stands for", () => {
  const ranges = (text: string) => {
    const { object } = decodeObject(raw("IPAddressPool", "a", { addresses: [text] }))
    return object?._tag === "IPAddressPool" ? object.value.ranges : undefined
  }
  it.each([
    ["::ffff:192.0.2.1-::ffff:192.0.2.6", ["192.0.2.1-192.0.2.6"]],
    ["::ffff:c000:0201-::ffff:c000:0206", ["192.0.2.1-192.0.2.6"]],
    ["::ffff:192.0.2.0/120", ["192.0.2.0/24"]],
    ["2001:db8::/120", ["2001:db8::/120"]],
    ["::fffe:0:0/95", ["::fffe:0:0/95"]]
  ])("in a pool: %s", (text, expected) => {
    assert.deepStrictEqual(ranges(text), expected)
  })

  it.each([
    ["the annotation", { annotations: { "metallb.io/loadBalancerIPs": "::ffff:192.0.2.1,2001:db8::1" } }, {}],
    ["spec.loadBalancerIP", {}, { loadBalancerIP: "::FFFF:192.0.2.1" }]
  ])("in %s of a Service", (_, metadata, spec) => {
    const { object, findings } = decodeObject({
      ...raw("Service", "web", { type: "LoadBalancer", ports: [{ port: 80 }], ...spec }, metadata),
      apiVersion: "v1"
    })
    assert.deepStrictEqual(findings, [])
    assert.strictEqual(object?._tag === "Service" ? object.value.requestedAddresses[0] : undefined, "192.0.2.1")
  })

  it("and so the same IP version twice is told", () => {
    const { findings } = decodeObject({
      ...raw("Service", "web", { type: "LoadBalancer", ports: [{ port: 80 }] }),
      apiVersion: "v1",
      annotations: { "metallb.io/loadBalancerIPs": "::ffff:192.0.2.1,192.0.2.2" }
    })
    assert.deepStrictEqual(
      findings.map(({ code }) => code),
      ["LT0119"]
    )
  })

  it("in allowedPrefixes", () => {
    const { object } = decodeObject({
      ...raw("Cluster", "east", { allowedPrefixes: ["::ffff:192.0.2.0/120"] }, { namespace: "" }),
      apiVersion: "lowtide.dev/v1alpha1"
    })
    assert.deepStrictEqual(object?._tag === "Cluster" ? object.value.allowedPrefixes : undefined, ["192.0.2.0/24"])
  })
})
