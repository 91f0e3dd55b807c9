import { hostname } from "node:os"
import { newestFleetVersion } from "@lowtide/domain"
import { Ledger, type StoredAllocator } from "@lowtide/ledger"
import { Effect } from "effect"

/** Who this allocator is to the others. */
export interface AllocatorIdentity {
  /** The holder's id at the lease; another one each run. */
  readonly id: string
  /** What people call it. */
  readonly name: string
  /** Where its API answers, as others reach it; null when nobody was told. */
  readonly url: string | null
}

/** The name of an allocator that was given none. */
export const defaultAllocatorName = hostname()

/** How often an allocator says that it runs, and looks who else does. */
const reportEveryMs = 1_000

/** An allocator that ends says so, unless the database takes longer than this. */
const goodbyeTimeout = "300 millis"

/** The allocators on this database, as last seen. */
export class Allocators {
  readonly self: AllocatorIdentity
  #known: ReadonlyArray<StoredAllocator> = []

  constructor(self: AllocatorIdentity) {
    this.self = self
  }

  get known(): ReadonlyArray<StoredAllocator> {
    return this.#known
  }

  /** Who leads, as far as known; itself counts as soon as the database says so. */
  get leader(): StoredAllocator | undefined {
    return this.#known.find(({ leads }) => leads)
  }

  /** Looks again; what was known stays while the database is away. */
  readonly look: Effect.Effect<void, never, Ledger> = Effect.gen({ self: this }, function* () {
    this.#known = yield* (yield* Ledger).allocators
  }).pipe(Effect.ignore)

  /** Says each second that this one runs and how far it has read, until it is interrupted; then takes it off the list. */
  report(position: Effect.Effect<number>): Effect.Effect<never, never, Ledger> {
    return Effect.gen({ self: this }, function* () {
      const ledger = yield* Ledger
      yield* ledger
        .reportAllocator({
          ...this.self,
          position: yield* position,
          fleetVersion: newestFleetVersion
        })
        .pipe(Effect.ignore)
      yield* this.look
    }).pipe(
      Effect.andThen(Effect.sleep(reportEveryMs)),
      Effect.forever,
      Effect.ensuring(
        Effect.flatMap(Ledger, (ledger) => ledger.forgetAllocator(this.self.id)).pipe(
          Effect.timeout(goodbyeTimeout),
          Effect.ignore
        )
      )
    )
  }
}
