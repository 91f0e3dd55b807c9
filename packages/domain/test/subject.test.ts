import { assert, describe, it } from "@effect/vitest"
import { messageKey, token, vipKey } from "../src/announcing/index.ts"

describe("one token of a subject", () => {
  it.each([
    ["east-1", "east-1"],
    ["node-1.east.example", "node-1_east_example"],
    ["a_b", "a~5f~b"],
    ["a~b", "a~7e~b"],
    ["shop/web front.yaml", "shop~2f~web~20~front_yaml"],
    ["*", "~2a~"],
    [">", "~3e~"],
    ["\u{1f30a}", "~1f30a~"],
    ["", "~"]
  ])("%j is %j", (name, expected) => assert.strictEqual(token(name), expected))

  const names = [
    ".",
    "_",
    "~",
    "~5f~",
    "~~",
    "a.b",
    "a_b",
    "a~b",
    "a~2e~b",
    "\ud83c",
    "\udf0a",
    "\ud83c\udf0a",
    "",
    "-"
  ]
  it("no two names share one, and NATS accepts each", () => {
    const tokens = names.map(token)
    assert.strictEqual(new Set(tokens).size, names.length, tokens.join(" "))
    for (const written of tokens) assert.match(written, /^[A-Za-z0-9_~-]+$/)
  })
})

describe("the key of a message", () => {
  it("names a VIP by its address, of either family", () => {
    assert.strictEqual(vipKey("192.0.2.1"), "adv.4-192-0-2-1")
    assert.strictEqual(messageKey({ _tag: "VipIntent", address: "2001:db8::1" }), vipKey("2001:DB8:0::1"))
  })

  it("names a node, a Service by its uid, and an object with or without a namespace", () => {
    assert.strictEqual(messageKey({ _tag: "NodeIntent", node: "node-1.east" }), "node.node-1_east")
    assert.strictEqual(messageKey({ _tag: "ServiceAnswer", uid: "uid-1" }), "svc.uid-1")
    const object = { kind: "BGPPeer", namespace: "metallb-system", name: "tor.a" }
    assert.strictEqual(messageKey({ _tag: "ObjectFindings", object }), "obj.BGPPeer.metallb-system.tor_a")
    const file = { kind: "File", namespace: "", name: "a.yaml" }
    assert.strictEqual(messageKey({ _tag: "ObjectFindings", object: file }), "obj.File.-.a_yaml")
  })
})
