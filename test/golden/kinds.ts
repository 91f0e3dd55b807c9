import { createPublicKey } from "node:crypto"
import { CommandReply, commandText } from "@lowtide/bus/commands"
import { type KeyRing, open, seal } from "@lowtide/bus/envelope"
import { NodeStatus, WireReport } from "@lowtide/bus/status"
import {
  type Command,
  eventTypes,
  newestFleetVersion,
  readEvent,
  readState,
  StateMessage,
  stateShapes,
  VipIntent,
  writeEvent
} from "@lowtide/domain"
import { AgentCommand } from "@lowtide/domain/fleet/command-schema"
import { type CheckpointSigner, keysOf, openCheckpoint, signCheckpoint } from "@lowtide/ledger/proofs/checkpoint"
import { type EventRecord, readEventRecord, toEventRecord } from "@lowtide/ledger/proofs/event-record"
import { leafHash } from "@lowtide/ledger/proofs/leaf"
import { proofKind, readProof, verifyProof } from "@lowtide/ledger/proofs/proof"
import { readWireRecord } from "@lowtide/ledger/proofs/wire-seal"
import { Result, Schema } from "effect"
import { decodeBatches, encodeBatch, encodeEnd, type SavedRecord } from "../../services/speaker/src/journal-record.ts"
import { commands, goldenKey, writeHistory } from "./history.ts"

/** Something that is stored or sent, in the text that it has there. */
export interface Sample {
  readonly name: string
  readonly text: string
}

/** One kind of what is stored or sent, with all its types. */
export interface GoldenKind {
  readonly folder: string
  /** How many versions there have been of each type. */
  readonly versions: ReadonlyMap<string, number>
  /** What is written now, in the newest version of each type; several of one type where its fields are not always there. */
  readonly samples: ReadonlyArray<Sample>
  /** Reads a text as the product does; fails with what is wrong. */
  readonly read: (text: string) => Result.Result<unknown, string>
  /** What of a text has fields: its JSON, the inner one where one text wraps another. */
  readonly shape: (text: string) => unknown
  /** The version that a sample is of; the first where texts have none. */
  readonly versionOf?: (text: string) => number
}

const attempt = <A>(act: () => A | undefined): Result.Result<A, string> => {
  const value = act()
  return value === undefined ? Result.fail("it is not read") : Result.succeed(value)
}

/** Reads a schema's JSON, and writes it again to the same. */
const reading = <A>(schema: Schema.Codec<A>) => {
  const decode = Schema.decodeUnknownResult(Schema.fromJsonString(schema))
  return (text: string): Result.Result<A, string> =>
    decode(text).pipe(
      Result.mapError(({ message }) => message),
      Result.flatMap((value) => {
        const again = decode(JSON.stringify(value))
        if (Result.isFailure(again) || JSON.stringify(again.success) !== JSON.stringify(value)) {
          throw new Error("it is not the same when it is written and read again")
        }
        return Result.succeed(value)
      })
    )
}

const once = (names: Iterable<string>): ReadonlyMap<string, number> => new Map([...names].map((name) => [name, 1]))
const parse = (text: string): unknown => JSON.parse(text)

const keys: KeyRing = new Map([[goldenKey.keyId, createPublicKey(goldenKey.privateKey)]])
const signer: CheckpointSigner = { name: "golden.lowtide.dev", privateKey: goldenKey.privateKey }

const stamp = { incarnation: 2, epoch: 3, seq: 41 }
/** Read, written in the newest version, and read again. */
const readAgain = (event: EventRecord) =>
  Result.flatMap(readEvent(event), (change) =>
    Result.map(readEvent({ ...event, ...writeEvent(change, newestFleetVersion) }), (again) => {
      if (JSON.stringify(again) !== JSON.stringify(change)) throw new Error("it is not the same when it is read again")
      return again
    })
  )

const stateRow = reading(
  Schema.Struct({
    stream: Schema.String,
    seq: Schema.Int,
    schema: Schema.Int,
    state: Schema.NullOr(Schema.String)
  })
)

const stateMessage = reading(StateMessage)
const openMessage = (text: string): Result.Result<StateMessage, string> =>
  open(keys, text).pipe(
    Result.mapError(({ message }) => message),
    Result.flatMap(stateMessage)
  )
const payloadOf = (envelope: string): string => (JSON.parse(envelope) as { readonly payload: string }).payload

