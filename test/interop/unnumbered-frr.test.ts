import { assert, describe, it } from "@effect/vitest"
import { execute, type LabProcess, waitUntil } from "@lowtide/testkit/lab/index"
import { Effect } from "effect"
import {
  makeUnnumberedLab,
  startBfdBeside,
  startOtherRouter,
  startSpeaker,
  startUnnumberedFrr,
  untilRouted,
  untilUnrouted
} from "./unnumbered-lab.ts"

const seldom = { deadlineMs: 90_000, intervalMs: 100 }

const bfdProfile = {
  receiveIntervalMs: 300,
  transmitIntervalMs: 300,
  detectMultiplier: 3,
  passiveMode: false,
  minimumTtl: 254
}

const untilSays = (process: LabProcess, text: string | RegExp) =>
  waitUntil(
    `${process.name} says ${text}`,
    Effect.map(process.log, (log) => (typeof text === "string" ? log.includes(text) : text.test(log))),
    seldom
  )

describe("a peer on an interface, with FRR", () => {
  it.live(
    "is found, and has routes of both families by the interface; nobody takes the node for a default router",
    () =>
      Effect.gen(function* () {
        const lab = yield* makeUnnumberedLab()
        const frr = yield* startUnnumberedFrr(lab)
        const speaker = yield* startSpeaker(lab)
        const routes = yield* untilRouted(lab, "at first")
        assert.deepStrictEqual(routes.map(({ prefix }) => prefix).sort(), ["198.51.100.10/32", "2001:db8::10/128"])
        assert.isTrue(yield* speaker.isUp)
        const neighbor = JSON.parse(yield* frr.vty("show bgp neighbors eth0 json")).eth0
        assert.strictEqual(neighbor.bgpState, "Established")
        const defaults = (namespace: string) => execute(["ip", "-n", namespace, "-6", "route", "show", "default"])
        assert.deepStrictEqual([yield* defaults(lab.router), yield* defaults(lab.other)], ["", ""])
      }).pipe(Effect.scoped)
  )

  it.live("comes back after its interface went down, after it was another one, and after FRR restarted", () =>
    Effect.gen(function* () {
      const lab = yield* makeUnnumberedLab()
      const { daemons, start } = yield* startUnnumberedFrr(lab)
      const speaker = yield* startSpeaker(lab)
      yield* untilRouted(lab, "at first")
      yield* lab.setLink("node", "down")
      yield* untilUnrouted(lab)
      yield* lab.setLink("node", "up")
      yield* untilRouted(lab, "after the interface was down")
      yield* lab.removeLink
      yield* untilUnrouted(lab)
      yield* lab.makeLink
      yield* untilRouted(lab, "after the interface was taken away and made anew")
      for (const daemon of daemons) yield* daemon.kill
      yield* waitUntil(
        "the session is lost",
        Effect.map(speaker.isUp, (isUp) => !isUp),
        seldom
      )
      yield* start
      yield* untilRouted(lab, "after FRR began anew")
      yield* waitUntil("the session is up", speaker.isUp, seldom)
    }).pipe(Effect.scoped)
  )

  it.live("is followed to another link-local address", () =>
    Effect.gen(function* () {
      const lab = yield* makeUnnumberedLab()
      yield* startUnnumberedFrr(lab)
      const speaker = yield* startSpeaker(lab)
      yield* untilRouted(lab, "at first")
      yield* lab.readdress("fe80::beef")
      const connected = execute(["ip", "netns", "exec", lab.node, "ss", "-Htn", "state", "established"])
      yield* waitUntil(
        "the session is with the new address",
        Effect.gen(function* () {
          return (yield* connected).includes("[fe80::beef]:179") && (yield* speaker.isUp)
        }),
        seldom
      )
      yield* untilRouted(lab, "of a router with another address")
    }).pipe(Effect.scoped)
  )

  it.live("is guarded by BFD between both link-local addresses: a cut that no interface shows is noticed at once", () =>
    Effect.gen(function* () {
      const lab = yield* makeUnnumberedLab()
      const frr = yield* startUnnumberedFrr(lab, { hasBfd: true })
      const speaker = yield* startSpeaker(lab, { part: { bfd: bfdProfile, holdTimeSeconds: 240 } })
      yield* startBfdBeside(lab)
      const untilBfd = (state: string) =>
        waitUntil(
          `FRR's BFD is ${state}`,
          Effect.map(frr.bfd, (found) => found === state),
          seldom
        )
      yield* untilRouted(lab, "at first")
      yield* untilBfd("up")
      const [own, router] = [yield* lab.linkLocal("node"), yield* lab.linkLocal("router")]
      yield* untilSays(speaker.process, `BFD with peer router, ${own}%eth0 to ${router}%eth0: Up`)
      yield* lab.setPath("cut")
      yield* untilUnrouted(lab) // within its deadline of 60 s, where BGP alone would wait for 240
      yield* untilBfd("down")
      yield* untilSays(speaker.process, /LT0311 session with peer router.* BFD has lost it: nothing came for 900 ms/)
      yield* lab.setPath("whole")
      yield* untilRouted(lab, "after the cut")
      yield* untilBfd("up")
      yield* waitUntil("the session is up", speaker.isUp, seldom)
    }).pipe(Effect.scoped)
  )

  it.live("is refused where two routers are on the segment", () =>
    Effect.gen(function* () {
      const lab = yield* makeUnnumberedLab()
      yield* startUnnumberedFrr(lab)
      yield* startOtherRouter(lab)
      const addresses = [yield* lab.linkLocal("router"), yield* lab.linkLocal("other")].sort()
      const speaker = yield* startSpeaker(lab)
      const refusal = `LT0314 peer router (eth0) cannot be reached: it is not known who is on eth0: several routers advertise themselves there: ${addresses.join(", ")}`
      yield* waitUntil(
        "both are heard",
        Effect.map(speaker.process.log, (log) => log.includes(refusal)),
        seldom
      )
      assert.isFalse(yield* speaker.isUp)
    }).pipe(Effect.scoped)
  )

  it.live("is refused without CAP_NET_RAW, and that is said", () =>
    Effect.gen(function* () {
      const lab = yield* makeUnnumberedLab()
      yield* startUnnumberedFrr(lab)
      const wrap = ["setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-all"]
      const { process, isUp } = yield* startSpeaker(lab, { wrap })
      yield* waitUntil(
        "it is said",
        Effect.map(process.log, (log) =>
          /LT0314 peer router \(eth0\) cannot be reached: .*: EPERM: it needs the capability CAP_NET_RAW/.test(log)
        ),
        seldom
      )
      assert.isFalse(yield* isUp)
    }).pipe(Effect.scoped)
  )
})
