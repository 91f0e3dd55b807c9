import { assert, describe, it } from "vitest"
import { decodeManifest, decodeObject, formatManifest, parseManifests } from "../src/config/index.ts"

const parse = (text: string) => parseManifests(text, { file: "f.yaml" })
const names = (text: string) => parse(text).manifests.map(({ object }) => object.name)
const codes = (text: string) => parse(text).findings.map(({ code, source }) => `${code}:${source?.line}`)
const object = (name: string) => ({ apiVersion: "v1", kind: "Service", metadata: { name } })
const json = (name: string, indent = 0) => JSON.stringify(object(name), null, indent)
const list = (...items: ReadonlyArray<object>) => ({ apiVersion: "v1", kind: "List", items })
const doc = (name: string) => `apiVersion: v1\nkind: Service\nmetadata:\n  name: ${name}\n`

describe("parseManifests", () => {
  it.each([
    ["one document", doc("a"), ["a"]],
    ["several", `${doc("a")}---\n${doc("b")}--- # comment\n${doc("c")}`, ["a", "b", "c"]],
    ["empty documents between", `---\n---\n${doc("a")}---\n\n---\n# only a comment\n---\n${doc("b")}---\n`, ["a", "b"]],
    ["a directive before", `%YAML 1.2\n---\n${doc("a")}`, ["a"]],
    ["an end marker", `${doc("a")}...\n---\n${doc("b")}`, ["a", "b"]],
    [
      "a byte order mark and Windows line ends",
      `\uFEFF${doc("a")}---\n${doc("b")}`.replaceAll("\n", "\r\n"),
      ["a", "b"]
    ],
    ["JSON", JSON.stringify({ apiVersion: "v1", kind: "Service", metadata: { name: "a" } }), ["a"]],
    ["flow style that is no JSON", "{apiVersion: v1, kind: Service, metadata: {name: a}}", ["a"]],
    ["a List", `apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Service, metadata: {name: a}}\n`, ["a"]],
    ["an empty List", "apiVersion: v1\nkind: List\nitems: []\n", []],
    ["anchors and merge keys", `a: &x {name: a}\napiVersion: v1\nkind: Service\nmetadata: {<<: *x}\n`, ["a"]],
    [
      "JSON objects one after another, as tools print them",
      `${json("a")}\n${json("b", 2)}\n${json("c")}\n`,
      ["a", "b", "c"]
    ],
    ["Lists in a List", JSON.stringify(list(list(object("a")), object("b"))), ["a", "b"]],
    ["a List of null", "apiVersion: v1\nkind: List\nitems:\n", []],
    ["files that were joined with their byte order marks", `\uFEFF${doc("a")}---\n\uFEFF${doc("b")}`, ["a", "b"]],
    [
      "one anchor for more than a hundred items",
      `apiVersion: v1\nkind: List\nitems:\n- &s ${json("s0")}\n${"- {<<: *s, metadata: {name: s1}}\n".repeat(120)}`,
      ["s0", ...Array.from({ length: 120 }, () => "s1")]
    ],
    ["nothing", "", []],
    ["comments alone", "# nothing\n\n", []]
  ])("reads %s", (_, text, expected) => {
    assert.deepStrictEqual([names(text), codes(text)], [expected, []])
  })

  it("gives the items of a ServiceList the kind that they leave out", () => {
    const [item] = parse("apiVersion: v1\nkind: ServiceList\nitems:\n- metadata: {name: a, namespace: n}\n").manifests
    assert.deepStrictEqual([item?.object.apiVersion, item?.object.kind, item?.object.namespace], ["v1", "Service", "n"])
  })

  it("hides no document behind a bad one, and says where each is bad", () => {
    const text = `${doc("a")}---\nkind: "unclosed\n---\n${doc("b")}---\nkind: [\n---\n${doc("c")}`
    assert.deepStrictEqual(
      [names(text), codes(text)],
      [
        ["a", "b", "c"],
        ["LT0101:6", "LT0101:13"]
      ]
    )
  })

  it("hides no document behind one that is not UTF-8", () => {
    const octets = Buffer.concat([
      Buffer.from(`${doc("a")}---\n${doc("b")}  labels: {a: "`),
      Buffer.of(0xe9),
      Buffer.from(`"}\n---\n${doc("c")}`)
    ])
    const { manifests, findings } = parse(decodeManifest(octets))
    assert.deepStrictEqual(
      [manifests.map(({ object }) => object.name), findings.map(({ found, source }) => `${source?.line} ${found}`)],
      [["a", "c"], ["10 octets that are not UTF-8"]]
    )
    const [utf16] = parse(decodeManifest(Buffer.from(`\uFEFF${doc("a")}`, "utf16le"))).findings
    assert.deepStrictEqual([utf16?.code, utf16?.found, utf16?.fix], ["LT0101", "UTF-16", "Save the file as UTF-8"])
  })

  it("takes U+FFFD that is written as such, also beside octets that are not UTF-8", () => {
    const written = `${doc("a")}  labels: {a: "\uFFFD"}\n`
    const octets = Buffer.concat([
      Buffer.from(`\uFEFF${written}---\n${doc("b")}  labels: {a: "\uFFFD`),
      Buffer.of(0xed, 0xa0, 0x80), // U+D800 as three octets, which is no UTF-8
      Buffer.from(`"}\n---\n${doc("c")}`)
    ])
    assert.deepStrictEqual(parse(decodeManifest(Buffer.from(written))).manifests[0]?.object.labels, { a: "\uFFFD" })
    const text = decodeManifest(octets)
    assert.deepStrictEqual([names(text), codes(text)], [["a", "c"], ["LT0101:11"]])
  })

  it.each([
    ["a key that stands twice", json("b").replace("{", '{"kind":"Node",'), "LT0101:3"],
    ["one that is cut off", '{"apiVersion":"v1","kind":"Service","metadata":{"name":"b"', "LT0101:3"],
    ["one without a name", '{"apiVersion":"v1","kind":"Service"}', "LT0102:3"]
  ])("hides no JSON object behind %s", (_, broken, expected) => {
    const text = `${json("a")}\n\n${broken}\n${json("c")}\n`
    assert.deepStrictEqual([names(text), codes(text)], [["a", "c"], [expected]])
    const first = `${broken}\n${json("c")}\n`
    assert.deepStrictEqual([names(first), codes(first)], [["c"], [expected.replace("3", "1")]])
  })

  it("takes no line of a text for an object", () => {
    const inText = `{apiVersion: v1, kind: Service, metadata: {name: a, labels: {x: '\n${json("b")}\n${json("c")}\n'}}}\n`
    assert.deepStrictEqual([names(inText), codes(inText)], [["a"], []])
  })

  it("counts the weight of aliases in keys as well, and of merged keys", () => {
    const key = "k".repeat(1024 ** 2)
    const longKey = `a: &a\n  ? ${key}\n  : 1\n${doc("a")}spec: [${"*a, ".repeat(600)}]\n`
    assert.deepStrictEqual([names(longKey), codes(longKey)], [[], ["LT0144:1"]])
    const where = `a: &a\n  ? ${key}\n  : 1\nkind: Service\napiVersion: [${"*a, ".repeat(600)}]\n`
    assert.deepStrictEqual(codes(where), ["LT0144:1"])
    const keys = Array.from({ length: 1000 }, (_, index) => `k${index}: 1`).join(", ")
    const merged = `a: &a {${keys}}\n${doc("a")}spec:\n${"- {<<: *a}\n".repeat(600)}`
    assert.deepStrictEqual(codes(merged), ["LT0101:1"])
  })

  it("takes as many aliases as kubectl takes, each for the last anchor of its name before it", () => {
    const many = `a: &a 1\n${doc("a")}spec: [${"*a, ".repeat(20_000)} &a 2, *a]\n`
    assert.deepStrictEqual(parse(many).manifests[0]?.object.spec, [...new Array(20_000).fill(1), 2, 2])
    const merged = `${doc("a")}spec: [{<<: &m {x: &x 1}}, *m, *x, {<<: [*m, {y: &y 2}]}, *y]\n`
    assert.deepStrictEqual(parse(merged).manifests[0]?.object.spec, [{ x: 1 }, { x: 1 }, 1, { x: 1, y: 2 }, 2])
  })

  it("refuses an alias within what it names", () => {
    const [fault] = parse(`${doc("a")}spec: &a [*a]\n`).findings
    assert.deepStrictEqual(
      [fault?.code, fault?.found, fault?.fix],
      [
        "LT0101",
        "aliases that expand to more than 400000 nodes",
        "Write the values out, or divide the document with ---"
      ]
    )
  })

  it.each([
    ["JSON", `{"apiVersion":"v1","kind":"Service","metadata":{"name":"a"},"spec":DEEP}`],
    ["YAML", `${doc("a")}spec: DEEP\n`]
  ])("says of %s that is nested too deep what is wrong", (_, text) => {
    const nested = (levels: number) => text.replace("DEEP", "[".repeat(levels) + "]".repeat(levels))
    assert.deepStrictEqual([names(nested(150)), codes(nested(150))], [["a"], []])
    for (const levels of [300, 50_000]) {
      const [fault] = parse(nested(levels)).findings
      assert.deepStrictEqual(
        [fault?.code, fault?.found],
        ["LT0101", "lists and mappings more than 200 deep in each other"]
      )
      assert.include(fault?.fix, "Take levels out")
    }
  })

  it("refuses a document whose aliases would fill the memory", () => {
    const levels = Array.from({ length: 20 }, (_, level) =>
      level === 0 ? "a0: &a0 [x, x]" : `a${level}: &a${level} [*a${level - 1}, *a${level - 1}]`
    )
    assert.deepStrictEqual(codes(`${levels.join("\n")}\n`), ["LT0101:1"])
  })

  it("keeps what looks like a time or a base-60 number as text", () => {
    const [manifest] = parse(
      `${doc("a")}  creationTimestamp: 2026-01-01T00:00:00Z\nspec: {community: 22:22}\n`
    ).manifests
    assert.strictEqual(manifest?.object.creationTimestamp, "2026-01-01T00:00:00Z")
    assert.deepStrictEqual(manifest?.object.spec, { community: "22:22" })
  })

  it("leaves out what a cluster adds and nobody needs", () => {
    const [manifest] = parse(`${doc("a")}  managedFields: [{manager: kubectl}]\n  resourceVersion: "5"\n`).manifests
    assert.deepStrictEqual(manifest?.object, { apiVersion: "v1", kind: "Service", namespace: "", name: "a" })
  })

  it("finds the line of an object and of each field, in YAML, in a List and in JSON", () => {
    const yaml = `# first line\n${doc("a")}spec:\n  ports:\n    - port: 1\n    - port: 2\n`
    const list = `kind: List\napiVersion: v1\nitems:\n${`${doc("a")}spec:\n  ports:\n  - port: 1`.replace(/^/gm, "  ").replace("  ", "- ")}\n`
    const json = JSON.stringify(
      { apiVersion: "v1", kind: "Service", metadata: { name: "a" }, spec: { ports: [1] } },
      null,
      1
    )
    const line = (text: string, field: string) => parse(text).manifests[0]?.locate(field).line
    assert.deepStrictEqual(
      ["", "spec.ports[1].port", "spec.ports[7]", "metadata.annotations[metallb.io/x]"].map((field) =>
        line(yaml, field)
      ),
      [2, 9, 7, 4]
    )
    assert.deepStrictEqual(
      ["", "spec.ports[0].port"].map((field) => line(list, field)),
      [4, 10]
    )
    assert.deepStrictEqual(
      ["kind", "spec.ports[0]"].map((field) => line(json, field)),
      [3, 9]
    )
  })

  it.each([
    ["a text", "just words\n", "LT0102:1"],
    ["no apiVersion", "kind: Service\nmetadata: {name: a}\n", "LT0102:1"],
    ["no kind", "apiVersion: v1\nmetadata: {name: a}\n", "LT0102:1"],
    ["no metadata", "apiVersion: v1\nkind: Service\n", "LT0102:1"],
    ["a name that is a number", "apiVersion: v1\nkind: Service\nmetadata:\n  name: 5\n", "LT0102:4"],
    [
      "a name beyond 253 characters",
      `apiVersion: v1\nkind: Service\nmetadata:\n  name: ${"a".repeat(254)}\n`,
      "LT0102:4"
    ],
    [
      "a namespace beyond it",
      `apiVersion: v1\nkind: Service\nmetadata:\n  name: a\n  namespace: ${"b".repeat(254)}\n`,
      "LT0102:5"
    ],
    [
      "a uid with a control character",
      'apiVersion: v1\nkind: Service\nmetadata:\n  name: a\n  uid: "a\\0b"\n',
      "LT0102:5"
    ],
    [
      "a uid beyond 253 characters",
      `apiVersion: v1\nkind: Service\nmetadata:\n  name: a\n  uid: ${"u".repeat(6_000)}\n`,
      "LT0102:5"
    ],
    ["U+0000 anywhere", 'apiVersion: v1\nkind: Service\nmetadata: {name: a, labels: {app: "a\\0b"}}\n', "LT0102:1"],
    [
      "an object of a megabyte",
      `apiVersion: v1\nkind: Service\nmetadata: {name: a, labels: {app: ${"x".repeat(1024 ** 2)}}}\n`,
      "LT0144:1"
    ],
    ["a key twice", "apiVersion: v1\nkind: Service\nkind: Node\nmetadata: {name: a}\n", "LT0101:3"],
    ["a key twice in JSON", '{"apiVersion":"v1","kind":"Service",\n"metadata":{"name":"a","name":"b"}}', "LT0101:2"],
    ["an unknown alias", "apiVersion: v1\nkind: *nothing\n", "LT0101:2"],
    [
      "aliases of more than a text can hold",
      `a: &a ${"x".repeat(1024 ** 2)}\n${doc("a")}spec: [${"*a, ".repeat(600)}]\n`,
      "LT0144:1"
    ],
    [
      "them where a text should be",
      `a: &a ${"x".repeat(1024 ** 2)}\nkind: Service\napiVersion: [${"*a, ".repeat(600)}]\n`,
      "LT0144:1"
    ],
    ["what is not UTF-8", `${"# fine\n"}${doc("caf\uD800")}`, "LT0101:5"]
  ])("refuses %s", (_, text, expected) => {
    assert.deepStrictEqual([names(text), codes(text)], [[], [expected]])
  })

  it("says of a name that is too long what is wrong with it, and not that it is missing", () => {
    const { findings } = parseManifests(`apiVersion: v1\nkind: Service\nmetadata: {name: ${"a".repeat(254)}}\n`, {
      file: "all.yaml"
    })
    assert.deepStrictEqual(
      findings.map(({ expected, fix }) => [expected, fix]),
      [["at most 253 characters, and no control characters", "Correct metadata.name"]]
    )
  })

  it("never throws, whatever the bytes", () => {
    const text = `${doc("a")}---\napiVersion: metallb.io/v1beta2\nkind: BGPPeer\nmetadata: {name: p}\nspec: {myASN: 64496, peerASN: 64500, peerAddress: 10.1.0.1, nodeSelectors: [{matchExpressions: [{key: a, operator: In, values: [b]}]}]}\n`
    let seed = 1
    const random = (below: number) => {
      seed = (seed * 48_271) % 0x7fff_ffff
      return seed % below
    }
    const alphabet = "{}[]:,-#&*!|>'\"%@`\n\t aZ09~\0é"
    for (let round = 0; round < 500; round++) {
      let mutated = text
      for (let count = random(4) + 1; count > 0; count--) {
        const at = random(mutated.length)
        mutated = mutated.slice(0, at) + alphabet[random(alphabet.length)] + mutated.slice(at + random(6))
      }
      for (const { object, locate } of parse(mutated).manifests) decodeObject(object, locate)
    }
  })
})

describe("formatManifest", () => {
  it("is read back as it was", () => {
    const text = formatManifest({
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "a", namespace: "n" },
      status: { loadBalancer: { ingress: [{ ip: "2001:db8::1" }] } }
    })
    assert.deepStrictEqual(parse(text).manifests[0]?.object, {
      apiVersion: "v1",
      kind: "Service",
      namespace: "n",
      name: "a",
      status: { loadBalancer: { ingress: [{ ip: "2001:db8::1" }] } }
    })
  })
})
