import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Queue, Stream } from "effect"
import { type ClusterChange, folderSource, isComplete } from "../src/index.ts"

/** Longest that a test waits for a change, in milliseconds. */
const deadlineMs = 4000

interface Watched {
  readonly root: string
  /** Writes a file of the folder, by name. */
  readonly write: (name: string, text: string) => void
  /** The next change, or a failure at the deadline. */
  readonly next: Effect.Effect<ClusterChange>
  /** Takes changes until one satisfies the condition; answers all of them. */
  readonly until: (condition: (change: ClusterChange) => boolean) => Effect.Effect<ReadonlyArray<ClusterChange>>
}

const service = (name: string, port = 80): string =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}, namespace: shop}\nspec:\n  type: LoadBalancer\n  ports:\n  - port: ${port}\n`

/** Runs a test on a folder with these files; the stream starts after they are written. */
const watching = (
  files: Readonly<Record<string, string>>,
  test: (watched: Watched) => Effect.Effect<void>,
  options: { readonly rescanMs?: number } = {}
) =>
  Effect.gen(function* () {
    const base = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "lowtide-folder-"))),
      (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
    )
    const root = join(base, "cluster")
    mkdirSync(root)
    const write = (name: string, text: string) => {
      mkdirSync(dirname(join(root, name)), { recursive: true })
      writeFileSync(join(root, name), text)
    }
    for (const [name, text] of Object.entries(files)) write(name, text)
    const queue = yield* Queue.unbounded<ClusterChange>()
    yield* folderSource(root, options).pipe(
      Stream.runForEach((change) => Queue.offer(queue, change)),
      Effect.forkScoped
    )
    const next = Queue.take(queue).pipe(Effect.timeout(deadlineMs), Effect.orDie)
    const until = (condition: (change: ClusterChange) => boolean) =>
      Effect.gen(function* () {
        const changes: Array<ClusterChange> = []
        for (;;) {
          const change = yield* next
          changes.push(change)
          if (condition(change)) return changes
        }
      })
    yield* test({ root, write, next, until })
  }).pipe(Effect.scoped)

const putNames = (change: ClusterChange) => change.put.map((object) => object.ref.name).sort()
const deletedNames = (change: ClusterChange) => change.deleted.map((object) => object.ref.name).sort()
const codesOf = (change: ClusterChange) => change.findings.map((finding) => finding.code).sort()
const portOf = (change: ClusterChange, name: string) => {
  const object = change.objects.get(`Service/shop/${name}`)?.object
  return object?._tag === "Service" ? object.value.ports[0]?.port : undefined
}

describe("folderSource", () => {
  it.live("answers everything first, from all folders, without hidden files and editors' files", () =>
    watching(
      {
        "a.yaml": `${service("one")}---\n${service("two")}`,
        "deep/er/b.yml": service("three"),
        "c.json": JSON.stringify({ apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } }),
        ".hidden.yaml": service("hidden"),
        ".git/x.yaml": service("git"),
        "a.yaml~": service("backup"),
        "#a.yaml": service("emacs"),
        "note.txt": "not: [a manifest"
      },
      ({ next }) =>
        Effect.gen(function* () {
          const first = yield* next
          assert.deepStrictEqual(putNames(first), ["one", "shop", "three", "two"])
          assert.deepStrictEqual([...first.objects.keys()].sort(), [
            "Namespace//shop",
            "Service/shop/one",
            "Service/shop/three",
            "Service/shop/two"
          ])
          assert.isTrue(isComplete(first))
          assert.deepStrictEqual(first.findings, [])
        })
    )
  )

  it.live("tells an edit in place, and nothing of what did not change", () =>
    watching({ "a.yaml": `${service("one")}---\n${service("two")}`, "b.yaml": service("three") }, ({ next, write }) =>
      Effect.gen(function* () {
        yield* next
        const writtenAtMs = Date.now()
        write("a.yaml", `${service("one", 8080)}---\n${service("two")}`)
        const change = yield* next
        assert.deepStrictEqual(putNames(change), ["one"])
        assert.deepStrictEqual(deletedNames(change), [])
        assert.strictEqual(portOf(change, "one"), 8080)
        assert.strictEqual(change.objects.size, 3)
        assert.isAtLeast(change.changedAtMs, writtenAtMs - 20)
        assert.isAtLeast(change.readAtMs, writtenAtMs)
      })
    )
  )

  it.live("tells a file renamed over another as one change", () =>
    watching({ "a.yaml": service("one") }, ({ root, next }) =>
      Effect.gen(function* () {
        yield* next
        writeFileSync(join(root, ".a.yaml.new"), service("one", 81))
        renameSync(join(root, ".a.yaml.new"), join(root, "a.yaml"))
        const change = yield* next
        assert.deepStrictEqual([putNames(change), deletedNames(change)], [["one"], []])
        assert.strictEqual(portOf(change, "one"), 81)
      })
    )
  )

  it.live("takes a deleted file, and an object gone from a file that parses, as deletions", () =>
    watching(
      { "a.yaml": service("one"), "b.yaml": `${service("two")}---\n${service("three")}` },
      ({ root, next, write }) =>
        Effect.gen(function* () {
          yield* next
          unlinkSync(join(root, "a.yaml"))
          assert.deepStrictEqual(deletedNames(yield* untilDeleted(next)), ["one"])
          write("b.yaml", service("two"))
          const change = yield* untilDeleted(next)
          assert.deepStrictEqual(deletedNames(change), ["three"])
          assert.isTrue(change && isComplete(change))
          unlinkSync(join(root, "b.yaml"))
          assert.deepStrictEqual(deletedNames(yield* untilDeleted(next)), ["two"], "the last file may be deleted too")
        })
    )
  )

  it.live("never takes the moment between truncating and writing for a deletion", () =>
    watching(
      { "a.yaml": `${service("one")}---\n${service("two")}`, "b.yaml": service("three") },
      ({ root, until, next }) =>
        Effect.gen(function* () {
          yield* next
          truncateSync(join(root, "a.yaml"), 0)
          yield* Effect.sleep(6)
          appendFileSync(join(root, "a.yaml"), service("one", 8080).slice(0, 60))
          yield* Effect.sleep(6)
          appendFileSync(join(root, "a.yaml"), `${service("one", 8080).slice(60)}---\n${service("two")}`)
          const changes = yield* until((change) => isComplete(change) && portOf(change, "one") === 8080)
          assert.deepStrictEqual(changes.flatMap(deletedNames), [])
          assert.isTrue(changes.every((change) => change.objects.size === 3))
          assert.deepStrictEqual(changes.flatMap(codesOf), [])
        })
    )
  )

  it.live("never takes a file deleted and written again for a deletion", () =>
    watching({ "a.yaml": service("one"), "b.yaml": service("two") }, ({ root, until, next, write }) =>
      Effect.gen(function* () {
        yield* next
        unlinkSync(join(root, "a.yaml"))
        yield* Effect.sleep(6)
        write("a.yaml", service("one", 8080))
        const changes = yield* until((change) => isComplete(change) && portOf(change, "one") === 8080)
        assert.deepStrictEqual(changes.flatMap(deletedNames), [])
      })
    )
  )

  it.live("keeps the objects of a file that stays empty or broken, says so, and recovers", () =>
    watching({ "a.yaml": `${service("one")}---\n${service("two")}` }, ({ until, next, write }) =>
      Effect.gen(function* () {
        yield* next
        write("a.yaml", "")
        const empty = (yield* until((change) => codesOf(change).includes("LT0137"))).at(-1)
        assert.strictEqual(empty?.objects.size, 2)
        assert.isFalse(empty && isComplete(empty))
        write("a.yaml", `${service("one", 8080)}---\nkind: "Service\n`)
        const broken = (yield* until((change) => codesOf(change).includes("LT0101"))).at(-1)
        assert.strictEqual(broken?.objects.size, 2, "two may be in the document that does not parse")
        assert.strictEqual(broken === undefined ? 0 : portOf(broken, "one"), 8080)
        assert.strictEqual(broken?.findings[0]?.source?.line, 9)
        write("a.yaml", service("one", 8080))
        const good = (yield* until((change) => isComplete(change))).at(-1)
        assert.deepStrictEqual(
          good?.deleted.map((object) => object.key),
          ["Service/shop/two"]
        )
        assert.deepStrictEqual(good?.findings, [])
      })
    )
  )

  it.live("keeps the last good version of an object that has errors now", () =>
    watching({ "a.yaml": service("one") }, ({ until, next, write }) =>
      Effect.gen(function* () {
        yield* next
        write("a.yaml", service("one", 123_456))
        const change = (yield* until((found) => found.findings.length > 0)).at(-1)
        assert.deepStrictEqual(change === undefined ? [] : codesOf(change), ["LT0108", "LT0139"])
        assert.strictEqual(change === undefined ? 0 : portOf(change, "one"), 80)
        assert.deepStrictEqual(change?.deleted, [])
        assert.isTrue(change && isComplete(change))
      })
    )
  )

  it.live("names an object that never was good among the refused, so that nobody takes it for gone", () =>
    watching({ "a.yaml": `${service("one", 0)}---\n${service("two")}` }, ({ next }) =>
      Effect.gen(function* () {
        const first = yield* next
        assert.deepStrictEqual(first.refused, [{ kind: "Service", namespace: "shop", name: "one" }])
        assert.deepStrictEqual(codesOf(first), ["LT0108"])
        assert.deepStrictEqual(putNames(first), ["two"])
      })
    )
  )

  it.live("says that it is incomplete when a file cannot be told at the start", () =>
    watching({ "a.yaml": service("one"), "b.yaml": "{[" }, ({ next }) =>
      Effect.gen(function* () {
        const first = yield* next
        assert.isFalse(isComplete(first))
        assert.deepStrictEqual(putNames(first), ["one"])
        assert.deepStrictEqual(codesOf(first), ["LT0101"])
      })
    )
  )

  it.live("keeps everything when the folder vanishes, and goes on when it is back", () =>
    watching(
      { "a.yaml": service("one"), "sub/b.yaml": service("two") },
      ({ root, until, next }) =>
        Effect.gen(function* () {
          yield* next
          renameSync(root, `${root}.away`)
          const lost = (yield* until((change) => codesOf(change).includes("LT0138"))).at(-1)
          assert.strictEqual(lost?.objects.size, 2)
          assert.isFalse(lost && isComplete(lost))
          mkdirSync(root) // an empty mount point in its place is no better
          yield* Effect.sleep(250)
          rmSync(root, { recursive: true })
          writeFileSync(join(`${root}.away`, "a.yaml"), service("one", 8080))
          renameSync(`${root}.away`, root)
          const back = (yield* until((change) => isComplete(change))).at(-1)
          assert.deepStrictEqual([putNames(back as ClusterChange), back?.deleted, back?.findings], [["one"], [], []])
          writeFileSync(join(root, "sub/b.yaml"), service("two", 8080))
          const edited = yield* next
          assert.deepStrictEqual(putNames(edited), ["two"], "folders are watched again")
        }),
      { rescanMs: 100 }
    )
  )

  it.live("deletes nothing when the whole folder is removed at once", () =>
    watching(
      Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`s${index}.yaml`, service(`s${index}`)])),
      ({ root, until, next }) =>
        Effect.gen(function* () {
          yield* next
          rmSync(root, { recursive: true })
          const lost = yield* until((change) => codesOf(change).includes("LT0138"))
          assert.deepStrictEqual(lost.flatMap(deletedNames), [])
          assert.strictEqual(lost.at(-1)?.objects.size, 20)
        }),
      { rescanMs: 100 }
    )
  )

  it.live("tells a burst in few changes and loses none of it", () =>
    watching({ "a.yaml": service("one") }, ({ write, until, next }) =>
      Effect.gen(function* () {
        yield* next
        for (let index = 0; index < 100; index++) write(`burst-${index}.yaml`, service(`burst-${index}`))
        const changes = yield* until((change) => change.objects.size === 101)
        assert.isBelow(changes.length, 50)
        assert.strictEqual(changes.flatMap(putNames).length, 100)
      })
    )
  )

  it.live("sees what is written into folders made meanwhile", () =>
    watching({ "a.yaml": service("one") }, ({ write, until, next }) =>
      Effect.gen(function* () {
        yield* next
        write("new/folder/b.yaml", service("two"))
        yield* until((change) => change.objects.size === 2)
        write("new/folder/b.yaml", service("two", 8080))
        const change = yield* next
        assert.strictEqual(portOf(change, "two"), 8080)
      })
    )
  )

  it.live("moves an object between files without a deletion", () =>
    watching(
      { "a.yaml": `${service("one")}---\n${service("two")}`, "b.yaml": service("three") },
      ({ write, until, next }) =>
        Effect.gen(function* () {
          yield* next
          write("a.yaml", service("one"))
          write("b.yaml", `${service("three")}---\n${service("two")}---\n${service("four")}`)
          const changes = yield* until((change) => isComplete(change) && change.objects.size === 4)
          assert.deepStrictEqual(changes.flatMap(deletedNames), [])
          assert.deepStrictEqual(changes.at(-1)?.findings, [])
        })
    )
  )

  it.live("has the first file's version of an object in effect and names the other", () =>
    watching({ "a.yaml": service("one", 81), "b.yaml": service("one", 82) }, ({ root, next }) =>
      Effect.gen(function* () {
        const first = yield* next
        assert.strictEqual(portOf(first, "one"), 81)
        assert.deepStrictEqual(
          first.findings.map(({ code, found }) => [code, found]),
          [["LT0122", "another in b.yaml; the one in a.yaml is in effect"]]
        )
        unlinkSync(join(root, "a.yaml"))
        const change = yield* next.pipe(Effect.repeat({ until: (found) => found.put.length > 0 }))
        assert.strictEqual(portOf(change, "one"), 82)
        assert.deepStrictEqual([change.deleted, change.findings], [[], []])
      })
    )
  )

  it.live("follows a volume that is swapped by a link, as Kubernetes mounts a ConfigMap", () =>
    watching({}, ({ root, until, next }) =>
      Effect.gen(function* () {
        for (const [version, port] of [
          ["v1", 80],
          ["v2", 81]
        ] as const) {
          mkdirSync(join(root, `..${version}`))
          writeFileSync(join(root, `..${version}`, "a.yaml"), service("one", port))
        }
        symlinkSync("..v1", join(root, "..data"))
        symlinkSync("..data/a.yaml", join(root, "a.yaml"))
        yield* until((change) => portOf(change, "one") === 80)
        symlinkSync("..v2", join(root, "..tmp"))
        renameSync(join(root, "..tmp"), join(root, "..data"))
        const change = yield* next
        assert.deepStrictEqual([portOf(change, "one"), change.deleted], [81, []])
      })
    )
  )

  it.live("replaces a peer's password by its hash before anyone sees it", () =>
    watching(
      {
        "a.yaml":
          "apiVersion: metallb.io/v1beta2\nkind: BGPPeer\nmetadata: {name: p}\nspec: {myASN: 64496, peerASN: 64500, peerAddress: 10.1.0.1, password: hunter2}\n"
      },
      ({ next }) =>
        Effect.gen(function* () {
          const first = yield* next
          const { raw } = [...first.objects.values()][0] ?? {}
          assert.include(JSON.stringify(raw?.spec), '"password":"sha256:')
          assert.notInclude(JSON.stringify([first, [...first.objects]]), "hunter2")
        })
    )
  )
})

const untilDeleted = (next: Effect.Effect<ClusterChange>) =>
  next.pipe(Effect.repeat({ until: (change) => change.deleted.length > 0 }))
