import { assert, describe, it } from "vitest"
import { type ClusterObject, decodeObject, judge, parseManifests } from "../src/config/index.ts"

/** Objects from one line each: `pool a {addresses: [192.0.2.0/24]} 2020`, the year of creation at will, `@key: text` an annotation. */
const objects = (...lines: ReadonlyArray<string>): ReadonlyArray<ClusterObject> =>
  lines.map((line) => {
    const [, short = "", name = "", body = "{}", year, annotation] =
      /^(\w+) (\S+)(?: (\{.*\}))?(?: (\d{4}))?(?: @(.*))?$/.exec(line) ?? []
    const [apiVersion, kind] = kinds[short] ?? ["", ""]
    const created = year === undefined ? "" : `, creationTimestamp: "${year}-01-01T00:00:00Z"`
    const annotations = annotation === undefined ? "" : `, annotations: {${annotation}}`
    const top = short === "node" ? `, labels: ${body}` : created + annotations
    const text = `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: ${name}${top}}\nspec: ${short === "node" ? "{}" : body}\n`
    const [manifest] = parseManifests(text, { file: name }).manifests
    const decoded = manifest === undefined ? undefined : decodeObject(manifest.object)
    assert.deepStrictEqual(decoded?.findings, [], line)
    return decoded?.object as ClusterObject
  })

const kinds: Readonly<Record<string, readonly [string, string]>> = {
  pool: ["metallb.io/v1beta1", "IPAddressPool"],
  peer: ["metallb.io/v1beta2", "BGPPeer"],
  adv: ["metallb.io/v1beta1", "BGPAdvertisement"],
  community: ["metallb.io/v1beta1", "Community"],
  node: ["v1", "Node"],
  cluster: ["lowtide.dev/v1alpha1", "Cluster"]
}

const session = (more: string) => `{myASN: 64496, peerASN: 64500, peerAddress: 10.1.0.1${more}}`
const onlyOn = (label: string) => `, nodeSelectors: [{matchLabels: {on: ${label}}}]`

const judged = (...lines: ReadonlyArray<string>) => {
  const all = objects(...lines)
  const { config, findings } = judge(all)
  assert.deepStrictEqual(judge([...all].reverse()), { config, findings }, "the order of the objects does not matter")
  return {
    config,
    pools: config.pools.map((pool) => pool.name),
    peers: config.peers.map((peer) => peer.name),
    advertisements: config.advertisements.map((advertisement) => advertisement.name),
    codes: findings.map(({ code, object }) => `${code} ${object.name}`)
  }
}

describe("judge: pools", () => {
  it.each([
    ["by name", ["pool a {addresses: [192.0.2.0/24]}", "pool b {addresses: [192.0.2.9/32]}"], ["a"], "LT0121 b"],
    [
      "by age before name",
      ["pool a {addresses: [192.0.2.0/24]} 2021", "pool b {addresses: [192.0.2.9/32]} 2020"],
      ["b"],
      "LT0121 a"
    ],
    [
      "with an age before without",
      ["pool a {addresses: [192.0.2.0/24]}", "pool b {addresses: [192.0.2.9/32]} 2026"],
      ["b"],
      "LT0121 a"
    ]
  ])("of two that overlap the older stays, %s", (_, lines, pools, code) => {
    const result = judged(...lines)
    assert.deepStrictEqual([result.pools, result.codes], [pools, [code]])
  })

  it("a refused pool refuses no other, and those that touch do not overlap", () => {
    const result = judged(
      "pool a {addresses: [192.0.2.0/25]}",
      "pool b {addresses: [192.0.2.0-192.0.2.128]}",
      "pool c {addresses: [192.0.2.128/25]}"
    )
    assert.deepStrictEqual([result.pools, result.codes], [["a", "c"], ["LT0121 b"]])
  })
})

