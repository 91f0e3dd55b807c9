import { existsSync, mkdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { isCurrent } from "../setup/node-modules.mjs"
import { decide, missingFor } from "../setup/programs.mjs"
import { withoutServiceStarts } from "../setup/service-starts.mjs"
import { plantTree, runScript } from "./planted-tree.ts"

const has = (...installed: ReadonlyArray<string>) => ({ has: (program: string) => installed.includes(program) })

describe("the programs that a part needs", () => {
  it("are for the check what Node itself does not start without", () => {
    assert.deepStrictEqual(missingFor("check", { isRoot: true, ...has() }), ["libatomic.so.1"])
    const decision = decide({ what: "check", missing: ["libatomic.so.1"], isRoot: true, hasApt: true })
    assert.deepInclude(decision, { action: "install", packages: ["libatomic1"] })
  })

  it("are those of the benchmarks for tests, OpenBGPD, promtool and what makes a standby", () => {
    const missing = (what: string) => missingFor(what, { isRoot: true, ...has() })
    assert.sameMembers([...missing("test")], [...missing("bench"), "bgpctl", "promtool", "pg_basebackup"])
  })

  it("are routers for the demo only as root, where it can make namespaces", () => {
    assert.deepStrictEqual(missingFor("demo", { isRoot: false, ...has("libatomic.so.1", "setpriv", "openssl") }), [
      "nats-server"
    ])
    const some = has("libatomic.so.1", "setpriv", "openssl", "nats-server", "ip")
    assert.deepStrictEqual(missingFor("demo", { isRoot: true, ...some }), ["bird", "zebra"])
  })

  it("are installed by root with apt, each package once", () => {
    const missing = ["zebra", "birdc", "bird"]
    const decision = decide({ what: "demo", missing, isRoot: true, hasApt: true })
    assert.deepInclude(decision, { action: "install", packages: ["bird2", "frr"] })
  })

  it("are named in a line to run where they cannot be installed; only the tests then go on, and only without root", () => {
    const line = "apt-get install --no-install-recommends nats-server"
    const missing = ["nats-server"]
    const told = (what: string, isRoot: boolean) => decide({ what, missing, isRoot, hasApt: !isRoot })
    assert.deepStrictEqual(told("demo", false), { action: "tell", line: `sudo ${line}`, goOn: false })
    assert.deepStrictEqual(told("demo", true), { action: "tell", line, goOn: false })
    assert.deepStrictEqual(told("test", false), { action: "tell", line: `sudo ${line}`, goOn: true })
    assert.deepStrictEqual(told("test", true), { action: "tell", line, goOn: false })
    assert.deepStrictEqual(decide({ what: "test", missing: [], isRoot: false, hasApt: false }), { action: "nothing" })
  })
})

describe("during an install", () => {
  it("policy-rc.d forbids service starts, and is gone afterwards, also when the install throws", () => {
    const file = join(plantTree({}), "policy-rc.d")
    const during = withoutServiceStarts(
      () => readFileSync(file, "utf8") + (statSync(file).mode & 0o777).toString(8),
      file
    )
    assert.match(during, /^#!\/bin\/sh\n#.*\nexit 101\n755$/)
    assert.isFalse(existsSync(file))
    assert.throws(
      () =>
        withoutServiceStarts(() => {
          throw new Error("apt")
        }, file),
      "apt"
    )
    assert.isFalse(existsSync(file))
  })

  it("a policy-rc.d that was there is put back, but not the one of a setup that was killed", () => {
    const root = plantTree({ "policy-rc.d": "#!/bin/sh\nexit 0\n" })
    const file = join(root, "policy-rc.d")
    const during = withoutServiceStarts(() => readFileSync(file, "utf8"), file)
    assert.strictEqual(readFileSync(file, "utf8"), "#!/bin/sh\nexit 0\n")
    writeFileSync(file, during)
    withoutServiceStarts(() => undefined, file)
    assert.isFalse(existsSync(file))
  })
})

describe("node_modules", () => {
  const lock = (version: string) => ({
    "": {},
    "node_modules/a": { version, integrity: "sha512-a" },
    "node_modules/other-platform": { version: "1.0.0", optional: true }
  })
  const { "": _root, "node_modules/other-platform": _other, ...installed } = lock("1.0.0")

  /** A clone with a lockfile that is newer than what was installed. */
  const clone = (packages: object) => {
    const root = plantTree({ "package-lock.json": JSON.stringify({ packages: lock("1.0.0") }) })
    mkdirSync(join(root, "node_modules"))
    const record = join(root, "node_modules/.package-lock.json")
    writeFileSync(record, JSON.stringify({ packages }))
    utimesSync(record, 1, 1)
    return { root, record }
  }

  it("is current when what was installed is what the lockfile says, whatever the dates", () => {
    const { root, record } = clone(installed)
    assert.isTrue(isCurrent(root))
    assert.isAbove(statSync(record).mtimeMs, 1000)
  })

  it("is not current with another version, with a package too few or too many, or when it is missing", () => {
    const { "node_modules/a": a } = installed
    assert.isFalse(isCurrent(clone({ "node_modules/a": { ...a, version: "0.9.0" } }).root))
    assert.isFalse(isCurrent(clone({}).root))
    assert.isFalse(isCurrent(clone({ ...installed, "node_modules/b": a }).root))
    assert.isFalse(isCurrent(plantTree({ "package-lock.json": JSON.stringify({ packages: lock("1.0.0") }) })))
  })
})

describe("the script", () => {
  it("writes nothing to stdout, and refuses a part that it does not know", () => {
    assert.deepInclude(runScript("setup.mjs", ["check"]), { status: 0, stdout: "" })
    assert.deepInclude(runScript("setup.mjs", ["everything"]), { status: 2, stdout: "" })
  })
})
