import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { defaultSocket } from "../src/ask-node.ts"

describe("the speaker's own socket", () => {
  it("is looked for where the unit of the speaker has it, since a root's shell knows none of its variables", () => {
    const unit = readFileSync(join(import.meta.dirname, "../../../deploy/systemd/lowtide-speaker.service"), "utf8")
    const [, stateFolder = ""] = /^Environment=LOWTIDE_STATE_DIR=(.+)$/m.exec(unit) ?? []
    assert.strictEqual(defaultSocket, join(stateFolder, "control.sock"))
  })
})
