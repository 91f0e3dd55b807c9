import { decideBatch, type ReceivedCommand } from "@lowtide/allocator/decide-batch"
import { loadMemory } from "@lowtide/allocator/memory"
import { readSigningKey } from "@lowtide/bus"
import type { Command } from "@lowtide/domain"
import { Ledger, migrate } from "@lowtide/ledger"
import { manifestObject } from "@lowtide/testkit/observed"
import { Effect, Option } from "effect"
import { uuid } from "../../faults/centre-lab.ts"
import { announcing, service } from "../../faults/orders.ts"

/** Commands decided and committed together. */
const commandsAtOnce = 500

/**
 * A ledger in which each cluster has so many Services, each with an address: decided, signed and committed as an allocator
 * does it, without the agents and NATS. Answers how many events there are.
 */
export const fillLedger = Effect.fnUntraced(function* (options: {
  readonly databaseUrl: string
  readonly privatePem: string
  /** `east` alone unless given. */
  readonly clusters?: ReadonlyArray<string>
  /** Of each cluster. */
  readonly vips: number
}) {
  yield* migrate(options.databaseUrl)
  const ledger = yield* Ledger
  const { epoch } = Option.getOrThrow(yield* ledger.acquireLease(uuid(1), 600_000))
  const memory = yield* loadMemory
  const key = readSigningKey("k1", options.privatePem)
  let id = 0
  const received = (command: Command): ReceivedCommand => ({
    envelope: { commandId: uuid(++id), correlationId: uuid(id), actor: "agent:east", actorKind: "agent", command },
    receivedAt: new Date().toISOString()
  })
  const clusters = options.clusters ?? ["east"]
  const pools = Array.from({ length: Math.ceil((clusters.length * options.vips) / 65_536) }, (_, n) => n)
  const all = clusters.flatMap((cluster) => [
    ...announcing.map((command) => ({ ...command, cluster })),
    ...pools.map((n): Command => {
      const manifest = manifestObject("IPAddressPool", `p${n}`, { addresses: [`10.${n}.0.0/16`] })
      return { _tag: "ApplyManifest", cluster, manifest }
    }),
    ...Array.from({ length: options.vips }, (_, n) => ({ ...service(`s${n}`), cluster }))
  ])
  for (let start = 0; start < all.length; start += commandsAtOnce) {
    const { batch } = decideBatch(memory, all.slice(start, start + commandsAtOnce).map(received), key, Date.now())
    const { seq, commitSeq, recordedAt } = yield* ledger.append(batch)
    memory.head = { ...memory.head, seq, commitSeq, recordedAt }
  }
  yield* ledger.releaseLease(epoch)
  return memory.head.seq
})
