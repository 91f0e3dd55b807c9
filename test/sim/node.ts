import type { NodeStatus } from "@lowtide/bus/status"
import { Effect, Result } from "effect"
import type { SavedRecord } from "../../services/speaker/src/journal-record.ts"
import { Speaker } from "../../services/speaker/src/speaker.ts"
import { type Judged, judgeMessage, type Trust } from "../../services/speaker/src/trust.ts"
import { firstLife, nobody, noDiagnosis, nothingWithheld } from "../../services/speaker/test/played.ts"
import type { Cable, Follower } from "./cable.ts"
import type { Choices } from "./choices.ts"
import { SimPeer, type SimRouters } from "./router.ts"
import type { Site } from "./site.ts"

/** What a node runs on. */
export interface NodeSetting {
  readonly site: Site
  readonly name: string
  readonly trust: Trust
  readonly routers: SimRouters
  readonly cable: Cable
  readonly choices: Choices
  readonly nowMs: () => number
}

/** A node: the product's speaker, on a disk that survives it and sessions to routers that believe what they are told. */
export class SimNode {
  readonly name: string
  readonly follower: Follower
  readonly #setting: NodeSetting
  readonly #disk: Array<SavedRecord> = []
  #speaker: Speaker | undefined
  #peers: ReadonlyArray<SimPeer> = []
  #isSourceRead = false
  /** The machine's wall clock is off by this much. */
  wallOffsetMs = 0
  /** It is lost for good: nothing of it comes back. */
  isDead = false

  constructor(setting: NodeSetting) {
    this.#setting = setting
    this.name = setting.name
    this.follower = { cluster: setting.site.name, isConnected: false, inbox: [] }
    setting.cable.followers.add(this.follower)
  }

  get cluster(): string {
    return this.#setting.site.name
  }

  get isRunning(): boolean {
    return this.#speaker !== undefined
  }

  get peers(): ReadonlyArray<SimPeer> {
    return this.#peers.filter(({ isStopped }) => !isStopped)
  }

  start(): void {
    if (this.isRunning || this.isDead) return
    const { site, name, trust, routers, cable, choices, nowMs } = this.#setting
    const bootedAtMs = nowMs()
    const mine: Array<SimPeer> = []
    this.#peers = mine
    const speaker = new Speaker({
      passwordOf: () => undefined,
      mayBegin: () => true,
      bfd: { set: () => undefined, remove: () => undefined, sessions: () => new Map(), isConnected: () => false },
      isOnLink: () => true,
      neighbors: nobody,
      settings: { cluster: site.name, node: name },
      trust,
      journal: {
        append: async (records) => {
          if (this.#speaker === speaker) this.#disk.push(...records)
          else await new Promise<never>(() => undefined) // the process is gone, and its writes with it
        },
        isLong: () => false,
        compact: (all) => void this.#disk.splice(0, this.#disk.length, ...all),
        close: async () => undefined
      },
      loaded: { records: [...this.#disk], damage: "none", faults: [] },
      life: firstLife,
      diagnosis: noDiagnosis,
      withheld: nothingWithheld(),
      startPeer: (options, onEvent) =>
        Effect.sync(() => {
          const peer = new SimPeer({
            options,
            node: name,
            routers,
            onEvent: (event) => {
              if (this.#speaker === speaker) Effect.runSync(Effect.sync(() => onEvent(event)))
            },
            nowMs,
            isHeardEnding: () => !choices.oneIn(4)
          })
          mine.push(peer)
          return peer
        }),
      runId: `${name}-${bootedAtMs}`,
      say: () => undefined,
      resync: () => cable.snapshot(this.follower),
      wake: () => undefined,
      monotonicMs: () => nowMs() - bootedAtMs,
      unixMs: () => nowMs() + this.wallOffsetMs,
      random: () => choices.below(1000) / 1000,
      judge: async (trust, texts) => texts.map((text) => ({ text, judged: judgeOnce(trust, text.key, text.envelope) }))
    })
    this.#speaker = speaker
    this.#isSourceRead = false
    speaker.start()
    this.lookAtEndpoints()
    cable.connect(this.follower)
  }

  /** SIGKILL. The router notices at once, or by its hold timer. */
  kill(isNoticed: boolean): void {
    if (this.#speaker === undefined) return
    this.#speaker = undefined
    for (const peer of this.#peers) peer.abandon(isNoticed)
    this.#peers = []
    this.#setting.cable.disconnect(this.follower)
  }

  die(): void {
    this.kill(false)
    this.isDead = true
  }

  /** What a node sees of its endpoints needs neither centre nor cable; nothing is believed of a source that is out of sight. */
  lookAtEndpoints(): void {
    const { site } = this.#setting
    if (this.#speaker === undefined || !site.isVisible) return
    const slices = site.slices
    const names = new Set(slices.map(({ name }) => name))
    const deleted = Array.from({ length: 5 }, (_, index) => `s${index}`)
      .filter((service) => !names.has(`${service}-1`))
      .map((service) => ({ namespace: "shop", name: `${service}-1`, service, endpoints: [] }))
    this.#speaker.takeEndpoints({ put: slices, deleted: this.#isSourceRead ? deleted : [], isComplete: true })
    this.#isSourceRead = true
  }

  /** Takes the next thing that the cable brought. */
  receive(): void {
    const item = this.follower.inbox.shift()
    if (item !== undefined) this.#speaker?.intake.take(item)
  }

  tick(): void {
    this.#speaker?.tick()
  }

  get status(): NodeStatus | undefined {
    return this.#speaker?.status()
  }

  /** The status that is sent, with a part of the answer to a roll call where there is one. */
  takeStatus(): NodeStatus | undefined {
    const held = this.#speaker?.takeHeldPart()
    const status = this.status
    return status === undefined || held === undefined ? status : { ...status, held }
  }
}

const judgements = new WeakMap<Trust, Map<string, Judged>>()

/** A signature takes longer to check than everything else that a node does with a message, and both nodes get it. */
const judgeOnce: typeof judgeMessage = (trust, key, envelope) => {
  let known = judgements.get(trust)
  if (known === undefined || known.size > 10_000) {
    known = new Map()
    judgements.set(trust, known)
  }
  const text = `${key} ${envelope}`
  const judged = known.get(text) ?? judgeMessage(trust, key, envelope)
  known.set(text, judged)
  return judged
}

/** Turns of the event loop that a speaker needs to take, save and act on a batch. */
const turns = 8

export const settle = async (): Promise<void> => {
  for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate)
}

/** A trust as the files of an install give it. */
export const trusted = <A>(trust: Result.Result<A, ReadonlyArray<string>>): A =>
  Result.getOrThrowWith(trust, (faults) => new Error(faults.join("; ")))
