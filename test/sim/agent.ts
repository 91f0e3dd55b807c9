import type { CommandReply } from "@lowtide/bus/commands"
import { type CommandEnvelope, type LogEnd, phases } from "@lowtide/domain"
import { type ClusterChange, isComplete } from "@lowtide/kube"
import {
  further,
  inventory,
  type LaterLook,
  lookedLater,
  type Telling,
  tellings
} from "../../services/agent/src/observations.ts"
import { outOfSight, type Site } from "./site.ts"

/** A command on its way, with how often it was sent. */
export interface Sent {
  readonly agent: SimAgent
  readonly envelope: CommandEnvelope
  readonly attempt: number
}

interface Waiting {
  readonly envelope: CommandEnvelope
  readonly telling: Telling | undefined
  attempt: number
}

/** A cluster's agent: what it says is the product's `tellings` and `inventory`; it sends phase by phase until it is answered. */
export class SimAgent {
  readonly site: Site
  readonly #run: number
  readonly #told = new Map<string, string>()
  readonly waiting = new Map<string, Waiting>()
  #phases: Array<ReadonlyArray<Telling>> = []
  #seen: ClusterChange | undefined
  #count = 0
  #isInventoried = false
  #end: LogEnd | undefined
  #later: LaterLook | undefined
  #isRepeat = false
  #recovery = ""

  /** What its source shows nothing of, and says that this is all. */
  readonly unseenKind: string | undefined

  /** `run` tells the lives of an agent apart. */
  constructor(site: Site, run: number, unseenKind?: string) {
    this.site = site
    this.#run = run
    this.unseenKind = unseenKind
  }

  get isIdle(): boolean {
    return this.waiting.size === 0 && this.#phases.length === 0
  }

  /** Whether it has told everything that it saw, and once that this is all. */
  get isDone(): boolean {
    return this.isIdle && this.#isInventoried
  }

  /**
   * Looks at its source, if what it saw before is told, and answers what there is to send. One that is before its inventory does
   * so in turn with a repeat, for which what it saw stays: a source may be late with what another look finds.
   */
  look(nowMs: number): ReadonlyArray<Sent> {
    if (!this.isIdle) return []
    this.#isRepeat = this.#later !== undefined && !this.#isInventoried && !this.#isRepeat
    const change = this.#isRepeat && this.#seen !== undefined ? this.#seen : this.#look(nowMs)
    this.#seen = change
    const news = tellings(this.site.name, change, this.#told)
    this.#phases = phases.map((phase) => news.filter((telling) => telling.phase === phase))
    return this.#next(nowMs)
  }

  #look(nowMs: number): ClusterChange {
    return this.site.isVisible
      ? this.site.look(nowMs, this.unseenKind)
      : outOfSight(this.#seen, (name) => this.site.hidden.has(name), nowMs)
  }

  /** The centre has lost what it was told: telling begins anew, with everything, once in each recovery. */
  forget(recovery: string): boolean {
    if (recovery === this.#recovery) return false
    this.#recovery = recovery
    this.#told.clear()
    this.waiting.clear()
    this.#phases = []
    this.#isInventoried = false
    this.#isRepeat = false
    this.#end = undefined
    this.#later = undefined
    return true
  }

  /** Sends again what is not answered. */
  resend(): ReadonlyArray<Sent> {
    return [...this.waiting.values()].map((waiting) => {
      waiting.attempt += 1
      return { agent: this, envelope: waiting.envelope, attempt: waiting.attempt }
    })
  }

  /** Takes an answer, and answers what there is to send then. */
  answered(commandId: string, reply: CommandReply, nowMs: number): ReadonlyArray<Sent> {
    const waiting = this.waiting.get(commandId)
    if (waiting === undefined || reply._tag === "TryAgain") return []
    this.waiting.delete(commandId)
    if (reply._tag === "Done") this.#end = further(this.#end, reply.end)
    const { telling } = waiting
    if (telling !== undefined) {
      if (telling.text === undefined) this.#told.delete(telling.about)
      else this.#told.set(telling.about, telling.text)
    }
    return this.waiting.size > 0 ? [] : this.#next(nowMs)
  }

  #next(nowMs: number): ReadonlyArray<Sent> {
    while (this.waiting.size === 0 && this.#phases.length > 0) {
      for (const telling of this.#phases.shift() ?? []) this.#wait(telling.command, telling, nowMs)
    }
    if (this.waiting.size === 0 && !this.#isInventoried && this.#seen !== undefined && isComplete(this.#seen)) {
      if (this.#end !== undefined && (this.#later === undefined || this.#isRepeat))
        this.#later = lookedLater(this.site.name, this.#later, { end: this.#end, change: this.#look(nowMs) })
      const whole = inventory(this.site.name, this.#seen, this.#later)
      if (whole !== undefined) {
        this.#isInventoried = true
        this.#wait(whole, undefined, nowMs)
      }
    }
    return [...this.waiting.values()].map(({ envelope, attempt }) => ({ agent: this, envelope, attempt }))
  }

  #wait(command: CommandEnvelope["command"], telling: Telling | undefined, nowMs: number): void {
    const number = (++this.#count).toString(16).padStart(12, "0")
    const commandId = `00000000-0000-8000-${this.#run.toString(16).padStart(4, "0")}-${number}`
    const { name } = this.site
    const envelope: CommandEnvelope = {
      commandId,
      correlationId: commandId,
      actor: `agent:${name}`,
      actorKind: "agent",
      observedAt: new Date(nowMs).toISOString(),
      command
    }
    this.waiting.set(commandId, { envelope, telling, attempt: 1 })
  }
}
