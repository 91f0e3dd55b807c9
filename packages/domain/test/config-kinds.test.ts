import { assert, describe, it } from "vitest"
import {
  type ClusterObject,
  decodeObject,
  isKindRead,
  type RawObject,
  servingNodes,
  unreadKind
} from "../src/config/index.ts"
import { deviceSyntax } from "../src/config/syntax.ts"

const raw = (apiVersion: string, kind: string, spec: unknown, more: Partial<RawObject> = {}): RawObject => ({
  apiVersion,
  kind,
  namespace: "",
  name: "x",
  spec,
  ...more
})

const pool = (spec: unknown) => raw("metallb.io/v1beta1", "IPAddressPool", spec)
const peer = (spec: object) =>
  raw("metallb.io/v1beta2", "BGPPeer", { myASN: 64496, peerASN: 64500, peerAddress: "10.1.0.1", ...spec })
const advertisement = (spec: unknown) => raw("metallb.io/v1beta1", "BGPAdvertisement", spec)
const service = (spec: object, annotations?: unknown) =>
  raw("v1", "Service", { type: "LoadBalancer", ...spec }, { namespace: "shop", annotations })

type Value<Kind extends ClusterObject["_tag"]> = Extract<ClusterObject, { readonly _tag: Kind }>["value"]

/** The value of an object that must be good. */
const good = <Kind extends ClusterObject["_tag"]>(kind: Kind, object: RawObject): Value<Kind> => {
  const decoded = decodeObject(object)
  assert.deepStrictEqual(decoded.findings, [])
  assert.strictEqual(decoded.object?._tag, kind)
  return decoded.object?.value as Value<Kind>
}

/** `code field: expected | found` of each finding. */
const faults = (object: RawObject) =>
  decodeObject(object).findings.map(({ code, field, expected, found }) => `${code} ${field}: ${expected} | ${found}`)

