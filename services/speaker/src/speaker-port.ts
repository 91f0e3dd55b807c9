import type { NodePeer } from "@lowtide/domain/announcing/intent"
import type { BfdProcess } from "./bfd-guard.ts"
import type { SpeakerDiagnosis } from "./diagnosis/diagnosis.ts"
import type { IntakePort } from "./intake.ts"
import type { Journal, LoadedRecords } from "./journal.ts"
import type { SpeakerLife } from "./life.ts"
import type { PasswordLookup } from "./passwords.ts"
import type { LocalSettings } from "./peer-options.ts"
import type { PeersPort } from "./peers.ts"
import type { JudgeSaved } from "./saved-state.ts"
import type { Trust } from "./trust.ts"
import type { Neighbors } from "./unnumbered/neighbors.ts"
import type { Withheld } from "./withheld.ts"

/** What a speaker runs on. */
export interface SpeakerPort {
  readonly settings: LocalSettings
  readonly trust: Trust
  readonly journal: Journal
  readonly loaded: LoadedRecords
  /** What was found of its messages beforehand; missing: they are judged one after the other. */
  readonly judgeSaved?: JudgeSaved
  /** What the process before left of itself, and what this one leaves. */
  readonly life: SpeakerLife
  /** Looks for the cause where a peer does not answer. */
  readonly diagnosis: SpeakerDiagnosis
  /** What a person at the node took away. */
  readonly withheld: Withheld
  readonly startPeer: PeersPort["startPeer"]
  /** How a peer's password is found now; undefined where it has none. */
  readonly passwordOf: (peer: NodePeer) => PasswordLookup | undefined
  /** Whether what a peer's session needs of this node was looked for yet; `beginWaiting` says that it is so now. */
  readonly mayBegin: (peer: NodePeer) => boolean
  /** The node's BFD; what it says is given to `takeBfd`. */
  readonly bfd: BfdProcess
  /** Whether an address is on a network of the node's own. */
  readonly isOnLink: (address: string) => boolean
  /** Who is on the node's unnumbered interfaces. */
  readonly neighbors: Pick<Neighbors, "want" | "tick" | "on" | "whyNot">
  /** Names this run in statuses. */
  readonly runId: string
  readonly say: (severity: "info" | "warning" | "error", text: string) => void
  /** Asks for everything to be read again. */
  readonly resync: () => void
  /** A status or a report is due, or may be sooner than was last answered. */
  readonly wake: () => void
  readonly monotonicMs: () => number
  readonly unixMs: () => number
  /** 0 to below 1. */
  readonly random: () => number
  /** `judgeMessages`, or what answers as it does and without other threads. */
  readonly judge: IntakePort["judge"]
}
