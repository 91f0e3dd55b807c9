import { assert, describe, it } from "vitest"
import { type Backend, backends, type ClusterObject, decodeObject, judge, type RawObject } from "../src/config/index.ts"

const raw = (kind: string, name: string, spec: unknown): RawObject => ({
  apiVersion: kind === "BGPPeer" ? "metallb.io/v1beta2" : "metallb.io/v1beta1",
  kind,
  namespace: "metallb-system",
  name,
  spec
})

const peer = (name: string, spec: object = {}): RawObject =>
  raw("BGPPeer", name, { myASN: 64496, peerASN: 64500, peerAddress: "10.1.0.1", ...spec })

const read = (manifest: RawObject): ClusterObject => {
  const { object, findings } = decodeObject(manifest)
  assert.isDefined(object, JSON.stringify(findings))
  return object!
}

/** `code name field` of each finding, and the peers that take effect. */
const judged = (backend: Backend, ...manifests: ReadonlyArray<RawObject>) => {
  const { config, findings } = judge(manifests.map(read), { backend })
  return {
    peers: config.peers.map(({ name }) => name),
    findings: findings.map(({ code, object, field }) => `${code} ${object.name} ${field}`)
  }
}

const echo = (echoMode: boolean): RawObject => raw("BFDProfile", "fast", { echoMode })

describe("what a backend cannot do of one peer", () => {
  const table: ReadonlyArray<readonly [spec: object, expected: { readonly [Key in Backend]: string }]> = [
    [{}, { native: "", frr: "", "frr-k8s": "" }],
    [{ password: "opensesame" }, { native: "", frr: "", "frr-k8s": "" }],
    [{ passwordSecret: { name: "s" } }, { native: "", frr: "", "frr-k8s": "" }],
    [
      { interface: "eth0", peerAddress: null },
      { native: "", frr: "", "frr-k8s": "" }
    ],
    [
      { interface: "eth0", peerAddress: null, sourceAddress: "2001:db8::2" },
      { native: "LT0134 p spec.sourceAddress", frr: "", "frr-k8s": "" }
    ],
    [
      { dynamicASN: "external", peerASN: null },
      { native: "", frr: "", "frr-k8s": "" }
    ],
    [{ vrf: "red" }, { native: "", frr: "", "frr-k8s": "" }],
    [{ localASN: 64510 }, { native: "", frr: "", "frr-k8s": "" }],
    [{ bfdProfile: "fast" }, { native: "", frr: "", "frr-k8s": "" }],
    [{ enableGracefulRestart: true }, { native: "", frr: "", "frr-k8s": "" }],
    [
      { disableMP: true },
      { native: "LT0134 p spec.disableMP", frr: "LT0134 p spec.disableMP", "frr-k8s": "LT0134 p spec.disableMP" }
    ],
    [{ dualStackAddressFamily: true }, { native: "LT0134 p spec.dualStackAddressFamily", frr: "", "frr-k8s": "" }],
    [{ peerPort: 20179 }, { native: "", frr: "", "frr-k8s": "LT0108 p spec.peerPort" }]
  ]
  for (const [spec, expected] of table) {
    it.each(backends)(`${JSON.stringify(spec)} for %s`, (backend) => {
      const result = judged(backend, peer("p", spec), echo(false))
      assert.deepStrictEqual(result.findings, expected[backend] === "" ? [] : [expected[backend]])
      const isRefused = /LT0108/.test(expected[backend])
      assert.deepStrictEqual(result.peers, isRefused ? [] : ["p"], "an error refuses the peer, a warning does not")
    })
  }
})