describe("IPAddressPool", () => {
  it("has MetalLB's defaults and canonical ranges", () => {
    assert.deepStrictEqual(
      good("IPAddressPool", pool({ addresses: ["192.0.2.5/24", "2001:DB8::10 - 2001:db8::1F"] })),
      {
        name: "x",
        namespace: "default",
        ranges: ["192.0.2.0/24", "2001:db8::10/124"],
        autoAssign: true,
        avoidBuggyIPs: false,
        namespaces: [],
        namespaceSelectors: [],
        serviceSelectors: [],
        labels: {}
      }
    )
  })

  it.each([
    ["0.0.0.0/0", "0.0.0.0/8"],
    ["127.0.0.0/30", "127.0.0.0/8"],
    ["169.253.255.0-169.254.0.0", "169.254.0.0/16"],
    ["223.255.255.255-224.0.0.0", "224.0.0.0/4"],
    ["255.255.255.254/31", "255.255.255.255/32"],
    ["::1/128", "::/127"],
    ["fe80::/64", "fe80::/10"],
    ["ff02::/16", "ff00::/8"]
  ])("warns of %s, of which no router takes all, and has it all the same", (range, foreign) => {
    const { object, findings } = decodeObject(pool({ addresses: [range] }))
    assert.deepStrictEqual(
      findings.map(({ code, severity, field }) => [code, severity, field]),
      [["LT0155", "warning", "spec.addresses[0]"]]
    )
    assert.match(findings[0]?.found ?? "", new RegExp(`, with some of ${foreign}$`))
    assert.isDefined(object)
  })

  it("warns of none beside those", () => {
    const addresses = [
      "1.0.0.0/8",
      "126.0.0.0/8",
      "128.0.0.0/8",
      "223.0.0.0/8",
      "240.0.0.0/8",
      "::2/127",
      "fec0::/10",
      "fd00::/8"
    ]
    assert.deepStrictEqual(decodeObject(pool({ addresses })).findings, [])
  })

  it("takes one address for no range, and says how it is written as one", () => {
    const fixes = ["192.0.2.7", "2001:DB8::7"].map((text) => decodeObject(pool({ addresses: [text] })).findings[0]?.fix)
    assert.deepStrictEqual(fixes, ["Write 192.0.2.7/32", "Write 2001:db8::7/128"])
  })

  it("rests its addresses for what the annotation says, and for what is a duration only", () => {
    const resting = (text: unknown) =>
      raw(
        "metallb.io/v1beta1",
        "IPAddressPool",
        { addresses: ["192.0.2.0/24"] },
        {
          annotations: { "lowtide.dev/quarantine": text }
        }
      )
    const durations = { "0s": 0, "30s": 30_000, "24h": 86_400_000, "1h30m": 5_400_000, "8760h": 31_536_000_000 }
    for (const [text, ms] of Object.entries(durations)) {
      assert.strictEqual(good("IPAddressPool", resting(text)).quarantineMs, ms, text)
    }
    for (const text of ["soon", "10", "-5m", "500ms", "8761h", "1d"]) {
      assert.deepStrictEqual(faults(resting(text)), [
        `LT0108 metadata.annotations[lowtide.dev/quarantine]: whole seconds like 30s, 10m or 24h, at most 8760h | "${text}"`
      ])
    }
    assert.match(faults(resting(600))[0] ?? "", /^LT0105 .* 600$/)
    const misspelt = raw(
      "metallb.io/v1beta1",
      "IPAddressPool",
      { addresses: ["192.0.2.0/24"] },
      {
        annotations: { "lowtide.dev/quarantines": "30s" }
      }
    )
    assert.deepStrictEqual(
      decodeObject(misspelt).findings.map(({ code, fix }) => [code, fix]),
      [["LT0104", "Write lowtide.dev/quarantine"]]
    )
  })

  it("has its priority only when it is not 0, which comes last as absent does", () => {
    const priority = (value: number) =>
      good("IPAddressPool", pool({ addresses: ["192.0.2.0/24"], serviceAllocation: { priority: value } })).priority
    assert.deepStrictEqual([priority(3), priority(0)], [3, undefined])
  })

  it.each([
    [["192.0.2.0/24", "192.0.2.128/25"], "LT0120 spec.addresses[1]: no addresses of 192.0.2.0/24 | 192.0.2.128/25"],
    [["192.0.2.0/30", "192.0.2.0-192.0.2.3"], "LT0114 spec.addresses[1]: each range once | 192.0.2.0/30 again"],
    [[], "LT0106 spec.addresses: at least one prefix or range | []"],
    ["192.0.2.0/24", 'LT0105 spec.addresses: a list | "192.0.2.0/24"']
  ])("refuses %j", (addresses, expected) => {
    assert.deepStrictEqual(faults(pool({ addresses })), [expected])
  })
})

