import { Bus, layerBus } from "@lowtide/bus/connection"
import type { BusOptions } from "@lowtide/bus/connection-options"
import { followState } from "@lowtide/bus/follow-state"
import { publishAll } from "@lowtide/bus/streams"
import { statusSubject, wireSubject } from "@lowtide/bus/subjects"
import { Effect, type Queue as EffectQueue, Metric, Queue, Stream, SubscriptionRef } from "effect"
import type { LocalSettings } from "./peer-options.ts"
import type { Speaker } from "./speaker.ts"

/** What joins a speaker to NATS. */
export interface Uplink {
  readonly settings: LocalSettings
  readonly nats: Pick<BusOptions, "servers" | "nkeyFile" | "caFile">
  readonly speaker: Speaker
  /** Offered to when everything is to be read again. */
  readonly resync: EffectQueue.Queue<void>
  /** Offered to when a status may be due. */
  readonly statusWake: EffectQueue.Queue<void>
  /** Offered to when there is something to report. */
  readonly wireWake: EffectQueue.Queue<void>
  readonly monotonicMs: () => number
}

/** Entries are gathered for this long, so that a burst is one message. */
const gatherMs = 5

/** The longest sleep between looks at when a status is due. */
const statusLookMsMax = 20_000

/**
 * Follows the cluster's state, and sends statuses and reports. Runs for ever beside the speaker, which needs none of it
 * to go on announcing; while NATS is away it waits.
 */
export const runUplink = (uplink: Uplink): Effect.Effect<never> =>
  Effect.all([followIntents(uplink), sendStatuses(uplink), sendReports(uplink), noticeReturns(uplink)], {
    concurrency: "unbounded"
  }).pipe(
    Effect.provide(
      layerBus({
        ...uplink.nats,
        name: `speaker ${uplink.settings.node}`,
        user: { role: "speaker", cluster: uplink.settings.cluster }
      })
    ),
    Effect.andThen(Effect.never)
  )

const natsUp = Metric.gauge("lowtide_speaker_nats_up", { description: "1 while the speaker is connected to NATS" })

/** A server that returns may have lost what it had: the status is sent again. */
const noticeReturns = ({ speaker, statusWake }: Uplink): Effect.Effect<void, never, Bus> =>
  Effect.gen(function* () {
    const { connected } = yield* Bus
    yield* SubscriptionRef.changes(connected).pipe(
      Stream.tap(({ up }) => Metric.update(natsUp, up ? 1 : 0)),
      Stream.filter(({ up }) => up),
      Stream.runForEach(() => {
        speaker.pace.changed("now")
        return Queue.offer(statusWake, undefined)
      })
    )
  })

const followIntents = ({ settings, speaker, resync }: Uplink): Effect.Effect<void, never, Bus> =>
  Stream.runForEach(followState(settings.cluster, resync), (item) => Effect.sync(() => speaker.intake.take(item)))

/** Only the newest status counts, so one that cannot be sent is not kept. */
const sendStatuses = ({ settings, speaker, statusWake, monotonicMs }: Uplink): Effect.Effect<never, never, Bus> =>
  Effect.gen(function* () {
    const waitMs = speaker.statusDueAtMs - monotonicMs()
    if (waitMs > 0 && !speaker.hasHeldParts) {
      yield* Effect.timeoutOption(Queue.take(statusWake), Math.min(waitMs, statusLookMsMax))
      return
    }
    speaker.pace.sending(monotonicMs())
    const held = speaker.takeHeldPart()
    const text = JSON.stringify({ ...speaker.status(), ...(held === undefined ? {} : { held }) })
    yield* publishAll([{ subject: statusSubject(settings.cluster, settings.node), text }]).pipe(
      Effect.catch((error) =>
        Effect.andThen(
          Effect.logDebug(`status not sent: ${error.message}`),
          Effect.sync(() => speaker.pace.failed())
        )
      )
    )
  }).pipe(Effect.forever)

/** Entries stay in the outbox until the server has them; a report that was stored unknown to us is sent twice. */
const sendReports = ({ settings, speaker, wireWake }: Uplink): Effect.Effect<never, never, Bus> =>
  Effect.gen(function* () {
    if (speaker.reporter.outbox.size === 0) {
      yield* Queue.take(wireWake)
      yield* Effect.sleep(gatherMs)
      return
    }
    const entries = speaker.reporter.outbox.peek()
    const { cluster, node } = settings
    const text = JSON.stringify({ _tag: "WireReport", cluster, node, entries })
    yield* publishAll([{ subject: wireSubject(cluster, node), text }]).pipe(
      Effect.andThen(Effect.sync(() => speaker.reporter.outbox.acknowledge(entries))),
      Effect.catch((error) =>
        Effect.andThen(Effect.logDebug(`wire report not sent: ${error.message}`), Effect.sleep("1 second"))
      )
    )
  }).pipe(Effect.forever)
