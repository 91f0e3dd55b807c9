import { createHash, randomUUID } from "node:crypto"
import { sendCommand } from "@lowtide/bus/commands"
import type { Bus } from "@lowtide/bus/connection"
import { makeSendWindow, type SendWindow } from "@lowtide/bus/send-window"
import { type Command, type Finding, findingText, type LogEnd, phases } from "@lowtide/domain"
import { type ClusterChange, ClusterSource, isComplete } from "@lowtide/kube"
import { Deferred, Effect, Option, Queue, Stream } from "effect"
import { further, inventory, type LaterLook, lookedLater, tellings } from "./observations.ts"

/** Commands under way at once, at most: enough for the centre to commit many together. */
const commandsInFlight = 64

/** How often an agent says that it is there, at least. */
const greetEveryMsUnset = 30_000

/** How soon a source is looked at again that had more than was told. */
const lookAgainMs = 1_000

/** Of two objects that contradict each other the one that came first stays: a repeat must not overtake the one before it. */
const inOrder: ReadonlySet<string> = new Set(["configuration", "advertisements"])

/**
 * Tells the centre what its cluster is like, and then every change, for ever. Each look at the source is compared with
 * what the centre has acknowledged, so that a start, a change and a time without the centre are one path.
 */
export const reportCluster = (
  cluster: string,
  remembered: Remembered = nothingRemembered,
  greetEveryMs = greetEveryMsUnset
): Effect.Effect<void, never, ClusterSource | Bus> =>
  Effect.gen(function* () {
    const source = yield* ClusterSource
    const ids = commandIds(cluster)
    const window = yield* makeSendWindow(commandsInFlight)
    const begin = (): Life => ({ ids, window, told: new Map(), end: undefined, later: undefined, step: "telling" })
    let life = begin()
    const spoken = new Set<string>()
    let newest: ClusterChange | undefined
    const scope = yield* Effect.scope
    const again = yield* Queue.unbounded<Effect.Effect<void, never, Bus>>()
    const tell = (change: ClusterChange, isRepeat = false): Effect.Effect<void, never, Bus> =>
      Effect.gen(function* () {
        const own = life
        newest = change
        yield* sayFindings(change.findings, spoken)
        yield* tellChange(cluster, change, own, own.step === "inventoried" ? undefined : remembered.statusAddresses)
        if (own.step === "inventoried" || !isComplete(change)) return
        if (own.end !== undefined && (own.later === undefined || isRepeat))
          own.later = lookedLater(cluster, own.later, { end: own.end, change: yield* lookFromNothing(source) })
        const whole = inventory(cluster, change, own.later)
        if (whole === undefined) return yield* repeatLater(own)
        yield* send(cluster, whole, change, own, randomUUID())
        own.step = "inventoried"
        yield* Effect.logInfo(`cluster ${cluster}: ${change.objects.size} objects reported`)
      })
    /** Only one repeat waits at a time: however often the source changes meanwhile, it is read no more often for it. */
    const repeatLater = (own: Life) =>
      Effect.suspend(() => {
        if (own.step === "repeating") return Effect.void
        own.step = "repeating"
        return Effect.asVoid(Effect.forkIn(Effect.delay(Queue.offer(again, repeat(own)), lookAgainMs), scope))
      })
    const repeat = (own: Life) =>
      Effect.suspend(() => {
        if (own !== life || own.step !== "repeating" || newest === undefined) return Effect.void
        own.step = "telling"
        return tell(newest, true)
      })
    let forgotten = yield* Deferred.make<void>()
    // A centre that has lost history may hold back for ever what is being told: telling begins anew, with everything.
    yield* remembered.forgotten.pipe(
      Stream.runForEach(() =>
        Effect.gen(function* () {
          life = begin()
          const before = forgotten
          forgotten = yield* Deferred.make<void>()
          yield* Deferred.succeed(before, undefined)
          yield* Queue.offer(
            again,
            Effect.suspend(() => (newest === undefined ? Effect.void : tell(newest)))
          )
        })
      ),
      Effect.forkScoped
    )
    /** What the centre was told of the cluster is said again, so that it hears that the agent is there, and its version. */
    const greet = Effect.suspend(() => {
      const text = life.told.get("cluster")
      if (text === undefined || newest === undefined) return Effect.void
      return Effect.asVoid(send(cluster, JSON.parse(text) as Command, newest, life, randomUUID()))
    })
    const changes = Stream.map(source.changes, (change) => tell(change))
    const greetings = Stream.as(Stream.tick(greetEveryMs), greet)
    yield* Stream.merge(Stream.merge(changes, Stream.fromQueue(again)), greetings).pipe(
      Stream.runForEach((say) => Effect.raceFirst(say, Deferred.await(forgotten)))
    )
  }).pipe(Effect.scoped)