describe("BGPPeer", () => {
  it("has the defaults of RFC 4271", () => {
    assert.deepStrictEqual(good("BGPPeer", peer({})), {
      name: "x",
      namespace: "default",
      myAsn: 64496,
      peerAsn: 64500,
      peerAddress: "10.1.0.1",
      peerPort: 179,
      holdTimeSeconds: 90,
      nodeSelectors: [],
      ebgpMultiHop: false
    })
  })

  it.each([
    [
      { holdTime: "1m30s", keepaliveTime: "30s" },
      { holdTimeSeconds: 90, keepaliveTimeSeconds: 30 }
    ],
    [{ holdTime: "0s" }, { holdTimeSeconds: 0 }],
    [{ holdTime: "3s" }, { holdTimeSeconds: 3 }],
    [{ keepaliveTime: "10s" }, { holdTimeSeconds: 30, keepaliveTimeSeconds: 10 }],
    [
      { connectTime: "5000ms", routerID: "10.9.9.9" },
      { connectTimeSeconds: 5, routerId: "10.9.9.9" }
    ],
    [
      { peerAddress: "2001:DB8::1", sourceAddress: "2001:db8:0::2" },
      { peerAddress: "2001:db8::1", sourceAddress: "2001:db8::2" }
    ],
    [{ peerASN: 4_294_967_295 }, { peerAsn: 4_294_967_295 }],
    [{ password: "", vrf: "", localASN: 0 }, {}]
  ])("reads %j", (spec, expected) => {
    const value: object = good("BGPPeer", peer(spec))
    assert.deepStrictEqual({ ...value, ...expected }, value)
  })

  it.each(["0.0.0.0", "255.255.255.255", "224.0.0.5", "239.255.255.255", "::", "ff02::5"])(
    "refuses %s as a router's address",
    (peerAddress) => {
      const expected = "the address of one router, not the unspecified, the broadcast or a multicast address"
      assert.deepStrictEqual(faults(peer({ peerAddress })), [`LT0109 spec.peerAddress: ${expected} | "${peerAddress}"`])
    }
  )

  it.each([
    [{ holdTime: "2s" }, ['LT0108 spec.holdTime: 0s, or 3s and more | "2s"']],
    [{ holdTime: "3500ms" }, ['LT0108 spec.holdTime: whole seconds like 90s or 1m30s | "3500ms"']],
    [{ holdTime: "20h" }, ['LT0108 spec.holdTime: 0s to 65535s | "20h"']],
    [{ holdTime: 90 }, ["LT0105 spec.holdTime: text: whole seconds like 90s or 1m30s | 90"]],
    [{ keepaliveTime: "91s", holdTime: "90s" }, ["LT0116 spec.keepaliveTime: at most 90s, the hold time | 91s"]],
    [
      { sourceAddress: "2001:db8::2" },
      ['LT0109 spec.sourceAddress: an IPv4 address, as peerAddress is | "2001:db8::2"']
    ],
    [{ password: "x", passwordSecret: { name: "s" } }, ["LT0115 spec.password: password or passwordSecret | both"]],
    [{ password: 5 }, ["LT0105 spec.password: text | something else (not shown)"]],
    [{ password: "é".repeat(41) }, ["LT0108 spec.password: at most 80 octets | 82 (not shown)"]],
    [{ peerAddress: "fe80::1" }, ['LT0109 spec.peerAddress: an address that is known beyond its link | "fe80::1"']],
    [
      { peerAddress: "fe80::1", vrf: "" },
      ['LT0109 spec.peerAddress: an address that is known beyond its link | "fe80::1"']
    ],
    ...["a-device-of-more", "eth0/1", "eth 0", "eth:0", ".."].flatMap(
      (device): Array<[object, Array<string>]> => [
        [{ vrf: device }, [`LT0141 spec.vrf: ${deviceSyntax.expected} | "${device}"`]],
        [{ peerAddress: null, interface: device }, [`LT0141 spec.interface: ${deviceSyntax.expected} | "${device}"`]]
      ]
    ),
    [{ passwordSecret: { namespace: "s" } }, ["LT0106 spec.passwordSecret.name: the name of a Secret | nothing"]],
    [{ interface: "eth0" }, ["LT0115 spec.interface: peerAddress or interface | both"]],
    [{ dynamicASN: "external" }, ["LT0115 spec.dynamicASN: peerASN or dynamicASN | both"]],
    [{ peerASN: null, dynamicASN: "any" }, ['LT0107 spec.dynamicASN: internal or external | "any"']],
    [{ localASN: 64_496 }, ["LT0115 spec.localASN: an AS number other than myASN | 64496"]],
    [
      { peerASN: 64_496, ebgpMultiHop: true },
      ["LT0117 spec.ebgpMultiHop: false or nothing when myASN equals peerASN | true"]
    ],
    [
      { peerASN: null, dynamicASN: "internal", ebgpMultiHop: true },
      ["LT0117 spec.ebgpMultiHop: false or nothing when dynamicASN is internal | true"]
    ]
  ])("refuses %j", (spec, expected) => {
    const decoded = decodeObject(peer(spec))
    assert.deepStrictEqual(faults(peer(spec)), expected)
    assert.isUndefined(decoded.object, "no peer is better than another peer than the one asked for")
  })

  it.each([
    [{ password: "opensesame" }, { password: { from: "peer" } }],
    [{ passwordSecret: { name: "s" } }, { password: { from: "secret", namespace: "default", name: "s" } }],
    [
      { passwordSecret: { name: "s", namespace: "other" } },
      { password: { from: "secret", namespace: "other", name: "s" } }
    ],
    [
      { peerAddress: null, interface: "eth0" },
      { peerAddress: "", interface: "eth0" }
    ],
    [
      { peerASN: null, dynamicASN: "external" },
      { peerAsn: 0, dynamicAsn: "external" }
    ],
    [{ password: "x".repeat(80) }, { password: { from: "peer" } }],
    [
      { peerAddress: "fe80::1", vrf: "eth0.4094" },
      { peerAddress: "fe80::1", vrf: "eth0.4094" }
    ],
    [{ peerAddress: "127.0.0.1" }, { peerAddress: "127.0.0.1" }],
    [
      { vrf: "red", localASN: 64_510, bfdProfile: "fast" },
      { vrf: "red", localAsn: 64_510, bfdProfile: "fast" }
    ]
  ])("reads %j, whichever backend can do it", (spec, expected) => {
    const value: object = good("BGPPeer", peer(spec))
    assert.deepStrictEqual({ ...value, ...expected }, value)
    assert.notInclude(JSON.stringify(value), "opensesame")
  })
})

