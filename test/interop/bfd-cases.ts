import { assert, describe, it } from "@effect/vitest"
import type { SessionRequest } from "@lowtide/bfd/session-options"
import type { LabError } from "@lowtide/testkit/lab/index"
import { waitUntil } from "@lowtide/testkit/lab/index"
import { Effect, type Scope } from "effect"
import {
  type BfdLab,
  type BfdRouter,
  type BfdRouterPlan,
  forge,
  type LabSession,
  labSessions,
  makeBfdLab,
  type Owner,
  sessionsOfLab,
  startBfd,
  startOwner,
  untilRouterSays
} from "./bfd-lab.ts"

/** A router under test: how it is started. */
export interface RouterUnderTest {
  readonly name: string
  readonly start: (lab: BfdLab, plan: BfdRouterPlan) => Effect.Effect<BfdRouter, LabError, Scope.Scope>
}

const inParallel = { concurrency: "unbounded", discard: true } as const

/** Between two sessions of every kind one side is passive: the router over hops, we in one on the link. */
const requestOf = (name: LabSession, router: BfdRouter): SessionRequest => ({
  ...sessionsOfLab[name],
  minimumTtl: router.farTtl,
  passiveMode: name === "single 6"
})

const allUp = (owner: Owner, router: BfdRouter) =>
  Effect.forEach(
    labSessions,
    (name) => Effect.all([owner.until(name, "Up"), untilRouterSays(router, name, "up")]),
    inParallel
  )

const changesOf = (owner: Owner, from = 0) =>
  owner.events.slice(from).flatMap((event) => (event._tag === "BfdSessionChanged" ? [event] : []))

/** Sessions that went down from index `from` of the events on, each with its cause. */
const lossesOf = (owner: Owner, from = 0) =>
  changesOf(owner, from).flatMap(({ from: before, cause, session }) =>
    before === "Up" && cause !== undefined ? [`${session.name}: ${cause}`] : []
  )

const untilLost = (owner: Owner, names: ReadonlyArray<LabSession>, from: number) =>
  waitUntil(
    `${names.join(", ")} went down`,
    Effect.sync(() => names.every((name) => lossesOf(owner, from).some((loss) => loss.startsWith(`${name}:`))))
  )

/** The detection time at 300 ms x 3 is the protocol's own; how long the process waited for a processor is not. */
const assertInTime = Effect.fnUntraced(function* (owner: Owner, from: number, sinceUnixMs: number) {
  const { sessions } = yield* owner.status
  const lateMs = Math.max(...sessions.map(({ counters }) => counters.lateUsMax)) / 1000
  for (const { from: before, session, cause } of changesOf(owner, from)) {
    if (before !== "Up" || cause === undefined) continue
    assert.isAtMost(session.sinceUnixMs - sinceUnixMs, 3 * 300 + lateMs + 50, session.name)
  }
})

const expired = (names: ReadonlyArray<LabSession>) => names.map((name) => `${name}: detection-time-expired`)

