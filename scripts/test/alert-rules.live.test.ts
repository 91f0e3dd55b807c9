import { spawnSync } from "node:child_process"
import { globSync } from "node:fs"
import { assert, describe, it } from "vitest"

const folder = new URL("../../deploy/prometheus/", import.meta.url).pathname

const promtool = (...args: ReadonlyArray<string>) =>
  spawnSync("promtool", args, { cwd: folder, encoding: "utf8", timeout: 60_000 })

describe("alert rules, as Prometheus reads them", () => {
  it("can be loaded", () => {
    const { error, status, stdout, stderr } = promtool("check", "rules", ...globSync("*.yml", { cwd: folder }))
    assert.isUndefined(error)
    assert.strictEqual(status, 0, `${stdout}${stderr}`)
  })

  it("fire when they should, in the words that they should, and are silent otherwise", () => {
    const { error, status, stdout, stderr } = promtool("test", "rules", ...globSync("test/*.yml", { cwd: folder }))
    assert.isUndefined(error)
    assert.strictEqual(status, 0, `${stdout}${stderr}`)
  })
})