describe("annotations of a BGPPeer", () => {
  const annotated = (annotations: object, spec: object = {}) => {
    const { spec: usual } = peer(spec)
    return raw("metallb.io/v1beta2", "BGPPeer", usual, { annotations })
  }

  const read: ReadonlyArray<readonly [annotations: object, expected: object]> = [
    [{ "lowtide.dev/ttl-security-hops": "1" }, { ttlSecurityHops: 1 }],
    [{ "lowtide.dev/ttl-security-hops": "254" }, { ttlSecurityHops: 254 }],
    [{ "example.com/ttl-security-hops": "0" }, {}],
    [{ "lowtide.dev/maximum-prefixes": "1" }, { maximumPrefixes: 1 }],
    [{ "lowtide.dev/maximum-prefixes": "10000000" }, { maximumPrefixes: 10_000_000 }],
    ...["provider", "customer", "peer", "route-server", "route-server-client"].map(
      (role): readonly [object, object] => [{ "lowtide.dev/role": role, "lowtide.dev/role-strict": "false" }, { role }]
    ),
    [
      { "lowtide.dev/role": "customer", "lowtide.dev/role-strict": "true" },
      { role: "customer", roleStrict: true }
    ],
    [{ "lowtide.dev/standby": "none" }, { standby: "none" }]
  ]
  it.each(read)("reads %j", (annotations, expected) => {
    assert.deepStrictEqual(good("BGPPeer", annotated(annotations)), { ...good("BGPPeer", peer({})), ...expected })
  })

  const hops = "metadata.annotations[lowtide.dev/ttl-security-hops]"
  const wrong: ReadonlyArray<readonly [annotations: object, spec: object, expected: string]> = [
    ...["0", "255", "-1", "1.5", "0x1", " 1", "one"].map((text): readonly [object, object, string] => [
      { "lowtide.dev/ttl-security-hops": text },
      {},
      `LT0108 ${hops}: a whole number in 1..254, in quotation marks | "${text}"`
    ]),
    [
      { "lowtide.dev/ttl-security-hops": 1 },
      {},
      `LT0105 ${hops}: text: a whole number in 1..254, in quotation marks | 1`
    ],
    [
      { "lowtide.dev/ttl-security-hops": "2" },
      { ebgpMultiHop: true },
      `LT0115 ${hops}: ebgpMultiHop or a number of hops, which lets the peer be so far away | both`
    ]
  ]
  const role = "metadata.annotations[lowtide.dev/role]"
  const words = "provider or customer or peer or route-server or route-server-client"
  const alsoWrong: typeof wrong = [
    [
      { "lowtide.dev/maximum-prefixes": "0" },
      {},
      'LT0108 metadata.annotations[lowtide.dev/maximum-prefixes]: a whole number in 1..10000000, in quotation marks | "0"'
    ],
    [{ "lowtide.dev/role": "rs" }, {}, `LT0107 ${role}: ${words} | "rs"`],
    [
      { "lowtide.dev/role": "peer" },
      { peerASN: 64496 },
      `LT0117 ${role}: nothing on a peer of our own AS (RFC 9234 §4) | peer`
    ],
    [
      { "lowtide.dev/role": "peer" },
      { peerASN: null, dynamicASN: "internal" },
      `LT0117 ${role}: nothing on a peer of our own AS (RFC 9234 §4) | peer`
    ],
    [
      { "lowtide.dev/role": "peer" },
      { localASN: 64500 },
      `LT0117 ${role}: nothing on a peer of our own AS (RFC 9234 §4) | peer`
    ],
    [
      { "lowtide.dev/role-strict": "true" },
      {},
      `LT0106 ${role}: a role, which lowtide.dev/role-strict is about | nothing`
    ],
    [
      { "lowtide.dev/role": "peer", "lowtide.dev/role-strict": "yes" },
      {},
      'LT0107 metadata.annotations[lowtide.dev/role-strict]: true or false | "yes"'
    ],
    [{ "lowtide.dev/standby": "false" }, {}, 'LT0107 metadata.annotations[lowtide.dev/standby]: none | "false"']
  ]

  it("has a role towards a peer that is in another AS than the one it is shown", () => {
    const shown = annotated({ "lowtide.dev/role": "peer" }, { peerASN: 64_496, localASN: 64_510 })
    assert.strictEqual(good("BGPPeer", shown).role, "peer")
  })

  it.each([...wrong, ...alsoWrong])("refuses %j with %j", (annotations, spec, expected) => {
    assert.deepStrictEqual(faults(annotated(annotations, spec)), [expected])
    assert.isUndefined(decodeObject(annotated(annotations, spec)).object)
  })

  it("of ours that are not known are warned of", () => {
    const { object, findings } = decodeObject(annotated({ "lowtide.dev/ttl-security-hop": "1" }))
    assert.isDefined(object)
    assert.deepStrictEqual(
      findings.map(({ code, fix }) => [code, fix]),
      [["LT0104", "Write lowtide.dev/ttl-security-hops"]]
    )
  })
})

