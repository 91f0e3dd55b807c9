import { Result } from "effect"
import { isNewest, readState } from "./state-shapes.ts"
import type { StoredState } from "./stored.ts"
import type { ServiceState } from "./stream.ts"

/**
 * States of Services by their names, each parsed when somebody asks for it. A fleet that is loaded has a hundred thousand, and
 * what is decided next is about few of them; as texts they take a fraction of the time and of the room.
 */
export class WaitingStates extends Map<string, ServiceState> {
  /** A stored state that `mayWait`. */
  setLater(key: string, row: StoredState): void {
    super.set(key, new Waiting(row) as unknown as ServiceState)
  }

  override get(key: string): ServiceState | undefined {
    const state: unknown = super.get(key)
    return state instanceof Waiting ? this.#parse(key, state) : (state as ServiceState | undefined)
  }

  override *entries(): MapIterator<[string, ServiceState]> {
    for (const [key, state] of super.entries() as MapIterator<[string, unknown]>) {
      yield [key, state instanceof Waiting ? this.#parse(key, state) : (state as ServiceState)]
    }
  }

  override *values(): MapIterator<ServiceState> {
    for (const [, state] of this.entries()) yield state
  }

  override [Symbol.iterator](): MapIterator<[string, ServiceState]> {
    return this.entries()
  }

  override forEach(look: (state: ServiceState, key: string, map: Map<string, ServiceState>) => void): void {
    for (const [key, state] of this.entries()) look(state, key, this)
  }

  #parse(key: string, { row }: Waiting): ServiceState {
    const state = Result.getOrThrow(readState(row)) as ServiceState
    super.set(key, state)
    return state
  }
}

class Waiting {
  readonly row: StoredState

  constructor(row: StoredState) {
    this.row = row
  }
}

/** A stored state, with what the database says of it. */
export interface LoadedState extends StoredState {
  /** Whether its text is, as far as the database can tell, what was written; a writer writes only what can be read again. */
  readonly isAsWritten?: boolean
}

/**
 * Whether all that a fleet has indexes of is known of a Service without parsing its state: that it is not refused, and asks for
 * no address of another IP version. The texts are those that `JSON.stringify` makes, and what only looks like one is parsed.
 */
export const mayWait = ({ stream, schema, state, isAsWritten }: LoadedState): boolean =>
  isAsWritten === true &&
  state !== null &&
  stream.startsWith("service:") &&
  isNewest("Service", schema) &&
  state.startsWith('{"_tag":"Service",') &&
  state.endsWith(',"refusal":null}') &&
  !state.includes('"PreferDualStack"')