describe("what an FRRConfiguration has no field for", () => {
  const foundBy = (kind: string, annotations: RawObject["annotations"]) => {
    const annotated = (raw: RawObject) => (raw.kind === kind ? { ...raw, annotations } : raw)
    const objects = [peer("x"), raw("BGPAdvertisement", "x", {})].map(annotated)
    return Object.fromEntries(
      backends.map((backend) => {
        const { findings, peers } = judged(backend, ...objects)
        assert.deepStrictEqual(peers, ["x"], "there is a session without it")
        return [backend, findings]
      })
    )
  }
  const unheld = (...names: ReadonlyArray<string>) => ({
    ...{ native: [], frr: [] },
    "frr-k8s": names.map((name) => `LT0134 x metadata.annotations[lowtide.dev/${name}]`)
  })

  it.each([
    ["BGPPeer", "ttl-security-hops", "1"],
    ["BGPPeer", "maximum-prefixes", "10"],
    ["BGPPeer", "role", "customer"],
    ["BGPAdvertisement", "med", "10"],
    ["BGPAdvertisement", "as-path-prepend", "2"]
  ] as const)("%s %s", (kind, name, text) => {
    assert.deepStrictEqual(foundBy(kind, { [`lowtide.dev/${name}`]: text }), unheld(name))
  })

  it("BGPPeer role-strict, beside the role that it is about", () => {
    const annotations = { "lowtide.dev/role": "customer", "lowtide.dev/role-strict": "true" }
    assert.deepStrictEqual(foundBy("BGPPeer", annotations), unheld("role", "role-strict"))
  })

  it("is not standby: what a peer is told and what not every backend decides by itself", () => {
    assert.deepStrictEqual(foundBy("BGPPeer", { "lowtide.dev/standby": "none" }), unheld())
  })
})

describe("what FRR cannot do of several peers on a node", () => {
  const other = (spec: object) => peer("q", { peerAddress: "10.1.0.2", ...spec })
  const rows: ReadonlyArray<
    readonly [title: string, first: RawObject, second: RawObject, native: string, frr: string]
  > = [
    ["two AS numbers", peer("p"), other({ myASN: 64497 }), "", "LT0151 q spec.myASN"],
    ["two AS numbers, each in a VRF", peer("p"), other({ myASN: 64497, vrf: "red" }), "", ""],
    [
      "two router ids",
      peer("p", { routerID: "10.9.9.1" }),
      other({ routerID: "10.9.9.2" }),
      "",
      "LT0150 q spec.routerID"
    ],
    ["one router id named once", peer("p", { routerID: "10.9.9.1" }), other({}), "", ""],
    ["one address, two ports", peer("p"), peer("q", { peerPort: 1179 }), "", "LT0123 q spec.peerAddress"],
    ["one address, two VRFs", peer("p"), peer("q", { vrf: "red" }), "", ""]
  ]
  it.each(rows)("%s", (_, first, second, native, frr) => {
    for (const backend of backends) {
      const expected = backend === "native" ? native : frr
      const result = judged(backend, first, second)
      assert.deepStrictEqual(result.findings, expected === "" ? [] : [expected], backend)
      assert.deepStrictEqual(result.peers, expected === "" ? ["p", "q"] : ["p"], backend)
    }
  })

  it("nothing where no node has both", () => {
    const on = (label: string) => ({ nodeSelectors: [{ matchLabels: { rack: label } }] })
    const result = judged("frr", peer("p", on("a")), other({ myASN: 64497, ...on("b") }))
    assert.deepStrictEqual(result, { peers: ["p", "q"], findings: [] })
  })
})

describe("BFD's echo function", () => {
  it("is not sent by Lowtide's own BFD, which says so at the profile", () => {
    const result = judged("native", echo(true), peer("p", { bfdProfile: "fast" }))
    assert.deepStrictEqual(result, { peers: ["p"], findings: ["LT0134 fast spec.echoMode"] })
  })

  const pools = [
    raw("IPAddressPool", "six", { addresses: ["2001:db8::/120"] }),
    raw("IPAddressPool", "four", { addresses: ["192.0.2.0/28"] })
  ]
  const cases: ReadonlyArray<readonly [title: string, advertisement: object, isRefused: boolean]> = [
    ["with IPv6 addresses", {}, true],
    ["with IPv4 addresses", { ipAddressPools: ["four"] }, false],
    ["with IPv6 addresses for others", { peers: ["q"] }, false]
  ]
  it.each(cases)("is refused by FRR %s", (_, advertisement, isRefused) => {
    const manifests = [
      ...pools,
      echo(true),
      peer("p", { bfdProfile: "fast" }),
      peer("q", { peerAddress: "10.1.0.2" }),
      raw("BGPAdvertisement", "a", advertisement)
    ]
    const result = judged("frr-k8s", ...manifests)
    assert.deepStrictEqual(result.findings, isRefused ? ["LT0152 p spec.bfdProfile"] : [])
    assert.deepStrictEqual(result.peers, isRefused ? ["q"] : ["p", "q"])
  })
})