describe("BGPAdvertisement", () => {
  it("announces host routes of everything to everyone by default", () => {
    assert.deepStrictEqual(good("BGPAdvertisement", advertisement(undefined)), {
      name: "x",
      namespace: "default",
      aggregationLength: 32,
      aggregationLengthV6: 128,
      communities: [],
      pools: [],
      poolSelectors: [],
      nodeSelectors: [],
      peers: [],
      serviceSelectors: []
    })
  })

  it("has no more communities than fit a message, beside those of others", () => {
    const some = (length: number) => Array.from({ length }, (_, index) => `64500:${index}`)
    assert.deepStrictEqual(faults(advertisement({ communities: some(101) })), [
      "LT0145 spec.communities: at most 100 communities | 101"
    ])
    assert.deepStrictEqual(faults(advertisement({ communities: some(100) })), [])
  })

  const annotated = (annotations: object) => raw("metallb.io/v1beta1", "BGPAdvertisement", undefined, { annotations })

  it.each([
    [{ "lowtide.dev/med": "0" }, { med: 0 }],
    [{ "lowtide.dev/med": "4294967295" }, { med: 4_294_967_295 }],
    [{ "lowtide.dev/as-path-prepend": "1" }, { asPathPrepend: 1 }],
    [{ "lowtide.dev/as-path-prepend": "10" }, { asPathPrepend: 10 }],
    [{ "example.com/med": "x" }, {}]
  ])("reads the annotations %j", (annotations, expected) => {
    const plain = good("BGPAdvertisement", advertisement(undefined))
    assert.deepStrictEqual(good("BGPAdvertisement", annotated(annotations)), { ...plain, ...expected })
  })

  it.each([
    ["med", "4294967296", "0..4294967295"],
    ["med", "-1", "0..4294967295"],
    ["med", "low", "0..4294967295"],
    ["as-path-prepend", "0", "1..10"],
    ["as-path-prepend", "11", "1..10"],
    ["as-path-prepend", "64496 64496", "1..10"]
  ])("refuses the annotation %s of %s", (name, text, bounds) => {
    const wrong = annotated({ [`lowtide.dev/${name}`]: text })
    assert.deepStrictEqual(faults(wrong), [
      `LT0108 metadata.annotations[lowtide.dev/${name}]: a whole number in ${bounds}, in quotation marks | "${text}"`
    ])
    assert.isUndefined(decodeObject(wrong).object)
  })

  it("keeps aggregation and aliases as they are", () => {
    const spec = { aggregationLength: 24, localPref: 1, communities: ["my-alias", "64500:1"], peers: ["a"] }
    const value = good("BGPAdvertisement", advertisement(spec))
    assert.deepStrictEqual(
      [value.aggregationLength, value.localPref, value.communities],
      [24, 1, ["my-alias", "64500:1"]]
    )
  })

  it("takes a preference of 0 for none, as MetalLB does, and says so", () => {
    const { object, findings } = decodeObject(advertisement({ localPref: 0 }))
    assert.isFalse(object?._tag !== "BGPAdvertisement" || "localPref" in object.value)
    assert.deepStrictEqual(
      findings.map(({ code, severity, field }) => [code, severity, field]),
      [["LT0146", "warning", "spec.localPref"]]
    )
  })
})

