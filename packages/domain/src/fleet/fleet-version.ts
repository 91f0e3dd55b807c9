import type { FleetKind } from "../config/index.ts"
import type { Command } from "./command.ts"
import { type EventType, eventTypes } from "./event.ts"
import type { EventDefinition } from "./stored.ts"

/**
 * A fleet has a version, which is finalised by an event once all of its processes know it: until then nothing is written or
 * sent that the release before would not know, so that it can be gone back to.
 */
export const newestFleetVersion = 2

/** A log without any word of a version was begun by the first release. */
export const firstFleetVersion = 1

/** Commands that came after the first version. A type of event says it in `eventTypes`. */
const commandsSince: Partial<Readonly<Record<Command["_tag"], number>>> = {
  ReleaseBrake: 2,
  FinishMoves: 2,
  RecordWireDrop: 2,
  RecordSegment: 2,
  ApproveWithdrawals: 2,
  RejectWithdrawals: 2
}

/** Kinds of the fleet's own objects that came after the first version. */
const kindsSince: Partial<Readonly<Record<FleetKind, number>>> = { SharedAddress: 2, AddressPool: 2, Fleet: 2 }

/** What else came after the first version: fields of messages and of states, ways to decide. */
export const featuresSince = {
  /** How long a released address rests, where its pool says it: kept with the address. */
  poolQuarantine: 2,
  /** A Service that moves is announced at its old address until the new one is on the wire. */
  moves: 2,
  /** What may be withdrawn on command without a second person. */
  blastRadius: 2,
  /** Configuration that takes routes counts as withdrawal, and waits where it takes too many. */
  configurationBudget: 2,
  /** A change that is held is kept, and made once nothing would be invalid by it. */
  heldChanges: 2,
  /** A cluster names the one load balancer class that is served in it. */
  loadBalancerClass: 2,
  /** A Service that is being deleted gets nothing new. */
  deletingServices: 2,
  /** A Service whose routes have two local preferences, or whose move cannot end, is told of it. */
  preferenceFindings: 2,
  /** Speakers prove the stamps that they say; one that is not proven shows no loss of history. */
  provenStamps: 2,
  /** Peers with a password, a VRF, an interface in place of an address, an AS of their own kind, a least TTL, a maximum of prefixes or a role, and those that take no standby: a speaker of before would set up another session than is asked for, or tell it more. */
  peerSettings: 2,
  /** Routes have a MED, or a longer AS path, by their advertisement: a speaker of before would tell them without. */
  routePreferences: 2,
  /** Routes of a shared address say whose they are: a speaker of before would announce them for any of its Services. */
  routeServices: 2
} as const satisfies Readonly<Record<string, number>>

/** Something that is off until its version is finalised. */
export type Feature = keyof typeof featuresSince

/** The version that a command came with. */
export const sinceOfCommand = (tag: Command["_tag"]): number => commandsSince[tag] ?? firstFleetVersion

/** The version that a kind of the fleet's own objects came with. */
export const sinceOfKind = (kind: FleetKind): number => kindsSince[kind] ?? firstFleetVersion

/** The version that a type of event came with. */
export const sinceOfEvent = (type: EventType): number => {
  const definition: EventDefinition = eventTypes[type]
  return definition.since ?? firstFleetVersion
}

/** By name, what is off while the fleet has this version: events, commands and kinds and features, the finalising itself aside. */
export const offAt = (fleet: number): ReadonlyArray<string> =>
  [
    ...(Object.keys(eventTypes) as ReadonlyArray<EventType>).map((type) => [type, sinceOfEvent(type)] as const),
    ...Object.entries(commandsSince),
    ...Object.entries(kindsSince),
    ...Object.entries<number>(featuresSince)
  ]
    .filter(([name, since]) => since > fleet && name !== "FleetVersionFinalised")
    .map(([name]) => name)
    .sort()
