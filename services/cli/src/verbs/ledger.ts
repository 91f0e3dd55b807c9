import type { LedgerAnswer } from "@lowtide/api/ledger"
import { Context, Effect, Layer } from "effect"
import { Command } from "effect/cli"
import { ask } from "../ask.ts"
import { database, databaseUrl } from "../database.ts"
import { CliFault, exitCodes, Unmet } from "../fault.ts"
import { print, serverFlags } from "../root.ts"
import { Surroundings } from "../surroundings.ts"

/** `lowtide ledger status`. */
const status = Command.make("status", {}, () =>
  Effect.gen(function* () {
    const { err } = yield* Surroundings
    const answer = yield* ask(yield* serverFlags, (client) => client.centre.ledger({}))
    yield* print(answer, () => sentences(answer).join("\n"))
    const { findings } = answer.replay
    for (const { key, what } of findings) err(`LT0533 ${key}: ${what}`)
    if (findings.length > 0) return yield* new Unmet()
  })
).pipe(
  Command.withDescription(
    "Say what the ledger holds, how much room it has, and whether the state is what the log says; exit 1 when it is not"
  ),
  Command.withExamples([{ command: "lowtide ledger status", description: "Since when it is complete, among others" }])
)

const sentences = ({ position, completeSince, placesAhead, replay }: LedgerAnswer): ReadonlyArray<string> => [
  completeSince.recordedAt === null
    ? "The ledger has no event yet."
    : `The ledger is complete since ${completeSince.recordedAt}: events ${completeSince.seq} to ${position}.`,
  `It has partitions for ${placesAhead} more.`,
  replay.last === null
    ? "Its state has not been compared with the log yet."
    : `Its state was compared with the log until event ${replay.last.position} by ${replay.last.checkedBy} on ${replay.last.finishedAt}: ${differences(replay.findings.length)} in ${replay.last.compared} rows.`
]

const differences = (count: number): string =>
  count === 0 ? "no difference" : count === 1 ? "one difference" : `${count} differences`

/** `lowtide ledger check`. */
const check = Command.make(
  "check",
  { database },
  Effect.fnUntraced(function* ({ database }) {
    const { err } = yield* Surroundings
    const url = yield* databaseUrl(database)
    const { Ledger, ledgerPostgres, walkReplay } = yield* Effect.promise(() => import("@lowtide/ledger"))
    const { position, compared, findings } = yield* Effect.gen(function* () {
      const ledger = Context.get(yield* Layer.build(ledgerPostgres(url)), Ledger)
      const { seq: position } = yield* ledger.head
      const findings: Array<{ readonly projection: string; readonly key: string; readonly what: string }> = []
      const compared = yield* walkReplay(ledger, (page) => Effect.sync(() => void findings.push(...page.differences)))
      return { position, compared, findings }
    }).pipe(
      Effect.scoped,
      Effect.mapError(
        ({ message }) =>
          new CliFault({
            exitCode: exitCodes.unreachable,
            what: message,
            next: "check the database's URL and its schema"
          })
      )
    )
    const sentence = `The state was compared with the log until event ${position}: ${differences(findings.length)} in ${compared} rows.`
    yield* print({ position, compared, findings, sentence }, () => sentence)
    for (const { key, what } of findings) err(`LT0533 ${key}: ${what}`)
    if (findings.length > 0) return yield* new Unmet()
  })
).pipe(
  Command.withDescription(
    "Compare the database's state with its log now, all of it, by the database itself; exit 1 when they differ"
  ),
  Command.withExamples([{ command: "lowtide ledger check", description: "The database of DATABASE_URL" }])
)

/** `lowtide ledger ...`. */
export const ledger = Command.make("ledger").pipe(
  Command.withDescription("What the ledger holds over the years, and whether its state is what its log says"),
  Command.withSubcommands([status, check])
)