describe("Service", () => {
  it("is completed as the API server would", () => {
    assert.deepStrictEqual(good("Service", service({ ports: [{ port: 80 }] })), {
      namespace: "shop",
      name: "x",
      uid: "68ab6023-6a3c-84bf-af4f-ce3f1bf92c76",
      labels: {},
      annotations: {},
      type: "LoadBalancer",
      requestedAddresses: [],
      ipFamilies: ["IPv4"],
      ipFamilyPolicy: "SingleStack",
      clusterIPs: [],
      externalTrafficPolicy: "Cluster",
      ports: [{ protocol: "TCP", port: 80, name: "" }],
      selector: {}
    })
  })

  it.each([
    [{}, ["IPv4"]],
    [{ ipFamilies: ["IPv6"] }, ["IPv6"]],
    [{ ipFamilyPolicy: "RequireDualStack" }, ["IPv4", "IPv6"]],
    [{ ipFamilyPolicy: "PreferDualStack", ipFamilies: ["IPv6"] }, ["IPv6", "IPv4"]],
    [{ ipFamilyPolicy: "PreferDualStack", clusterIPs: ["10.16.0.1"] }, ["IPv4"]],
    [{ clusterIPs: ["2001:db8::1"] }, ["IPv6"]],
    [{ clusterIP: "2001:db8::1" }, ["IPv6"]],
    [{ type: "ClusterIP", clusterIP: "None", clusterIPs: ["None"] }, ["IPv4"]]
  ])("%j has the IP versions %j", (spec, expected) => {
    assert.deepStrictEqual([...good("Service", service(spec)).ipFamilies], expected)
  })

  it("reads what the annotations ask for", () => {
    const value = good(
      "Service",
      service(
        {},
        {
          "metallb.io/loadBalancerIPs": "2001:DB8::5 , 192.0.2.5",
          "metallb.io/allow-shared-ip": "key",
          "metallb.io/address-pool": "gold",
          "example.com/other": "x"
        }
      )
    )
    assert.deepStrictEqual(value.requestedAddresses, ["2001:db8::5", "192.0.2.5"])
    assert.deepStrictEqual(value.annotations, { addressPool: "gold", allowSharedIp: "key" })
  })

  it("reads the deprecated prefix with a warning, and prefers the newer one", () => {
    const decoded = decodeObject(
      service({}, { "metallb.universe.tf/address-pool": "old", "metallb.io/address-pool": "new" })
    )
    assert.deepStrictEqual(
      decoded.findings.map(({ code, fix }) => [code, fix]),
      [["LT0136", "Write metallb.io/address-pool"]]
    )
    assert.strictEqual(decoded.object?._tag === "Service" ? decoded.object.value.annotations.addressPool : "", "new")
  })

  it.each([
    ["metallb.io/loadBalancerIP", "Write metallb.io/loadBalancerIPs"],
    ["lowtide.dev/address-pool", "Write metallb.io/address-pool"],
    ["metallb.universe.tf/Allow-Shared-IP", "Write metallb.io/allow-shared-ip"],
    ["metallb.io/pool", "Correct the name or remove the field"]
  ])("warns of the annotation %s, which would be a wish if it were spelt right", (name, fix) => {
    const expected = "one of metallb.io/address-pool, metallb.io/allow-shared-ip, metallb.io/loadBalancerIPs"
    assert.deepStrictEqual(
      decodeObject(service({}, { [name]: "192.0.2.5" })).findings.map((one) => [
        one.code,
        one.field,
        one.expected,
        one.fix
      ]),
      [["LT0104", `metadata.annotations[${name}]`, expected, fix]]
    )
  })

  it("passes over annotations of others, those that MetalLB writes, and all of a Service that asks for nothing", () => {
    const annotations = { "example.com/address-pool": "x", "metallb.io/ip-allocated-from-pool": "gold" }
    assert.deepStrictEqual(decodeObject(service({}, annotations)).findings, [])
    assert.deepStrictEqual(decodeObject(service({ type: "ClusterIP" }, { "metallb.io/pool": "x" })).findings, [])
  })

  it.each([
    [
      {},
      "192.0.2.1,192.0.2.2",
      "LT0119 metadata.annotations[metallb.io/loadBalancerIPs]: at most one address of each IP version | 192.0.2.1 and 192.0.2.2"
    ],
    [
      {},
      "192.0.2.1/32",
      'LT0109 metadata.annotations[metallb.io/loadBalancerIPs]: an IPv4 or IPv6 address | "192.0.2.1/32"'
    ],
    [
      { clusterIP: "None" },
      "192.0.2.1",
      "LT0107 spec.clusterIP: a cluster address, or nothing, for type LoadBalancer | None"
    ],
    [
      { type: "Loadbalancer" },
      "192.0.2.1",
      'LT0107 spec.type: ClusterIP or NodePort or LoadBalancer or ExternalName | "Loadbalancer"'
    ]
  ])("refuses %j asking for %s", (spec, asked, expected) => {
    assert.deepStrictEqual(faults(service(spec, { "metallb.io/loadBalancerIPs": asked })), [expected])
  })

  it("is not faulted for what it would ask of a load balancer when it is of another type", () => {
    assert.deepStrictEqual(faults(service({ type: "NodePort", loadBalancerIP: "x" })), [])
  })

  it("keeps its own uid; without one it has a uid of its name alone", () => {
    const uid = (object: RawObject) => good("Service", object).uid
    assert.strictEqual(uid({ ...service({}), uid: "abc" }), "abc")
    assert.notStrictEqual(uid(service({})), uid({ ...service({}), name: "y" }))
    assert.strictEqual(uid(service({})), uid(service({ ports: [{ port: 1 }] })))
  })
})