const isOfAgent = Schema.is(AgentCommand)
const uuid = "00000000-0000-4000-8000-000000000001"
const commandOf = (command: Command, more: Partial<AgentCommand> = {}) =>
  ({ commandId: uuid, correlationId: uuid, command, ...more }) as AgentCommand

const status: NodeStatus = {
  _tag: "NodeStatus",
  cluster: "east",
  node: "east-1",
  at: "2026-11-25T12:00:00.000Z",
  runId: uuid,
  fleetVersion: newestFleetVersion,
  sync: "live",
  cseq: 12,
  stamp,
  former: 1,
  confirmedCseq: 11,
  sessions: [
    {
      peer: "tor",
      peerAddress: "10.1.0.1",
      peerAsn: 64500,
      state: "Established",
      since: "2026-11-25T11:00:00.000Z",
      prefixes: 3,
      lastError: "hold timer expired",
      lastErrorCode: "LT0303"
    },
    {
      peer: "spine",
      peerAddress: "2001:db8::1",
      peerAsn: 64501,
      state: "Idle",
      since: "2026-11-25T11:00:00.000Z",
      prefixes: 0,
      lastError: null,
      lastErrorCode: null
    }
  ],
  announcing: ["192.0.2.0", "2001:db8::1"],
  refused: [{ code: "LT0401", message: "the signature does not fit", at: "2026-11-25T11:30:00.000Z" }]
}
const slow: NodeStatus = { ...status, untold: ["2001:db8::1"] }
const proven: NodeStatus = {
  ...status,
  proof: {
    payload: JSON.stringify({ _tag: "ClusterHead", stamp, cseq: 12, cluster: "east" }),
    keyId: "k1",
    sig: "c2ln"
  }
}
const refusing: NodeStatus = {
  ...status,
  refusing: [
    { code: "LT0401", count: 2, message: "adv.x: the signature does not fit", since: "2026-11-25T11:30:00.000Z" }
  ]
}
const signed: NodeStatus = { ...status, signers: ["2026-1", "2026-2"] }
const held: NodeStatus = {
  ...status,
  held: {
    incarnation: 2,
    part: 0,
    parts: 1,
    vips: [
      {
        network: "default",
        address: "192.0.2.0",
        state: "announced",
        stamp,
        cseq: 7,
        services: [{ namespace: "shop", name: "web", uid: "uid-shop-web" }],
        obliged: ["east-1"]
      }
    ]
  }
}
const braked: NodeStatus = {
  ...status,
  brake: { held: 12, isNodeHeld: false, addresses: ["192.0.2.0"], since: "2026-11-25T11:59:00.000Z" }
}
const known: NodeStatus = {
  ...status,
  agreedAt: "2026-11-25T11:59:59.000Z",
  sessions: [
    {
      ...status.sessions[0]!,
      establishedAt: "2026-11-25T11:00:00.000Z",
      localAddress: "10.1.0.11",
      nextHops: { 4: "10.1.0.11", 6: "2001:db8::11" },
      received: 2,
      evidence: ["it does not answer on the link"],
      errors: {
        received: { at: "2026-11-25T10:00:00.000Z", reason: "shut down", notification: "6/2 Administrative Shutdown" },
        local: { at: "2026-11-25T10:59:00.000Z", reason: "connection refused" }
      }
    }
  ]
}
const withheld: NodeStatus = {
  ...status,
  withheld: {
    count: 2,
    orders: [
      { prefix: "192.0.2.0/32", reason: "attack", actor: "local:ada", since: "2026-11-25T11:58:00.000Z" },
      { prefix: null, reason: "bad card", actor: "local:ada", since: "2026-11-25T11:59:00.000Z" }
    ]
  }
}
const report: WireReport = {
  _tag: "WireReport",
  cluster: "east",
  node: "east-1",
  entries: [
    {
      _tag: "Applied",
      network: "default",
      address: "192.0.2.0",
      stamp,
      cseq: 7,
      verdict: "announced",
      trigger: "intent",
      receivedAt: "2026-11-25T12:00:00.000Z",
      savedAt: null,
      peers: [{ peer: "tor", action: "announced", writtenAt: "2026-11-25T12:00:00.001Z" }]
    },
    {
      _tag: "Applied",
      network: "default",
      address: "192.0.2.1",
      stamp,
      cseq: 7,
      verdict: "Withheld",
      trigger: "intent",
      byHand: { order: "withdraw", reason: "attack", actor: "local:ada" },
      receivedAt: null,
      savedAt: null,
      peers: [{ peer: "tor", action: "withdrawn", writtenAt: "2026-11-25T12:00:00.001Z" }]
    },
    {
      _tag: "Session",
      peer: "tor",
      change: "down",
      at: "2026-11-25T12:00:00.000Z",
      code: "LT0303",
      detail: "hold timer expired"
    },
    { _tag: "Session", peer: "tor", change: "up", at: "2026-11-25T12:00:00.000Z", code: null, detail: "" },
    { _tag: "StatusWritten", namespace: "shop", name: "web", stamp, at: "2026-11-25T12:00:00.000Z" }
  ]
}

