import { codes, firstFleetVersion, isKnown, newestFleetVersion, readState, streamOf, Unreadable } from "@lowtide/domain"
import { Ledger, type Unavailable } from "@lowtide/ledger"
import { Effect, Result } from "effect"

/** How long what cannot be read is left alone before it is looked at again. */
export const readAgainMs = 10_000

/** What of the log this release cannot read, as far as this process has met it. */
export class Readability {
  #types: Unreadable | undefined
  #states: Unreadable | undefined

  /** Why this allocator neither leads nor answers; undefined when it can read what there is. */
  get fault(): Unreadable | undefined {
    return this.#types ?? this.#states
  }

  /** What loading or following the log met; undefined when it went well. Said once. */
  noteStates(fault: Unreadable | undefined): Effect.Effect<void> {
    const known = this.#states
    this.#states = fault
    return this.#types === undefined ? say(known, fault) : Effect.void
  }

  /** Whether the fleet's version, and all types and versions that the log holds, are known to this release; says once when not. */
  readonly mayLead: Effect.Effect<boolean, Unavailable, Ledger> = Effect.gen({ self: this }, function* () {
    const types = yield* (yield* Ledger).eventTypes
    const unknown = types.find(({ type, schema }) => !isKnown(type, schema))
    const known = this.#types
    this.#types =
      unknown === undefined
        ? undefined
        : new Unreadable({
            code: "LT0540",
            seq: unknown.firstSeq,
            detail: `event ${unknown.firstSeq}: expected what this release knows, found ${unknown.type} of version ${unknown.schema}`
          })
    this.#types ??= yield* newerFleet
    yield* say(known, this.#types)
    return this.#types === undefined
  })
}

/** A fleet version that this release does not know, with the event that finalised it, which may be in an archive by now. */
const newerFleet: Effect.Effect<Unreadable | undefined, Unavailable, Ledger> = Effect.gen(function* () {
  const row = yield* (yield* Ledger).streamState(streamOf.fleetVersion())
  if (row === null) return undefined
  const state = readState(row)
  if (Result.isFailure(state)) return state.failure
  const version = state.success?._tag === "FleetVersion" ? state.success.version : firstFleetVersion
  if (version <= newestFleetVersion) return undefined
  const detail = `event ${row.seq}: expected a version up to ${newestFleetVersion}, which this release knows, found ${version}`
  return new Unreadable({ code: "LT0542", seq: row.seq, detail })
})

const say = (known: Unreadable | undefined, fault: Unreadable | undefined): Effect.Effect<void> => {
  if (fault === undefined || fault.message === known?.message) return Effect.void
  const { title, fix } = codes[fault.code]
  return Effect.logError(`${fault.code} ${title}: ${fault.detail}. Nothing is decided or answered here. Fix: ${fix}`)
}
