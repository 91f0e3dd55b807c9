import { assert, describe, it } from "@effect/vitest"
import { Fleet } from "@lowtide/domain"
import { type EventSelection, Ledger } from "@lowtide/ledger"
import { memoryLedger } from "@lowtide/testkit/memory-ledger"
import { Effect, Result } from "effect"
import type { Centre, CommittedView } from "../../src/centre.ts"
import { askHistory, type HistoryQuery } from "../../src/http/history-query.ts"
import { refuseUnknown } from "../../src/http/unknown-names.ts"
import { commitSample, fixedCentre, startMs } from "./sample.ts"

/** Asks over the log of the sample, and what else the leader is to know or not to know. */
const asked = <Answer, Fault>(
  question: Effect.Effect<Answer, Fault, Centre | Ledger>,
  known: (view: CommittedView) => CommittedView = (view) => view
) => {
  const clock = { nowMs: startMs }
  return Effect.gen(function* () {
    const view = known(yield* commitSample(clock))
    return yield* Effect.result(question.pipe(Effect.provide(fixedCentre(view))))
  }).pipe(Effect.provide(memoryLedger({ nowMs: () => clock.nowMs })))
}

const faultOf = (answer: Result.Result<unknown, { readonly message: string }>): string | undefined =>
  Result.isFailure(answer) ? answer.failure.message : undefined

/** The sample's only peer was deleted: its events are in the log, and nothing of it is in effect. */
const withoutPeer = (view: CommittedView): CommittedView => {
  const { manifests } = view.fleet.cluster("east")
  for (const [key, { manifest }] of manifests) if (manifest.kind === "BGPPeer") manifests.delete(key)
  return view
}

const reportsRemoved = (view: CommittedView): CommittedView => {
  view.fleet.wireDrop = { _tag: "WireDrop", untilId: 9, before: "2026-11-23T14:00:00.000Z" }
  return view
}

describe("a peer that there is no history of", () => {
  const history = (query: HistoryQuery, known?: (view: CommittedView) => CommittedView) =>
    Effect.map(asked(askHistory(query), known), faultOf)

  it.effect("is not said to be unknown once the log had it, whatever else is asked of it", () =>
    Effect.gen(function* () {
      for (const narrowed of [{ cluster: "west" }, { pool: "none-of-it" }, { address: "192.0.2.9" }])
        assert.notInclude((yield* history({ ...narrowed, peer: "tor-a" }, withoutPeer)) ?? "", "peer: ")
    })
  )

  it.effect("is said to be unknown where the log never had it, in whatever stretch of time", () =>
    Effect.gen(function* () {
      for (const narrowed of [{}, { cluster: "west" }, { since: "3", until: "5" }])
        assert.strictEqual(
          yield* history({ ...narrowed, peer: "tor-b" }),
          "peer: expected one that the log knows, found tor-b (did you mean tor-a?)"
        )
    })
  )

  it.effect("may have been one whose reports were removed", () =>
    Effect.gen(function* () {
      assert.isUndefined(yield* history({ peer: "tor-b" }, reportsRemoved))
    })
  )
})

describe("a namespace", () => {
  /** What was asked of the log by each question that names a namespace. */
  const refusal = (
    names: { readonly namespace: string; readonly service?: string; readonly cluster?: string },
    ask: (names: HistoryQuery) => Effect.Effect<unknown, { readonly message: string }, Centre | Ledger> = refuseUnknown
  ) => {
    const selections: Array<EventSelection> = []
    const question = Effect.flatMap(Ledger, (ledger) => {
      const noted =
        <Selection extends EventSelection, Answer>(ask: (selection: Selection) => Answer) =>
        (selection: Selection) => {
          if (selection.namespace !== undefined) selections.push(selection)
          return ask(selection)
        }
      const watched = Ledger.of({ ...ledger, events: noted(ledger.events), hasEvent: noted(ledger.hasEvent) })
      return ask(names).pipe(Effect.provideService(Ledger, watched))
    })
    const bare = (view: CommittedView): CommittedView => {
      const fleet = new Fleet()
      for (const name of view.fleet.clusters.keys()) fleet.cluster(name)
      return { ...view, fleet }
    }
    return Effect.map(asked(question, bare), (answer) => ({ fault: faultOf(answer), selections }))
  }

  it.effect("is looked for in each cluster, by the index that the log has", () =>
    Effect.gen(function* () {
      for (const names of [{ namespace: "shpo" }, { namespace: "shop", service: "wbe" }]) {
        const { fault, selections } = yield* refusal(names)
        assert.match(fault ?? "", /expected one that the log knows/)
        assert.deepStrictEqual(
          selections.map(({ cluster }) => cluster),
          ["east", "west"]
        )
      }
    })
  )

  it.effect("that is misspelt is told before the log is read for it, which has no index of it without a cluster", () =>
    Effect.gen(function* () {
      const { fault, selections } = yield* refusal({ namespace: "shpo" }, askHistory)
      assert.include(fault ?? "", "namespace: expected one that the log knows, found shpo")
      for (const { cluster } of selections) assert.isDefined(cluster)
      const known = yield* refusal({ namespace: "shop" }, askHistory)
      assert.isUndefined(known.fault)
      assert.isAbove(known.selections.filter(({ cluster }) => cluster === undefined).length, 0)
    })
  )

  it.effect("that only the log knows any more, or a Service of it, is not said to be unknown", () =>
    Effect.gen(function* () {
      for (const names of [{ namespace: "shop" }, { namespace: "shop", service: "api" }])
        assert.isUndefined((yield* refusal(names)).fault)
    })
  )
})
