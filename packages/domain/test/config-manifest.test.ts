import { assert, describe, it } from "vitest"
import { decodeObject, formatManifest, parseManifests } from "../src/config/index.ts"

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
    const { manifests, findings } = parse(octets.toString("utf8"))
    assert.deepStrictEqual(
      [manifests.map(({ object }) => object.name), findings.map(({ found, source }) => `${source?.line} ${found}`)],
      [["a", "c"], ["10 octets that are not UTF-8"]]
    )
    const [utf16] = parse(Buffer.from(`\uFEFF${doc("a")}`, "utf16le").toString("utf8")).findings
    assert.deepStrictEqual([utf16?.code, utf16?.found], ["LT0101", "UTF-16"])
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
    ["what is not UTF-8", `${"# fine\n"}${doc("caf\uFFFD")}`, "LT0101:5"]
  ])("refuses %s", (_, text, expected) => {
    assert.deepStrictEqual([names(text), codes(text)], [[], [expected]])
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
