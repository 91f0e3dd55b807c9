import { Data, Deferred, Effect, Exit, type Scope } from "effect"

/** Too many commands wait already; nothing was done. The caller tries again later. */
export class Overloaded extends Data.TaggedError("Overloaded")<{
  readonly waiting: number
  readonly waitingMax: number
}> {
  override get message() {
    return `expected fewer than ${this.waitingMax} waiting commands, found ${this.waiting}; nothing was done`
  }
}

/** Commands in, outcomes out, many to a commit. */
export interface GroupCommit<Command, Outcome, Failure> {
  /**
   * Waits until the command's batch is committed. Fails as its whole batch failed. A caller that is interrupted only
   * stops waiting: the command may be committed all the same.
   */
  readonly submit: (command: Command) => Effect.Effect<Outcome, Failure | Overloaded>
  /** Commands accepted and not yet taken into a batch. */
  readonly waiting: Effect.Effect<number>
  /** Whether `submit` would fail as `Overloaded`. */
  readonly isFull: Effect.Effect<boolean>
}

/** Bounds of the loop; the defaults are where the measurements flatten. */
export interface GroupCommitOptions<Command, Outcome, Failure> {
  /** Decides and commits a batch; answers one outcome a command, in their order. Runs one at a time. */
  readonly commit: (commands: ReadonlyArray<Command>) => Effect.Effect<ReadonlyArray<Outcome>, Failure>
  /** Default 256. */
  readonly batchMax?: number
  /** Default 2,048. */
  readonly waitingMax?: number
}

interface Waiting<Command, Outcome, Failure> {
  readonly command: Command
  readonly done: Deferred.Deferred<Outcome, Failure>
}

/** Hands every waiter its own outcome, or all of them the batch's failure. */
const settle = <Command, Outcome, Failure>(
  batch: ReadonlyArray<Waiting<Command, Outcome, Failure>>,
  exit: Exit.Exit<ReadonlyArray<Outcome>, Failure>
) => {
  const checked =
    Exit.isSuccess(exit) && exit.value.length !== batch.length
      ? Exit.die(new Error(`group commit: expected ${batch.length} outcomes, found ${exit.value.length}`))
      : exit
  for (const [index, entry] of batch.entries()) {
    Deferred.doneUnsafe(
      entry.done,
      Exit.map(checked, (outcomes) => outcomes[index]!)
    )
  }
}

/**
 * Starts the loop: while one batch is being committed the next one gathers, so the batch grows with the load and an
 * idle ledger answers at once. A failed batch fails its own waiters only; the loop goes on. When the scope closes,
 * the batch in flight is finished and whoever still waits is interrupted.
 */
export const makeGroupCommit = <Command, Outcome, Failure>(
  options: GroupCommitOptions<Command, Outcome, Failure>
): Effect.Effect<GroupCommit<Command, Outcome, Failure>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const batchMax = options.batchMax ?? 256
    const waitingMax = options.waitingMax ?? 2_048
    let waiting: Array<Waiting<Command, Outcome, Failure>> = []
    let wake: (() => void) | undefined
    let closed = false

    const someWait = Effect.callback<void>((resume) => {
      if (waiting.length > 0) return resume(Effect.void)
      wake = () => resume(Effect.void)
    })
    const commitOne = Effect.suspend(() => {
      const batch = waiting.slice(0, batchMax)
      waiting = waiting.slice(batchMax)
      return Effect.exit(options.commit(batch.map((entry) => entry.command))).pipe(
        Effect.andThen((exit) => Effect.sync(() => settle(batch, exit)))
      )
    })
    yield* someWait.pipe(Effect.andThen(Effect.uninterruptible(commitOne)), Effect.forever, Effect.forkScoped)
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        closed = true
        for (const entry of waiting.splice(0)) Deferred.doneUnsafe(entry.done, Exit.interrupt())
      })
    )

    const submit = (command: Command) =>
      Effect.suspend((): Effect.Effect<Outcome, Failure | Overloaded> => {
        if (closed) return Effect.interrupt
        if (waiting.length >= waitingMax) {
          return Effect.fail(new Overloaded({ waiting: waiting.length, waitingMax }))
        }
        const done = Deferred.makeUnsafe<Outcome, Failure>()
        waiting.push({ command, done })
        wake?.()
        wake = undefined
        return Deferred.await(done)
      })
    return {
      submit,
      waiting: Effect.sync(() => waiting.length),
      isFull: Effect.sync(() => waiting.length >= waitingMax)
    }
  })
