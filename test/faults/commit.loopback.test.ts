import { assert, describe, it } from "@effect/vitest"
import { SetDigest } from "@lowtide/bus/digest"
import { readStored } from "@lowtide/bus/read-stream"
import { stateFilter, stateStream } from "@lowtide/bus/subjects"
import type { ClusterHead, NumberedMessage } from "@lowtide/domain"
import { waitFor, waitUntil } from "@lowtide/testkit/lab/index"
import { Effect } from "effect"
import { type CentreLab, leads, makeCentreLab, type RunningAllocator, uuid } from "./centre-lab.ts"
import { announcing, service } from "./orders.ts"

const payloadOf = (text: string) => JSON.parse(JSON.parse(text).payload) as NumberedMessage | ClusterHead

/** What a reader of NATS has of the cluster: its set, and whether its head vouches for all of it. */
const published = (lab: CentreLab) =>
  lab.within(readStored(stateStream, stateFilter("east"))).pipe(
    Effect.map((stored) => {
      const digest = new SetDigest()
      let head: ClusterHead | undefined
      const vips = new Map<string, string>()
      for (const { subject, text } of stored) {
        const message = payloadOf(text)
        if (message._tag === "ClusterHead") head = message
        else digest.add(subject.split(".").slice(4).join("."), message.cseq)
        if (message._tag === "VipIntent") vips.set(message.address, message.services[0]?.name ?? "")
      }
      return { isWhole: head?.digest === digest.toString() && head.count === digest.count, vips }
    }),
    Effect.orElseSucceed(() => ({ isWhole: false, vips: new Map<string, string>() }))
  )

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
})

/** The leader fails at its first command; whoever comes next has carried it out once, and published it. */
const isCarriedOutOnce = Effect.fnUntraced(function* (lab: CentreLab) {
  assert.strictEqual((yield* lab.send(service("web"), webCommand))._tag, "Done")
  assert.deepStrictEqual(yield* eventsOf(lab, webCommand), ["ServiceObserved", "VipAssigned"])
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
