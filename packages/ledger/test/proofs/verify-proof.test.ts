import { spawnSync } from "node:child_process"
import { createPublicKey, generateKeyPairSync } from "node:crypto"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { type CheckpointSigner, signCheckpoint, verifierKey } from "../../src/proofs/checkpoint.ts"
import { type EventRecord, toEventRecord } from "../../src/proofs/event-record.ts"
import { leafHash } from "../../src/proofs/leaf.ts"
import { Frontier } from "../../src/proofs/merkle.ts"
import { event, uuid } from "../rows.ts"

const script = fileURLToPath(new URL("../../../../docs/reference/verify-proof.mjs", import.meta.url))
const signer = (name: string): CheckpointSigner => ({ name, privateKey: generateKeyPairSync("ed25519").privateKey })
const [old, current] = [signer("old"), signer("new")]

const log: ReadonlyArray<EventRecord> = Array.from({ length: 20 }, (_, index) => {
  const seq = index + 1
  const place = { seq, epoch: 1, commitSeq: seq, eventId: uuid(seq), recordedAt: "2026-11-23T14:00:00.000Z" }
  const stored = { ...event("vip:a", seq, { type: "VipAssigned", data: "{}" }), ...place }
  return toEventRecord({ ...stored, leafHash: Buffer.from(leafHash(stored)).toString("hex") })
})
const lines = log.map((one) => JSON.stringify(one))

const note = (by: CheckpointSigner, size: number, origin = "lowtide/ledger") => {
  const tree = new Frontier()
  for (const { leafHash } of log.slice(0, size)) tree.append(Buffer.from(leafHash, "hex"))
  const said = { origin, size, root: tree.root(), incarnation: 1, signedAt: "2026-11-23T14:00:00.000Z" }
  return signCheckpoint(by, said)
}

const check = (events: ReadonlyArray<string>, notes: ReadonlyArray<string>) => {
  const folder = mkdtempSync(join(tmpdir(), "lowtide-proof-"))
  try {
    const key = verifierKey(current.name, createPublicKey(current.privateKey))
    const texts = { "log.ndjson": `${events.join("\n")}\n`, "keys.txt": `${key}\n`, "notes.txt": notes.join("\n") }
    const files = Object.entries(texts).map(([name, text]) => {
      writeFileSync(join(folder, name), text)
      return join(folder, name)
    })
    const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...files], { encoding: "utf8" })
    return { status, stdout: stdout.trim(), stderr }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

describe("the script of docs/reference that checks an export", () => {
  const proved =
    "proved: events 1 to 16 are those of lowtide/ledger, signed 2026-11-23T14:00:00.000Z by new; 20 were read"

  it("goes by the notes of the keys that it was given, also where another key signed before", () => {
    const { status, stdout, stderr } = check(lines, [note(old, 8), note(current, 16)])
    assert.deepStrictEqual([status, stdout], [0, proved])
    assert.match(stderr, /^warning: a checkpoint is passed over: no known key signed the checkpoint/)
    assert.deepInclude(check(lines, [note(old, 8)]), {
      status: 1,
      stdout: "NOT proved: no checkpoint of a known key was found"
    })
  })

  it("goes by the newest note where there are those of another log as well", () => {
    assert.deepInclude(check(lines, [note(current, 8, "lowtide/lab"), note(current, 16)]), {
      status: 0,
      stdout: proved
    })
  })

  it("finds a field that stands there twice, also where a letter of it is an escape", () => {
    for (const field of ['"actor"', '"\\u0061ctor"', '"s\\u0065q"']) {
      const damaged = lines.with(4, (lines[4] ?? "").replace("{", `{${field}:"ada",`))
      const { status, stdout } = check(damaged, [note(current, 16)])
      assert.deepStrictEqual([status, stdout.slice(0, 19)], [1, "NOT proved: event 5"], field)
      assert.match(stdout, / has (actor|seq) twice$/)
    }
  })
})
