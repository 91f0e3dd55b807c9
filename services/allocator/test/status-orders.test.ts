import { assert, describe, it } from "@effect/vitest"
import type { NodeStatus } from "@lowtide/bus/status"
import { Ledger } from "@lowtide/ledger"
import { memoryLedger } from "@lowtide/testkit"
import { Effect } from "effect"
import { decideBatch } from "../src/decide-batch.ts"
import { loadMemory } from "../src/memory.ts"
import { confirmationBy } from "../src/status-orders.ts"
import { announcing, received, service, signingKey } from "./orders.ts"

const status = (confirmedCseq: number, cluster = "east"): NodeStatus => ({
  ...{ _tag: "NodeStatus", cluster, node: "n1", at: "", runId: "r", sync: "live", cseq: confirmedCseq },
  ...{ confirmedCseq, sessions: [], announcing: [], refused: [] }
})

describe("what a node confirms", () => {
  it.effect("counts once, and not beyond what its cluster was told", () =>
    Effect.gen(function* () {
      const ledger = yield* Ledger
      yield* ledger.acquireLease("test", 60_000)
      const memory = yield* loadMemory
      const commands = [...announcing, service("web")].map((command, index) => received(command, index))
      yield* ledger.append(decideBatch(memory, commands, signingKey, 0).batch)
      const told = memory.book.cseq("east")
      const confirms = (cseq: number) => ({ _tag: "ConfirmWithdrawals" as const, cluster: "east", node: "n1", cseq })
      assert.deepStrictEqual(confirmationBy(memory, status(told)), confirms(told))
      assert.isUndefined(confirmationBy(memory, status(told + 1)))
      assert.isUndefined(confirmationBy(memory, status(Number.MAX_SAFE_INTEGER)))
      assert.isUndefined(confirmationBy(memory, status(1, "west")), "a cluster that was told nothing")
      memory.confirmed.set("east/n1", told)
      assert.isUndefined(confirmationBy(memory, status(told)))
    }).pipe(Effect.provide(memoryLedger()))
  )
})