const readJournal = (text: string): Result.Result<ReadonlyArray<SavedRecord>, string> => {
  const { records, damaged, isCut } = decodeBatches(text)
  return damaged > 0 || isCut ? Result.fail(`${damaged} lines are damaged`) : Result.succeed(records)
}

/** All kinds, with what the product writes today. */
export const goldenKinds = async (): Promise<ReadonlyArray<GoldenKind>> => {
  const { events, envelopes } = await writeHistory()
  const tagOf = (text: string) => (JSON.parse(text) as { readonly _tag: string })._tag
  const intents = envelopes.map((envelope) => ({ name: tagOf(payloadOf(envelope)), text: envelope }))
  const intent = intents.map(({ text }) => payloadOf(text)).find((text) => tagOf(text) === "VipIntent") ?? ""
  const announced = Result.getOrThrow(reading(VipIntent)(intent))
  const listed: VipIntent = {
    ...announced,
    admission: { _tag: "Listed", nodes: ["east-1"], candidates: ["east-1", "east-2"] },
    massWithdraw: { reason: "drained", cause: 41 }
  }
  const rollCall = {
    _tag: "RollCall",
    stamp,
    cluster: "east",
    begun: "2026-11-25T12:00:00.000Z",
    nodes: ["east-1"]
  } as const
  const records: ReadonlyArray<SavedRecord> = [
    { _tag: "Message", key: "head", envelope: seal(goldenKey, JSON.stringify(rollCall)) },
    { _tag: "Message", key: "vip", envelope: "{}", inEffect: { envelope: "{}", sinceMs: 1_764_072_000_000 } },
    { _tag: "Health", service: "shop/web", servesHere: true, servesAnywhere: true },
    { _tag: "Session", session: "tor", holdTimeSeconds: 90 },
    { _tag: "Session", session: "spine", holdTimeSeconds: null }
  ]
  const [first] = events
  if (first === undefined) throw new Error("expected a history with events, found none")
  const checkpoint = signCheckpoint(signer, {
    origin: "golden.lowtide.dev/log",
    size: 1,
    root: leafHash(first),
    incarnation: 1,
    signedAt: "2026-11-25T12:00:00.000Z"
  })
  const proof = { kind: proofKind, event: toEventRecord(first), inclusion: [], checkpoint }
  return [
    {
      folder: "events",
      versions: new Map(
        Object.entries(eventTypes).map(([type, { state }]) => [type, stateShapes[state].length as number])
      ),
      samples: events.map((event) => ({ name: event.type, text: JSON.stringify(toEventRecord(event)) })),
      read: (text) =>
        attempt(() => readEventRecord(text)).pipe(
          Result.flatMap((record) =>
            Buffer.from(leafHash(record)).toString("hex") === record.leafHash
              ? Result.mapError(readAgain(record), ({ message }) => message)
              : Result.fail("its leaf is another one")
          )
        ),
      shape: (text) => {
        const { data, meta, ...columns } = JSON.parse(text) as { readonly data: string; readonly meta: string }
        return { ...columns, data: parse(data), meta: parse(meta) }
      },
      versionOf: (text) => (JSON.parse(text) as { readonly schema: number }).schema
    },
    {
      folder: "states",
      versions: new Map(Object.entries(stateShapes).map(([tag, shape]) => [tag, shape.length as number])),
      samples: events.flatMap(({ stream, seq, schema, data }) => {
        const { after } = JSON.parse(data) as { readonly after: { readonly _tag: string } | null }
        const row = { stream, seq, schema, state: JSON.stringify(after) }
        return after === null ? [] : { name: after._tag, text: JSON.stringify(row) }
      }),
      read: (text) =>
        Result.flatMap(stateRow(text), (row) => Result.mapError(readState(row), ({ message }) => message)),
      shape: (text) => parse((JSON.parse(text) as { readonly state: string }).state),
      versionOf: (text) => (JSON.parse(text) as { readonly schema: number }).schema
    },
    {
      folder: "messages",
      versions: once(StateMessage.members.map(({ fields }) => fields._tag.schema.literal)),
      samples: [
        ...intents,
        { name: "VipIntent", text: seal(goldenKey, JSON.stringify(listed)) },
        { name: "RollCall", text: seal(goldenKey, JSON.stringify(rollCall)) }
      ],
      read: openMessage,
      shape: (text) => parse(payloadOf(text))
    },
    {
      folder: "commands",
      versions: once(AgentCommand.fields.command.members.map(({ fields }) => fields._tag.schema.literal)),
      samples: [
        ...commands.filter((command) => isOfAgent(commandOf(command))),
        ...commands.flatMap((command) =>
          command._tag === "RepublishCluster"
            ? [command.inventory, { ...command.inventory, asOf: { incarnation: 1, seq: 41 } }]
            : []
        )
      ].map((command) => ({
        name: command._tag,
        text: commandText(commandOf(command, { words: "to show", observedAt: "2026-11-25T12:00:00.000Z" }), 1)
      })),
      read: reading(AgentCommand),
      shape: parse
    },
    {
      folder: "replies",
      versions: once(CommandReply.members.map(({ fields }) => fields._tag.schema.literal)),
      samples: (
        [
          { _tag: "Done", seqFrom: 41, seqTo: 42 },
          { _tag: "Done", seqFrom: null, seqTo: null },
          { _tag: "Done", seqFrom: null, seqTo: null, end: { incarnation: 1, seq: 42 } },
          { _tag: "Refused", code: "LT0507", message: "malformed command" },
          { _tag: "TryAgain", message: "this leadership is over" },
          { _tag: "TryAgain", message: "many commands wait; nothing was done", isBusy: true }
        ] satisfies ReadonlyArray<CommandReply>
      ).map((reply) => ({ name: reply._tag, text: JSON.stringify(reply) })),
      read: reading(CommandReply),
      shape: parse
    },
    {
      folder: "statuses",
      versions: once(["NodeStatus"]),
      samples: [status, held, braked, slow, proven, signed, known, withheld, refusing].map((each) => ({
        name: each._tag,
        text: JSON.stringify(each)
      })),
      read: reading(NodeStatus),
      shape: parse
    },
    {
      folder: "reports",
      versions: once(["WireReport"]),
      samples: [{ name: "WireReport", text: JSON.stringify(report) }],
      read: reading(WireReport),
      shape: parse
    },
    {
      folder: "speaker",
      versions: once(["journal", "snapshot"]),
      samples: [
        { name: "journal", text: records.map((record) => encodeBatch([record])).join("") },
        { name: "snapshot", text: `${encodeBatch(records)}${encodeEnd(1)}` }
      ],
      read: readJournal,
      shape: (text) => decodeBatches(text).records
    },
    {
      folder: "checkpoints",
      versions: once(["checkpoint"]),
      samples: [{ name: "checkpoint", text: checkpoint }],
      read: (text) => openCheckpoint(keysOf(signer), text),
      shape: () => null
    },
    {
      folder: "proofs",
      versions: once(["proof"]),
      samples: [{ name: "proof", text: JSON.stringify(proof) }],
      read: (text) =>
        attempt(() => readProof(text)).pipe(
          Result.map((read) => verifyProof(read, keysOf(signer))),
          Result.flatMap((verdict) => (verdict.isProved ? Result.succeed(verdict) : Result.fail(verdict.why)))
        ),
      shape: parse
    },
    {
      folder: "journal-rows",
      versions: once(["wire"]),
      samples: [
        {
          ...{
            id: 4,
            recordedAt: "2026-11-25T12:00:00.000Z",
            cluster: "east",
            network: "default",
            address: "192.0.2.0"
          },
          ...{ stampIncarnation: 2, stampEpoch: 3, stampSeq: 41, kind: "applied", node: "east-1", peer: "tor" },
          detail: JSON.stringify(report.entries[0])
        },
        { id: 5, recordedAt: "2026-11-25T12:00:00.000Z", cluster: "east", kind: "session", detail: "{}" }
      ].map((row) => ({ name: "wire", text: JSON.stringify(row) })),
      read: (text) => attempt(() => readWireRecord(text)),
      shape: parse
    }
  ]
}
