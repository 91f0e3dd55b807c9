import { Result } from "effect"
import { isNewest, readState } from "./state-shapes.ts"
import type { StoredState } from "./stored.ts"
import type { Holder, StreamState, VipState } from "./stream.ts"

/**
 * States by their names, each parsed when somebody asks for it. A fleet that is loaded has some hundred thousand, and what is
 * decided next is about few of them; as texts they take a fraction of the time and of the room.
 */
export class WaitingStates<State extends StreamState> extends Map<string, State> {
  /** A stored state of which all that is indexed is known. */
  setLater(key: string, row: StoredState): void {
    super.set(key, new Waiting(row) as unknown as State)
  }

  override get(key: string): State | undefined {
    const state: unknown = super.get(key)
    return state instanceof Waiting ? this.#parse(key, state) : (state as State | undefined)
  }

  override *entries(): MapIterator<[string, State]> {
    for (const [key, state] of super.entries() as MapIterator<[string, unknown]>) {
      yield [key, state instanceof Waiting ? this.#parse(key, state) : (state as State)]
    }
  }

  override *values(): MapIterator<State> {
    for (const [, state] of this.entries()) yield state
  }

  override [Symbol.iterator](): MapIterator<[string, State]> {
    return this.entries()
  }

  override forEach(look: (state: State, key: string, map: Map<string, State>) => void): void {
    for (const [key, state] of this.entries()) look(state, key, this)
  }

  #parse(key: string, { row }: Waiting): State {
    const state = Result.getOrThrow(readState(row)) as State
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

/** All of a VIP that a fleet has indexes of. */
export interface IndexedVip
  extends Pick<
    VipState,
    "network" | "address" | "pool" | "cluster" | "phase" | "lastHolders" | "releasedAtMs" | "heldRelease"
  > {
  readonly holders: ReadonlyArray<Pick<Holder, "namespace" | "name" | "sharingKey" | "leaving">>
}

/**
 * What is indexed of a VIP as most of them are: given to one Service, and nothing else to say of it. Undefined of any other,
 * which is parsed.
 */
export const waitingVip = ({ stream, schema, state, isAsWritten }: LoadedState): IndexedVip | undefined => {
  if (isAsWritten !== true || state === null || !stream.startsWith("vip:") || !isNewest("Vip", schema)) return undefined
  const found = plainVip.exec(state)
  if (found === null) return undefined
  const [, network = "", address = "", pool = "", cluster = "", namespace = "", name = ""] = found
  const holders = [{ namespace, name, sharingKey: "" }]
  return { network, address, pool, cluster, phase: "assigned", holders, lastHolders: [] }
}

/** A text without anything that JSON escapes ends where it seems to, so that nothing else than this has the pattern. */
const plainVip = new RegExp(
  String.raw`^\{"_tag":"Vip","network":"(T)","address":"(T)","pool":"(T)","cluster":"(T)","phase":"assigned","holders":`
    .concat(
      String.raw`\[\{"namespace":"(T)","name":"(T)","uid":"T","sharingKey":"","ports":\[(?:"T",?)*\],"backendKey":"T"\}\],`
    )
    .concat(String.raw`"lastHolders":\[\],"obliged":\[\],"quarantineEndMs":null\}$`)
    .replaceAll("T", String.raw`[^"\\]*`)
)
