import assert from "node:assert/strict"
import { type CutPoint, startTcpProxy } from "@lowtide/testkit"
import { Effect, Fiber } from "effect"
import { Choices } from "../sim/choices.ts"
import { leads, makeCentreLab, uuid } from "./centre-lab.ts"
import { announcing, service } from "./orders.ts"

/** What a run of cuts amounted to. */
export interface CutTally {
  readonly cuts: number
  readonly commands: number
}

/** Commands on their way at once: a batch has one or more of them. */
const atOnce = 4

/** A command that a cut is to find goes out until it does. */
const commandsMaxPerCut = 400

/**
 * Breaks the way to PostgreSQL at a byte of its own for each seed, in either direction, slowed down or not, while commands
 * are committed. Each command is answered in the end, and after each cut the log has each of them just once, whole, at the
 * seqs that its answer names, and no seq is missing. Throws otherwise, with the seed.
 */
export const cutCommits = (from: number, cuts: number, say: (text: string) => void = () => {}) =>
  Effect.gen(function* () {
    const lab = yield* makeCentreLab
    const proxy = yield* startTcpProxy(lab.postgres.port)
    const url = lab.postgres.url.replace(`:${lab.postgres.port}/`, `:${proxy.port}/`)
    yield* leads(yield* lab.allocator("one", { DATABASE_URL: url }))
    for (const command of announcing) yield* lab.send(command)
    let nextId = 1_000
    let tally: CutTally = { cuts: 0, commands: 0 }
    for (let seed = from; seed < from + cuts; seed++) {
      const choices = new Choices(seed)
      const point: CutPoint = choices.oneIn(2)
        ? { toward: "server", bytes: choices.below(24_000) }
        : { toward: "client", bytes: choices.below(3_000) }
      const delayMs = choices.oneIn(2) ? 0 : 1 + choices.below(8)
      const what = `seed ${seed}: cut after ${point.bytes} bytes toward the ${point.toward}, delayed by ${delayMs} ms`
      yield* proxy.delay(delayMs)
      let isCut = false
      const cutting = yield* Effect.forkScoped(
        Effect.andThen(
          proxy.cutAfter(point),
          Effect.sync(() => {
            isCut = true
          })
        )
      )
      const first = nextId
      const answers = new Map<number, string>()
      yield* Effect.forEach(
        Array.from({ length: atOnce }),
        () =>
          Effect.gen(function* () {
            while (!isCut && nextId < first + commandsMaxPerCut) {
              const id = nextId++
              const reply = yield* lab.send(service(`s${id}`), id)
              answers.set(id, reply._tag === "Done" ? `${id} ${reply.seqFrom} ${reply.seqTo} 1` : `${id} ${reply._tag}`)
            }
          }),
        { concurrency: atOnce, discard: true }
      )
      yield* Fiber.interrupt(cutting)
      assert.ok(isCut, `${what}: ${commandsMaxPerCut} commands were not enough to reach it`)
      const rows = yield* lab.sql(`
        select command_id, min(seq) as first, max(seq) as last, count(*) filter (where type = 'VipAssigned') as assigned,
          count(*) = max(seq) - min(seq) + 1 as whole
        from events where command_id between '${uuid(first)}' and '${uuid(nextId - 1)}' group by 1`)
      assert.deepEqual(
        rows.map((row) => `${Number(row.command_id.slice(-12))} ${row.first} ${row.last} ${row.assigned}`).sort(),
        [...answers.values()].sort(),
        `${what}: what was answered is not what is in the log`
      )
      assert.ok(
        rows.every(({ whole }) => whole),
        `${what}: a command is in the log in part`
      )
      const [{ events, seq }] = yield* lab.sql(
        "select count(*)::int as events, (select seq::int from log_head) from events"
      )
      assert.equal(events, seq, `${what}: a seq is missing`)
      tally = { cuts: tally.cuts + 1, commands: tally.commands + answers.size }
      say(what)
    }
    return tally
  }).pipe(Effect.scoped)
