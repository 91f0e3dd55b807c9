import { assert, describe, it } from "vitest"
import { hasRoute } from "./bgp-cases.ts"
import { eventually } from "./bgp-lab.ts"
import { startBird } from "./bgp-routers/bird.ts"
import { startFrr } from "./bgp-routers/frr.ts"
import { loneBench } from "./explain-lab.ts"

/** RFC 8326 §4.2, by number and as FRR writes it. */
const gracefulShutdown = ["65535:0", "graceful-shutdown"]

const prefixes = [
  [4, "198.51.100.1"],
  [6, "2001:db8:1::1"]
] as const

describe.each([
  ["BIRD", startBird],
  ["FRR", startFrr]
] as const)("a node that leaves for good, with %s", (name, start) => {
  const bench = loneBench()

  it("has its routes told as the last choice first (RFC 8326), then they go, and the router hears why (RFC 9003)", async () => {
    const router = await bench.router(start)
    const node = await bench.node({
      peer: {},
      prefixes: prefixes.map(([, address]) => address),
      environment: { LOWTIDE_LEAVE_SECONDS: "5" }
    })
    const host = ([family, address]: (typeof prefixes)[number]) => `${address}/${family === 4 ? 32 : 128}`
    const isLastChoice = (communities: ReadonlyArray<string>) =>
      communities.some((community) => gracefulShutdown.includes(community))
    for (const each of prefixes) {
      assert.isFalse(isLastChoice((await hasRoute(router, each[0], host(each))).communities))
    }
    node.signal("SIGTERM")
    for (const each of prefixes) {
      await eventually(
        async () => (await router.routes(each[0])).get(host(each))?.communities ?? [],
        isLastChoice,
        `${host(each)} with GRACEFUL_SHUTDOWN`
      )
    }
    for (const [family] of prefixes) {
      await eventually(
        () => router.count(family),
        (count) => count === 0,
        `no IPv${family} route is left`
      )
    }
    await eventually(router.isUp, (isUp) => !isUp, "the session is over at the router")
    if (name === "BIRD") assert.match(await router.log(), /node leaves/) // FRR 8.4 logs no text
  })
})
