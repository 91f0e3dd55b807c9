import { assert, it } from "@effect/vitest"
import { ipBatch, setSysctls } from "@lowtide/testkit/lab/namespaces"
import { type LabProcess, logHas } from "@lowtide/testkit/lab/processes"
import { waitUntil } from "@lowtide/testkit/lab/wait"
import { nodeObject } from "@lowtide/testkit/observed"
import { Effect } from "effect"
import { asking, cluster, holdSeconds, manifest, startOneNode } from "./one-node.ts"

const deadline = { deadlineMs: 60_000 }
const node = { _tag: "ObserveNode", cluster, node: nodeObject("n1", { addresses: ["203.0.113.10"] }) } as const

const lastLine = (router: LabProcess) => Effect.map(router.log, (log) => log.trimEnd().split("\n").at(-1) ?? "")

const hears = (router: LabProcess, line: string) =>
  waitUntil(
    line,
    Effect.map(lastLine(router), (last) => last === line),
    deadline
  )

it.live(
  "while a router does not read, what a Service left is nobody's, and who moves stays where it was; nor for its hold time after",
  () =>
    Effect.gen(function* () {
      const { namespace, send, vips, sessions, startRouter, peer } = yield* startOneNode
      /** Of both addresses, until so long after a moment. */
      const areKept = (sinceMs: number) =>
        waitUntil(
          "the hold time has passed",
          Effect.gen(function* () {
            const found = yield* vips
            if (Date.now() - sinceMs >= holdSeconds * 1_000) return true
            assert.match(found.get("192.0.2.1") ?? "nobody's", /^(assigned|withdrawing), web$/)
            assert.strictEqual(found.get("192.0.2.2"), "withdrawing, gone")
            return false
          }),
          { ...deadline, intervalMs: 200 }
        )
      // From here on a connection of the namespace holds a few thousand octets that nobody reads, and no more.
      yield* ipBatch(["link set lo mtu 1500"], namespace)
      const smallest = "4096 4096 4096"
      yield* setSysctls(namespace, [
        ["ipv4/tcp_wmem", smallest],
        ["ipv4/tcp_rmem", smallest]
      ])
      const reading = yield* startRouter("reading", { mode: "collects", port: 1790 })
      const stalling = yield* startRouter("stalling", { mode: "stalls", port: 1791 })
      yield* peer("reading", 1790)
      yield* peer("stalling", 1791)
      const communities = (last: number) => Array.from({ length: last }, (_, index) => `large:64496:1:${index}`)
      const advertised = (last: number) => manifest("BGPAdvertisement", "all", { communities: communities(last) })
      yield* send(advertised(0))
      yield* send(node)
      yield* send(asking("web", "192.0.2.1"))
      yield* send(asking("gone", "192.0.2.2"))
      yield* hears(reading, "has 192.0.2.1/32 192.0.2.2/32; 0 communities")
      yield* waitUntil(
        "the other session is up",
        Effect.map(sessions, (count) => count === 2),
        deadline
      )

      yield* stalling.signal("SIGUSR2")
      yield* waitUntil("it reads no more", logHas("stalled")(stalling))
      // Some 20,000 octets, of which none is read.
      for (let last = 81; last <= 100; last++) {
        yield* send(advertised(last))
        yield* hears(reading, `has 192.0.2.1/32 192.0.2.2/32; ${last} communities`)
      }
      yield* send({ _tag: "ForgetService", cluster, namespace: "shop", name: "gone" })
      yield* send(asking("web", "192.0.2.9"))
      yield* send(asking("next", "192.0.2.2"))
      yield* waitUntil(
        "the router that reads has the new address, and the old one of who moves, since the other has not the new one",
        Effect.gen(function* () {
          assert.notStrictEqual((yield* vips).get("192.0.2.2"), "assigned, next")
          return (yield* lastLine(reading)) === "has 192.0.2.1/32 192.0.2.9/32; 100 communities"
        }),
        deadline
      )
      yield* areKept(Date.now())
      assert.strictEqual((yield* vips).get("192.0.2.1"), "assigned, web")

      const endedAtMs = Date.now()
      yield* stalling.kill
      yield* areKept(endedAtMs)
      yield* waitUntil(
        "the address that was deleted is given on, and the one before the move is free",
        Effect.map(vips, (found) => found.get("192.0.2.2") === "assigned, next" && !found.has("192.0.2.1")),
        deadline
      )
      yield* hears(reading, "has 192.0.2.2/32 192.0.2.9/32; 100 communities")
    }).pipe(Effect.scoped)
)

it.live(
  "an address is nobody's while its withdrawal is under way on a link that was cut, and its router goes on with it",
  () =>
    Effect.gen(function* () {
      const { lab, namespace, send, vips, startRouter, peer } = yield* startOneNode
      const beyond = yield* lab.addNamespace("router")
      yield* ipBatch([`link add link0 netns ${namespace} type veth peer name link0 netns ${beyond}`])
      yield* ipBatch(["address add 203.0.113.10/24 dev link0", "link set link0 up"], namespace)
      yield* ipBatch(["address add 203.0.113.20/24 dev link0", "link set link0 up"], beyond)
      const near = yield* startRouter("near", { mode: "collects", port: 1790 })
      const far = yield* startRouter("far", { mode: "collects", host: "203.0.113.20", port: 1790, within: beyond })
      yield* peer("near", 1790)
      yield* peer("far", 1790, "203.0.113.20")
      yield* send(manifest("BGPAdvertisement", "all", {}))
      yield* send(node)
      yield* send(asking("gone", "192.0.2.2"))
      for (const router of [near, far]) yield* hears(router, "has 192.0.2.2/32; 0 communities")

      yield* ipBatch(["link set link0 down"], beyond)
      yield* send({ _tag: "ForgetService", cluster, namespace: "shop", name: "gone" })
      yield* send(asking("next", "192.0.2.2"))
      yield* waitUntil(
        "the address is given on",
        Effect.gen(function* () {
          const found = (yield* vips).get("192.0.2.2")
          if (found !== "assigned, next") return false
          assert.notInclude(yield* lastLine(far), "192.0.2.2/32", "its router has it from the Service before")
          return true
        }),
        { ...deadline, intervalMs: 20 }
      )
      yield* hears(near, "has 192.0.2.2/32; 0 communities")
    }).pipe(Effect.scoped)
)
