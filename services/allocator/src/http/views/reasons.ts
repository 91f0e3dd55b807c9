import type { ReasonCode } from "@lowtide/domain"
import { unknownPool } from "@lowtide/domain/fleet/recovery"

/** Why an address is held, behind "because": an event's reason code (docs/reference/events.md) in words. */
export const heldReason = (reason: string): string => wordsOf(held, reason)

/** Why nobody holds an address. */
export const restReason = (reason: string): string => wordsOf(resting, reason)

type Reasons = Readonly<Partial<Record<ReasonCode, string>>>

/** A code of a newer release stands for itself. */
const wordsOf = (words: Reasons, reason: string): string =>
  (Object.hasOwn(words, reason) ? words[reason as ReasonCode] : undefined) ?? reason

/** Where several Services share an address, a stretch begins as well when one of them leaves. */
const held: Reasons = {
  "requested-address": "the Service asked for this address",
  "requested-pool": "the Service asked for this pool",
  "pool-selected": "this was the first pool in the stated order that had a free address",
  sticky: "the Service held it last",
  shared: "another Service with the same sharing key held it",
  reserved: "a reservation keeps it for the Service",
  "shared-address": "the Service is a member of a shared address",
  "status-says": "the Service's status named it already",
  "speakers-hold": "speakers held it for the Service when the log had lost that",
  "service-gone": "another Service that shared it is gone",
  "address-no-longer-wanted": "another Service that shared it wants it no longer",
  moved: "another Service that shared it has moved to another address"
}

const resting: Reasons = {
  "service-gone": "the Service is gone",
  "address-no-longer-wanted": "the Service wants it no longer",
  moved: "the Service has moved to another address",
  "released-by-person": "a person let it go",
  "status-says": "a Service's status named it when the log had lost it",
  "speakers-hold": "speakers held it as withdrawn when the log had lost that",
  "withdrawal-confirmed": "every node that was to withdraw it has confirmed that",
  "node-retired": "the last node that had not confirmed its withdrawal was retired by a person",
  "force-released": "a person answers for its withdrawal, which not every node had confirmed",
  "quarantine-over": "its quarantine is over",
  approved: "a second person approved its withdrawal"
}

/** `pool public`; of an address that was taken over it may not be known before its Service is seen. */
export const poolText = (pool: string): string => (pool === unknownPool ? "a pool that is not known" : `pool ${pool}`)
