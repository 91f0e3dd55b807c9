import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { isComplete } from "../src/cluster-source.ts"
import { settleMs } from "../src/file-state.ts"
import { Folder } from "../src/folder.ts"
import { redactSecrets } from "../src/redact.ts"

const service = (name: string) =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}, namespace: shop}\nspec: {}\n`

describe("Folder, looked at by the test's own clock", () => {
  let base = ""
  let root = ""
  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), "lowtide-folder-"))
    root = join(base, "cluster")
    mkdirSync(root)
    writeFileSync(join(root, "a.yaml"), service("one"))
    writeFileSync(join(root, "b.yaml"), service("two"))
  })
  afterEach(() => rmSync(base, { recursive: true, force: true }))

  const files = () => new Set([join(root, "a.yaml"), join(root, "b.yaml")])

  it("answers nothing when nothing changed", () => {
    const folder = new Folder(root)
    assert.strictEqual(folder.look("all", 0)?.put.length, 2)
    assert.isUndefined(folder.look("all", 1))
    assert.isUndefined(folder.look(files(), 2))
  })

  it("reads each file once where a link leads back to a folder that it stands in", () => {
    mkdirSync(join(root, "x"))
    symlinkSync("..", join(root, "x", "up"))
    symlinkSync(".", join(root, "here"))
    const change = new Folder(root).look("all", 0)
    assert.deepStrictEqual([change?.objects.size, change?.findings], [2, []])
  })

  it("is complete with a file that holds U+FFFD, and not with one that is not UTF-8", () => {
    writeFileSync(join(root, "a.yaml"), `# \uFFFD\n${service("one")}`)
    const change = new Folder(root).look("all", 0)
    assert.deepStrictEqual([change?.findings, change && isComplete(change)], [[], true])
    const octets = Buffer.from(service("one").replace("shop", "\uFFFD"))
    octets[octets.indexOf(0xbf)] = 0x20
    writeFileSync(join(root, "a.yaml"), octets)
    const folder = new Folder(root)
    folder.look("all", 0)
    const settled = folder.look("all", settleMs)
    assert.deepStrictEqual(
      [settled?.findings.map(({ found }) => found), settled && isComplete(settled)],
      [["octets that are not UTF-8"], false]
    )
  })

  it("believes a deletion after the settling time, and not a moment before", () => {
    const folder = new Folder(root)
    folder.look("all", 0)
    unlinkSync(join(root, "a.yaml"))
    const doubted = folder.look(files(), 100)
    assert.deepStrictEqual(
      [doubted?.deleted, doubted && isComplete(doubted), folder.nextLookMs],
      [[], false, 100 + settleMs]
    )
    assert.isUndefined(folder.look(new Set(), 100 + settleMs - 1))
    const believed = folder.look(new Set(), 100 + settleMs)
    assert.deepStrictEqual(
      [believed?.deleted.map(({ key }) => key), believed && isComplete(believed)],
      [["Service/shop/one"], true]
    )
    assert.isUndefined(folder.nextLookMs)
  })

  it("doubts a file that has lost an object, which is how a long write looks half-way", () => {
    writeFileSync(join(root, "a.yaml"), `${service("one")}---\n${service("three")}`)
    const folder = new Folder(root)
    folder.look("all", 0)
    writeFileSync(join(root, "a.yaml"), service("one"))
    assert.deepStrictEqual(folder.look(files(), 100)?.deleted, [])
    writeFileSync(join(root, "a.yaml"), `${service("one")}---\n${service("three")}`)
    const whole = folder.look(files(), 100 + settleMs)
    assert.deepStrictEqual([whole?.deleted, whole?.objects.size, whole && isComplete(whole)], [[], 3, true])
  })

  it("doubts a last line without an end, which may be half a number", () => {
    const folder = new Folder(root)
    folder.look("all", 0)
    const port = (text: string) => `${service("one").replace("{}", "")}  ports:\n  - port: ${text}`
    writeFileSync(join(root, "a.yaml"), port("80"))
    assert.deepStrictEqual(folder.look(files(), 100)?.put, [])
    writeFileSync(join(root, "a.yaml"), port("8080\n"))
    const { object } = folder.look(files(), 110)?.put[0] ?? {}
    assert.strictEqual(object?._tag === "Service" ? object.value.ports[0]?.port : 0, 8080)
    writeFileSync(join(root, "a.yaml"), port("81"))
    folder.look(files(), 200)
    assert.strictEqual(folder.look(new Set(), 200 + settleMs)?.put.length, 1, "some files just have no end of line")
  })

  it("believes no deletion when the folder itself is gone by then, though no walk has told", () => {
    const folder = new Folder(root)
    folder.look("all", 0)
    unlinkSync(join(root, "a.yaml"))
    folder.look(files(), 100)
    rmSync(root, { recursive: true })
    const lost = folder.look(files(), 100 + settleMs)
    assert.deepStrictEqual(
      [lost?.deleted, lost?.objects.size, lost?.findings.map(({ code }) => code)],
      [[], 2, ["LT0138"]]
    )
    assert.isUndefined(folder.nextLookMs, "nothing to hurry for")
  })

  it("believes no deletion when an empty folder stands in its place, as under a mount that is missing", () => {
    const folder = new Folder(root)
    folder.look("all", 0)
    renameSync(root, `${root}.away`) // kept, so that its inode is not given to the new one
    mkdirSync(root)
    const lost = folder.look("all", 100)
    assert.deepStrictEqual([lost?.deleted, lost?.objects.size, lost && isComplete(lost)], [[], 2, false])
    assert.isUndefined(folder.look("all", 100 + settleMs), "nor later")
  })
})

describe("redactSecrets", () => {
  const peer = (password: unknown) => ({
    apiVersion: "metallb.io/v1beta2",
    kind: "BGPPeer",
    namespace: "",
    name: "p",
    spec: { myASN: 64496, password }
  })

  it("replaces a password by its hash, which changes with it", () => {
    const spec = (password: unknown) => redactSecrets(peer(password)).spec
    assert.deepStrictEqual(spec("hunter2"), {
      myASN: 64496,
      password: "sha256:f52fbd32b2b3b86ff88ef6c490628285f482af15ddcb29541f94bcf526a3f6c7"
    })
    assert.notDeepEqual(spec("hunter2"), spec("hunter3"))
  })

  it("leaves alone what has none", () => {
    assert.deepStrictEqual(redactSecrets(peer("")), peer(""))
    assert.deepStrictEqual(redactSecrets({ ...peer("x"), kind: "Service" }), { ...peer("x"), kind: "Service" })
  })
})
