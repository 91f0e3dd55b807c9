import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { Withheld, withheldFiles } from "../src/withheld.ts"

const now = "2026-11-23T14:05:00.000Z"
const order = (prefix: string | null, reason = "hijacked") => ({ prefix, reason, actor: "local:ada", since: now })

describe("Withheld", () => {
  let folder = ""
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "lowtide-withheld-"))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))
  const open = () => new Withheld(withheldFiles(folder), now)

  it("holds every route in a prefix, of an address that alone, and nothing else", () => {
    const withheld = open()
    withheld.add(order("198.51.100.0/28"))
    withheld.add(order("2001:db8::1"))
    const held = ["198.51.100.1/32", "198.51.100.0/28", "198.51.100.0/24", "198.51.100.16/32", "2001:db8::1/128"]
    assert.deepStrictEqual(
      held.filter((prefix) => withheld.holds(prefix)),
      ["198.51.100.1/32", "198.51.100.0/28", "2001:db8::1/128"]
    )
    withheld.add(order(null))
    assert.isTrue(withheld.holds("198.51.100.16/32"))
  })

  it("outlives its process, with who and why, until it is given back by the same name or all at once", () => {
    const first = open()
    first.add(order("198.51.100.1"))
    first.add(order("198.51.100.2"))
    assert.isTrue(first.save())
    const second = open()
    assert.deepStrictEqual(second.orders, [order("198.51.100.1/32"), order("198.51.100.2/32")])
    assert.isFalse(second.remove("198.51.100.0/24"))
    assert.isTrue(second.remove("198.51.100.1/32"))
    second.save()
    assert.deepStrictEqual(open().orders, [order("198.51.100.2/32")])
    const third = open()
    assert.isTrue(third.remove(null))
    third.save()
    assert.isTrue(open().isEmpty)
    assert.strictEqual(statSync(join(folder, "withheld-0")).mode & 0o777, 0o600)
  })

  it("is whole while one copy is, whichever octet of the other is another", () => {
    const withheld = open()
    withheld.add(order("198.51.100.1"))
    withheld.save()
    for (const name of ["withheld-0", "withheld-1"]) {
      const path = join(folder, name)
      const good = readFileSync(path)
      for (let index = 0; index < good.length - 1; index++) {
        const bad = Buffer.from(good)
        bad[index] = bad[index]! ^ 1
        writeFileSync(path, bad)
        assert.deepStrictEqual(open().orders, [order("198.51.100.1/32")], `octet ${index} of ${name}`)
      }
      writeFileSync(path, good.subarray(0, 20))
      assert.deepStrictEqual(open().orders, [order("198.51.100.1/32")])
      writeFileSync(path, good)
    }
  })

  it("withholds everything when no copy can be read, and nothing where there never was one", () => {
    assert.isTrue(open().isEmpty)
    writeFileSync(join(folder, "withheld-0"), "garbage")
    const withheld = open()
    assert.isTrue(withheld.holds("198.51.100.1/32"))
    assert.include(withheld.orders[0]?.reason, "cannot be read")
    assert.deepStrictEqual(withheld.atStart, [
      `${join(folder, "withheld-0")}: expected the record of what is withheld here, found it damaged: every route of this node is ` +
        "withheld. Before the fix, withdraw again at this node what `lowtide history` of it shows as withdrawn by hand"
    ])
    withheld.remove(null)
    withheld.save()
    assert.isTrue(open().isEmpty)
  })

  it("has for a process that begins who withheld what, and which copy is damaged", () => {
    assert.deepStrictEqual(open().atStart, [])
    const withheld = open()
    withheld.add(order("198.51.100.1"))
    withheld.save()
    rmSync(join(folder, "withheld-1"))
    mkdirSync(join(folder, "withheld-1"))
    const [fault, standing] = open().atStart
    assert.match(fault ?? "", /withheld-1: expected the record .*, found EISDIR: .*; the other copy is whole/)
    assert.strictEqual(standing, `198.51.100.1/32 is withheld by local:ada since ${now}: hijacked`)
  })

  it("holds, and says so, when the disk refuses", () => {
    const withheld = new Withheld(
      {
        read: () => [],
        write: () => {
          throw new Error("ENOSPC")
        }
      },
      now
    )
    withheld.add(order("198.51.100.1"))
    assert.isFalse(withheld.save())
    assert.isTrue(withheld.holds("198.51.100.1/32"))
  })
})