/** The source as another run of it begins, which rests on nothing that was read before. */
const lookFromNothing = ({ changes }: ClusterSource["Service"]): Effect.Effect<ClusterChange | undefined> =>
  Effect.map(Stream.runHead(changes), Option.getOrUndefined)

/** What an agent knows of the time before, for a centre that does not. */
export interface Remembered {
  /** Something each time that the centre has forgotten what it was told. */
  readonly forgotten: Stream.Stream<unknown>
  /** What the status of a Service says that it has. */
  readonly statusAddresses: (service: { readonly namespace: string; readonly name: string }) => ReadonlyArray<string>
}

const nothingRemembered: Remembered = { forgotten: Stream.never, statusAddresses: () => [] }

const tellChange = Effect.fnUntraced(function* (
  cluster: string,
  change: ClusterChange,
  life: Life,
  statusAddresses: Remembered["statusAddresses"] | undefined
) {
  const { told } = life
  const news = tellings(cluster, change, told)
  const correlationId = randomUUID()
  for (const phase of phases) {
    yield* Effect.forEach(
      news.filter((telling) => telling.phase === phase),
      (telling) =>
        send(cluster, withStatus(telling.command, statusAddresses), change, life, correlationId).pipe(
          Effect.andThen((isTold) =>
            Effect.sync(() => {
              if (!isTold) return
              if (telling.text === undefined) told.delete(telling.about)
              else told.set(telling.about, telling.text)
            })
          )
        ),
      { concurrency: inOrder.has(phase) ? 1 : commandsInFlight, discard: true }
    )
  }
})

/** A first report of a Service says what its status has, which nobody else may know. */
const withStatus = (command: Command, statusAddresses: Remembered["statusAddresses"] | undefined): Command => {
  if (command._tag !== "ObserveService" || statusAddresses === undefined) return command
  const addresses = statusAddresses(command.service)
  return addresses.length === 0 ? command : { ...command, statusAddresses: addresses }
}

/**
 * Answers whether the centre has been told. A command refused for good is told: saying it again would change nothing. One
 * that met a defect is not: an allocator without the defect takes it with the next change.
 */
const send = Effect.fnUntraced(function* (
  cluster: string,
  command: Command,
  change: ClusterChange,
  life: Life,
  correlationId: string
) {
  const envelope = {
    commandId: life.ids(command),
    correlationId,
    observedAt: new Date(change.changedAtMs).toISOString(),
    command: command as Parameters<typeof sendCommand>[1]["command"]
  }
  const reply = yield* sendCommand(cluster, envelope, life.window)
  if (reply._tag === "Done") {
    life.end = further(life.end, reply.end)
    return true
  }
  yield* Effect.logError(`${reply.code} ${command._tag} was refused: ${reply.message}`)
  return reply.code !== "LT0506"
})

/** From the time that nothing counts as told: once when the agent starts, and once in each recovery. */
interface Life {
  readonly ids: CommandIds
  readonly window: SendWindow
  /** What the centre has acknowledged; see `Told`. */
  readonly told: Map<string, string>
  /** How far the log goes, by the answers that came. */
  end: LogEnd | undefined
  later: LaterLook | undefined
  /** Whether the inventory is sent, or a repeat waits that may come to it. */
  step: "telling" | "repeating" | "inventoried"
}

type CommandIds = (command: Command) => string

/**
 * Ids that name one observation: hash of cluster, content, this run and a count. A repeat of the same sending has the same
 * id; the same content seen again later is another observation, since A, B, A is not A.
 */
const commandIds = (cluster: string): CommandIds => {
  const run = randomUUID()
  let count = 0
  return (command) => {
    const hash = createHash("sha256")
      .update(`${cluster}\0${run}\0${++count}\0${JSON.stringify(command)}`)
      .digest("hex")
    // RFC 9562 §5.8: version 8, variant 10.
    return `${hash.slice(0, 8)}-${hash.slice(8, 12)}-8${hash.slice(13, 16)}-a${hash.slice(17, 20)}-${hash.slice(20, 32)}`
  }
}

/** Each finding once on stderr, and again when it comes back. */
const sayFindings = Effect.fnUntraced(function* (findings: ReadonlyArray<Finding>, spoken: Set<string>) {
  const lines = new Map(findings.map((finding) => [findingText(finding), finding.severity]))
  for (const line of spoken) if (!lines.has(line)) spoken.delete(line)
  for (const [line, severity] of lines) {
    if (spoken.has(line)) continue
    spoken.add(line)
    yield* severity === "error" ? Effect.logError(line) : Effect.logWarning(line)
  }
})
