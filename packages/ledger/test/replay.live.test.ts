import { assert, describe, it } from "@effect/vitest"
import { SetDigest } from "@lowtide/bus/digest"
import { execute } from "@lowtide/testkit"
import { Context, Effect, Layer, Option } from "effect"
import {
  type Batch,
  contentDigest,
  emptyBatch,
  Ledger,
  ledgerPostgres,
  type ReplayDifference,
  walkReplay
} from "../src/index.ts"
import { liveDatabases } from "./live-database.ts"
import { event, uuid } from "./rows.ts"

const databases = liveDatabases()

const vip = (address: string, phase: string) => ({
  ...{ _tag: "Vip", network: "default", address, pool: "public", cluster: "east", phase },
  holders: [{ namespace: "shop", name: "web", uid: "u1", sharingKey: "\0\ud83d" }] // as in logs of before
})

/** A message as the allocator stores it, with its summary; of a VIP where its subject says so. */
const messageOf = (subject: string, { epoch, seq, cseq }: { epoch: number; seq: number; cseq: number }) => {
  const content = { _tag: "NodeIntent", cluster: "east", node: subject, é: 1 }
  const { _tag, ...rest } = content
  const message = { _tag, stamp: { incarnation: 1, epoch, seq }, cseq, prevCseq: cseq - 1, ...rest, cause: { seq } }
  const summary = JSON.stringify({ content: contentDigest(JSON.stringify(content)), obliged: [], withdraws: false })
  return { cluster: "east", subject, cseq, seq, envelope: sealed(message), summary }
}

const sealed = (message: object) => JSON.stringify({ payload: JSON.stringify(message), keyId: "k", sig: "s" })

const headOf = (messages: ReadonlyArray<ReturnType<typeof messageOf>>) => {
  const set = new SetDigest()
  for (const { subject, cseq } of messages) set.add(subject, cseq)
  const { seq = 0, cseq = 0 } = messages.at(-1) ?? {}
  const head = { _tag: "ClusterHead", stamp: { seq }, cseq, cluster: "east", digest: set.toString(), count: set.count }
  return { ...head, seq, envelope: sealed(head) }
}

/** Commits each state of a stream as an event, as the allocator does; null ends the stream. */
const written = Effect.gen(function* () {
  const url = yield* databases.fresh()
  const ledger = Context.get(yield* Layer.build(ledgerPostgres(url)), Ledger)
  const { epoch } = Option.getOrThrow(yield* ledger.acquireLease(uuid(1), 60_000))
  const versions = new Map<string, number>()
  let seq = 0
  const write = (stream: string, after: object | null, subjects: ReadonlyArray<string> = []) => {
    const version = (versions.get(stream) ?? 0) + 1
    versions.set(stream, version)
    const [kind = ""] = stream.split(":")
    const about = kind === "vip" ? { network: "default", address: stream.split("/")[1] ?? "" } : undefined
    const place = { stream, version, seq: seq + 1 }
    const messages = subjects.map((subject, index) => messageOf(subject, { epoch, seq: seq + 1, cseq: index + 1 }))
    const batch: Batch = {
      ...emptyBatch({ epoch, seq }),
      intents: messages,
      intentHeads: messages.length === 0 ? [] : [headOf(messages)],
      events: [event(stream, version, { ...about, data: JSON.stringify({ before: null, after }) })],
      current: [
        {
          ...place,
          kind,
          previousVersion: version - 1,
          schema: 1,
          state: after === null ? null : JSON.stringify(after)
        }
      ],
      history:
        about === undefined
          ? []
          : [
              {
                ...about,
                seq: seq + 1,
                state: (after as { phase: string }).phase,
                pool: "public",
                holders: JSON.stringify([{ cluster: "east", namespace: "shop", name: "web", uid: "u1" }]),
                reasonCode: "pool-selected",
                actor: "system:allocator"
              }
            ]
    }
    seq += 1
    return ledger.append(batch)
  }
  yield* write("service:east/shop/web", { name: "web", é: 1.0, "x y": ["a"] })
  for (const phase of ["assigned", "withdrawing", "quarantined"]) {
    yield* write("vip:default/192.0.2.1", vip("192.0.2.1", phase))
  }
  yield* write("vip:default/2001:db8::5", vip("2001:db8::5", "assigned"))
  yield* write("service:east/shop/web", null)
  yield* write("node:east/east-1", { node: "east-1" })
  yield* write("node:east/east-2", { node: "east-2" }, ["node.east-1", "node.east-2"])
  /** Changes something behind the ledger's back; answers what a whole comparison finds then. */
  const after = (statement: string) =>
    Effect.gen(function* () {
      yield* Effect.promise(() => execute(url, statement))
      const differences: Array<ReplayDifference> = []
      const compared = yield* walkReplay(ledger, (page) =>
        Effect.sync(() => void differences.push(...page.differences))
      )
      return { compared, differences }
    })
  return { ledger, after }
})