/** The same cases against each router; what a router thinks is read from the router. */
export const bfdInteropCases = ({ name: routerName, start }: RouterUnderTest): void => {
  const begin = Effect.fnUntraced(function* (claimSeconds?: number) {
    const lab = yield* makeBfdLab()
    const router = yield* start(lab, { intervalMs: 300 })
    const bfd = yield* startBfd(lab, claimSeconds === undefined ? {} : { claimSeconds })
    const owner = yield* startOwner(bfd.socketPath)
    for (const name of labSessions) owner.set(name, requestOf(name, router))
    yield* allUp(owner, router)
    return { lab, router, bfd, owner }
  })

  describe(`BFD with ${routerName}`, () => {
    it.live("comes up on the link and over a hop, in both families, and changes its intervals without a flap", () =>
      Effect.gen(function* () {
        const { router, owner } = yield* begin()
        const from = owner.events.length
        const detects = (name: LabSession, ms: number) =>
          waitUntil(
            `${name} detects in ${ms} ms`,
            Effect.map(owner.status, ({ sessions }) =>
              sessions.some((session) => session.name === name && session.detectionTimeUs === ms * 1000)
            )
          )
        const request = requestOf("single 4", router)
        owner.set("single 4", { ...request, receiveIntervalMs: 700, transmitIntervalMs: 500 }) // slower, both ways
        yield* detects("single 4", 3 * 700)
        owner.set("single 4", { ...request, receiveIntervalMs: 100, transmitIntervalMs: 100 })
        yield* detects("single 4", 3 * 300)
        yield* router.setInterval(150)
        yield* detects("single 4", 3 * 150)
        yield* router.setInterval(400)
        yield* Effect.forEach(["single 4", "link-local"] as const, (name) => detects(name, 3 * 400), inParallel)
        assert.deepStrictEqual(lossesOf(owner, from), [])
        yield* allUp(owner, router)
      }).pipe(Effect.scoped)
    )

    it.live("hears nothing that comes from further away than allowed", () =>
      Effect.gen(function* () {
        const { lab, router, owner } = yield* begin()
        const least = { single: 255, multi: router.farTtl + 1 } // as they are sent: the hop takes one off
        yield* Effect.forEach(
          ["single 4", "single 6", "multi 4", "multi 6"] as const,
          Effect.fnUntraced(function* (name) {
            const yourDiscriminator = owner.sessions().get(name)?.localDiscriminator ?? 0
            const ttl = name.startsWith("single") ? least.single : least.multi
            yield* forge(lab, name, { yourDiscriminator, ttl: ttl - 1 })
            yield* forge(lab, name, { yourDiscriminator: 0, ttl: ttl - 1 })
            yield* waitUntil(
              "it is up as before",
              Effect.sync(() => lossesOf(owner).every((loss) => !loss.startsWith(name)))
            )
            // The same with the least TTL is heard, so it was the TTL, and the packet was good.
            yield* forge(lab, name, { yourDiscriminator, ttl })
            yield* untilLost(owner, [name], 0)
            assert.deepStrictEqual(
              lossesOf(owner).filter((loss) => loss.startsWith(name)),
              [`${name}: neighbor-down`]
            )
          }),
          inParallel
        )
        yield* allUp(owner, router)
      }).pipe(Effect.scoped)
    )

    it.live("is out of use at either end without a failure of the path", () =>
      Effect.gen(function* () {
        const { router, owner } = yield* begin()
        const request = requestOf("single 4", router)
        owner.set("single 4", { ...request, adminDown: true })
        yield* untilRouterSays(router, "single 4", "down")
        owner.set("single 4", request)
        yield* Effect.all([owner.until("single 4", "Up"), untilRouterSays(router, "single 4", "up")])
        const from = owner.events.length
        if (router.shutdown !== undefined) {
          yield* router.shutdown
          yield* untilLost(owner, ["single 4"], from)
          assert.deepStrictEqual(lossesOf(owner, from), ["single 4: neighbor-admin-down"])
        }
        owner.remove("single 6")
        yield* untilRouterSays(router, "single 6", "down")
        assert.isFalse(changesOf(owner).some(({ isPathFailure }) => isPathFailure))
      }).pipe(Effect.scoped)
    )

    it.live("notices a cut link, a hop that drops and a router that stands still, and comes back after each", () =>
      Effect.gen(function* () {
        const { lab, router, owner } = yield* begin()
        const near = ["single 4", "single 6", "link-local"] as const
        const far = ["multi 4", "multi 6"] as const
        const cut = owner.events.length
        yield* Effect.all([lab.setLink("down"), lab.setHop("drops")])
        const cutAtUnixMs = Date.now()
        yield* untilLost(owner, labSessions, cut)
        yield* assertInTime(owner, cut, cutAtUnixMs)
        assert.sameMembers([...lossesOf(owner, cut)], [...expired([...near, ...far])])
        // BIRD forgets a session whose interface is down.
        yield* Effect.forEach(far, (name) => untilRouterSays(router, name, "down"), inParallel)
        yield* Effect.all([lab.setLink("up"), lab.setHop("forwards")])
        yield* allUp(owner, router)
        const stopped = owner.events.length
        yield* router.signal("SIGSTOP")
        yield* untilLost(owner, labSessions, stopped)
        assert.sameMembers([...lossesOf(owner, stopped)], [...expired(labSessions)])
        yield* router.signal("SIGCONT")
        yield* allUp(owner, router)
      }).pipe(Effect.scoped)
    )

    it.live("outlives its speaker, and is missed by the router when it is killed itself", () =>
      Effect.gen(function* () {
        const lab = yield* makeBfdLab()
        const router = yield* start(lab, { intervalMs: 300 })
        const first = yield* startBfd(lab)
        yield* Effect.scoped(
          Effect.gen(function* () {
            const speaker = yield* startOwner(first.socketPath)
            for (const name of labSessions) speaker.set(name, requestOf(name, router))
            yield* allUp(speaker, router)
          })
        )
        const speaker = yield* startOwner(first.socketPath, "the next speaker")
        yield* waitUntil(
          "it has the sessions",
          Effect.sync(() => speaker.sessions().size === labSessions.length)
        )
        for (const name of labSessions) speaker.set(name, requestOf(name, router))
        yield* allUp(speaker, router)
        assert.deepStrictEqual(lossesOf(speaker), [])
        yield* first.process.kill
        yield* Effect.forEach(labSessions, (name) => untilRouterSays(router, name, "down", "init"), inParallel)
        yield* startBfd(lab)
        yield* allUp(speaker, router) // set again by the client itself
      }).pipe(Effect.scoped)
    )
  })
}