describe("Node, Namespace, EndpointSlice, Cluster, Community, BFDProfile", () => {
  it("reads a node's InternalIP addresses and whether its network is unavailable", () => {
    const status = {
      addresses: [
        { type: "Hostname", address: "n" },
        { type: "InternalIP", address: "10.1.0.11" },
        { type: "InternalIP", address: "2001:DB8::11" }
      ],
      conditions: [
        { type: "NetworkUnavailable", status: "True" },
        { type: "Ready", status: "True" }
      ]
    }
    assert.deepStrictEqual(good("Node", raw("v1", "Node", {}, { status, labels: { a: "b" } })), {
      name: "x",
      labels: { a: "b" },
      networkUnavailable: true,
      addresses: ["10.1.0.11", "2001:db8::11"]
    })
  })

  it("gives every namespace the label that clusters give it", () => {
    assert.deepStrictEqual(good("Namespace", raw("v1", "Namespace", undefined)).labels, {
      "kubernetes.io/metadata.name": "x"
    })
  })

  it("counts endpoints that can serve by node: ready, of unknown readiness, or serving while terminating", () => {
    const endpoint = (nodeName: string, conditions: unknown) => ({ addresses: ["10.1.1.1"], nodeName, conditions })
    const endpoints = [
      endpoint("ready", { ready: true }),
      endpoint("unknown", undefined),
      endpoint("terminating", { ready: false, serving: true, terminating: true }),
      endpoint("not-ready", { ready: false, serving: false }),
      { addresses: ["10.1.1.2"] }
    ]
    const labels = { "kubernetes.io/service-name": "web" }
    const slice = good("EndpointSlice", raw("discovery.k8s.io/v1", "EndpointSlice", undefined, { endpoints, labels }))
    assert.strictEqual(slice.service, "web")
    assert.deepStrictEqual(servingNodes([slice]), ["ready", "terminating", "unknown"])
  })

  it("reads a cluster's network and allowed prefixes, default and none", () => {
    const cluster = (spec: unknown) => good("Cluster", raw("lowtide.dev/v1alpha1", "Cluster", spec))
    assert.deepStrictEqual(cluster({}), { name: "x", network: "default", allowedPrefixes: [], labels: {} })
    assert.deepStrictEqual(cluster({ network: "backbone", allowedPrefixes: ["2001:DB8::/32"] }).allowedPrefixes, [
      "2001:db8::/32"
    ])
  })

  it("reads aliases to canonical communities, large ones included", () => {
    const communities = [
      { name: "a", value: "64500:1" },
      { name: "b", value: "large:64500:1:2" }
    ]
    const value = good("Community", raw("metallb.io/v1beta1", "Community", { communities }))
    assert.deepStrictEqual(value.aliases, { a: "64500:1", b: "64500:1:2" })
  })

  it("reads a BFD profile with MetalLB's defaults, and its bounds", () => {
    const profile = (spec: unknown) => raw("metallb.io/v1beta1", "BFDProfile", spec)
    assert.strictEqual(good("BFDProfile", profile({ receiveInterval: 10 })).detectMultiplier, 3)
    assert.deepStrictEqual(faults(profile({ receiveInterval: 9 })), [
      "LT0108 spec.receiveInterval: a whole number in 10..60000 | 9"
    ])
  })
})

