import { makeStored } from "../src/fleet/stored.ts"
import { eventTypes, type StreamState, sinceOfEvent, stateShapes } from "../src/index.ts"

/** The tables as the release before had them: what came with a version after `fleet` is not in them. */
export const storedAt = (fleet: number) =>
  makeStored<StreamState>(
    Object.fromEntries(
      Object.entries(eventTypes).filter(([type]) => sinceOfEvent(type as keyof typeof eventTypes) <= fleet)
    ),
    Object.fromEntries(
      Object.entries(stateShapes).map(([tag, [first, ...later]]) => [
        tag,
        [first, ...(later as ReadonlyArray<{ since: number }>).filter(({ since }) => since <= fleet)] as never
      ])
    )
  )
