import { isSeqText } from "@lowtide/api/parameters"
import { Effect, Option, Result } from "effect"
import { Flag } from "effect/cli"
import { usageFault } from "./fault.ts"
import { parseMoment } from "./moment.ts"
import { Surroundings } from "./surroundings.ts"

const forms = '2026-11-23T14:05:01Z, a local "2026-11-23 14:05", "30 minutes ago", or the seq of an event'

/** `--correlation`, as the API takes it. */
export const readCorrelation = (verb: string, flag: Option.Option<string>) =>
  Option.isNone(flag) || /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(flag.value)
    ? Effect.void
    : usageFault(
        `--correlation: expected an id as \`lowtide history -o wide\` shows it, found ${JSON.stringify(flag.value)}`,
        `see \`lowtide ${verb} --help\``
      )

/** `--actor`, without the mark that lists set where nobody checked who it was. */
export const readActor = (flag: Option.Option<string>): Option.Option<string> =>
  Option.map(flag, (actor) => actor.replace(/\?$/, ""))

/** A flag that names a time or a place of the log. */
export const momentFlag = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(`${description}: ${forms}`), Flag.optional)

/** `--at` of a read. */
export const atFlag = momentFlag("at", "As it was then")

/** What such a flag says, as the API takes it; a moment to come is refused. Nothing when it was not given. */
export const readMoment = <Name extends string>(verb: string, name: Name, flag: Option.Option<string>) =>
  Effect.gen(function* () {
    const { nowMs } = yield* Surroundings
    if (Option.isNone(flag)) return {} as { readonly [Key in Name]?: string }
    const text = flag.value.trim()
    const isNumber = /^\d+$/.test(text)
    if (isNumber && !isSeqText(text)) {
      return yield* usageFault(
        `--${name}: expected a time or the seq of an event, 1 or more, found ${text}`,
        `see \`lowtide ${verb} --help\``
      )
    }
    const moment = isNumber ? Result.succeed(text) : parseMoment(text, nowMs)
    if (Result.isFailure(moment)) {
      return yield* usageFault(`--${name}: ${moment.failure}`, `see \`lowtide ${verb} --help\``)
    }
    if (moment.success.includes("T") && Date.parse(moment.success) > nowMs) {
      return yield* usageFault(
        `--${name}: expected a moment that is past, found ${moment.success}`,
        "leave it out to ask about now"
      )
    }
    return { [name]: moment.success } as { readonly [Key in Name]?: string }
  })
