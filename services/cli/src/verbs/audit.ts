import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto"
import { closeSync, openSync, readSync, writeFileSync } from "node:fs"
import { auditReadsQuery } from "@lowtide/api/audit"
import type { LowtideClient } from "@lowtide/api/client"
import { historyLimitDefault, historyLimitMax } from "@lowtide/api/parameters"
import { type CheckpointKeys, type SignedCheckpoint, verifierKey } from "@lowtide/ledger/proofs/checkpoint"
import { verifyProofText } from "@lowtide/ledger/proofs/proof"
import { readStretchLine } from "@lowtide/ledger/proofs/segment"
import { type LogVerdict, LogVerifier } from "@lowtide/ledger/proofs/verify-log"
import { dropIn, sealIn, type WireSeal, type WireVerdict, WireVerifier } from "@lowtide/ledger/proofs/wire-seal"
import { Effect, Option, Result, Stream } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { segmentFault } from "../archive.ts"
import { ask } from "../ask.ts"
import { momentFlag, readActor, readMoment } from "../at.ts"
import { CliFault, exitCodes, Unmet, usageFault } from "../fault.ts"
import { judgeRequest } from "../request.ts"
import { print, serverFlags } from "../root.ts"
import { Surroundings } from "../surroundings.ts"
import { formatTable } from "../table.ts"
import { readColumns } from "../tables/history.ts"
import {
  type ArchiveName,
  archiveNameIn,
  chooseKeys,
  keyFlag,
  linesOf,
  logSentence,
  notesIn,
  openNotes,
  proofSentence,
  readInput,
  unreadText,
  wireSentence
} from "../verification.ts"
import { exportVerb, outFlag, writing } from "./audit-export.ts"

const archiveFlag = (description: string) =>
  Flag.String("archive").pipe(Flag.withDescription(`${description}; may be given several times`), Flag.atLeast(0))

/** The events of archives, one file after the other, as an export would have them: after what stands for those before. */
const archivedLines = Effect.fnUntraced(function* (paths: ReadonlyArray<string>) {
  const { gzipLines } = yield* Effect.promise(() => import("@lowtide/ledger/lines"))
  return Stream.fromIterable(paths).pipe(
    Stream.flatMap((path) => Stream.fromAsyncIterable(gzipLines(path), (cause) => archiveFault(path, cause as Error))),
    Stream.filter((line) => line.startsWith('{"seq":') || readStretchLine(line) !== undefined)
  )
})

/** Of a file that is there and is no whole gzip the octets are wrong. */
const archiveFault = (path: string, cause: Error): CliFault =>
  "syscall" in cause
    ? usageFault(`--archive ${path}: expected a file that can be read, found ${cause.message}`, "check the path")
    : new CliFault({
        exitCode: exitCodes.unmet,
        what: `--archive ${path}: expected a whole archive, found that it is damaged: ${cause.message}`,
        next: "nothing is said of the ledger by it; use another copy"
      })

/** `lowtide audit verify [FILE]`. */
const verify = Command.make(
  "verify",
  {
    file: Argument.String("file").pipe(
      Argument.withDescription("A full export (NDJSON) or a proof; without, the server's ledger is read and verified"),
      Argument.optional
    ),
    checkpoints: Flag.String("checkpoints").pipe(
      Flag.withDescription("File or folder of signed checkpoints; may be given several times"),
      Flag.atLeast(0)
    ),
    wire: Flag.String("wire").pipe(
      Flag.withDescription("With an export: an export of the wire journal, to be compared with its seals"),
      Flag.optional
    ),
    archives: archiveFlag("Archive of the first events, as `lowtide ledger archive` wrote it; the oldest first"),
    key: keyFlag
  },
  Effect.fnUntraced(function* ({ file, checkpoints, wire, archives, key }) {
    const keys = yield* chooseKeys(key)
    const archived = yield* archivedLines(archives)
    if (Option.isNone(file)) return yield* verifyServer(keys, checkpoints, archived)
    if (yield* isProofFile(file.value)) return yield* verifyProofFile(keys, file.value)
    const opened = yield* openNotes(keys, (yield* Effect.forEach(checkpoints, notesIn)).flat())
    const log = yield* readLog(archived.pipe(Stream.concat(linesOf("file", file.value))), opened)
    const journal =
      Option.isNone(wire) || !isRead(log.verdict) ? undefined : yield* readWire(linesOf("--wire", wire.value), log)
    yield* tellLog(log, journal, opened)
  })
).pipe(
  Command.withDescription(
    "Verify the server's ledger, an export of it or a proof, against signed checkpoints; exit 1 when it does not fit, 2 when it cannot be told"
  ),
  Command.withExamples([
    { command: "lowtide audit verify", description: "Read the server's whole ledger and verify it" },
    {
      command: "lowtide audit verify log.ndjson --checkpoints /var/lib/lowtide/checkpoints --key keys.txt",
      description: "Verify an export without any server"
    },
    { command: "lowtide audit verify proof.json --key keys.txt", description: "Verify what `audit prove` wrote" }
  ])
)

