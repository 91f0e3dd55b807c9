import { decideBatch, type ReceivedCommand } from "@lowtide/allocator/decide-batch"
import { loadMemory } from "@lowtide/allocator/memory"
import { readSigningKey } from "@lowtide/bus"
import type { Command } from "@lowtide/domain"
import { Ledger, migrate } from "@lowtide/ledger"
import { withClient } from "@lowtide/ledger/client"
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

/** Every stream's newest event again, until there are as many as are wanted; nothing changes by them but versions. */
export const repeatEvents = (options: {
  readonly databaseUrl: string
  /** How many there are. */
  readonly filled: number
  /** How many there are to be. */
  readonly events: number
}): Promise<number> => {
  const { databaseUrl, filled, events } = options
  return withClient(databaseUrl, async (client) => {
    let seq = filled
    while (seq < events) {
      const limit = events - seq
      await client.query(`select ledger_ensure_partitions(${seq + limit})`)
      const { rowCount } = await client.query(`
        with news as materialized (
          select c.stream, ${seq} + row_number() over (order by c.seq) as place, c.seq as former from stream_current c
          where c.stream like 'vip:%' or c.stream like 'service:%' order by c.seq limit ${limit}
        ), written as (
          insert into events (seq, epoch, commit_seq, event_id, stream, version, type, schema, recorded_at, network, address,
            pool, cluster, namespace, service, service_uid, actor, actor_kind, command_id, correlation_id, reason_code, data,
            meta, leaf_hash)
          select n.place, e.epoch, e.commit_seq, gen_random_uuid(), e.stream, e.version + 1, e.type, e.schema, h.recorded_at,
            e.network, e.address, e.pool, e.cluster, e.namespace, e.service, e.service_uid, e.actor, e.actor_kind,
            e.command_id, e.correlation_id, e.reason_code,
            format('{"before":%1$s,"after":%1$s}', e.data -> 'after')::json, e.meta, e.leaf_hash
          from news n join events e on e.seq = n.former cross join log_head h
        ), current_rows as (
          update stream_current c set version = c.version + 1, seq = n.place, recorded_at = h.recorded_at
          from news n, log_head h where c.stream = n.stream
        ), closed as (
          update vip_history v set to_seq = n.place, valid_to = h.recorded_at
          from news n, log_head h where v.from_seq = n.former returning v.*, n.place
        ), opened as (
          insert into vip_history (network, address, from_seq, valid_from, state, pool, holders, reason_code, actor)
          select c.network, c.address, c.place, h.recorded_at, c.state, c.pool, c.holders, c.reason_code, c.actor
          from closed c, log_head h
        )
        select 1 from news`)
      seq += rowCount ?? 0
      await client.query(`update log_head set seq = ${seq}`)
    }
    // The states' texts as the events have them, byte for byte.
    await client.query("update stream_current c set state = e.data -> 'after' from events e where e.seq = c.seq")
    await client.query("vacuum analyze")
    return seq
  })
}
