import { generateKey, readSigningKey, seal } from "@lowtide/bus/envelope"
import { messageKey } from "@lowtide/domain/announcing/subject"
import { Result } from "effect"
import { assert, describe, it } from "vitest"
import { judgeMessage, readTrust, type Trust } from "../src/trust.ts"
import { clusterName, HandCentre, nodeIntent, peer, tombstone, vip, type Wanted } from "./hand-centre.ts"

const centre = new HandCentre()
const trust: Trust = Result.getOrThrow(
  readTrust({ cluster: clusterName, trustText: centre.trustText, allowedText: centre.allowedText() })
)

const judge = (key: string, envelope: string) => {
  const judged = judgeMessage(trust, key, envelope)
  return Result.isSuccess(judged) ? (judged.success.notAllowed?.code ?? "accepted") : judged.failure.code
}

const say = (wanted: Wanted, change: object = {}) => {
  const message = { ...centre.number(wanted), ...change }
  return judge(messageKey(message), centre.sealed(message))
}

const aggregate = (prefix: string) => {
  const wanted = vip("198.51.100.10")
  return { ...wanted, routes: [...wanted.routes, ...wanted.routes.map((route) => ({ ...route, prefix }))] }
}

describe("judgeMessage", () => {
  const rows: ReadonlyArray<readonly [string, () => string, string]> = [
    ["a VIP within the allowed prefixes", () => say(vip("198.51.100.10")), "accepted"],
    ["an IPv6 VIP within them", () => say(vip("2001:db8::10")), "accepted"],
    ["a node intent", () => say(nodeIntent([peer()])), "accepted"],
    ["an aggregate that is the allowed prefix", () => say(aggregate("198.51.100.0/24")), "accepted"],
    ["an aggregate wider than the allowed prefix", () => say(aggregate("198.51.0.0/16")), "LT0402"],
    ["a VIP outside of them", () => say(vip("203.0.113.1")), "LT0402"],
    ["a route of another VIP outside of them", () => say(aggregate("203.0.113.0/24")), "LT0402"],
    ["a route that is no prefix", () => say(aggregate("198.51.100.1/24")), "LT0404"],
    ["a tombstone outside of them, which announces nothing", () => say(tombstone("203.0.113.1")), "accepted"],
    ["another cluster", () => say(vip("198.51.100.10"), { cluster: "west" }), "LT0404"],
    [
      "an address that is none",
      () => judge("adv.x", centre.sealed({ ...centre.number(vip("198.51.100.10")), address: "x" })),
      "LT0404"
    ],
    [
      "a message under another's key",
      () => judge("adv.4-198-51-100-99", centre.say(vip("198.51.100.10")).envelope),
      "LT0404"
    ],
    [
      "a VIP in a state that nobody knows",
      () => judge("adv.4-198-51-100-10", centre.sealed({ ...centre.number(vip("198.51.100.10")), state: "resting" })),
      "LT0404"
    ],
    [
      "a VIP with more than this release knows",
      () => judge("adv.4-198-51-100-10", centre.sealed({ ...centre.number(vip("198.51.100.10")), weight: 3 })),
      "accepted"
    ],
    ["a payload that is no message", () => judge("adv.4-198-51-100-10", centre.sealed({ hello: 1 })), "LT0404"],
    [
      "a key that nobody trusts",
      () => judge("adv.4-198-51-100-10", new HandCentre().say(vip("198.51.100.10")).envelope),
      "LT0401"
    ],
    [
      "the install key, which signs no intents",
      () => judge("head", seal(readSigningKey("install", centre.installPair.privatePem), "{}")),
      "LT0401"
    ],
    ["no envelope", () => judge("head", "{}"), "LT0401"],
    [
      "an envelope whose payload was changed",
      () => {
        const { key, envelope } = centre.say(vip("198.51.100.10"))
        return judge(key, envelope.replace("198.51.100.10", "198.51.100.11"))
      },
      "LT0401"
    ]
  ]
  for (const [title, found, expected] of rows) it(`${expected}: ${title}`, () => assert.strictEqual(found(), expected))
})

describe("readTrust", () => {
  const read = (change: { readonly trustText?: string; readonly allowedText?: string; readonly cluster?: string }) => {
    const files = { cluster: clusterName, trustText: centre.trustText, allowedText: centre.allowedText(), ...change }
    const found = readTrust(files)
    return Result.isSuccess(found) ? "" : found.failure.join("\n")
  }
  it("takes what the install made", () => assert.strictEqual(read({}), ""))
  it("refuses prefixes that the install key did not sign", () => {
    const other = readSigningKey("install", generateKey().privatePem)
    const text = seal(other, JSON.stringify({ cluster: clusterName, prefixes: ["198.51.100.0/24"] }))
    assert.include(read({ allowedText: text }), "signature by the install key")
    assert.include(
      read({ allowedText: seal(centre.key, `{"cluster":"${clusterName}","prefixes":[]}`) }),
      "signature by the install key"
    )
  })
  it("refuses the files of another cluster, and says both faults", () => {
    const found = read({ cluster: "west" })
    assert.include(found, "trust file: expected cluster west")
    assert.include(found, "allowed prefixes: expected those of cluster west")
  })
  it("refuses a prefix with host bits, a key that is none, a file that is none", () => {
    assert.include(read({ allowedText: centre.allowedText(["198.51.100.1/24"]) }), "without host bits")
    assert.include(read({ trustText: JSON.stringify({ ...JSON.parse(centre.trustText), installKey: "x" }) }), "PEM")
    assert.include(read({ trustText: "x" }), "trust file: expected {cluster, intentKeys, installKey}")
    assert.include(read({ allowedText: "x" }), "expected an envelope")
  })
})