/** The checkpoints come first: an export that is read after them has at least their events. */
const verifyServer = Effect.fnUntraced(function* (
  keys: CheckpointKeys,
  paths: ReadonlyArray<string>,
  archived: Stream.Stream<string, CliFault>
) {
  const { user } = yield* Surroundings
  const server = yield* serverFlags
  const notes = yield* ask(server, (client) => fetchNotes(client, true), true)
  const opened = yield* openNotes(keys, [...(yield* Effect.forEach(paths, notesIn)).flat(), ...notes])
  const exported = <A>(
    journal: "wire" | undefined,
    read: <E>(lines: Stream.Stream<string, E>) => Effect.Effect<A, E | CliFault>
  ) =>
    ask(
      server,
      (client) =>
        client.audit
          .export({ query: journal === undefined ? {} : { journal }, headers: { "x-lowtide-user": user } })
          .pipe(Effect.flatMap((octets) => read(octets.pipe(Stream.decodeText(), Stream.splitLines)))),
      true
    )
  const log = yield* exported(undefined, (lines) => readLog(archived.pipe(Stream.concat(lines)), opened))
  const journal = isRead(log.verdict) ? yield* exported("wire", (lines) => readWire(lines, log)) : undefined
  yield* tellLog(log, journal, opened)
})

/** Seals in events that were not read would be missing of the journal. */
const isRead = ({ gaps, misplacedSeq }: LogVerdict): boolean => gaps.length === 0 && misplacedSeq === undefined

const readLog = <E>(lines: Stream.Stream<string, E>, checkpoints: ReadonlyArray<SignedCheckpoint>) =>
  Effect.suspend(() => {
    const verifier = new LogVerifier(checkpoints)
    const seals: Array<WireSeal> = []
    const files = new Map<number, ArchiveName>()
    let droppedUntilId = 0
    const add = (line: string) => {
      const event = verifier.add(line)
      const seal = event === undefined ? undefined : sealIn(event)
      if (seal !== undefined) seals.push(seal)
      const file = event === undefined ? undefined : archiveNameIn(event)
      if (file !== undefined) files.set(file.fromSeq, file)
      droppedUntilId = (event === undefined ? undefined : dropIn(event)) ?? droppedUntilId
    }
    return Stream.runForEach(lines, (line) => Effect.sync(() => add(line))).pipe(
      Effect.map(() => ({ verdict: verifier.finish(), seals, droppedUntilId, archives: [...files.values()] }))
    )
  })

const readWire = <E>(
  lines: Stream.Stream<string, E>,
  { seals, droppedUntilId }: { readonly seals: ReadonlyArray<WireSeal>; readonly droppedUntilId: number }
) =>
  Effect.suspend(() => {
    const verifier = new WireVerifier(seals, droppedUntilId)
    return Stream.runForEach(lines, (line) => Effect.sync(() => verifier.add(line))).pipe(
      Effect.map(() => verifier.finish())
    )
  })

const tellLog = Effect.fnUntraced(function* (
  { verdict, archives }: { readonly verdict: LogVerdict; readonly archives: ReadonlyArray<ArchiveName> },
  journal: WireVerdict | undefined,
  [checkpoint]: ReadonlyArray<SignedCheckpoint>
) {
  const { err } = yield* Surroundings
  const origin = checkpoint?.origin ?? ""
  const sentence = [
    logSentence(verdict, origin, archives),
    ...(journal === undefined ? [] : [wireSentence(journal, verdict.since)])
  ].join("\n")
  const { newest, ...rest } = verdict
  const answer = { ...rest, origin, checkpoint: newest?.note ?? null, wireJournal: journal ?? null, sentence }
  yield* print(answer, () => sentence)
  for (const { what } of verdict.faults) err(what)
  for (const what of journal?.faults ?? []) err(what)
  if (verdict.faults.length > 0 || journal?.isIntact === false) return yield* new Unmet()
  const unread = unreadText(verdict, archives)
  if (unread !== undefined) return yield* usageFault(`--archive: ${unread.what}`, unread.next)
  if (!verdict.isIntact) return yield* new Unmet()
})

