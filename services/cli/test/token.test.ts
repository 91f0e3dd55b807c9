import { createHash } from "node:crypto"
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { lowtide, nowMs } from "./fixture.ts"

let folder = ""
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lowtide-tokens-"))
})
afterEach(() => rmSync(folder, { recursive: true }))

const file = () => join(folder, "tokens.json")
const run = (commandLine: string) => lowtide([...commandLine.split(" "), "--tokens", file()])
const written = () => JSON.parse(readFileSync(file(), "utf8")).tokens as ReadonlyArray<Record<string, unknown>>

describe("lowtide token", () => {
  it("new prints the token once, and writes its hash down with what it may, for the owner alone", async () => {
    const made = await run("token new ci --kind machine --role operator --cluster east --cluster west --pool public")
    expect(made).toMatchObject({ exitCode: 0, asked: [] })
    expect(made.stdout).toMatch(/^lt_[\w-]{43}\n$/)
    const token = made.stdout.trim()
    expect(written()).toEqual([
      {
        name: "ci",
        kind: "machine",
        sha256: createHash("sha256").update(token).digest("hex"),
        roles: [{ role: "operator", clusters: ["east", "west"], pools: ["public"] }]
      }
    ])
    expect(readFileSync(file(), "utf8")).not.toContain(token)
    expect((statSync(file()).mode & 0o777).toString(8)).toBe("600")
    const other = await run("token new ada --kind person --role admin --expires 90d")
    expect(other.stdout).not.toBe(made.stdout)
    expect(written()[1]).toMatchObject({ name: "ada", expires: new Date(nowMs + 90 * 86_400_000).toISOString() })
  })

  it("list shows whose they are and which have expired, and no hash; remove takes them away", async () => {
    await run("token new ci --kind machine --role operator --cluster east --pool public")
    await run("token new ada --kind person --role admin --expires 2027-01-01T00:00:00Z")
    const later = { nowMs: Date.parse("2027-06-01T00:00:00Z") }
    const { stdout } = await lowtide(["token", "list", "--tokens", file()], later)
    expect(stdout).toBe(
      [
        "ACTOR       EXPIRES                   ROLES",
        "machine:ci  -                         operator of cluster east, pool public",
        "person:ada  2027-01-01T00:00:00.000Z  admin\n"
      ].join("\n")
    )
    const json = JSON.parse((await lowtide(["token", "list", "-o", "json", "--tokens", file()], later)).stdout)
    expect(json.items[1]).toMatchObject({ name: "ada", expired: true })
    expect(JSON.stringify(json)).not.toContain("sha256")
    expect(await run("token remove ci")).toMatchObject({ exitCode: 0 })
    expect(written().map(({ name }) => name)).toEqual(["ada"])
  })

  it("list of a file that is not there is a fault, and no empty list", async () => {
    const { exitCode, stderr } = await lowtide(["token", "list", "--tokens", "/none"])
    expect([exitCode, stderr]).toEqual([
      2,
      "error: --tokens /none: expected a tokens file, found nothing; check the path\n"
    ])
  })

  it("changes nothing where something is wrong, and says what", async () => {
    await run("token new ada --kind person --role admin")
    const before = readFileSync(file(), "utf8")
    const faults = [
      ["token new ada --kind person --role reader", 4, "expected none"],
      ["token new Ada --kind machine --role reader", 4, "found ada, which differs by case alone"],
      ["token new bob --kind person --role reader --expires 2020-01-01T00:00:00Z", 2, "expected a moment to come"],
      ["token new -- --kind person --role reader", 2, ""],
      ["token new bo/b --kind person --role reader", 2, "name: expected a name"],
      ["token new bob --kind person --role root", 2, ""],
      ["token remove bob", 3, "expected one of [ada]"]
    ] as const
    for (const [line, exitCode, said] of faults) {
      const ran = await run(line)
      expect([line, ran.exitCode, ran.stderr]).toEqual([line, exitCode, expect.stringContaining(said)])
    }
    expect(readFileSync(file(), "utf8")).toBe(before)
    writeFileSync(file(), "{")
    expect(await run("token new bob --kind person --role reader")).toMatchObject({ exitCode: 2, stdout: "" })
    expect(readFileSync(file(), "utf8")).toBe("{")
  })
})

describe("a token", () => {
  it("that goes to another machine in clear is warned of", async () => {
    const said = async (server: string) =>
      (await lowtide(["who", "192.0.2.1", "--server", server], { tokenVariable: "secret" })).stderr
    expect(await said("http://192.0.2.1:7070")).toBe(
      "warning: http://192.0.2.1:7070: the token goes there unencrypted; use https://\n"
    )
    expect(await said("http://127.0.0.1:7070")).toBe("")
    expect(await said("http://localhost:7070")).toBe("")
  })
})
