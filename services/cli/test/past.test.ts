import { describe, expect, it } from "vitest"
import { lowtide } from "./fixture.ts"

/** Every verb that reads from a server: by which flags it is asked about the past, or why it cannot be. */
const reads: ReadonlyArray<readonly [verb: string, flags: ReadonlyArray<string> | "of now alone"]> = [
  ["get", ["--at"]],
  ["who", ["--at"]],
  ["why", ["--at"]],
  ["history", ["--at", "--since", "--until"]],
  ["trace", ["--at"]],
  ["diff", ["--from", "--to"]],
  ["audit export", ["--since", "--until"]],
  ["audit prove", ["--from"]], // an event by its seq, which never changes
  ["audit verify", "of now alone"], // the whole ledger, as it is
  ["audit checkpoints", "of now alone"], // all that were ever signed
  ["ledger status", "of now alone"], // the database's room, and the last comparison
  ["fleet version", "of now alone"], // which processes are alive; who finalised it is in the history
  ["recover", "of now alone"] // who is waited for; what it led to is in the history
]

describe("reads of the past", () => {
  it.each(reads)("%s", async (verb, flags) => {
    const { exitCode, stdout } = await lowtide(`${verb} --help`)
    expect(exitCode).toBe(0)
    if (flags === "of now alone") expect(stdout).not.toMatch(/--(at|since)\b/)
    else for (const flag of flags) expect(stdout).toContain(`${flag} `)
  })
})
