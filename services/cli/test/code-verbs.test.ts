import { codes } from "@lowtide/domain/config/codes"
import { describe, expect, it } from "vitest"
import { lowtide } from "./fixture.ts"

/** The command lines that codes tell people to type. */
const commandLines = new Set(
  Object.values(codes).flatMap(({ cause, fix }) =>
    [...`${cause} ${fix}`.matchAll(/`lowtide ([^`]+)`/g)].map(([, line = ""]) => line)
  )
)

describe("what codes say to type", () => {
  for (const line of commandLines) {
    it(`is a verb with its flags: lowtide ${line}`, async () => {
      const [words = "", ...flags] = line.split(/ (?=-)/)
      const { exitCode, stdout } = await lowtide(`${words} --help`)
      expect(exitCode).toBe(0)
      const verb = / {2}lowtide ([a-z -]+) (?!<subcommand>)[[<]/.exec(stdout)?.[1] ?? "no verb"
      expect(`${words} `.startsWith(`${verb} `), `${words} is ${verb}`).toBe(true)
      for (const flag of flags) expect(stdout).toContain(flag.split(" ")[0])
    })
  }
})
