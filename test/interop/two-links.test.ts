import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { ipBatch, makeLab, setSysctls, startProcess, waitUntil } from "@lowtide/testkit/lab/index"
import { Effect } from "effect"

const seldom = { deadlineMs: 60_000, intervalMs: 100 }

describe("two routers of one link-local address, on two interfaces of a node that listens", () => {
  it.live("are told apart by the interface, also by their passwords, and again once an interface was made anew", () =>
    Effect.gen(function* () {
      const lab = yield* makeLab()
      const node = yield* lab.addNamespace("node")
      const ends = { left: yield* lab.addNamespace("left"), right: yield* lab.addNamespace("right") }
      const connect = (side: keyof typeof ends) =>
        Effect.gen(function* () {
          yield* ipBatch([`link add ${side} netns ${node} type veth peer name up0 netns ${ends[side]}`])
          for (const [namespace, device, address] of [
            [node, side, "fe80::2"],
            [ends[side], "up0", "fe80::1"]
          ] as const) {
            yield* setSysctls(namespace, [[`ipv6/conf/${device}/addr_gen_mode`, 1]])
            yield* ipBatch([`link set ${device} up`, `address add ${address}/64 dev ${device} nodad`], namespace)
          }
        })
      yield* connect("left")
      yield* connect("right")
      const main = yield* startProcess({
        name: "node",
        namespace: node,
        command: [process.execPath, "test/interop/two-links-main.ts"],
        logFile: join(lab.folder, "node.log")
      })
      const dial = (side: keyof typeof ends, asn: number, password: string) =>
        startProcess({
          name: side,
          namespace: ends[side],
          // Its input stays open for as long as it is to run.
          command: ["sh", "-c", `sleep 600 | exec "$@"`, "sh", process.execPath, "scripts/bgp-speak.ts"].concat(
            ["--peer", "fe80::2%up0", "--peer-as", "64512", "--local-as", String(asn), "--router-id", "192.0.2.1"],
            ["--retry", "0.2", "--password", password]
          ),
          logFile: join(lab.folder, `${side}.log`)
        })
      const ups = (side: string) => Effect.map(main.log, (log) => log.split(`${side} SessionEstablished`).length - 1)
      const wrong = yield* dial("right", 64502, "spring-tide") // the other link's password
      yield* dial("left", 64501, "spring-tide")
      yield* waitUntil(
        "left is up",
        Effect.map(ups("left"), (count) => count === 1),
        seldom
      )
      assert.strictEqual(yield* ups("right"), 0)
      yield* wrong.stop
      yield* dial("right", 64502, "neap-tide")
      yield* waitUntil(
        "right is up",
        Effect.map(ups("right"), (count) => count === 1),
        seldom
      )
      yield* ipBatch(["link delete left"], node)
      yield* waitUntil(
        "it is told that the interface is gone",
        Effect.map(main.log, (log) => log.includes('find the interface "left"')),
        seldom
      )
      yield* connect("left")
      yield* waitUntil(
        "left is up again",
        Effect.map(ups("left"), (count) => count === 2),
        seldom
      )
      assert.notInclude(yield* main.log, "refused")
    }).pipe(Effect.scoped)
  )
})
