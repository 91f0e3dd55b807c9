import { Effect, Result, Schema } from "effect"
import { usageFault } from "./fault.ts"

/** Judges a request before it is sent, so that a flag at fault is named as it was typed: `--type: expected ..., found ...`. */
export const judgeRequest = (verb: string, fields: Schema.Struct.Fields, query: object) => {
  for (const [name, value] of Object.entries(query)) {
    const schema = fields[name]
    if (schema === undefined) continue
    const judged = Schema.encodeUnknownResult(schema as Schema.Codec<unknown>)(value)
    if (Result.isFailure(judged)) {
      const [fault] = judged.failure.message.split("\n", 1)
      return usageFault(`--${name}: ${fault}`, `see \`lowtide ${verb} --help\``)
    }
  }
  return Effect.void
}
