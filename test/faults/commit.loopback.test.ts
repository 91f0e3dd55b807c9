import { assert, describe, it } from "@effect/vitest"
import { waitFor, waitUntil } from "@lowtide/testkit/lab/index"
import { Effect } from "effect"
import {
  type CentreLab,
  leads,
  leaseEnds,
  makeCentreLab,
  published,
  type RunningAllocator,
  uuid
} from "./centre-lab.ts"
import { announcing, service } from "./orders.ts"

/** Events of the one command, by type. */
const eventsOf = (lab: CentreLab, id: number) =>
  Effect.map(lab.sql(`select type from events where command_id = '${uuid(id)}' order by seq`), (rows) =>
    rows.map(({ type }) => type)
  )

const allowed = (failpoint: string) => ({ LOWTIDE_FAILPOINT: failpoint, LOWTIDE_TEST_FAILPOINTS: "allowed" })

/** A log with a cluster in it, and a leader that is to fail at its next command. */
const failingAt = Effect.fnUntraced(function* (failpoint: string) {
  const lab = yield* makeCentreLab
  const first = yield* lab.allocator("first")
  yield* leads(first)
  for (const command of announcing) yield* lab.send(command)
  yield* waitUntil(
    "all is published",
    Effect.map(published(lab), ({ isWhole }) => isWhole)
  )
  yield* first.process.stop
  const failing = yield* lab.allocator("failing", allowed(failpoint))
  yield* leads(failing)
  return { lab, failing }
})

const webCommand = 1000

/** Asks, until the leader takes commands, and dies of this one. */
const isStruck = Effect.fnUntraced(function* (lab: CentreLab, failing: RunningAllocator) {
  while (yield* failing.process.isRunning) yield* lab.ask(service("web"), webCommand)
  assert.strictEqual((yield* failing.process.ended).signal, "SIGKILL")
  yield* leaseEnds(lab)
})

/** The leader fails at its first command; whoever comes next has carried it out once, and published it. */
const isCarriedOutOnce = Effect.fnUntraced(function* (lab: CentreLab) {
  // Sent again, as by whoever got no answer.
  const reply = yield* waitFor(
    "it is answered",
    Effect.map(lab.ask(service("web"), webCommand, 2), (found) => (found?._tag === "Done" ? found : undefined)),
    { deadlineMs: 20_000 }
  )
  assert.deepStrictEqual(yield* eventsOf(lab, webCommand), ["ServiceObserved", "VipAssigned"])
  const [stored] = yield* lab.sql(
    `select min(seq)::int as "seqFrom", max(seq)::int as "seqTo" from events where command_id = '${uuid(webCommand)}'`
  )
  assert.deepInclude(reply, { _tag: "Done", ...stored }, "the answer is the one of its events")
  const { vips } = yield* waitFor(
    "the set in NATS is whole",
    Effect.map(published(lab), (now) => (now.isWhole && now.vips.size === 1 ? now : undefined)),
    { deadlineMs: 20_000 }
  )
  assert.deepStrictEqual([...vips], [["198.18.0.0", "web"]])
  assert.deepStrictEqual(
    yield* lab.sql(
      "select seq from (select seq, lead(seq) over (order by seq) as next from events) e where next <> seq + 1"
    ),
    []
  )
})

describe("an allocator that dies", () => {
  it.live.each([
    ["F1: after it decided, before it sent", "after-decide", []],
    ["F3: after the commit, before the answer", "after-commit", ["ServiceObserved", "VipAssigned"]],
    ["F4: after the answer, before it published", "before-publish:exit:100", ["ServiceObserved", "VipAssigned"]],
    ["F5: in the middle of publishing a batch", "mid-batch", ["ServiceObserved", "VipAssigned"]]
  ] as const)("%s: the command is carried out once", ([, failpoint, stored]) =>
    Effect.gen(function* () {
      const { lab, failing } = yield* failingAt(failpoint)
      yield* isStruck(lab, failing)
      assert.deepStrictEqual(yield* eventsOf(lab, webCommand), [...stored])
      yield* leads(yield* lab.allocator("next"))
      yield* isCarriedOutOnce(lab)
    }).pipe(Effect.scoped)
  )

  it.live.each([0, 3])(
    "F2: %i ms after the batch was sent: stored or not, as a whole, and carried out once",
    (afterMs) =>
      Effect.gen(function* () {
        const { lab, failing } = yield* failingAt(`sent:exit:${afterMs}`)
        yield* isStruck(lab, failing)
        assert.include([0, 2], (yield* eventsOf(lab, webCommand)).length)
        yield* leads(yield* lab.allocator("next"))
        yield* isCarriedOutOnce(lab)
      }).pipe(Effect.scoped)
  )
})