describe("judge: peers", () => {
  interface Row {
    readonly title: string
    readonly lines: ReadonlyArray<string>
    readonly expected: ReadonlyArray<string>
    readonly codes?: ReadonlyArray<string>
  }
  const rows: ReadonlyArray<Row> = [
    { title: "every node twice", lines: [`peer a ${session("")}`, `peer b ${session("")}`], expected: ["a"] },
    {
      title: "another port",
      lines: [`peer a ${session("")}`, `peer b ${session(", peerPort: 1179")}`],
      expected: ["a", "b"]
    },
    {
      title: "no nodes known, other labels",
      lines: [`peer a ${session(onlyOn("x"))}`, `peer b ${session(onlyOn("y"))}`],
      expected: ["a", "b"]
    },
    {
      title: "no nodes known, equal selectors",
      lines: [`peer a ${session(onlyOn("x"))}`, `peer b ${session(onlyOn("x"))}`],
      expected: ["a"]
    },
    {
      title: "nodes that tell them apart",
      lines: ["node n {on: x}", `peer a ${session(onlyOn("x"))}`, `peer b ${session(onlyOn("y"))}`],
      expected: ["a", "b"]
    },
    {
      title: "a node with all and one label: b yields to a there, and goes on where a is not",
      lines: ["node n {on: x}", `peer a ${session("")}`, `peer b ${session(onlyOn("x"))}`],
      expected: ["a", "b"],
      codes: ["LT0143 b"]
    },
    {
      title: "no node with the label",
      lines: ["node n {on: z}", `peer a ${session("")}`, `peer b ${session(onlyOn("x"))}`],
      expected: ["a", "b"]
    }
  ]
  it.each(rows)(
    "one session to an address on a node: $title",
    ({ lines, expected, codes = expected.length === 2 ? [] : ["LT0123 b"] }) => {
      const result = judged(...lines)
      assert.deepStrictEqual(result.peers, expected)
      assert.deepStrictEqual(result.codes, codes)
    }
  )
})