describe("other kinds", () => {
  it.each([
    ["apps/v1", "Deployment"],
    ["serving.knative.dev/v1", "Service"],
    ["cluster.x-k8s.io/v1beta1", "Cluster"],
    ["metallb.io/v1beta1", "L2Advertisement"],
    ["v1", "constructor"]
  ])("%s %s is left alone without a word", (apiVersion, kind) => {
    assert.isFalse(isKindRead({ apiVersion, kind }))
    assert.deepStrictEqual(decodeObject(raw(apiVersion, kind, { any: 1 })), { findings: [] })
  })

  it.each([
    ["metallb.io/v1beta1", "L2Advertisement", "LT0153"],
    ["metallb.io/v1beta1", "AddressPool", "LT0153"],
    ["metallb.io/v1beta1", "toString", "LT0153"],
    ["metallb.io/v1beta1", "IpAddressPool", "LT0153"],
    ["lowtide.dev/v1alpha1", "Clutser", "LT0153"],
    ["metallb.io/v1beta1", "ServiceBGPStatus", undefined],
    ["metallb.io/v1beta1", "IPAddressPool", undefined],
    ["apps/v1", "Deployment", undefined]
  ])("%s %s is spoken of where its group is one of ours", (apiVersion, kind, code) => {
    assert.strictEqual(unreadKind(raw(apiVersion, kind, {}))?.code, code)
  })

  it("a version that is not known of a kind that is read is a fault", () => {
    assert.deepStrictEqual(faults(raw("metallb.io/v2", "BGPPeer", {})), [
      "LT0103 apiVersion: metallb.io/v1beta2 or metallb.io/v1beta1 | metallb.io/v2"
    ])
  })
})
