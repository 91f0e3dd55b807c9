import { Effect, Semaphore } from "effect"

/**
 * How many commands one sender has under way: at most so many, half as many after an overload, and one more after each answer.
 * So senders share a busy allocator without knowing of each other.
 */
export interface SendWindow {
  /** Waits for a place, asks, and learns from how that went. Places are given in the order in which they are asked for. */
  readonly ask: <A, E, R>(asked: Effect.Effect<A, E, R>, isOverload: (error: E) => boolean) => Effect.Effect<A, E, R>
  /** Places that there are now. */
  readonly size: Effect.Effect<number>
}

/** A window that is as wide as it may be until the first overload. */
export const makeSendWindow = (sizeMax: number): Effect.Effect<SendWindow> =>
  Effect.map(Semaphore.make(sizeMax), (places) => {
    let size = sizeMax
    let narrowings = 0
    const resize = (to: number) => {
      size = to
      return places.resize(to)
    }
    return {
      size: Effect.sync(() => size),
      ask: (asked, isOverload) =>
        places.withPermit(
          Effect.suspend(() => {
            const narrowingsBefore = narrowings
            return asked.pipe(
              Effect.tap(() => (size < sizeMax ? resize(size + 1) : Effect.void)),
              Effect.tapError((error) => {
                // All that was sent before the window was narrowed met one overload.
                if (!isOverload(error) || narrowings > narrowingsBefore) return Effect.void
                narrowings += 1
                return resize(Math.max(1, Math.floor(size / 2)))
              })
            )
          })
        )
    }
  })
