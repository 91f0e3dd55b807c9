import { assert, describe, it } from "@effect/vitest"
import type { LabProcess } from "@lowtide/testkit/lab/index"
import { Effect } from "effect"
import { beginGuarded, until, untilAllThere, untilBfd } from "./guard-begin.ts"
import { announced, type GuardedRouter, type StartGuarded, ways } from "./guard-lab.ts"
import { bfdProfile } from "./guard-node.ts"
import { restartOver } from "./guard-restarts.ts"

/** What 300 ms x 3 and a router's own work may come to on a machine that is busy otherwise. */
const noticedMsMax = 10_000

const untilNoneThere = (router: GuardedRouter) =>
  until(
    "the router has no route",
    Effect.map(router.prefixes, (found) => announced.every((prefix) => !found.includes(prefix)))
  )

const untilLogged = (process: LabProcess, text: string | RegExp) =>
  until(
    `${process.name} says ${text}`,
    Effect.map(process.log, (log) => (typeof text === "string" ? log.includes(text) : text.test(log)))
  )

/** The same cases against each router; what a router has and had is read from its own table and log. */
export const guardInteropCases = ({
  name: routerName,
  start,
  rounds = 20
}: {
  readonly name: string
  readonly start: StartGuarded
  readonly rounds?: number
}): void => {
  describe(`BGP with ${routerName}, guarded by BFD`, () => {
    for (const way of Object.keys(ways) as ReadonlyArray<keyof typeof ways>) {
      it.live(`${way}: a cut that no interface shows takes the routes away at once, and they come back`, () =>
        Effect.gen(function* () {
          const { lab, router, speaker } = yield* beginGuarded(start, { way })
          assert.deepStrictEqual(yield* router.removals, [])
          const cutAtUnixMs = Date.now()
          yield* lab.setPath("cut")
          yield* untilNoneThere(router)
          const removals = yield* router.removals
          assert.sameMembers(
            removals.map(({ prefix }) => prefix),
            [...announced]
          )
          for (const { atUnixMs } of removals) assert.isBelow(atUnixMs - cutAtUnixMs, noticedMsMax)
          yield* untilLogged(speaker, "LT0311 session with peer router")
          yield* lab.setPath("whole")
          yield* untilAllThere(router)
          yield* untilBfd(router, "up")
        }).pipe(Effect.scoped)
      )
    }

    it.live("without BFD the same cut takes them away by the hold time", () =>
      Effect.gen(function* () {
        const { lab, router, speaker } = yield* beginGuarded(start, { hasBfd: false, holdTimeSeconds: 9 })
        yield* lab.setPath("cut")
        yield* untilLogged(speaker, "LT0304 session with peer router")
        yield* untilNoneThere(router)
        yield* lab.setPath("whole")
        yield* untilAllThere(router)
      }).pipe(Effect.scoped)
    )

    it.live("a speaker that stands still is noticed by the hold time, while BFD stays up", () =>
      Effect.gen(function* () {
        const { router, bfd, speaker } = yield* beginGuarded(start, { holdTimeSeconds: 9 })
        yield* speaker.signal("SIGSTOP")
        yield* untilNoneThere(router)
        assert.match(yield* router.log, /hold timer expired/i)
        assert.notInclude(yield* bfd.log, "detection-time-expired")
        yield* untilBfd(router, "up") // BIRD takes its own down with BGP's session, and up again
        yield* speaker.signal("SIGCONT")
        yield* untilAllThere(router)
      }).pipe(Effect.scoped)
    )

    it.live("a router that stands still is noticed by BFD, and has the routes again when it goes on", () =>
      Effect.gen(function* () {
        const { router, speaker } = yield* beginGuarded(start, {})
        yield* router.signal("SIGSTOP")
        yield* untilLogged(speaker, /LT0311 .*BFD has lost it: nothing came for \d+ ms/)
        yield* router.signal("SIGCONT")
        yield* untilAllThere(router)
        yield* untilBfd(router, "up")
      }).pipe(Effect.scoped)
    )

    it.live(
      "a BFD process that ends is missed in words, ends nothing on our side, and guards again when it is back",
      () =>
        Effect.gen(function* () {
          const { router, node, bfd, speaker } = yield* beginGuarded(start, {})
          // AdminDown is no failure of the path (RFC 5882 §4.2); BIRD 2.0 and FRR 8.4 take it for one all the same.
          yield* bfd.stop
          yield* untilLogged(speaker, "LT0312 BFD: expected its process to answer")
          yield* node.startBfd
          yield* untilBfd(router, "up")
          yield* untilAllThere(router)
          yield* untilLogged(speaker, /BFD: its process answers.*BFD with peer router, \S+ to \S+: Up/s)
          assert.notInclude(yield* speaker.log, "LT0311")
        }).pipe(Effect.scoped)
    )

    it.live(
      "a BFD process that stands still, and one that is killed, is missed in words and by metrics, and ends nothing",
      () =>
        Effect.gen(function* () {
          const { router, node, bfd, speaker } = yield* beginGuarded(start, {})
          const untilMetrics = (wanted: ReadonlyArray<string>) =>
            until(
              `the speaker's metrics have ${wanted.join(" and ")}`,
              Effect.map(node.metrics, (text) => wanted.every((line) => text.includes(`${line}\n`)))
            )
          const lines = (value: 0 | 1) => [
            `lowtide_bfd_process_up ${value}`,
            `lowtide_bfd_session_up{peer="router"} ${value}`
          ]
          const [away, there] = [lines(0), lines(1)]
          yield* untilMetrics(there)
          yield* bfd.signal("SIGSTOP")
          yield* untilBfd(router, "down", "init") // to the router the path has failed, whatever stands still at its end
          yield* untilLogged(
            speaker,
            /LT0312 BFD: .* answers nothing; peer router held without its watch, or with one that is not heard/
          )
          yield* untilMetrics(away)
          yield* untilAllThere(router) // BGP is back, without BFD
          yield* bfd.signal("SIGCONT")
          yield* untilBfd(router, "up")
          yield* untilMetrics(there)
          yield* untilAllThere(router)
          yield* bfd.kill
          yield* untilMetrics(away)
          yield* untilBfd(router, "down", "init")
          yield* untilAllThere(router)
          yield* node.startBfd
          yield* untilBfd(router, "up")
          yield* untilMetrics(there)
          yield* untilAllThere(router)
          assert.notInclude(yield* speaker.log, "LT0311")
        }).pipe(Effect.scoped)
    )

    it.live("another profile is taken up while BFD is up, and one that is taken away ends BFD as out of use", () =>
      Effect.gen(function* () {
        const { router, node, bfd, speaker } = yield* beginGuarded(start, { keepsRoutes: true, claimSeconds: 10 })
        yield* speaker.stop
        yield* node.setBfd({ ...bfdProfile, receiveIntervalMs: 700 })
        const second = yield* node.startSpeaker
        yield* until(
          "BFD waits for 3 x 700 ms",
          Effect.map(node.bfdSessions, (all) => all.some(({ detectionTimeUs }) => detectionTimeUs === 2_100_000))
        )
        yield* until("the speaker has told its routes", node.hasTold)
        assert.notInclude(yield* bfd.log, "Up to")
        yield* second.stop
        yield* node.setBfd(undefined)
        yield* node.startSpeaker
        yield* untilLogged(bfd, /was not asked for again and is removed\s.*Up to AdminDown, disabled/)
        yield* until(
          "it is forgotten",
          Effect.map(node.bfdSessions, (all) => all.length === 0)
        )
        yield* untilAllThere(router) // also where the router took that for a loss
      }).pipe(Effect.scoped)
    )

    it.live(
      `a speaker that is killed and upgraded ${rounds} times by turns loses no route, and BFD stays up`,
      () =>
        Effect.gen(function* () {
          const { removals, atTheEnd, rounds: gone, logs } = yield* restartOver(start, rounds)
          assert.deepStrictEqual([gone, removals], [rounds, []], JSON.stringify(logs))
          assert.sameMembers(
            atTheEnd.map(({ prefix }) => prefix),
            [...announced]
          )
          assert.notInclude(logs.bfd, "detection-time-expired")
        }).pipe(Effect.scoped),
      900_000
    )
  })
}