const table: ReadonlyArray<readonly [what: string, statement: string, key: string, says: RegExp]> = [
  [
    "a state that somebody changed",
    `update stream_current set state = replace(state::text, '"assigned"', '"free"')::json where stream = 'vip:default/2001:db8::5'`,
    "vip:default/2001:db8::5",
    /^expected version 1 by event 5, found version 1 by event 5 with another state$/
  ],
  [
    "a state of which only the bytes are others",
    `update stream_current set state = (state::text || ' ')::json where stream = 'node:east/east-1'`,
    "node:east/east-1",
    /with another state$/
  ],
  [
    "a state that was set back",
    "update stream_current set version = 2 where stream = 'vip:default/192.0.2.1'",
    "vip:default/192.0.2.1",
    /^expected version 3 by event 4, found version 2 by event 4$/
  ],
  [
    "a state that is gone",
    "delete from stream_current where stream = 'node:east/east-1'",
    "node:east/east-1",
    /or newer, found no state$/
  ],
  [
    "a state that no event led to",
    "insert into stream_current values ('vip:default/192.0.2.9', 'vip', 1, 3, now(), '{}')",
    "vip:default/192.0.2.9",
    /no event says so/
  ],
  [
    "a stream that lives again",
    `update stream_current set state = '{}' where stream = 'service:east/shop/web'`,
    "service:east/shop/web",
    /with another state$/
  ],
  [
    "a stretch of history with another holder",
    `update vip_history set holders = '[]' where from_seq = 5`,
    "vip:default/2001:db8::5 from event 5",
    /expected what event 5 says/
  ],
  [
    "a stretch that was left open",
    "update vip_history set to_seq = 9 where from_seq = 4",
    "vip:default/192.0.2.1 from event 4",
    /expected its end open, found it at event 9/
  ],
  [
    "a stretch that is gone",
    "delete from vip_history where from_seq = 3",
    "vip:default/192.0.2.1 from event 3",
    /expected a stretch of this VIP, found none/
  ],
  [
    "a stretch that was made up",
    `insert into vip_history (network, address, from_seq, valid_from, state, pool, holders, reason_code, actor)
     values ('default', '192.0.2.77', 6, now(), 'assigned', 'public', '[]', 'x', 'y')`,
    "vip:default/192.0.2.77 from event 6",
    /expected an event of this VIP, found none/
  ],
  [
    "a stretch of another part of a shared address",
    "update vip_history set member = 'west' where from_seq = 5",
    "vip:default/2001:db8::5 from event 5",
    /expected what event 5 says/
  ],
  [
    "the oldest events gone without an archive",
    "set session_replication_role = replica; delete from events where seq < 3",
    "events 1 to 2",
    /since the log does not say that they are archived, found none/
  ],
  [
    "an event gone between others",
    `set session_replication_role = replica; delete from events where seq = 6;
     update stream_current s set version = 1, seq = 1, recorded_at = e.recorded_at, state = e.data -> 'after'
     from events e where e.seq = 1 and s.stream = e.stream`,
    "events 6 to 6",
    /found none/
  ],
  [
    "a message whose summary says something else",
    `update intent set summary = replace(summary, '"withdraws":false', '"withdraws":true') where subject = 'node.east-1'`,
    "east node.east-1",
    /^expected its summary to be .*"withdraws":false.*, found .*"withdraws":true/
  ],
  [
    "a message that is of another event",
    "update intent set seq = 3 where subject = 'node.east-1'",
    "east node.east-1",
    /^expected number 1 by event 3, found a message of number 1 by event 8$/
  ],
  [
    "a message of an event that is none",
    "update intent set seq = 99 where subject = 'node.east-1'",
    "east node.east-1",
    /found event 99, which is none/
  ],
  [
    "a message that is none",
    "update intent set envelope = 'odd' where subject = 'node.east-1'",
    "east node.east-1",
    /^expected a signed message, found none$/
  ],
  [
    "a message that is gone",
    "delete from intent where subject = 'node.east-1'",
    "east",
    /^expected number 2, 1 messages and digest .*, found number 2, 2 messages and digest /
  ],
  [
    "a set that has messages of before",
    "update intent_head set begun_cseq = 1",
    "east",
    /^expected number 2, 1 messages and digest .*, found number 2, 2 messages and digest /
  ],
  [
    "a head that is gone",
    "delete from intent_head",
    "east",
    /^expected a head of number 2, 2 messages .*, found none$/
  ],
  [
    "a head that was signed for another set",
    "update intent_head set envelope = replace(envelope, 'count\\\":2', 'count\\\":3')",
    "east",
    /^expected a signed head of number 2, 2 messages .*, found one of number 2, 3 messages /
  ]
]

describe("the comparison of a database with its log", () => {
  it.live("finds nothing where nobody changed anything, whatever the bytes are", () =>
    Effect.gen(function* () {
      const { after } = yield* written
      const { compared, differences } = yield* after("select 1")
      assert.deepStrictEqual(differences, [])
      assert.strictEqual(compared, 5 + 4 + 8 + 2 + 1)
    }).pipe(Effect.scoped)
  )

  for (const [what, statement, key, says] of table) {
    it.live(`finds ${what}`, () =>
      Effect.gen(function* () {
        const { after } = yield* written
        const { differences } = yield* after(statement)
        assert.deepStrictEqual([...new Set(differences.map((difference) => difference.key))], [key])
        assert.match(differences[0]?.what ?? "", says)
      }).pipe(Effect.scoped)
    )
  }

  it.live("leaves its findings for everybody, until one that does not find them again has ended", () =>
    Effect.gen(function* () {
      const { ledger } = yield* written
      const found: ReplayDifference = { projection: "stream_current", key: "node:east/east-1", what: "odd" }
      const now = yield* ledger.now
      yield* ledger.saveReplayFindings([found])
      yield* ledger.endReplay({ checkedBy: "one", position: 7, compared: 15, startedAt: now })
      const { last, ageMs, findings } = yield* ledger.replayStanding
      assert.deepInclude(last, { checkedBy: "one", position: 7, compared: 15, startedAt: now })
      assert.isAtLeast(ageMs ?? -1, 0)
      assert.deepStrictEqual(
        findings.map(({ foundAt: _, ...difference }) => difference),
        [found]
      )
      const later = new Date(Date.parse(yield* ledger.now) + 1_000).toISOString()
      yield* ledger.endReplay({ checkedBy: "one", position: 7, compared: 15, startedAt: later })
      assert.deepStrictEqual((yield* ledger.replayStanding).findings, [])
    }).pipe(Effect.scoped)
  )
})
