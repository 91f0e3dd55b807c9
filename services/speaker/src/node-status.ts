import type { PeerStatus } from "@lowtide/bgp/peer"
import type { NodeStatus } from "@lowtide/bus/status"
import { newestFleetVersion } from "@lowtide/domain/fleet/fleet-version"
import type { BfdGuard } from "./bfd-guard.ts"
import type { Brake } from "./brake.ts"
import type { HeldState } from "./held-state.ts"
import type { Intake } from "./intake.ts"
import type { Peers } from "./peers.ts"
import type { RefusalLog } from "./refusals.ts"
import type { Reporter } from "./reporter.ts"
import type { RouteTable } from "./route-table.ts"
import type { SpeakerPort } from "./speaker-port.ts"
import type { StandingRefusals } from "./standing-refusals.ts"
import {
  addressesWith,
  brakeStatus,
  proofStatus,
  sessionStatus,
  signersOf,
  untoldStatus,
  withheldStatus
} from "./status.ts"

/** What a node's status is gathered from. */
export interface NodeStatusPort
  extends Pick<SpeakerPort, "settings" | "runId" | "unixMs" | "monotonicMs" | "life" | "withheld" | "diagnosis"> {
  readonly held: HeldState
  readonly intake: Intake
  readonly table: RouteTable
  readonly peers: Peers
  readonly brake: Brake
  readonly bfd: Pick<BfdGuard, "of">
  readonly refusals: RefusalLog
  readonly standing: StandingRefusals
  readonly notes: Reporter["notes"]
  readonly isQuiet: () => boolean
  /** Up to which message all is confirmed by now. */
  readonly confirm: () => number
}

/** Says how the node is, and notes for the next process that it is. */
export class NodeStatusReport {
  readonly #port: NodeStatusPort
  /** What the intake says of its last agreement before there was any. */
  readonly #beganAgreedMs: number
  #hadUntold = false

  constructor(port: NodeStatusPort) {
    this.#port = port
    this.#beganAgreedMs = port.intake.sync.agreedAtMs
  }

  /** Whether the last status named what some session has yet to be told. */
  get hadUntold(): boolean {
    return this.#hadUntold
  }

  /** The status of this moment. */
  now(): NodeStatus {
    const { settings, runId, unixMs, held, intake, table, peers, brake, refusals, withheld, isQuiet } = this.#port
    const agreedAtMs = this.#agreedAtMs
    const untold = untoldStatus(table, (peer, prefix) => peers.isPending(peer, prefix))
    this.#hadUntold = untold.untold !== undefined
    return {
      _tag: "NodeStatus",
      cluster: settings.cluster,
      node: settings.node,
      at: new Date(unixMs()).toISOString(),
      runId,
      fleetVersion: newestFleetVersion,
      sync: intake.sync.state,
      cseq: held.newest.cseq,
      ...(held.newestStamp === undefined ? {} : { stamp: held.newestStamp }),
      ...proofStatus(held),
      ...(held.formerCount === 0 ? {} : { former: held.formerCount }),
      confirmedCseq: this.#port.confirm(),
      signers: signersOf(held, brake),
      sessions: this.#sessions,
      announcing: isQuiet() ? [] : addressesWith(table, (peer, prefix) => peers.isSent(peer, prefix)),
      ...untold,
      ...this.#port.standing.status,
      refused: refusals.recent,
      ...brakeStatus(brake),
      ...withheldStatus(withheld),
      ...(agreedAtMs === undefined ? {} : { agreedAt: new Date(agreedAtMs).toISOString() })
    }
  }

  /** The next process is to know that this one lives, and when it last agreed with a head. */
  noteLife(): void {
    const { life, unixMs, monotonicMs, intake } = this.#port
    const { state, agreedAtMs } = intake.sync
    const nowMs = unixMs()
    life.note(nowMs, state === "live" ? nowMs - (monotonicMs() - agreedAtMs) : undefined)
  }

  get #sessions(): NodeStatus["sessions"] {
    const { peers, notes, bfd, diagnosis } = this.#port
    return peers.running.map((peer) => {
      const { options } = peer
      const evidence = (status: PeerStatus) => diagnosis.of(options, status)
      return sessionStatus(peer, { fault: notes.lastFault(options.name), bfd: bfd.of(options.name), evidence })
    })
  }

  /** When what is held last agreed with a head, milliseconds since 1970; undefined where neither this process nor the one before knows. */
  get #agreedAtMs(): number | undefined {
    const { life, unixMs, monotonicMs, intake } = this.#port
    const { agreedAtMs } = intake.sync
    return agreedAtMs === this.#beganAgreedMs
      ? (life.former?.agreedAtMs ?? undefined)
      : unixMs() - (monotonicMs() - agreedAtMs)
  }
}