describe("judge: advertisements", () => {
  const base = ["pool a {addresses: [192.0.2.0/24]}", "pool b {addresses: ['2001:db8::/120']}", `peer p ${session("")}`]

  it("resolves aliases to canonical communities, sorted and once each", () => {
    const { config } = judged(
      ...base,
      "community c {communities: [{name: x, value: '64500:2'}, {name: no-export, value: '64500:9'}]}",
      "adv v {communities: [x, '64500:2', '64500:1', no-export, no-advertise, 'large:64500:1:2']}"
    )
    assert.deepStrictEqual(config.advertisements[0]?.communities, [
      "64500:1",
      "64500:1:2",
      "64500:2",
      "64500:9",
      "65535:65282"
    ])
  })

  it("never widens a list by leaving out unknown names", () => {
    const result = judged(
      ...base,
      "adv pools {ipAddressPools: [zzz]}",
      "adv peers {peers: [zzz]}",
      "adv some {ipAddressPools: [a, zzz]}"
    )
    assert.deepStrictEqual(result.advertisements, ["some"])
    assert.deepStrictEqual(result.config.advertisements[0]?.pools, ["a"])
    assert.deepStrictEqual(result.codes, ["LT0125 peers", "LT0124 pools", "LT0124 some"])
  })

  it("tells a name that there is not from one that is refused", () => {
    const { findings } = judge(
      objects(
        ...base,
        "pool c {addresses: [192.0.2.8/30]}",
        `peer q ${session("")}`,
        "adv v {ipAddressPools: [a, c, zzz], peers: [p, q, zzz]}"
      )
    )
    assert.deepStrictEqual(
      findings
        .filter(({ object }) => object.name === "v")
        .map(({ code, expected, found, fix }) => [code, expected, found, fix]),
      [
        ["LT0124", "one of a, b", "c, which is refused", "Mend pool c: its own finding says why it is refused"],
        [
          ...["LT0124", "one of a, b", "zzz"],
          "Create the pool, correct the name, or mend the pool where its own finding refuses it"
        ],
        ["LT0125", "one of p", "q, which is refused", "Mend peer q: its own finding says why it is refused"],
        [
          ...["LT0125", "one of p", "zzz"],
          "Create the peer, correct the name, or mend the peer where its own finding refuses it"
        ]
      ]
    )
  })

  it("refuses one whose alias is unknown, since a route without it may travel too far", () => {
    const result = judged(...base, "adv v {communities: [stay-home]}")
    assert.deepStrictEqual([result.advertisements, result.codes], [[], ["LT0126 v"]])
  })

  it.each([
    ["other preferences", "{localPref: 1}", "{localPref: 2}", false],
    ["equal preferences", "{localPref: 1}", "{localPref: 1}", true],
    ["none is 100", "{localPref: 100}", "{}", true],
    ["other pools", "{localPref: 1, ipAddressPools: [a]}", "{localPref: 2, ipAddressPools: [b]}", true],
    [
      "other lengths of the pool's IP version",
      "{localPref: 1, ipAddressPools: [a]}",
      "{localPref: 2, ipAddressPools: [a], aggregationLength: 28}",
      true
    ],
    [
      "other lengths of the other IP version",
      "{localPref: 1, ipAddressPools: [a]}",
      "{localPref: 2, ipAddressPools: [a], aggregationLengthV6: 126}",
      false
    ],
    ["Services chosen", "{localPref: 1}", "{localPref: 2, serviceSelectors: [{matchLabels: {a: b}}]}", true],
    [
      "nodes that differ",
      "{localPref: 1, nodeSelectors: [{matchLabels: {on: x}}]}",
      "{localPref: 2, nodeSelectors: [{matchLabels: {on: y}}]}",
      true
    ],
    ["a node in common", "{localPref: 1, nodeSelectors: [{matchLabels: {on: x}}]}", "{localPref: 2}", false],
    ["other MED", "{} @lowtide.dev/med: '1'", "{} @lowtide.dev/med: '2'", false],
    ["no MED is 0", "{} @lowtide.dev/med: '0'", "{}", true],
    ["a MED and none", "{} @lowtide.dev/med: '1'", "{}", false],
    ["equal paths", "{} @lowtide.dev/as-path-prepend: '1'", "{} @lowtide.dev/as-path-prepend: '1'", true],
    ["a longer path", "{}", "{} @lowtide.dev/as-path-prepend: '1'", false],
    ["a longer path of other pools", "{ipAddressPools: [b]}", "{ipAddressPools: [a]} @lowtide.dev/med: '1'", true]
  ])("one preference for one route: %s", (_, first, second, areBothKept) => {
    const result = judged(...base, "node n {on: x}", `adv v ${first}`, `adv w ${second}`)
    assert.deepStrictEqual(
      [result.advertisements, result.codes],
      areBothKept ? [["v", "w"], []] : [["v"], ["LT0128 w"]]
    )
  })

  it("is told of each preference that differs, by the field", () => {
    const { findings } = judge(
      objects(...base, "adv v {localPref: 1}", "adv w {} @lowtide.dev/med: '7', lowtide.dev/as-path-prepend: '2'")
    )
    assert.deepStrictEqual(
      findings.map(({ field, found }) => `${field} ${found}`),
      [
        "spec.localPref nothing",
        "metadata.annotations[lowtide.dev/med] 7",
        "metadata.annotations[lowtide.dev/as-path-prepend] 2"
      ]
    )
  })

  it.each([
    ["192.0.2.0/24", 24, true],
    ["192.0.2.0/25", 24, false],
    ["192.0.2.1-192.0.2.30", 28, false],
    ["192.0.2.1-192.0.2.47", 28, true],
    ["192.0.2.8-192.0.2.23", 28, false],
    ["192.0.2.7/32", 32, true]
  ])("a range must fill a block of the aggregate: %s as /%i", (range, length, isKept) => {
    const result = judged(`pool a {addresses: [${range}]}`, `adv v {aggregationLength: ${length}}`)
    assert.deepStrictEqual(result.codes, isKept ? [] : ["LT0129 v"])
  })
})

describe("judge: the cluster", () => {
  it("has the network of its Cluster, else the default one", () => {
    assert.strictEqual(judged("cluster c {network: blue}").config.network, "blue")
    assert.strictEqual(judged().config.network, "default")
  })

  it("is one", () => {
    const result = judged("cluster a {network: blue}", "cluster b {network: red}")
    assert.deepStrictEqual([result.config.network, result.codes], ["blue", ["LT0122 b"]])
  })
})