const isProofFile = (path: string): Effect.Effect<boolean, CliFault> =>
  Effect.try({
    try: () => {
      const file = openSync(path, "r")
      try {
        const start = Buffer.alloc(200)
        return /^\s*\{\s*"kind":\s*"lowtide\.dev\/proof/.test(start.toString("utf8", 0, readSync(file, start)))
      } finally {
        closeSync(file)
      }
    },
    catch: (cause) =>
      usageFault(`file ${path}: expected an export or a proof, found ${(cause as Error).message}`, "check the path")
  })

const verifyProofFile = Effect.fnUntraced(function* (keys: CheckpointKeys, path: string) {
  const verdict = verifyProofText(yield* readInput("file", path), keys)
  if (verdict === undefined) {
    return yield* usageFault(`file ${path}: expected a proof as \`lowtide audit prove\` writes it`, "make it again")
  }
  const sentence = proofSentence(verdict)
  yield* print({ isProved: verdict.isProved, event: verdict.event, sentence }, () => sentence)
  if (!verdict.isProved) return yield* new Unmet()
})

/** `lowtide audit prove SEQ`. */
const prove = Command.make(
  "prove",
  {
    seq: Argument.Int("seq").pipe(Argument.withDescription("The event, as `lowtide history` names it")),
    from: Flag.Int("from").pipe(
      Flag.withDescription("Size of an older checkpoint: shows as well that the log goes on from it"),
      Flag.optional
    ),
    archives: archiveFlag("Prove it by the archive that has it, without any server"),
    key: keyFlag,
    out: outFlag
  },
  Effect.fnUntraced(function* ({ seq, from, archives, key, out }) {
    for (const [name, value] of [
      ["seq", seq],
      ["--from", Option.getOrUndefined(from)]
    ] as const) {
      if (value !== undefined && value < 1) {
        return yield* usageFault(`${name}: expected 1 or more, found ${value}`, "see `lowtide audit prove --help`")
      }
    }
    const query = Option.isSome(from) ? { from: from.value } : {}
    const [archive, ...others] = archives
    if (archive !== undefined && (others.length > 0 || Option.isSome(from))) {
      return yield* usageFault(
        "--archive: expected one, without --from",
        "an archive proves by the checkpoint that it has"
      )
    }
    const proof =
      archive === undefined
        ? yield* ask(yield* serverFlags, (client) => client.audit.proof({ params: { seq }, query }))
        : yield* proveByArchive(archive, seq, key)
    const text = JSON.stringify(proof, null, 2)
    if (Option.isNone(out)) return (yield* Surroundings).out(text)
    yield* writing(out.value, () => writeFileSync(out.value, `${text}\n`))
    ;(yield* Surroundings).err(`wrote ${out.value}; verify it with \`lowtide audit verify ${out.value}\``)
  })
).pipe(
  Command.withDescription("Write a proof that an event is in the ledger, which anybody can check without it"),
  Command.withExamples([
    { command: "lowtide audit prove 17 --out proof.json", description: "The proof of event 17 as a file" },
    { command: "lowtide audit prove 17 --from 1000", description: "And that the log goes on from an older checkpoint" }
  ])
)

const proveByArchive = Effect.fnUntraced(function* (archive: string, seq: number, key: Option.Option<string>) {
  const keys = yield* chooseKeys(key)
  const { proveFromSegment } = yield* Effect.promise(() => import("@lowtide/ledger/segment-file"))
  return yield* Effect.mapError(proveFromSegment(archive, keys, seq), segmentFault)
})

/** `lowtide audit checkpoints`. */
const checkpoints = Command.make("checkpoints", {}, () =>
  Effect.gen(function* () {
    const notes = yield* ask(yield* serverFlags, (client) => fetchNotes(client, true), true)
    yield* print(notes, () => notes.join("\n").trimEnd())
  })
).pipe(
  Command.withDescription("Sign a checkpoint now, and print all of them: keep them where the database cannot reach"),
  Command.withExamples([{ command: "lowtide audit checkpoints > checkpoints.txt", description: "For `audit verify`" }])
)

const fetchNotes = (client: LowtideClient["Service"], isFresh: boolean) =>
  Effect.gen(function* () {
    const notes: Array<string> = []
    for (let since: number | null = 1; since !== null; ) {
      const fresh = isFresh && since === 1 ? ({ fresh: "true" } as const) : {}
      const page: { readonly items: ReadonlyArray<{ readonly note: string }>; readonly next: number | null } =
        yield* client.audit.checkpoints({ query: { since, ...fresh } })
      notes.push(...page.items.map(({ note }) => note))
      since = page.next
    }
    return notes
  })

/** `lowtide audit reads`. */
const reads = Command.make(
  "reads",
  {
    actor: Flag.String("actor").pipe(
      Flag.withDescription("Only what this actor asked: person:ada, local:root"),
      Flag.optional
    ),
    since: momentFlag("since", "From then on"),
    until: momentFlag("until", "Up to and with"),
    at: momentFlag("at", "As it was known then"),
    limit: Flag.Int("limit").pipe(
      Flag.withDescription(`Questions, 1 to ${historyLimitMax}; the newest ones`),
      Flag.withDefault(historyLimitDefault)
    ),
    before: Flag.Int("before").pipe(Flag.withDescription("Only those before this id, for older pages"), Flag.optional)
  },
  Effect.fnUntraced(function* ({ actor, since, until, at, limit, before }) {
    const { nowMs, timeZone, hasColour, screenColumns, err } = yield* Surroundings
    const asked = readActor(actor)
    const query = {
      ...(Option.isSome(asked) ? { actor: asked.value } : {}),
      ...(yield* readMoment("audit reads", "since", since)),
      ...(yield* readMoment("audit reads", "until", until)),
      ...(yield* readMoment("audit reads", "at", at)),
      limit,
      ...(Option.isSome(before) ? { before: before.value } : {})
    }
    yield* judgeRequest("audit reads", auditReadsQuery, query)
    const page = yield* ask(yield* serverFlags, (client) => client.audit.reads({ query }))
    yield* print(page, (format) =>
      page.items.length === 0
        ? ""
        : formatTable(readColumns(nowMs, timeZone), page.items, { isWide: format === "wide", hasColour, screenColumns })
    )
    if (page.items.length === 0) err("nothing found")
    if (page.next !== null) err(`older questions: --before ${page.next}`)
  })
).pipe(
  Command.withDescription("Tell who asked what of the record, the newest last; who exported is in `lowtide history`"),
  Command.withExamples([
    { command: "lowtide audit reads --since 24h", description: "What everybody asked in a day" },
    { command: "lowtide audit reads --actor person:ada", description: "What one person asked" }
  ])
)

/** `lowtide audit key`. */
const key = Command.make(
  "key",
  {
    file: Argument.String("file").pipe(
      Argument.withDescription("An Ed25519 key, PEM; of a private one, its public half")
    ),
    id: Flag.String("id").pipe(Flag.withDescription("LOWTIDE_CHECKPOINT_KEY_ID of the allocator"))
  },
  Effect.fnUntraced(function* ({ file, id }) {
    const pem = yield* readInput("file", file)
    const read = Result.try((): KeyObject => createPublicKey(pem.includes("PRIVATE") ? createPrivateKey(pem) : pem))
    if (Result.isFailure(read) || read.success.asymmetricKeyType !== "ed25519") {
      return yield* usageFault(
        `file ${file}: expected an Ed25519 key in PEM`,
        "openssl genpkey -algorithm ed25519 makes one"
      )
    }
    if (!/^[^\s+]+$/.test(id)) {
      return yield* usageFault(`--id: expected a name without spaces and +, found ${JSON.stringify(id)}`, "correct it")
    }
    const line = verifierKey(id, read.success)
    yield* print({ verifierKey: line }, () => line)
  })
).pipe(
  Command.withDescription("Print the verifier key of a PEM key, for --key"),
  Command.withExamples([
    { command: "lowtide audit key checkpoint-key.pem --id lowtide-2026 > keys.txt", description: "For auditors" }
  ])
)

/** `lowtide audit`. */
export const audit = Command.make("audit").pipe(
  Command.withDescription("Verify, prove and export the ledger, and tell who read it"),
  Command.withSubcommands([verify, prove, checkpoints, exportVerb, reads, key])
)
