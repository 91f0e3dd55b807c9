import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { NodePeer } from "@lowtide/domain/announcing/intent"
import { readManifestFile } from "@lowtide/kube/manifest-file"
import { Result } from "effect"
import { afterEach, assert, describe, it } from "vitest"
import { Passwords } from "../src/passwords.ts"
import { restartingChanges, wantedPeers } from "../src/peer-options.ts"
import { HandCentre, nodeIntent, peer } from "./hand-centre.ts"
import { nothingFound } from "./played.ts"

const folder = mkdtempSync(join(tmpdir(), "lowtide-secrets-"))
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const write = (text: string) => {
  mkdirSync(join(folder, "shop/tor"), { recursive: true })
  writeFileSync(join(folder, "shop/tor/password"), text)
}
const inSecret: NodePeer = peer({ password: { from: "secret", namespace: "shop", name: "tor" } })
const inPeer: NodePeer = peer({ password: { from: "peer" } })
const text = (found: Result.Result<Uint8Array, string>) => new TextDecoder().decode(Result.getOrThrow(found))
const why = (found: Result.Result<Uint8Array, string>) => Result.getOrThrow(Result.flip(found))

describe("passwords", () => {
  it("of a Secret are read anew each time, without the end of the line", () => {
    const lookup = new Passwords(folder).of(inSecret)!
    assert.match(why(lookup()), /expected that of Secret shop\/tor in .*shop\/tor\/password, found ENOENT$/)
    write("spring tide")
    assert.strictEqual(text(lookup()), "spring tide")
    write("neap tide\n")
    assert.strictEqual(text(lookup()), "neap tide")
  })

  it("are never empty, and not too long", () => {
    const lookup = new Passwords(folder).of(inSecret)!
    write("\n")
    assert.match(why(lookup()), /cannot be one: expected 1 to 80 octets, found 0$/)
    write("x".repeat(81))
    assert.match(why(lookup()), /found 81$/)
  })

  it("of a Secret are not looked for where no folder is named", () => {
    assert.match(why(new Passwords(undefined).of(inSecret)!()), /Secret shop\/tor, and LOWTIDE_SECRETS_DIR is not set/)
  })

  it("of a BGPPeer come from the node's own manifests, and go with them", () => {
    const passwords = new Passwords(undefined)
    const lookup = passwords.of(inPeer)!
    assert.match(why(lookup()), /expected spec.password of BGPPeer router among the manifests/)
    const manifest = `apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {name: router}
spec: {myASN: 64496, peerASN: 64511, peerAddress: 192.0.2.1, password: spring tide}`
    const objects = [...readManifestFile(manifest, "peers.yaml").objects.values()]
    const observed = objects.map(({ key, observed }) => [key, observed!] as const)
    assert.notInclude(JSON.stringify(observed), "spring tide", "what may be sent has none")
    passwords.take({ objects: new Map(observed) })
    assert.strictEqual(text(lookup()), "spring tide")
    passwords.take({ objects: new Map() })
    assert.isTrue(Result.isFailure(lookup()))
  })

  it("restart a session when one is asked for or no longer, and not when it changes", () => {
    const passwords = new Passwords(folder)
    const options = (change: Partial<NodePeer>) => {
      const intent = new HandCentre().number(nodeIntent([peer(change)]))
      assert.strictEqual(intent._tag, "NodeIntent")
      if (intent._tag !== "NodeIntent") throw new Error("unreachable")
      return wantedPeers({ cluster: "east", node: "east-1" }, intent, {
        ...nothingFound,
        passwordOf: (of) => passwords.of(of)
      }).get("router")!
    }
    const [none, secret, other] = [options({}), options(inSecret), options({ password: { from: "peer" } })]
    assert.deepStrictEqual(restartingChanges(none, secret), ["password from none to set"])
    assert.deepStrictEqual(restartingChanges(secret, none), ["password from set to none"])
    assert.deepStrictEqual(restartingChanges(secret, other), [])
    assert.deepStrictEqual(restartingChanges(none, options({})), [])
  })
})
